// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// Exceptions in MXCSR (SDM volume 1, 10.2.3).
const (
	fxInvalid   = 1 << 0
	fxDenormal  = 1 << 1
	fxZero      = 1 << 2
	fxOverflow  = 1 << 3
	fxUnderflow = 1 << 4
	fxInexact   = 1 << 5

	fxBefore = fxInvalid | fxDenormal | fxZero // found before anything is computed

	mxcsrDAZ = 1 << 6
	mxcsrFTZ = 1 << 15
)

// format is a binary floating-point format (IEEE 754).
type format struct {
	prec uint // of the significand, with the hidden bit
	bias int
	sign uint64
	inf  uint64
	qnan uint64 // what an invalid operation gives
}

var (
	single = format{24, 127, 1 << 31, 0x7f800000, 0xffc00000}
	double = format{53, 1023, 1 << 63, 0x7ff0000000000000, 0xfff8000000000000}
)

func (f *format) quiet() uint64          { return 1 << (f.prec - 2) }
func (f *format) isNaN(v uint64) bool    { return v&^f.sign > f.inf }
func (f *format) isSNaN(v uint64) bool   { return f.isNaN(v) && v&f.quiet() == 0 }
func (f *format) isInf(v uint64) bool    { return v&^f.sign == f.inf }
func (f *format) isZero(v uint64) bool   { return v&^f.sign == 0 }
func (f *format) denormal(v uint64) bool { return v&f.inf == 0 && v&^f.sign != 0 }

// number is a finite number that is not 0: m × 2^(exp-62), bit 62 of m set.
type number struct {
	negative bool
	exp      int
	m        uint64
}

func (f *format) unpack(v uint64) number {
	n := number{negative: v&f.sign != 0, exp: int(v & f.inf >> (f.prec - 1)), m: v & (1<<(f.prec-1) - 1)}
	if n.exp == 0 {
		n.exp = 1
	} else {
		n.m |= 1 << (f.prec - 1)
	}
	up := bits.LeadingZeros64(n.m) - 1
	n.m <<= up
	n.exp += int(63-f.prec) - up - f.bias
	return n
}

// operand applies denormals-are-zeros, and notes a denormal.
func (c *core) operand(f *format, v uint64) uint64 {
	if f.denormal(v) {
		if c.mxcsr&mxcsrDAZ != 0 {
			return v & f.sign
		}
		c.fx |= fxDenormal
	}
	return v
}

// nan is the result of an operation one of whose operands is a NaN.
func (c *core) nan(f *format, a, b uint64) (uint64, bool) {
	if !f.isNaN(a) && !f.isNaN(b) {
		return 0, false
	}
	if f.isSNaN(a) || f.isSNaN(b) {
		c.fx |= fxInvalid
	}
	if f.isNaN(a) {
		return a | f.quiet(), true
	}
	return b | f.quiet(), true
}

func (c *core) invalid(f *format) uint64 {
	c.fx |= fxInvalid
	return f.qnan
}

func signOf(f *format, negative bool) uint64 {
	if negative {
		return f.sign
	}
	return 0
}

// cut takes the lowest n bits of m away and rounds by mode, as in MXCSR.
func cut(m uint64, n uint, negative bool, mode uint32) (q uint64, inexact bool) {
	if n == 0 {
		return m, false
	}
	var low, half uint64
	if n > 63 {
		if low, half = m, 1<<63; n > 64 && m != 0 {
			low = 1
		}
	} else {
		low, half, q = m&(1<<n-1), 1<<(n-1), m>>n
	}
	inexact = low != 0
	up := false
	switch mode {
	case 0:
		up = low > half || low == half && q&1 != 0
	case 1:
		up = negative && inexact
	case 2:
		up = !negative && inexact
	}
	return q + b2u(up), inexact
}

func (c *core) rounding() uint32 { return c.mxcsr >> 13 & 3 }

// round is the number of a format that n is rounded to. The lowest bit of n.m
// may stand for all that are beyond it.
func (c *core) round(f *format, n number) uint64 {
	mode, sign := c.rounding(), signOf(f, n.negative)
	drop := 63 - f.prec
	q, inexact := cut(n.m, drop, n.negative, mode)
	exp := n.exp
	if q>>f.prec != 0 {
		q >>= 1
		exp++
	}
	switch {
	case exp > f.bias:
		c.fx |= fxOverflow
		if inexact || c.mxcsr>>7&fxOverflow != 0 {
			c.fx |= fxInexact
		}
		if mode == 0 || mode == 1 && n.negative || mode == 2 && !n.negative {
			return sign | f.inf
		}
		return sign | f.inf - 1
	case exp >= 1-f.bias && n.exp >= 1-f.bias:
	default:
		tiny := exp < 1-f.bias
		if tiny && c.mxcsr>>7&fxUnderflow == 0 { // not masked
			c.fx |= fxUnderflow
			if inexact {
				c.fx |= fxInexact
			}
			return 0
		}
		if tiny && c.mxcsr&mxcsrFTZ != 0 {
			c.fx |= fxUnderflow | fxInexact
			return sign
		}
		q, inexact = cut(n.m, drop+uint(1-f.bias-n.exp), n.negative, mode)
		if inexact {
			c.fx |= fxInexact
			if tiny {
				c.fx |= fxUnderflow
			}
		}
		return sign | q
	}
	if inexact {
		c.fx |= fxInexact
	}
	return sign | (uint64(exp+f.bias-1)<<(f.prec-1) + q)
}

// jam shifts right and keeps in the lowest bit whether anything was lost.
func jam(m uint64, n uint) uint64 {
	if n > 63 {
		return b2u(m != 0)
	}
	return m>>n | b2u(m&(1<<n-1) != 0)
}

// fop is an operation on two numbers of a format.
type fop func(c *core, f *format, a, b uint64) uint64

func fadd(c *core, f *format, a, b uint64) uint64 {
	if r, ok := c.nan(f, a, b); ok {
		return r
	}
	if f.isInf(a) && f.isInf(b) && a != b {
		return c.invalid(f)
	}
	a, b = c.operand(f, a), c.operand(f, b)
	switch {
	case f.isInf(a):
		return a
	case f.isInf(b):
		return b
	case f.isZero(a) && f.isZero(b):
		if a == b {
			return a
		}
		return signOf(f, c.rounding() == 1)
	case f.isZero(a):
		return c.round(f, f.unpack(b))
	case f.isZero(b):
		return c.round(f, f.unpack(a))
	}
	x, y := f.unpack(a), f.unpack(b)
	if x.exp < y.exp || x.exp == y.exp && x.m < y.m {
		x, y = y, x
	}
	y.m = jam(y.m, uint(x.exp-y.exp))
	if x.negative == y.negative {
		if x.m += y.m; x.m>>63 != 0 {
			x.m = jam(x.m, 1)
			x.exp++
		}
		return c.round(f, x)
	}
	if x.m -= y.m; x.m == 0 {
		return signOf(f, c.rounding() == 1)
	}
	up := bits.LeadingZeros64(x.m) - 1
	x.m <<= up
	x.exp -= up
	return c.round(f, x)
}

func fsub(c *core, f *format, a, b uint64) uint64 {
	if r, ok := c.nan(f, a, b); ok {
		return r
	}
	return fadd(c, f, a, b^f.sign)
}

func fmul(c *core, f *format, a, b uint64) uint64 {
	if r, ok := c.nan(f, a, b); ok {
		return r
	}
	daz := c.mxcsr&mxcsrDAZ != 0
	zero := func(v uint64) bool { return f.isZero(v) || daz && f.denormal(v) }
	if f.isInf(a) && zero(b) || f.isInf(b) && zero(a) {
		return c.invalid(f)
	}
	a, b = c.operand(f, a), c.operand(f, b)
	sign := (a ^ b) & f.sign
	switch {
	case f.isInf(a) || f.isInf(b):
		return sign | f.inf
	case f.isZero(a) || f.isZero(b):
		return sign
	}
	x, y := f.unpack(a), f.unpack(b)
	hi, lo := bits.Mul64(x.m, y.m)
	r := number{sign != 0, x.exp + y.exp, hi<<2 | lo>>62 | b2u(lo<<2 != 0)}
	if r.m>>63 != 0 {
		r.m = jam(r.m, 1)
		r.exp++
	}
	return c.round(f, r)
}

func fdiv(c *core, f *format, a, b uint64) uint64 {
	if r, ok := c.nan(f, a, b); ok {
		return r
	}
	before := c.fx
	a, b = c.operand(f, a), c.operand(f, b)
	sign := (a ^ b) & f.sign
	switch {
	case f.isInf(a) && f.isInf(b), f.isZero(a) && f.isZero(b):
		c.fx = before
		return c.invalid(f)
	case f.isInf(a):
		return sign | f.inf
	case f.isInf(b) || f.isZero(a):
		return sign
	case f.isZero(b):
		c.fx = before | fxZero
		return sign | f.inf
	}
	x, y := f.unpack(a), f.unpack(b)
	q, rest := bits.Div64(x.m>>1, x.m<<63, y.m)
	q |= b2u(rest != 0)
	r := number{sign != 0, x.exp - y.exp - 1, q}
	if q>>63 != 0 {
		r.m = jam(q, 1)
		r.exp++
	}
	return c.round(f, r)
}

func fsqrt(c *core, f *format, _, b uint64) uint64 {
	if r, ok := c.nan(f, b, b); ok {
		return r
	}
	before := c.fx
	b = c.operand(f, b)
	switch {
	case f.isZero(b):
		return b
	case b&f.sign != 0:
		c.fx = before
		return c.invalid(f)
	case f.isInf(b):
		return b
	}
	x := f.unpack(b)
	if x.exp&1 != 0 {
		x.m <<= 1
		x.exp--
	}
	hi, lo := x.m>>2, x.m<<62
	var r uint64
	for bit := uint64(1) << 62; bit != 0; bit >>= 1 {
		h, l := bits.Mul64(r|bit, r|bit)
		if h < hi || h == hi && l <= lo {
			r |= bit
		}
	}
	h, l := bits.Mul64(r, r)
	return c.round(f, number{false, x.exp / 2, r | b2u(h != hi || l != lo)})
}

// less and equal compare numbers that are no NaN.
func (f *format) less(a, b uint64) bool {
	if f.isZero(a) && f.isZero(b) {
		return false
	}
	if (a^b)&f.sign != 0 {
		return a&f.sign != 0
	}
	return a != b && (a < b) == (a&f.sign == 0)
}

func (f *format) equal(a, b uint64) bool { return a == b || f.isZero(a) && f.isZero(b) }

func fmin(c *core, f *format, a, b uint64) uint64 { return c.minMax(f, a, b, false) }
func fmax(c *core, f *format, a, b uint64) uint64 { return c.minMax(f, a, b, true) }

func (c *core) minMax(f *format, a, b uint64, highest bool) uint64 {
	if f.isNaN(a) || f.isNaN(b) {
		c.fx |= fxInvalid
		if c.mxcsr&mxcsrDAZ != 0 && f.denormal(b) {
			return b & f.sign
		}
		return b
	}
	a, b = c.operand(f, a), c.operand(f, b)
	if highest && f.less(b, a) || !highest && f.less(a, b) {
		return a
	}
	return b
}

// compare is one of the predicates of cmpps (SDM volume 2, CMPPD).
func (c *core) compare(f *format, a, b uint64, predicate uint8) bool {
	p := predicate & 3
	var r bool
	if f.isNaN(a) || f.isNaN(b) {
		if f.isSNaN(a) || f.isSNaN(b) || p == 1 || p == 2 {
			c.fx |= fxInvalid
		}
		r = p == 3
	} else {
		a, b = c.operand(f, a), c.operand(f, b)
		switch p {
		case 0:
			r = f.equal(a, b)
		case 1:
			r = f.less(a, b)
		case 2:
			r = f.less(a, b) || f.equal(a, b)
		}
	}
	return r != (predicate&4 != 0)
}

// ordered is the flags that comiss and its kin leave.
func (c *core) ordered(f *format, a, b uint64, signals bool) uint64 {
	if f.isNaN(a) || f.isNaN(b) {
		if signals || f.isSNaN(a) || f.isSNaN(b) {
			c.fx |= fxInvalid
		}
		return zf | pf | cf
	}
	a, b = c.operand(f, a), c.operand(f, b)
	switch {
	case f.equal(a, b):
		return zf
	case f.less(a, b):
		return cf
	}
	return 0
}

// toInt converts to an integer of width bits. What does not fit is the
// smallest.
func (c *core) toInt(f *format, v uint64, width uint, mode uint32) uint64 {
	indefinite := uint64(1) << (width - 1)
	if f.isNaN(v) || f.isInf(v) {
		c.fx |= fxInvalid
		return indefinite
	}
	if f.isZero(v) || f.denormal(v) && c.mxcsr&mxcsrDAZ != 0 {
		return 0
	}
	n := f.unpack(v)
	if n.exp >= int(width) {
		c.fx |= fxInvalid
		return indefinite
	}
	q, inexact := n.m, false
	if n.exp <= 62 {
		q, inexact = cut(n.m, uint(62-n.exp), n.negative, mode)
	} else {
		q <<= n.exp - 62
	}
	if q > indefinite || q == indefinite && !n.negative {
		c.fx |= fxInvalid
		return indefinite
	}
	if inexact {
		c.fx |= fxInexact
	}
	if n.negative {
		q = -q
	}
	return q & (indefinite<<1 - 1)
}

// fromInt converts a signed integer.
func (c *core) fromInt(f *format, v int64) uint64 {
	if v == 0 {
		return 0
	}
	n := number{negative: v < 0, exp: 62, m: uint64(v)}
	if v < 0 {
		n.m = -n.m
	}
	if n.m>>63 != 0 {
		n.m = jam(n.m, 1)
		n.exp++
	}
	up := bits.LeadingZeros64(n.m) - 1
	n.m <<= up
	n.exp -= up
	return c.round(f, n)
}

// convert changes the format.
func (c *core) convert(from, to *format, v uint64) uint64 {
	if f := from; f.isNaN(v) {
		if f.isSNaN(v) {
			c.fx |= fxInvalid
		}
		m := (v | f.quiet()) & (1<<(f.prec-1) - 1)
		if to.prec > f.prec {
			m <<= to.prec - f.prec
		} else {
			m >>= f.prec - to.prec
		}
		return signOf(to, v&f.sign != 0) | to.inf | m
	}
	v = c.operand(from, v)
	sign := signOf(to, v&from.sign != 0)
	switch {
	case from.isInf(v):
		return sign | to.inf
	case from.isZero(v):
		return sign
	}
	return c.round(to, from.unpack(v))
}

// toIntegral rounds to an integer in the same format.
func (c *core) toIntegral(f *format, v uint64, imm uint8) uint64 {
	if r, ok := c.nan(f, v, v); ok {
		return r
	}
	mode := uint32(imm & 3)
	if imm&4 != 0 {
		mode = c.rounding()
	}
	if f.denormal(v) && c.mxcsr&mxcsrDAZ != 0 {
		v &= f.sign
	}
	if f.isInf(v) || f.isZero(v) {
		return v
	}
	n := f.unpack(v)
	if n.exp >= int(f.prec)-1 {
		return v
	}
	q, inexact := cut(n.m, uint(62-n.exp), n.negative, mode)
	if inexact && imm&8 == 0 {
		c.fx |= fxInexact
	}
	if q == 0 {
		return v & f.sign
	}
	up := bits.LeadingZeros64(q) - 1
	return c.round(f, number{n.negative, 62 - up, q << up})
}
