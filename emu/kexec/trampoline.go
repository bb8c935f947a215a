// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/resident"
)

const giant = 1 << 30

// mapped is what the payload finds mapped as memory. On x86-64 that is everything
// from the bottom to the end of the memory, and 4 GiB at least, below which the
// devices lie: MTRRs tell the processor of those. On AArch64 it is memory alone,
// as the processor may look ahead into all that is mapped as such.
func (h *Host) mapped(arch cpu.Arch) []resident.Range {
	end := uint64(4 << 30)
	var list []resident.Range
	for _, d := range h.Memory {
		if d.Type != efi.ConventionalMemory && d.Type != efi.ACPIReclaimMemory && d.Type != efi.ACPIMemoryNVS {
			continue
		}
		r := resident.Range{Start: uint64(d.PhysicalStart), End: uint64(d.Range().End)}
		end = max(end, r.End)
		if n := len(list); n > 0 && list[n-1].End == r.Start {
			list[n-1].End = r.End
		} else {
			list = append(list, r)
		}
	}
	if arch == cpu.AMD64 {
		return []resident.Range{{Start: 0, End: (end + giant - 1) &^ (giant - 1)}}
	}
	return list
}

// trampolinePages is how many pages a trampoline may need on this host: code and
// stack, the lists of what it verifies and scatters, and page tables. Of these
// there are two at the top, and for each range that is mapped one for every 512 GiB
// that it lies in, one for every GiB where the processor has no pages of that size,
// and two at each end that is not a whole GiB; and a few for what has to do with
// devices.
func (h *Host) trampolinePages(arch cpu.Arch) uint64 {
	const others, devices = 2 + 1, 4
	pages := others + efi.Pages(maxScattered*listSize+2*maxSegments*64) + 2 + devices
	for _, r := range h.mapped(arch) {
		pages += (r.End-1)/(512*giant) - r.Start/(512*giant) + 1
		if arch == cpu.AMD64 && !slices.Contains(h.Flags, "pdpe1gb") {
			pages += r.End / giant
		}
		for _, end := range []uint64{r.Start, r.End} {
			if end%giant != 0 {
				pages += 2
			}
		}
	}
	return pages
}

// trampolines are the names of the architectures' trampolines.
var trampolines = map[cpu.Arch]string{cpu.AMD64: "x64", cpu.ARM64: "aa64"}

// trampoline makes the trampoline of a handoff, for the range that was reserved
// for it, and returns it with its entry point.
func (h *Host) trampoline(handoff *emu.Handoff, at efi.Range, l layout, opts Options) ([]byte, efi.Addr, error) {
	t, err := resident.Trampoline(trampolines[handoff.Arch])
	if err != nil {
		return nil, 0, fmt.Errorf("kexec: %w", err)
	}
	p := resident.TrampolineParams{
		Base: uint64(at.Start),
		State: resident.CPUState{
			PC: handoff.Regs.PC, Flags: handoff.Regs.Flags, GP: handoff.Regs.GP,
			V: handoff.FP.V, Ctrl: handoff.FP.Ctrl, Status: handoff.FP.Status, X87: handoff.FP.X87,
		},
		RAM:        without(h.mapped(handoff.Arch), opts.Console),
		Verify:     opts.Verify,
		Console:    opts.Console,
		Copies:     l.copies,
		Zeros:      l.zeros,
		SHA:        slices.Contains(h.Flags, "sha_ni"),
		GiantPages: slices.Contains(h.Flags, "pdpe1gb"),
	}
	if opts.Verify {
		for _, s := range l.segments {
			p.Regions = append(p.Regions, resident.Region{
				Range: resident.Range{Start: uint64(s.Start), End: uint64(s.End)}, SHA256: s.digest(),
			})
		}
	}
	image, err := t.Build(p)
	if err != nil {
		return nil, 0, fmt.Errorf("kexec: %w", err)
	}
	if uint64(len(image)) > at.Size() {
		return nil, 0, fmt.Errorf("kexec: a trampoline of %d bytes does not fit into %v: run the image again, here", len(image), at)
	}
	return image, at.Start + efi.Addr(t.Entry()), nil
}

// without cuts the page of a console's registers out of RAM.
func without(ram []resident.Range, console resident.Console) []resident.Range {
	if console.Kind <= resident.ConsolePort {
		return ram
	}
	page := console.Address &^ (efi.PageSize - 1)
	var parts []resident.Range
	for _, r := range ram {
		if r.Start <= page && page < r.End {
			parts = append(parts, resident.Range{Start: r.Start, End: page})
			r.Start = page + efi.PageSize
		}
		parts = append(parts, r)
	}
	return slices.DeleteFunc(parts, func(r resident.Range) bool { return r.Start == r.End })
}

// digest is the SHA-256 of a segment as it will be in memory.
func (s segment) digest() [sha256.Size]byte {
	sum := sha256.New()
	sum.Write(s.data)
	zeros := make([]byte, 64<<10)
	for left := s.Size() - uint64(len(s.data)); left > 0; {
		n := min(left, uint64(len(zeros)))
		sum.Write(zeros[:n])
		left -= n
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// errNoRoom says that a handoff was not made for kexec.
var errNoRoom = errors.New("kexec: the handoff has no room for a trampoline, so it was not made for kexec (Host.Prepare): run the image again, here")

// layout lays out all that is to be loaded, trampoline included, and returns it
// with the entry point.
func (h *Host) layout(handoff *emu.Handoff, opts Options) (layout, efi.Addr, error) {
	if len(handoff.Reserved) == 0 {
		return layout{}, 0, errNoRoom
	}
	room := handoff.Reserved[0]
	if room.Size() == 0 || !room.Start.PageAligned() || !room.End.PageAligned() {
		return layout{}, 0, errNoRoom
	}
	if h.Arch != 0 && h.Arch != handoff.Arch {
		return layout{}, 0, fmt.Errorf("kexec: the handoff is of an %v processor, and this one is an %v", handoff.Arch, h.Arch)
	}
	if err := h.sameMachine(handoff); err != nil {
		return layout{}, 0, err
	}
	if err := freshSeed(handoff); err != nil {
		return layout{}, 0, err
	}
	if opts.Log != nil {
		if err := setLog(handoff, opts.Log); err != nil {
			return layout{}, 0, err
		}
	}
	if opts.IMA != nil {
		if err := setIMA(handoff, opts.IMA); err != nil {
			return layout{}, 0, err
		}
	}
	l, err := h.lay(cut(handoff.Segments, room), handoff.MemoryMap, room, maxSegments-1)
	if err != nil {
		return layout{}, 0, err
	}
	image, entry, err := h.trampoline(handoff, room, l, opts)
	if err != nil {
		return layout{}, 0, err
	}
	l.segments = append(l.segments, segment{room, image})
	return l, entry, h.check(l)
}

// cut takes a range out of a handoff's segments.
func cut(segments []emu.Segment, r efi.Range) []emu.Segment {
	var list []emu.Segment
	for _, s := range segments {
		for _, part := range []efi.Range{
			{Start: s.Start, End: min(s.End, r.Start)},
			{Start: max(s.Start, r.End), End: s.End},
		} {
			if part.Size() == 0 {
				continue
			}
			piece := emu.Segment{Range: part}
			if s.Data != nil {
				piece.Data = s.Data[part.Start-s.Start:][:part.Size()]
			}
			list = append(list, piece)
			if !s.Overlaps(r) {
				break // both parts are all of it
			}
		}
	}
	return list
}
