// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// readTreeMemory reads the memory map of a machine with a device tree: that of
// EFI, if /chosen says where it is, or else that of the tree.
func readTreeMemory(root fs.FS) (spans []span, kept []efi.Range, err error) {
	tree, err := readDeviceTree(root)
	if err != nil {
		return nil, nil, err
	}
	m, err := tree.efiMap()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		spans, err = tree.memory()
	case err == nil:
		var descs []efi.MemoryDescriptor
		if descs, err = m.read(root); err == nil {
			spans = tree.efiMemory(descs)
			lasting, _ := tree.readReservations(root, descs) // what cannot be read can only be left out
			for _, r := range lasting {
				spans = append(spans, span{r, useACPITables}) // to kernels, RAM that is in use
			}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	unmapped, kept, err := tree.reserved()
	spans = append(spans, unmapped...)
	if len(spans) > maxSpans {
		return nil, nil, fmt.Errorf("a memory map of %d ranges", len(spans))
	}
	return spans, kept, err
}

// memory is the RAM of the machine without what firmware has reserved of it
// (Devicetree Specification 0.4, §3.4 and §5.3). What was reserved for the
// initrd that the running kernel was booted with, or for the list of IMA's that it
// has taken over, is not.
func (t *deviceTree) memory() ([]span, error) {
	var spans []span
	for _, n := range t.RootNode.Children {
		if kind, ok := n.LookProperty("device_type"); !ok || string(kind.Value) != "memory\x00" || !enabled(n) {
			continue
		}
		list, err := ranges(n, "reg", t.address, t.size)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			spans = append(spans, span{r, useRAM})
		}
	}
	initrd, list := t.initrd(), t.handedOver()
	for _, e := range t.ReserveEntries {
		if r, ok := efi.RangeOf(efi.Addr(e.Address), e.Size); ok && !initrd.Covers(r) && !slices.Contains(list, r) {
			spans = append(spans, span{r, useReserved})
		}
	}
	return spans, nil
}

// initrd is where the running kernel has got its initrd, in whole pages.
func (t *deviceTree) initrd() efi.Range {
	start, err := t.chosenNumber("linux,initrd-start", 8)
	if err != nil {
		return efi.Range{}
	}
	end, err := t.chosenNumber("linux,initrd-end", 8)
	if err != nil || start >= end || end > maxAddress {
		return efi.Range{}
	}
	return efi.Range{Start: efi.Addr(start).PageDown(), End: efi.Addr(end + efi.PageSize - 1).PageDown()}
}

// reserved is what the tree sets aside of the memory (Devicetree Specification
// 0.4, §3.5): what must not be mapped is no RAM at all, the rest is memory with a
// purpose, which the next kernel finds in its tree again.
func (t *deviceTree) reserved() (unmapped []span, kept []efi.Range, err error) {
	parent, ok := t.RootNode.LookupChildByName("reserved-memory")
	if !ok {
		return nil, nil, nil
	}
	address, size, err := cells(parent)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range parent.Children {
		if !enabled(n) {
			continue
		}
		list, err := ranges(n, "reg", address, size)
		if err != nil {
			return nil, nil, err
		}
		if _, ok := n.LookProperty("no-map"); !ok {
			kept = append(kept, list...)
			continue
		}
		for _, r := range list {
			unmapped = append(unmapped, span{r, useReserved})
		}
	}
	return unmapped, kept, nil
}

// efiMemory is what the memory of EFI's map is for. What an earlier kernel has
// handed IMA's list over in was free again when the running kernel had read it.
func (t *deviceTree) efiMemory(descs []efi.MemoryDescriptor) []span {
	list := t.handedOver()
	var spans []span
	for _, d := range descs {
		u := useReserved
		switch d.Type {
		case efi.LoaderCode, efi.LoaderData, efi.BootServicesCode, efi.BootServicesData, efi.ConventionalMemory:
			u = useRAM
			if d.Attribute&efi.MemorySP != 0 && d.Type == efi.ConventionalMemory {
				u = useSoftReserved
			}
			if d.Attribute&efi.MemoryWB == 0 {
				u = useReserved
			}
		case efi.ACPIReclaimMemory:
			u = useACPITables
		case efi.ACPIMemoryNVS:
			u = useACPINVS
		case efi.PersistentMemory:
			u = usePersistent
		case efi.UnusableMemory:
			u = useUnusable
		}
		for _, r := range split(d.Range(), list) {
			if u == useACPITables && slices.Contains(list, r) {
				spans = append(spans, span{r, useRAM})
			} else {
				spans = append(spans, span{r, u})
			}
		}
	}
	return spans
}

// handedOver is the memory, one range, in which an earlier kernel has left IMA's
// list, nil if it has not.
func (t *deviceTree) handedOver() []efi.Range {
	c := t.chosen()
	if c == nil {
		return nil
	}
	list, err := ranges(c, imaProperty, t.address, t.size)
	if err != nil || len(list) != 1 {
		return nil
	}
	return list
}
