// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"fmt"
	"math"

	"github.com/uefiexec/uefiexec/efi"
)

// AllocatePages makes pages of ConventionalMemory pages of type mt and returns
// where they lie (§7.2.1). For AllocateMaxAddress addr is the highest address
// that the last byte may have; it need not be aligned. For AllocateAddress it
// is the place. Otherwise it is ignored.
//
// Where there is a choice, the highest place is taken, so that what a payload
// allocates stays together. Such a place lies within one descriptor, is not
// special-purpose memory and not page 0. The new range keeps the capabilities
// of the memory it is cut from; runtime types get MemoryRuntime. The number of
// pages is rounded up to Granularity(mt).
//
// InvalidParameter: t is unknown; mt is reserved, persistent, unaccepted or
// conventional. NotFound: for AllocateAddress only, and then for all else: the
// pages are not all free, addr is zero or not aligned to Granularity(mt), or
// pages is zero. OutOfResources: no such place, pages is zero, or the map is
// full. All but the rule for conventional memory and the two for zero are the
// specification's, the rest is EDK2's.
func (m *MemoryMap) AllocatePages(t efi.AllocateType, mt efi.MemoryType, pages uint64, addr efi.Addr) (efi.Addr, error) {
	return m.allocate(t, mt, pages, addr, OwnerPages)
}

func (m *MemoryMap) allocate(t efi.AllocateType, mt efi.MemoryType, pages uint64, addr efi.Addr, owner Owner) (efi.Addr, error) {
	if reservedType(mt) || mt == efi.ConventionalMemory || mt == efi.PersistentMemory || mt == efi.UnacceptedMemory {
		return 0, fmt.Errorf("allocate pages of type %v: %w", mt, efi.InvalidParameter)
	}
	var place efi.Range
	var err error
	switch t {
	case efi.AllocateAnyPages:
		place, err = m.findFree(pages, mt, math.MaxUint64)
	case efi.AllocateMaxAddress:
		place, err = m.findFree(pages, mt, addr)
	case efi.AllocateAddress:
		place, err = m.checkFree(pages, mt, addr)
	default:
		return 0, fmt.Errorf("allocate pages by way %v: %w", t, efi.InvalidParameter)
	}
	if err != nil {
		return 0, err
	}
	err = m.change(place, func(r Region) Region {
		r.Type, r.Owner = mt, owner
		if runtimeType(mt) {
			r.Attribute |= efi.MemoryRuntime
		}
		return r
	})
	return place.Start, err
}

// findFree is the highest place for pages whose last byte is not above last.
func (m *MemoryMap) findFree(pages uint64, mt efi.MemoryType, last efi.Addr) (efi.Range, error) {
	unit := m.Granularity(mt)
	limit := top
	if last < math.MaxUint64 {
		limit = (last + 1).PageDown()
	}
	size, ok := roundPages(pages, unit)
	learn := limit >= m.full
	for i := min(m.search(min(limit, m.full)), len(m.regions)-1); i >= 0 && ok && size > 0; i-- {
		r := &m.regions[i]
		if !r.free() || r.Range.Size() < size && !learn {
			continue
		}
		usable, good := r.usable()
		if !good {
			continue
		}
		if learn {
			learn, m.full = false, usable.End
		}
		usable.End = min(usable.End, limit) &^ efi.Addr(unit-1)
		if usable.Size() >= size {
			return efi.Range{Start: usable.End - efi.Addr(size), End: usable.End}, nil
		}
	}
	return efi.Range{}, fmt.Errorf("no place for %d pages of type %v up to %v: %w", pages, mt, last, efi.OutOfResources)
}

// checkFree is the place of pages at addr, if it is free.
func (m *MemoryMap) checkFree(pages uint64, mt efi.MemoryType, addr efi.Addr) (efi.Range, error) {
	unit := m.Granularity(mt)
	size, fits := roundPages(pages, unit)
	place, ok := efi.RangeOf(addr, size)
	if !fits || !ok || size == 0 || addr == 0 || uint64(addr)%unit != 0 {
		return efi.Range{}, fmt.Errorf("%d pages of type %v at %v: %w", pages, mt, addr, efi.NotFound)
	}
	if !m.all(place, Region.free) {
		return efi.Range{}, fmt.Errorf("%v is not free: %w", place, efi.NotFound)
	}
	return place, nil
}

// FreePages makes pages that AllocatePages gave free again (§7.2.2): any part
// of one allocation, or a run of several. Their protections and MemoryRuntime
// are taken off. The number of pages is rounded up to the Granularity of the
// type at addr.
//
// InvalidParameter: addr is not aligned to that, pages is zero or wraps, or the
// end would cut a unit of a coarser type in two. NotFound: some page was not
// allocated by AllocatePages, which is the specification's rule; EDK2 would
// also free what the firmware itself holds, and pages of the pool.
// OutOfResources: the map is full. A call that fails frees nothing.
func (m *MemoryMap) FreePages(addr efi.Addr, pages uint64) error {
	return m.free(addr, pages, OwnerPages)
}

func (m *MemoryMap) free(addr efi.Addr, pages uint64, owner Owner) error {
	unit := uint64(efi.PageSize)
	if i := m.search(addr); i < len(m.regions) && m.regions[i].Range.Contains(addr) {
		unit = m.Granularity(m.regions[i].Type)
	}
	size, fits := roundPages(pages, unit)
	r, ok := efi.RangeOf(addr, size)
	if !fits || !ok || size == 0 || uint64(addr)%unit != 0 {
		return fmt.Errorf("free %d pages at %v: %w", pages, addr, efi.InvalidParameter)
	}
	if !m.all(r, func(r Region) bool { return r.Owner == owner }) {
		return fmt.Errorf("free %v, which was not allocated: %w", r, efi.NotFound)
	}
	last := m.regions[m.search(r.End-1)]
	if uint64(r.End)%m.Granularity(last.Type) != 0 {
		return fmt.Errorf("free a part of a unit at %v: %w", r.End, efi.InvalidParameter)
	}
	return m.change(r, toFree)
}

// toFree is r as free memory.
func toFree(r Region) Region {
	r.Type, r.Owner = efi.ConventionalMemory, OwnerPlatform
	r.Attribute &^= efi.MemoryRuntime | protections
	return r
}

// roundPages is pages in bytes, rounded up to unit, and false if that wraps.
func roundPages(pages, unit uint64) (uint64, bool) {
	size := pages * efi.PageSize
	rounded := (size + unit - 1) &^ (unit - 1)
	return rounded, size/efi.PageSize == pages && rounded >= size
}
