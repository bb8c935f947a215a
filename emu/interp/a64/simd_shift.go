// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// saturate brings a signed number into a lane, and notes in FPSR.QC if it did not
// fit.
func (c *core) saturate(v int64, s shape) uint64 {
	n := s.bits()
	lo, hi := -int64(1)<<(n-1), int64(1)<<(n-1)-1
	if !s.signed {
		lo, hi = 0, int64(1)<<n-1
		if n == 64 {
			hi = 1<<63 - 1
		}
	}
	switch {
	case v < lo:
		c.fpsr |= flagQC
		return uint64(lo)
	case v > hi:
		c.fpsr |= flagQC
		return uint64(hi)
	}
	return uint64(v)
}

// satU brings an unsigned number into a lane.
func (c *core) satU(v uint64, s shape) uint64 {
	limit := uint64(1)<<s.bits() - 1
	if s.signed {
		limit >>= 1
	}
	if v > limit {
		c.fpsr |= flagQC
		return limit
	}
	return v
}

// limits are the largest and smallest value of a lane.
func (s shape) limits(negative bool) uint64 {
	switch {
	case s.signed && negative:
		return 1 << (s.bits() - 1)
	case s.signed:
		return 1<<(s.bits()-1) - 1
	case negative:
		return 0
	}
	return 1<<s.bits() - 1
}

// addSat and subSat add and subtract lanes with saturation.
func (c *core) addSat(a, b uint64, s shape) uint64 {
	if s.signed {
		x, y := int64(s.ext(a)), int64(s.ext(b))
		r := x + y
		if s.elem < 3 {
			return c.saturate(r, s)
		}
		if (x^r)&(y^r) < 0 {
			c.fpsr |= flagQC
			return s.limits(x < 0)
		}
		return uint64(r)
	}
	r, carry := bits.Add64(a, b, 0)
	if carry != 0 || r > s.limits(false) {
		c.fpsr |= flagQC
		return s.limits(false)
	}
	return r
}

func (c *core) subSat(a, b uint64, s shape) uint64 {
	if s.signed {
		x, y := int64(s.ext(a)), int64(s.ext(b))
		r := x - y
		if s.elem < 3 {
			return c.saturate(r, s)
		}
		if (x^y)&(x^r) < 0 {
			c.fpsr |= flagQC
			return s.limits(x < 0)
		}
		return uint64(r)
	}
	if a < b {
		c.fpsr |= flagQC
		return 0
	}
	return a - b
}

// shiftLane shifts a lane by n bits, left if that is positive.
func (c *core) shiftLane(v uint64, n int, s shape, rounding, saturating bool) uint64 {
	x := s.ext(v)
	if n < 0 {
		return s.shiftRight(x, uint(-n), rounding)
	}
	if !saturating {
		return x << uint(n)
	}
	r := x << uint(n)
	back := s.ext(r & s.limitsMask())
	if s.signed && int64(back)>>min(uint(n), 63) != int64(x) || !s.signed && back>>uint(n) != x || n >= int(s.bits()) && x != 0 {
		c.fpsr |= flagQC
		return s.limits(s.signed && int64(x) < 0)
	}
	return r
}

func (s shape) limitsMask() uint64 { return 1<<s.bits() - 1 }

// shiftRight shifts an extended lane.
func (s shape) shiftRight(x uint64, n uint, rounding bool) uint64 {
	r := x >> n
	if s.signed {
		r = uint64(int64(x) >> n)
	}
	if rounding && n > 0 {
		if s.signed {
			r += uint64(int64(x) >> (n - 1) & 1)
		} else {
			r += x >> (n - 1) & 1
		}
	}
	return r
}

// decodeShift is shifts by an immediate.
func decodeShift(i *inst, full, scalar, u bool) {
	raw := i.raw
	immhb := uint(field(raw, 16, 7))
	elem := uint(bits.Len(immhb>>3) - 1)
	op := raw >> 11 & 31
	width := uint(8) << elem
	right, left := int(2*width-immhb), int(immhb-width)
	s := vectorShape(elem, full, scalar)
	s.signed = !u
	whole := elem == 3 && (scalar || full) || elem < 3 && !scalar
	switch op {
	case 0, 8, 10: // ushr, sri, shl, sli
		if !whole || op == 8 && !u {
			return
		}
		if scalar || op == 0 && !u {
			break
		}
		ones, n := s.limitsMask(), uint(left)
		shift := func(a uint64) uint64 { return a << n }
		if op != 10 {
			n = uint(right)
			shift = func(a uint64) uint64 { return a >> n }
			ones >>= n
		} else {
			ones = ones << n & s.limitsMask()
		}
		reach := replicate(ones, elem, false)[0]
		keep := ^reach
		if op == 0 || op == 10 && !u {
			keep = 0
		}
		i.call(func(c *core, i *inst) status {
			a, d := &c.v[i.rn&31], &c.v[i.rd&31]
			r := vec{d[0]&keep | shift(a[0])&reach}
			if full {
				r[1] = d[1]&keep | shift(a[1])&reach
			}
			*d = r
			return next
		})
		return
	}
	switch op {
	case 0, 2, 4, 6: // shr, sra, rshr, rsra
		if whole {
			i.call(lanes2(s, func(_ *core, d, a uint64) uint64 {
				r := s.shiftRight(s.ext(a), uint(right), op&4 != 0)
				if op&2 != 0 {
					r += d
				}
				return r
			}))
		}
	case 8: // sri
		if whole && u {
			mask := s.limitsMask() >> uint(right)
			i.call(lanes2(s, func(_ *core, d, a uint64) uint64 { return d&^mask | a>>uint(right) }))
		}
	case 10: // shl, sli
		if whole {
			keep := uint64(0)
			if u {
				keep = 1<<uint(left) - 1
			}
			i.call(lanes2(s, func(_ *core, d, a uint64) uint64 { return d&keep | a<<uint(left) }))
		}
	case 12, 14: // sqshlu, sqshl, uqshl
		if op == 12 && !u || !scalar && elem == 3 && !full {
			return
		}
		i.call(lanes2(s, func(c *core, _, a uint64) uint64 {
			if op == 12 {
				if int64(signExtend(a, width)) < 0 {
					c.fpsr |= flagQC
					return 0
				}
			}
			return c.shiftLane(a, left, s, false, true)
		}))
	case 16, 17, 18, 19: // narrowing
		if elem < 3 && (!scalar || op >= 18 || u) {
			decodeNarrow(i, full, scalar, u, op, elem, uint(right))
		}
	case 20: // shll
		if elem < 3 && !scalar {
			s := shape{elem: elem, n: 8 >> elem, signed: !u}
			i.call(func(c *core, i *inst) status {
				var r vec
				from := vec{c.v[i.rn&31][i.raw>>30&1]}
				for e := range s.n {
					setLane(&r, s.elem+1, e, s.ext(lane(&from, s.elem, e))<<uint(left))
				}
				c.v[i.rd&31] = r
				return next
			})
		}
	case 28, 31: // fixed-point conversions
		if elem < 2 || !scalar && elem == 3 && !full {
			return
		}
		if op == 28 {
			i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return fromInt(a, elem, right, elem, !u) })))
		} else {
			i.call(rounded(lanes2(s, func(_ *core, _, a uint64) uint64 { return toInt(elem, a, toZero, right, elem, !u) })))
		}
	}
}

// decodeNarrow is shrn and its kin, to lanes of elem.
func decodeNarrow(i *inst, full, scalar, u bool, op uint32, elem, shift uint) {
	wide := shape{elem: elem + 1, n: 8 >> elem, signed: !u || op < 18}
	if scalar {
		wide.n = 1
	}
	narrow := shape{elem: elem, signed: !u && op >= 18}
	saturating := op >= 18 || u
	i.call(narrowing(wide, full && !scalar, func(c *core, a uint64) uint64 {
		r := wide.shiftRight(wide.ext(a), shift, op&1 != 0)
		switch {
		case !saturating:
			return r
		case wide.signed:
			return c.saturate(int64(r), narrow)
		}
		return c.satU(r, narrow)
	}))
}

// narrowing makes a handler that maps wide lanes of rn to narrow ones in the
// lower half of rd or, with upper, in its upper half.
func narrowing(wide shape, upper bool, f func(c *core, a uint64) uint64) handler {
	return func(c *core, i *inst) status {
		var r vec
		a := c.v[i.rn&31]
		for e := range wide.n {
			setLane(&r, wide.elem-1, e, f(c, lane(&a, wide.elem, e)))
		}
		if upper {
			r = vec{c.v[i.rd&31][0], r[0]}
		}
		c.v[i.rd&31] = r
		return next
	}
}
