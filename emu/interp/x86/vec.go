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

// each8 to each64 make vector operations of lane operations.
func each8(f func(a, b uint8) uint8) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.b(), s.b()
		for i := range x {
			x[i] = f(x[i], y[i])
		}
		return fromB(x)
	}
}

func each16(f func(a, b uint16) uint16) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.w(), s.w()
		for i := range x {
			x[i] = f(x[i], y[i])
		}
		return fromW(x)
	}
}

func each32(f func(a, b uint32) uint32) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.d(), s.d()
		for i := range x {
			x[i] = f(x[i], y[i])
		}
		return fromD(x)
	}
}

func each64(f func(a, b uint64) uint64) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm { return xmm{f(d.lo, s.lo), f(d.hi, s.hi)} }
}

func wide(f func(d, s xmm) xmm) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm { return f(d, s) }
}

func wideImm(f func(d, s xmm, imm uint8) xmm) vecOp {
	return func(_ *core, d, s xmm, imm uint8) xmm { return f(d, s, imm) }
}

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

func low(f func(d, s uint64) xmm) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm { return f(d.lo, s.lo) }
}

func high(f func(d, s uint64) xmm) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm { return f(d.hi, s.hi) }
}

func unpackLow(d, s xmm) xmm  { return xmm{d.lo, s.lo} }
func unpackHigh(d, s xmm) xmm { return xmm{d.hi, s.hi} }

func pack16(f func(int32) uint8) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.w(), s.w()
		var r [16]uint8
		for i := range 8 {
			r[i], r[i+8] = f(ext16(x[i])), f(ext16(y[i]))
		}
		return fromB(r)
	}
}

func pack32(f func(int32) uint16) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.d(), s.d()
		var r [8]uint16
		for i := range 4 {
			r[i], r[i+4] = f(int32(x[i])), f(int32(y[i]))
		}
		return fromW(r)
	}
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

// Shifts of lanes by a count that is the same for all.

func shiftLanes(width uint, f func(v uint64, n uint) uint64, limit uint64) func(d xmm, n uint64) xmm {
	mask := uint64(1)<<width - 1
	if width == 64 {
		mask = 1<<64 - 1
	}
	half := func(v uint64, n uint) (r uint64) {
		for i := uint(0); i < 64; i += width {
			r |= f(v>>i&mask, n) & mask << i
		}
		return r
	}
	return func(d xmm, n uint64) xmm {
		k := uint(min(n, limit))
		return xmm{half(d.lo, k), half(d.hi, k)}
	}
}

func shl(v uint64, n uint) uint64   { return v << n }
func shr(v uint64, n uint) uint64   { return v >> n }
func sar16(v uint64, n uint) uint64 { return uint64(int64(int16(v)) >> n) }
func sar32(v uint64, n uint) uint64 { return uint64(int64(int32(v)) >> n) }

func byXMM(f func(d xmm, n uint64) xmm) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm { return f(d, s.lo) }
}

func byImm(f func(d xmm, n uint64) xmm) vecOp {
	return func(_ *core, d, _ xmm, imm uint8) xmm { return f(d, uint64(imm)) }
}

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
var vecShiftImm = [24]vecOp{
	2: byImm(shiftLanes(16, shr, 64)), 4: byImm(shiftLanes(16, sar16, 63)), 6: byImm(shiftLanes(16, shl, 64)),
	10: byImm(shiftLanes(32, shr, 64)), 12: byImm(shiftLanes(32, sar32, 63)), 14: byImm(shiftLanes(32, shl, 64)),
	18: byImm(shiftLanes(64, shr, 64)), 19: byImm(psrldq), 22: byImm(shiftLanes(64, shl, 64)), 23: byImm(pslldq),
}

// sseRows are the vector instructions of two operands by prefix and opcode.
var sseRows = map[uint16]vecRow{
	0x6660: {vec: low(punpckb)}, 0x6661: {vec: low(punpckw)}, 0x6662: {vec: low(punpckd)},
	0x6663: {vec: pack16(ss8)},
	0x6664: {vec: each8(func(a, b uint8) uint8 { return ones8(int8(a) > int8(b)) })},
	0x6665: {vec: each16(func(a, b uint16) uint16 { return ones16(int16(a) > int16(b)) })},
	0x6666: {vec: each32(func(a, b uint32) uint32 { return ones32(int32(a) > int32(b)) })},
	0x6667: {vec: pack16(us8)},
	0x6668: {vec: high(punpckb)}, 0x6669: {vec: high(punpckw)}, 0x666a: {vec: high(punpckd)},
	0x666b: {vec: pack32(ss16)},
	0x666c: {vec: wide(unpackLow)}, 0x666d: {vec: wide(unpackHigh)},
	0x6670: {vec: wideImm(pshufd), kind: withImm},
	0xf270: {vec: wideImm(pshuflw), kind: withImm}, 0xf370: {vec: wideImm(pshufhw), kind: withImm},
	0x6674: {vec: each8(func(a, b uint8) uint8 { return ones8(a == b) })},
	0x6675: {vec: each16(func(a, b uint16) uint16 { return ones16(a == b) })},
	0x6676: {vec: each32(func(a, b uint32) uint32 { return ones32(a == b) })},
	0x66d1: {vec: byXMM(shiftLanes(16, shr, 64))}, 0x66d2: {vec: byXMM(shiftLanes(32, shr, 64))},
	0x66d3: {vec: byXMM(shiftLanes(64, shr, 64))},
	0x66d4: {vec: each64(func(a, b uint64) uint64 { return a + b })},
	0x66d5: {vec: each16(func(a, b uint16) uint16 { return a * b })},
	0x66d8: {vec: each8(func(a, b uint8) uint8 { return us8(int32(a) - int32(b)) })},
	0x66d9: {vec: each16(func(a, b uint16) uint16 { return us16(int32(a) - int32(b)) })},
	0x66da: {vec: each8(func(a, b uint8) uint8 { return min(a, b) })},
	0x66db: {vec: pand}, 0x66df: {vec: pandn}, 0x66eb: {vec: por}, 0x66ef: {vec: pxor},
	0x66dc: {vec: each8(func(a, b uint8) uint8 { return us8(int32(a) + int32(b)) })},
	0x66dd: {vec: each16(func(a, b uint16) uint16 { return us16(int32(a) + int32(b)) })},
	0x66de: {vec: each8(func(a, b uint8) uint8 { return max(a, b) })},
	0x66e0: {vec: each8(func(a, b uint8) uint8 { return uint8((uint32(a) + uint32(b) + 1) >> 1) })},
	0x66e1: {vec: byXMM(shiftLanes(16, sar16, 63))}, 0x66e2: {vec: byXMM(shiftLanes(32, sar32, 63))},
	0x66e3: {vec: each16(func(a, b uint16) uint16 { return uint16((uint32(a) + uint32(b) + 1) >> 1) })},
	0x66e4: {vec: each16(func(a, b uint16) uint16 { return uint16(uint32(a) * uint32(b) >> 16) })},
	0x66e5: {vec: each16(func(a, b uint16) uint16 { return uint16(ext16(a) * ext16(b) >> 16) })},
	0x66e8: {vec: each8(func(a, b uint8) uint8 { return ss8(ext8(a) - ext8(b)) })},
	0x66e9: {vec: each16(func(a, b uint16) uint16 { return ss16(ext16(a) - ext16(b)) })},
	0x66ea: {vec: each16(func(a, b uint16) uint16 { return uint16(min(int16(a), int16(b))) })},
	0x66ec: {vec: each8(func(a, b uint8) uint8 { return ss8(ext8(a) + ext8(b)) })},
	0x66ed: {vec: each16(func(a, b uint16) uint16 { return ss16(ext16(a) + ext16(b)) })},
	0x66ee: {vec: each16(func(a, b uint16) uint16 { return uint16(max(int16(a), int16(b))) })},
	0x66f1: {vec: byXMM(shiftLanes(16, shl, 64))}, 0x66f2: {vec: byXMM(shiftLanes(32, shl, 64))},
	0x66f3: {vec: byXMM(shiftLanes(64, shl, 64))},
	0x66f4: {vec: each64(func(a, b uint64) uint64 { return a & 0xffffffff * (b & 0xffffffff) })},
	0x66f5: {vec: wide(pmaddwd)}, 0x66f6: {vec: wide(psadbw)},
	0x66f8: {vec: each8(func(a, b uint8) uint8 { return a - b })},
	0x66f9: {vec: each16(func(a, b uint16) uint16 { return a - b })},
	0x66fa: {vec: each32(func(a, b uint32) uint32 { return a - b })},
	0x66fb: {vec: each64(func(a, b uint64) uint64 { return a - b })},
	0x66fc: {vec: each8(func(a, b uint8) uint8 { return a + b })},
	0x66fd: {vec: each16(func(a, b uint16) uint16 { return a + b })},
	0x66fe: {vec: each32(func(a, b uint32) uint32 { return a + b })},

	0x0054: {vec: pand}, 0x6654: {vec: pand}, 0x0055: {vec: pandn}, 0x6655: {vec: pandn},
	0x0056: {vec: por}, 0x6656: {vec: por}, 0x0057: {vec: pxor}, 0x6657: {vec: pxor},
	0x0014: {vec: low(punpckd)}, 0x0015: {vec: high(punpckd)},
	0x6614: {vec: wide(unpackLow)}, 0x6615: {vec: wide(unpackHigh)},
	0x00c6: {vec: wideImm(shufps), kind: withImm}, 0x66c6: {vec: wideImm(shufpd), kind: withImm},

	// SSE3
	0xf212: {vec: wide(func(_, s xmm) xmm { return xmm{s.lo, s.lo} }), kind: src64},
	0xf312: {vec: wide(func(_, s xmm) xmm { d := s.d(); return fromD([4]uint32{d[0], d[0], d[2], d[2]}) })},
	0xf316: {vec: wide(func(_, s xmm) xmm { d := s.d(); return fromD([4]uint32{d[1], d[1], d[3], d[3]}) })},
}
