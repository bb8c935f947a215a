// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// laneFunc computes a lane from those of rd, rn and rm.
type laneFunc func(c *core, d, a, b uint64) uint64

// mask is all ones if b, as comparisons of lanes answer.
func mask(b bool) uint64 {
	if b {
		return 1<<64 - 1
	}
	return 0
}

// decodeSame is operations on three registers of the same shape.
func decodeSame(i *inst, full, scalar, u bool, size uint) {
	op := i.raw >> 11 & 31
	if op >= 24 {
		decodeSameFP(i, full, scalar, u, size)
		return
	}
	if op == 3 {
		if !scalar {
			i.sz = uint8(size)
			if u {
				i.sz += 4
			}
			i.call(logic)
		}
		return
	}
	s := vectorShape(size, full, scalar)
	s.signed = !u
	if size == 3 && !full && !scalar {
		return
	}
	if scalar {
		switch op {
		case 1, 5, 9, 11: // saturating, any size
		case 6, 7, 8, 10, 16, 17:
			if size != 3 {
				return
			}
		case 22:
		default:
			return
		}
	}
	switch op {
	case 0x14, 0x15: // max, min of pairs
		if size < 3 {
			i.call(pairs(s, func(_ *core, a, b uint64) uint64 {
				if s.less(a, b) == (op == 0x14) {
					return b
				}
				return a
			}))
		}
		return
	case 0x17:
		if !u {
			i.call(pairs(s, func(_ *core, a, b uint64) uint64 { return a + b }))
		}
		return
	}
	if f := wordFunc(op, u, s); f != nil && !scalar {
		i.call(words3(full, f))
	} else if f := sameFunc(op, u, s); f != nil {
		i.call(lanes3(s, f))
	}
}

// words3 makes a handler that takes lanes eight bytes at a time.
func words3(full bool, f func(a, b uint64) uint64) handler {
	return func(c *core, i *inst) status {
		a, b := &c.v[i.rn&31], &c.v[i.rm&31]
		r := vec{f(a[0], b[0])}
		if full {
			r[1] = f(a[1], b[1])
		}
		c.v[i.rd&31] = r
		return next
	}
}

// highBits are the highest bits of all lanes of 1<<elem bytes in a word.
func highBits(elem uint) uint64 {
	return replicate(1<<(8<<elem-1), elem, false)[0]
}

// wordFunc is what sameFunc is, for whole words where that is possible.
func wordFunc(op uint32, u bool, s shape) func(a, b uint64) uint64 {
	high, top := highBits(s.elem), s.bits()-1
	// zero has the highest bit of each lane of v that is zero, and spread makes
	// masks of those.
	zero := func(v uint64) uint64 { return ^(v&^high + ^high | v) & high }
	spread := func(h uint64) uint64 { return h - h>>top | h }
	switch {
	case op == 16 && u:
		return func(a, b uint64) uint64 { return (a | high) - b&^high ^ ((a ^ ^b) & high) }
	case op == 16:
		return func(a, b uint64) uint64 { return a&^high + b&^high ^ ((a ^ b) & high) }
	case op == 17 && u:
		return func(a, b uint64) uint64 { return spread(zero(a ^ b)) }
	case op == 17:
		return func(a, b uint64) uint64 { return ^spread(zero(a & b)) }
	}
	return nil
}

// sameFunc is the function of an integer operation on three registers.
func sameFunc(op uint32, u bool, s shape) laneFunc {
	small := s.elem < 3
	switch op {
	case 0, 2: // hadd, rhadd
		if small {
			return func(_ *core, _, a, b uint64) uint64 {
				return uint64(int64(s.ext(a)+s.ext(b)+uint64(op>>1)) >> 1)
			}
		}
	case 1:
		return func(c *core, _, a, b uint64) uint64 { return c.addSat(a, b, s) }
	case 4: // hsub
		if small {
			return func(_ *core, _, a, b uint64) uint64 { return uint64(int64(s.ext(a)-s.ext(b)) >> 1) }
		}
	case 5:
		return func(c *core, _, a, b uint64) uint64 { return c.subSat(a, b, s) }
	case 6: // cmgt, cmhi
		return func(_ *core, _, a, b uint64) uint64 { return mask(s.less(b, a)) }
	case 7: // cmge, cmhs
		return func(_ *core, _, a, b uint64) uint64 { return mask(!s.less(a, b)) }
	case 8, 9, 10, 11: // shl, qshl, rshl, qrshl
		return func(c *core, _, a, b uint64) uint64 {
			return c.shiftLane(a, int(int8(b)), s, op&2 != 0, op&1 != 0)
		}
	case 12, 13: // max, min
		if small {
			return func(_ *core, _, a, b uint64) uint64 {
				if s.less(a, b) == (op == 12) {
					return b
				}
				return a
			}
		}
	case 14, 15: // abd, aba
		if small {
			return func(_ *core, d, a, b uint64) uint64 {
				if op == 14 {
					d = 0
				}
				if s.less(a, b) {
					return d + s.ext(b) - s.ext(a)
				}
				return d + s.ext(a) - s.ext(b)
			}
		}
	case 16: // add, sub
		if u {
			return func(_ *core, _, a, b uint64) uint64 { return a - b }
		}
		return func(_ *core, _, a, b uint64) uint64 { return a + b }
	case 17: // cmtst, cmeq
		if u {
			return func(_ *core, _, a, b uint64) uint64 { return mask(a == b) }
		}
		return func(_ *core, _, a, b uint64) uint64 { return mask(a&b != 0) }
	case 18: // mla, mls
		if !small {
			return nil
		}
		if u {
			return func(_ *core, d, a, b uint64) uint64 { return d - a*b }
		}
		return func(_ *core, d, a, b uint64) uint64 { return d + a*b }
	case 19: // mul, pmul
		if u && s.elem == 0 {
			return func(_ *core, _, a, b uint64) uint64 { return polynomial(a, b) }
		}
		if !u && small {
			return func(_ *core, _, a, b uint64) uint64 { return a * b }
		}
	case 22: // sqdmulh, sqrdmulh
		if s.elem == 1 || s.elem == 2 {
			s.signed = true
			return doublingHigh(s, u)
		}
	}
	return nil
}

// doublingHigh is the upper half of twice a product.
func doublingHigh(s shape, rounding bool) laneFunc {
	return func(c *core, _, a, b uint64) uint64 {
		p := int64(s.ext(a)) * int64(s.ext(b))
		if rounding {
			p += 1 << (s.bits() - 2)
		}
		return c.saturate(p>>(s.bits()-1), s)
	}
}

// polynomial multiplies bytes without carries.
func polynomial(a, b uint64) uint64 {
	var r uint64
	for n := range 8 {
		r ^= a << n * (b >> n & 1)
	}
	return r
}

// logic is and, bic, orr, orn, eor, bsl, bit and bif, in this order.
func logic(c *core, i *inst) status {
	a, b, d := &c.v[i.rn&31], &c.v[i.rm&31], &c.v[i.rd&31]
	var r vec
	for n := range r {
		x, y := a[n], b[n]
		switch i.sz {
		case 0:
			x &= y
		case 1:
			x &^= y
		case 2:
			x |= y
		case 3:
			x |= ^y
		case 4:
			x ^= y
		case 5:
			x = x&d[n] | y&^d[n]
		case 6:
			x = x&y | d[n]&^y
		case 7:
			x = x&^y | d[n]&y
		}
		r[n] = x
	}
	if i.raw>>30&1 == 0 {
		r[1] = 0
	}
	*d = r
	return next
}

// decodeSameFP is floating-point operations on three registers.
func decodeSameFP(i *inst, full, scalar, u bool, size uint) {
	high := size&2 != 0
	size = 2 + size&1
	if size == double && !full && !scalar {
		return
	}
	s := vectorShape(size, full, scalar)
	two := func(op int) laneFunc {
		return func(_ *core, _, a, b uint64) uint64 { return fp2(op, size, a, b) }
	}
	pick := func(low, high2 int) int {
		if high {
			return high2
		}
		return low
	}
	paired := func(op int) {
		i.call(rounded(pairs(s, func(_ *core, a, b uint64) uint64 { return fp2(op, size, a, b) })))
	}
	var f laneFunc
	switch op := i.raw >> 11 & 31; {
	case op == 24 && !scalar && !u:
		f = two(pick(fpMaxNum, fpMinNum))
	case op == 24 && !scalar:
		paired(pick(fpMaxNum, fpMinNum))
		return
	case op == 25 && !u && !scalar:
		f = fmla(size, high)
	case op == 26 && !u && !scalar:
		f = two(pick(fpAdd, fpSub))
	case op == 26 && u && high:
		f = two(fpABD)
	case op == 26 && u && !scalar:
		paired(fpAdd)
		return
	case op == 27 && !u && !high:
		f = two(fpMulX)
	case op == 27 && u && !high && !scalar:
		f = two(fpMul)
	case op == 28 || op == 29 && u:
		f = compareFunc(size, op == 29, u, high)
	case op == 30 && !scalar && !u:
		f = two(pick(fpMax, fpMin))
	case op == 30 && !scalar:
		paired(pick(fpMax, fpMin))
		return
	case op == 31 && !u:
		f = func(_ *core, _, a, b uint64) uint64 { return fpStep(size, a, b, high) }
	case op == 31 && u && !high && !scalar:
		f = two(fpDiv)
	}
	if f != nil {
		i.call(rounded(lanes3(s, f)))
	}
}

func fmla(size uint, subtract bool) laneFunc {
	return func(_ *core, d, a, b uint64) uint64 {
		if subtract {
			a ^= signBit(size)
		}
		return fma(size, d, a, b)
	}
}

// compareFunc is fcmeq, fcmge, fcmgt, facge and facgt, or nothing.
func compareFunc(size uint, absolute, u, greater bool) laneFunc {
	if !u && greater {
		return nil
	}
	return func(_ *core, _, a, b uint64) uint64 {
		if absolute {
			a, b = a&^signBit(size), b&^signBit(size)
		}
		x, y := float(size, a), float(size, b)
		switch {
		case !u:
			return mask(x == y)
		case greater:
			return mask(x > y)
		}
		return mask(x >= y)
	}
}

// decodeDifferent is operations on three registers of which not all have lanes
// of the same size.
func decodeDifferent(i *inst, full, scalar, u bool, size uint) {
	op := i.raw >> 12 & 15
	if size == 3 {
		if op == 14 && !u && !scalar {
			i.call(pmull64)
		}
		return
	}
	s := shape{elem: size, n: 8 >> size, signed: !u}
	wide := s
	wide.elem++
	if scalar {
		if op != 9 && op != 11 && op != 13 || u || size == 0 {
			return
		}
		s.n = 1
	}
	switch op {
	case 4, 6: // addhn, raddhn, subhn, rsubhn
		half := uint64(0)
		if u {
			half = 1 << (s.bits() - 1)
		}
		i.call(func(c *core, i *inst) status {
			var r vec
			a, b := c.v[i.rn&31], c.v[i.rm&31]
			for e := range s.n {
				x, y := lane(&a, wide.elem, e), lane(&b, wide.elem, e)
				if op == 6 {
					y = -y
				}
				setLane(&r, s.elem, e, (x+y+half)>>s.bits())
			}
			if full {
				r = vec{c.v[i.rd&31][0], r[0]}
			}
			c.v[i.rd&31] = r
			return next
		})
		return
	case 1, 3: // addw, subw
		i.call(func(c *core, i *inst) status {
			var r vec
			a, b := c.v[i.rn&31], vec{c.v[i.rm&31][i.raw>>30&1]}
			for e := range s.n {
				y := s.ext(lane(&b, s.elem, e))
				if op == 3 {
					y = -y
				}
				setLane(&r, wide.elem, e, lane(&a, wide.elem, e)+y)
			}
			c.v[i.rd&31] = r
			return next
		})
		return
	}
	if f := longFunc(op, u, s); f != nil {
		i.call(long(s, full && !scalar, -1, f))
	}
}

// longFunc is the function of an operation whose result is twice as wide.
func longFunc(op uint32, u bool, s shape) laneFunc {
	switch op {
	case 0:
		return func(_ *core, _, a, b uint64) uint64 { return s.ext(a) + s.ext(b) }
	case 2:
		return func(_ *core, _, a, b uint64) uint64 { return s.ext(a) - s.ext(b) }
	case 5, 7: // abal, abdl
		return func(_ *core, d, a, b uint64) uint64 {
			if op == 7 {
				d = 0
			}
			if s.less(a, b) {
				return d + s.ext(b) - s.ext(a)
			}
			return d + s.ext(a) - s.ext(b)
		}
	case 8:
		return func(_ *core, d, a, b uint64) uint64 { return d + s.ext(a)*s.ext(b) }
	case 10:
		return func(_ *core, d, a, b uint64) uint64 { return d - s.ext(a)*s.ext(b) }
	case 12:
		return func(_ *core, _, a, b uint64) uint64 { return s.ext(a) * s.ext(b) }
	case 9, 11, 13: // sqdmlal, sqdmlsl, sqdmull
		if u || s.elem == 0 {
			return nil
		}
		wide := shape{elem: s.elem + 1, signed: true}
		return func(c *core, d, a, b uint64) uint64 {
			p := c.addSat(s.ext(a)*s.ext(b)&wide.limitsMask(), s.ext(a)*s.ext(b)&wide.limitsMask(), wide)
			switch op {
			case 9:
				return c.addSat(d, p&wide.limitsMask(), wide)
			case 11:
				return c.subSat(d, p&wide.limitsMask(), wide)
			}
			return p
		}
	case 14:
		if !u && s.elem == 0 {
			return func(_ *core, _, a, b uint64) uint64 { return polynomial(a, b) }
		}
	}
	return nil
}

// long makes a handler from lanes of rn and rm, of their upper halves with
// upper, to lanes of rd twice as wide. With index, rm is that one lane.
func long(s shape, upper bool, index int, f laneFunc) handler {
	return func(c *core, i *inst) status {
		var r vec
		a, b, d := vec{c.v[i.rn&31][b2u(upper)]}, vec{c.v[i.rm&31][b2u(upper)]}, c.v[i.rd&31]
		var y uint64
		if index >= 0 {
			y = lane(&c.v[i.rm&31], s.elem, index)
		}
		for e := range s.n {
			if index < 0 {
				y = lane(&b, s.elem, e)
			}
			setLane(&r, s.elem+1, e, f(c, lane(&d, s.elem+1, e), lane(&a, s.elem, e), y))
		}
		c.v[i.rd&31] = r
		return next
	}
}

// decodeIndexed is operations with one lane of rm.
func decodeIndexed(i *inst, full, scalar, u bool, size uint) {
	raw := i.raw
	op := raw >> 12 & 15
	h, l, m := raw>>11&1, raw>>21&1, raw>>20&1
	fp := op == 1 || op == 5 || op == 9
	var index int
	switch {
	case fp && size < 2:
		return
	case size == 1:
		index = int(h<<2 | l<<1 | m)
		i.rm &= 15
	case size == 2:
		index = int(h<<1 | l)
	case fp && size == 3 && l == 0:
		index = int(h)
	default:
		return
	}
	if size == 3 && !full && !scalar {
		return
	}
	s := vectorShape(size, full, scalar)
	var f laneFunc
	switch {
	case fp && op == 9 && u:
		f = func(_ *core, _, a, b uint64) uint64 { return fp2(fpMulX, size, a, b) }
	case fp && op == 9:
		f = func(_ *core, _, a, b uint64) uint64 { return fp2(fpMul, size, a, b) }
	case fp && !u:
		f = fmla(size, op == 5)
	case fp:
	case op == 12 && !u, op == 13 && !u:
		s.signed = true
		f = doublingHigh(s, op == 13)
	case op == 8 && !u && !scalar:
		f = sameFunc(19, false, s)
	case (op == 0 || op == 4) && u && !scalar:
		f = sameFunc(18, op == 4, s)
	case op == 2 || op == 6 || op == 10 || op == 3 || op == 7 || op == 11:
		s.signed = !u
		if scalar && (op&1 == 0 || u) {
			return
		}
		s.n = min(s.n, 8>>size)
		code := [...]uint32{2: 8, 3: 9, 6: 10, 7: 11, 10: 12, 11: 13}[op]
		if f := longFunc(code, u, s); f != nil {
			i.call(long(s, full && !scalar, index, f))
		}
		return
	}
	if f == nil {
		return
	}
	h2 := func(c *core, i *inst) status {
		var r vec
		a, d, y := c.v[i.rn&31], c.v[i.rd&31], lane(&c.v[i.rm&31], s.elem, index)
		for e := range s.n {
			setLane(&r, s.elem, e, f(c, lane(&d, s.elem, e), lane(&a, s.elem, e), y))
		}
		c.v[i.rd&31] = r
		return next
	}
	if fp {
		i.call(rounded(h2))
		return
	}
	i.call(h2)
}

// decodeScalarPair is operations on the two lanes of a register.
func decodeScalarPair(i *inst, u bool, size uint) {
	op := i.raw >> 12 & 31
	if op == 27 && !u {
		if size == 3 {
			i.call(func(c *core, i *inst) status {
				a := c.v[i.rn&31]
				c.v[i.rd&31] = vec{a[0] + a[1], 0}
				return next
			})
		}
		return
	}
	if !u {
		return
	}
	high := size&2 != 0
	size = 2 + size&1
	var code int
	switch {
	case op == 12:
		code = fpMaxNum
	case op == 13 && !high:
		code = fpAdd
	case op == 15:
		code = fpMax
	default:
		return
	}
	if high {
		code++
	}
	i.call(rounded(func(c *core, i *inst) status {
		a := c.v[i.rn&31]
		c.v[i.rd&31] = vec{fp2(code, size, lane(&a, size, 0), lane(&a, size, 1)), 0}
		return next
	}))
}

// decodeAcross is operations over all lanes.
func decodeAcross(i *inst, full, u bool, size uint) {
	op := i.raw >> 12 & 31
	s := vectorShape(size, full, false)
	s.signed = !u
	if op == 12 || op == 15 { // fmaxnmv, fmaxv and their kin
		if !u || size&1 != 0 || !full {
			return
		}
		code := fpMaxNum
		if op == 15 {
			code = fpMax
		}
		if size&2 != 0 {
			code++
		}
		i.call(rounded(func(c *core, i *inst) status {
			a := c.v[i.rn&31]
			lo := fp2(code, single, lane(&a, 2, 0), lane(&a, 2, 1))
			hi := fp2(code, single, lane(&a, 2, 2), lane(&a, 2, 3))
			c.v[i.rd&31] = vec{fp2(code, single, lo, hi), 0}
			return next
		}))
		return
	}
	if size == 3 || size == 2 && !full {
		return
	}
	to := s.elem
	var f func(r, v uint64) uint64
	switch {
	case op == 3: // addlv
		to++
		f = func(r, v uint64) uint64 { return r + s.ext(v) }
	case op == 27 && !u: // addv
		f = func(r, v uint64) uint64 { return r + v }
	case op == 10, op == 26: // maxv, minv
		f = func(r, v uint64) uint64 {
			if s.less(r, v) == (op == 10) {
				return v
			}
			return r
		}
	default:
		return
	}
	i.call(func(c *core, i *inst) status {
		a := c.v[i.rn&31]
		r := lane(&a, s.elem, 0)
		if op == 3 {
			r = s.ext(r)
		}
		for e := 1; e < s.n; e++ {
			r = f(r, lane(&a, s.elem, e))
		}
		var v vec
		setLane(&v, to, 0, r)
		c.v[i.rd&31] = v
		return next
	})
}

// leadingZeros counts in a lane.
func (s shape) leadingZeros(v uint64) uint64 {
	return uint64(bits.LeadingZeros64(v)) - 64 + uint64(s.bits())
}
