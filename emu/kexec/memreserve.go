// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// Bounds for what is read of LINUX_EFI_MEMRESERVE_TABLE and on the way to it.
const (
	maxConfigTables = 1 << 10
	maxReserveLists = 1 << 10
)

// readReservations reads what the running kernel, and those before it, have
// handed to devices for as long as the machine is on, such as GICv3's tables of
// pending interrupts: no kernel may use it again. Linux keeps it in the
// configuration table LINUX_EFI_MEMRESERVE_TABLE (include/linux/efi.h in Linux).
// What was read up to an error is returned beside it.
func (t *deviceTree) readReservations(root fs.FS, memory []efi.MemoryDescriptor) ([]efi.Range, error) {
	system, err := t.systemTable()
	if err != nil {
		return nil, err
	}
	list, err := configurationTables(root, system, memory)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(c efi.ConfigurationTable) bool { return c.VendorGUID == efi.LinuxMemreserveTableGUID })
	if i < 0 {
		return nil, nil
	}
	var all []efi.Range
	at := list[i].VendorTable
	for range maxReserveLists {
		if at == 0 {
			return all, nil
		}
		var head struct {
			Size, Count int32
			Next        efi.Addr
		}
		if err := decodeAt(root, at, &head); err != nil {
			return all, err
		}
		count := min(head.Count, head.Size) // the count is raised before there is an entry
		if count < 0 || len(all)+int(count) > maxSpans {
			return all, fmt.Errorf("a list of %d reservations at %v", head.Count, at)
		}
		entries := make([]struct{ Base, Size uint64 }, count)
		if err := decodeAt(root, at+16, entries); err != nil {
			return all, err
		}
		for _, e := range entries {
			if r, ok := efi.RangeOf(efi.Addr(e.Base), e.Size); ok && e.Size > 0 {
				all = append(all, r)
			}
		}
		at = head.Next
	}
	return all, fmt.Errorf("the list of reservations does not end")
}

// configurationTables reads those of a system table that the running kernel has
// given virtual addresses: the memory map has what they are, if any.
func configurationTables(root fs.FS, system efi.Addr, memory []efi.MemoryDescriptor) ([]efi.ConfigurationTable, error) {
	var st efi.SystemTable
	if err := decodeAt(root, system, &st); err != nil {
		return nil, err
	}
	if st.Signature != efi.SystemTableSignature || st.NumberOfTableEntries > maxConfigTables {
		return nil, fmt.Errorf("no system table at %v", system)
	}
	at := efi.Addr(st.ConfigurationTable)
	for _, d := range memory {
		from := at - d.VirtualStart
		if d.Attribute&efi.MemoryRuntime != 0 && d.VirtualStart != 0 && at >= d.VirtualStart && uint64(from) < d.NumberOfPages*efi.PageSize {
			at = d.PhysicalStart + from
			break
		}
	}
	list := make([]efi.ConfigurationTable, st.NumberOfTableEntries)
	return list, decodeAt(root, at, list)
}

// decodeAt reads a structure, or a slice of them, out of physical memory.
func decodeAt(root fs.FS, at efi.Addr, v any) error {
	n := binary.Size(v)
	if n == 0 {
		return nil
	}
	raw, err := readMemoryAt(root, at, n)
	if err == nil {
		_, err = binary.Decode(raw, binary.LittleEndian, v)
	}
	return err
}
