// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

// Selectors, as a user program finds them.
const (
	segCS, segSS   = 1, 2
	userCS, userSS = 0x33, 0x2b
)

func undefined(c *core, _ *inst) bool  { return c.fault(cpu.Illegal) }
func refused(c *core, _ *inst) bool    { return c.fault(cpu.Protection) }
func tooLong(c *core, _ *inst) bool    { return c.fault(cpu.Protection) }
func trapped(c *core, _ *inst) bool    { return c.fault(cpu.Trap) }
func systemCall(c *core, _ *inst) bool { return c.fault(cpu.SystemCall) }

// leaves makes an exit that is behind the instruction.
func (c *core) leaves(x cpu.Exit) bool {
	c.why, c.exit = whyExit, x
	return false
}

func halt(c *core, _ *inst) bool { return c.leaves(cpu.Exit{Kind: cpu.Halt}) }

func interrupts(c *core, in *inst) bool {
	if in.op == 0xfa {
		return c.leaves(cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ})
	}
	return c.leaves(cpu.Exit{Kind: cpu.System, Op: cpu.EnableIRQ})
}

func clearTS(c *core, _ *inst) bool {
	return c.leaves(cpu.Exit{Kind: cpu.System, Op: cpu.ClearTS})
}

func cacheSync(c *core, _ *inst) bool {
	return c.leaves(cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync})
}

// portIO is in and out; bit 0 of in.op says that the number is an immediate.
func portIO(c *core, in *inst) bool {
	x := cpu.Exit{Kind: cpu.Port, Width: 1 << in.sz, Number: uint32(in.imm), Out: in.op&2 != 0}
	if in.op&1 == 0 {
		x.Number = uint32(uint16(c.r[cpu.RDX]))
	}
	if x.Out {
		x.Value = c.get(cpu.RAX, in.sz)
	}
	return c.leaves(x)
}

func msr(c *core, in *inst) bool {
	x := cpu.Exit{Kind: cpu.MSR, Number: uint32(c.r[cpu.RCX]), Out: in.op == 0x30}
	if x.Out {
		x.Value = c.r[cpu.RDX]<<32 | c.r[cpu.RAX]&0xffffffff
	}
	return c.leaves(x)
}

// control decodes the moves from and to control registers. The ModRM byte
// always names a register.
func (d *decoder) control(op uint8) {
	if d.mem {
		d.illegal() // no assembler writes it
		return
	}
	switch d.op = op; d.reg {
	case 0, 2, 3, 4, 8:
		d.fn, d.end = movCR, true
	}
}

func movCR(c *core, in *inst) bool {
	x := cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: int(in.rm), Number: uint32(in.reg)}
	if in.op == 0x22 {
		x.Op, x.Value = cpu.WriteCR, c.r[in.rm&31]
	}
	return c.leaves(x)
}

// group6 is sldt, str, lldt, ltr, verr and verw.
func (d *decoder) group6() {
	d.modrm()
	d.opSize(1)
	if d.mem {
		d.sz = 1
	}
	switch d.ext {
	case 0:
		d.fn = storeWord
	case 1:
		d.imm = 0x40
		d.fn = storeWord
	case 2, 3:
		d.fault(refused)
	case 4, 5:
		d.sz = 1
		d.op = d.ext & 1
		d.fn = verify
	}
}

// storeWord is sldt, str and smsw, with what Linux shows a user program.
func storeWord(c *core, in *inst) bool { return c.setE(in, c.addr(in), in.imm&in.mask) }

// verify is verr and verw.
func verify(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		c.setArith(zf, b2u(v == userSS || v == userCS && in.op == 0)*zf)
	}
	return ok
}

// larLsl knows no descriptors.
func larLsl(c *core, in *inst) bool {
	ok := true
	if in.mem {
		_, ok = c.ld16(c.addr(in))
	}
	if ok {
		c.setArith(zf, 0)
	}
	return ok
}

func (d *decoder) group7() {
	d.modrm()
	d.opSize(1)
	if !d.mem {
		switch d.ext {
		case 4:
			d.imm = 0x80050033
			d.fn = storeWord
		case 6:
			d.fault(refused)
		case 7:
			if d.rm == 0 {
				d.fault(refused)
			} else if d.rm == 1 {
				d.fn = rdtscp
			}
		}
		return
	}
	switch d.ext {
	case 0:
		d.imm = 0xfffffffffffe0000
		d.fn = storeTable
	case 1:
		d.imm = 0xffffffffffff0000
		d.fn = storeTable
	case 2, 3, 6:
		d.fault(refused)
	case 4:
		d.imm, d.sz = 0x80050033, 1
		d.fn = storeWord
	case 7:
		d.fn, d.end = cacheSync, true
	}
}

// storeTable is sgdt and sidt, with the values that Linux shows where the
// processor refuses them to user code.
func storeTable(c *core, in *inst) bool {
	var b [10]byte
	le.PutUint64(b[2:], in.imm)
	return c.writeBytes(c.addr(in), b[:])
}

func movFromSeg(c *core, in *inst) bool { return c.setE(in, c.addr(in), uint64(c.seg[in.op])) }

// loadSeg loads a segment register. There are a null and one data segment.
func (c *core) loadSeg(i uint8, v uint16) bool {
	if v > 3 && v != userSS || v <= 3 && i == segSS {
		return c.fault(cpu.Protection)
	}
	c.seg[i] = v
	switch i {
	case 4:
		c.r[regFS] = 0
	case 5:
		c.r[regGS] = 0
	}
	return true
}

func movToSeg(c *core, in *inst) bool {
	v, ok := c.get(in.rm, 1), true
	if in.mem {
		v, ok = c.ld16(c.addr(in))
	}
	return ok && c.loadSeg(in.op, uint16(v))
}

// loadFar is lss, lfs and lgs.
func loadFar(c *core, in *inst) bool {
	a := c.addr(in)
	v, ok := c.ld(a, in.sz)
	if !ok {
		return false
	}
	selector, ok := c.ld16(a + 1<<in.sz)
	if !ok || !c.loadSeg(in.op, uint16(selector)) {
		return false
	}
	c.set(in.reg, in.sz, v)
	return true
}

func pushSeg(c *core, in *inst) bool { return c.push(uint64(c.seg[in.op]), in.sz) }

func popSeg(c *core, in *inst) bool {
	v, ok := c.ld16(c.r[cpu.RSP])
	if !ok || !c.loadSeg(in.op, uint16(v)) {
		return false
	}
	c.r[cpu.RSP] += 1 << in.sz
	return true
}

// rdtsc reads the number of instructions executed.
func rdtsc(c *core, in *inst) bool {
	t := c.count + uint64(in.n)
	c.r[cpu.RAX], c.r[cpu.RDX] = t&0xffffffff, t>>32
	return true
}

func rdtscp(c *core, in *inst) bool {
	c.r[cpu.RCX] = 0
	return rdtsc(c, in)
}

// rdpid reads the number of the processor.
func rdpid(c *core, in *inst) bool {
	c.set(in.rm, in.sz, 0)
	return true
}
