// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// RFLAGS (SDM volume 1, 3.4.3).
const (
	cf = 1 << 0
	pf = 1 << 2
	af = 1 << 4
	zf = 1 << 6
	sf = 1 << 7
	tf = 1 << 8
	df = 1 << 10
	of = 1 << 11

	arith = cf | pf | af | zf | sf | of

	fixedFlags = 0x202                                   // what user code always finds set: IF
	userFlags  = arith | tf | df | 1<<14 | 1<<18 | 1<<21 // what popf changes: NT, AC, ID
	hidden     = uint64(1<<16 | 1<<17)                   // what pushf does not show: RF, VM
)

// Kinds of lazy flags, in core.lk above the two bits of the operand size.
const (
	lkNone = 0      // core.flags has them
	lkRes  = 1 << 2 // ZF, SF, PF of fr; the others as in fc
	lkAdd  = 2 << 2 // of an addition with result fr and second operand fb
	lkSub  = 3 << 2 // of a subtraction
	lkShl  = 4 << 2 // of a shift of fb by fc with result fr; fc is not 0
	lkShr  = 5 << 2
	lkSar  = 6 << 2
	lkMul  = 7 << 2 // of a signed multiplication of fb and fc with result fr
)

// zsp are ZF, SF and PF of a result.
func zsp(r uint64, sz uint8) uint64 {
	f := r >> tops[sz&3] & 1 << 7
	if r == 0 {
		f |= zf
	}
	return f | uint64(^bits.OnesCount8(uint8(r))&1)<<2
}

// sync brings core.flags up to date.
func (c *core) sync() uint64 {
	k := c.lk
	if k == lkNone {
		return c.flags
	}
	sz := k & 3
	top, r, b := tops[sz], c.fr, c.fb
	f := zsp(r, sz)
	switch k &^ 3 {
	case lkRes:
		f |= c.fc
	case lkAdd:
		a := (r - b) & masks[sz]
		if r < b {
			f |= cf
		}
		f |= (a^b^r)&af | (a^r)&(b^r)>>top&1<<11
	case lkSub:
		a := (r + b) & masks[sz]
		if a < b {
			f |= cf
		}
		f |= (a^b^r)&af | (a^b)&(a^r)>>top&1<<11
	case lkShl:
		carry := b >> (uint64(top) + 1 - c.fc) & 1
		f |= carry | (carry^r>>top&1)<<11
	case lkShr:
		f |= b>>(c.fc-1)&1 | b>>top&1<<11
	case lkSar:
		f |= b >> (c.fc - 1) & 1
	case lkMul:
		if overflows(b, c.fc, sz) {
			f |= cf | of
		}
	}
	c.flags = c.flags&^arith | f
	c.lk = lkNone
	return c.flags
}

// setArith replaces the arithmetic flags in which.
func (c *core) setArith(which, f uint64) {
	c.flags = c.sync()&^which | f&which
}

func (c *core) carry() bool {
	switch c.lk &^ 3 {
	case lkRes:
		return c.fc&cf != 0
	case lkAdd:
		return c.fr < c.fb
	case lkSub:
		return (c.fr+c.fb)&masks[c.lk&3] < c.fb
	}
	return c.sync()&cf != 0
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// cond is the condition that an opcode's lowest four bits name.
func (c *core) cond(cc uint8) bool {
	var v bool
	if k := c.lk; k != lkNone {
		sz := k & 3
		switch cc >> 1 {
		case 1:
			v = c.carry()
		case 2:
			v = c.fr == 0
		case 3:
			v = c.fr == 0 || c.carry()
		case 4:
			v = c.fr>>tops[sz]&1 != 0
		default:
			if k&^3 == lkSub && cc >= 12 {
				up := 63 - tops[sz]
				a, b := int64((c.fr+c.fb)<<up), int64(c.fb<<up)
				v = a < b || cc >= 14 && a == b
			} else {
				return condOf(c.sync(), cc)
			}
		}
		return v != (cc&1 != 0)
	}
	return condOf(c.flags, cc)
}

func condOf(f uint64, cc uint8) bool {
	var v bool
	switch cc >> 1 {
	case 0:
		v = f&of != 0
	case 1:
		v = f&cf != 0
	case 2:
		v = f&zf != 0
	case 3:
		v = f&(cf|zf) != 0
	case 4:
		v = f&sf != 0
	case 5:
		v = f&pf != 0
	case 6:
		v = f>>7&1 != f>>11&1
	case 7:
		v = f>>7&1 != f>>11&1 || f&zf != 0
	}
	return v != (cc&1 != 0)
}
