// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// privileged are the instructions that a processor refuses to user code and a
// machine can answer, each with the exit it becomes. A row's function returns
// false if this form of the instruction is none of them. The program counter
// is moved by the caller.
var privileged = map[x86asm.Op]func(*x86asm.Inst, *cpu.Regs) (cpu.Exit, bool){
	x86asm.IN:     func(i *x86asm.Inst, r *cpu.Regs) (cpu.Exit, bool) { return port(i.Args[0], i.Args[1], r, false) },
	x86asm.OUT:    func(i *x86asm.Inst, r *cpu.Regs) (cpu.Exit, bool) { return port(i.Args[1], i.Args[0], r, true) },
	x86asm.RDMSR:  func(_ *x86asm.Inst, r *cpu.Regs) (cpu.Exit, bool) { return msr(r, false) },
	x86asm.WRMSR:  func(_ *x86asm.Inst, r *cpu.Regs) (cpu.Exit, bool) { return msr(r, true) },
	x86asm.MOV:    control,
	x86asm.CLTS:   exit(cpu.Exit{Kind: cpu.System, Op: cpu.ClearTS}),
	x86asm.HLT:    exit(cpu.Exit{Kind: cpu.Halt}),
	x86asm.CLI:    exit(cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ}),
	x86asm.STI:    exit(cpu.Exit{Kind: cpu.System, Op: cpu.EnableIRQ}),
	x86asm.WBINVD: exit(cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}),
	x86asm.INVD:   exit(cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}),
	x86asm.INVLPG: exit(cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}),
}

func exit(x cpu.Exit) func(*x86asm.Inst, *cpu.Regs) (cpu.Exit, bool) {
	return func(*x86asm.Inst, *cpu.Regs) (cpu.Exit, bool) { return x, true }
}

// port is in and out. The accumulator says how wide.
func port(accumulator, number x86asm.Arg, r *cpu.Regs, out bool) (cpu.Exit, bool) {
	x := cpu.Exit{Kind: cpu.Port, Out: out, Width: 4}
	switch accumulator {
	case x86asm.AL:
		x.Width = 1
	case x86asm.AX:
		x.Width = 2
	}
	switch n := number.(type) {
	case x86asm.Imm:
		x.Number = uint32(uint8(n))
	default:
		x.Number = uint32(uint16(r.GP[cpu.RDX]))
	}
	if out {
		x.Value = r.GP[cpu.RAX] & (1<<(8*x.Width) - 1)
	}
	return x, true
}

// msr is rdmsr and wrmsr.
func msr(r *cpu.Regs, out bool) (cpu.Exit, bool) {
	x := cpu.Exit{Kind: cpu.MSR, Number: uint32(r.GP[cpu.RCX]), Out: out}
	if out {
		x.Value = r.GP[cpu.RDX]<<32 | r.GP[cpu.RAX]&0xffffffff
	}
	return x, true
}

// control is mov from and to a control register.
func control(i *x86asm.Inst, r *cpu.Regs) (cpu.Exit, bool) {
	if n, ok := controlRegister(i.Args[1]); ok {
		reg, ok := general(i.Args[0])
		return cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: reg, Number: n}, ok
	}
	if n, ok := controlRegister(i.Args[0]); ok {
		reg, ok := general(i.Args[1])
		return cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Reg: reg, Number: n, Value: r.GP[reg]}, ok
	}
	return cpu.Exit{}, false
}

func controlRegister(a x86asm.Arg) (uint32, bool) {
	reg, ok := a.(x86asm.Reg)
	return uint32(reg - x86asm.CR0), ok && reg >= x86asm.CR0 && reg <= x86asm.CR15
}

// general is the index in Regs.GP of a 64-bit register.
func general(a x86asm.Arg) (int, bool) {
	reg, ok := a.(x86asm.Reg)
	if !ok || reg < x86asm.RAX || reg > x86asm.R15 {
		return 0, false
	}
	return int(reg - x86asm.RAX), true
}
