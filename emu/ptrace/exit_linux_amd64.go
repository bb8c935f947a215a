// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"fmt"
	"os"

	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Values of siginfo_t's si_code (asm-generic/siginfo.h).
const (
	siKernel = 0x80 // any signal: the kernel's own, without details

	busAdrAln = 1
	trapBrkPt = 1
	trapTrace = 2

	// syscallStop is in the signal of a stop at a system call, as
	// PTRACE_O_TRACESYSGOOD asks.
	syscallStop = 0x80

	vsyscallPage = 0xffffffffff600000
)

// exit says what a stop of the child means, with r already read.
func (e *engine) exit(sig unix.Signal, r *cpu.Regs) (cpu.Exit, error) {
	switch {
	case sig == unix.SIGTRAP|syscallStop:
		return e.systemCall(r), nil
	case harmless(sig) && !e.narrow:
		return cpu.Exit{Kind: cpu.Interrupted}, nil
	}
	if err := e.getSiginfo(); err != nil {
		return cpu.Exit{}, os.NewSyscallError("ptrace(PTRACE_GETSIGINFO)", err)
	}
	code := e.info.code()
	if code <= 0 && !harmless(sig) {
		return cpu.Exit{}, fmt.Errorf("the guest's process got a %s from process %d", unix.SignalName(sig), e.info.sender())
	}
	x := cpu.Exit{Kind: cpu.Fault}
	if e.narrow {
		return e.leftLongMode(sig, r), nil
	}
	switch sig {
	case unix.SIGTRAP:
		return e.trap(r, code), nil
	case unix.SIGSYS:
		// A call into the vsyscall page, which the kernel has returned from.
		r.PC = uint64(e.info.addr())
		r.GP[cpu.RSP] -= 8
		x.Cause, x.Inst = cpu.SystemCall, "vsyscall"
		return x, nil
	case unix.SIGILL:
		x.Cause = cpu.Illegal
	case unix.SIGFPE:
		x.Cause = cpu.Arithmetic
	case unix.SIGBUS:
		switch code {
		case busAdrAln:
			x.Cause = cpu.Alignment
		case siKernel:
			x.Cause = cpu.Protection // a non-canonical address by way of rsp
		default:
			return cpu.Exit{}, fmt.Errorf("no memory for the guest's page %v: %w", e.info.addr().PageDown(), unix.ENOMEM)
		}
	case unix.SIGSEGV:
		x.Cause = cpu.Protection
		if code != siKernel {
			x.Cause, x.Addr = cpu.PageFault, e.info.addr()
		}
	default:
		return cpu.Exit{}, fmt.Errorf("the guest's process was stopped by %s", unix.SignalName(sig))
	}
	return e.refine(x, r), nil
}

// refine looks at the instruction that x is about.
func (e *engine) refine(x cpu.Exit, r *cpu.Regs) cpu.Exit {
	if x.Cause == cpu.PageFault && vsyscallPage <= r.PC && r.PC < vsyscallPage+efi.PageSize {
		x.Cause, x.Access, x.Inst = cpu.SystemCall, mem.Executable, "vsyscall"
		return x
	}
	code := e.code(r.PC)
	inst, ok := decode(code)
	if ok {
		x.Inst = x86asm.GNUSyntax(inst, r.PC, nil)
	} else {
		x.Inst = fmt.Sprintf("% x", code)
	}
	switch {
	case x.Cause == cpu.PageFault:
		x.Access = e.access(x.Addr, r, &inst, ok)
		if x.Access != mem.Executable && cpu.BelowStack(x.Addr, efi.Addr(r.GP[cpu.RSP]), e.writable) {
			x.Cause = cpu.StackOverflow
		} else if x.Access == mem.Executable && uint64(x.Addr) == r.PC {
			x.Inst = ""
		}
	case !ok:
	case inst.Op == x86asm.SYSCALL, inst.Op == x86asm.SYSENTER,
		inst.Op == x86asm.INT && inst.Args[0] == x86asm.Arg(x86asm.Imm(0x80)):
		x.Cause = cpu.SystemCall
	case x.Cause == cpu.Protection:
		if row := privileged[inst.Op]; row != nil {
			if y, ok := row(&inst, r); ok {
				y.Addr, y.Inst = efi.Addr(r.PC), x.Inst
				r.PC += uint64(inst.Len)
				return y
			}
		}
	}
	return x
}

// leftLongMode is the fault of a guest that is not in 64-bit mode any more. On
// some processors sysenter has this effect: the kernel takes the program for a
// 32-bit one and returns to where the vdso would be.
func (e *engine) leftLongMode(sig unix.Signal, r *cpu.Regs) cpu.Exit {
	x := cpu.Exit{Kind: cpu.Fault, Cause: cpu.Protection, Inst: "in 32-bit mode"}
	if sig == unix.SIGSEGV && e.landed(r) {
		x.Cause, x.Inst = cpu.SystemCall, "sysenter"
	}
	return x
}

// landed reports whether r is where the kernel returns to from a sysenter: at a
// place in the vdso, by the lower half of its address.
func (e *engine) landed(r *cpu.Regs) bool { return (r.PC-e.vdso)&0xffffffff < 4*efi.PageSize }

// systemCall is the fault of an instruction that calls an operating system. It
// puts back what the processor and the kernel have changed.
func (e *engine) systemCall(r *cpu.Regs) cpu.Exit {
	r.GP[cpu.RAX] = e.regs.Orig_rax
	x := cpu.Exit{Kind: cpu.Fault, Cause: cpu.SystemCall, Inst: "system call"}
	if e.narrow {
		if e.landed(r) {
			x.Inst = "sysenter"
		}
		return x
	}
	r.PC -= 2
	if inst, ok := decode(e.code(r.PC)); ok {
		x.Inst = x86asm.GNUSyntax(inst, r.PC, nil)
	}
	return x
}

// trap is a debug exception or a breakpoint instruction.
func (e *engine) trap(r *cpu.Regs, code int32) cpu.Exit {
	x := cpu.Exit{Kind: cpu.Fault, Cause: cpu.Trap}
	if code == siKernel {
		if e.gates.Contains(efi.Addr(r.PC - 1)) {
			r.PC--
			return cpu.Exit{Kind: cpu.Gate}
		}
		r.PC--
		if b := e.code(r.PC); len(b) > 0 && b[0] == 0x03 {
			r.PC-- // int 3 in two bytes
		}
	} else if b := e.code(r.PC - 1); len(b) > 0 && b[0] == 0xf1 {
		r.PC-- // int1
	}
	if inst, ok := decode(e.code(r.PC)); ok {
		x.Inst = x86asm.GNUSyntax(inst, r.PC, nil)
	}
	return x
}

// decode is the instruction at the start of code, or false if there is no whole
// one.
func decode(code []byte) (x86asm.Inst, bool) {
	inst, err := x86asm.Decode(code, 64)
	return inst, err == nil && inst.Op != 0
}

// code returns the bytes at pc, as many as an instruction can have and there
// are.
func (e *engine) code(pc uint64) []byte {
	const longest = 15
	a := efi.Addr(pc)
	if code, err := e.mem.Fetch(a, longest); err == nil {
		return code
	}
	code, _ := e.mem.Fetch(a, uint64(min(longest, a.PageDown()+efi.PageSize-a)))
	return code
}
