// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

const (
	rsdpSignature = "RSD PTR "
	maxTable      = 1 << 20 // bytes of one ACPI table
	maxTables     = 512
)

// acpiReader copies ACPI's tables, as far as they may be read.
type acpiReader struct {
	root fs.FS
	host *Host
	seen map[efi.Addr]bool
}

// readACPI follows the root pointers to ACPI's tables and copies those that no
// Contents have yet: firmware has them in memory that it describes as reserved,
// too, where the payload would find nothing at all.
func readACPI(root fs.FS, h *Host) {
	r := acpiReader{root, h, map[efi.Addr]bool{}}
	for _, t := range h.Tables {
		rsdp, err := readMemoryAt(root, t.VendorTable, 20)
		if err != nil || !bytes.HasPrefix(rsdp, []byte(rsdpSignature)) {
			continue
		}
		r.roots(efi.Addr(binary.LittleEndian.Uint32(rsdp[16:])), 4)
		if rsdp[15] < 2 {
			r.keep(t.VendorTable, rsdp)
			continue
		}
		if rsdp, err = readMemoryAt(root, t.VendorTable, 36); err == nil {
			r.keep(t.VendorTable, rsdp)
			r.roots(efi.Addr(binary.LittleEndian.Uint64(rsdp[24:])), 8)
		}
	}
}

// roots copies the RSDT or XSDT at an address, and the tables that it has
// pointers of so many bytes to (ACPI 6.5, §5.2.7 and §5.2.8).
func (r *acpiReader) roots(at efi.Addr, size int) {
	table := r.table(at)
	if len(table) < 36 {
		return
	}
	for entries := table[36:]; len(entries) >= size; entries = entries[size:] {
		table := r.table(pointer(entries[:size]))
		if !bytes.HasPrefix(table, []byte("FACP")) {
			continue
		}
		for _, field := range [...][2]int{{36, 4}, {40, 4}, {132, 8}, {140, 8}} { // FACS and DSDT, then both with 64 bits (§5.2.9)
			if start, end := field[0], field[0]+field[1]; end <= len(table) {
				r.table(pointer(table[start:end]))
			}
		}
	}
}

func pointer(raw []byte) efi.Addr {
	var wide [8]byte
	copy(wide[:], raw)
	return efi.Addr(binary.LittleEndian.Uint64(wide[:]))
}

// table copies the table at an address, which begins with a signature and a
// length of 32 bits each, once. It returns nil if there is none.
func (r *acpiReader) table(at efi.Addr) []byte {
	if at == 0 || r.seen[at] || len(r.seen) == maxTables {
		return nil
	}
	r.seen[at] = true
	head, err := readMemoryAt(r.root, at, 8)
	if err != nil {
		return nil
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n < 8 || n > maxTable {
		return nil
	}
	table, err := readMemoryAt(r.root, at, int(n))
	if err != nil {
		return nil
	}
	r.keep(at, table)
	return table
}

// keep notes contents, unless they are known or lie in memory that a payload may
// be given.
func (r *acpiReader) keep(at efi.Addr, data []byte) {
	all, ok := efi.RangeOf(at, uint64(len(data)))
	known := slices.ContainsFunc(r.host.Contents, func(c emu.Content) bool {
		return efi.Range{Start: c.Addr, End: c.Addr + efi.Addr(len(c.Data))}.Covers(all)
	})
	if ok && !known && !r.host.hasRAM(all) {
		r.host.Contents = append(r.host.Contents, emu.Content{Addr: at, Data: data})
	}
}
