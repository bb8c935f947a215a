// SPDX-License-Identifier: BSD-3-Clause

package a64

// decodeVector is scalar floating-point and Advanced SIMD (C4.1.96).
func decodeVector(i *inst) {
	raw := i.raw
	i.rn, i.rm, i.rd, i.ra = spr(raw>>5), spr(raw>>16), spr(raw), spr(raw>>10)
	switch raw >> 24 & 0x5f {
	case 0x1e:
		if raw>>29&1 == 0 {
			decodeFP(i)
		}
	case 0x1f:
		if size, ok := fpType(raw); ok && raw>>31 == 0 && raw>>29&1 == 0 {
			i.sz = uint8(size)
			i.call(fpMulAdd)
		}
	case 0x0e, 0x4e, 0x0f, 0x4f, 0x5e, 0x5f:
		if raw>>31 == 0 {
			decodeSIMD(i)
		}
	}
}

// fpType is the size that bits 22 and 23 name.
func fpType(raw uint32) (uint, bool) {
	switch raw >> 22 & 3 {
	case 0:
		return single, true
	case 1:
		return double, true
	}
	return 0, false
}

// exact reports whether FPCR asks for nothing that fp.go does not do.
func (c *core) exact() bool { return c.fpcr&fpcrModes == 0 }

func decodeFP(i *inst) {
	raw := i.raw
	size, ok := fpType(raw)
	i.sz = uint8(size)
	switch {
	case raw>>21&1 == 0:
		scale := field(raw, 10, 6)
		if ok && (raw>>31 != 0 || scale >= 32) {
			decodeFixed(i, 64-int(scale))
		}
	case raw>>10&63 == 0:
		decodeFPInt(i, ok)
	case raw>>31 != 0:
	case raw>>10&31 == 16:
		decodeFP1(i, ok)
	case !ok:
	case raw>>10&15 == 8:
		if raw>>14&3 == 0 && raw&7 == 0 {
			i.call(fcmp)
		}
	case raw>>10&7 == 4:
		if raw>>5&31 == 0 {
			i.imm = expandImm(size, uint64(field(raw, 13, 8)))
			i.call(fmovImm)
		}
	case raw>>10&3 == 1:
		i.ra = uint8(field(raw, 12, 4))
		i.call(fccmp)
	case raw>>10&3 == 2:
		if field(raw, 12, 4) <= fpNMul {
			i.ra = uint8(field(raw, 12, 4))
			i.call(fpTwo)
		}
	case raw>>10&3 == 3:
		i.ra = uint8(field(raw, 12, 4))
		i.call(fcsel)
	}
}

// value is a scalar operand.
func (c *core) value(n uint8, size uint8) uint64 {
	v := c.v[n&31][0]
	if size == single {
		v &= 0xffffffff
	}
	return v
}

func fpTwo(c *core, i *inst) status {
	if !c.exact() {
		return undefined(c, i)
	}
	c.v[i.rd&31] = vec{fp2(int(i.ra), uint(i.sz), c.value(i.rn, i.sz), c.value(i.rm, i.sz)), 0}
	return next
}

func fpMulAdd(c *core, i *inst) status {
	if !c.exact() {
		return undefined(c, i)
	}
	size := uint(i.sz)
	a, n, m := c.value(i.ra, i.sz), c.value(i.rn, i.sz), c.value(i.rm, i.sz)
	o1, o0 := i.raw>>21&1 != 0, i.raw>>15&1 != 0
	if o1 {
		a ^= signBit(size)
	}
	if o1 != o0 {
		n ^= signBit(size)
	}
	c.v[i.rd&31] = vec{fma(size, a, n, m), 0}
	return next
}

func fcmp(c *core, i *inst) status {
	b := c.value(i.rm, i.sz)
	if i.raw>>3&1 != 0 {
		b = 0
	}
	if c.fpcr&(1<<24) != 0 {
		return undefined(c, i)
	}
	c.setNZCV(compare(uint(i.sz), c.value(i.rn, i.sz), b))
	return next
}

func fccmp(c *core, i *inst) status {
	if c.fpcr&(1<<24) != 0 {
		return undefined(c, i)
	}
	if c.holds(i.ra) {
		c.setNZCV(compare(uint(i.sz), c.value(i.rn, i.sz), c.value(i.rm, i.sz)))
	} else {
		c.setNZCV(uint64(i.raw&15) << 28)
	}
	return next
}

func fcsel(c *core, i *inst) status {
	from := i.rm
	if c.holds(i.ra) {
		from = i.rn
	}
	c.v[i.rd&31] = vec{c.value(from, i.sz), 0}
	return next
}

func fmovImm(c *core, i *inst) status {
	c.v[i.rd&31] = vec{i.imm, 0}
	return next
}

// decodeFP1 is the operations of one operand.
func decodeFP1(i *inst, ok bool) {
	op := field(i.raw, 15, 6)
	if op >= 4 && op <= 7 && op != 6 { // fcvt, where a type may be half
		sizes := [...]uint{single, double, 0, half}
		from, to := sizes[i.raw>>22&3], sizes[op&3]
		if from != 0 && to != 0 && from != to {
			i.sz, i.sh = uint8(from), uint8(to)
			i.call(fcvt)
		}
		return
	}
	if !ok {
		return
	}
	i.sh = uint8(op)
	switch {
	case op <= 3:
		i.call(fpMove)
	case op >= 8 && op <= 15 && op != 13:
		i.call(fpRound)
	}
}

func fcvt(c *core, i *inst) status {
	if !c.exact() {
		return undefined(c, i)
	}
	v := c.v[i.rn&31][0]
	if i.sz < double {
		v &= 1<<(8<<i.sz) - 1
	}
	c.v[i.rd&31] = vec{convert(uint(i.sz), uint(i.sh), v), 0}
	return next
}

// fpMove is fmov, fabs, fneg and fsqrt.
func fpMove(c *core, i *inst) status {
	v, size := c.value(i.rn, i.sz), uint(i.sz)
	switch i.sh {
	case 1:
		v &^= signBit(size)
	case 2:
		v ^= signBit(size)
	case 3:
		if !c.exact() {
			return undefined(c, i)
		}
		v = fsqrt(size, v)
	}
	c.v[i.rd&31] = vec{v, 0}
	return next
}

// mode is the rounding that FPCR asks for.
func (c *core) mode() int { return int(c.fpcr >> 22 & 3) }

// plain reports whether FPCR asks for nothing but a rounding mode.
func (c *core) plain() bool { return c.fpcr&fpcrModes&^(3<<22) == 0 }

func fpRound(c *core, i *inst) status {
	if !c.plain() {
		return undefined(c, i)
	}
	mode := int(i.sh & 7)
	if mode > toAway {
		mode = c.mode() // frintx, frinti
	}
	c.v[i.rd&31] = vec{frint(uint(i.sz), c.value(i.rn, i.sz), mode), 0}
	return next
}

// decodeFixed is conversions from and to fixed-point numbers in registers.
func decodeFixed(i *inst, fraction int) {
	i.imm = uint64(fraction)
	switch field(i.raw, 16, 5) {
	case 2, 3:
		i.rn = zr(i.raw >> 5)
		i.call(scvtf)
	case 24, 25:
		i.rd = sink(i.raw)
		i.ra = toZero
		i.call(fcvts)
	}
}

// decodeFPInt is conversions and moves between the register files.
func decodeFPInt(i *inst, ok bool) {
	raw := i.raw
	wide := raw>>31 != 0
	rmode, opcode, kind := field(raw, 19, 2), field(raw, 16, 3), field(raw, 22, 2)
	switch {
	case opcode >= 6 && (rmode == 0 && (kind == 0 && !wide || kind == 1 && wide) || rmode == 1 && kind == 2 && wide):
		i.sh = uint8(rmode)
		if opcode == 6 {
			i.rd = sink(raw)
			i.call(fmovTo)
		} else {
			i.rn = zr(raw >> 5)
			i.call(fmovFrom)
		}
	case !ok || opcode >= 6:
	case opcode == 4 || opcode == 5:
		if rmode == 0 {
			i.rd, i.ra = sink(raw), toAway
			i.call(fcvts)
		}
	case opcode >= 2:
		if rmode == 0 {
			i.rn = zr(raw >> 5)
			i.call(scvtf)
		}
	default:
		i.rd, i.ra = sink(raw), uint8(rmode)
		i.call(fcvts)
	}
}

func fmovTo(c *core, i *inst) status {
	v := c.v[i.rn&31][i.sh&1]
	if i.raw>>31 == 0 {
		v &= 0xffffffff
	}
	c.x[i.rd] = v
	return next
}

func fmovFrom(c *core, i *inst) status {
	v := c.x[i.rn]
	switch {
	case i.sh == 1:
		c.v[i.rd&31][1] = v
	case i.raw>>31 == 0:
		c.v[i.rd&31] = vec{v & 0xffffffff, 0}
	default:
		c.v[i.rd&31] = vec{v, 0}
	}
	return next
}

// intSize is the size of the general register.
func (i *inst) intSize() uint { return 2 + uint(i.raw>>31) }

func fcvts(c *core, i *inst) status {
	if c.fpcr&(1<<24) != 0 {
		return undefined(c, i)
	}
	c.x[i.rd] = toInt(uint(i.sz), c.value(i.rn, i.sz), int(i.ra), int(i.imm), i.intSize(), i.raw>>16&1 == 0)
	return next
}

func scvtf(c *core, i *inst) status {
	if !c.exact() {
		return undefined(c, i)
	}
	v := c.x[i.rn]
	if i.raw>>31 == 0 {
		v &= 0xffffffff
	}
	c.v[i.rd&31] = vec{fromInt(v, i.intSize(), int(i.imm), uint(i.sz), i.raw>>16&1 == 0), 0}
	return next
}
