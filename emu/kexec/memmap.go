// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// span is a range of bytes and what it is used for.
type span struct {
	efi.Range
	kind efi.MemoryType
}

// firmwareTypes are the names that Linux gives the entries of the firmware's
// memory map, in /sys/firmware/memmap and in /proc/iomem.
var firmwareTypes = map[string]efi.MemoryType{
	"System RAM":                 efi.ConventionalMemory,
	"Reserved":                   efi.ReservedMemory,
	"ACPI Tables":                efi.ACPIReclaimMemory,
	"ACPI Non-volatile Storage":  efi.ACPIMemoryNVS,
	"Unusable memory":            efi.UnusableMemory,
	"Persistent Memory":          efi.PersistentMemory,
	"Persistent Memory (legacy)": efi.PersistentMemory,
	"Soft Reserved":              efi.ReservedMemory,
}

// maxSpans bounds what is read of a memory map.
const maxSpans = 8192

// readMemory reads the memory map: from /sys/firmware/memmap, which is as the
// firmware gave it, or from /proc/iomem where there is none.
func readMemory(root fs.FS) ([]efi.MemoryDescriptor, error) {
	spans, err := readFirmwareMemmap(root)
	if errors.Is(err, fs.ErrNotExist) {
		spans, err = readIOMem(root)
	}
	if err != nil {
		return nil, err
	}
	return describe(spans)
}

// readFirmwareMemmap reads the folders 0, 1, … with the files start, end
// (inclusive) and type.
func readFirmwareMemmap(root fs.FS) ([]span, error) {
	const dir = "sys/firmware/memmap"
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, fs.ErrNotExist
	}
	if len(entries) > maxSpans {
		return nil, fmt.Errorf("/%s has %d entries", dir, len(entries))
	}
	var spans []span
	for _, e := range entries {
		var text [3]string
		for i, name := range []string{"start", "end", "type"} {
			raw, err := fs.ReadFile(root, dir+"/"+e.Name()+"/"+name)
			if err != nil {
				return nil, err
			}
			text[i] = strings.TrimSpace(string(raw))
		}
		s, err := newSpan(text[0], text[1], text[2])
		if err != nil {
			return nil, fmt.Errorf("/%s/%s: %w", dir, e.Name(), err)
		}
		spans = append(spans, s)
	}
	return spans, nil
}

func newSpan(first, last, kind string) (span, error) {
	start, err := strconv.ParseUint(strings.TrimPrefix(first, "0x"), 16, 64)
	if err != nil {
		return span{}, err
	}
	end, err := strconv.ParseUint(strings.TrimPrefix(last, "0x"), 16, 64)
	if err != nil {
		return span{}, err
	}
	if end < start || end == 1<<64-1 {
		return span{}, fmt.Errorf("from %#x to %#x", start, end)
	}
	t, ok := firmwareTypes[kind]
	if !ok {
		t = efi.ReservedMemory
	}
	return span{efi.Range{Start: efi.Addr(start), End: efi.Addr(end + 1)}, t}, nil
}

// readIOMem reads the top level of /proc/iomem, "00100000-bffdffff : System
// RAM", and of what lies below System RAM the "reserved" ones. Without the
// privilege to see addresses they all read as zero.
func readIOMem(root fs.FS) ([]span, error) {
	raw, err := fs.ReadFile(root, "proc/iomem")
	if err != nil {
		return nil, err
	}
	var spans []span
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		line := lines.Text()
		addresses, kind, ok := strings.Cut(strings.TrimSpace(line), " : ")
		first, last, ranged := strings.Cut(addresses, "-")
		if !ok || !ranged {
			return nil, fmt.Errorf("/proc/iomem: %q", line)
		}
		nested := line[0] == ' '
		if _, known := firmwareTypes[kind]; nested && kind != "reserved" || !nested && !known {
			continue
		}
		s, err := newSpan(first, last, kind)
		if err != nil {
			return nil, fmt.Errorf("/proc/iomem: %q: %w", line, err)
		}
		if spans = append(spans, s); len(spans) > maxSpans {
			return nil, errors.New("/proc/iomem has too many entries")
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(spans, func(s span) bool { return s.End > 1<<20 }) {
		return nil, fmt.Errorf("/proc/iomem shows no addresses: %w", fs.ErrPermission)
	}
	return spans, nil
}

// describe makes a memory map of spans that may be unsorted, overlap and cut
// pages: RAM is what is nothing else, in whole pages.
func describe(spans []span) ([]efi.MemoryDescriptor, error) {
	edges := map[efi.Addr]bool{}
	for i := range spans {
		s := &spans[i]
		if s.kind == efi.ConventionalMemory {
			s.Start, s.End = (s.Start + efi.PageSize - 1).PageDown(), s.End.PageDown()
		} else {
			s.Start, s.End = s.Start.PageDown(), (s.End + efi.PageSize - 1).PageDown()
		}
		if s.Size() > 0 {
			edges[s.Start], edges[s.End] = true, true
		}
	}
	cuts := make([]efi.Addr, 0, len(edges))
	for a := range edges {
		cuts = append(cuts, a)
	}
	slices.Sort(cuts)
	var descs []efi.MemoryDescriptor
	ram := false
	for i := 1; i < len(cuts); i++ {
		r := efi.Range{Start: cuts[i-1], End: cuts[i]}
		kind, ok := kindOf(spans, r)
		if !ok {
			continue
		}
		ram = ram || kind == efi.ConventionalMemory
		d := efi.MemoryDescriptor{
			Type: kind, PhysicalStart: r.Start, NumberOfPages: r.Size() / efi.PageSize, Attribute: cacheability(kind),
		}
		if n := len(descs); n > 0 && descs[n-1].Type == kind && descs[n-1].Range().End == r.Start {
			descs[n-1].NumberOfPages += d.NumberOfPages
		} else {
			descs = append(descs, d)
		}
	}
	if !ram {
		return nil, errors.New("the memory map has no RAM")
	}
	return descs, nil
}

// kindOf is what a range is used for that lies in some spans whole: the one that
// is the least like free memory.
func kindOf(spans []span, r efi.Range) (efi.MemoryType, bool) {
	found, ok := efi.ConventionalMemory, false
	for _, s := range spans {
		if s.Covers(r) {
			if !ok || found == efi.ConventionalMemory || s.kind == efi.ReservedMemory {
				found = s.kind
			}
			ok = true
		}
	}
	return found, ok
}

// cacheability is what memory of a type is capable of. Kernels take no memory
// for RAM that is not WB.
func cacheability(t efi.MemoryType) efi.MemoryAttribute {
	switch t {
	case efi.ReservedMemory, efi.UnusableMemory:
		return 0
	case efi.PersistentMemory:
		return efi.MemoryUC | efi.MemoryWC | efi.MemoryWT | efi.MemoryWB | efi.MemoryNV
	}
	return efi.MemoryUC | efi.MemoryWC | efi.MemoryWT | efi.MemoryWB
}
