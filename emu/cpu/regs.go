// SPDX-License-Identifier: BSD-3-Clause

package cpu

// Regs are the integer registers of a guest. GP is indexed as instructions
// encode registers: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15; x0 to
// x30 and, at 31, sp.
type Regs struct {
	PC    uint64
	Flags uint64 // RFLAGS; PSTATE
	GP    [32]uint64
	Base  [2]uint64 // FS and GS base; TPIDR_EL0 and TPIDRRO_EL0
}

// Indexes into Regs.GP that are named in code.
const (
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = 0, 1, 2, 3, 4, 5, 6, 7
	R8, R9                                 = 8, 9

	X0, X29, LR, SP = 0, 29, 30, 31
)

// FPState is what calls preserve of the vector and floating-point unit and what
// a payload is entitled to find set up when it starts (§2.3.4, §2.3.6):
// xmm0 to xmm15 and v0 to v31, and the control words. Wider halves of vector
// registers and the x87 stack are scratch at every call and not carried.
type FPState struct {
	V      [32][16]byte
	Ctrl   uint32 // MXCSR; FPCR
	Status uint32 // FPSR
	X87    uint16 // x87 control word
}

// InitialFP is the state in which an image starts: MXCSR 0x1f80, x87 control
// word 0x37f, as §2.3.4 asks; zeros on AArch64.
func InitialFP(a Arch) FPState {
	if a == ARM64 {
		return FPState{}
	}
	return FPState{Ctrl: 0x1f80, X87: 0x37f}
}
