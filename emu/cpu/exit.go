// SPDX-License-Identifier: BSD-3-Clause

package cpu

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Kind says why Run returned; Engine.Run says what each promises.
type Kind uint8

// The kinds of Exit.
const (
	Gate Kind = iota + 1
	Fault
	Port
	MSR
	Halt
	System
	Step
	Break
	Interrupted
)

func (k Kind) String() string {
	names := [...]string{"none", "gate", "fault", "port", "msr", "halt", "system", "step", "break", "interrupted"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Exit says why the guest stopped. Which fields hold something depends on Kind.
type Exit struct {
	Kind Kind

	// Fault: what happened, at which address if one is known, and the instruction
	// in the assembler's words if it could be decoded. Break: the address that
	// was reached or written. Port, MSR, Halt, System: where the instruction lies.
	Cause  Cause
	Addr   efi.Addr
	Access mem.Perm
	Inst   string

	// Port: number, width of the access in bytes, direction and, going out, value.
	// MSR: number, direction (Out is wrmsr) and value.
	// System: Op with its operands in Reg (a GP index), Number and Value.
	Number uint32
	Width  uint8
	Out    bool
	Value  uint64
	Op     SystemOp
	Reg    int
}

// Cause is the kind of a Fault.
type Cause uint8

// The causes of a Fault.
const (
	Unknown       Cause = iota
	PageFault           // no memory there, or its protection forbids it
	Protection          // a privileged instruction, a non-canonical address (#GP)
	Illegal             // undefined instruction (#UD)
	Arithmetic          // division by zero or overflow, floating-point exception
	Alignment           // unaligned access where that is checked
	Trap                // a breakpoint instruction outside of the gates
	SystemCall          // syscall, sysenter, int 0x80, svc: there is no operating system
	StackOverflow       // a page fault just below the stack
)

func (c Cause) String() string {
	names := [...]string{
		"fault", "page fault", "protection fault", "illegal instruction",
		"arithmetic fault", "alignment fault", "breakpoint", "system call", "stack overflow",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// BelowStack reports whether a faulting address lies at the stack pointer or just
// below it, with memory that can be written within reach above: that is what tells
// a StackOverflow from other page faults. Writable is asked about pages.
func BelowStack(a, sp efi.Addr, writable func(page efi.Addr) bool) bool {
	const reach = 16 * efi.PageSize
	if a-(sp-efi.PageSize) >= 2*efi.PageSize {
		return false
	}
	for page := a.PageDown(); page-a.PageDown() <= reach; page += efi.PageSize {
		if writable(page) {
			return true
		}
	}
	return false
}

// SystemOp is a privileged instruction that a machine can answer.
type SystemOp uint8

// The privileged operations.
const (
	ReadCR     SystemOp = iota + 1 // x86-64 mov Reg, cr[Number]
	WriteCR                        // x86-64 mov cr[Number], Reg
	ClearTS                        // x86-64 clts
	DisableIRQ                     // x86-64 cli; AArch64 msr daifset
	EnableIRQ                      // x86-64 sti; AArch64 msr daifclr
	CacheSync                      // x86-64 wbinvd, invd; AArch64 ic ialluis and its kin
	ReadSys                        // AArch64 mrs Reg, system register Number
	WriteSys                       // AArch64 msr system register Number, Reg
)

func (op SystemOp) String() string {
	names := [...]string{"none", "read control register", "write control register", "clear task switched",
		"disable interrupts", "enable interrupts", "cache maintenance", "read system register", "write system register"}
	if int(op) < len(names) {
		return names[op]
	}
	return fmt.Sprintf("operation %d", uint8(op))
}

// PortIn completes a Port exit that reads: value goes into al, ax or eax as the
// instruction says.
func (x Exit) PortIn(r *Regs, value uint32) {
	switch x.Width {
	case 1:
		r.GP[RAX] = r.GP[RAX]&^0xff | uint64(value&0xff)
	case 2:
		r.GP[RAX] = r.GP[RAX]&^0xffff | uint64(value&0xffff)
	default:
		r.GP[RAX] = uint64(value)
	}
}
