// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

func jmp(c *core, in *inst) bool {
	c.pc = in.disp
	return true
}

func jcc(c *core, in *inst) bool {
	if c.cond(in.op) {
		c.pc = in.disp
	} else {
		c.pc = in.next
	}
	return true
}

// loop is loopne, loope, loop and jrcxz.
func loop(c *core, in *inst) bool {
	n := c.r[1]
	if in.op != 3 {
		n--
	}
	if in.a32 {
		n = uint64(uint32(n))
	}
	taken := n != 0
	switch in.op {
	case 0:
		taken = taken && c.sync()&zf == 0
	case 1:
		taken = taken && c.sync()&zf != 0
	case 3:
		taken = !taken
	}
	if in.op != 3 {
		c.r[1] = n
	}
	c.pc = in.next
	if taken {
		c.pc = in.disp
	}
	return true
}

func call(c *core, in *inst) bool {
	sp := c.r[cpu.RSP] - 8
	if !c.st64(sp, in.next) {
		return false
	}
	c.r[cpu.RSP] = sp
	c.pc = in.disp
	return true
}

func callE(c *core, in *inst) bool {
	to, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if !canonical(to) {
		return c.fault(cpu.Protection)
	}
	sp := c.r[cpu.RSP] - 8
	if !c.st64(sp, in.next) {
		return false
	}
	c.r[cpu.RSP] = sp
	c.pc = to
	return true
}

func jmpE(c *core, in *inst) bool {
	to, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if !canonical(to) {
		return c.fault(cpu.Protection)
	}
	c.pc = to
	return true
}

func ret(c *core, in *inst) bool {
	to, ok := c.ld64(c.r[cpu.RSP])
	if !ok {
		return false
	}
	if !canonical(to) {
		return c.fault(cpu.Protection)
	}
	c.r[cpu.RSP] += 8 + in.imm
	c.pc = to
	return true
}

func (c *core) push(v uint64, sz uint8) bool {
	sp := c.r[cpu.RSP] - 1<<sz
	if !c.st(sp, sz, v) {
		return false
	}
	c.r[cpu.RSP] = sp
	return true
}

func push(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	return ok && c.push(v, in.sz)
}

func pushImm(c *core, in *inst) bool { return c.push(in.imm, in.sz) }

func popReg(c *core, in *inst) bool {
	v, ok := c.ld(c.r[cpu.RSP], in.sz)
	if !ok {
		return false
	}
	c.r[cpu.RSP] += 1 << in.sz
	c.set(in.rm, in.sz, v)
	return true
}

// popE computes the destination's address with the stack pointer behind the
// value.
func popE(c *core, in *inst) bool {
	if !in.mem {
		return popReg(c, in)
	}
	v, ok := c.ld(c.r[cpu.RSP], in.sz)
	if !ok {
		return false
	}
	c.r[cpu.RSP] += 1 << in.sz
	if !c.st(c.addr(in), in.sz, v) {
		c.r[cpu.RSP] -= 1 << in.sz
		return false
	}
	return true
}

func pushf(c *core, in *inst) bool { return c.push(c.sync()&^hidden, in.sz) }

func popf(c *core, in *inst) bool {
	v, ok := c.ld(c.r[cpu.RSP], in.sz)
	if !ok {
		return false
	}
	c.r[cpu.RSP] += 1 << in.sz
	which := uint64(userFlags)
	if in.sz == 1 {
		which &= 0xffff
	}
	c.flags, c.lk = c.sync()&^which|v&which, lkNone
	c.pc = in.next
	if c.flags&tf != 0 {
		c.budget = 0 // the next instruction traps
	}
	return true
}

func enter(c *core, in *inst) bool {
	n, level := uint64(1)<<in.sz, in.op&31
	sp := c.r[cpu.RSP] - n
	frame := sp
	if !c.st(sp, in.sz, c.get(cpu.RBP, in.sz)) {
		return false
	}
	for i := uint64(1); i < uint64(level); i++ {
		v, ok := c.ld(c.r[cpu.RBP]-i*n, in.sz)
		if sp -= n; !ok || !c.st(sp, in.sz, v) {
			return false
		}
	}
	if level > 0 {
		if sp -= n; !c.st(sp, in.sz, frame) {
			return false
		}
	}
	sp -= in.imm
	if !c.writable(sp, n) {
		return false
	}
	c.r[cpu.RSP] = sp
	c.set(cpu.RBP, in.sz, frame)
	return true
}

func leaveFrame(c *core, in *inst) bool {
	v, ok := c.ld(c.r[cpu.RBP], in.sz)
	if !ok {
		return false
	}
	c.r[cpu.RSP] = c.r[cpu.RBP] + 1<<in.sz
	c.set(cpu.RBP, in.sz, v)
	return true
}
