// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// decodeMisc is operations on one register.
func decodeMisc(i *inst, full, scalar, u bool, size uint) {
	op := i.raw >> 12 & 31
	s := vectorShape(size, full, scalar)
	s.signed = !u
	switch {
	case op >= 12 && op <= 15 || op >= 22:
		decodeMiscFP(i, full, scalar, u, size, op)
	case op < 2:
		i.sz, i.sh = uint8(size), 3
		switch {
		case op == 1:
			i.sh = 1
		case u:
			i.sh = 2
		}
		if !scalar && i.sz < i.sh && !(op == 1 && u) {
			i.call(rev)
		}
	case op == 18 || op == 20:
		decodeXtn(i, full, scalar, u, size, op)
	case op == 19 && u && !scalar && size < 3: // shll
		s := shape{elem: size, n: 8 >> size}
		i.call(long(s, full, -1, func(_ *core, _, a, _ uint64) uint64 { return a << s.bits() }))
	case op == 2 || op == 6: // addlp, adalp
		if size < 3 && !scalar {
			i.call(addLongPairs(s, op == 6))
		}
	case scalar && (op < 3 || op == 4 || op == 5 || op >= 8 && op <= 11 && size != 3):
	case size == 3 && !full && !scalar:
	default:
		if f := miscFunc(op, u, s, size); f != nil {
			i.call(lanes2(s, f))
		} else if op == 5 && u && size < 2 {
			i.sz = uint8(size)
			i.call(notOrRbit)
		}
	}
}

func miscFunc(op uint32, u bool, s shape, size uint) func(c *core, d, a uint64) uint64 {
	signed := s
	signed.signed = true
	zero := func(f func(v int64) bool) func(c *core, d, a uint64) uint64 {
		return func(_ *core, _, a uint64) uint64 { return mask(f(int64(signed.ext(a)))) }
	}
	switch op {
	case 3: // suqadd, usqadd
		return func(c *core, d, a uint64) uint64 { return c.mixedAdd(d, a, s) }
	case 4: // cls, clz
		switch {
		case size == 3:
		case u:
			return func(_ *core, _, a uint64) uint64 { return s.leadingZeros(a) }
		default:
			return func(_ *core, _, a uint64) uint64 {
				v := s.ext(a)
				return s.leadingZeros((v^uint64(int64(v)>>1))&s.limitsMask()) - 1
			}
		}
	case 5: // cnt
		if !u && size == 0 {
			return func(_ *core, _, a uint64) uint64 { return uint64(bits.OnesCount64(a)) }
		}
	case 7: // sqabs, sqneg
		return func(c *core, _, a uint64) uint64 {
			if !u && int64(s.ext(a)) >= 0 {
				return a
			}
			return c.subSat(0, a, signed)
		}
	case 8: // cmgt, cmge
		if u {
			return zero(func(v int64) bool { return v >= 0 })
		}
		return zero(func(v int64) bool { return v > 0 })
	case 9: // cmeq, cmle
		if u {
			return zero(func(v int64) bool { return v <= 0 })
		}
		return zero(func(v int64) bool { return v == 0 })
	case 10: // cmlt
		if !u {
			return zero(func(v int64) bool { return v < 0 })
		}
	case 11: // abs, neg
		return func(_ *core, _, a uint64) uint64 {
			if !u && int64(s.ext(a)) >= 0 {
				return a
			}
			return -a
		}
	}
	return nil
}

// mixedAdd adds an unsigned number to a signed lane, or the other way round.
func (c *core) mixedAdd(d, a uint64, s shape) uint64 {
	if s.signed { // suqadd
		x := int64(s.ext(d))
		if room := s.limits(false) - uint64(x); a > room { // modulo 1<<64, and exact
			c.fpsr |= flagQC
			return s.limits(false)
		}
		return uint64(x) + a
	}
	y := signExtend(a, s.bits())
	r := d + y
	switch {
	case int64(y) < 0 && d < -y:
		c.fpsr |= flagQC
		return 0
	case int64(y) >= 0 && (r > s.limits(false) || r < d):
		c.fpsr |= flagQC
		return s.limits(false)
	}
	return r
}

func notOrRbit(c *core, i *inst) status {
	v := c.v[i.rn&31]
	for n := range v {
		if i.sz == 0 {
			v[n] = ^v[n]
		} else {
			v[n] = bits.ReverseBytes64(bits.Reverse64(v[n]))
		}
	}
	if i.raw>>30&1 == 0 {
		v[1] = 0
	}
	c.v[i.rd&31] = v
	return next
}

// rev reverses lanes of 1<<sz bytes in containers of 1<<sh.
func rev(c *core, i *inst) status {
	var r vec
	a := c.v[i.rn&31]
	flip := 1<<(i.sh-i.sz) - 1
	for e := range 8 << (i.raw >> 30 & 1) >> i.sz {
		setLane(&r, uint(i.sz), e, lane(&a, uint(i.sz), e^flip))
	}
	c.v[i.rd&31] = r
	return next
}

func addLongPairs(s shape, accumulate bool) handler {
	return func(c *core, i *inst) status {
		var r vec
		a, d := c.v[i.rn&31], c.v[i.rd&31]
		for e := range s.n / 2 {
			sum := s.ext(lane(&a, s.elem, 2*e)) + s.ext(lane(&a, s.elem, 2*e+1))
			if accumulate {
				sum += lane(&d, s.elem+1, e)
			}
			setLane(&r, s.elem+1, e, sum)
		}
		c.v[i.rd&31] = r
		return next
	}
}

// decodeXtn is xtn, sqxtn, sqxtun and uqxtn.
func decodeXtn(i *inst, full, scalar, u bool, size uint, op uint32) {
	if size == 3 || scalar && op == 18 && !u {
		return
	}
	wide := shape{elem: size + 1, n: 8 >> size, signed: !u || op == 18}
	if scalar {
		wide.n = 1
	}
	narrow := shape{elem: size, signed: !u}
	i.call(narrowing(wide, full && !scalar, func(c *core, a uint64) uint64 {
		switch {
		case op == 18 && !u:
			return a
		case wide.signed:
			return c.saturate(int64(wide.ext(a)), narrow)
		}
		return c.satU(a, narrow)
	}))
}

// decodeMiscFP is floating-point operations on one register.
func decodeMiscFP(i *inst, full, scalar, u bool, size uint, op uint32) {
	high := size&2 != 0
	size = 2 + size&1
	if op == 22 || op == 23 {
		decodeFPWidth(i, full, scalar, u, high, size, op)
		return
	}
	if size == double && !full && !scalar {
		return
	}
	s := vectorShape(size, full, scalar)
	one := func(f func(c *core, a uint64) uint64) {
		i.call(lanes2(s, func(c *core, _, a uint64) uint64 { return f(c, a) }))
	}
	toInteger := func(mode int) {
		h := lanes2(s, func(_ *core, _, a uint64) uint64 { return toInt(size, a, mode, 0, size, !u) })
		i.call(rounded(h))
	}
	rint := func(mode int) {
		if scalar {
			return
		}
		i.call(func(c *core, i *inst) status {
			if !c.plain() {
				return undefined(c, i)
			}
			m := mode
			if m < 0 {
				m = c.mode()
			}
			return lanes2(s, func(_ *core, _, a uint64) uint64 { return frint(size, a, m) })(c, i)
		})
	}
	const current = -1
	switch {
	case op >= 12 && op <= 14 && high: // comparisons with 0
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 {
			v := float(size, a)
			switch {
			case op == 12 && !u:
				return mask(v > 0)
			case op == 12:
				return mask(v >= 0)
			case op == 13 && !u:
				return mask(v == 0)
			case op == 13:
				return mask(v <= 0)
			}
			return mask(v < 0)
		})))
		if op == 14 && u {
			i.call(undefined)
		}
	case op == 15 && high && !scalar && !u:
		one(func(_ *core, a uint64) uint64 { return a &^ signBit(size) })
	case op == 15 && high && !scalar:
		one(func(_ *core, a uint64) uint64 { return a ^ signBit(size) })
	case op == 24 && u && !high:
		rint(toAway)
	case op == 24 && !u && !high:
		rint(toEven)
	case op == 24 && !u:
		rint(toPlus)
	case op == 25 && !u && !high:
		rint(toMinus)
	case op == 25 && !u:
		rint(toZero)
	case op == 25:
		rint(current)
	case op == 26 && !high:
		toInteger(toEven)
	case op == 26:
		toInteger(toPlus)
	case op == 27 && !high:
		toInteger(toMinus)
	case op == 27:
		toInteger(toZero)
	case op == 28 && !high:
		toInteger(toAway)
	case op == 28 && size == single && !scalar && !u:
		one(func(_ *core, a uint64) uint64 { return urecpe(a) })
	case op == 28 && size == single && !scalar:
		one(func(_ *core, a uint64) uint64 { return ursqrte(a) })
	case op == 29 && high && !u:
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return frecpe(size, a) })))
	case op == 29 && high:
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return frsqrte(size, a) })))
	case op == 31 && high && !u && scalar:
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return frecpx(size, a) })))
	case op == 29 && !high:
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return fromInt(a, size, 0, size, !u) })))
	case op == 31 && high && u && !scalar:
		i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return fsqrt(size, a) })))
	}
}

// decodeFPWidth is fcvtn, fcvtxn and fcvtl.
func decodeFPWidth(i *inst, full, scalar, u, high bool, to uint, op uint32) {
	if u && !high && to == double && op == 22 {
		wide := shape{elem: double, n: 2}
		if scalar {
			wide.n, full = 1, false
		}
		i.call(rounded(narrowing(wide, full, func(_ *core, a uint64) uint64 { return fcvtxn(a) })))
		return
	}
	if u || high || scalar {
		return
	}
	from := to - 1 // sizes of the narrow and the wide lanes
	s := shape{elem: from, n: 8 >> from}
	if op == 23 {
		i.call(rounded(long(s, full, -1, func(_ *core, _, a, _ uint64) uint64 { return convert(from, to, a) })))
		return
	}
	wide := shape{elem: to, n: 8 >> from}
	i.call(rounded(narrowing(wide, full, func(_ *core, a uint64) uint64 { return convert(to, from, a) })))
}
