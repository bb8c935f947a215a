// SPDX-License-Identifier: BSD-3-Clause

package cpu

import "fmt"

// Arch is the architecture of a guest. It has nothing to do with the host's.
type Arch uint8

// The guest architectures.
const (
	AMD64 Arch = iota + 1
	ARM64
)

func (a Arch) String() string {
	switch a {
	case AMD64:
		return "x86-64"
	case ARM64:
		return "AArch64"
	}
	return fmt.Sprintf("arch %d", uint8(a))
}

// Gate is the instruction, repeated, that fills the memory of gates, so that a
// gate stops a real processor too: int3, and brk #0.
func (a Arch) Gate() []byte {
	if a == ARM64 {
		return []byte{0x00, 0x00, 0x20, 0xd4}
	}
	return []byte{0xcc}
}

// ABI is the calling convention that UEFI prescribes for a (§2.3.4, §2.3.6).
func (a Arch) ABI() *ABI {
	if a == ARM64 {
		return &aapcs64
	}
	return &msx64
}

// RegName is the assembler's name of Regs.GP[i].
func (a Arch) RegName(i int) string {
	switch {
	case a == ARM64 && i == 31:
		return "sp"
	case a == ARM64:
		return fmt.Sprintf("x%d", i)
	case i < 8:
		return [...]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"}[i]
	}
	return fmt.Sprintf("r%d", i)
}

// NumGP is how many entries of Regs.GP the architecture uses.
func (a Arch) NumGP() int {
	if a == ARM64 {
		return 32
	}
	return 16
}
