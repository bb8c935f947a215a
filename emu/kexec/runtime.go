// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// UseFirmware has the next boot find the runtime services of this machine's own
// firmware, instead of the resident ones: variables that it sets are kept. That
// can be had only once in a boot of the machine, for SetVirtualAddressMap can be
// called once: the running kernel must have left it alone, by efi=noruntime on its
// command line. It is called before Config. The memory map is changed to describe
// what the firmware needs.
//
// The firmware's own memory map is read through /dev/mem or /proc/kcore, which a
// locked-down kernel refuses.
func (h *Host) UseFirmware(root fs.FS) error {
	if err := h.useFirmware(root); err != nil {
		return fmt.Errorf("kexec: the firmware's runtime services: %w", err)
	}
	return nil
}

func (h *Host) useFirmware(root fs.FS) error {
	if !noRuntime(root) {
		return errors.New("the running kernel may have called them: boot it with efi=noruntime")
	}
	text, err := fs.ReadFile(root, "sys/firmware/efi/runtime")
	if err != nil {
		return err
	}
	table, err := strconv.ParseUint(strings.TrimSpace(string(text)), 0, 64)
	if err != nil {
		return err
	}
	descs, err := readEFIMap(root)
	if err != nil {
		return err
	}
	descs = slices.DeleteFunc(descs, func(d efi.MemoryDescriptor) bool { return d.Attribute&efi.MemoryRuntime == 0 })
	for i := range descs {
		descs[i].VirtualStart = 0
	}
	if !slices.ContainsFunc(descs, func(d efi.MemoryDescriptor) bool { return d.Range().Contains(efi.Addr(table)) }) {
		return fmt.Errorf("their table, at %#x, does not lie in runtime memory", table)
	}
	memory, err := overlay(h.Memory, descs)
	if err != nil {
		return err
	}
	h.Memory, h.Runtime = memory, efi.Addr(table)
	return nil
}

// noRuntime reports whether the running kernel was told to leave the runtime
// services alone.
func noRuntime(root fs.FS) bool {
	text, err := fs.ReadFile(root, "proc/cmdline")
	if err != nil {
		return false
	}
	for _, word := range strings.Fields(string(text)) {
		if list, ok := strings.CutPrefix(word, "efi="); ok && slices.Contains(strings.Split(list, ","), "noruntime") {
			return true
		}
	}
	return false
}

// Where Linux's struct boot_params has its struct efi_info, and what is where in
// that (Documentation/arch/x86/zero-page.rst, arch/x86/include/uapi/asm/bootparam.h).
const (
	efiInfo            = 0x1c0
	efiInfoSize        = 32
	efiInfoDescSize    = 8
	efiInfoDescVersion = 12
	efiInfoMap         = 16
	efiInfoMapSize     = 20
	efiInfoMapHigh     = 28
)

// maxEFIMap bounds the firmware's memory map, in bytes.
const maxEFIMap = 1 << 20

// efiMap is where a stub has left the firmware's memory map, and its form.
type efiMap struct {
	at              efi.Addr
	size            uint64
	stride, version uint64
}

// bootParamsMap is what struct boot_params says of it.
func bootParamsMap(root fs.FS) (efiMap, error) {
	params, err := fs.ReadFile(root, "sys/kernel/boot_params/data")
	if err != nil {
		return efiMap{}, err
	}
	if len(params) < efiInfo+efiInfoSize {
		return efiMap{}, errors.New("/sys/kernel/boot_params/data ends early")
	}
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(params[efiInfo+at:])) }
	return efiMap{
		efi.Addr(word(efiInfoMapHigh)<<32 | word(efiInfoMap)), word(efiInfoMapSize), word(efiInfoDescSize), word(efiInfoDescVersion),
	}, nil
}

// readEFIMap reads the memory map that the running kernel was booted with, where
// its stub has left it.
func readEFIMap(root fs.FS) ([]efi.MemoryDescriptor, error) {
	m, err := bootParamsMap(root)
	if errors.Is(err, fs.ErrNotExist) {
		if tree, bad := readDeviceTree(root); bad == nil {
			m, err = tree.efiMap()
		}
	}
	if err != nil {
		return nil, err
	}
	return m.read(root)
}

// read reads the map.
func (m efiMap) read(root fs.FS) ([]efi.MemoryDescriptor, error) {
	const least = 40 // sizeof(EFI_MEMORY_DESCRIPTOR)
	if m.at == 0 || m.size == 0 || m.size > maxEFIMap || m.stride < least || m.version != efi.MemoryDescriptorVersion {
		return nil, fmt.Errorf("no memory map of EFI: %d bytes at %v, %d each, version %d", m.size, m.at, m.stride, m.version)
	}
	// Stubs put it into memory for ACPI, which is no RAM to x86-64's kernel; older
	// ones did not.
	raw, err := readMemoryAt(root, m.at, int(m.size))
	if err != nil {
		return nil, err
	}
	var descs []efi.MemoryDescriptor
	for ; uint64(len(raw)) >= m.stride; raw = raw[m.stride:] {
		var d efi.MemoryDescriptor
		if _, err := binary.Decode(raw[:least], binary.LittleEndian, &d); err != nil {
			return nil, err
		}
		pages := d.NumberOfPages
		if r, ok := efi.RangeOf(d.PhysicalStart, pages*efi.PageSize); !ok || pages == 0 || pages > 1<<40 || !r.Start.PageAligned() || d.Type >= efi.MaxMemoryType && d.Type < efi.OEMMemoryType {
			return nil, fmt.Errorf("the memory map of EFI has %d pages of type %v at %v", pages, d.Type, d.PhysicalStart)
		}
		descs = append(descs, d)
	}
	return descs, nil
}

// readMemoryAt reads physical memory, RAM or not.
func readMemoryAt(root fs.FS, a efi.Addr, n int) ([]byte, error) {
	raw, err := readPhysical(root, a, n)
	if err != nil {
		raw, err = readMappedMemory(root, a, n)
	}
	return raw, err
}

// readMappedMemory reads memory that the kernel has mapped, RAM too, through
// /proc/kcore.
func readMappedMemory(root fs.FS, a efi.Addr, n int) ([]byte, error) {
	for _, p := range readMapped(root) {
		if from := uint64(a) - p.Paddr; uint64(a) < p.Paddr || from >= p.Memsz || uint64(n) > p.Memsz-from {
			continue
		}
		file, err := root.Open("proc/kcore")
		if err != nil {
			return nil, err
		}
		defer file.Close()
		at, ok := file.(io.ReaderAt)
		if !ok {
			return nil, fs.ErrInvalid
		}
		b := make([]byte, n)
		if got, err := at.ReadAt(b, int64(p.Off+uint64(a)-p.Paddr)); got < n {
			return nil, fmt.Errorf("/proc/kcore: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("/proc/kcore does not show %v: %w", a, fs.ErrPermission)
}

// overlay puts regions into a memory map in the place of what it has there, which
// must not be RAM.
func overlay(memory, regions []efi.MemoryDescriptor) ([]efi.MemoryDescriptor, error) {
	regions = slices.Clone(regions)
	slices.SortFunc(regions, func(a, b efi.MemoryDescriptor) int { return cmp.Compare(a.PhysicalStart, b.PhysicalStart) })
	list := slices.Clone(regions)
	for _, d := range memory {
		at := d.PhysicalStart
		keep := func(end efi.Addr) {
			if at < end {
				part := d
				part.PhysicalStart, part.NumberOfPages = at, uint64(end-at)/efi.PageSize
				list = append(list, part)
			}
		}
		for _, r := range regions {
			if !r.Range().Overlaps(d.Range()) {
				continue
			}
			if d.Type == efi.ConventionalMemory {
				return nil, fmt.Errorf("%v is runtime memory to the firmware and RAM to the kernel", r.Range())
			}
			keep(r.PhysicalStart)
			at = max(at, r.Range().End)
		}
		keep(d.Range().End)
	}
	slices.SortFunc(list, func(a, b efi.MemoryDescriptor) int { return cmp.Compare(a.PhysicalStart, b.PhysicalStart) })
	return list, nil
}
