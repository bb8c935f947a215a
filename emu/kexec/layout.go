// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"cmp"
	"errors"
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

// maxFill is the largest gap that is filled, in bytes: more costs more than what
// is gained by it.
const maxFill = 16 << 20

// pieces are a handoff's segments, zeros behind data as part of it: they cost
// nothing there.
func pieces(segments []emu.Segment) []segment {
	var list []segment
	for _, s := range segments {
		if n := len(list); s.Data == nil && n > 0 && list[n-1].End == s.Start {
			list[n-1].End = s.End
		} else {
			list = append(list, segment{s.Range, s.Data})
		}
	}
	return list
}

// join joins neighbours until no more than limit segments are left, or nothing
// can be joined by writing fill bytes of zeros or less. What has the least data
// and zeros goes first; that is never more than twice of what would do.
func join(list []segment, memory []efi.MemoryDescriptor, limit int, fill uint64) []segment {
	type seam struct {
		left int // with the next one
		cost uint64
	}
	var seams []seam
	unused := freeRanges(memory)
	for i := 0; i+1 < len(list) && limit < len(list); i++ {
		a, b := list[i], list[i+1]
		gap := efi.Range{Start: a.End, End: b.Start}
		for len(unused) > 0 && unused[0].End <= gap.Start {
			unused = unused[1:]
		}
		zeros := uint64(b.Start-a.Start) - uint64(len(a.data))
		if zeros <= fill && (gap.Size() == 0 || len(unused) > 0 && unused[0].Covers(gap)) {
			seams = append(seams, seam{i, uint64(len(a.data)) + zeros + uint64(len(b.data))})
		}
	}
	slices.SortFunc(seams, func(a, b seam) int { return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.left, b.left)) })
	seams = seams[:min(len(seams), max(len(list)-limit, 0))]
	joined := make([]bool, len(list)) // with the next one
	for _, s := range seams {
		joined[s.left] = true
	}
	var all []segment
	for i := 0; i < len(list); {
		end := i + 1
		for joined[end-1] {
			end++
		}
		all = append(all, merge(list[i:end]))
		i = end
	}
	return all
}

// merge makes one segment of several, copying what they hold.
func merge(list []segment) segment {
	if len(list) == 1 {
		return list[0]
	}
	start, size := list[0].Start, uint64(0)
	for _, s := range list {
		if len(s.data) > 0 {
			size = uint64(s.Start-start) + uint64(len(s.data))
		}
	}
	var data []byte
	if size > 0 {
		data = make([]byte, size)
	}
	for _, s := range list {
		if len(s.data) > 0 {
			copy(data[s.Start-start:], s.data)
		}
	}
	return segment{efi.Range{Start: start, End: list[len(list)-1].End}, data}
}

// freeRanges are what of the payload's memory map is free for any use, ascending.
func freeRanges(memory []efi.MemoryDescriptor) []efi.Range {
	var list []efi.Range
	for _, d := range memory {
		r := d.Range()
		r.Start = max(r.Start, lowMemory.End)
		if isRAM(d) && r.Size() > 0 {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b efi.Range) int { return cmp.Compare(a.Start, b.Start) })
	return list
}

// check holds a layout against the host: all that is written in RAM, and no more
// than half of that loaded.
func (h *Host) check(l layout) error {
	ram := h.Total
	if ram == 0 {
		for _, d := range h.Memory {
			if isRAM(d) {
				ram += d.Range().Size()
			}
		}
	}
	var all uint64
	for _, s := range l.segments {
		all += s.Size()
	}
	for _, r := range l.targets() {
		if !slices.ContainsFunc(h.Memory, func(d efi.MemoryDescriptor) bool { return isRAM(d) && d.Range().Covers(r) }) {
			return fmt.Errorf("kexec: %v is no RAM of this machine, %w", r, errOtherMachine)
		}
	}
	if all > ram/2 {
		return fmt.Errorf("kexec: the payload takes %.1f MiB, and the kernel loads no more than half of the RAM, %.1f MiB: give it a smaller initrd, or the machine more memory",
			mib(all), mib(ram/2))
	}
	return nil
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }

// errOtherMachine is the end of what is said of a handoff that does not fit.
var errOtherMachine = errors.New("so the handoff is of another one, or this one has changed since: run the image again, here")

// sameMachine holds what a payload was shown of its machine against the host: the
// memory map, and where the firmware's tables are.
func (h *Host) sameMachine(handoff *emu.Handoff) error {
	for _, d := range handoff.MemoryMap {
		switch d.Type {
		case efi.ReservedMemory, efi.UnusableMemory, efi.PersistentMemory, efi.MemoryMappedIO, efi.MemoryMappedIOPortSpace:
			continue
		}
		if r, ok := h.differs(d); ok {
			return fmt.Errorf("kexec: this machine has no memory at %v, where the handoff has %v, %w", r, d.Type, errOtherMachine)
		}
	}
	for _, t := range h.Tables {
		at, ok := handoff.ConfigurationTable(t.VendorGUID)
		if !ok || at == t.VendorTable {
			continue
		}
		if _, err := handoff.Read(at, 1); err == nil {
			continue // the payload has put its own in the place
		}
		return fmt.Errorf("kexec: this machine has the table %v at %v, and the handoff at %v, %w", t.VendorGUID, t.VendorTable, at, errOtherMachine)
	}
	return nil
}

// differs finds the first part of d that is neither RAM of this machine nor of
// d's type here as well.
func (h *Host) differs(d efi.MemoryDescriptor) (efi.Range, bool) {
	rest := d.Range()
	for _, o := range h.Memory {
		usable := o.Type == d.Type || o.Type == efi.ConventionalMemory
		if usable && (o.Attribute^d.Attribute)&efi.MemorySP == 0 && o.Range().Contains(rest.Start) {
			rest.Start = min(o.Range().End, rest.End)
		}
	}
	return rest, rest.Size() > 0
}
