// SPDX-License-Identifier: BSD-3-Clause

package x86

// sse38 decodes the vector instructions of the opcode map 0f 38.
func (d *decoder) sse38(op uint8) {
	if row := rows38.find(uint16(op)); row != nil && d.prefix() == 0x6600 {
		d.modrm()
		d.row(*row)
	} else if d.prefix() == 0 {
		d.mmx38(op)
	}
}

// three3a decodes the opcode map 0f 3a.
func (d *decoder) three3a() {
	op := d.byte()
	if op == 0x0f && d.prefix() == 0 && !d.bad {
		d.sz = 3
		d.mmxRow(&vecRow{kind: withImm, op: vecOp(mmxAlign)}, mmxLanes)
	}
	if d.bad || d.prefix() != 0x6600 {
		return
	}
	if row := rows3a.find(uint16(op)); row != nil {
		d.modrm()
		d.row(vecRow{kind: row.kind | withImm, op: row.op})
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
type (
	pairs16 func(a, b uint16) uint16
	pairs32 func(a, b uint32) uint32
)

func (f pairs16) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.w(), s.w()
	var r [8]uint16
	for i := range 4 {
		r[i], r[i+4] = f(x[2*i], x[2*i+1]), f(y[2*i], y[2*i+1])
	}
	return fromW(r)
}

func (f pairs32) do(_ *core, d, s xmm, _ uint8) xmm {
	x, y := d.d(), s.d()
	return fromD([4]uint32{f(x[0], x[1]), f(x[2], x[3]), f(y[0], y[1]), f(y[2], y[3])})
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
type extend struct {
	from, to uint
	sign     bool
}

func (e extend) do(_ *core, _, s xmm, _ uint8) xmm {
	b := s.b()
	var r [16]uint8
	for i := range 16 / e.to {
		fill := uint8(0)
		if e.sign && b[(i+1)*e.from-1]&0x80 != 0 {
			fill = 0xff
		}
		for j := range e.to {
			if r[i*e.to+j] = fill; j < e.from {
				r[i*e.to+j] = b[i*e.from+j]
			}
		}
	}
	return fromB(r)
}

// blendImm takes lanes of so many bytes from s where the immediate says so,
// blendMask where the highest bit in xmm0 is set.
type (
	blendImm  uint
	blendMask uint
)

func (n blendImm) do(_ *core, d, s xmm, imm uint8) xmm {
	x, y := d.b(), s.b()
	for i := range blendImm(16) {
		if imm>>(i/n)&1 != 0 {
			x[i] = y[i]
		}
	}
	return fromB(x)
}

func (n blendMask) do(c *core, d, s xmm, _ uint8) xmm {
	x, y, m := d.b(), s.b(), c.x[0].b()
	for i := range blendMask(16) {
		if m[i|(n-1)]&0x80 != 0 {
			x[i] = y[i]
		}
	}
	return fromB(x)
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
var rows38 = vecRows{
	{0x00, 0, wide(pshufb)},
	{0x01, 0, pairs16(func(a, b uint16) uint16 { return a + b })},
	{0x02, 0, pairs32(func(a, b uint32) uint32 { return a + b })},
	{0x03, 0, pairs16(func(a, b uint16) uint16 { return ss16(ext16(a) + ext16(b)) })},
	{0x04, 0, wide(pmaddubsw)},
	{0x05, 0, pairs16(func(a, b uint16) uint16 { return a - b })},
	{0x06, 0, pairs32(func(a, b uint32) uint32 { return a - b })},
	{0x07, 0, pairs16(func(a, b uint16) uint16 { return ss16(ext16(a) - ext16(b)) })},
	{0x08, 0, each8(func(a, b uint8) uint8 { return uint8(signed(int8(a), int8(b))) })},
	{0x09, 0, each16(func(a, b uint16) uint16 { return uint16(signed(int16(a), int16(b))) })},
	{0x0a, 0, each32(func(a, b uint32) uint32 { return uint32(signed(int32(a), int32(b))) })},
	{0x0b, 0, each16(func(a, b uint16) uint16 { return uint16((ext16(a)*ext16(b)>>14 + 1) >> 1) })},
	{0x10, 0, blendMask(1)}, {0x14, 0, blendMask(4)}, {0x15, 0, blendMask(8)},
	{0x17, onlyFlags, vecOp(ptest)},
	{0x1c, 0, each8(func(_, b uint8) uint8 { return uint8(abs(int8(b))) })},
	{0x1d, 0, each16(func(_, b uint16) uint16 { return uint16(abs(int16(b))) })},
	{0x1e, 0, each32(func(_, b uint32) uint32 { return uint32(abs(int32(b))) })},
	{0x20, src64, extend{1, 2, true}}, {0x21, src32, extend{1, 4, true}}, {0x22, src16, extend{1, 8, true}},
	{0x23, src64, extend{2, 4, true}}, {0x24, src32, extend{2, 8, true}}, {0x25, src64, extend{4, 8, true}},
	{0x28, 0, each64(func(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b))) })},
	{0x29, 0, each64(func(a, b uint64) uint64 { return -b2u(a == b) })},
	{0x2a, onlyMemory, wide(func(_, s xmm) xmm { return s })},
	{0x2b, 0, pack32(us16)},
	{0x30, src64, extend{1, 2, false}}, {0x31, src32, extend{1, 4, false}}, {0x32, src16, extend{1, 8, false}},
	{0x33, src64, extend{2, 4, false}}, {0x34, src32, extend{2, 8, false}}, {0x35, src64, extend{4, 8, false}},
	{0x37, 0, each64(func(a, b uint64) uint64 { return -b2u(int64(a) > int64(b)) })},
	{0x38, 0, each8(func(a, b uint8) uint8 { return uint8(min(int8(a), int8(b))) })},
	{0x39, 0, each32(func(a, b uint32) uint32 { return uint32(min(int32(a), int32(b))) })},
	{0x3a, 0, each16(func(a, b uint16) uint16 { return min(a, b) })},
	{0x3b, 0, each32(func(a, b uint32) uint32 { return min(a, b) })},
	{0x3c, 0, each8(func(a, b uint8) uint8 { return uint8(max(int8(a), int8(b))) })},
	{0x3d, 0, each32(func(a, b uint32) uint32 { return uint32(max(int32(a), int32(b))) })},
	{0x3e, 0, each16(func(a, b uint16) uint16 { return max(a, b) })},
	{0x3f, 0, each32(func(a, b uint32) uint32 { return max(a, b) })},
	{0x40, 0, each32(func(a, b uint32) uint32 { return a * b })},
	{0x41, 0, wide(phminposuw)},
}

// rows3a are those behind 66 0f 3a, all of which have an immediate.
var rows3a = vecRows{
	{0x08, floating, psImm(roundTo)}, {0x09, floating, pdImm(roundTo)},
	{0x0a, floating | src32, ssImm(roundTo)}, {0x0b, floating | src64, sdImm(roundTo)},
	{0x0c, 0, blendImm(4)}, {0x0d, 0, blendImm(8)}, {0x0e, 0, blendImm(2)},
	{0x0f, 0, wideImm(palignr)},
	{0x21, src32, wideImm(insertps)},
	{0x40, floating, vecOp(dpps)}, {0x41, floating, vecOp(dppd)}, {0x42, 0, wideImm(mpsadbw)},
}
