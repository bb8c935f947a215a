// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"debug/elf"
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// core is what the header of an ELF core tells a crash kernel, which makes
// /proc/vmcore of it: where the kernel before it leaves its notes and has its
// memory. Offsets in that file are physical addresses.
type core struct {
	notes []efi.Range // of each processor, and vmcoreinfo
	loads []coreLoad
}

// coreLoad is memory and where the kernel has mapped it; 0 if that is not known.
type coreLoad struct {
	efi.Range
	virtual uint64
}

const (
	coreHeaderSize = 64
	coreEntrySize  = 56
)

// size is that of the encoded header, in bytes.
func (c core) size() uint64 {
	return coreHeaderSize + coreEntrySize*uint64(len(c.notes)+len(c.loads))
}

var coreMachines = map[cpu.Arch]elf.Machine{cpu.AMD64: elf.EM_X86_64, cpu.ARM64: elf.EM_AARCH64}

// encode makes the header, of the form that Linux' fs/proc/vmcore.c checks.
func (c core) encode(arch cpu.Arch) ([]byte, error) {
	machine, ok := coreMachines[arch]
	entries := len(c.notes) + len(c.loads)
	if !ok || entries >= 0xffff { // PN_XNUM, which Linux does not know there
		return nil, fmt.Errorf("kexec: crash kernel: no ELF core header with %d entries for %v", entries, arch)
	}
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{
			0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT),
		},
		Type: uint16(elf.ET_CORE), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: coreHeaderSize, Ehsize: coreHeaderSize, Phentsize: coreEntrySize, Phnum: uint16(entries),
	}
	var list []elf.Prog64
	for _, n := range c.notes {
		list = append(list, elf.Prog64{
			Type: uint32(elf.PT_NOTE), Off: uint64(n.Start), Paddr: uint64(n.Start), Filesz: n.Size(), Memsz: n.Size(),
		})
	}
	for _, l := range c.loads {
		list = append(list, elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
			Off: uint64(l.Start), Vaddr: l.virtual, Paddr: uint64(l.Start), Filesz: l.Size(), Memsz: l.Size(),
		})
	}
	b, err := binary.Append(nil, binary.LittleEndian, header)
	if err != nil {
		return nil, err
	}
	return binary.Append(b, binary.LittleEndian, list)
}
