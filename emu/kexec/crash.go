// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Crash is what a payload needs that takes over when the running kernel panics:
// the memory that crashkernel= has set aside for it, and what it is to be told
// of the kernel that was there before.
//
//	crash, err := host.Crash(os.DirFS("/"))
//	options, err := crash.LoadOptions(image, size, "")  // name the ELF core header
//	m, err := emu.Open(crash.Config(emu.Config{…}))
//	err = crash.Prepare(m)
//	handoff, err := m.Boot(…)
//	_, err = kexec.LoadCrash(crash, handoff, kexec.Options{})
//
// What is read is of one moment: when processors or memory come or go, load
// again. Kernels before 5.5 use memory below 1 MiB for themselves in spite of
// crashkernel=; of theirs, what lies there is lost.
type Crash struct {
	// Host is this machine as the payload is to see it. RAM is the memory set
	// aside, and that below 1 MiB, which kernels start processors from and which
	// is withheld from the payload. Of a lower region that was set aside for
	// devices, as crashkernel=,high does, almost all is in use until
	// ExitBootServices, since nothing can be loaded there. All other RAM is
	// reserved, so that it stays as it was.
	*Host

	// Region is where everything is loaded.
	Region efi.Range

	header efi.Range // of the ELF core header, in Region
	core   core
}

// lowerRoom is what the payload is given of a lower region, in bytes, for what
// has to be below 4 GiB, such as what switches to five-level paging. It is loaded
// elsewhere, and the trampoline puts it there.
const lowerRoom = 1 << 20

// headerUnit is what the room for the ELF core header is a multiple of: enough
// for 1100 processors and ranges of memory, so that the room is the same again
// on a machine that has changed a little.
const headerUnit = 64 << 10

// Crash reads what the running kernel has set aside for the case that it panics.
// It needs root. On AArch64 it is errors.ErrUnsupported.
func (h *Host) Crash(root fs.FS) (*Crash, error) {
	c, err := h.crash(root)
	if err != nil {
		return nil, fmt.Errorf("kexec: crash kernel: %w", err)
	}
	return c, nil
}

func (h *Host) crash(root fs.FS) (*Crash, error) {
	if h.Arch == cpu.ARM64 {
		return nil, fmt.Errorf("%w on %v", errors.ErrUnsupported, h.Arch)
	}
	size, err := fs.ReadFile(root, "sys/kernel/kexec_crash_size")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the running kernel was built without CONFIG_CRASH_DUMP")
	}
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(size)) == "0" {
		return nil, errors.New("the running kernel has set no memory aside: boot it with crashkernel=SIZE on its command line, such as crashkernel=256M")
	}
	resources, err := readResources(root)
	if err != nil {
		return nil, err
	}
	regions := named(resources, "Crash kernel")
	if len(regions) == 0 {
		return nil, errors.New("/proc/iomem does not show the memory that the running kernel has set aside")
	}
	for _, r := range regions {
		if !r.Start.PageAligned() || !r.End.PageAligned() {
			return nil, fmt.Errorf("/proc/iomem: %v, which the running kernel has set aside, is not whole pages", r)
		}
	}
	// Of two regions the higher one is crashk_res, where the kernel lets load.
	region := slices.MaxFunc(regions, func(a, b efi.Range) int { return cmp.Compare(a.Start, b.Start) })
	c := &Crash{Region: region}
	if c.core, err = readCore(root, resources, regions); err != nil {
		return nil, err
	}
	room := (c.core.size() + headerUnit - 1) / headerUnit * headerUnit
	if room >= region.Size() {
		return nil, fmt.Errorf("%v, which the running kernel has set aside, is too small", region)
	}
	c.header = efi.Range{Start: region.End - efi.Addr(room), End: region.End}
	host := *h
	host.FrameBuffer = nil // whose it is when the kernel panics, nobody knows
	if host.Memory, err = c.memory(h.Memory, regions); err != nil {
		return nil, err
	}
	c.Host = &host
	return c, nil
}

// memory is the memory map for the payload.
func (c *Crash) memory(machine []efi.MemoryDescriptor, regions []efi.Range) ([]efi.MemoryDescriptor, error) {
	free := []efi.Range{lowMemory, c.Region}
	for _, r := range regions {
		if r != c.Region {
			free = append(free, efi.Range{Start: max(r.Start, r.End-min(r.End, lowerRoom)), End: r.End})
		}
	}
	use := func(r efi.Range) efi.MemoryType {
		covers := func(s efi.Range) bool { return s.Covers(r) }
		switch {
		case c.header.Covers(r):
			return efi.ReservedMemory
		case slices.ContainsFunc(free, covers):
			return efi.ConventionalMemory
		case slices.ContainsFunc(regions, covers):
			return efi.LoaderData
		}
		return efi.ReservedMemory
	}
	cuts := slices.Concat(free, regions, []efi.Range{c.header})
	var descs []efi.MemoryDescriptor
	size := uint64(0)
	for _, d := range machine {
		if d.Type != efi.ConventionalMemory {
			descs = append(descs, d)
			continue
		}
		for _, r := range split(d.Range(), cuts) {
			kind := use(r)
			if c.Region.Covers(r) {
				size += r.Size()
			}
			descs = append(descs, efi.MemoryDescriptor{
				Type: kind, PhysicalStart: r.Start, NumberOfPages: r.Size() / efi.PageSize, Attribute: cacheability(kind),
			})
		}
	}
	if size != c.Region.Size() {
		return nil, fmt.Errorf("%v, which the running kernel has set aside, is not all RAM by the firmware's memory map", c.Region)
	}
	return descs, nil
}

// split cuts a range where others start and end.
func split(r efi.Range, others []efi.Range) []efi.Range {
	cuts := []efi.Addr{r.Start, r.End}
	for _, o := range others {
		for _, a := range []efi.Addr{o.Start, o.End} {
			if r.Start < a && a < r.End {
				cuts = append(cuts, a)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var parts []efi.Range
	for i := 1; i < len(cuts); i++ {
		parts = append(parts, efi.Range{Start: cuts[i-1], End: cuts[i]})
	}
	return parts
}
