// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"hash/crc32"
	"math/bits"
)

// What aluReg and aluImm do, in inst.sz.
const (
	aluAdd = iota
	aluAdds
	aluSub
	aluSubs
	aluAnd
	aluBic
	aluOrr
	aluOrn
	aluEor
	aluEon
	aluAnds
	aluBics
)

// decodeRegister is data processing of registers (C4.1.95).
func decodeRegister(i *inst) {
	raw := i.raw
	wide := raw>>31 != 0
	i.rn, i.rm, i.rd = zr(raw>>5), zr(raw>>16), sink(raw)
	switch {
	case raw>>24&0x1f == 0x0a: // logical, shifted
		if !wide && raw>>15&1 != 0 {
			return
		}
		i.sh = uint8(field(raw, 10, 6))
		i.sz = uint8(aluAnd + field(raw, 29, 2)*2 + raw>>21&1)
		i.imm = ones(wide)
		i.call(aluReg)
		if field(raw, 22, 2) == 0 {
			switch i.sz {
			case aluAnd:
				if i.sh == 0 {
					i.do(opAndReg)
				}
			case aluBic:
				if i.sh == 0 {
					i.do(opBicReg)
				}
			case aluOrr:
				i.do(opOrrReg)
				if i.rn == regZR && i.sh == 0 {
					i.do(opMov)
				}
			case aluOrn:
				if i.sh == 0 {
					i.do(opOrnReg)
				}
			case aluEor:
				i.do(opEorReg)
				if i.sh == 0 && !wide {
					i.do(opEorRorW)
				}
			}
		} else if i.sz == aluEor {
			switch {
			case field(raw, 22, 2) == 1:
				i.do(opEorLsr)
			case field(raw, 22, 2) == 3 && !wide:
				i.do(opEorRorW)
			}
		}
	case raw>>24&0x1f == 0x0b && raw>>21&1 == 0: // add, sub, shifted
		if !wide && raw>>15&1 != 0 || field(raw, 22, 2) == 3 {
			return
		}
		i.sh = uint8(field(raw, 10, 6))
		i.sz = uint8(aluAdd + field(raw, 30, 1)*2 + raw>>29&1)
		i.call(aluReg)
		if field(raw, 22, 2) == 0 {
			switch i.sz {
			case aluAdd:
				i.pick(opAddReg, opAddRegW)
				if wide {
					i.imm = ones(true)
				}
				if i.sh == 0 {
					i.pick(opAdd, opAddW)
				}
			case aluSub:
				if i.sh == 0 {
					i.pick(opSub, opSubW)
				}
			case aluSubs:
				i.pick(opSubs, opSubsW)
			}
		}
	case raw>>24&0x1f == 0x0b: // add, sub, extended
		i.sh = uint8(field(raw, 10, 3))
		if i.sh > 4 || field(raw, 22, 2) != 0 {
			return
		}
		i.rn = spr(raw >> 5)
		i.sz = uint8(aluAdd + field(raw, 30, 1)*2 + raw>>29&1)
		if raw>>29&1 == 0 {
			i.rd = spr(raw)
		}
		i.call(aluExt)
		if option := field(raw, 13, 3); wide && i.sz == aluAdd && option <= 3 {
			i.imm = 1<<(8<<option) - 1
			if option == 3 {
				i.imm = 1<<64 - 1
			}
			i.do(opAddReg)
		}
	case raw>>21&0xff == 0xd0: // adc, sbc
		if field(raw, 10, 6) == 0 {
			i.call(adc)
		}
	case raw>>21&0xff == 0xd2: // ccmn, ccmp
		if raw>>29&1 == 0 || raw>>10&1 != 0 || raw>>4&1 != 0 {
			return
		}
		i.ra = uint8(field(raw, 12, 4))
		if raw>>11&1 != 0 {
			i.rm = regZR
			i.imm = uint64(field(raw, 16, 5))
		}
		i.call(ccmp)
	case raw>>21&0xff == 0xd4: // csel
		if raw>>29&1 != 0 || raw>>11&1 != 0 {
			return
		}
		i.ra = uint8(field(raw, 12, 4))
		if i.ra >= 14 {
			i.ra = 14
		}
		i.do(opCsel)
		i.imm = -uint64(raw >> 30 & 1)
		i.sz = uint8(raw >> 10 & 1)
		i.sh = uint8(raw>>31^1) << 5
	case raw>>21&0x3ff == 0xd6:
		decodeTwoSource(i, wide)
	case raw>>21&0x3ff == 0x2d6:
		if field(raw, 16, 5) != 0 {
			return
		}
		switch op := field(raw, 10, 6); {
		case op == 3 && !wide || op > 5:
		default:
			i.call([...]handler{rbit, rev16, rev32, rev64, clz, cls}[op])
		}
		if field(raw, 10, 6) == 4 {
			i.pick(opFn, opClzW)
		}
		if field(raw, 10, 6) == 2 && !wide {
			i.call(rev32)
			i.do(opRevW)
		}
	case raw>>24&0x1f == 0x1b && raw>>29&3 == 0: // three sources
		i.ra = zr(raw >> 10)
		switch op := raw>>21&7<<1 | raw>>15&1; {
		case op == 0:
			i.imm = ones(wide)
			i.do(opMadd)
		case op == 1:
			i.call(msub)
		case !wide:
		case op == 2:
			i.call(smaddl)
		case op == 3:
			i.call(smsubl)
		case op == 4:
			i.call(smulh)
		case op == 10:
			i.call(umaddl)
		case op == 11:
			i.call(umsubl)
		case op == 12:
			i.call(umulh)
		}
	}
}

func decodeTwoSource(i *inst, wide bool) {
	i.imm, i.sh = ones(wide), 31
	if wide {
		i.sh = 63
	}
	switch op := field(i.raw, 10, 6); op {
	case 2:
		i.call(udiv)
	case 3:
		i.call(sdiv)
	case 8:
		i.call(shiftV)
		i.do(opLslV)
	case 9:
		i.call(shiftV)
		i.do(opLsrV)
	case 10, 11:
		i.call(shiftV)
	case 16, 17, 18, 19, 20, 21, 22, 23:
		if wide == (op&3 == 3) {
			i.call(crc)
		}
	}
}

// alu computes one of the operations of aluReg.
func (c *core) alu(op uint8, a, b uint64, wide bool) uint64 {
	var r uint64
	switch op {
	case aluAdd:
		r = a + b
	case aluSub:
		r = a - b
	case aluAdds:
		return c.addWithCarry(a, b, 0, wide)
	case aluSubs:
		return c.addWithCarry(a, ^b, 1, wide)
	case aluAnd:
		r = a & b
	case aluBic:
		r = a &^ b
	case aluOrr:
		r = a | b
	case aluOrn:
		r = a | ^b
	case aluEor:
		r = a ^ b
	case aluEon:
		r = a ^ ^b
	case aluAnds, aluBics:
		if op == aluBics {
			b = ^b
		}
		if wide {
			return c.ands64(a & b)
		}
		return c.ands32(a & b)
	}
	if !wide {
		r &= 0xffffffff
	}
	return r
}

// addWithCarry is AddWithCarry (J1.1.3), with the flags.
func (c *core) addWithCarry(a, b, carry uint64, wide bool) uint64 {
	if wide {
		r, out := bits.Add64(a, b, carry)
		c.x[regFN], c.x[regFZ], c.fc, c.fv = r, r, out, ^(a^b)&(a^r)
		return r
	}
	w := a&0xffffffff + b&0xffffffff + carry
	r := w & 0xffffffff
	c.x[regFN], c.x[regFZ], c.fc, c.fv = w<<32, r, w>>32, ^(a^b)&(a^r)<<32
	return r
}

// ones is a mask of the width of an operation.
func ones(wide bool) uint64 {
	if wide {
		return 1<<64 - 1
	}
	return 1<<32 - 1
}

// shifted is ShiftReg (J1.1.3).
func shifted(v uint64, kind uint32, n uint8, wide bool) uint64 {
	if wide {
		n &= 63
		switch kind & 3 {
		case 0:
			return v << n
		case 1:
			return v >> n
		case 2:
			return uint64(int64(v) >> n)
		}
		return bits.RotateLeft64(v, -int(n))
	}
	n &= 31
	w := uint32(v)
	switch kind & 3 {
	case 0:
		w <<= n
	case 1:
		w >>= n
	case 2:
		w = uint32(int32(w) >> n)
	case 3:
		w = bits.RotateLeft32(w, -int(n))
	}
	return uint64(w)
}

// extended is ExtendReg (J1.1.3) without its shift.
func extended(v uint64, option uint32) uint64 {
	switch option & 7 {
	case 0:
		return v & 0xff
	case 1:
		return v & 0xffff
	case 2:
		return v & 0xffffffff
	case 4:
		return uint64(int64(int8(v)))
	case 5:
		return uint64(int64(int16(v)))
	case 6:
		return uint64(int64(int32(v)))
	}
	return v
}

func aluReg(c *core, i *inst) status {
	wide := i.raw>>31 != 0
	c.x[i.rd] = c.alu(i.sz, c.x[i.rn], shifted(c.x[i.rm], i.raw>>22, i.sh, wide), wide)
	return next
}

func aluExt(c *core, i *inst) status {
	c.x[i.rd] = c.alu(i.sz, c.x[i.rn], extended(c.x[i.rm], i.raw>>13)<<(i.sh&7), i.raw>>31 != 0)
	return next
}

func aluImm(c *core, i *inst) status {
	c.x[i.rd] = c.alu(i.sz, c.x[i.rn], i.imm, i.raw>>31 != 0)
	return next
}

func adc(c *core, i *inst) status {
	c.settle()
	b, wide := c.x[i.rm], i.raw>>31 != 0
	if i.raw>>30&1 != 0 {
		b = ^b
	}
	if i.raw>>29&1 != 0 {
		c.x[i.rd] = c.addWithCarry(c.x[i.rn], b, c.fc, wide)
		return next
	}
	c.x[i.rd] = c.x[i.rn] + b + c.fc
	if !wide {
		c.x[i.rd] &= 0xffffffff
	}
	return next
}

func ccmp(c *core, i *inst) status {
	if !c.holds(i.ra) {
		c.setNZCV(uint64(i.raw&15) << 28)
		return next
	}
	op := uint8(aluAdds)
	if i.raw>>30&1 != 0 {
		op = aluSubs
	}
	c.alu(op, c.x[i.rn], c.x[i.rm]|i.imm, i.raw>>31 != 0)
	return next
}

func shiftV(c *core, i *inst) status {
	c.x[i.rd] = shifted(c.x[i.rn], i.raw>>10, uint8(c.x[i.rm]), i.raw>>31 != 0)
	return next
}

func udiv(c *core, i *inst) status {
	a, b := c.x[i.rn], c.x[i.rm]
	if i.raw>>31 == 0 {
		a, b = a&0xffffffff, b&0xffffffff
	}
	if b != 0 {
		b = a / b
	}
	c.x[i.rd] = b
	return next
}

func sdiv(c *core, i *inst) status {
	if i.raw>>31 == 0 {
		a, b := int32(c.x[i.rn]), int32(c.x[i.rm])
		if b != 0 {
			b = a / b
		}
		c.x[i.rd] = uint64(uint32(b))
		return next
	}
	a, b := int64(c.x[i.rn]), int64(c.x[i.rm])
	if b != 0 {
		b = a / b
	}
	c.x[i.rd] = uint64(b)
	return next
}

func msub(c *core, i *inst) status {
	r := c.x[i.ra] - c.x[i.rn]*c.x[i.rm]
	if i.raw>>31 == 0 {
		r &= 0xffffffff
	}
	c.x[i.rd] = r
	return next
}

func smaddl(c *core, i *inst) status {
	c.x[i.rd] = c.x[i.ra] + uint64(int64(int32(c.x[i.rn]))*int64(int32(c.x[i.rm])))
	return next
}

func smsubl(c *core, i *inst) status {
	c.x[i.rd] = c.x[i.ra] - uint64(int64(int32(c.x[i.rn]))*int64(int32(c.x[i.rm])))
	return next
}

func umaddl(c *core, i *inst) status {
	c.x[i.rd] = c.x[i.ra] + uint64(uint32(c.x[i.rn]))*uint64(uint32(c.x[i.rm]))
	return next
}

func umsubl(c *core, i *inst) status {
	c.x[i.rd] = c.x[i.ra] - uint64(uint32(c.x[i.rn]))*uint64(uint32(c.x[i.rm]))
	return next
}

func umulh(c *core, i *inst) status {
	c.x[i.rd], _ = bits.Mul64(c.x[i.rn], c.x[i.rm])
	return next
}

func smulh(c *core, i *inst) status {
	a, b := c.x[i.rn], c.x[i.rm]
	r, _ := bits.Mul64(a, b)
	c.x[i.rd] = r - uint64(int64(a)>>63)&b - uint64(int64(b)>>63)&a
	return next
}

func rbit(c *core, i *inst) status {
	r := bits.Reverse64(c.x[i.rn])
	if i.raw>>31 == 0 {
		r >>= 32
	}
	c.x[i.rd] = r
	return next
}

func rev16(c *core, i *inst) status {
	v := c.x[i.rn]
	if i.raw>>31 == 0 {
		v &= 0xffffffff
	}
	c.x[i.rd] = v&0x00ff00ff00ff00ff<<8 | v>>8&0x00ff00ff00ff00ff
	return next
}

func rev32(c *core, i *inst) status {
	v := c.x[i.rn]
	r := uint64(bits.ReverseBytes32(uint32(v)))
	if i.raw>>31 != 0 {
		r |= uint64(bits.ReverseBytes32(uint32(v>>32))) << 32
	}
	c.x[i.rd] = r
	return next
}

func rev64(c *core, i *inst) status {
	c.x[i.rd] = bits.ReverseBytes64(c.x[i.rn])
	return next
}

func clz(c *core, i *inst) status {
	c.x[i.rd] = uint64(bits.LeadingZeros64(c.x[i.rn]))
	return next
}

func cls(c *core, i *inst) status {
	v := c.x[i.rn]
	if i.raw>>31 == 0 {
		w := uint32(v)
		c.x[i.rd] = uint64(bits.LeadingZeros32(w^uint32(int32(w)>>1))) - 1
	} else {
		c.x[i.rd] = uint64(bits.LeadingZeros64(v^uint64(int64(v)>>1))) - 1
	}
	return next
}

// crc is crc32 and crc32c (C6.2): a plain remainder, without the inversions of
// the checksum that hash/crc32 computes.
func crc(c *core, i *inst) status {
	table := crc32.IEEETable
	if i.raw>>12&1 != 0 {
		table = castagnoli
	}
	sum, v := uint32(c.x[i.rn]), c.x[i.rm]
	for range 1 << (i.raw >> 10 & 3) {
		sum = table[byte(sum)^byte(v)] ^ sum>>8
		v >>= 8
	}
	c.x[i.rd] = uint64(sum)
	return next
}

// castagnoli is a constant table.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)
