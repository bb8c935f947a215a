// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

func fninit(c *core, _ *inst) bool {
	c.fcw, c.fsw, c.used = 0x37f, 0, 0
	c.fip, c.fdp, c.fop = 0, 0, 0
	return true
}

func fnclex(c *core, _ *inst) bool {
	c.fsw &= 0x7f00
	return true
}

func fwait(c *core, _ *inst) bool {
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	return true
}

// status is the status word, with its summary bits.
func (c *core) status() uint16 {
	if c.pending() {
		return c.fsw | 0x8080
	}
	return c.fsw &^ 0x8080
}

func fnstsw(c *core, in *inst) bool { return c.setE(in, c.addr(in), uint64(c.status())) }
func fnstcw(c *core, in *inst) bool { return c.st16(c.addr(in), uint64(c.fcw)) }

func (c *core) setControl(v uint16) { c.fcw = v&^x87Reserved | x87Fixed }

func fldcw(c *core, in *inst) bool {
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	v, ok := c.ld16(c.addr(in))
	if ok {
		c.setControl(uint16(v))
	}
	return ok
}

// tags is the tag word, with two bits for each register.
func (c *core) tags() (t uint16) {
	for i, v := range c.stack {
		tag := uint16(2) // special
		switch {
		case c.used>>i&1 == 0:
			tag = 3
		case v.class() == classNormal:
			tag = 0
		case v.class() == classZero:
			tag = 1
		}
		t |= tag << (2 * i)
	}
	return t
}

func (c *core) setTags(t uint16) {
	c.used = 0
	for i := range 8 {
		if t>>(2*i)&3 != 3 {
			c.used |= 1 << i
		}
	}
}

// The environment of fnstenv (SDM volume 1, 8.1.10): seven words, of 16 or 32
// bits. Selectors are 0.
const environment = 7

func (c *core) environment(in *inst) (b []byte, words int) {
	words = 1 << (in.sz & 3)
	return make([]byte, environment*words+80), words
}

func (c *core) environmentOut(b []byte, words int) {
	set := func(i int, v uint16) {
		le.PutUint16(b[i*words:], v)
		if words == 4 {
			le.PutUint16(b[i*words+2:], 0xffff)
		}
	}
	set(0, c.fcw)
	set(1, c.status())
	set(2, c.tags())
	set(6, 0)
	if words == 2 {
		set(3, uint16(c.fip))
		set(4, 0)
		set(5, uint16(c.fdp))
		return
	}
	le.PutUint32(b[12:], uint32(c.fip))
	le.PutUint32(b[16:], uint32(c.fop)<<16)
	le.PutUint32(b[20:], uint32(c.fdp))
}

func (c *core) environmentIn(b []byte, words int) {
	get := func(i int) uint16 { return le.Uint16(b[i*words:]) }
	c.setControl(get(0))
	c.fsw = get(1)
	c.setTags(get(2))
	if words == 2 {
		c.fip, c.fdp, c.fop = uint64(get(3)), uint64(get(5)), 0
		return
	}
	c.fip, c.fdp = uint64(le.Uint32(b[12:])), uint64(le.Uint32(b[20:]))
	c.fop = le.Uint16(b[18:]) & 0x7ff
}

func fnstenv(c *core, in *inst) bool {
	b, words := c.environment(in)
	c.environmentOut(b, words)
	if !c.writeBytes(c.addr(in), b[:environment*words]) {
		return false
	}
	c.fcw |= x87Errors
	return true
}

func fldenv(c *core, in *inst) bool {
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	b, words := c.environment(in)
	if !c.readBytes(c.addr(in), b[:environment*words]) {
		return false
	}
	c.environmentIn(b, words)
	return true
}

func fnsave(c *core, in *inst) bool {
	b, words := c.environment(in)
	c.environmentOut(b, words)
	for i := range 8 {
		v, at := c.top(uint8(i)), environment*words+10*i
		le.PutUint64(b[at:], v.m)
		le.PutUint16(b[at+8:], v.se)
	}
	return c.writeBytes(c.addr(in), b) && fninit(c, in)
}

func frstor(c *core, in *inst) bool {
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	b, words := c.environment(in)
	if !c.readBytes(c.addr(in), b) {
		return false
	}
	c.environmentIn(b, words)
	for i := range 8 {
		at := environment*words + 10*i
		c.stack[c.place(uint8(i))] = ext{le.Uint16(b[at+8:]), le.Uint64(b[at:])}
	}
	return true
}

// fromBCD is 18 decimal digits and a sign as a number.
func fromBCD(v ext) ext {
	n := int64(v.se & 0xff >> 4 * 10)
	n += int64(v.se & 15)
	for i := 60; i >= 0; i -= 4 {
		n = n*10 + int64(v.m>>i&15)
	}
	r := fromInteger(n)
	r.se |= v.se & extSign
	return r
}

// toBCD rounds to 18 decimal digits.
func (c *core) toBCD(v ext) ext {
	const limit = 1_000_000_000_000_000_000
	r := ext{0xffff, 0xc000000000000000}
	var q uint64
	switch v.class() {
	case classZero:
	case classNormal, classDenormal:
		n, inexact, up, ok := v.long().integral(c.fcw >> 10 & 3)
		if !ok || n >= limit {
			c.xe |= fxInvalid
			return r
		}
		if q = n; inexact {
			c.xe |= fxInexact
			c.xup = up
		}
	default:
		c.xe |= fxInvalid
		return r
	}
	r = ext{se: v.se & extSign}
	for i := 0; i < 64; i += 4 {
		r.m |= q % 10 << i
		q /= 10
	}
	r.se |= uint16(q%10 | q/10<<4)
	return r
}

// group15 is fxsave, fxrstor, ldmxcsr, stmxcsr, the fences, what flushes caches,
// and the bases of FS and GS.
func (d *decoder) group15() {
	d.modrm()
	if !d.mem {
		switch {
		case d.rep == 0xf3 && d.ext < 4 && !d.op16:
			d.opSize(1)
			d.op = d.ext
			d.fn = segmentBase
		case d.ext >= 5 && d.rep == 0 && !d.op16:
			d.fn = nop
		}
		return
	}
	switch m := d.ext; {
	case m == 7 && d.rep == 0, m == 6 && d.rep == 0 && d.op16:
		d.fn = clflush
	case d.op16 || d.rep != 0:
	case m == 0:
		d.sz = 2 + d.rex>>3&1
		d.fn = fxsave
	case m == 1:
		d.sz = 2 + d.rex>>3&1
		d.fn = fxrstor
	case m == 2:
		d.fn = ldmxcsr
	case m == 3:
		d.fn = stmxcsr
	}
}

// clflush is clflush, clflushopt and clwb.
func clflush(c *core, in *inst) bool {
	_, ok := c.ld8(c.addr(in))
	return ok
}

// segmentBase is rdfsbase, rdgsbase, wrfsbase and wrgsbase.
func segmentBase(c *core, in *inst) bool {
	base := &c.r[regFS+in.op&1]
	if in.op < 2 {
		c.set(in.rm, in.sz, *base)
		return true
	}
	v := c.get(in.rm, in.sz)
	if !canonical(v) {
		return c.fault(cpu.Protection)
	}
	*base = v
	return true
}

func stmxcsr(c *core, in *inst) bool { return c.st32(c.addr(in), uint64(c.mxcsr)) }

func ldmxcsr(c *core, in *inst) bool {
	v, ok := c.ld32(c.addr(in))
	if ok && v&^mxcsrMask != 0 {
		return c.fault(cpu.Protection)
	}
	if ok {
		c.mxcsr = uint32(v)
	}
	return ok
}

// The image of fxsave (SDM volume 1, 10.5.1), of which the last 96 bytes are
// not written.
const (
	fxsaveSize = 416
	fxsaveST   = 32
	fxsaveXMM  = 160
)

func fxsave(c *core, in *inst) bool {
	a := c.addr(in)
	if a&15 != 0 {
		return c.fault(cpu.Protection)
	}
	var b [fxsaveSize]byte
	le.PutUint16(b[0:], c.fcw)
	le.PutUint16(b[2:], c.status())
	b[4] = c.used
	le.PutUint16(b[6:], c.fop)
	fip, fdp := c.fip, c.fdp
	if in.sz < 3 {
		fip, fdp = uint64(uint32(fip)), uint64(uint32(fdp))
	}
	le.PutUint64(b[8:], fip)
	le.PutUint64(b[16:], fdp)
	le.PutUint32(b[24:], c.mxcsr)
	le.PutUint32(b[28:], mxcsrMask)
	for i := range 8 {
		v := c.top(uint8(i))
		le.PutUint64(b[fxsaveST+16*i:], v.m)
		le.PutUint16(b[fxsaveST+16*i+8:], v.se)
	}
	for i, v := range c.x {
		le.PutUint64(b[fxsaveXMM+16*i:], v.lo)
		le.PutUint64(b[fxsaveXMM+16*i+8:], v.hi)
	}
	return c.writeBytes(a, b[:])
}

func fxrstor(c *core, in *inst) bool {
	a := c.addr(in)
	if a&15 != 0 {
		return c.fault(cpu.Protection)
	}
	var b [fxsaveSize]byte
	if !c.readBytes(a, b[:]) {
		return false
	}
	mxcsr := le.Uint32(b[24:])
	if mxcsr&^mxcsrMask != 0 {
		return c.fault(cpu.Protection)
	}
	c.mxcsr = mxcsr
	c.setControl(le.Uint16(b[0:]))
	c.fsw, c.used, c.fop = le.Uint16(b[2:]), b[4], le.Uint16(b[6:])&0x7ff
	if c.fip, c.fdp = le.Uint64(b[8:]), le.Uint64(b[16:]); in.sz < 3 {
		c.fip, c.fdp = c.fip&0xffffffff, c.fdp&0xffffffff
	}
	for i := range 8 {
		c.stack[c.place(uint8(i))] = ext{le.Uint16(b[fxsaveST+16*i+8:]), le.Uint64(b[fxsaveST+16*i:])}
	}
	for i := range c.x {
		c.x[i] = xmm{le.Uint64(b[fxsaveXMM+16*i:]), le.Uint64(b[fxsaveXMM+16*i+8:])}
	}
	return true
}
