// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// access finds out what a page fault at a was, as ptrace does not tell: what
// the page's protection leaves, and else what the instruction does.
func (e *engine) access(a efi.Addr, r *cpu.Regs, inst *x86asm.Inst, decoded bool) mem.Perm {
	perm := e.permission(a)
	behind := uint64(a) - r.PC
	switch {
	case behind == 0, behind < 15 && perm&mem.Executable == 0 && a.PageAligned() && !decoded:
		return mem.Executable
	case perm&mem.Readable != 0:
		return mem.Writable
	case !decoded:
		return mem.Readable
	case writes(inst, uint64(a), r):
		return mem.Writable
	}
	return mem.Readable
}

// readers are the instructions whose first operand is read only.
var readers = map[x86asm.Op]bool{
	x86asm.CMP: true, x86asm.TEST: true, x86asm.BT: true, x86asm.JMP: true, x86asm.NOP: true,
	x86asm.MUL: true, x86asm.IMUL: true, x86asm.DIV: true, x86asm.IDIV: true,
	x86asm.UCOMISS: true, x86asm.UCOMISD: true, x86asm.COMISS: true, x86asm.COMISD: true, x86asm.PTEST: true,
	x86asm.FADD: true, x86asm.FMUL: true, x86asm.FCOM: true, x86asm.FCOMP: true,
	x86asm.FSUB: true, x86asm.FSUBR: true, x86asm.FDIV: true, x86asm.FDIVR: true,
	x86asm.FIADD: true, x86asm.FIMUL: true, x86asm.FICOM: true, x86asm.FICOMP: true,
	x86asm.FISUB: true, x86asm.FISUBR: true, x86asm.FIDIV: true, x86asm.FIDIVR: true,
	x86asm.FLD: true, x86asm.FILD: true, x86asm.FBLD: true, x86asm.FLDCW: true, x86asm.FLDENV: true, x86asm.FRSTOR: true,
	x86asm.FXRSTOR: true, x86asm.FXRSTOR64: true, x86asm.XRSTOR: true, x86asm.XRSTOR64: true, x86asm.LDMXCSR: true,
	x86asm.SCASB: true, x86asm.SCASW: true, x86asm.SCASD: true, x86asm.SCASQ: true,
	x86asm.CMPSB: true, x86asm.CMPSW: true, x86asm.CMPSD: true, x86asm.CMPSQ: true,
	x86asm.LODSB: true, x86asm.LODSW: true, x86asm.LODSD: true, x86asm.LODSQ: true,
	x86asm.POP: true, x86asm.POPF: true, x86asm.POPFQ: true, x86asm.RET: true, x86asm.LEAVE: true,
}

// writes reports whether inst, which touched a, wrote there.
func writes(inst *x86asm.Inst, a uint64, r *cpu.Regs) bool {
	switch inst.Op {
	case x86asm.PUSH, x86asm.CALL:
		// The operand may lie in memory too, and is read first.
		m, ok := inst.Args[0].(x86asm.Mem)
		return !ok || effective(m, inst, r) != a
	case x86asm.PUSHF, x86asm.PUSHFQ, x86asm.ENTER:
		return true
	case x86asm.MOVSB, x86asm.MOVSW, x86asm.MOVSD, x86asm.MOVSQ:
		if _, vector := inst.Args[0].(x86asm.Reg); vector {
			return false
		}
		return a-r.GP[cpu.RDI] < 8
	case x86asm.XCHG, x86asm.XADD:
		return true
	}
	if _, ok := inst.Args[0].(x86asm.Mem); !ok {
		return false
	}
	if m, ok := inst.Args[0].(x86asm.Mem); inst.Op == x86asm.POP && ok {
		return effective(m, inst, r) == a
	}
	return !readers[inst.Op]
}

// effective is the address of a memory operand.
func effective(m x86asm.Mem, inst *x86asm.Inst, r *cpu.Regs) uint64 {
	a := uint64(m.Disp)
	switch m.Base {
	case x86asm.RIP, x86asm.EIP:
		a += r.PC + uint64(inst.Len)
	default:
		a += value(m.Base, r)
	}
	a += value(m.Index, r) * uint64(m.Scale)
	switch m.Segment {
	case x86asm.FS:
		a += r.Base[0]
	case x86asm.GS:
		a += r.Base[1]
	}
	return a
}

// value is what an address register holds.
func value(reg x86asm.Reg, r *cpu.Regs) uint64 {
	switch {
	case reg >= x86asm.RAX && reg <= x86asm.R15:
		return r.GP[reg-x86asm.RAX]
	case reg >= x86asm.EAX && reg <= x86asm.R15L:
		return r.GP[reg-x86asm.EAX] & 0xffffffff
	}
	return 0
}

// writable is whether the guest can write to a page.
func (e *engine) writable(page efi.Addr) bool { return e.permission(page)&mem.Writable != 0 }
