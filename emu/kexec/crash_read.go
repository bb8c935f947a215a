// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// resource is a line of /proc/iomem.
type resource struct {
	efi.Range
	name string
}

// readResources reads all levels of /proc/iomem. A reader without the privilege
// to see addresses is told so.
func readResources(root fs.FS) ([]resource, error) {
	raw, err := fs.ReadFile(root, "proc/iomem")
	if err != nil {
		return nil, err
	}
	var list []resource
	visible := false
	for line := range strings.Lines(string(raw)) {
		addresses, name, ok := strings.Cut(strings.TrimSpace(line), " : ")
		first, last, ranged := strings.Cut(addresses, "-")
		if !ok || !ranged {
			return nil, fmt.Errorf("/proc/iomem: %q", line)
		}
		s, err := newSpan(first, last, name)
		if err != nil {
			return nil, fmt.Errorf("/proc/iomem: %q: %w", line, err)
		}
		visible = visible || s.End > 1<<20
		if list = append(list, resource{s.Range, name}); len(list) > maxSpans {
			return nil, errors.New("/proc/iomem has too many entries")
		}
	}
	if !visible {
		return nil, fmt.Errorf("/proc/iomem shows no addresses: %w", fs.ErrPermission)
	}
	return list, nil
}

// named are the ranges of the resources of a name.
func named(list []resource, name string) []efi.Range {
	var ranges []efi.Range
	for _, r := range list {
		if r.name == name {
			ranges = append(ranges, r.Range)
		}
	}
	return ranges
}

// readCore reads what a crash kernel is told of the running one. Its memory is
// all System RAM but for what was set aside and what lies below 1 MiB, which the
// crash kernel uses itself.
func readCore(root fs.FS, resources []resource, setAside []efi.Range) (core, error) {
	var c core
	var err error
	if c.notes, err = readNotes(root); err != nil {
		return core{}, err
	}
	info, err := readVMCoreInfo(root)
	switch {
	case err == nil:
		c.notes = append(c.notes, info)
	case !errors.Is(err, fs.ErrNotExist):
		return core{}, err
	}
	mapped := readMapped(root)
	for _, code := range named(resources, "Kernel code") {
		for _, p := range mapped {
			if p.Paddr == uint64(code.Start) && p.Filesz >= code.Size() {
				text, _ := efi.RangeOf(code.Start, p.Filesz)
				c.loads = append(c.loads, coreLoad{text, p.Vaddr})
				mapped = slices.DeleteFunc(mapped, func(q elf.ProgHeader) bool { return q == p })
				break
			}
		}
	}
	without := append([]efi.Range{lowMemory}, setAside...)
	for _, r := range resources {
		if !strings.HasPrefix(r.name, "System RAM") {
			continue
		}
		for _, part := range split(r.Range, without) {
			if !slices.ContainsFunc(without, func(o efi.Range) bool { return o.Covers(part) }) {
				c.loads = append(c.loads, coreLoad{part, virtual(mapped, part.Start)})
			}
		}
	}
	return c, nil
}

// virtual is where the kernel has mapped memory, by the entries of /proc/kcore.
func virtual(mapped []elf.ProgHeader, a efi.Addr) uint64 {
	for _, p := range mapped {
		if from := uint64(a) - p.Paddr; uint64(a) >= p.Paddr && from < p.Memsz {
			return p.Vaddr + from
		}
	}
	return 0
}

// readNotes finds where each processor that is there leaves its registers.
func readNotes(root fs.FS) ([]efi.Range, error) {
	const dir = "sys/devices/system/cpu"
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, err
	}
	type processor struct {
		n     int
		notes efi.Range
	}
	var list []processor
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), "cpu")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			continue
		}
		name := dir + "/" + e.Name() + "/crash_notes"
		at, err := fs.ReadFile(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		size, err := fs.ReadFile(root, name+"_size")
		if err != nil {
			return nil, err
		}
		r, err := noteRange(string(at), 16, string(size), 10)
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", name, err)
		}
		list = append(list, processor{n, r})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("/%s names no crash_notes", dir)
	}
	slices.SortFunc(list, func(a, b processor) int { return cmp.Compare(a.n, b.n) })
	notes := make([]efi.Range, len(list))
	for i, p := range list {
		notes[i] = p.notes
	}
	return notes, nil
}

// readVMCoreInfo finds the kernel's description of itself: address and size, both
// in hexadecimal.
func readVMCoreInfo(root fs.FS) (efi.Range, error) {
	const name = "sys/kernel/vmcoreinfo"
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return efi.Range{}, err
	}
	at, size, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	r, err := noteRange(at, 16, size, 16)
	if err != nil {
		return efi.Range{}, fmt.Errorf("/%s: %w", name, err)
	}
	return r, nil
}

// maxNote bounds a note, in bytes.
const maxNote = 1 << 20

func noteRange(at string, atBase int, size string, sizeBase int) (efi.Range, error) {
	a, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(at), "0x"), atBase, 64)
	if err != nil {
		return efi.Range{}, err
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(size), "0x"), sizeBase, 64)
	if err != nil {
		return efi.Range{}, err
	}
	r, ok := efi.RangeOf(efi.Addr(a), n)
	if !ok || a == 0 || n == 0 || n > maxNote {
		return efi.Range{}, fmt.Errorf("%d bytes at %#x", n, a)
	}
	return r, nil
}

// readMapped are the entries of /proc/kcore that say where physical memory is
// mapped; none if it cannot be read, or is one of a kernel before 4.11, which
// does not say.
func readMapped(root fs.FS) []elf.ProgHeader {
	file, err := root.Open("proc/kcore")
	if err != nil {
		return nil
	}
	defer file.Close()
	at, ok := file.(io.ReaderAt)
	if !ok {
		return nil
	}
	parsed, err := elf.NewFile(at)
	if err != nil {
		return nil
	}
	var list []elf.ProgHeader
	for _, p := range parsed.Progs {
		// What is not memory has the address -1.
		if p.Type == elf.PT_LOAD && p.Paddr != 0 && p.Paddr+p.Memsz > p.Paddr {
			list = append(list, p.ProgHeader)
		}
	}
	return list
}
