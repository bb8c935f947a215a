// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// Operations of the ALU by their number in opcodes.
const (
	opAdd = iota
	opOr
	opAdc
	opSbb
	opAnd
	opSub
	opXor
	opCmp
	opTest
)

// alu performs an operation and leaves its flags. The operands are of size sz.
func (c *core) alu(op, sz uint8, a, b uint64) uint64 {
	mask := masks[sz&3]
	var r uint64
	switch op {
	case opAdd:
		r = (a + b) & mask
		c.fr, c.fb, c.lk = r, b, lkAdd|sz
		return r
	case opSub, opCmp:
		r = (a - b) & mask
		c.fr, c.fb, c.lk = r, b, lkSub|sz
		return r
	case opAdc:
		in := b2u(c.carry())
		r = (a + b + in) & mask
		c.fc = b2u(r < a || in != 0 && r == a) | (a^b^r)&af | (a^r)&(b^r)>>tops[sz&3]&1<<11
	case opSbb:
		in := b2u(c.carry())
		r = (a - b - in) & mask
		c.fc = b2u(a < b || in != 0 && a == b) | (a^b^r)&af | (a^b)&(a^r)>>tops[sz&3]&1<<11
	case opAnd:
		r, c.fc = a&b, 0
	case opOr:
		r, c.fc = a|b, 0
	case opXor:
		r, c.fc = a^b, 0
	}
	c.fr, c.lk = r, lkRes|sz
	return r
}

func aluEG(c *core, in *inst) bool { return c.aluE(in, c.get(in.reg, in.sz)) }
func aluEI(c *core, in *inst) bool { return c.aluE(in, in.imm) }

// aluE is an operation whose destination can be memory.
func (c *core) aluE(in *inst, b uint64) bool {
	if !in.mem {
		a := c.get(in.rm, in.sz)
		if r := c.alu(in.op, in.sz, a, b); in.op != opCmp {
			c.set(in.rm, in.sz, r)
		}
		return true
	}
	if in.op == opCmp {
		a, ok := c.ld(c.addr(in), in.sz)
		if ok {
			c.alu(opCmp, in.sz, a, b)
		}
		return ok
	}
	a, at, ok := c.modE(in)
	if !ok {
		return false
	}
	return c.st(at, in.sz, c.alu(in.op, in.sz, a, b)) // modE has seen that it can be written
}

func aluGE(c *core, in *inst) bool {
	b, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if r := c.alu(in.op, in.sz, c.get(in.reg, in.sz), b); in.op != opCmp {
		c.set(in.reg, in.sz, r)
	}
	return true
}

func testEG(c *core, in *inst) bool {
	a, _, ok := c.getE(in)
	if ok {
		c.alu(opAnd, in.sz, a, c.get(in.reg, in.sz))
	}
	return ok
}

func testEI(c *core, in *inst) bool {
	a, _, ok := c.getE(in)
	if ok {
		c.alu(opAnd, in.sz, a, in.imm)
	}
	return ok
}

func not(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	return ok && c.setE(in, a, ^v)
}

func neg(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	return ok && c.setE(in, a, c.alu(opSub, in.sz, 0, v))
}

func inc(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	r := (v + 1) & masks[in.sz&3]
	c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(r == 1<<tops[in.sz&3])<<11
	c.fr, c.lk = r, lkRes|in.sz
	return c.setE(in, a, r)
}

func dec(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	r := (v - 1) & masks[in.sz&3]
	c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(v == 1<<tops[in.sz&3])<<11
	c.fr, c.lk = r, lkRes|in.sz
	return c.setE(in, a, r)
}

func shiftE(c *core, in *inst) bool  { return c.shift(in, in.imm) }
func shiftCL(c *core, in *inst) bool { return c.shift(in, c.r[1]) }

// shiftCount is by how much an operand of size 1<<sz is shifted: the lower five bits
// of the count, or six.
func shiftCount(sz uint8, count uint64) uint {
	if sz == 3 {
		return uint(count & 63)
	}
	return uint(count & 31)
}

// shift is the shifts and rotations by count (SDM volume 2, RCL and SAL). OF is
// undefined for counts other than 1, and is here what the last step would give.
func (c *core) shift(in *inst, count uint64) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	sz := in.sz & 3
	n := shiftCount(sz, count)
	if n == 0 {
		return c.setE(in, a, v)
	}
	width, top, mask := uint(8)<<sz, tops[sz], masks[sz]
	var r, carry uint64
	switch in.op {
	case 0, 1:
		m := n % width
		if in.op == 1 {
			m = (width - m) % width
		}
		r = (v<<m | v>>(width-m)) & mask
		if in.op == 0 {
			carry = r & 1
			c.setArith(cf|of, carry|(carry^r>>top&1)<<11)
		} else {
			carry = r >> top & 1
			c.setArith(cf|of, carry|(carry^r>>(top-1)&1)<<11)
		}
		return c.setE(in, a, r)
	case 2, 3:
		r, carry = v, b2u(c.carry())
		m := n
		if sz < 2 {
			m = n % (width + 1)
		}
		if in.op == 2 {
			for range m {
				carry, r = r>>top&1, (r<<1|carry)&mask
			}
			c.setArith(cf|of, carry|(carry^r>>top&1)<<11)
		} else {
			for range m {
				carry, r = r&1, r>>1|carry<<top
			}
			c.setArith(cf|of, carry|(r>>top^r>>(top-1))&1<<11)
		}
		return c.setE(in, a, r)
	case 4, 6:
		r = v << n & mask
		if n <= width {
			carry = v >> (width - n) & 1
		}
		c.fc = carry | (carry^r>>top&1)<<11
	case 5:
		r = v >> n
		carry = v >> (n - 1) & 1
		c.fc = carry | (v>>top&1)<<11
	case 7:
		up := 63 - top
		s := int64(v<<up) >> up
		r = uint64(s>>n) & mask
		c.fc = uint64(s>>(n-1)) & 1
	}
	c.fr, c.lk = r, lkRes|sz
	return c.setE(in, a, r)
}

func shiftDouble(c *core, in *inst) bool   { return c.shiftTwo(in, in.imm) }
func shiftDoubleCL(c *core, in *inst) bool { return c.shiftTwo(in, c.r[1]) }

// shiftTwo is shld and shrd. With 16 bits and a count above 16 the result is
// undefined; here the operand repeats.
func (c *core) shiftTwo(in *inst, count uint64) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	sz := in.sz & 3
	n := shiftCount(sz, count)
	if n == 0 {
		return c.setE(in, a, v)
	}
	width, top, mask := uint(8)<<sz, tops[sz], masks[sz]
	s := c.get(in.reg, sz)
	var r, carry uint64
	if sz == 1 && n > 16 {
		n -= 16
		v, s = s, v
	}
	if in.op == 0 {
		r = (v<<n | s>>(width-n)) & mask
		carry = v >> (width - n) & 1
	} else {
		r = (v>>n | s<<(width-n)) & mask
		carry = v >> (n - 1) & 1
	}
	c.fc = carry | ((v^r)>>top&1)<<11
	c.fr, c.lk = r, lkRes|sz
	return c.setE(in, a, r)
}

// mulFlags are those of a multiplication; SF, ZF, AF and PF are undefined.
func (c *core) mulFlags(overflow bool, r uint64, sz uint8) {
	c.fc = 0
	if overflow {
		c.fc = cf | of
	}
	c.fr, c.lk = r, lkRes|sz
}

func (c *core) imul(in *inst, a, b uint64) bool {
	r := a * b & masks[in.sz&3]
	c.mulFlags(overflows(a, b, in.sz), r, in.sz)
	c.set(in.reg, in.sz, r)
	return true
}

// overflows is whether a signed product is longer than its operands.
func overflows(a, b uint64, sz uint8) bool {
	up := 63 - tops[sz&3]
	x, y := int64(a<<up)>>up, int64(b<<up)>>up
	if sz == 3 {
		hi, lo := mulSigned(a, b)
		return int64(hi) != int64(lo)>>63
	}
	return x*y<<up>>up != x*y
}

func mulSigned(a, b uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(a, b)
	hi -= uint64(int64(a)>>63)&b + uint64(int64(b)>>63)&a
	return hi, lo
}

func imul2(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	return ok && c.imul(in, c.get(in.reg, in.sz), v)
}

func imul3(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	return ok && c.imul(in, v, in.imm)
}

// mulE is mul and imul with the accumulator.
func mulE(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	a, sz := c.get(0, in.sz), in.sz&3
	up := 63 - tops[sz]
	var hi, lo uint64
	var over bool
	if in.op == 4 {
		hi, lo = bits.Mul64(a, v)
		if sz < 3 {
			hi = lo >> (tops[sz] + 1)
		}
		over = hi != 0
	} else {
		hi, lo = mulSigned(uint64(int64(a<<up)>>up), uint64(int64(v<<up)>>up))
		over = hi != uint64(int64(lo<<up)>>63)
		if sz < 3 {
			over = uint64(int64(lo<<up)>>up) != lo
			hi = lo >> (tops[sz] + 1)
		}
	}
	if sz == 0 {
		c.set(0, 1, lo)
	} else {
		c.set(0, sz, lo)
		c.set(2, sz, hi)
	}
	c.mulFlags(over, lo&masks[sz], sz)
	return true
}

// divE is div and idiv. The flags are undefined, and stay.
func divE(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	sz := in.sz & 3
	hi, lo := c.get(2, sz), c.get(0, sz)
	if sz == 0 {
		lo = c.get(0, 1)
		hi = lo >> 8
		lo &= 0xff
	}
	var q, r uint64
	if in.op == 6 {
		q, r, ok = divide(hi, lo, v, sz)
	} else {
		q, r, ok = divideSigned(hi, lo, v, sz)
	}
	if !ok {
		return c.fault(arithmetic)
	}
	if sz == 0 {
		c.set(0, 1, q&0xff|r<<8)
	} else {
		c.set(0, sz, q)
		c.set(2, sz, r)
	}
	return true
}

func divide(hi, lo, v uint64, sz uint8) (q, r uint64, ok bool) {
	if v == 0 || hi >= v {
		return 0, 0, false
	}
	if sz < 3 {
		n := hi<<(tops[sz]+1) | lo
		return n / v, n % v, true
	}
	q, r = bits.Div64(hi, lo, v)
	return q, r, true
}

func divideSigned(hi, lo, v uint64, sz uint8) (q, r uint64, ok bool) {
	up := 63 - tops[sz]
	v = uint64(int64(v<<up) >> up)
	if sz < 3 { // the dividend fits into 64 bits
		lo |= hi << (tops[sz] + 1)
		wide := up - tops[sz] - 1
		if sz == 2 {
			wide = 0
		}
		lo = uint64(int64(lo<<wide) >> wide)
		hi = uint64(int64(lo) >> 63)
	}
	negative := int64(hi) < 0
	if negative {
		lo, hi = -lo, ^hi
		if lo == 0 {
			hi++
		}
	}
	flip := negative != (int64(v) < 0)
	if int64(v) < 0 {
		v = -v
	}
	if v == 0 || hi >= v {
		return 0, 0, false
	}
	q, r = bits.Div64(hi, lo, v)
	limit := uint64(1) << tops[sz]
	if q > limit || q == limit && !flip {
		return 0, 0, false
	}
	if flip {
		q = -q
	}
	if negative {
		r = -r
	}
	return q & masks[sz], r & masks[sz], true
}
