// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// protections are the attributes that SetAttributes may change.
const protections = efi.MemoryRP | efi.MemoryXP | efi.MemoryRO

// Convert makes r memory of type t on behalf of the firmware: the payload can
// then not free it, unless t is ConventionalMemory. Capabilities and
// protections stay, MemoryRuntime becomes what t asks for. To convert a range
// to the type it has is the way to pin it: the key stays.
//
// InvalidParameter: r is empty or unaligned, or t is reserved. NotFound: the
// map does not cover r. AccessDenied: a page of r belongs to a Pool.
// OutOfResources: the map is full. A call that fails changes nothing.
func (m *MemoryMap) Convert(r efi.Range, t efi.MemoryType) error {
	if err := m.checkRange(r); err != nil {
		return err
	}
	if reservedType(t) {
		return fmt.Errorf("convert %v to type %v: %w", r, t, efi.InvalidParameter)
	}
	if !m.all(r, func(r Region) bool { return r.Owner != OwnerPool }) {
		return fmt.Errorf("convert %v, where a pool lies: %w", r, efi.AccessDenied)
	}
	if t == efi.ConventionalMemory {
		return m.change(r, toFree)
	}
	return m.change(r, func(r Region) Region {
		r.Type, r.Owner = t, OwnerFirmware
		r.Attribute &^= efi.MemoryRuntime
		if runtimeType(t) {
			r.Attribute |= efi.MemoryRuntime
		}
		return r
	})
}

// Withhold keeps free memory from being allocated, by address too: the map
// describes it as free as before, and the key stays. Convert to
// ConventionalMemory takes that back.
//
// InvalidParameter: r is empty or unaligned. NotFound: some of r is not free.
// OutOfResources: the map is full. A call that fails changes nothing.
func (m *MemoryMap) Withhold(r efi.Range) error {
	if err := m.checkRange(r); err != nil {
		return err
	}
	if !m.all(r, Region.free) {
		return fmt.Errorf("withhold %v, which is not free: %w", r, efi.NotFound)
	}
	return m.change(r, func(r Region) Region {
		r.Owner = OwnerFirmware
		return r
	})
}

// Add puts memory into the map that it did not have, as NewMemoryMap would.
//
// InvalidParameter: as for NewMemoryMap. OutOfResources: the map is full.
func (m *MemoryMap) Add(d efi.MemoryDescriptor) error {
	r, err := regionOf(d)
	if err != nil {
		return err
	}
	i := m.search(r.Range.Start)
	if i < len(m.regions) && m.regions[i].Range.Overlaps(r.Range) {
		return fmt.Errorf("memory map: %v overlaps %v: %w", r.Range, m.regions[i].Range, efi.InvalidParameter)
	}
	if err := m.splice(i, i, []Region{r}); err != nil {
		return err
	}
	m.key++
	return nil
}

// SetAttributes puts the protections in set on r and takes those in clear off
// it, for EFI_MEMORY_ATTRIBUTE_PROTOCOL. Protections are MemoryRP, MemoryXP and
// MemoryRO. They show in the map, and so change its key, unlike in EDK2.
//
// InvalidParameter: r is empty or unaligned, a bit is no protection or is in
// both, or a page of r is free. NotFound: the map does not cover r.
// OutOfResources: the map is full. A call that fails changes nothing.
func (m *MemoryMap) SetAttributes(r efi.Range, set, clear efi.MemoryAttribute) error {
	if err := m.checkRange(r); err != nil {
		return err
	}
	if (set|clear)&^protections != 0 || set&clear != 0 {
		return fmt.Errorf("set %#x and clear %#x on %v: %w", uint64(set), uint64(clear), r, efi.InvalidParameter)
	}
	if !m.all(r, NotFree) {
		return fmt.Errorf("protect %v, which is free: %w", r, efi.InvalidParameter)
	}
	return m.change(r, func(r Region) Region {
		r.Attribute = r.Attribute&^clear | set
		return r
	})
}

// checkRange returns InvalidParameter or NotFound unless the map covers r.
func (m *MemoryMap) checkRange(r efi.Range) error {
	if r.Size() == 0 || !r.Start.PageAligned() || !r.End.PageAligned() {
		return fmt.Errorf("memory map: %v: %w", r, efi.InvalidParameter)
	}
	if !m.all(r, func(Region) bool { return true }) {
		return fmt.Errorf("memory map: not all of %v is in it: %w", r, efi.NotFound)
	}
	return nil
}

// all reports whether the map covers all of r, which is not empty, with regions
// for which is holds.
func (m *MemoryMap) all(r efi.Range, is func(Region) bool) bool {
	at := r.Start
	for i := m.search(at); i < len(m.regions) && m.regions[i].Range.Contains(at) && is(m.regions[i]); i++ {
		at = m.regions[i].Range.End
		if at >= r.End {
			return true
		}
	}
	return false
}

// change replaces what lies in r, which the map covers, by edit of it. The key
// changes if type or attributes of a page do.
func (m *MemoryMap) change(r efi.Range, edit func(Region) Region) error {
	first, end := m.search(r.Start), m.search(r.End-1)+1
	var few [4]Region
	pieces := few[:0]
	visible := false
	for _, old := range m.regions[first:end] {
		if old.Range.Start < r.Start {
			head := old
			head.Range.End = r.Start
			pieces = append(pieces, head)
		}
		inner := old
		inner.Range = efi.Range{Start: max(old.Range.Start, r.Start), End: min(old.Range.End, r.End)}
		edited := edit(inner)
		visible = visible || edited.Type != old.Type || edited.Attribute != old.Attribute
		pieces = appendMerged(pieces, edited)
		if old.Range.End > r.End {
			tail := old
			tail.Range.Start = r.End
			pieces = appendMerged(pieces, tail)
		}
	}
	if err := m.splice(first, end, pieces); err != nil {
		return err
	}
	if visible {
		m.key++
	}
	return nil
}

// splice puts pieces in the place of regions first to end, and merges at the
// seams.
func (m *MemoryMap) splice(first, end int, pieces []Region) error {
	var few [8]Region
	merged := few[:0]
	if first > 0 {
		first--
		merged = append(merged, m.regions[first])
	}
	for _, p := range pieces {
		merged = appendMerged(merged, p)
	}
	if end < len(m.regions) {
		merged = appendMerged(merged, m.regions[end])
		end++
	}
	if n := len(m.regions) - (end - first) + len(merged); n > MaxDescriptors {
		return fmt.Errorf("memory map: %d descriptors: %w", n, efi.OutOfResources)
	}
	m.regions = slices.Replace(m.regions, first, end, merged...)
	for _, r := range merged {
		if r.free() {
			m.full = max(m.full, r.Range.End)
		}
	}
	return nil
}
