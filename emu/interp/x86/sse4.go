// SPDX-License-Identifier: BSD-3-Clause

package x86

// sse38 decodes the vector instructions of the opcode map 0f 38.
func (d *decoder) sse38(op uint8) {
	if row, ok := rows38[op]; ok && d.prefix() == 0x6600 {
		d.modrm()
		d.row(row)
	} else if d.prefix() == 0 {
		d.mmx38(op)
	}
}

// three3a decodes the opcode map 0f 3a.
func (d *decoder) three3a() {
	op := d.byte()
	if op == 0x0f && d.prefix() == 0 && !d.bad {
		d.sz = 3
		d.mmxRow(vecRow{mmxAlign, withImm}, mmxLanes)
	}
	if d.bad || d.prefix() != 0x6600 {
		return
	}
	if row, ok := rows3a[op]; ok {
		d.modrm()
		row.kind |= withImm
		d.row(row)
		if op == 0x21 && d.mem {
			d.imm &= 0x3f // memory has but one lane
		}
		return
	}
	d.opSize(1)
	if d.sz == 1 {
		d.sz = 2
	}
	switch op {
	case 0x14, 0x15, 0x16, 0x17:
		d.op = [...]uint8{0, 1, d.sz, 2}[op-0x14]
		d.fn = extract
	case 0x20, 0x22:
		d.op = d.sz
		if op == 0x20 {
			d.op = 0
		}
		d.fn = insert
	case 0x60, 0x61, 0x62, 0x63:
		d.op = op & 3
		d.fn = compareStrings
	default:
		return
	}
	d.modrm()
	d.imm = uint64(d.byte())
}

// extract is pextrb, pextrw, pextrd, pextrq and extractps; in.op is the size.
func extract(c *core, in *inst) bool {
	s := c.x[in.reg&15]
	i := uint8(in.imm) << in.op & 15
	v := s.lo
	if i >= 8 {
		v = s.hi
	}
	v = v >> (8 * (i & 7)) & masks[in.op&3]
	if in.mem {
		return c.st(c.addr(in), in.op, v)
	}
	c.r[in.rm&31] = v
	return true
}

// insert is pinsrb, pinsrd and pinsrq.
func insert(c *core, in *inst) bool {
	v, ok := c.r[in.rm&31]&masks[in.op&3], true
	if in.mem {
		v, ok = c.ld(c.addr(in), in.op)
	}
	if !ok {
		return false
	}
	i := uint8(in.imm) << in.op & 15
	half := &c.x[in.reg&15].lo
	if i >= 8 {
		half = &c.x[in.reg&15].hi
	}
	at := 8 * (i & 7)
	*half = *half&^(masks[in.op&3]<<at) | v<<at
	return true
}

func pshufb(d, s xmm) xmm {
	x, m := d.b(), s.b()
	var r [16]uint8
	for i := range r {
		if m[i]&0x80 == 0 {
			r[i] = x[m[i]&15]
		}
	}
	return fromB(r)
}

// pairs16 and pairs32 are the horizontal operations.
func pairs16(f func(a, b uint16) uint16) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.w(), s.w()
		var r [8]uint16
		for i := range 4 {
			r[i], r[i+4] = f(x[2*i], x[2*i+1]), f(y[2*i], y[2*i+1])
		}
		return fromW(r)
	}
}

func pairs32(f func(a, b uint32) uint32) vecOp {
	return func(_ *core, d, s xmm, _ uint8) xmm {
		x, y := d.d(), s.d()
		return fromD([4]uint32{f(x[0], x[1]), f(x[2], x[3]), f(y[0], y[1]), f(y[2], y[3])})
	}
}

func pmaddubsw(d, s xmm) xmm {
	x, y := d.b(), s.b()
	var r [8]uint16
	for i := range r {
		r[i] = ss16(int32(x[2*i])*ext8(y[2*i]) + int32(x[2*i+1])*ext8(y[2*i+1]))
	}
	return fromW(r)
}

// signed applies the sign of s to d.
func signed[T int8 | int16 | int32](d, s T) T {
	switch {
	case s < 0:
		return -d
	case s == 0:
		return 0
	}
	return d
}

func palignr(d, s xmm, imm uint8) xmm {
	lo, hi := psrldq(s, uint64(min(imm, 16))), xmm{}
	switch {
	case imm >= 32:
		return xmm{}
	case imm >= 16:
		return psrldq(d, uint64(imm-16))
	case imm > 0:
		hi = pslldq(d, uint64(16-imm))
	}
	return xmm{lo.lo | hi.lo, lo.hi | hi.hi}
}

// extend widens lanes of from bytes to lanes of to bytes.
func extend(from, to uint, sign bool) vecOp {
	return func(_ *core, _, s xmm, _ uint8) xmm {
		b := s.b()
		var r [16]uint8
		for i := range 16 / to {
			fill := uint8(0)
			if sign && b[(i+1)*from-1]&0x80 != 0 {
				fill = 0xff
			}
			for j := range to {
				if r[i*to+j] = fill; j < from {
					r[i*to+j] = b[i*from+j]
				}
			}
		}
		return fromB(r)
	}
}

// blendImm takes lanes of n bytes from s where the immediate says so.
func blendImm(n uint) vecOp {
	return func(_ *core, d, s xmm, imm uint8) xmm {
		x, y := d.b(), s.b()
		for i := range uint(16) {
			if imm>>(i/n)&1 != 0 {
				x[i] = y[i]
			}
		}
		return fromB(x)
	}
}

// blendMask takes lanes of n bytes from s where the highest bit in xmm0 is set.
func blendMask(n uint) vecOp {
	return func(c *core, d, s xmm, _ uint8) xmm {
		x, y, m := d.b(), s.b(), c.x[0].b()
		for i := range uint(16) {
			if m[i|(n-1)]&0x80 != 0 {
				x[i] = y[i]
			}
		}
		return fromB(x)
	}
}

func ptest(_ *core, d, s xmm, _ uint8) xmm {
	return xmm{lo: b2u(d.lo&s.lo|d.hi&s.hi == 0)*zf | b2u(^d.lo&s.lo|^d.hi&s.hi == 0)*cf}
}

func phminposuw(_, s xmm) xmm {
	w := s.w()
	best := 0
	for i := range w {
		if w[i] < w[best] {
			best = i
		}
	}
	return xmm{lo: uint64(w[best]) | uint64(best)<<16}
}

func mpsadbw(d, s xmm, imm uint8) xmm {
	x, y := d.b(), s.b()
	var r [8]uint16
	for i := range r {
		for j := range 4 {
			a, b := x[int(imm>>2&1)*4+i+j], y[int(imm&3)*4+j]
			r[i] += uint16(max(a, b) - min(a, b))
		}
	}
	return fromW(r)
}

func insertps(d, s xmm, imm uint8) xmm {
	r := d.d()
	r[imm>>4&3] = s.d()[imm>>6]
	for i := range r {
		if imm>>i&1 != 0 {
			r[i] = 0
		}
	}
	return fromD(r)
}

// phase ends a part of an instruction whose exceptions come before those of the
// next. It returns false if one of them is not masked.
func (c *core) phase() bool {
	if c.fx&^(c.mxcsr>>7)&0x3f != 0 {
		return false
	}
	c.mxcsr |= c.fx
	c.fx = 0
	return true
}

// dpps multiplies, adds neighbours and adds halves, in each lane for itself:
// which NaN comes out depends on the order.
func dpps(c *core, d, s xmm, imm uint8) xmm {
	x, y := d.d(), s.d()
	var p, t, r [4]uint32
	for i := range p {
		if imm>>(4+i)&1 != 0 {
			p[i] = uint32(fmul(c, &single, uint64(x[i]), uint64(y[i])))
		}
	}
	if !c.phase() {
		return d
	}
	for i := range t {
		t[i] = uint32(fadd(c, &single, uint64(p[i^1]), uint64(p[i])))
	}
	if !c.phase() {
		return d
	}
	for i := range r {
		if sum := uint32(fadd(c, &single, uint64(t[i]), uint64(t[i^2]))); imm>>i&1 != 0 {
			r[i] = sum
		}
	}
	return fromD(r)
}

func dppd(c *core, d, s xmm, imm uint8) xmm {
	var p, q uint64
	if imm&16 != 0 {
		p = fmul(c, &double, d.lo, s.lo)
	}
	if imm&32 != 0 {
		q = fmul(c, &double, d.hi, s.hi)
	}
	if !c.phase() {
		return d
	}
	return xmm{fadd(c, &double, p, q) & -uint64(imm&1), fadd(c, &double, q, p) & -uint64(imm>>1&1)}
}

func abs[T int8 | int16 | int32](v T) T { return signed(v, v) }

// rows38 are the SSSE3, SSE4.1 and SSE4.2 instructions behind 66 0f 38.
var rows38 = map[uint8]vecRow{
	0x00: {vec: wide(pshufb)},
	0x01: {vec: pairs16(func(a, b uint16) uint16 { return a + b })},
	0x02: {vec: pairs32(func(a, b uint32) uint32 { return a + b })},
	0x03: {vec: pairs16(func(a, b uint16) uint16 { return ss16(ext16(a) + ext16(b)) })},
	0x04: {vec: wide(pmaddubsw)},
	0x05: {vec: pairs16(func(a, b uint16) uint16 { return a - b })},
	0x06: {vec: pairs32(func(a, b uint32) uint32 { return a - b })},
	0x07: {vec: pairs16(func(a, b uint16) uint16 { return ss16(ext16(a) - ext16(b)) })},
	0x08: {vec: each8(func(a, b uint8) uint8 { return uint8(signed(int8(a), int8(b))) })},
	0x09: {vec: each16(func(a, b uint16) uint16 { return uint16(signed(int16(a), int16(b))) })},
	0x0a: {vec: each32(func(a, b uint32) uint32 { return uint32(signed(int32(a), int32(b))) })},
	0x0b: {vec: each16(func(a, b uint16) uint16 { return uint16((ext16(a)*ext16(b)>>14 + 1) >> 1) })},
	0x10: {vec: blendMask(1)}, 0x14: {vec: blendMask(4)}, 0x15: {vec: blendMask(8)},
	0x17: {ptest, onlyFlags},
	0x1c: {vec: each8(func(_, b uint8) uint8 { return uint8(abs(int8(b))) })},
	0x1d: {vec: each16(func(_, b uint16) uint16 { return uint16(abs(int16(b))) })},
	0x1e: {vec: each32(func(_, b uint32) uint32 { return uint32(abs(int32(b))) })},
	0x20: {extend(1, 2, true), src64}, 0x21: {extend(1, 4, true), src32}, 0x22: {extend(1, 8, true), src16},
	0x23: {extend(2, 4, true), src64}, 0x24: {extend(2, 8, true), src32}, 0x25: {extend(4, 8, true), src64},
	0x28: {vec: each64(func(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b))) })},
	0x29: {vec: each64(func(a, b uint64) uint64 { return -b2u(a == b) })},
	0x2a: {vec: wide(func(_, s xmm) xmm { return s }), kind: onlyMemory},
	0x2b: {vec: pack32(us16)},
	0x30: {extend(1, 2, false), src64}, 0x31: {extend(1, 4, false), src32}, 0x32: {extend(1, 8, false), src16},
	0x33: {extend(2, 4, false), src64}, 0x34: {extend(2, 8, false), src32}, 0x35: {extend(4, 8, false), src64},
	0x37: {vec: each64(func(a, b uint64) uint64 { return -b2u(int64(a) > int64(b)) })},
	0x38: {vec: each8(func(a, b uint8) uint8 { return uint8(min(int8(a), int8(b))) })},
	0x39: {vec: each32(func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) })},
	0x3a: {vec: each16(func(a, b uint16) uint16 { return min(a, b) })},
	0x3b: {vec: each32(func(a, b uint32) uint32 { return min(a, b) })},
	0x3c: {vec: each8(func(a, b uint8) uint8 { return uint8(max(int8(a), int8(b))) })},
	0x3d: {vec: each32(func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) })},
	0x3e: {vec: each16(func(a, b uint16) uint16 { return max(a, b) })},
	0x3f: {vec: each32(func(a, b uint32) uint32 { return max(a, b) })},
	0x40: {vec: each32(func(a, b uint32) uint32 { return a * b })},
	0x41: {vec: wide(phminposuw)},
}

// rows3a are those behind 66 0f 3a, all of which have an immediate.
var rows3a = map[uint8]vecRow{
	0x08: {withImmediate(ps, roundTo), floating}, 0x09: {withImmediate(pd, roundTo), floating},
	0x0a: {withImmediate(ss, roundTo), floating | src32}, 0x0b: {withImmediate(sd, roundTo), floating | src64},
	0x0c: {vec: blendImm(4)}, 0x0d: {vec: blendImm(8)}, 0x0e: {vec: blendImm(2)},
	0x0f: {vec: wideImm(palignr)},
	0x21: {vec: wideImm(insertps), kind: src32},
	0x40: {dpps, floating}, 0x41: {dppd, floating}, 0x42: {vec: wideImm(mpsadbw)},
}
