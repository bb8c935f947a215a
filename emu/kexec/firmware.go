// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// tableNames are the tables that are taken from /sys/firmware/efi/systab.
var tableNames = map[string]efi.GUID{
	"ACPI20": efi.ACPI20TableGUID,
	"ACPI":   efi.ACPITableGUID,
}

// readTables finds the ACPI tables: as the kernel was told of them by firmware
// with EFI, or where a BIOS puts them.
func readTables(root fs.FS, h *Host) {
	if text, err := fs.ReadFile(root, "sys/firmware/efi/systab"); err == nil {
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			at, err := strconv.ParseUint(strings.TrimPrefix(value, "0x"), 16, 64)
			if guid, known := tableNames[name]; known && err == nil {
				h.add(guid, efi.Addr(at))
			}
		}
		return
	}
	if at, ok := bootParamsRSDP(root); ok {
		h.add(efi.ACPI20TableGUID, at)
	}
	if h.Arch == cpu.AMD64 {
		scanBIOS(root, h)
	}
}

// add notes a table, once.
func (h *Host) add(guid efi.GUID, at efi.Addr) {
	for _, t := range h.Tables {
		if t.VendorGUID == guid {
			return
		}
	}
	if at != 0 {
		h.Tables = append(h.Tables, efi.ConfigurationTable{VendorGUID: guid, VendorTable: at})
	}
}

// bootParamsRSDP reads the RSDP's address out of Linux's struct boot_params, at
// 0x070, where a boot loader may have put it.
func bootParamsRSDP(root fs.FS) (efi.Addr, bool) {
	const offset = 0x70
	raw, err := fs.ReadFile(root, "sys/kernel/boot_params/data")
	if err != nil || len(raw) < offset+8 {
		return 0, false
	}
	at := efi.Addr(binary.LittleEndian.Uint64(raw[offset:]))
	return at, at != 0
}

// readPhysical reads physical memory through /dev/mem.
func readPhysical(root fs.FS, a efi.Addr, n int) ([]byte, error) {
	file, err := root.Open("dev/mem")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	at, ok := file.(io.ReaderAt)
	if !ok {
		return nil, fs.ErrInvalid
	}
	b := make([]byte, n)
	got, err := at.ReadAt(b, int64(a))
	if got == n {
		return b, nil
	}
	if device, ok := file.(*os.File); ok && n <= maxContent {
		err = mapPhysical(device, int64(a), b)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// biosArea is where a BIOS has the anchors of its tables.
var biosArea = efi.Range{Start: 0xe0000, End: 0x100000}

// scanBIOS looks for ACPI's anchor where a BIOS has it (ACPI 6.5, §5.2.5.1): in
// the extended data area, of which the BIOS notes the segment at 0x40e, and in
// biosArea. The payload gets to see both.
func scanBIOS(root fs.FS, h *Host) {
	if segment, err := readPhysical(root, 0x40e, 2); err == nil {
		at := efi.Addr(binary.LittleEndian.Uint16(segment)) << 4
		if at >= 0x400 {
			scanArea(root, h, efi.Range{Start: at, End: at + 1024})
		}
	}
	scanArea(root, h, biosArea)
}

// scanArea looks for ACPI's anchor at the multiples of 16 in an area.
func scanArea(root fs.FS, h *Host, r efi.Range) {
	area, err := readPhysical(root, r.Start, int(r.Size()))
	if err != nil || h.hasRAM(r) {
		return
	}
	h.Contents = append(h.Contents, emu.Content{Addr: r.Start, Data: area})
	for at := 0; at+32 <= len(area); at += 16 {
		if entry := area[at:]; bytes.HasPrefix(entry, []byte(rsdpSignature)) && sum(entry[:20]) == 0 {
			if entry[15] >= 2 {
				h.add(efi.ACPI20TableGUID, r.Start+efi.Addr(at))
			}
			h.add(efi.ACPITableGUID, r.Start+efi.Addr(at))
		}
	}
}

// readSMBIOS takes the SMBIOS tables, and the entry point that says where they
// lie, from the kernel's copy (SMBIOS 3.7, §5.2.1 and §5.2.2).
func readSMBIOS(root fs.FS, h *Host) {
	const dir = "sys/firmware/dmi/tables/"
	entry, err := fs.ReadFile(root, dir+"smbios_entry_point")
	if err != nil {
		return
	}
	data, err := fs.ReadFile(root, dir+"DMI")
	if err != nil || len(data) == 0 || len(data) > maxContent {
		return
	}
	entry, at, ok := smbiosEntry(entry)
	if !ok {
		return
	}
	if r, ok := efi.RangeOf(at, uint64(len(data))); !ok || h.hasRAM(r) {
		return // tables that the payload could overwrite
	}
	h.SMBIOS = entry
	h.Contents = append(h.Contents, emu.Content{Addr: at, Data: data})
}

// smbiosEntry checks an SMBIOS entry point, and returns it without what may be
// behind it and where it says that the tables are.
func smbiosEntry(entry []byte) (trimmed []byte, tables efi.Addr, ok bool) {
	whole := func(n byte) bool { return int(n) <= len(entry) && sum(entry[:n]) == 0 }
	switch {
	case len(entry) >= 24 && bytes.HasPrefix(entry, []byte("_SM3_")) && entry[6] >= 24 && whole(entry[6]):
		return entry[:entry[6]], efi.Addr(binary.LittleEndian.Uint64(entry[16:])), true
	case len(entry) >= 31 && bytes.HasPrefix(entry, []byte("_SM_")) && bytes.Equal(entry[16:21], []byte("_DMI_")) && entry[5] >= 30 && whole(entry[5]):
		// SMBIOS 2.1 has 30 for the length by mistake.
		return entry[:max(entry[5], 31)], efi.Addr(binary.LittleEndian.Uint32(entry[24:])), true
	}
	return nil, 0, false
}

// hasRAM reports whether a range touches memory that a payload may be given.
func (h *Host) hasRAM(r efi.Range) bool {
	return slices.ContainsFunc(h.Memory, func(d efi.MemoryDescriptor) bool {
		return d.Type == efi.ConventionalMemory && d.Range().Overlaps(r)
	})
}

func sum(b []byte) byte {
	var s byte
	for _, c := range b {
		s += c
	}
	return s
}

// maxContent bounds what is copied of one range of tables, in bytes.
const maxContent = 16 << 20

// readContents copies the memory that ACPI's tables lie in, as far as it may be
// read.
func readContents(root fs.FS, h *Host) {
	for _, d := range h.Memory {
		switch d.Type {
		case efi.ACPIReclaimMemory, efi.ACPIMemoryNVS:
			if d.NumberOfPages*efi.PageSize > maxContent {
				continue
			}
			if data, err := readMemoryAt(root, d.PhysicalStart, int(d.NumberOfPages*efi.PageSize)); err == nil {
				h.Contents = append(h.Contents, emu.Content{Addr: d.PhysicalStart, Data: data})
			}
		}
	}
}
