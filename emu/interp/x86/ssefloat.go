// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math"

// ps, pd, ss and sd are an operation on the numbers of vectors.
type (
	ps fop
	pd fop
	ss fop
	sd fop
)

func (op ps) do(c *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	for i := range x {
		x[i] = uint32(op(c, &single, uint64(x[i]), uint64(y[i])))
	}
	return fromD(x)
}

func (op pd) do(c *core, d, s xmm, _ uint8) xmm {
	return xmm{op(c, &double, d.lo, s.lo), op(c, &double, d.hi, s.hi)}
}

func (op ss) do(c *core, d, s xmm, _ uint8) xmm {
	d.lo = d.lo&^0xffffffff | op(c, &single, d.lo&0xffffffff, s.lo&0xffffffff)
	return d
}

func (op sd) do(c *core, d, s xmm, _ uint8) xmm {
	d.lo = op(c, &double, d.lo, s.lo)
	return d
}

// psImm to sdImm are the same with an operation that takes the immediate.
type (
	fopImm func(c *core, f *format, a, b uint64, imm uint8) uint64
	psImm  fopImm
	pdImm  fopImm
	ssImm  fopImm
	sdImm  fopImm
)

func (f fopImm) with(imm uint8) fop {
	return func(c *core, ff *format, a, b uint64) uint64 { return f(c, ff, a, b, imm) }
}

func (f psImm) do(c *core, d, s xmm, imm uint8) xmm { return ps(fopImm(f).with(imm)).do(c, d, s, 0) }
func (f pdImm) do(c *core, d, s xmm, imm uint8) xmm { return pd(fopImm(f).with(imm)).do(c, d, s, 0) }
func (f ssImm) do(c *core, d, s xmm, imm uint8) xmm { return ss(fopImm(f).with(imm)).do(c, d, s, 0) }
func (f sdImm) do(c *core, d, s xmm, imm uint8) xmm { return sd(fopImm(f).with(imm)).do(c, d, s, 0) }

func compareMask(c *core, f *format, a, b uint64, imm uint8) uint64 {
	return -b2u(c.compare(f, a, b, imm)) & (f.sign<<1 - 1)
}

func roundTo(c *core, f *format, _, b uint64, imm uint8) uint64 { return c.toIntegral(f, b, imm) }

// comiss and comisd are the comparisons that leave flags; true says that quiet
// NaNs are invalid.
type (
	comiss bool
	comisd bool
)

func (signals comiss) do(c *core, d, s xmm, _ uint8) xmm {
	return xmm{lo: c.ordered(&single, d.lo&0xffffffff, s.lo&0xffffffff, bool(signals))}
}

func (signals comisd) do(c *core, d, s xmm, _ uint8) xmm {
	return xmm{lo: c.ordered(&double, d.lo, s.lo, bool(signals))}
}

// ps2dq and pd2dq are conversions to integers, which truncate if true.
type (
	ps2dq bool
	pd2dq bool
)

func (truncate ps2dq) do(c *core, _, s xmm, _ uint8) xmm {
	y, mode := s.d(), c.rounding()
	if truncate {
		mode = 3
	}
	for i := range y {
		y[i] = uint32(c.toInt(&single, uint64(y[i]), 32, mode))
	}
	return fromD(y)
}

func (truncate pd2dq) do(c *core, _, s xmm, _ uint8) xmm {
	mode := c.rounding()
	if truncate {
		mode = 3
	}
	return xmm{lo: c.toInt(&double, s.lo, 32, mode) | c.toInt(&double, s.hi, 32, mode)<<32}
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

// horizontalPS and horizontalPD are haddps and its kin.
type (
	horizontalPS fop
	horizontalPD fop
)

func (op horizontalPS) do(c *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	f := func(a, b uint32) uint32 { return uint32(op(c, &single, uint64(a), uint64(b))) }
	return fromD([4]uint32{f(x[0], x[1]), f(x[2], x[3]), f(y[0], y[1]), f(y[2], y[3])})
}

func (op horizontalPD) do(c *core, d, s xmm, _ uint8) xmm {
	return xmm{op(c, &double, d.lo, d.hi), op(c, &double, s.lo, s.hi)}
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

// rcp and rsqrt have results that need to be right in 12 bits: the exact ones,
// rounded to that.
func rcp(_ *core, ff *format, _, b uint64) uint64 {
	return estimate(ff, b, func(x float64) float64 { return 1 / x })
}

func rsqrt(_ *core, ff *format, _, b uint64) uint64 {
	return estimate(ff, b, func(x float64) float64 {
		if x == 0 {
			return math.Copysign(math.Inf(1), x)
		}
		return 1 / math.Sqrt(x)
	})
}

func estimate(ff *format, b uint64, f func(x float64) float64) uint64 {
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

// floatRows are the vector instructions on floating-point numbers by prefix and
// opcode.
var floatRows = vecRows{
	{0x0051, floating, ps(fsqrt)}, {0x6651, floating, pd(fsqrt)}, {0xf351, floating | src32, ss(fsqrt)}, {0xf251, floating | src64, sd(fsqrt)},
	{0x0058, floating, ps(fadd)}, {0x6658, floating, pd(fadd)}, {0xf358, floating | src32, ss(fadd)}, {0xf258, floating | src64, sd(fadd)},
	{0x0059, floating, ps(fmul)}, {0x6659, floating, pd(fmul)}, {0xf359, floating | src32, ss(fmul)}, {0xf259, floating | src64, sd(fmul)},
	{0x005c, floating, ps(fsub)}, {0x665c, floating, pd(fsub)}, {0xf35c, floating | src32, ss(fsub)}, {0xf25c, floating | src64, sd(fsub)},
	{0x005d, floating, ps(fmin)}, {0x665d, floating, pd(fmin)}, {0xf35d, floating | src32, ss(fmin)}, {0xf25d, floating | src64, sd(fmin)},
	{0x005e, floating, ps(fdiv)}, {0x665e, floating, pd(fdiv)}, {0xf35e, floating | src32, ss(fdiv)}, {0xf25e, floating | src64, sd(fdiv)},
	{0x005f, floating, ps(fmax)}, {0x665f, floating, pd(fmax)}, {0xf35f, floating | src32, ss(fmax)}, {0xf25f, floating | src64, sd(fmax)},

	{0x0052, 0, ps(rsqrt)}, {0xf352, src32, ss(rsqrt)}, {0x0053, 0, ps(rcp)}, {0xf353, src32, ss(rcp)},

	{0x00c2, floating | withImm, psImm(compareMask)}, {0x66c2, floating | withImm, pdImm(compareMask)},
	{0xf3c2, floating | withImm | src32, ssImm(compareMask)}, {0xf2c2, floating | withImm | src64, sdImm(compareMask)},

	{0x002e, onlyFlags | src32, comiss(false)}, {0x662e, onlyFlags | src64, comisd(false)},
	{0x002f, onlyFlags | src32, comiss(true)}, {0x662f, onlyFlags | src64, comisd(true)},

	{0x005a, floating | src64, vecOp(cvtps2pd)}, {0x665a, floating, vecOp(cvtpd2ps)},
	{0xf35a, floating | src32, vecOp(cvtss2sd)}, {0xf25a, floating | src64, vecOp(cvtsd2ss)},
	{0x005b, floating, vecOp(cvtdq2ps)}, {0x665b, floating, ps2dq(false)}, {0xf35b, floating, ps2dq(true)},
	{0x66e6, floating, pd2dq(true)}, {0xf2e6, floating, pd2dq(false)}, {0xf3e6, floating | src64, vecOp(cvtdq2pd)},

	{0xf27c, floating, horizontalPS(fadd)}, {0x667c, floating, horizontalPD(fadd)},
	{0xf27d, floating, horizontalPS(fsub)}, {0x667d, floating, horizontalPD(fsub)},
	{0xf2d0, floating, vecOp(addsubps)}, {0x66d0, floating, vecOp(addsubpd)},
}

// sseSpecial decodes the conversions between general and vector registers.
func (d *decoder) sseSpecial(key uint16) {
	if row := floatRows.find(key); row != nil {
		d.modrm()
		d.row(*row)
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
