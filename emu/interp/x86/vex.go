// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// vexPrefix decodes a VEX prefix and what follows (SDM volume 2, 2.3). There is
// no AVX: what is known is BMI1 and BMI2.
func (d *decoder) vexPrefix(b uint8) {
	if d.rex != 0 || d.rep != 0 || d.op16 || d.lock {
		d.illegal()
		return
	}
	d.vex = true
	p := d.byte()
	opcodes := uint8(1)
	d.rex = 0x40 | ^p>>7&1<<2
	if b == 0xc4 {
		d.rex |= ^p >> 5 & 3
		opcodes = p & 31
		p = d.byte()
		d.rex |= p & 0x80 >> 4
	}
	vvvv, long, simd := ^p>>3&15, p&4 != 0, p&3
	op := d.byte()
	if d.bad || long {
		return
	}
	d.sz = 2
	if d.w() {
		d.sz = 3
	}
	row, ok := vexRows[uint32(opcodes)<<16|uint32(simd)<<8|uint32(op)]
	if !ok {
		return
	}
	d.modrm()
	if opcodes == 3 {
		d.imm = uint64(d.byte())
	}
	d.op, d.fn = vvvv, row
	if op == 0xf7 && simd > 0 {
		d.family = [...]family{famNone, famShlx, famSarx, famShrx}[simd]
	}
	if op == 0xf0 {
		d.family = famRorx
	}
	if op == 0xf3 {
		switch d.ext {
		case 1, 2, 3:
			d.reg = d.ext // which of them
		default:
			d.fn = nil
		}
	}
	if op == 0xf0 && vvvv != 0 {
		d.fn = nil
	}
}

// vexRows are handlers by opcode map, implied prefix and opcode. In them, in.op
// is the register that VEX.vvvv names.
var vexRows = map[uint32]handler{
	0x200f2: andn, 0x200f3: bls,
	0x200f5: bzhi, 0x202f5: pext, 0x203f5: pdep,
	0x203f6: mulx,
	0x200f7: bextr, 0x201f7: shlx, 0x202f7: sarx, 0x203f7: shrx,
	0x303f0: rorx,
}

// logic leaves the flags of a logical operation.
func (c *core) logic(r, carry uint64, sz uint8) {
	c.fr, c.fc, c.lk = r, carry, lkRes|sz
}

func andn(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		r := ^c.get(in.op, in.sz) & v
		c.logic(r, 0, in.sz)
		c.set(in.reg, in.sz, r)
	}
	return ok
}

// bls is blsr, blsmsk and blsi.
func bls(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	var r uint64
	carry := b2u(v == 0)
	switch in.reg {
	case 1:
		r = v & (v - 1)
	case 2:
		r = v ^ (v - 1)
	case 3:
		r, carry = v&-v, 1-carry
	}
	r &= in.mask
	c.logic(r, carry, in.sz)
	c.set(in.op, in.sz, r)
	return true
}

func bzhi(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	n, width := c.r[in.op&31]&0xff, uint64(8)<<in.sz
	if n < width {
		v &= 1<<n - 1
	}
	c.logic(v, b2u(n >= width), in.sz)
	c.set(in.reg, in.sz, v)
	return true
}

func bextr(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	ctl := c.r[in.op&31]
	v >>= ctl & 0xff
	if n := ctl >> 8 & 0xff; n < 64 {
		v &= 1<<n - 1
	}
	c.logic(v, 0, in.sz)
	c.set(in.reg, in.sz, v)
	return true
}

func pext(c *core, in *inst) bool {
	m, _, ok := c.getE(in)
	if !ok {
		return false
	}
	v, r := c.get(in.op, in.sz), uint64(0)
	for i := 0; m != 0; i++ {
		r |= v >> bits.TrailingZeros64(m) & 1 << i
		m &= m - 1
	}
	c.set(in.reg, in.sz, r)
	return true
}

func pdep(c *core, in *inst) bool {
	m, _, ok := c.getE(in)
	if !ok {
		return false
	}
	v, r := c.get(in.op, in.sz), uint64(0)
	for ; m != 0; v >>= 1 {
		r |= v & 1 << bits.TrailingZeros64(m)
		m &= m - 1
	}
	c.set(in.reg, in.sz, r)
	return true
}

func mulx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	hi, lo := bits.Mul64(c.get(2, in.sz), v)
	if in.sz == 2 {
		hi = lo >> 32
	}
	c.set(in.op, in.sz, lo)
	c.set(in.reg, in.sz, hi)
	return true
}

// places is the number of places that a shift by register goes.
func (c *core) places(in *inst) uint64 {
	return c.r[in.op&31] & (8<<in.sz - 1)
}

func shlx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		c.set(in.reg, in.sz, v<<c.places(in))
	}
	return ok
}

func shrx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		c.set(in.reg, in.sz, v>>c.places(in))
	}
	return ok
}

func sarx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		up := 63 - tops[in.sz&3]
		c.set(in.reg, in.sz, uint64(int64(v<<up)>>up>>c.places(in)))
	}
	return ok
}

func rorx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if in.sz == 3 {
		v = bits.RotateLeft64(v, -int(in.imm&63))
	} else {
		v = uint64(bits.RotateLeft32(uint32(v), -int(in.imm&31)))
	}
	c.set(in.reg, in.sz, v)
	return true
}
