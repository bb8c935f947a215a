// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// Cryptographic instructions (C3.5.23): AES, SHA-1, SHA-256 and pmull of 64 bits.

// quad is a vector register as four words.
type quad [4]uint32

func (v vec) quad() quad {
	return quad{uint32(v[0]), uint32(v[0] >> 32), uint32(v[1]), uint32(v[1] >> 32)}
}

func (q quad) vec() vec {
	return vec{uint64(q[0]) | uint64(q[1])<<32, uint64(q[2]) | uint64(q[3])<<32}
}

// boxes are the substitution of AES and its inverse (FIPS 197, 5.1.1), constant
// tables.
var boxes = aesBoxes()

func aesBoxes() (b [2][256]byte) {
	p, q := byte(1), byte(1) // q is the inverse of p, which runs through all but 0
	for {
		p ^= double8(p)
		q ^= q << 1
		q ^= q << 2
		q ^= q << 4
		if q&0x80 != 0 {
			q ^= 0x09
		}
		s := q ^ bits.RotateLeft8(q, 1) ^ bits.RotateLeft8(q, 2) ^ bits.RotateLeft8(q, 3) ^ bits.RotateLeft8(q, 4) ^ 0x63
		b[0][p], b[1][s] = s, p
		if p == 1 {
			break
		}
	}
	b[0][0], b[1][0x63] = 0x63, 0
	return b
}

// double8 multiplies by x in the field of AES.
func double8(v byte) byte { return v<<1 ^ byte(int8(v)>>7)&0x1b }

// decodeAES is aese, aesd, aesmc and aesimc.
func decodeAES(i *inst) {
	switch i.raw >> 12 & 31 {
	case 4, 5:
		i.call(aesRound)
	case 6, 7:
		i.call(aesMix)
	}
}

// aesRound is aese and aesd.
func aesRound(c *core, i *inst) status {
	var r vec
	inverse := i.raw >> 12 & 1
	v := vec{c.v[i.rd&31][0] ^ c.v[i.rn&31][0], c.v[i.rd&31][1] ^ c.v[i.rn&31][1]}
	for e := range 16 { // row e%4, column e/4
		from := e + 4*(e%4)
		if inverse != 0 {
			from = e - 4*(e%4)
		}
		setLane(&r, 0, e, uint64(boxes[inverse][lane(&v, 0, from&15)]))
	}
	c.v[i.rd&31] = r
	return next
}

// aesMix is aesmc and aesimc.
func aesMix(c *core, i *inst) status {
	var r vec
	v := c.v[i.rn&31]
	for column := 0; column < 16; column += 4 {
		var a [4]byte
		for row := range a {
			a[row] = byte(lane(&v, 0, column+row))
		}
		if i.raw>>12&1 != 0 { // as mixing, behind a multiplication by 4x^2+5
			even, odd := double8(double8(a[0]^a[2])), double8(double8(a[1]^a[3]))
			a = [4]byte{a[0] ^ even, a[1] ^ odd, a[2] ^ even, a[3] ^ odd}
		}
		all := a[0] ^ a[1] ^ a[2] ^ a[3]
		for row := range a {
			setLane(&r, 0, column+row, uint64(a[row]^all^double8(a[row]^a[(row+1)&3])))
		}
	}
	c.v[i.rd&31] = r
	return next
}

// decodeSHA3 is SHA-1 and SHA-256 of three registers.
func decodeSHA3(i *inst) {
	if op := i.raw >> 12 & 7; op < 7 {
		i.call([...]handler{sha1c, sha1p, sha1m, sha1su0, sha256h, sha256h2, sha256su1}[op])
	}
}

// decodeSHA2 is those of two.
func decodeSHA2(i *inst) {
	if op := i.raw >> 12 & 31; op < 3 {
		i.call([...]handler{sha1h, sha1su1, sha256su0}[op])
	}
}

func choose(x, y, z uint32) uint32   { return x&y | z&^x }
func parity(x, y, z uint32) uint32   { return x ^ y ^ z }
func majority(x, y, z uint32) uint32 { return x&y | x&z | y&z }

func sha1c(c *core, i *inst) status { return sha1(c, i, choose) }
func sha1p(c *core, i *inst) status { return sha1(c, i, parity) }
func sha1m(c *core, i *inst) status { return sha1(c, i, majority) }

func sha1(c *core, i *inst, f func(x, y, z uint32) uint32) status {
	x, y, w := c.v[i.rd&31].quad(), uint32(c.v[i.rn&31][0]), c.v[i.rm&31].quad()
	for e := range w {
		y += bits.RotateLeft32(x[0], 5) + f(x[1], x[2], x[3]) + w[e]
		x, y = quad{y, x[0], bits.RotateLeft32(x[1], 30), x[2]}, x[3]
	}
	c.v[i.rd&31] = x.vec()
	return next
}

func sha1su0(c *core, i *inst) status {
	d, n, m := c.v[i.rd&31], c.v[i.rn&31], c.v[i.rm&31]
	c.v[i.rd&31] = vec{d[1] ^ d[0] ^ m[0], n[0] ^ d[1] ^ m[1]}
	return next
}

func sha1su1(c *core, i *inst) status {
	d, n := c.v[i.rd&31].quad(), c.v[i.rn&31].quad()
	var r quad
	for e := range r {
		if e < 3 {
			d[e] ^= n[e+1]
		}
		r[e] = bits.RotateLeft32(d[e], 1)
	}
	r[3] ^= bits.RotateLeft32(d[0], 2)
	c.v[i.rd&31] = r.vec()
	return next
}

func sha1h(c *core, i *inst) status {
	c.v[i.rd&31] = vec{uint64(bits.RotateLeft32(uint32(c.v[i.rn&31][0]), 30))}
	return next
}

// sha256hash is SHA256hash (J1.1.3).
func sha256hash(x, y, w quad) (quad, quad) {
	for e := range w {
		a, b := x[0], y[0]
		t := y[3] + (bits.RotateLeft32(b, -6) ^ bits.RotateLeft32(b, -11) ^ bits.RotateLeft32(b, -25)) + choose(b, y[1], y[2]) + w[e]
		first := t + (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + majority(a, x[1], x[2])
		x, y = quad{first, a, x[1], x[2]}, quad{x[3] + t, b, y[1], y[2]}
	}
	return x, y
}

func sha256h(c *core, i *inst) status {
	x, _ := sha256hash(c.v[i.rd&31].quad(), c.v[i.rn&31].quad(), c.v[i.rm&31].quad())
	c.v[i.rd&31] = x.vec()
	return next
}

func sha256h2(c *core, i *inst) status {
	_, y := sha256hash(c.v[i.rn&31].quad(), c.v[i.rd&31].quad(), c.v[i.rm&31].quad())
	c.v[i.rd&31] = y.vec()
	return next
}

func sha256su0(c *core, i *inst) status {
	d, n := c.v[i.rd&31].quad(), c.v[i.rn&31].quad()
	of := quad{d[1], d[2], d[3], n[0]}
	for e, t := range of {
		d[e] += bits.RotateLeft32(t, -7) ^ bits.RotateLeft32(t, -18) ^ t>>3
	}
	c.v[i.rd&31] = d.vec()
	return next
}

func sha256su1(c *core, i *inst) status {
	d, n, m := c.v[i.rd&31].quad(), c.v[i.rn&31].quad(), c.v[i.rm&31].quad()
	plus := quad{n[1], n[2], n[3], m[0]}
	for e := range d {
		t := m[(e+2)&3]
		if e >= 2 {
			t = d[e-2]
		}
		d[e] += plus[e] + (bits.RotateLeft32(t, -17) ^ bits.RotateLeft32(t, -19) ^ t>>10)
	}
	c.v[i.rd&31] = d.vec()
	return next
}

// pmull64 multiplies two lanes of 64 bits without carries.
func pmull64(c *core, i *inst) status {
	half := i.raw >> 30 & 1
	a, b := c.v[i.rn&31][half], c.v[i.rm&31][half]
	var r vec
	for n := range 64 {
		if b>>n&1 != 0 {
			r[0] ^= a << n
			r[1] ^= a >> (63 - n) >> 1
		}
	}
	c.v[i.rd&31] = r
	return next
}
