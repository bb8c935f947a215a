// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// maxSegments is KEXEC_SEGMENT_MAX.
const maxSegments = 16

// segment is what kexec_load(2) is given: pages, and the bytes at their start;
// the kernel clears the rest.
type segment struct {
	efi.Range
	data []byte
}

// plan makes at most limit segments of a handoff's: runs that touch may become
// one, and gaps between runs are filled with zeros if the payload's memory map
// says that they are free. What costs the least bytes is joined first.
func plan(segments []emu.Segment, memory []efi.MemoryDescriptor, limit int) ([]segment, error) {
	var list []segment
	for _, s := range segments {
		if n := len(list); s.Data == nil && n > 0 && list[n-1].End == s.Start {
			list[n-1].End = s.End // a tail of zeros costs nothing
			continue
		}
		list = append(list, segment{s.Range, s.Data})
	}
	for len(list) > limit {
		i := cheapest(memory, list)
		if i < 0 {
			return nil, fmt.Errorf("kexec: %d pieces of memory do not fit into %d segments", len(list), limit)
		}
		list[i] = join(list[i], list[i+1])
		list = slices.Delete(list, i+1, i+2)
	}
	return list, nil
}

// cheapest is the index of the segment that can be joined with the next one for
// the least copying, or -1.
func cheapest(memory []efi.MemoryDescriptor, list []segment) int {
	best, cost := -1, uint64(0)
	for i := 0; i+1 < len(list); i++ {
		a, b := list[i], list[i+1]
		gap := efi.Range{Start: a.End, End: b.Start}
		if gap.Size() > 0 && !free(memory, gap) {
			continue
		}
		if c := uint64(b.End - a.Start); best < 0 || c < cost {
			best, cost = i, c
		}
	}
	return best
}

// free reports whether a range is free in the payload's memory map.
func free(memory []efi.MemoryDescriptor, r efi.Range) bool {
	return slices.ContainsFunc(memory, func(d efi.MemoryDescriptor) bool {
		return d.Type == efi.ConventionalMemory && d.Range().Covers(r)
	})
}

// join copies two segments into one.
func join(a, b segment) segment {
	data := make([]byte, uint64(b.Start-a.Start)+uint64(len(b.data)))
	copy(data, a.data)
	copy(data[b.Start-a.Start:], b.data)
	return segment{efi.Range{Start: a.Start, End: b.End}, data}
}

// check holds a layout against the host: every segment in RAM, none larger than
// half of it, nor all together.
func (h *Host) check(list []segment) error {
	var ram, all uint64
	for _, d := range h.Memory {
		if d.Type == efi.ConventionalMemory {
			ram += d.Range().Size()
		}
	}
	for _, s := range list {
		if !slices.ContainsFunc(h.Memory, func(d efi.MemoryDescriptor) bool {
			return d.Type == efi.ConventionalMemory && d.Range().Covers(s.Range)
		}) {
			return fmt.Errorf("kexec: %v is no RAM of this machine: the handoff is another one's, or the memory has changed since", s.Range)
		}
		all += s.Size()
	}
	if all > ram/2 {
		return fmt.Errorf("kexec: the payload takes %d MiB, and the kernel loads no more than half of the RAM, %d MiB", all>>20, ram>>21)
	}
	return nil
}

// sameMachine holds the memory map that a payload was shown against the host's.
func (h *Host) sameMachine(handoff *emu.Handoff) error {
	for _, d := range handoff.MemoryMap {
		if d.Type == efi.ReservedMemory || d.Type == efi.UnusableMemory || d.Type == efi.PersistentMemory {
			continue
		}
		if !slices.ContainsFunc(h.Memory, func(o efi.MemoryDescriptor) bool { return o.Range().Covers(d.Range()) }) {
			return fmt.Errorf("kexec: this machine has no memory at %v, where the handoff's has %v: it is another one, or has changed since",
				d.Range(), d.Type)
		}
	}
	return nil
}
