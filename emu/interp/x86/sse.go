// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

// What the source of a vector instruction is, if it is memory.
const (
	src128  = iota // 16 aligned bytes
	src128u        // 16 bytes
	src64
	src32
	src16

	withImm    = 0x10 // an immediate byte follows
	floating   = 0x20 // it can raise floating-point exceptions
	onlyMemory = 0x40
	srcMask    = 0x0f
	onlyFlags  = 0x80 // the result is core.fc, ZF, PF and CF
)

// vecRow is an instruction of the form xmm, xmm/memory.
type vecRow struct {
	key  uint16 // prefix and opcode
	kind uint8
	op   vector
}

// vecRows are rows in any order.
type vecRows []vecRow

// find is the row of a key, or nil.
func (t vecRows) find(key uint16) *vecRow {
	for i := range t {
		if t[i].key == key {
			return &t[i]
		}
	}
	return nil
}

// operation is what the row does, as a function.
func (r *vecRow) operation() vecOp {
	if f, ok := r.op.(vecOp); ok {
		return f
	}
	return r.op.do
}

// prefix is the mandatory prefix: 0xf3, 0xf2, 0x66 or 0.
func (d *decoder) prefix() uint16 {
	switch {
	case d.rep != 0:
		return uint16(d.rep) << 8
	case d.op16:
		return 0x6600
	}
	return 0
}

// sse decodes the vector instructions of the opcode map 0f (SDM volume 2,
// table A-3).
func (d *decoder) sse(op uint8) {
	if op == 0x77 && d.prefix() == 0 {
		d.fn = emms
		return
	}
	key := d.prefix() | uint16(op)
	if row := sseRows.find(key); row != nil {
		d.modrm()
		d.row(*row)
		return
	}
	if op >= 0x71 && op <= 0x73 && key>>8 == 0x66 {
		d.modrm()
		row := vecShiftImm[(op-0x71)<<3|d.ext]
		d.imm = uint64(d.byte())
		if row != nil && !d.mem {
			d.reg, d.vec, d.fn, d.flags = d.rm, row.do, vecReg, flagsNone
		}
		return
	}
	if move := sseMoves.find(key); move != nil {
		d.modrm()
		if move.fn == nil || d.mem && move.reg || !d.mem && move.mem {
			return
		}
		d.fn, d.op, d.sz = move.fn, move.op, 2
		d.family = vecFamily(key)
		if d.w() {
			d.sz = 3
		}
		if move.imm {
			d.imm = uint64(d.byte())
		}
		return
	}
	if d.sseSpecial(key); d.vec == nil && d.fn == nil {
		d.mmx(key)
	}
}

// row makes the instruction one of a row, with the ModRM byte read.
func (d *decoder) row(row vecRow) {
	if row.kind&withImm != 0 {
		d.imm = uint64(d.byte())
	}
	if !d.mem && row.kind&onlyMemory != 0 {
		return
	}
	d.vec, d.op = row.operation(), row.kind&srcMask
	switch {
	case row.kind&floating != 0:
		d.fn = vecFloat
	case row.kind&onlyFlags != 0:
		d.fn = vecTest
	case d.mem:
		d.fn = vecMem
	default:
		d.fn, d.flags = vecReg, flagsNone
	}
}

// source reads the operand that is a vector register or memory.
func (c *core) source(in *inst) (s xmm, ok bool) {
	if !in.mem {
		return c.x[in.rm&15], true
	}
	a := c.addr(in)
	switch in.op {
	case src128:
		if a&15 != 0 {
			return s, c.fault(cpu.Protection)
		}
		return c.ldx(a)
	case src128u:
		return c.ldx(a)
	case src64:
		s.lo, ok = c.ld64(a)
	case src32:
		s.lo, ok = c.ld32(a)
	default:
		s.lo, ok = c.ld16(a)
	}
	return s, ok
}

func vecReg(c *core, in *inst) bool {
	c.x[in.reg&15] = in.vec(c, c.x[in.reg&15], c.x[in.rm&15], uint8(in.imm))
	return true
}

func vecMem(c *core, in *inst) bool {
	s, ok := c.source(in)
	if ok {
		c.x[in.reg&15] = in.vec(c, c.x[in.reg&15], s, uint8(in.imm))
	}
	return ok
}

func vecFloat(c *core, in *inst) bool {
	s, ok := c.source(in)
	if !ok {
		return false
	}
	c.fx = 0
	r := in.vec(c, c.x[in.reg&15], s, uint8(in.imm))
	if !c.raise() {
		return false
	}
	c.x[in.reg&15] = r
	return true
}

// vecTest leaves nothing but flags.
func vecTest(c *core, in *inst) bool {
	s, ok := c.source(in)
	if !ok {
		return false
	}
	c.fx = 0
	f := in.vec(c, c.x[in.reg&15], s, 0).lo
	if !c.raise() {
		return false
	}
	c.setArith(arith, f)
	return true
}

// raise takes the exceptions of an instruction into MXCSR; one that is not
// masked is a fault.
func (c *core) raise() bool {
	if c.fx == 0 {
		return true
	}
	if c.fx&fxBefore&^(c.mxcsr>>7) != 0 {
		c.fx &= fxBefore
	}
	c.mxcsr |= c.fx
	if c.fx&^(c.mxcsr>>7)&0x3f != 0 {
		return c.fault(cpu.Arithmetic)
	}
	return true
}

// vecMove is a move with its own handler.
type vecMove struct {
	key      uint16
	fn       handler
	op       uint8
	reg, mem bool // only a register, only memory
	imm      bool
}

type vecMoves []vecMove

func (t vecMoves) find(key uint16) *vecMove {
	for i := range t {
		if t[i].key == key {
			return &t[i]
		}
	}
	return nil
}

var sseMoves = vecMoves{
	{key: 0x0010, fn: movLoad, op: src128u}, {key: 0x6610, fn: movLoad, op: src128u},
	{key: 0x0011, fn: movStore, op: src128u}, {key: 0x6611, fn: movStore, op: src128u},
	{key: 0xf310, fn: movScalar, op: src32}, {key: 0xf210, fn: movScalar, op: src64},
	{key: 0xf311, fn: movScalarStore, op: src32}, {key: 0xf211, fn: movScalarStore, op: src64},
	{key: 0x0012, fn: movLow}, {key: 0x6612, fn: movLow, mem: true},
	{key: 0x0013, fn: movLowStore, mem: true}, {key: 0x6613, fn: movLowStore, mem: true},
	{key: 0x0016, fn: movHigh}, {key: 0x6616, fn: movHigh, mem: true},
	{key: 0x0017, fn: movHighStore, mem: true}, {key: 0x6617, fn: movHighStore, mem: true},
	{key: 0x0028, fn: movLoad, op: src128}, {key: 0x6628, fn: movLoad, op: src128},
	{key: 0x0029, fn: movStore, op: src128}, {key: 0x6629, fn: movStore, op: src128},
	{key: 0x002b, fn: movStore, op: src128, mem: true}, {key: 0x662b, fn: movStore, op: src128, mem: true},
	{key: 0x66e7, fn: movStore, op: src128, mem: true},
	{key: 0x0050, fn: movmskps, reg: true}, {key: 0x6650, fn: movmskpd, reg: true}, {key: 0x66d7, fn: pmovmskb, reg: true},
	{key: 0x666e, fn: movdLoad}, {key: 0x667e, fn: movdStore},
	{key: 0x666f, fn: movLoad, op: src128}, {key: 0xf36f, fn: movLoad, op: src128u},
	{key: 0x667f, fn: movStore, op: src128}, {key: 0xf37f, fn: movStore, op: src128u},
	{key: 0xf37e, fn: movqLoad}, {key: 0x66d6, fn: movqStore},
	{key: 0xf2f0, fn: movLoad, op: src128u, mem: true},
	{key: 0x66c4, fn: pinsrw, imm: true}, {key: 0x66c5, fn: pextrwReg, reg: true, imm: true},
	{key: 0x66f7, fn: maskmovdqu, reg: true},
}

func movLoad(c *core, in *inst) bool {
	s, ok := c.source(in)
	if ok {
		c.x[in.reg&15] = s
	}
	return ok
}

func movStore(c *core, in *inst) bool {
	if !in.mem {
		c.x[in.rm&15] = c.x[in.reg&15]
		return true
	}
	a := c.addr(in)
	if in.op == src128 && a&15 != 0 {
		return c.fault(cpu.Protection)
	}
	return c.stx(a, c.x[in.reg&15])
}

// movScalar is movss and movsd: from memory they clear the rest.
func movScalar(c *core, in *inst) bool {
	s, ok := c.source(in)
	if !ok {
		return false
	}
	d := &c.x[in.reg&15]
	switch {
	case in.mem:
		*d = s
	case in.op == src32:
		d.lo = d.lo&^0xffffffff | s.lo&0xffffffff
	default:
		d.lo = s.lo
	}
	return true
}

func movScalarStore(c *core, in *inst) bool {
	s := c.x[in.reg&15].lo
	if in.mem {
		if in.op == src32 {
			return c.st32(c.addr(in), s)
		}
		return c.st64(c.addr(in), s)
	}
	d := &c.x[in.rm&15]
	if in.op == src32 {
		d.lo = d.lo&^0xffffffff | s&0xffffffff
	} else {
		d.lo = s
	}
	return true
}

// movLow is movlps, movlpd and movhlps.
func movLow(c *core, in *inst) bool {
	v, ok := c.x[in.rm&15].hi, true
	if in.mem {
		v, ok = c.ld64(c.addr(in))
	}
	if ok {
		c.x[in.reg&15].lo = v
	}
	return ok
}

func movLowStore(c *core, in *inst) bool { return c.st64(c.addr(in), c.x[in.reg&15].lo) }

// movHigh is movhps, movhpd and movlhps.
func movHigh(c *core, in *inst) bool {
	v, ok := c.x[in.rm&15].lo, true
	if in.mem {
		v, ok = c.ld64(c.addr(in))
	}
	if ok {
		c.x[in.reg&15].hi = v
	}
	return ok
}

func movHighStore(c *core, in *inst) bool { return c.st64(c.addr(in), c.x[in.reg&15].hi) }

func movmskps(c *core, in *inst) bool {
	s := c.x[in.rm&15]
	c.r[in.reg&31] = s.lo>>31&1 | s.lo>>63<<1 | s.hi>>31&1<<2 | s.hi>>63<<3
	return true
}

func movmskpd(c *core, in *inst) bool {
	s := c.x[in.rm&15]
	c.r[in.reg&31] = s.lo>>63 | s.hi>>63<<1
	return true
}

func pmovmskb(c *core, in *inst) bool {
	s := c.x[in.rm&15]
	c.r[in.reg&31] = signs(s.lo) | signs(s.hi)<<8
	return true
}

// signs gathers the highest bits of 8 bytes.
func signs(v uint64) uint64 { return v & 0x8080808080808080 >> 7 * 0x0102040810204080 >> 56 }

func movdLoad(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		c.x[in.reg&15] = xmm{lo: v}
	}
	return ok
}

func movdStore(c *core, in *inst) bool {
	return c.setE(in, c.addr(in), c.x[in.reg&15].lo&in.mask)
}

func movqLoad(c *core, in *inst) bool {
	v, ok := c.x[in.rm&15].lo, true
	if in.mem {
		v, ok = c.ld64(c.addr(in))
	}
	if ok {
		c.x[in.reg&15] = xmm{lo: v}
	}
	return ok
}

func movqStore(c *core, in *inst) bool {
	v := c.x[in.reg&15].lo
	if in.mem {
		return c.st64(c.addr(in), v)
	}
	c.x[in.rm&15] = xmm{lo: v}
	return true
}

func pinsrw(c *core, in *inst) bool {
	v, ok := c.r[in.rm&31], true
	if in.mem {
		v, ok = c.ld16(c.addr(in))
	}
	if ok {
		w := c.x[in.reg&15].w()
		w[in.imm&7] = uint16(v)
		c.x[in.reg&15] = fromW(w)
	}
	return ok
}

func pextrwReg(c *core, in *inst) bool {
	c.r[in.reg&31] = uint64(c.x[in.rm&15].w()[in.imm&7])
	return true
}

func maskmovdqu(c *core, in *inst) bool { return c.storeMasked(in, c.x[in.reg&15], c.x[in.rm&15]) }

// storeMasked writes the bytes whose mask has its highest bit set.
func (c *core) storeMasked(in *inst, value, mask xmm) bool {
	a := c.index(cpu.RDI, in) + c.r[in.seg&31]
	v, m := value.b(), mask.b()
	for i := range v {
		if m[i]&0x80 != 0 && !c.writable(a+uint64(i), 1) {
			return false
		}
	}
	for i := range v {
		if m[i]&0x80 != 0 {
			c.st8(a+uint64(i), uint64(v[i]))
		}
	}
	return true
}
