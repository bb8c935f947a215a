// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"

	"github.com/uefiexec/uefiexec/efi"
)

// memoryAttributesVersion is the one that all kernels read: those of before 2023
// do not know 2, which differs in that Flags means something.
const memoryAttributesVersion = 1

// memoryAttributesSize is the room for the table, in bytes. What does not fit is
// not described, which takes nothing away from it.
const memoryAttributesSize = efi.PageSize

// memoryAttributesHeader is the size of efi.MemoryAttributesTable, in bytes.
const memoryAttributesHeader = 16

// layMemoryAttributes installs a memory attributes table (§4.6.4).
func (m *Machine) layMemoryAttributes() error {
	var err error
	if m.memAttributes, err = m.allocate(efi.RuntimeServicesData, make([]byte, memoryAttributesSize)); err != nil {
		return err
	}
	if err := m.settleMemoryAttributes(); err != nil {
		return err
	}
	return m.InstallConfigurationTable(efi.MemoryAttributesTableGUID, m.memAttributes)
}

// settleMemoryAttributes has the table describe runtime memory as it is now. The
// resident code is read-only: it writes to its pages in SetVirtualAddressMap
// alone. Other code is left out: it is not known where its data is, and Linux
// refuses an entry that is neither RO nor XP.
func (m *Machine) settleMemoryAttributes() error {
	var entries []efi.MemoryDescriptor
	for _, d := range m.mmap.Descriptors() {
		switch {
		case d.Type == efi.RuntimeServicesData:
			entries = append(entries, attributesOf(d.Type, d.Range(), efi.MemoryXP))
		case d.Type == efi.RuntimeServicesCode && d.Range().Covers(m.codeRange):
			entries = append(entries, attributesOf(d.Type, m.codeRange, efi.MemoryRO))
		}
	}
	const most = (memoryAttributesSize - memoryAttributesHeader) / efi.MemoryDescriptorSize
	entries = entries[:min(len(entries), most)]
	raw, err := binary.Append(nil, binary.LittleEndian, efi.MemoryAttributesTable{
		Version:         memoryAttributesVersion,
		NumberOfEntries: uint32(len(entries)),
		DescriptorSize:  efi.MemoryDescriptorSize,
	})
	if err != nil {
		return err
	}
	for i, d := range entries {
		if raw, err = binary.Append(raw[:memoryAttributesHeader+i*efi.MemoryDescriptorSize], binary.LittleEndian, d); err != nil {
			return err
		}
		raw = append(raw, make([]byte, memoryAttributesHeader+(i+1)*efi.MemoryDescriptorSize-len(raw))...)
	}
	return m.mem.Write(m.memAttributes, raw)
}

func attributesOf(t efi.MemoryType, r efi.Range, a efi.MemoryAttribute) efi.MemoryDescriptor {
	return efi.MemoryDescriptor{
		Type: t, PhysicalStart: r.Start, NumberOfPages: r.Size() / efi.PageSize, Attribute: efi.MemoryRuntime | a,
	}
}
