// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/resident"
)

// layout is what kexec_load(2) is given for a handoff, and what the trampoline
// does with it then: copies, in their order, and zeros after that.
type layout struct {
	segments []segment
	copies   []resident.Copy
	zeros    []resident.Range
}

// targets are the ranges that are written, by the kernel or the trampoline.
func (l layout) targets() []efi.Range {
	var all []efi.Range
	for _, s := range l.segments {
		all = append(all, s.Range)
	}
	for _, c := range l.copies {
		all = append(all, efi.Range{Start: efi.Addr(c.To), End: efi.Addr(c.To + c.From.End - c.From.Start)})
	}
	for _, z := range l.zeros {
		all = append(all, efi.Range{Start: efi.Addr(z.Start), End: efi.Addr(z.End)})
	}
	return all
}

const (
	// smallFill is the largest gap that is filled in what is scattered, in bytes.
	smallFill = 64 << 10
	// maxScattered bounds the pieces that are scattered, and so the lists that the
	// trampoline has of them: 24 bytes for a copy, 16 for zeros.
	maxScattered = 2400
	listSize     = 24 + 16
)

// lay lays out a handoff's segments in limit segments, two at least, none of them
// in room. If they are too far apart, the smallest are packed into one, in memory
// that is free, and the trampoline puts them in their places. It clears the pack
// then, as there may be secrets in it.
func (h *Host) lay(segments []emu.Segment, memory []efi.MemoryDescriptor, room efi.Range, limit int) (layout, error) {
	list := pieces(segments)
	if joined := join(list, memory, limit, maxFill); len(joined) <= limit {
		return layout{segments: joined}, nil
	}
	for fill := uint64(smallFill); fill <= maxFill; fill *= 16 {
		if joined := join(list, memory, 1, fill); len(joined)-limit < maxScattered {
			keep := limit
			if withData(joined) > limit {
				keep-- // one is the pack
			}
			return h.scatter(joined, memory, room, keep)
		}
	}
	return layout{}, fmt.Errorf("kexec: the payload has %d pieces of memory, far apart: too many to put in place", len(list))
}

// withData counts the segments that are not all zeros.
func withData(list []segment) (n int) {
	for _, s := range list {
		if len(s.data) > 0 {
			n++
		}
	}
	return n
}

// scatter keeps those segments with the most data, and packs the data of the
// others into one more, if they have any.
func (h *Host) scatter(list []segment, memory []efi.MemoryDescriptor, room efi.Range, keep int) (layout, error) {
	taken := []efi.Range{room}
	byData := make([]int, len(list))
	for i, s := range list {
		byData[i], taken = i, append(taken, s.Range)
	}
	slices.SortStableFunc(byData, func(i, j int) int { return cmp.Compare(len(list[j].data), len(list[i].data)) })
	packed := make([]bool, len(list))
	size := uint64(0)
	for _, i := range byData[keep:] {
		packed[i] = true
		size += uint64(len(list[i].data))
	}
	pack, err := h.findRoom(memory, taken, size)
	if err != nil {
		return layout{}, err
	}
	l := layout{}
	data := make([]byte, 0, size)
	for i, s := range list {
		if !packed[i] {
			l.segments = append(l.segments, s)
			continue
		}
		if n := uint64(len(s.data)); n > 0 {
			from := uint64(pack.Start) + uint64(len(data))
			l.copies = append(l.copies, resident.Copy{From: resident.Range{Start: from, End: from + n}, To: uint64(s.Start)})
			data = append(data, s.data...)
		}
		if zeros := s.Start + efi.Addr(len(s.data)); zeros < s.End {
			l.zeros = append(l.zeros, resident.Range{Start: uint64(zeros), End: uint64(s.End)})
		}
	}
	if size > 0 {
		l.segments = append(l.segments, segment{pack, data})
		l.zeros = append(l.zeros, resident.Range{Start: uint64(pack.Start), End: uint64(pack.End)})
	}
	return l, nil
}

// findRoom finds memory of a size that is free in the payload's memory map, RAM
// here, and not taken.
func (h *Host) findRoom(memory []efi.MemoryDescriptor, taken []efi.Range, size uint64) (efi.Range, error) {
	if size == 0 {
		return efi.Range{}, nil
	}
	slices.SortFunc(taken, func(a, b efi.Range) int { return cmp.Compare(a.Start, b.Start) })
	for _, f := range freeRanges(memory) {
		for _, o := range h.Memory {
			r := intersect(f, o.Range())
			if !isRAM(o) || r.Size() < size {
				continue
			}
			for _, t := range taken {
				if gap := (efi.Range{Start: r.Start, End: min(t.Start, r.End)}); gap.Size() >= size {
					break
				}
				if t.Overlaps(r) {
					r.Start = t.End
				}
			}
			if r.Size() >= size {
				return efi.Range{Start: r.Start, End: r.Start + efi.Addr(size)}, nil
			}
		}
	}
	return efi.Range{}, fmt.Errorf("kexec: no %.1f MiB of memory in one piece are free, in which to load what lies far apart", mib(size))
}
