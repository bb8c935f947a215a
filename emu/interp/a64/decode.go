// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// decode decodes the instruction at pc, the index-th of its block, and says
// whether it is the last of a block (C4.1).
func decode(raw uint32, pc uint64, index int) (inst, bool) {
	i := inst{raw: raw, fn: undefined}
	last := false
	switch raw >> 25 & 15 {
	case 8, 9:
		decodeImmediate(&i, pc)
	case 10, 11:
		last = decodeBranch(&i, pc, index)
	case 4, 6, 12, 14:
		decodeMemory(&i, pc)
	case 5, 13:
		decodeRegister(&i)
	case 7, 15:
		decodeVector(&i)
	}
	return i, last
}

// field is n bits of raw from bit low on.
func field(raw uint32, low, n uint) uint32 { return raw >> low & (1<<n - 1) }

// zr is a register operand whose number 31 is the zero register, sink the same
// as a destination.
func zr(n uint32) uint8 {
	if n &= 31; n == 31 {
		return regZR
	}
	return uint8(n)
}

func sink(n uint32) uint8 {
	if n &= 31; n == 31 {
		return regSink
	}
	return uint8(n)
}

func spr(n uint32) uint8 { return uint8(n & 31) }

// signExtend takes the lower n bits of v for a signed number.
func signExtend(v uint64, n uint) uint64 { return uint64(int64(v<<(64-n)) >> (64 - n)) }

// call makes i one that fn executes.
func (i *inst) call(fn handler) { i.op, i.fn = opFn, fn }

// do makes i one that the loop executes, unless that leaves it to fn.
func (i *inst) do(op opcode) { i.op = op }

// nop makes i one that does nothing.
func (i *inst) nop() {
	i.rd = regSink
	i.do(opMovImm)
}

// pick is do by the width of the operation.
func (i *inst) pick(wide, narrow opcode) {
	if i.raw>>31 != 0 {
		i.do(wide)
	} else {
		i.do(narrow)
	}
}

// decodeImmediate is data processing with an immediate (C4.1.92).
func decodeImmediate(i *inst, pc uint64) {
	raw := i.raw
	wide := raw>>31 != 0
	i.rn, i.rd = zr(raw>>5), sink(raw)
	switch raw >> 23 & 7 {
	case 0, 1: // adr, adrp
		offset := signExtend(uint64(field(raw, 5, 19)<<2|field(raw, 29, 2)), 21)
		if wide {
			i.imm = pc&^0xfff + offset<<12
		} else {
			i.imm = pc + offset
		}
		i.do(opMovImm)
	case 2: // add, sub
		i.imm = uint64(field(raw, 10, 12))
		if raw>>22&1 != 0 {
			i.imm <<= 12
		}
		i.rn = spr(raw >> 5)
		switch field(raw, 29, 2) {
		case 0:
			i.rd = spr(raw)
			i.pick(opAddImm, opAddImmW)
		case 1:
			i.sz = aluAdds
			i.call(aluImm)
		case 2:
			i.rd = spr(raw)
			i.imm = -i.imm
			i.pick(opAddImm, opAddImmW)
		case 3:
			i.rm = regZR
			i.pick(opSubs, opSubsW)
		}
	case 4: // and, orr, eor, ands
		mask, ok := bitMasks(raw>>22&1, field(raw, 10, 6), field(raw, 16, 6), wide)
		if !ok {
			return
		}
		i.imm = mask
		switch field(raw, 29, 2) {
		case 0:
			i.rd = spr(raw)
			i.do(opAndImm)
		case 1:
			i.rd, i.sz = spr(raw), aluOrr
			i.call(aluImm)
			switch {
			case i.rn == regZR:
				i.do(opMovImm)
			case wide:
				i.do(opOrrImm)
			}
		case 2:
			i.rd, i.sz = spr(raw), aluEor
			i.call(aluImm)
			if wide {
				i.do(opEorImm)
			}
		case 3:
			i.sh = uint8(raw>>31^1) << 5
			i.do(opAndsImm)
		}
	case 5: // movn, movz, movk
		i.sh = uint8(field(raw, 21, 2) * 16)
		if i.sh > 16 && !wide {
			return
		}
		i.imm = uint64(field(raw, 5, 16)) << i.sh
		switch field(raw, 29, 2) {
		case 0:
			i.imm = ^i.imm
			if !wide {
				i.imm &= 0xffffffff
			}
			i.do(opMovImm)
		case 2:
			i.do(opMovImm)
		case 3:
			if i.rd == regSink {
				i.nop()
			} else if wide {
				i.do(opMovK)
			} else {
				i.call(movkW)
			}
		}
	case 6:
		decodeBitfield(i, wide)
	case 7: // extr
		if field(raw, 29, 2) != 0 || raw>>21&1 != 0 || raw>>22&1 != raw>>31 || !wide && raw>>15&1 != 0 {
			return
		}
		i.sh = uint8(field(raw, 10, 6))
		i.rm = zr(raw >> 16)
		switch {
		case wide:
			i.do(opExtr)
		case i.rm == i.rn:
			i.rn = regZR
			i.do(opEorRorW)
		default:
			i.call(extr)
		}
	}
}

func movkW(c *core, i *inst) status {
	c.x[i.rd] = c.x[i.rd]&0xffffffff&^(0xffff<<(i.sh&63)) | i.imm
	return next
}

func extr(c *core, i *inst) status {
	lo, hi := c.x[i.rm], c.x[i.rn]
	c.x[i.rd] = (lo&0xffffffff | hi<<32) >> (i.sh & 31) & 0xffffffff
	return next
}

// bitMasks is DecodeBitMasks for logical immediates (J1.1.3).
func bitMasks(n, imms, immr uint32, wide bool) (mask uint64, ok bool) {
	size := 31 - bits.LeadingZeros32(n<<6|^imms&63)
	if size < 1 || n != 0 && !wide {
		return 0, false
	}
	levels := uint32(1)<<size - 1
	s, r := imms&levels, immr&levels
	if s == levels {
		return 0, false
	}
	esize := uint(1) << size
	elem := uint64(1)<<(s+1) - 1
	if r != 0 {
		elem = elem>>r | elem<<(uint32(esize)-r)
		if esize < 64 {
			elem &= 1<<esize - 1
		}
	}
	for ; esize < 64; esize *= 2 {
		elem |= elem << esize
	}
	if !wide {
		elem &= 0xffffffff
	}
	return elem, true
}

// decodeBitfield is sbfm, bfm and ubfm.
func decodeBitfield(i *inst, wide bool) {
	raw := i.raw
	n, immr, imms := raw>>22&1, uint8(field(raw, 16, 6)), uint8(field(raw, 10, 6))
	width := uint8(32)
	if wide {
		width = 64
	}
	if (n != 0) != wide || immr >= width || imms >= width {
		return
	}
	low := func(n uint8) uint64 { return 1<<n - 1 }
	switch field(raw, 29, 2) {
	case 0: // sbfm
		i.sh = width - 1 - imms
		if imms >= immr {
			i.sz = i.sh + immr
		} else {
			i.sz = i.sh - (width - immr)
		}
		i.pick(opSbfm, opSbfmW)
	case 1: // bfm: imm is what is replaced, at its place
		if imms >= immr {
			i.sh, i.ra = immr, 0
			i.imm = low(imms - immr + 1)
		} else {
			i.sh, i.ra = 0, width-immr
			i.imm = low(imms + 1)
		}
		i.call(bfm)
		if wide {
			i.do(opBfm)
		}
	case 2: // ubfm
		switch {
		case imms+1 == immr || imms == width-1 && immr == 0: // lsl
			i.sh = (width - immr) % width
			i.do(opLslImm)
			if !wide {
				i.ra, i.sh, i.imm = i.sh, 0, low(32-i.sh)
				i.do(opUbfm)
			}
		case imms >= immr:
			i.sh = immr
			i.imm = low(imms - immr + 1)
			i.do(opLsr)
		default:
			i.ra = width - immr
			i.imm = low(imms + 1)
			i.do(opUbfm)
		}
	}
}

func bfm(c *core, i *inst) status {
	if i.rd == regSink {
		return next
	}
	r := c.x[i.rd]&^(i.imm<<(i.ra&63)) | c.x[i.rn]>>(i.sh&63)&i.imm<<(i.ra&63)
	if i.raw>>31 == 0 {
		r &= 0xffffffff
	}
	c.x[i.rd] = r
	return next
}
