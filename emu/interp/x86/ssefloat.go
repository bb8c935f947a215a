// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math"

// ps, pd, ss and sd make vector operations of an operation on numbers.
func ps(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		x, y := d.d(), s.d()
		for i := range x {
			x[i] = uint32(op(c, &single, uint64(x[i]), uint64(y[i])))
		}
		return fromD(x)
	}
}

func pd(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		return xmm{op(c, &double, d.lo, s.lo), op(c, &double, d.hi, s.hi)}
	}
}

func ss(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		d.lo = d.lo&^0xffffffff | op(c, &single, d.lo&0xffffffff, s.lo&0xffffffff)
		return d
	}
}

func sd(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		d.lo = op(c, &double, d.lo, s.lo)
		return d
	}
}

// withImmediate makes vector operations of one that takes the immediate.
func withImmediate(make func(fop) vecOp, f func(c *core, f *format, a, b uint64, imm uint8) uint64) vecOp {
	return func(c *core, d, s xmm, imm uint8) xmm {
		return make(func(c *core, ff *format, a, b uint64) uint64 { return f(c, ff, a, b, imm) })(c, d, s, 0)
	}
}

func compareMask(c *core, f *format, a, b uint64, imm uint8) uint64 {
	return -b2u(c.compare(f, a, b, imm)) & (f.sign<<1 - 1)
}

func roundTo(c *core, f *format, _, b uint64, imm uint8) uint64 { return c.toIntegral(f, b, imm) }

func comiss(signals bool) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		return xmm{lo: c.ordered(&single, d.lo&0xffffffff, s.lo&0xffffffff, signals)}
	}
}

func comisd(signals bool) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm { return xmm{lo: c.ordered(&double, d.lo, s.lo, signals)} }
}

func ps2dq(truncate bool) vecOp {
	return func(c *core, _, s xmm, _ uint8) xmm {
		y, mode := s.d(), c.rounding()
		if truncate {
			mode = 3
		}
		for i := range y {
			y[i] = uint32(c.toInt(&single, uint64(y[i]), 32, mode))
		}
		return fromD(y)
	}
}

func pd2dq(truncate bool) vecOp {
	return func(c *core, _, s xmm, _ uint8) xmm {
		mode := c.rounding()
		if truncate {
			mode = 3
		}
		return xmm{lo: c.toInt(&double, s.lo, 32, mode) | c.toInt(&double, s.hi, 32, mode)<<32}
	}
}

func cvtdq2ps(c *core, _, s xmm, _ uint8) xmm {
	y := s.d()
	for i := range y {
		y[i] = uint32(c.fromInt(&single, int64(int32(y[i]))))
	}
	return fromD(y)
}

func cvtdq2pd(c *core, _, s xmm, _ uint8) xmm {
	return xmm{c.fromInt(&double, int64(int32(s.lo))), c.fromInt(&double, int64(s.lo)>>32)}
}

func cvtps2pd(c *core, _, s xmm, _ uint8) xmm {
	return xmm{c.convert(&single, &double, s.lo&0xffffffff), c.convert(&single, &double, s.lo>>32)}
}

func cvtpd2ps(c *core, _, s xmm, _ uint8) xmm {
	return xmm{lo: c.convert(&double, &single, s.lo) | c.convert(&double, &single, s.hi)<<32}
}

func cvtss2sd(c *core, d, s xmm, _ uint8) xmm {
	return xmm{c.convert(&single, &double, s.lo&0xffffffff), d.hi}
}

func cvtsd2ss(c *core, d, s xmm, _ uint8) xmm {
	return xmm{d.lo&^0xffffffff | c.convert(&double, &single, s.lo), d.hi}
}

// horizontal is haddps and its kin.
func horizontalPS(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		x, y := d.d(), s.d()
		f := func(a, b uint32) uint32 { return uint32(op(c, &single, uint64(a), uint64(b))) }
		return fromD([4]uint32{f(x[0], x[1]), f(x[2], x[3]), f(y[0], y[1]), f(y[2], y[3])})
	}
}

func horizontalPD(op fop) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		return xmm{op(c, &double, d.lo, d.hi), op(c, &double, s.lo, s.hi)}
	}
}

func addsubps(c *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	for i, op := range [4]fop{fsub, fadd, fsub, fadd} {
		x[i] = uint32(op(c, &single, uint64(x[i]), uint64(y[i])))
	}
	return fromD(x)
}

func addsubpd(c *core, d, s xmm, _ uint8) xmm {
	return xmm{fsub(c, &double, d.lo, s.lo), fadd(c, &double, d.hi, s.hi)}
}

// estimate is rcpps and rsqrtps, whose results need to be right in 12 bits: the
// exact ones, rounded to that.
func estimate(f func(x float64) float64) fop {
	return func(_ *core, ff *format, _, b uint64) uint64 {
		x := math.Float32frombits(uint32(b))
		if ff.denormal(b) {
			x = math.Float32frombits(uint32(b & ff.sign))
		}
		if ff.isNaN(b) {
			return b | ff.quiet()
		}
		r := f(float64(x))
		if math.IsNaN(r) {
			return ff.qnan
		}
		v := uint64(math.Float32bits(float32(r)))
		if ff.denormal(v) {
			return v & ff.sign
		}
		if ff.isInf(v) || ff.isZero(v) {
			return v
		}
		return v &^ 0x7ff
	}
}

func reciprocal(x float64) float64 { return 1 / x }

func reciprocalRoot(x float64) float64 {
	if x == 0 {
		return math.Copysign(math.Inf(1), x)
	}
	return 1 / math.Sqrt(x)
}

var (
	rcp   = estimate(reciprocal)
	rsqrt = estimate(reciprocalRoot)
)

// floatRows are the vector instructions on floating-point numbers by prefix and
// opcode.
var floatRows = map[uint16]vecRow{
	0x0051: {ps(fsqrt), floating}, 0x6651: {pd(fsqrt), floating}, 0xf351: {ss(fsqrt), floating | src32}, 0xf251: {sd(fsqrt), floating | src64},
	0x0058: {ps(fadd), floating}, 0x6658: {pd(fadd), floating}, 0xf358: {ss(fadd), floating | src32}, 0xf258: {sd(fadd), floating | src64},
	0x0059: {ps(fmul), floating}, 0x6659: {pd(fmul), floating}, 0xf359: {ss(fmul), floating | src32}, 0xf259: {sd(fmul), floating | src64},
	0x005c: {ps(fsub), floating}, 0x665c: {pd(fsub), floating}, 0xf35c: {ss(fsub), floating | src32}, 0xf25c: {sd(fsub), floating | src64},
	0x005d: {ps(fmin), floating}, 0x665d: {pd(fmin), floating}, 0xf35d: {ss(fmin), floating | src32}, 0xf25d: {sd(fmin), floating | src64},
	0x005e: {ps(fdiv), floating}, 0x665e: {pd(fdiv), floating}, 0xf35e: {ss(fdiv), floating | src32}, 0xf25e: {sd(fdiv), floating | src64},
	0x005f: {ps(fmax), floating}, 0x665f: {pd(fmax), floating}, 0xf35f: {ss(fmax), floating | src32}, 0xf25f: {sd(fmax), floating | src64},

	0x0052: {ps(rsqrt), 0}, 0xf352: {ss(rsqrt), src32}, 0x0053: {ps(rcp), 0}, 0xf353: {ss(rcp), src32},

	0x00c2: {withImmediate(ps, compareMask), floating | withImm}, 0x66c2: {withImmediate(pd, compareMask), floating | withImm},
	0xf3c2: {withImmediate(ss, compareMask), floating | withImm | src32}, 0xf2c2: {withImmediate(sd, compareMask), floating | withImm | src64},

	0x002e: {comiss(false), onlyFlags | src32}, 0x662e: {comisd(false), onlyFlags | src64},
	0x002f: {comiss(true), onlyFlags | src32}, 0x662f: {comisd(true), onlyFlags | src64},

	0x005a: {cvtps2pd, floating | src64}, 0x665a: {cvtpd2ps, floating},
	0xf35a: {cvtss2sd, floating | src32}, 0xf25a: {cvtsd2ss, floating | src64},
	0x005b: {cvtdq2ps, floating}, 0x665b: {ps2dq(false), floating}, 0xf35b: {ps2dq(true), floating},
	0x66e6: {pd2dq(true), floating}, 0xf2e6: {pd2dq(false), floating}, 0xf3e6: {cvtdq2pd, floating | src64},

	0xf27c: {horizontalPS(fadd), floating}, 0x667c: {horizontalPD(fadd), floating},
	0xf27d: {horizontalPS(fsub), floating}, 0x667d: {horizontalPD(fsub), floating},
	0xf2d0: {addsubps, floating}, 0x66d0: {addsubpd, floating},
}

// sseSpecial decodes the conversions between general and vector registers.
func (d *decoder) sseSpecial(key uint16) {
	if row, ok := floatRows[key]; ok {
		d.modrm()
		d.row(row)
		return
	}
	if key>>8 != 0xf3 && key>>8 != 0xf2 || d.bad {
		return
	}
	switch key & 0xff {
	case 0x2a, 0x2c, 0x2d:
	default:
		return
	}
	d.modrm()
	d.sz = 2
	if d.w() {
		d.sz = 3
	}
	d.op = src64
	if key>>8 == 0xf3 {
		d.op = src32
	}
	switch key & 0xff {
	case 0x2a:
		d.fn = cvtsi2s
	case 0x2c:
		d.imm = 1
		d.fn = cvts2si
	case 0x2d:
		d.fn = cvts2si
	}
}

func cvtsi2s(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if in.sz == 2 {
		v = uint64(int32(v))
	}
	c.fx = 0
	d := c.x[in.reg&15]
	if in.op == src32 {
		d.lo = d.lo&^0xffffffff | c.fromInt(&single, int64(v))
	} else {
		d.lo = c.fromInt(&double, int64(v))
	}
	if !c.raise() {
		return false
	}
	c.x[in.reg&15] = d
	return true
}

// cvts2si truncates if its immediate is not 0.
func cvts2si(c *core, in *inst) bool {
	s, ok := c.source(in)
	if !ok {
		return false
	}
	mode := c.rounding()
	if in.imm != 0 {
		mode = 3
	}
	f := &double
	if in.op == src32 {
		f, s.lo = &single, s.lo&0xffffffff
	}
	c.fx = 0
	v := c.toInt(f, s.lo, 8<<in.sz, mode)
	if c.raise() {
		c.set(in.reg, in.sz, v)
		return true
	}
	return false
}
