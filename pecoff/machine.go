// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import "fmt"

// Machine is the instruction set an image is built for (UEFI 2.10 §2.1.1, PE/COFF
// specification "Machine Types").
type Machine uint16

// AMD64 and ARM64 are the machines whose images [Image.Check] admits by default. The others can
// be parsed, laid out and digested.
const (
	I386        Machine = 0x014c
	ARM         Machine = 0x01c0
	ARMThumb    Machine = 0x01c2
	ARMNT       Machine = 0x01c4
	IA64        Machine = 0x0200
	EBC         Machine = 0x0ebc
	RISCV32     Machine = 0x5032
	RISCV64     Machine = 0x5064
	RISCV128    Machine = 0x5128
	LoongArch32 Machine = 0x6232
	LoongArch64 Machine = 0x6264
	AMD64       Machine = 0x8664
	ARM64       Machine = 0xaa64
)

// String is the constant's name, or the number as 0x%04x.
func (m Machine) String() string {
	switch m {
	case I386:
		return "I386"
	case ARM:
		return "ARM"
	case ARMThumb:
		return "ARMThumb"
	case ARMNT:
		return "ARMNT"
	case IA64:
		return "IA64"
	case EBC:
		return "EBC"
	case RISCV32:
		return "RISCV32"
	case RISCV64:
		return "RISCV64"
	case RISCV128:
		return "RISCV128"
	case LoongArch32:
		return "LoongArch32"
	case LoongArch64:
		return "LoongArch64"
	case AMD64:
		return "AMD64"
	case ARM64:
		return "ARM64"
	}
	return fmt.Sprintf("0x%04x", uint16(m))
}

// Subsystem says what kind of program an image is (UEFI 2.10 §2.1.1).
type Subsystem uint16

const (
	Native            Subsystem = 1
	WindowsGUI        Subsystem = 2
	WindowsCUI        Subsystem = 3
	Application       Subsystem = 10
	BootServiceDriver Subsystem = 11
	RuntimeDriver     Subsystem = 12
	ROM               Subsystem = 13
	WindowsBoot       Subsystem = 16
)

// IsEFI reports whether LoadImage takes images of this subsystem: EFI applications, boot
// service drivers and runtime drivers.
func (s Subsystem) IsEFI() bool { return s >= Application && s <= RuntimeDriver }

// String is a short name, or the number as 0x%04x.
func (s Subsystem) String() string {
	switch s {
	case Native:
		return "native"
	case WindowsGUI:
		return "Windows GUI"
	case WindowsCUI:
		return "Windows console"
	case Application:
		return "EFI application"
	case BootServiceDriver:
		return "EFI boot service driver"
	case RuntimeDriver:
		return "EFI runtime driver"
	case ROM:
		return "EFI ROM"
	case WindowsBoot:
		return "Windows boot application"
	}
	return fmt.Sprintf("0x%04x", uint16(s))
}
