// SPDX-License-Identifier: BSD-3-Clause

package x86

// How an operation on vectors of 16 bytes does one on 8.
const (
	mmxLanes = iota // the lower half of the result is that of lower halves
	mmxJoin         // both operands make the first
	mmxUpper        // the upper half of the result
	mmxTwice        // the first operand is both halves of the first
)

// mmx decodes the instructions of MMX, and those of SSE to SSSE3 on its registers
// (SDM volume 2, B.8); key is prefix and opcode.
func (d *decoder) mmx(key uint16) {
	op := uint8(key)
	if move := mmxMoves.find(key); move != nil {
		d.modrm()
		d.fn, d.op = move.fn, move.op
		if d.sz = 2; d.w() || d.op != 0 {
			d.sz = 3
		}
		if d.mem && move.reg || !d.mem && move.mem {
			d.fn = nil
		}
		switch {
		case move.imm:
			d.imm = uint64(d.byte())
		case op == 0x2c:
			d.imm = 1
		}
		return
	}
	if key > 0xff || op < 0x60 {
		return
	}
	if op >= 0x71 && op <= 0x73 {
		d.modrm()
		d.imm = uint64(d.byte())
		if row := vecShiftImm[(op-0x71)<<3|d.ext]; row != nil && d.ext&1 == 0 && !d.mem {
			d.fn, d.vec, d.reg = mmxOp, row.do, d.rm
		}
		return
	}
	form := uint8(mmxLanes)
	d.sz = 3
	switch {
	case op < 0x63:
		d.sz = 2
	case op == 0x63 || op == 0x67 || op == 0x6b:
		form = mmxJoin
	case op >= 0x68 && op < 0x6b:
		op -= 8
		form = mmxUpper
	case op == 0x70:
		d.mmxRow(&vecRow{kind: withImm, op: vecOp(mmxShuffle)}, form)
		return
	case op == 0x6c || op == 0x6d:
		return
	}
	d.mmxRow(sseRows.find(0x6600|uint16(op)), form)
}

// mmxRow makes the instruction one of a row on vectors of 16 bytes.
func (d *decoder) mmxRow(row *vecRow, form uint8) {
	if row == nil {
		return
	}
	d.modrm()
	if row.kind&withImm != 0 {
		d.imm = uint64(d.byte())
	}
	d.fn, d.vec, d.op = mmxOp, row.operation(), form
}

// mmx38 decodes those of SSSE3.
func (d *decoder) mmx38(op uint8) {
	if op > 0x0b && (op < 0x1c || op > 0x1e) {
		return
	}
	form := uint8(mmxLanes)
	switch op {
	case 0x00:
		form = mmxTwice
	case 0x01, 0x02, 0x03, 0x05, 0x06, 0x07:
		form = mmxJoin
	}
	d.sz = 3
	d.mmxRow(rows38.find(uint16(op)), form)
}

func mmxAlign(_ *core, d, s xmm, imm uint8) xmm   { return psrldq(xmm{s.lo, d.lo}, uint64(imm)) }
func mmxShuffle(_ *core, _, s xmm, imm uint8) xmm { return xmm{lo: shuffle4(s.lo, imm)} }

// mmxMoves are those that are not of the form mm, mm/memory.
var mmxMoves = vecMoves{
	{key: 0x006e, fn: mmxLoad}, {key: 0x007e, fn: mmxStore},
	{key: 0x006f, fn: mmxLoad, op: 1}, {key: 0x007f, fn: mmxStore, op: 1}, {key: 0x00e7, fn: mmxStore, op: 1, mem: true},
	{key: 0x00c4, fn: mmxInsert, imm: true}, {key: 0x00c5, fn: mmxExtract, reg: true, imm: true},
	{key: 0x00d7, fn: mmxMask, reg: true}, {key: 0x00f7, fn: maskmovq, reg: true},
	{key: 0xf3d6, fn: movq2dq, reg: true}, {key: 0xf2d6, fn: movdq2q, reg: true},
	{key: 0x002a, fn: cvtpi2x}, {key: 0x662a, fn: cvtpi2x, op: 1},
	{key: 0x002c, fn: cvtx2pi, op: src64}, {key: 0x002d, fn: cvtx2pi, op: src64},
	{key: 0x662c, fn: cvtx2pi, op: src128}, {key: 0x662d, fn: cvtx2pi, op: src128},
}

// enterMMX makes all registers of the x87 those of MMX.
func (c *core) enterMMX() {
	c.fsw &^= x87Top
	c.used = 0xff
}

func (c *core) mm(i uint8) uint64 { return c.stack[i&7].m }

func (c *core) setMM(i uint8, v uint64) {
	c.enterMMX()
	c.stack[i&7] = ext{0xffff, v}
}

func emms(c *core, _ *inst) bool {
	if !c.ready() {
		return false
	}
	c.enterMMX()
	c.used = 0
	return true
}

// sourceMM reads the operand that is a register or memory of size 1<<sz.
func (c *core) sourceMM(in *inst, sz uint8) (uint64, bool) {
	switch {
	case !c.ready():
		return 0, false
	case in.mem:
		return c.ld(c.addr(in), sz)
	}
	return c.mm(in.rm), true
}

func mmxOp(c *core, in *inst) bool {
	s, ok := c.sourceMM(in, in.sz)
	if !ok {
		return false
	}
	d, imm := c.mm(in.reg), uint8(in.imm)
	switch in.op {
	case mmxJoin:
		d = in.vec(c, xmm{d, s}, xmm{}, imm).lo
	case mmxUpper:
		d = in.vec(c, xmm{lo: d}, xmm{lo: s}, imm).hi
	case mmxTwice:
		d = in.vec(c, xmm{d, d}, xmm{lo: s}, imm).lo
	default:
		d = in.vec(c, xmm{lo: d}, xmm{lo: s}, imm).lo
	}
	c.setMM(in.reg, d)
	return true
}

// mmxLoad and mmxStore are movq, and movd between other registers.
func mmxLoad(c *core, in *inst) bool {
	v, ok := c.sourceMM(in, in.sz)
	if !ok {
		return false
	}
	if in.op == 0 && !in.mem {
		v = c.get(in.rm, in.sz)
	}
	c.setMM(in.reg, v)
	return true
}

func mmxStore(c *core, in *inst) bool {
	a := c.addr(in)
	if !c.ready() {
		return false
	}
	c.fsw &^= x87Top // even if there is a fault
	if in.mem && !c.writable(a, 1<<in.sz) {
		return false
	}
	c.enterMMX()
	v := c.mm(in.reg)
	if in.op != 0 && !in.mem {
		c.setMM(in.rm, v)
		return true
	}
	return c.setE(in, a, v&in.mask)
}

func mmxInsert(c *core, in *inst) bool {
	v, ok := c.sourceMM(in, 1)
	if !ok {
		return false
	}
	if !in.mem {
		v = c.r[in.rm&31]
	}
	at := 16 * (in.imm & 3)
	c.setMM(in.reg, c.mm(in.reg)&^(0xffff<<at)|v&0xffff<<at)
	return true
}

func mmxExtract(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.r[in.reg&31] = c.mm(in.rm) >> (16 * (in.imm & 3)) & 0xffff
	c.enterMMX()
	return true
}

func mmxMask(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.r[in.reg&31] = signs(c.mm(in.rm))
	c.enterMMX()
	return true
}

// maskmovq writes the bytes whose mask has its highest bit set.
func maskmovq(c *core, in *inst) bool {
	if !c.ready() || !c.storeMasked(in, xmm{lo: c.mm(in.reg)}, xmm{lo: c.mm(in.rm)}) {
		return false
	}
	c.enterMMX()
	return true
}

func movq2dq(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.x[in.reg&15] = xmm{lo: c.mm(in.rm)}
	c.enterMMX()
	return true
}

func movdq2q(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.setMM(in.reg, c.x[in.rm&15].lo)
	return true
}

// cvtpi2x is cvtpi2ps and, if in.op is not 0, cvtpi2pd.
func cvtpi2x(c *core, in *inst) bool {
	s, ok := c.mm(in.rm), true
	if in.mem {
		s, ok = c.ld64(c.addr(in))
	} else {
		ok = c.ready()
	}
	if !ok {
		return false
	}
	c.fx = 0
	d := c.x[in.reg&15]
	if in.op == 0 {
		d.lo = cvtdq2ps(c, d, xmm{lo: s}, 0).lo
	} else {
		d = cvtdq2pd(c, d, xmm{lo: s}, 0)
	}
	if !in.mem {
		c.enterMMX()
	}
	if !c.raise() {
		return false
	}
	c.x[in.reg&15] = d
	return true
}

// cvtx2pi is cvtps2pi and cvtpd2pi, and truncates if its immediate is not 0.
func cvtx2pi(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	s, ok := c.source(in)
	if !ok {
		return false
	}
	c.fx = 0
	if in.op == src64 {
		s = ps2dq(in.imm != 0).do(c, s, xmm{lo: s.lo}, 0)
	} else {
		s = pd2dq(in.imm != 0).do(c, s, s, 0)
	}
	if c.enterMMX(); !c.raise() {
		return false
	}
	c.setMM(in.reg, s.lo)
	return true
}
