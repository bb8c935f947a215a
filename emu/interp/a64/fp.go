// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math"

// Floating-point arithmetic on bit patterns. Size is the logarithm of the bytes:
// 2 is single, 3 double. Go's arithmetic rounds to nearest even, as FPCR does
// when it is 0; what a NaN becomes is done here, for hosts differ in that.

const (
	half   = 1
	single = 2
	double = 3

	// fpcrModes are the bits of FPCR that change results; those of trapping are
	// not implemented and read as zero.
	fpcrModes = 0x07c00000
)

// float is the value of a pattern. Any single is a double.
func float(size uint, v uint64) float64 {
	if size == single {
		return float64(math.Float32frombits(uint32(v)))
	}
	return math.Float64frombits(v)
}

func isNaN(size uint, v uint64) bool {
	if size == single {
		return v&0x7fffffff > 0x7f800000
	}
	return v&^(1<<63) > 0x7ff<<52
}

func quietBit(size uint) uint64 {
	if size == single {
		return 1 << 22
	}
	return 1 << 51
}

func defaultNaN(size uint) uint64 {
	if size == single {
		return 0x7fc00000
	}
	return 0x7ff8 << 48
}

func signBit(size uint) uint64 { return 1 << (8<<size - 1) }

func isSignaling(size uint, v uint64) bool { return isNaN(size, v) && v&quietBit(size) == 0 }

// nans is FPProcessNaNs and its kin (J1.1.3): the first signaling NaN, or else the
// first NaN.
func nans(size uint, operands ...uint64) (uint64, bool) {
	for _, v := range operands {
		if isSignaling(size, v) {
			return v | quietBit(size), true
		}
	}
	for _, v := range operands {
		if isNaN(size, v) {
			return v, true
		}
	}
	return 0, false
}

// The operations of fp2, as bits 12 to 15 of the scalar instructions have them.
const (
	fpMul = iota
	fpDiv
	fpAdd
	fpSub
	fpMax
	fpMin
	fpMaxNum
	fpMinNum
	fpNMul
	fpMulX
	fpABD
)

func isZero(size uint, v uint64) bool { return v&^signBit(size) == 0 }

func isInf(size uint, v uint64) bool {
	return v&^signBit(size) == [...]uint64{single: 0x7f800000, double: 0x7ff << 52}[size]
}

// fp2 is an operation of two operands.
func fp2(op int, size uint, a, b uint64) uint64 {
	if op == fpMaxNum || op == fpMinNum {
		switch {
		case isNaN(size, a) && !isSignaling(size, a) && !isNaN(size, b):
			return b
		case isNaN(size, b) && !isSignaling(size, b) && !isNaN(size, a):
			return a
		}
	}
	if r, ok := nans(size, a, b); ok {
		switch op {
		case fpNMul:
			r ^= signBit(size)
		case fpABD:
			r &^= signBit(size)
		}
		return r
	}
	if op == fpMulX && (isZero(size, a) && isInf(size, b) || isInf(size, a) && isZero(size, b)) {
		two := uint64(1) << 62
		if size == single {
			two = 1 << 30
		}
		return (a^b)&signBit(size) | two
	}
	var r uint64
	if size == single {
		r = uint64(math.Float32bits(fpOp(op, math.Float32frombits(uint32(a)), math.Float32frombits(uint32(b)))))
	} else {
		r = math.Float64bits(fpOp(op, math.Float64frombits(a), math.Float64frombits(b)))
	}
	if isNaN(size, r) {
		r = defaultNaN(size)
	}
	switch op {
	case fpNMul:
		r ^= signBit(size)
	case fpABD:
		r &^= signBit(size)
	}
	return r
}

func fpOp[T float32 | float64](op int, a, b T) T {
	switch op {
	case fpDiv:
		return a / b
	case fpAdd:
		return a + b
	case fpSub, fpABD:
		return a - b
	case fpMax, fpMaxNum:
		return max(a, b)
	case fpMin, fpMinNum:
		return min(a, b)
	}
	return T(a * b)
}

// fma is a + n*m, rounded once (FPMulAdd).
func fma(size uint, a, n, m uint64) uint64 {
	if isNaN(size, a) && !isSignaling(size, a) && (isZero(size, n) && isInf(size, m) || isInf(size, n) && isZero(size, m)) {
		return defaultNaN(size)
	}
	if r, ok := nans(size, a, n, m); ok {
		return r
	}
	var r uint64
	if size == double {
		r = math.Float64bits(math.FMA(math.Float64frombits(n), math.Float64frombits(m), math.Float64frombits(a)))
	} else {
		r = uint64(math.Float32bits(fma32(float(single, n), float(single, m), float(single, a))))
	}
	if isNaN(size, r) {
		return defaultNaN(size)
	}
	return r
}

// fma32 rounds the sum to odd, which the second rounding then cannot spoil. The
// product of two singles is exact in a double.
func fma32(n, m, a float64) float32 {
	p := float64(n * m)
	sum := float64(p + a)
	if math.IsInf(sum, 0) || math.IsNaN(sum) || sum == 0 {
		return float32(sum)
	}
	// The error of the sum (Knuth).
	t := float64(sum - p)
	lost := float64(p-float64(sum-t)) + float64(a-t)
	if b := math.Float64bits(sum); lost != 0 && b&1 == 0 {
		if (lost > 0) == (sum > 0) {
			b++
		} else {
			b--
		}
		sum = math.Float64frombits(b)
	}
	return float32(sum)
}

func fsqrt(size uint, v uint64) uint64 {
	if r, ok := nans(size, v); ok {
		return r
	}
	var r uint64
	if size == single {
		r = uint64(math.Float32bits(float32(math.Sqrt(float(single, v)))))
	} else {
		r = math.Float64bits(math.Sqrt(float(double, v)))
	}
	if isNaN(size, r) {
		return defaultNaN(size)
	}
	return r
}

// Rounding modes, the first four as in FPCR.
const (
	toEven = iota
	toPlus
	toMinus
	toZero
	toAway
)

func round(v float64, mode int) float64 {
	switch mode {
	case toPlus:
		return math.Ceil(v)
	case toMinus:
		return math.Floor(v)
	case toZero:
		return math.Trunc(v)
	case toAway:
		return math.Round(v)
	}
	return math.RoundToEven(v)
}

func frint(size uint, v uint64, mode int) uint64 {
	if r, ok := nans(size, v); ok {
		return r
	}
	r := round(float(size, v), mode)
	if size == single {
		return uint64(math.Float32bits(float32(r)))
	}
	return math.Float64bits(r)
}

// toInt is FPToFixed: to an integer of 8<<to bits, saturated.
func toInt(size uint, v uint64, mode, fraction int, to uint, signed bool) uint64 {
	if isNaN(size, v) {
		return 0
	}
	r := round(math.Ldexp(float(size, v), fraction), mode)
	n := uint(8) << to
	switch {
	case signed && r >= math.Ldexp(1, int(n)-1):
		return 1<<(n-1) - 1
	case signed && r < -math.Ldexp(1, int(n)-1):
		return 1 << (n - 1)
	case signed:
		return uint64(int64(r)) & (1<<n - 1)
	case r >= math.Ldexp(1, int(n)):
		return 1<<n - 1
	case r <= 0:
		return 0
	case r >= 1<<63:
		return uint64(int64(r-1<<63)) | 1<<63
	}
	return uint64(int64(r))
}

// fromInt is FixedToFP, from an integer of 8<<from bits.
func fromInt(v uint64, from uint, fraction int, size uint, signed bool) uint64 {
	if signed {
		v = signExtend(v, 8<<from)
	}
	if size == single {
		f := float32(v)
		if signed {
			f = float32(int64(v))
		}
		return uint64(math.Float32bits(float32(math.Ldexp(float64(f), -fraction))))
	}
	f := float64(v)
	if signed {
		f = float64(int64(v))
	}
	return math.Float64bits(math.Ldexp(f, -fraction))
}

// convert is FPConvert between any two sizes.
func convert(from, to uint, v uint64) uint64 {
	exp := [...]uint{half: 5, single: 8, double: 11}
	frac := [...]uint{half: 10, single: 23, double: 52}
	sign := v >> (8<<from - 1) & 1
	e := v >> frac[from] & (1<<exp[from] - 1)
	f := v & (1<<frac[from] - 1)
	if e == 1<<exp[from]-1 && f != 0 {
		f = f << (52 - frac[from]) >> (52 - frac[to])
		return sign<<(8<<to-1) | (1<<exp[to]-1)<<frac[to] | 1<<(frac[to]-1) | f
	}
	var d float64
	if from == half {
		switch e {
		case 0:
			d = math.Ldexp(float64(f), -24)
		case 31:
			d = math.Inf(1)
		default:
			d = math.Ldexp(float64(f|1<<10), int(e)-25)
		}
		if sign != 0 {
			d = -d
		}
	} else {
		d = float(from, v)
	}
	switch to {
	case single:
		return uint64(math.Float32bits(float32(d)))
	case double:
		return math.Float64bits(d)
	}
	return sign<<15 | toHalf(math.Abs(d))
}

// toHalf rounds a positive number to half precision.
func toHalf(d float64) uint64 {
	if d >= 65520 {
		return 31 << 10
	}
	if d < 1.0/(1<<14) {
		return uint64(math.RoundToEven(math.Ldexp(d, 24))) // a denormal, or the smallest normal
	}
	m, e := math.Frexp(d)                            // m in [1/2, 1)
	r := uint64(math.RoundToEven(math.Ldexp(m, 11))) // 1<<10 to 1<<11
	return r - 1<<10 + uint64(e+14)<<10
}

// compare is FPCompare, as flags.
func compare(size uint, a, b uint64) uint64 {
	x, y := float(size, a), float(size, b)
	switch {
	case x == y:
		return 6 << 28
	case x < y:
		return 8 << 28
	case x > y:
		return 2 << 28
	}
	return 3 << 28
}

// expandImm is VFPExpandImm.
func expandImm(size uint, imm uint64) uint64 {
	sign, b, rest := imm>>7&1, imm>>6&1, imm&0x3f
	if size == single {
		return sign<<31 | (b^1)<<30 | b*0x1f<<25 | rest<<19
	}
	return sign<<63 | (b^1)<<62 | b*0xff<<54 | rest<<48
}
