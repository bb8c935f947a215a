// SPDX-License-Identifier: BSD-3-Clause

package x86

// Lanes of a vector.

func (v xmm) b() (b [16]uint8) {
	le.PutUint64(b[:], v.lo)
	le.PutUint64(b[8:], v.hi)
	return b
}

func fromB(b [16]uint8) xmm { return xmm{le.Uint64(b[:]), le.Uint64(b[8:])} }

func (v xmm) w() (w [8]uint16) {
	for i := range 4 {
		w[i], w[i+4] = uint16(v.lo>>(16*i)), uint16(v.hi>>(16*i))
	}
	return w
}

func fromW(w [8]uint16) (v xmm) {
	for i := range 4 {
		v.lo |= uint64(w[i]) << (16 * i)
		v.hi |= uint64(w[i+4]) << (16 * i)
	}
	return v
}

func (v xmm) d() [4]uint32 {
	return [4]uint32{uint32(v.lo), uint32(v.lo >> 32), uint32(v.hi), uint32(v.hi >> 32)}
}

func fromD(d [4]uint32) xmm {
	return xmm{uint64(d[0]) | uint64(d[1])<<32, uint64(d[2]) | uint64(d[3])<<32}
}

// vector is what an instruction makes of vectors: an operation, or one on their
// lanes.
type vector interface {
	do(c *core, d, s xmm, imm uint8) xmm
}

func (f vecOp) do(c *core, d, s xmm, imm uint8) xmm { return f(c, d, s, imm) }

// Operations on lanes of 8 to 64 bits.
type (
	each8  func(a, b uint8) uint8
	each16 func(a, b uint16) uint16
	each32 func(a, b uint32) uint32
	each64 func(a, b uint64) uint64
)

func (f each8) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.b(), s.b()
	for i := range x {
		x[i] = f(x[i], y[i])
	}
	return fromB(x)
}

func (f each16) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.w(), s.w()
	for i := range x {
		x[i] = f(x[i], y[i])
	}
	return fromW(x)
}

func (f each32) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	for i := range x {
		x[i] = f(x[i], y[i])
	}
	return fromD(x)
}

func (f each64) do(_ *core, d, s xmm, _ uint8) xmm { return xmm{f(d.lo, s.lo), f(d.hi, s.hi)} }

// Operations on whole vectors.
type (
	wide    func(d, s xmm) xmm
	wideImm func(d, s xmm, imm uint8) xmm
	low     func(d, s uint64) xmm // on the lower halves
	high    func(d, s uint64) xmm
)

func (f wide) do(_ *core, d, s xmm, _ uint8) xmm      { return f(d, s) }
func (f wideImm) do(_ *core, d, s xmm, imm uint8) xmm { return f(d, s, imm) }
func (f low) do(_ *core, d, s xmm, _ uint8) xmm       { return f(d.lo, s.lo) }
func (f high) do(_ *core, d, s xmm, _ uint8) xmm      { return f(d.hi, s.hi) }

func clamp[T int32 | int64](v, lo, hi T) T { return max(lo, min(v, hi)) }

func ss8(v int32) uint8    { return uint8(clamp(v, -128, 127)) }
func us8(v int32) uint8    { return uint8(clamp(v, 0, 255)) }
func ss16(v int32) uint16  { return uint16(clamp(v, -32768, 32767)) }
func us16(v int32) uint16  { return uint16(clamp(v, 0, 65535)) }
func ext8(v uint8) int32   { return int32(int8(v)) }
func ext16(v uint16) int32 { return int32(int16(v)) }

func ones8(b bool) uint8   { return -uint8(b2u(b)) }
func ones16(b bool) uint16 { return -uint16(b2u(b)) }
func ones32(b bool) uint32 { return -uint32(b2u(b)) }

func pxor(_ *core, d, s xmm, _ uint8) xmm  { return xmm{d.lo ^ s.lo, d.hi ^ s.hi} }
func por(_ *core, d, s xmm, _ uint8) xmm   { return xmm{d.lo | s.lo, d.hi | s.hi} }
func pand(_ *core, d, s xmm, _ uint8) xmm  { return xmm{d.lo & s.lo, d.hi & s.hi} }
func pandn(_ *core, d, s xmm, _ uint8) xmm { return xmm{^d.lo & s.lo, ^d.hi & s.hi} }

func punpckb(d, s uint64) xmm {
	var r [16]uint8
	for i := range 8 {
		r[2*i], r[2*i+1] = uint8(d>>(8*i)), uint8(s>>(8*i))
	}
	return fromB(r)
}

func punpckw(d, s uint64) xmm {
	var r [8]uint16
	for i := range 4 {
		r[2*i], r[2*i+1] = uint16(d>>(16*i)), uint16(s>>(16*i))
	}
	return fromW(r)
}

func punpckd(d, s uint64) xmm {
	return xmm{d&0xffffffff | s<<32, d>>32 | s>>32<<32}
}

func unpackLow(d, s xmm) xmm  { return xmm{d.lo, s.lo} }
func unpackHigh(d, s xmm) xmm { return xmm{d.hi, s.hi} }

// pack16 and pack32 make lanes of half the size.
type (
	pack16 func(int32) uint8
	pack32 func(int32) uint16
)

func (f pack16) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.w(), s.w()
	var r [16]uint8
	for i := range 8 {
		r[i], r[i+8] = f(ext16(x[i])), f(ext16(y[i]))
	}
	return fromB(r)
}

func (f pack32) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	var r [8]uint16
	for i := range 4 {
		r[i], r[i+4] = f(int32(x[i])), f(int32(y[i]))
	}
	return fromW(r)
}

func pshufd(_, s xmm, imm uint8) xmm {
	x := s.d()
	return fromD([4]uint32{x[imm&3], x[imm>>2&3], x[imm>>4&3], x[imm>>6]})
}

func shuffle4(v uint64, imm uint8) (r uint64) {
	for i := range 4 {
		r |= v >> (16 * (imm >> (2 * i) & 3)) & 0xffff << (16 * i)
	}
	return r
}

func pshuflw(_, s xmm, imm uint8) xmm { return xmm{shuffle4(s.lo, imm), s.hi} }
func pshufhw(_, s xmm, imm uint8) xmm { return xmm{s.lo, shuffle4(s.hi, imm)} }

func shufps(d, s xmm, imm uint8) xmm {
	x, y := d.d(), s.d()
	return fromD([4]uint32{x[imm&3], x[imm>>2&3], y[imm>>4&3], y[imm>>6]})
}

func shufpd(d, s xmm, imm uint8) xmm {
	r := xmm{d.lo, s.lo}
	if imm&1 != 0 {
		r.lo = d.hi
	}
	if imm&2 != 0 {
		r.hi = s.hi
	}
	return r
}

func pmaddwd(d, s xmm) xmm {
	x, y := d.w(), s.w()
	var r [4]uint32
	for i := range r {
		r[i] = uint32(ext16(x[2*i])*ext16(y[2*i])) + uint32(ext16(x[2*i+1])*ext16(y[2*i+1]))
	}
	return fromD(r)
}

func psadbw(d, s xmm) xmm {
	x, y := d.b(), s.b()
	var r [2]uint64
	for i := range x {
		r[i/8] += uint64(max(x[i], y[i]) - min(x[i], y[i]))
	}
	return xmm{r[0], r[1]}
}

// Shifts of lanes by a count that is the same for all, of limit at most; it is in
// the source or the immediate.
type (
	laneShift struct {
		width uint
		f     func(v uint64, n uint) uint64
		limit uint64
	}
	byXMM laneShift
	byImm laneShift
)

func (f byXMM) do(_ *core, d, s xmm, _ uint8) xmm   { return laneShift(f).shift(d, s.lo) }
func (f byImm) do(_ *core, d, _ xmm, imm uint8) xmm { return laneShift(f).shift(d, uint64(imm)) }

func (f laneShift) shift(d xmm, n uint64) xmm {
	mask := uint64(1)<<f.width - 1
	half := func(v uint64) (r uint64) {
		for i := uint(0); i < 64; i += f.width {
			r |= f.f(v>>i&mask, uint(min(n, f.limit))) & mask << i
		}
		return r
	}
	return xmm{half(d.lo), half(d.hi)}
}

func shl(v uint64, n uint) uint64   { return v << n }
func shr(v uint64, n uint) uint64   { return v >> n }
func sar16(v uint64, n uint) uint64 { return uint64(int64(int16(v)) >> n) }
func sar32(v uint64, n uint) uint64 { return uint64(int64(int32(v)) >> n) }

// wholeImm are shifts of the whole vector by bytes.
type wholeImm func(d xmm, n uint64) xmm

func (f wholeImm) do(_ *core, d, _ xmm, imm uint8) xmm { return f(d, uint64(imm)) }

func psrldq(d xmm, n uint64) xmm {
	switch n *= 8; {
	case n >= 64:
		return xmm{lo: d.hi >> (n - 64)}
	case n == 0:
		return d
	}
	return xmm{d.lo>>n | d.hi<<(64-n), d.hi >> n}
}

func pslldq(d xmm, n uint64) xmm {
	switch n *= 8; {
	case n >= 64:
		return xmm{hi: d.lo << (n - 64)}
	case n == 0:
		return d
	}
	return xmm{d.lo << n, d.hi<<n | d.lo>>(64-n)}
}

// vecShiftImm are the groups 12 to 14 (SDM volume 2, table A-6).
var vecShiftImm = [24]vector{
	2: byImm{16, shr, 64}, 4: byImm{16, sar16, 63}, 6: byImm{16, shl, 64},
	10: byImm{32, shr, 64}, 12: byImm{32, sar32, 63}, 14: byImm{32, shl, 64},
	18: byImm{64, shr, 64}, 19: wholeImm(psrldq), 22: byImm{64, shl, 64}, 23: wholeImm(pslldq),
}

// sseRows are the vector instructions of two operands by prefix and opcode.
var sseRows = vecRows{
	{0x6660, 0, low(punpckb)}, {0x6661, 0, low(punpckw)}, {0x6662, 0, low(punpckd)},
	{0x6663, 0, pack16(ss8)},
	{0x6664, 0, each8(func(a, b uint8) uint8 { return ones8(int8(a) > int8(b)) })},
	{0x6665, 0, each16(func(a, b uint16) uint16 { return ones16(int16(a) > int16(b)) })},
	{0x6666, 0, each32(func(a, b uint32) uint32 { return ones32(int32(a) > int32(b)) })},
	{0x6667, 0, pack16(us8)},
	{0x6668, 0, high(punpckb)}, {0x6669, 0, high(punpckw)}, {0x666a, 0, high(punpckd)},
	{0x666b, 0, pack32(ss16)},
	{0x666c, 0, wide(unpackLow)}, {0x666d, 0, wide(unpackHigh)},
	{0x6670, withImm, wideImm(pshufd)},
	{0xf270, withImm, wideImm(pshuflw)}, {0xf370, withImm, wideImm(pshufhw)},
	{0x6674, 0, each8(func(a, b uint8) uint8 { return ones8(a == b) })},
	{0x6675, 0, each16(func(a, b uint16) uint16 { return ones16(a == b) })},
	{0x6676, 0, each32(func(a, b uint32) uint32 { return ones32(a == b) })},
	{0x66d1, 0, byXMM{16, shr, 64}}, {0x66d2, 0, byXMM{32, shr, 64}},
	{0x66d3, 0, byXMM{64, shr, 64}},
	{0x66d4, 0, each64(func(a, b uint64) uint64 { return a + b })},
	{0x66d5, 0, each16(func(a, b uint16) uint16 { return a * b })},
	{0x66d8, 0, each8(func(a, b uint8) uint8 { return us8(int32(a) - int32(b)) })},
	{0x66d9, 0, each16(func(a, b uint16) uint16 { return us16(int32(a) - int32(b)) })},
	{0x66da, 0, each8(func(a, b uint8) uint8 { return min(a, b) })},
	{0x66db, 0, vecOp(pand)}, {0x66df, 0, vecOp(pandn)}, {0x66eb, 0, vecOp(por)}, {0x66ef, 0, vecOp(pxor)},
	{0x66dc, 0, each8(func(a, b uint8) uint8 { return us8(int32(a) + int32(b)) })},
	{0x66dd, 0, each16(func(a, b uint16) uint16 { return us16(int32(a) + int32(b)) })},
	{0x66de, 0, each8(func(a, b uint8) uint8 { return max(a, b) })},
	{0x66e0, 0, each8(func(a, b uint8) uint8 { return uint8((uint32(a) + uint32(b) + 1) >> 1) })},
	{0x66e1, 0, byXMM{16, sar16, 63}}, {0x66e2, 0, byXMM{32, sar32, 63}},
	{0x66e3, 0, each16(func(a, b uint16) uint16 { return uint16((uint32(a) + uint32(b) + 1) >> 1) })},
	{0x66e4, 0, each16(func(a, b uint16) uint16 { return uint16(uint32(a) * uint32(b) >> 16) })},
	{0x66e5, 0, each16(func(a, b uint16) uint16 { return uint16(ext16(a) * ext16(b) >> 16) })},
	{0x66e8, 0, each8(func(a, b uint8) uint8 { return ss8(ext8(a) - ext8(b)) })},
	{0x66e9, 0, each16(func(a, b uint16) uint16 { return ss16(ext16(a) - ext16(b)) })},
	{0x66ea, 0, each16(func(a, b uint16) uint16 { return uint16(min(int16(a), int16(b))) })},
	{0x66ec, 0, each8(func(a, b uint8) uint8 { return ss8(ext8(a) + ext8(b)) })},
	{0x66ed, 0, each16(func(a, b uint16) uint16 { return ss16(ext16(a) + ext16(b)) })},
	{0x66ee, 0, each16(func(a, b uint16) uint16 { return uint16(max(int16(a), int16(b))) })},
	{0x66f1, 0, byXMM{16, shl, 64}}, {0x66f2, 0, byXMM{32, shl, 64}},
	{0x66f3, 0, byXMM{64, shl, 64}},
	{0x66f4, 0, each64(func(a, b uint64) uint64 { return a & 0xffffffff * (b & 0xffffffff) })},
	{0x66f5, 0, wide(pmaddwd)}, {0x66f6, 0, wide(psadbw)},
	{0x66f8, 0, each8(func(a, b uint8) uint8 { return a - b })},
	{0x66f9, 0, each16(func(a, b uint16) uint16 { return a - b })},
	{0x66fa, 0, each32(func(a, b uint32) uint32 { return a - b })},
	{0x66fb, 0, each64(func(a, b uint64) uint64 { return a - b })},
	{0x66fc, 0, each8(func(a, b uint8) uint8 { return a + b })},
	{0x66fd, 0, each16(func(a, b uint16) uint16 { return a + b })},
	{0x66fe, 0, each32(func(a, b uint32) uint32 { return a + b })},

	{0x0054, 0, vecOp(pand)}, {0x6654, 0, vecOp(pand)}, {0x0055, 0, vecOp(pandn)}, {0x6655, 0, vecOp(pandn)},
	{0x0056, 0, vecOp(por)}, {0x6656, 0, vecOp(por)}, {0x0057, 0, vecOp(pxor)}, {0x6657, 0, vecOp(pxor)},
	{0x0014, 0, low(punpckd)}, {0x0015, 0, high(punpckd)},
	{0x6614, 0, wide(unpackLow)}, {0x6615, 0, wide(unpackHigh)},
	{0x00c6, withImm, wideImm(shufps)}, {0x66c6, withImm, wideImm(shufpd)},

	// SSE3
	{0xf212, src64, wide(func(_, s xmm) xmm { return xmm{s.lo, s.lo} })},
	{0xf312, 0, wide(func(_, s xmm) xmm { d := s.d(); return fromD([4]uint32{d[0], d[0], d[2], d[2]}) })},
	{0xf316, 0, wide(func(_, s xmm) xmm { d := s.d(); return fromD([4]uint32{d[1], d[1], d[3], d[3]}) })},
}
