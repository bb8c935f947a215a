// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// ext is a number in double extended precision (SDM volume 1, 4.2.2): sign and
// exponent, and the significand with its integer bit.
type ext struct {
	se uint16
	m  uint64
}

const (
	extSign = 0x8000
	extMax  = 0x7fff // the exponent of infinities and NaNs
	extBias = 16383
	extOne  = 1 << 63 // the integer bit
)

// indefinite is what an invalid operation gives.
var indefinite = ext{0xffff, 3 << 62}

// Classes of numbers, as FXAM tells them in C3, C2 and C0.
const (
	classUnsupported = iota
	classNaN
	classNormal
	classInf
	classZero
	classEmpty
	classDenormal
)

func (v ext) class() uint8 {
	switch e := v.se & extMax; {
	case e == 0 && v.m == 0:
		return classZero
	case e == 0:
		return classDenormal
	case v.m&extOne == 0:
		return classUnsupported
	case e < extMax:
		return classNormal
	case v.m == extOne:
		return classInf
	}
	return classNaN
}

func (v ext) negative() bool  { return v.se&extSign != 0 }
func (v ext) signaling() bool { return v.class() == classNaN && v.m>>62&1 == 0 }

// A zero and an infinity with a sign.
func extZero(negative bool) ext { return ext{se: uint16(b2u(negative)) << 15} }
func extInf(negative bool) ext  { return ext{uint16(b2u(negative))<<15 | extMax, extOne} }

// long is a finite number that is not 0, with more precision than any format:
// hi.lo × 2^(exp-127), the highest bit of hi set. The lowest bit of lo may stand for
// all that are beyond it.
type long struct {
	negative bool
	exp      int
	hi, lo   uint64
}

func (v ext) long() long {
	up := bits.LeadingZeros64(v.m)
	return long{negative: v.negative(), exp: max(int(v.se&extMax), 1) - extBias - up, hi: v.m << up}
}

// right shifts right and keeps in the lowest bit whether anything was lost.
func (n long) right(by int) long {
	n.exp += by
	switch {
	case by == 0:
	case by < 64:
		lost := n.lo<<(64-by) != 0
		n.hi, n.lo = n.hi>>by, n.lo>>by|n.hi<<(64-by)|b2u(lost)
	case by < 128:
		n.hi, n.lo = 0, jam(n.hi, uint(by-64))|b2u(n.lo != 0)
	default:
		n.hi, n.lo = 0, b2u(n.hi|n.lo != 0)
	}
	return n
}

// left brings the highest bit to its place.
func (n long) left() long {
	if n.hi == 0 {
		n.hi, n.lo = n.lo, 0
		n.exp -= 64
	}
	if up := bits.LeadingZeros64(n.hi); up > 0 {
		n.hi, n.lo = n.hi<<up|n.lo>>(64-up), n.lo<<up
		n.exp -= up
	}
	return n
}

// cut rounds hi to its highest prec bits. The exponent changes if that carries.
func (n long) cut(prec uint, mode uint16) (r long, inexact, up bool) {
	drop := 64 - prec
	low, half := n.lo, n.lo == 1<<63
	more := n.lo > 1<<63
	if drop > 0 {
		rest := n.hi << prec
		low |= rest
		half = rest == 1<<63 && n.lo == 0
		more = rest > 1<<63 || rest == 1<<63 && n.lo != 0
	}
	unit := uint64(1) << drop
	n.hi, n.lo = n.hi&^(unit-1), 0
	inexact = low != 0
	switch mode {
	case 0:
		up = more || half && n.hi&unit != 0
	case 1:
		up = n.negative && inexact
	case 2:
		up = !n.negative && inexact
	}
	if up {
		if n.hi += unit; n.hi == 0 {
			n.hi = extOne
			n.exp++
		}
	}
	return n, inexact, up
}

// precision is that of a format to which numbers of the x87 are rounded.
type precision struct {
	prec uint
	bias int
}

var (
	real4  = precision{24, 127}
	real8  = precision{53, 1023}
	real10 = precision{64, extBias}
)

// An exception that is not masked changes the exponent of the result by this
// much (SDM volume 1, 8.5.4).
const extAdjust = 24576

// pack rounds n to a format. It comes back as a biased exponent, and a
// significand with its highest bit in bit 63; exponent 0 is a denormal number or
// zero, and 2*bias+1 an infinity.
func (c *core) pack(n long, f precision) (exp int, m uint64) {
	mode := c.fcw >> 10 & 3
	r, inexact, up := n.cut(f.prec, mode)
	exp = r.exp + f.bias
	switch {
	case exp > 2*f.bias && c.fcw&fxOverflow == 0:
		c.xe |= fxOverflow
		if exp -= extAdjust; exp > 2*f.bias {
			inexact, up = true, true
			exp, r.hi = 2*f.bias+1, extOne
		}
	case exp > 2*f.bias:
		c.xe |= fxOverflow | fxInexact
		c.xup = mode == 0 || mode == 1 && n.negative || mode == 2 && !n.negative
		if c.xup {
			return 2*f.bias + 1, extOne
		}
		return 2 * f.bias, ^uint64(0) << (64 - f.prec)
	case exp < 1 && c.fcw&fxUnderflow == 0:
		c.xe |= fxUnderflow
		if exp += extAdjust; exp < 1 {
			inexact, up = true, false
			exp, r.hi = 0, 0
		}
	case n.exp+f.bias < 1:
		tiny := exp < 1
		n = n.right(1 - f.bias - n.exp)
		r, inexact, up = n.cut(f.prec, mode)
		if inexact && tiny {
			c.xe |= fxUnderflow
		}
		exp = int(r.hi >> 63)
	}
	if inexact {
		c.xe |= fxInexact
		c.xup = up
	}
	return exp, r.hi
}

// roundExt is the number that n is rounded to in the format of the registers, with
// fewer bits if the control word says so and the operation minds it.
func (c *core) roundExt(n long, controlled bool) ext {
	f := real10
	if controlled {
		f.prec = [...]uint{24, 64, 53, 64}[c.fcw>>8&3]
	}
	exp, m := c.pack(n, f)
	return ext{uint16(b2u(n.negative))<<15 | uint16(exp)&extMax, m}
}

// toReal rounds a register to a format of memory.
func (c *core) toReal(v ext, f *format, to precision) uint64 {
	sign := signOf(f, v.negative())
	switch v.class() {
	case classUnsupported:
		c.xe |= fxInvalid
		return f.qnan
	case classNaN:
		if v.signaling() {
			c.xe |= fxInvalid
		}
		return sign | f.inf | f.quiet() | v.m<<1>>(65-f.prec)
	case classInf:
		return sign | f.inf
	case classZero:
		return sign
	}
	exp, m := c.pack(v.long(), to)
	return sign | uint64(exp)<<(f.prec-1)&f.inf | m<<1>>(65-f.prec)
}

// fromReal is a number in memory as one of a register. What is a denormal there
// is none here, which den tells.
func fromReal(v uint64, f *format) (r ext, den bool) {
	if v&f.sign != 0 {
		r.se = extSign
	}
	m := v & (1<<(f.prec-1) - 1) << (64 - f.prec)
	switch e := v & f.inf; {
	case e == f.inf:
		return ext{r.se | extMax, m | extOne}, false
	case e != 0:
		return ext{r.se | uint16(int(e>>(f.prec-1))-f.bias+extBias), m | extOne}, false
	case m == 0:
		return r, false
	}
	up := bits.LeadingZeros64(m)
	return ext{r.se | uint16(1-f.bias+extBias-up), m << up}, true
}

// fromInteger is an integer as a number of a register.
func fromInteger(v int64) ext {
	if v == 0 {
		return ext{}
	}
	r := ext{m: uint64(v)}
	if v < 0 {
		r = ext{extSign, -uint64(v)}
	}
	up := bits.LeadingZeros64(r.m)
	return ext{r.se | uint16(extBias+63-up), r.m << up}
}

// integral rounds n to an integer of 64 bits; what is larger is not ok.
func (n long) integral(mode uint16) (q uint64, inexact, up, ok bool) {
	if n.exp > 63 {
		return 0, false, false, false
	}
	if n.exp < 63 {
		n = n.right(63 - n.exp)
	}
	before := n.hi
	r, inexact, up := n.cut(64, mode)
	if up && before == 1<<64-1 {
		return 0, false, false, false
	}
	return r.hi, inexact, up, true
}

// toInteger rounds to a signed integer of size 1<<sz. What does not fit is the smallest.
func (c *core) toInteger(v ext, sz uint8, mode uint16) uint64 {
	limit := uint64(1) << tops[sz&3]
	switch v.class() {
	case classZero:
		return 0
	case classNormal, classDenormal:
		q, inexact, up, ok := v.long().integral(mode)
		if !ok || q > limit || q == limit && !v.negative() {
			break
		}
		if inexact {
			c.xe |= fxInexact
			c.xup = up
		}
		if v.negative() {
			q = -q
		}
		return q & masks[sz&3]
	}
	c.xe |= fxInvalid
	return limit
}
