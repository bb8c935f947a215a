// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math"

// Estimates of reciprocals and of reciprocal square roots, and the steps that
// make them better (J1.1.3).

// recipEstimate is RecipEstimate: of a from 256 on to 511, in eighths of a bit.
func recipEstimate(a uint64) uint64 { return ((1<<19)/(2*a+1) + 1) / 2 }

// recipSqrtEstimate is RecipSqrtEstimate: of a from 128 on to 511.
func recipSqrtEstimate(a uint64) uint64 {
	if a < 256 {
		a = 2*a + 1
	} else {
		a = (a&^1 + 1) * 2
	}
	b := uint64(512)
	for a*(b+1)*(b+1) < 1<<28 {
		b++
	}
	return (b + 1) / 2
}

// urecpe is UnsignedRecipEstimate, ursqrte UnsignedRSqrtEstimate.
func urecpe(a uint64) uint64 {
	if a>>31 == 0 {
		return 1<<32 - 1
	}
	return recipEstimate(a>>23) << 23
}

func ursqrte(a uint64) uint64 {
	if a>>30 == 0 {
		return 1<<32 - 1
	}
	return recipSqrtEstimate(a>>23) << 23
}

// layout is the bits of exponent and fraction.
func layout(size uint) (exponent, fraction uint) {
	if size == single {
		return 8, 23
	}
	return 11, 52
}

// frecpe is FPRecipEstimate.
func frecpe(size uint, v uint64) uint64 {
	if r, ok := nans(size, v); ok {
		return r
	}
	ebits, fbits := layout(size)
	sign, top := v&signBit(size), uint64(1)<<ebits-1
	switch {
	case isInf(size, v):
		return sign
	case v&^sign < 1<<(fbits-2): // its reciprocal is too large
		return sign | top<<fbits
	}
	exp, frac := int(v>>fbits&top), v<<(52-fbits)&(1<<52-1)
	if exp == 0 {
		if frac>>51 == 0 {
			exp--
			frac <<= 1
		}
		frac = frac << 1 & (1<<52 - 1)
	}
	frac = recipEstimate(1<<8|frac>>44) & 0xff << 44
	exp = int(top) - 2 - exp
	if exp <= 0 {
		frac = (1<<52 | frac) >> (1 - exp)
		exp = 0
	}
	return sign | uint64(exp)<<fbits | frac>>(52-fbits)
}

// frsqrte is FPRSqrtEstimate.
func frsqrte(size uint, v uint64) uint64 {
	if r, ok := nans(size, v); ok {
		return r
	}
	ebits, fbits := layout(size)
	top := uint64(1)<<ebits - 1
	switch {
	case isZero(size, v):
		return v | top<<fbits
	case v&signBit(size) != 0:
		return defaultNaN(size)
	case isInf(size, v):
		return 0
	}
	exp, frac := int(v>>fbits), v<<(52-fbits)&(1<<52-1)
	if exp == 0 {
		for ; frac>>51 == 0; frac <<= 1 {
			exp--
		}
		frac = frac << 1 & (1<<52 - 1)
	}
	scaled := 1<<8 | frac>>44
	if exp&1 != 0 {
		scaled >>= 1
	}
	exp = (3*int(top>>1) - 1 - exp) / 2
	return uint64(exp)<<fbits | recipSqrtEstimate(scaled)&0xff<<(fbits-8)
}

// frecpx is FPRecpX.
func frecpx(size uint, v uint64) uint64 {
	if r, ok := nans(size, v); ok {
		return r
	}
	ebits, fbits := layout(size)
	mask := (uint64(1)<<ebits - 1) << fbits
	if v&mask == 0 {
		return v&signBit(size) | (mask - 1<<fbits)
	}
	return v&signBit(size) | ^v&mask
}

// fromFloat is a number that both sizes have.
func fromFloat(size uint, f float64) uint64 {
	if size == single {
		return uint64(math.Float32bits(float32(f)))
	}
	return math.Float64bits(f)
}

// fpStep is FPRecipStepFused, 2 - a*b, and with root FPRSqrtStepFused, half of
// 3 - a*b, each rounded once.
func fpStep(size uint, a, b uint64, root bool) uint64 {
	sum := 2.0
	if root {
		sum = 1.5
	}
	a ^= signBit(size)
	if r, ok := nans(size, a, b); ok {
		return r
	}
	if isInf(size, a) && isZero(size, b) || isZero(size, a) && isInf(size, b) {
		return fromFloat(size, sum)
	}
	if root { // the half of the larger one is exact if the product matters
		if a&^signBit(size) < b&^signBit(size) {
			a, b = b, a
		}
		a = fp2(fpMul, size, a, fromFloat(size, 0.5))
	}
	return fma(size, fromFloat(size, sum), a, b)
}

// fcvtxn rounds a double to a single whose last bit says that it is not exact.
func fcvtxn(v uint64) uint64 {
	d := math.Float64frombits(v)
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return convert(double, single, v)
	}
	r := math.Float32bits(float32(d))
	switch back := float64(math.Float32frombits(r)); {
	case back == d:
		return uint64(r)
	case math.Abs(back) > math.Abs(d):
		r-- // towards zero
	}
	return uint64(r | 1)
}
