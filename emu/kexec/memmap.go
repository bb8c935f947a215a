// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// span is a range of bytes and what it is used for.
type span struct {
	efi.Range
	use use
}

// use is what a range of a firmware's memory map is for: the higher, the less it
// is like free memory.
type use uint8

const (
	useRAM use = iota
	useSoftReserved
	usePersistent
	useACPITables
	useACPINVS
	useUnusable
	useReserved
)

// uses are what Linux calls the entries of the firmware's memory map, in
// /sys/firmware/memmap and in /proc/iomem, and how they are described anew, so
// that the next kernel makes the same of them. What has another name is reserved.
var uses = [...]struct {
	name    string
	kind    efi.MemoryType
	purpose efi.MemoryAttribute
}{
	useRAM:          {"System RAM", efi.ConventionalMemory, 0},
	useSoftReserved: {"Soft Reserved", efi.ConventionalMemory, efi.MemorySP},
	usePersistent:   {"Persistent Memory", efi.PersistentMemory, 0},
	useACPITables:   {"ACPI Tables", efi.ACPIReclaimMemory, 0},
	useACPINVS:      {"ACPI Non-volatile Storage", efi.ACPIMemoryNVS, 0},
	useUnusable:     {"Unusable memory", efi.UnusableMemory, 0},
	useReserved:     {"Reserved", efi.ReservedMemory, 0},
}

// attribute is what memory of a use is capable of, and for.
func (u use) attribute() efi.MemoryAttribute { return cacheability(uses[u].kind) | uses[u].purpose }

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

// useOf finds the use with a name.
func useOf(name string) (use, bool) {
	for u, row := range uses {
		if row.name == name || row.name+" (legacy)" == name {
			return use(u), true
		}
	}
	return useReserved, name == "reserved"
}

// isRAM reports whether memory is free for any use in a map.
func isRAM(d efi.MemoryDescriptor) bool {
	return d.Type == efi.ConventionalMemory && d.Attribute&efi.MemorySP == 0
}

// maxSpans bounds what is read of a memory map.
const maxSpans = 8192

// readMemory reads the memory map as the firmware gave it: from
// /sys/firmware/memmap, or where there is none as a device tree says. Where that
// does not lead to it, either, it is read from /proc/iomem, which shows what the
// running kernel has reserved for itself as if it were the firmware's. kept are
// the parts of the RAM that are for a purpose of the machine.
func readMemory(root fs.FS) (descs []efi.MemoryDescriptor, kept []efi.Range, err error) {
	spans, err := readFirmwareMemmap(root)
	if errors.Is(err, fs.ErrNotExist) {
		if spans, kept, err = readTreeMemory(root); err != nil {
			spans, err = readIOMem(root)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	descs, err = describe(spans)
	return descs, kept, err
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

// maxAddress is the end of the physical addresses that a processor can have; what
// is said of those behind is left out.
const maxAddress = 1 << 52

// newSpan reads one entry of a memory map, last being its last byte.
func newSpan(first, last, name string) (span, error) {
	start, err := strconv.ParseUint(strings.TrimPrefix(first, "0x"), 16, 64)
	if err != nil {
		return span{}, err
	}
	end, err := strconv.ParseUint(strings.TrimPrefix(last, "0x"), 16, 64)
	if err != nil {
		return span{}, err
	}
	if end < start {
		return span{}, fmt.Errorf("from %#x to %#x", start, end)
	}
	u, _ := useOf(name)
	return span{efi.Range{Start: efi.Addr(min(start, maxAddress)), End: efi.Addr(min(end, maxAddress-1) + 1)}, u}, nil
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
		addresses, name, ok := strings.Cut(strings.TrimSpace(line), " :")
		first, last, ranged := strings.Cut(addresses, "-")
		if !ok || !ranged {
			return nil, fmt.Errorf("/proc/iomem: %q", line)
		}
		nested := line[0] == ' '
		name = strings.TrimSpace(name)
		if _, known := useOf(name); nested && name != "reserved" || !known {
			continue
		}
		s, err := newSpan(first, last, name)
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
		s.Start, s.End = min(s.Start, maxAddress), min(s.End, maxAddress)
		if s.use <= useSoftReserved {
			s.Start, s.End = (s.Start + efi.PageSize - 1).PageDown(), s.End.PageDown()
		} else {
			s.Start, s.End = s.Start.PageDown(), (s.End + efi.PageSize - 1).PageDown()
		}
		if s.Size() > 0 {
			edges[s.Start], edges[s.End] = true, true
		}
	}
	cuts := slices.Sorted(maps.Keys(edges))
	var descs []efi.MemoryDescriptor
	for i := 1; i < len(cuts); i++ {
		r := efi.Range{Start: cuts[i-1], End: cuts[i]}
		u, ok := useIn(spans, r)
		if !ok {
			continue
		}
		d := efi.MemoryDescriptor{
			Type: uses[u].kind, PhysicalStart: r.Start, NumberOfPages: r.Size() / efi.PageSize, Attribute: u.attribute(),
		}
		if n := len(descs); n > 0 && descs[n-1].Type == d.Type && descs[n-1].Attribute == d.Attribute && descs[n-1].Range().End == r.Start {
			descs[n-1].NumberOfPages += d.NumberOfPages
		} else {
			descs = append(descs, d)
		}
	}
	if !slices.ContainsFunc(descs, isRAM) {
		return nil, errors.New("the memory map has no RAM")
	}
	return descs, nil
}

// useIn is what a range is used for that no span overlaps in part: the least like
// free memory of all that is said of it, or false if nothing is.
func useIn(spans []span, r efi.Range) (found use, ok bool) {
	for _, s := range spans {
		if s.Covers(r) {
			found, ok = max(found, s.use), true
		}
	}
	return found, ok
}
