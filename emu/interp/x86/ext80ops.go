// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// Operations on numbers of the x87. What they raise goes to core.xe, and whether
// the result was rounded up to core.xup; core.xden says that an operand was a
// denormal in memory.

// wrong is the result of an invalid operation.
func (c *core) wrong() ext {
	c.xe |= fxInvalid
	return indefinite
}

// nans is the result of an operation one of whose operands is no number (SDM
// volume 1, table 4-7).
func (c *core) nans(a, b ext) (ext, bool) {
	x, y := a.class(), b.class()
	if x == classUnsupported || y == classUnsupported {
		return c.wrong(), true
	}
	if x != classNaN && y != classNaN {
		return ext{}, false
	}
	s, t := a.signaling(), b.signaling()
	if s || t {
		c.xe |= fxInvalid
	}
	a.m |= 1 << 62
	b.m |= 1 << 62
	switch {
	case y != classNaN, x == classNaN && t && !s:
		return a, true
	case x != classNaN, s && !t:
		return b, true
	case a.m > b.m || a.m == b.m && a.se < b.se:
		return a, true
	}
	return b, true
}

// denormals notes that an operand is one.
func (c *core) denormals(a, b ext) {
	if c.xden || a.class() == classDenormal || b.class() == classDenormal {
		c.xe |= fxDenormal
	}
}

func (c *core) down() bool { return c.fcw>>10&3 == 1 }

func (c *core) extAdd(a, b ext) ext {
	if r, ok := c.nans(a, b); ok {
		return r
	}
	x, y := a.class(), b.class()
	if x == classInf && y == classInf && a != b {
		return c.wrong()
	}
	c.denormals(a, b)
	switch {
	case x == classInf:
		return a
	case y == classInf:
		return b
	case x == classZero && y == classZero:
		if a == b {
			return a
		}
		return extZero(c.down())
	case x == classZero:
		return c.roundExt(b.long(), true)
	case y == classZero:
		return c.roundExt(a.long(), true)
	}
	n, o := a.long(), b.long()
	if n.exp < o.exp || n.exp == o.exp && n.hi < o.hi {
		n, o = o, n
	}
	o = o.right(n.exp - o.exp)
	var carry uint64
	if n.negative == o.negative {
		n.lo, carry = bits.Add64(n.lo, o.lo, 0)
		if n.hi, carry = bits.Add64(n.hi, o.hi, carry); carry != 0 {
			n = n.right(1)
			n.hi |= extOne
		}
		return c.roundExt(n, true)
	}
	n.lo, carry = bits.Sub64(n.lo, o.lo, 0)
	n.hi, _ = bits.Sub64(n.hi, o.hi, carry)
	if n.hi|n.lo == 0 {
		return extZero(c.down())
	}
	return c.roundExt(n.left(), true)
}

func (c *core) extSub(a, b ext) ext {
	if b.class() != classNaN && b.class() != classUnsupported {
		b.se ^= extSign
	}
	return c.extAdd(a, b)
}

func (c *core) extMul(a, b ext) ext {
	if r, ok := c.nans(a, b); ok {
		return r
	}
	x, y := a.class(), b.class()
	if x == classInf && y == classZero || x == classZero && y == classInf {
		return c.wrong()
	}
	c.denormals(a, b)
	negative := a.negative() != b.negative()
	switch {
	case x == classInf || y == classInf:
		return extInf(negative)
	case x == classZero || y == classZero:
		return extZero(negative)
	}
	n, o := a.long(), b.long()
	r := long{negative: negative, exp: n.exp + o.exp + 1}
	r.hi, r.lo = bits.Mul64(n.hi, o.hi)
	return c.roundExt(r.left(), true)
}

func (c *core) extDiv(a, b ext) ext {
	if r, ok := c.nans(a, b); ok {
		return r
	}
	x, y := a.class(), b.class()
	if x == classInf && y == classInf || x == classZero && y == classZero {
		return c.wrong()
	}
	negative := a.negative() != b.negative()
	if y == classZero && x != classInf {
		c.xe |= fxZero
		return extInf(negative)
	}
	c.denormals(a, b)
	switch {
	case x == classInf:
		return extInf(negative)
	case y == classInf || x == classZero:
		return extZero(negative)
	}
	n, o := a.long(), b.long()
	r := long{negative: negative, exp: n.exp - o.exp}
	hi, lo := n.hi>>1, n.hi<<63
	if n.hi < o.hi {
		hi, lo = n.hi, 0
		r.exp--
	}
	var rest uint64
	r.hi, rest = bits.Div64(hi, lo, o.hi)
	r.lo, rest = bits.Div64(rest, 0, o.hi)
	r.lo |= b2u(rest != 0)
	return c.roundExt(r, true)
}

func (c *core) extSqrt(a ext) ext {
	if r, ok := c.nans(a, a); ok {
		return r
	}
	x := a.class()
	if x == classZero {
		return a
	}
	if a.negative() {
		return c.wrong()
	}
	if c.denormals(a, a); x == classInf {
		return a
	}
	n := a.long()
	hi, lo := n.hi>>1, n.hi<<63
	if n.exp&1 != 0 {
		hi, lo = n.hi, 0
	}
	r := long{exp: n.exp >> 1}
	for bit := uint64(extOne); bit != 0; bit >>= 1 {
		h, l := bits.Mul64(r.hi|bit, r.hi|bit)
		if h < hi || h == hi && l <= lo {
			r.hi |= bit
		}
	}
	h, l := bits.Mul64(r.hi, r.hi)
	l, borrow := bits.Sub64(lo, l, 0)
	h, _ = bits.Sub64(hi, h, borrow)
	if r.lo = b2u(h|l != 0); h != 0 || l > r.hi {
		r.lo |= 1 << 63
	}
	return c.roundExt(r, true)
}

// extRound rounds to an integer (FRNDINT).
func (c *core) extRound(a ext) ext {
	if r, ok := c.nans(a, a); ok {
		return r
	}
	c.denormals(a, a)
	if x := a.class(); x == classInf || x == classZero || a.se&extMax >= extBias+63 {
		return a
	}
	q, inexact, up, _ := a.long().integral(c.fcw >> 10 & 3)
	if inexact {
		c.xe |= fxInexact
		c.xup = up
	}
	if q == 0 {
		return extZero(a.negative())
	}
	n := bits.LeadingZeros64(q)
	return ext{a.se&extSign | uint16(extBias+63-n), q << n}
}

// extScale multiplies by a power of 2 (FSCALE).
func (c *core) extScale(a, b ext) ext {
	if r, ok := c.nans(a, b); ok {
		return r
	}
	x, y := a.class(), b.class()
	if y == classInf && (x == classInf && b.negative() || x == classZero && !b.negative()) {
		return c.wrong()
	}
	c.denormals(a, b)
	switch {
	case x == classInf || x == classZero || y == classZero:
		if x == classDenormal {
			return c.roundExt(a.long(), false)
		}
		return a
	case y == classInf && b.negative():
		return extZero(a.negative())
	case y == classInf:
		return extInf(a.negative())
	}
	const limit = 1 << 16 // beyond any exponent
	by := limit
	if n := b.long(); n.exp < 16 {
		q, _, _, _ := n.integral(3)
		by = int(q)
	}
	if b.negative() {
		by = -by
	}
	n := a.long()
	n.exp += by
	return c.roundExt(n, false)
}

// What extRemainder has computed.
const (
	remainderNone  = iota // nothing: an operand is no number
	remainderWhole        // it, and the quotient's lowest bits
	remainderPart         // what is not yet smaller than b
)

// extRemainder is FPREM, or FPREM1 if nearest.
func (c *core) extRemainder(a, b ext, nearest bool) (r ext, q uint64, kind int) {
	if r, ok := c.nans(a, b); ok {
		return r, 0, remainderNone
	}
	x, y := a.class(), b.class()
	if x == classInf || y == classZero {
		return c.wrong(), 0, remainderNone
	}
	c.denormals(a, b)
	switch {
	case x == classZero:
		return a, 0, remainderWhole
	case y == classInf:
		return c.roundExt(a.long(), false), 0, remainderWhole
	}
	n, o := a.long(), b.long()
	steps := n.exp - o.exp
	if steps < -1 || steps < 0 && !nearest {
		return c.roundExt(n, false), 0, remainderWhole
	}
	if kind = remainderWhole; steps >= 64 {
		steps, kind = steps&31|32, remainderPart
	}
	// The remainder of n.hi × 2^steps by o.hi.
	m := n.hi
	carry := uint64(0) // of m shifted to the left
	for i := 0; i <= steps; i++ {
		if i > 0 {
			carry, m = m>>63, m<<1
		}
		if q <<= 1; carry != 0 || m >= o.hi {
			m -= o.hi
			q |= 1
		}
	}
	rest := long{negative: n.negative, exp: n.exp - max(steps, 0), hi: m}
	if nearest && kind == remainderWhole {
		switch other := o.hi - m; {
		case steps < 0: // a is n.hi/2 where b is o.hi
			if n.hi > o.hi {
				q, rest.negative, rest.exp = 1, !rest.negative, o.exp
				rest.hi, rest.lo = o.hi-n.hi>>1-n.hi&1, n.hi<<63
			}
		case m > other || m == other && q&1 != 0:
			q++
			rest.hi, rest.negative = other, !rest.negative
		}
	}
	if rest.hi|rest.lo == 0 {
		return extZero(n.negative), q, kind
	}
	return c.roundExt(rest.left(), false), q, kind
}

// compareExt leaves C3, C2 and C0 of a comparison, in bits 2, 1 and 0. Quiet NaNs
// are invalid if signals.
func (c *core) compareExt(a, b ext, signals bool) uint8 {
	x, y := a.class(), b.class()
	if x <= classNaN || y <= classNaN {
		if signals || x == classUnsupported || y == classUnsupported || a.signaling() || b.signaling() {
			c.xe |= fxInvalid
		}
		return 7
	}
	c.denormals(a, b)
	less := false
	switch {
	case x == classZero && y == classZero || a == b:
		return 4
	case a.negative() != b.negative():
		less = a.negative()
	case a.se&extMax != b.se&extMax && x != classDenormal && y != classDenormal:
		less = a.se&extMax < b.se&extMax != a.negative()
	case x == classZero || y == classZero:
		less = x == classZero != a.negative()
	default: // a pseudo-denormal number has the exponent 1
		n, o := a, b
		n.se, o.se = max(n.se&extMax, 1), max(o.se&extMax, 1)
		if n == o {
			return 4
		}
		less = (n.se < o.se || n.se == o.se && n.m < o.m) != a.negative()
	}
	return uint8(b2u(less))
}
