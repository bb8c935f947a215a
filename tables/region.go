// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"fmt"
	"iter"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// Owner says who made a region what it is. GetMemoryMap does not show it.
type Owner uint8

const (
	// OwnerPlatform: there from the start, added, or free.
	OwnerPlatform Owner = iota
	// OwnerFirmware: converted by Convert. FreePages leaves it alone.
	OwnerFirmware
	// OwnerPages: allocated by AllocatePages, the only kind that FreePages frees.
	OwnerPages
	// OwnerPool: allocated by a Pool.
	OwnerPool
)

func (o Owner) String() string {
	switch o {
	case OwnerPlatform:
		return "platform"
	case OwnerFirmware:
		return "firmware"
	case OwnerPages:
		return "pages"
	case OwnerPool:
		return "pool"
	}
	return fmt.Sprintf("%d", uint8(o))
}

// Region is pages of one type, with equal attributes and of one owner.
type Region struct {
	Range     efi.Range
	Type      efi.MemoryType
	Attribute efi.MemoryAttribute
	Owner     Owner
}

// joins reports whether s, if it lies at end, belongs into one descriptor with r.
func (r Region) joins(end efi.Addr, s Region) bool {
	return s.Range.Start == end && s.Type == r.Type && s.Attribute == r.Attribute
}

// free reports whether r can be allocated.
func (r Region) free() bool { return r.Type == efi.ConventionalMemory && r.Owner == OwnerPlatform }

// appendMerged appends r, or lengthens the last of regions if r only goes on
// with it.
func appendMerged(regions []Region, r Region) []Region {
	if n := len(regions); n > 0 {
		last := &regions[n-1]
		if last.joins(last.Range.End, r) && last.Owner == r.Owner {
			last.Range.End = r.Range.End
			return regions
		}
	}
	return append(regions, r)
}

// Regions is the map with owners, by address: what Descriptors shows as one may
// be several here.
func (m *MemoryMap) Regions() []Region { return slices.Clone(m.regions) }

// NotFree is a choice for Ranges: all that cannot be allocated, which is what is
// in use and what is withheld.
func NotFree(r Region) bool { return !r.free() }

// Ranges yields, by address, the memory whose regions keep chooses; regions
// that touch come as one range. The map must not change meanwhile.
func (m *MemoryMap) Ranges(keep func(Region) bool) iter.Seq[efi.Range] {
	return func(yield func(efi.Range) bool) {
		var run efi.Range
		for _, r := range m.regions {
			if !keep(r) {
				continue
			}
			if run.Size() > 0 && run.End == r.Range.Start {
				run.End = r.Range.End
				continue
			}
			if run.Size() > 0 && !yield(run) {
				return
			}
			run = r.Range
		}
		if run.Size() > 0 {
			yield(run)
		}
	}
}

// PageCount is the number of pages of type t.
func (m *MemoryMap) PageCount(t efi.MemoryType) uint64 {
	var pages uint64
	for _, r := range m.regions {
		if r.Type == t {
			pages += r.Range.Size() / efi.PageSize
		}
	}
	return pages
}

// LargestFree is the most pages that one AllocatePages of AllocateAnyPages can
// get, for types without a coarser granularity.
func (m *MemoryMap) LargestFree() uint64 {
	var pages uint64
	for _, r := range m.regions {
		if usable, ok := r.usable(); ok {
			pages = max(pages, usable.Size()/efi.PageSize)
		}
	}
	return pages
}

// usable is what of r may be chosen for an allocation that asks for no
// particular address: special-purpose memory is not (§7.2.3), nor, as in EDK2,
// is page 0, whose address would read as no address.
func (r *Region) usable() (efi.Range, bool) {
	u := r.Range
	if u.Start == 0 {
		u.Start = efi.PageSize
	}
	return u, r.free() && r.Attribute&efi.MemorySP == 0 && u.Size() > 0
}
