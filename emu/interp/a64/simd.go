// SPDX-License-Identifier: BSD-3-Clause

package a64

// shape is the arrangement that a vector instruction works on: so many lanes of
// 1<<elem bytes. What lies beyond them in a destination is cleared.
type shape struct {
	elem   uint
	n      int
	signed bool
}

// bits is the width of a lane.
func (s shape) bits() uint { return 8 << s.elem }

// ext extends a lane as the shape's sign says.
func (s shape) ext(v uint64) uint64 {
	if s.signed {
		return signExtend(v, s.bits())
	}
	return v
}

func (s shape) less(a, b uint64) bool {
	if s.signed {
		return int64(s.ext(a)) < int64(s.ext(b))
	}
	return a < b
}

// vectorShape is the arrangement that size and Q name.
func vectorShape(elem uint, full, scalar bool) shape {
	s := shape{elem: elem, n: 8 >> elem}
	switch {
	case scalar:
		s.n = 1
	case full:
		s.n = 16 >> elem
	}
	return s
}

// decodeSIMD picks the group of an Advanced SIMD instruction (C4.1.96).
func decodeSIMD(i *inst) {
	raw := i.raw
	full, scalar := raw>>30&1 != 0, raw>>28&1 != 0
	u := raw>>29&1 != 0
	size := uint(raw >> 22 & 3)
	if raw>>24&1 != 0 {
		switch {
		case raw>>10&1 == 0:
			decodeIndexed(i, full, scalar, u, size)
		case raw>>23&1 != 0:
		case raw>>19&15 != 0:
			decodeShift(i, full, scalar, u)
		case !scalar:
			decodeModified(i, full)
		}
		return
	}
	if raw>>21&1 == 0 {
		switch {
		case raw>>15&1 != 0:
		case raw>>10&1 != 0 && size == 0:
			decodeCopy(i, full, scalar, u)
		case scalar:
			if !u && raw>>10&3 == 0 && size == 0 {
				decodeSHA3(i)
			}
		case !u && raw>>10&3 == 0 && size == 0:
			i.call(tbl)
		case !u && raw>>10&3 == 2:
			decodePermute(i, full, size)
		case u && raw>>10&1 == 0 && size == 0:
			if full || raw>>14&1 == 0 {
				i.call(ext)
			}
		}
		return
	}
	switch {
	case raw>>10&1 != 0:
		decodeSame(i, full, scalar, u, size)
	case raw>>11&1 == 0:
		decodeDifferent(i, full, scalar, u, size)
	case raw>>17&15 == 0:
		decodeMisc(i, full, scalar, u, size)
	case raw>>17&15 == 4 && size == 0 && !u && scalar:
		decodeSHA2(i)
	case raw>>17&15 == 4 && size == 0 && !u && full:
		decodeAES(i)
	case raw>>17&15 == 8 && scalar:
		decodeScalarPair(i, u, size)
	case raw>>17&15 == 8:
		decodeAcross(i, full, u, size)
	}
}

// lanes2 makes a handler that maps the lanes of rn and, with merge, of rd.
func lanes2(s shape, f func(c *core, d, a uint64) uint64) handler {
	return func(c *core, i *inst) status {
		var r vec
		a, d := c.v[i.rn&31], c.v[i.rd&31]
		for e := range s.n {
			setLane(&r, s.elem, e, f(c, lane(&d, s.elem, e), lane(&a, s.elem, e)))
		}
		c.v[i.rd&31] = r
		return next
	}
}

// lanes3 is lanes2 with rm.
func lanes3(s shape, f func(c *core, d, a, b uint64) uint64) handler {
	return func(c *core, i *inst) status {
		var r vec
		a, b, d := c.v[i.rn&31], c.v[i.rm&31], c.v[i.rd&31]
		for e := range s.n {
			setLane(&r, s.elem, e, f(c, lane(&d, s.elem, e), lane(&a, s.elem, e), lane(&b, s.elem, e)))
		}
		c.v[i.rd&31] = r
		return next
	}
}

// pairs makes a handler for neighbouring lanes of rn and rm in a row.
func pairs(s shape, f func(c *core, a, b uint64) uint64) handler {
	return func(c *core, i *inst) status {
		var r vec
		a, b := c.v[i.rn&31], c.v[i.rm&31]
		for e := range s.n {
			from := &a
			if 2*e >= s.n {
				from = &b
			}
			at := 2 * e % s.n
			setLane(&r, s.elem, e, f(c, lane(from, s.elem, at), lane(from, s.elem, at+1)))
		}
		c.v[i.rd&31] = r
		return next
	}
}

// rounded makes a handler one that is undefined in modes that fp.go does not
// have.
func rounded(h handler) handler {
	return func(c *core, i *inst) status {
		if !c.exact() {
			return undefined(c, i)
		}
		return h(c, i)
	}
}

// decodeCopy is dup, ins, smov and umov.
func decodeCopy(i *inst, full, scalar, u bool) {
	imm5, imm4 := field(i.raw, 16, 5), field(i.raw, 11, 4)
	elem := uint(0)
	for imm5>>elem&1 == 0 {
		if elem++; elem > 3 {
			return
		}
	}
	i.sz, i.sh = uint8(elem), uint8(imm5>>(elem+1))
	switch {
	case scalar:
		if !u && imm4 == 0 {
			i.call(dupScalar)
		}
	case u:
		if full {
			i.ra = uint8(imm4 >> elem)
			i.call(insElement)
		}
	case imm4 == 0 && (full || elem < 3):
		i.call(dupElement)
	case imm4 == 1 && (full || elem < 3):
		i.rn = zr(i.raw >> 5)
		i.call(dupGeneral)
	case imm4 == 3 && full:
		i.rn = zr(i.raw >> 5)
		i.call(insGeneral)
	case imm4 == 5 && (elem < 2 || full && elem == 2), imm4 == 7 && full == (elem == 3):
		i.rd = sink(i.raw)
		i.call(umov)
	}
}

func dupScalar(c *core, i *inst) status {
	c.v[i.rd&31] = vec{lane(&c.v[i.rn&31], uint(i.sz), int(i.sh)), 0}
	return next
}

func dupElement(c *core, i *inst) status {
	c.v[i.rd&31] = replicate(lane(&c.v[i.rn&31], uint(i.sz), int(i.sh)), uint(i.sz), i.raw>>30&1 != 0)
	return next
}

func dupGeneral(c *core, i *inst) status {
	c.v[i.rd&31] = replicate(c.x[i.rn], uint(i.sz), i.raw>>30&1 != 0)
	return next
}

func insGeneral(c *core, i *inst) status {
	setLane(&c.v[i.rd&31], uint(i.sz), int(i.sh), c.x[i.rn])
	return next
}

func insElement(c *core, i *inst) status {
	setLane(&c.v[i.rd&31], uint(i.sz), int(i.sh), lane(&c.v[i.rn&31], uint(i.sz), int(i.ra)))
	return next
}

// umov is smov, too.
func umov(c *core, i *inst) status {
	v := lane(&c.v[i.rn&31], uint(i.sz), int(i.sh))
	if i.raw>>12&1 == 0 {
		v = signExtend(v, 8<<i.sz)
		if i.raw>>30&1 == 0 {
			v &= 0xffffffff
		}
	}
	c.x[i.rd] = v
	return next
}

// tbl is tbx, too.
func tbl(c *core, i *inst) status {
	var r vec
	old, index := c.v[i.rd&31], c.v[i.rm&31]
	regs := int(i.raw>>13&3) + 1
	for e := range 8 << (i.raw >> 30 & 1) {
		n := int(lane(&index, 0, e))
		v := uint64(0)
		if n < 16*regs {
			v = lane(&c.v[(int(i.rn)+n/16)&31], 0, n%16)
		} else if i.raw>>12&1 != 0 {
			v = lane(&old, 0, e)
		}
		setLane(&r, 0, e, v)
	}
	c.v[i.rd&31] = r
	return next
}

func ext(c *core, i *inst) status {
	a, b, n := c.v[i.rn&31], c.v[i.rm&31], uint(field(i.raw, 11, 4))*8
	if i.raw>>30&1 == 0 {
		c.v[i.rd&31] = vec{a[0]>>n | b[0]<<(64-n), 0}
		return next
	}
	w := [4]uint64{a[0], a[1], b[0], b[1]}
	at := n / 64
	n %= 64
	c.v[i.rd&31] = vec{w[at]>>n | w[at+1]<<(64-n), w[at+1]>>n | w[at+2]<<(64-n)}
	return next
}

// decodePermute is uzp, trn and zip.
func decodePermute(i *inst, full bool, size uint) {
	s := vectorShape(size, full, false)
	if size == 3 && !full {
		return
	}
	odd := int(i.raw >> 14 & 1)
	var from func(e int) int // lane of rn:rm
	switch i.raw >> 12 & 3 {
	case 1:
		from = func(e int) int { return 2*e + odd }
	case 2:
		from = func(e int) int { return e&^1 + odd + e&1*s.n }
	case 3:
		from = func(e int) int { return odd*s.n/2 + e/2 + e&1*s.n }
	default:
		return
	}
	i.call(func(c *core, i *inst) status {
		var r vec
		a, b := c.v[i.rn&31], c.v[i.rm&31]
		for e := range s.n {
			n, v := from(e), &a
			if n >= s.n {
				n, v = n-s.n, &b
			}
			setLane(&r, s.elem, e, lane(v, s.elem, n))
		}
		c.v[i.rd&31] = r
		return next
	})
}

// decodeModified is movi, mvni, orr, bic and fmov of an immediate
// (AdvSIMDExpandImm).
func decodeModified(i *inst, full bool) {
	raw := i.raw
	op, cmode := raw>>29&1, raw>>12&15
	if raw>>11&1 != 0 {
		return
	}
	imm8 := uint64(field(raw, 16, 3)<<5 | field(raw, 5, 5))
	const words, halves, bytes = 0x0000000100000001, 0x0001000100010001, 0x0101010101010101
	var imm uint64
	switch cmode >> 1 {
	case 0, 1, 2, 3:
		imm = imm8 << (cmode >> 1 * 8) * words
	case 4, 5:
		imm = imm8 << (cmode >> 1 & 1 * 8) * halves
	case 6:
		imm = (imm8<<8 | 0xff) * words
		if cmode&1 != 0 {
			imm = (imm8<<16 | 0xffff) * words
		}
	case 7:
		switch cmode&1<<1 | op {
		case 0:
			imm = imm8 * bytes
		case 1:
			for n := range 8 {
				imm |= imm8 >> n & 1 * 0xff << (8 * n)
			}
		case 2:
			imm = expandImm(single, imm8) * words
		case 3:
			if !full {
				return
			}
			imm = expandImm(double, imm8)
		}
	}
	i.imm = imm
	switch {
	case cmode < 12 && cmode&1 != 0 && op == 0:
		i.call(orrModified)
	case cmode < 12 && cmode&1 != 0:
		i.call(bicModified)
	default:
		if op != 0 && cmode < 14 {
			i.imm = ^imm
		}
		i.call(movi)
	}
}

func movi(c *core, i *inst) status {
	c.v[i.rd&31] = vec{i.imm, i.imm * uint64(i.raw>>30&1)}
	return next
}

func orrModified(c *core, i *inst) status {
	v := &c.v[i.rd&31]
	*v = vec{v[0] | i.imm, (v[1] | i.imm) * uint64(i.raw>>30&1)}
	return next
}

func bicModified(c *core, i *inst) status {
	v := &c.v[i.rd&31]
	*v = vec{v[0] &^ i.imm, v[1] &^ i.imm * uint64(i.raw>>30&1)}
	return next
}
