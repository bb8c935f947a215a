// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

const (
	mxcsrMask = 0xffff
	// Bits of the x87 control word that are always 0, 1.
	x87Reserved = 0xe080
	x87Fixed    = 0x0040
)

// x87 decodes the control instructions of the x87, which are all there is of it:
// fninit, fnclex, fnop, fnstcw, fldcw, fnstsw.
func (d *decoder) x87(op uint8) {
	d.modrm()
	d.sz = 1
	switch m := d.ext; {
	case !d.mem && op == 0xdb && m == 4 && d.rm&7 == 3:
		d.fn = fninit
	case !d.mem && op == 0xdb && m == 4 && d.rm&7 == 2:
		d.fn = fnclex
	case !d.mem && op == 0xd9 && m == 2 && d.rm&7 == 0:
		d.fn = nop
	case !d.mem && op == 0xdf && m == 4 && d.rm&7 == 0:
		d.rm = 0
		d.fn = fnstsw
	case d.mem && op == 0xd9 && m == 5:
		d.fn = fldcw
	case d.mem && op == 0xd9 && m == 7:
		d.fn = fnstcw
	case d.mem && op == 0xdd && m == 7:
		d.fn = fnstsw
	}
}

func fninit(c *core, _ *inst) bool {
	c.fcw, c.fsw = 0x37f, 0
	return true
}

func fnclex(c *core, _ *inst) bool {
	c.fsw &= 0x7f00
	return true
}

// pending reports whether an exception that is not masked waits, which only
// fxrstor and fldcw can bring about.
func (c *core) pending() bool { return c.fsw&^c.fcw&0x3f != 0 }

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

func fldcw(c *core, in *inst) bool {
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	v, ok := c.ld16(c.addr(in))
	if ok {
		c.fcw = uint16(v)&^x87Reserved | x87Fixed
	}
	return ok
}

// group15 is fxsave, fxrstor, ldmxcsr, stmxcsr, the fences and clflush.
func (d *decoder) group15() {
	d.modrm()
	if !d.mem {
		if d.ext >= 5 && d.rep == 0 && !d.op16 {
			d.fn = nop
		}
		return
	}
	switch m := d.ext; {
	case m == 7 && d.rep == 0:
		d.fn = clflush
	case d.op16 || d.rep != 0:
	case m == 0:
		d.fn = fxsave
	case m == 1:
		d.fn = fxrstor
	case m == 2:
		d.fn = ldmxcsr
	case m == 3:
		d.fn = stmxcsr
	}
}

func clflush(c *core, in *inst) bool {
	_, ok := c.ld8(c.addr(in))
	return ok
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
	le.PutUint32(b[24:], c.mxcsr)
	le.PutUint32(b[28:], mxcsrMask)
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
	c.fcw, c.fsw = le.Uint16(b[0:])&^x87Reserved|x87Fixed, le.Uint16(b[2:])
	for i := range c.x {
		c.x[i] = xmm{le.Uint64(b[fxsaveXMM+16*i:]), le.Uint64(b[fxsaveXMM+16*i+8:])}
	}
	return true
}
