// SPDX-License-Identifier: BSD-3-Clause

package x86

// Special cases of what is executed most: operands of 32 and 64 bits, registers
// or memory that is addressed in the plain way. In those of two registers the
// destination is in.reg, and the source in.rm plus in.imm, one of which is 0.

// specialise picks a special case for an instruction. Its own operands may be
// rearranged for that.
func (d *decoded) specialise() {
	d.mask = masks[d.sz&3]
	if d.family == famNone || d.odd {
		return
	}
	if !d.mem {
		d.specialiseRegister()
	} else {
		d.specialiseMemory()
	}
}

func (d *decoded) specialiseRegister() {
	full := d.sz >= 2
	switch d.family {
	case famAluEG, famAluGE, famAluEI, famTestEG, famTestEI:
		row := d.op
		if d.family == famTestEG || d.family == famTestEI {
			row = rowTest
		}
		if row == opAdc || row == opSbb {
			return
		}
		if !full {
			d.flags = flagsWrites
			return
		}
		d.arrange()
		d.fn, d.quiet, d.flags = aluR[row][0], aluR[row][1], flagsWrites
		d.lk = aluKinds[row] | d.sz
		switch d.scale = 63 - tops[d.sz&3]; row {
		case opCmp:
			d.fuse = fuseCmp
		case rowTest:
			d.fuse = fuseTest
		}
	case famMovEG, famMovGE, famMovEI:
		if d.flags = flagsNone; full {
			d.arrange()
			d.fn = movR
		}
	case famMovzx, famMovsx, famMovsxd:
		d.flags = flagsNone
		if d.family == famMovzx && full && d.rm < high8 {
			d.fn = movzxR
			d.mask = masks[d.op]
		}
	case famLea:
		if full {
			d.fn = leaPlain
		}
	case famShift:
		if n := d.imm & 63; full && d.op >= 4 && n != 0 && n < 8<<d.sz {
			d.imm = n
			d.lk = lkRes | d.sz
			d.scale = 63 - tops[d.sz&3]
			d.flags = flagsWrites
			i := [...]uint8{4: 0, 5: 1, 6: 0, 7: 2}[d.op]
			d.fn, d.quiet = shiftR[i][0], shiftR[i][1]
		} else if full && n != 0 && n < 8<<d.sz && d.op < 2 {
			d.flags = flagsKeep
			d.quiet = [...]handler{rolQuiet, rorQuiet}[d.op]
		}
	case famPush:
		if d.sz == 3 {
			d.fn = push64
		}
	case famPop:
		if d.sz == 3 {
			d.fn = pop64
		}
	case famInc, famDec:
		d.flags = flagsKeep
		if full {
			d.lk = lkRes | d.sz
			d.fn, d.quiet, d.imm = incR, incQuiet, 1
			if d.family == famDec {
				d.fn, d.imm = decR, d.mask
			}
		}
	case famCmov:
		if full {
			d.fn = cmovR
		}
	case famShlx, famShrx, famSarx:
		d.flags = flagsNone
		d.imm = 8<<d.sz - 1
		d.scale = 63 - tops[d.sz&3]
		d.fn = [...]handler{shlxR, shrxR, sarxR}[d.family-famShlx]
	case famJcc:
		switch d.op {
		case 4:
			d.fn = jz
		case 5:
			d.fn = jnz
		}
	}
}

// arrange puts the operands of an instruction on registers where special cases
// look for them.
func (d *decoded) arrange() {
	switch d.family {
	case famAluEG, famTestEG, famMovEG:
		d.reg, d.rm = d.rm, d.reg
		d.imm = 0
	case famAluEI, famTestEI, famMovEI:
		d.reg, d.rm = d.rm, regZero
	default:
		d.imm = 0
	}
}

func (d *decoded) specialiseMemory() {
	full := d.sz >= 2
	switch d.family {
	case famAluGE:
		if full && d.op != opAdc && d.op != opSbb {
			d.fn = aluM[d.op]
			d.lk = aluKinds[d.op] | d.sz
		}
	case famAluEG, famAluEI, famTestEG, famTestEI:
		if d.family == famAluEG || d.family == famTestEG {
			d.imm = 0
		} else {
			d.reg = regZero
		}
		if row := d.op; full && d.family < famTestEG && row == opCmp {
			d.fn = cmpE
			d.lk = lkSub | d.sz
		} else if d.family >= famTestEG && full {
			d.fn = testE
			d.lk = lkRes | d.sz
		} else if d.family == famAluEG {
			d.fn = aluEG
		}
	case famMovGE:
		switch d.sz {
		case 2:
			d.fn = load32
		case 3:
			d.fn = load64
		}
	case famMovEG:
		if d.sz > 0 || d.reg < high8 {
			d.imm = 0
			d.fn = stores[d.sz&3]
		}
	case famMovEI:
		d.reg = regZero
		d.fn = stores[d.sz&3]
	case famMovzx:
		if full {
			d.fn = loadZX8
			if d.op == 1 {
				d.fn = loadZX16
			}
		}
	case famMovsxd:
		if d.sz == 3 {
			d.fn = loadSXD
		}
	case famLea:
		if full {
			d.fn = leaPlain
		}
	}
}

const rowTest = 8

var aluKinds = [9]uint8{lkAdd, lkRes, 0, 0, lkRes, lkSub, lkRes, lkSub, lkRes}

// aluR are the operations on registers, with and without flags.
var aluR = [9][2]handler{
	opAdd: {addR, addQuiet}, opOr: {orR, orQuiet}, opAnd: {andR, andQuiet}, opSub: {subR, subQuiet},
	opXor: {xorR, xorQuiet}, opCmp: {cmpR, nop}, rowTest: {testR, nop},
}

// aluM are those whose source is memory.
var aluM = [8]handler{opAdd: addM, opOr: orM, opAnd: andM, opSub: subM, opXor: xorM, opCmp: cmpM}

var shiftR = [3][2]handler{{shlR, shlQuiet}, {shrR, shrQuiet}, {sarR, sarQuiet}}

var stores = [4]handler{store8, store16, store32, store64}

func (c *core) load(in *inst) (uint64, bool) {
	if in.sz == 3 {
		return c.ld64(c.ea(in))
	}
	return c.ld32(c.ea(in))
}

func addR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	r := (c.r[in.reg&31] + b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fb, c.lk = r, b, in.lk
	return true
}

func addQuiet(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.reg&31] + (c.r[in.rm&31] + in.imm)) & in.mask
	return true
}

func addM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if !ok {
		return false
	}
	r := (c.r[in.reg&31] + b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fb, c.lk = r, b, in.lk
	return true
}

func subR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	r := (c.r[in.reg&31] - b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fb, c.lk = r, b, in.lk
	return true
}

func subQuiet(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.reg&31] - (c.r[in.rm&31] + in.imm)) & in.mask
	return true
}

func subM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if !ok {
		return false
	}
	r := (c.r[in.reg&31] - b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fb, c.lk = r, b, in.lk
	return true
}

func andR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	r := (c.r[in.reg&31] & b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func andQuiet(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.reg&31] & (c.r[in.rm&31] + in.imm)) & in.mask
	return true
}

func andM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if !ok {
		return false
	}
	r := (c.r[in.reg&31] & b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func orR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	r := (c.r[in.reg&31] | b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func orQuiet(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.reg&31] | (c.r[in.rm&31] + in.imm)) & in.mask
	return true
}

func orM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if !ok {
		return false
	}
	r := (c.r[in.reg&31] | b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func xorR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	r := (c.r[in.reg&31] ^ b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func xorQuiet(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.reg&31] ^ (c.r[in.rm&31] + in.imm)) & in.mask
	return true
}

func xorM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if !ok {
		return false
	}
	r := (c.r[in.reg&31] ^ b) & in.mask
	c.r[in.reg&31] = r
	c.fr, c.fc, c.lk = r, 0, in.lk
	return true
}

func cmpR(c *core, in *inst) bool {
	b := (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fb, c.lk = (c.r[in.reg&31]-b)&in.mask, b, in.lk
	return true
}

func cmpM(c *core, in *inst) bool {
	b, ok := c.load(in)
	if ok {
		c.fr, c.fb, c.lk = (c.r[in.reg&31]-b)&in.mask, b, in.lk
	}
	return ok
}

// cmpE compares memory with a register or an immediate, testE tests it.
func cmpE(c *core, in *inst) bool {
	a, ok := c.load(in)
	if ok {
		b := (c.r[in.reg&31] + in.imm) & in.mask
		c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	}
	return ok
}

func testE(c *core, in *inst) bool {
	a, ok := c.load(in)
	if ok {
		c.fr, c.fc, c.lk = a&(c.r[in.reg&31]+in.imm)&in.mask, 0, in.lk
	}
	return ok
}

func testR(c *core, in *inst) bool {
	c.fr, c.fc, c.lk = c.r[in.reg&31]&(c.r[in.rm&31]+in.imm)&in.mask, 0, in.lk
	return true
}

func movR(c *core, in *inst) bool {
	c.r[in.reg&31] = (c.r[in.rm&31] + in.imm) & in.mask
	return true
}

func movzxR(c *core, in *inst) bool {
	c.r[in.reg&31] = c.r[in.rm&31] & in.mask
	return true
}

func leaPlain(c *core, in *inst) bool {
	c.r[in.reg&31] = c.ea(in) & in.mask
	return true
}

func incR(c *core, in *inst) bool {
	v := c.r[in.rm&31]
	r := (v + 1) & in.mask
	c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(r == in.mask>>1+1)<<11
	c.r[in.rm&31] = r
	c.fr, c.lk = r, in.lk
	return true
}

func decR(c *core, in *inst) bool {
	v := c.r[in.rm&31]
	r := (v - 1) & in.mask
	c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(r == in.mask>>1)<<11
	c.r[in.rm&31] = r
	c.fr, c.lk = r, in.lk
	return true
}

func incQuiet(c *core, in *inst) bool {
	c.r[in.rm&31] = (c.r[in.rm&31] + in.imm) & in.mask
	return true
}

func shlR(c *core, in *inst) bool {
	v, n := c.r[in.rm&31]<<(in.scale&63), in.imm&63
	carry := v >> (64 - n) & 1
	r := v << n
	c.fc = carry | (carry^r>>63)<<11
	r >>= in.scale & 63
	c.r[in.rm&31] = r
	c.fr, c.lk = r, in.lk
	return true
}

func shlQuiet(c *core, in *inst) bool {
	c.r[in.rm&31] = c.r[in.rm&31] << (in.imm & 63) & in.mask
	return true
}

func shrR(c *core, in *inst) bool {
	v, n := c.r[in.rm&31]&in.mask, in.imm&63
	c.fc = v>>(n-1)&1 | v>>(63-in.scale&63)&1<<11
	r := v >> n
	c.r[in.rm&31] = r
	c.fr, c.lk = r, in.lk
	return true
}

func shrQuiet(c *core, in *inst) bool {
	c.r[in.rm&31] = c.r[in.rm&31] & in.mask >> (in.imm & 63)
	return true
}

func sarR(c *core, in *inst) bool {
	v, n := int64(c.r[in.rm&31]<<(in.scale&63))>>(in.scale&63), in.imm&63
	c.fc = uint64(v>>(n-1)) & 1
	r := uint64(v>>n) & in.mask
	c.r[in.rm&31] = r
	c.fr, c.lk = r, in.lk
	return true
}

func sarQuiet(c *core, in *inst) bool {
	c.r[in.rm&31] = uint64(int64(c.r[in.rm&31]<<(in.scale&63))>>(in.scale&63)>>(in.imm&63)) & in.mask
	return true
}

func rolQuiet(c *core, in *inst) bool {
	v, n := c.r[in.rm&31]&in.mask, in.imm&63
	c.r[in.rm&31] = (v<<n | v>>((8<<(in.sz&3)-n)&63)) & in.mask
	return true
}

func rorQuiet(c *core, in *inst) bool {
	v, n := c.r[in.rm&31]&in.mask, in.imm&63
	c.r[in.rm&31] = (v>>n | v<<((8<<(in.sz&3)-n)&63)) & in.mask
	return true
}

func shlxR(c *core, in *inst) bool {
	c.r[in.reg&31] = c.r[in.rm&31] << (c.r[in.op&31] & in.imm & 63) & in.mask
	return true
}

func shrxR(c *core, in *inst) bool {
	c.r[in.reg&31] = c.r[in.rm&31] & in.mask >> (c.r[in.op&31] & in.imm & 63)
	return true
}

func sarxR(c *core, in *inst) bool {
	v := int64(c.r[in.rm&31]<<(in.scale&63)) >> (in.scale & 63)
	c.r[in.reg&31] = uint64(v>>(c.r[in.op&31]&in.imm&63)) & in.mask
	return true
}

func cmovR(c *core, in *inst) bool {
	from := in.reg
	if c.cond(in.op) {
		from = in.rm
	}
	c.r[in.reg&31] = c.r[from&31] & in.mask
	return true
}

func push64(c *core, in *inst) bool {
	sp := c.r[4] - 8
	if !c.st64(sp, c.r[in.rm&31]) {
		return false
	}
	c.r[4] = sp
	return true
}

func pop64(c *core, in *inst) bool {
	v, ok := c.ld64(c.r[4])
	if ok {
		c.r[4] += 8
		c.r[in.rm&31] = v
	}
	return ok
}

func load32(c *core, in *inst) bool {
	v, ok := c.ld32(c.ea(in))
	if ok {
		c.r[in.reg&31] = v
	}
	return ok
}

func load64(c *core, in *inst) bool {
	v, ok := c.ld64(c.ea(in))
	if ok {
		c.r[in.reg&31] = v
	}
	return ok
}

func loadZX8(c *core, in *inst) bool {
	v, ok := c.ld8(c.ea(in))
	if ok {
		c.r[in.reg&31] = v
	}
	return ok
}

func loadZX16(c *core, in *inst) bool {
	v, ok := c.ld16(c.ea(in))
	if ok {
		c.r[in.reg&31] = v
	}
	return ok
}

func loadSXD(c *core, in *inst) bool {
	v, ok := c.ld32(c.ea(in))
	if ok {
		c.r[in.reg&31] = uint64(int32(v))
	}
	return ok
}

func store8(c *core, in *inst) bool  { return c.st8(c.ea(in), c.r[in.reg&31]+in.imm) }
func store16(c *core, in *inst) bool { return c.st16(c.ea(in), c.r[in.reg&31]+in.imm) }
func store32(c *core, in *inst) bool { return c.st32(c.ea(in), c.r[in.reg&31]+in.imm) }
func store64(c *core, in *inst) bool { return c.st64(c.ea(in), c.r[in.reg&31]+in.imm) }

func jz(c *core, in *inst) bool {
	z := c.fr == 0
	if c.lk == lkNone {
		z = c.flags&zf != 0
	}
	c.pc = in.next
	if z {
		c.pc = in.disp
	}
	return true
}

func jnz(c *core, in *inst) bool {
	z := c.fr == 0
	if c.lk == lkNone {
		z = c.flags&zf != 0
	}
	c.pc = in.disp
	if z {
		c.pc = in.next
	}
	return true
}
