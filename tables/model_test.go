// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"math"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// pageModel is what a MemoryMap should be, said a page at a time.
type pageModel struct {
	pages []modelPage
	unit  int // pages of a runtime type that are allocated together
}

type modelPage struct {
	present bool
	mt      efi.MemoryType
	attr    efi.MemoryAttribute
	owner   Owner
}

func (p modelPage) free() bool { return p.present && p.mt == efi.ConventionalMemory }

func (w *pageModel) unitOf(t efi.MemoryType) int {
	switch t {
	case efi.ReservedMemory, efi.ACPIMemoryNVS, efi.RuntimeServicesCode, efi.RuntimeServicesData:
		return w.unit
	}
	return 1
}

// span is n pages at addr as indices, and whether they lie within the model.
func (w *pageModel) span(addr efi.Addr, n uint64) (first, end int, ok bool) {
	if uint64(addr)/efi.PageSize >= uint64(len(w.pages)) || n > uint64(len(w.pages)) {
		return 0, 0, false
	}
	first = int(addr / efi.PageSize)
	end = first + int(n)
	return first, end, end <= len(w.pages)
}

func (w *pageModel) every(first, end int, is func(modelPage) bool) bool {
	return !slices.ContainsFunc(w.pages[first:end], func(p modelPage) bool { return !is(p) })
}

func (w *pageModel) allocate(t efi.AllocateType, mt efi.MemoryType, n uint64, addr efi.Addr) (efi.Addr, efi.Status) {
	switch {
	case t > efi.AllocateAddress,
		mt == efi.ConventionalMemory, mt == efi.PersistentMemory, mt == efi.UnacceptedMemory,
		mt >= efi.MaxMemoryType && mt < 0x70000000:
		return 0, efi.InvalidParameter
	}
	unit := w.unitOf(mt)
	if t == efi.AllocateAddress {
		if addr == 0 || n == 0 || uint64(addr)%uint64(unit*efi.PageSize) != 0 {
			return 0, efi.NotFound
		}
		for n < math.MaxInt32 && n%uint64(unit) != 0 {
			n++
		}
		first, end, ok := w.span(addr, n)
		if !ok || !w.every(first, end, modelPage.free) {
			return 0, efi.NotFound
		}
		w.take(first, end, mt)
		return addr, efi.Success
	}
	if n == 0 || n > uint64(len(w.pages)) {
		return 0, efi.OutOfResources
	}
	for n%uint64(unit) != 0 {
		n++
	}
	for first := len(w.pages) - int(n); first > 0; first-- {
		end := first + int(n)
		lastByte := efi.Addr(end)*efi.PageSize - 1
		if first%unit != 0 || t == efi.AllocateMaxAddress && lastByte > addr {
			continue
		}
		attr := w.pages[first].attr
		if w.every(first, end, func(p modelPage) bool {
			return p.free() && p.attr == attr && attr&efi.MemorySP == 0
		}) {
			w.take(first, end, mt)
			return efi.Addr(first) * efi.PageSize, efi.Success
		}
	}
	return 0, efi.OutOfResources
}

func (w *pageModel) take(first, end int, mt efi.MemoryType) {
	for i := range w.pages[first:end] {
		p := &w.pages[first+i]
		p.mt, p.owner = mt, OwnerPages
		if mt == efi.RuntimeServicesCode || mt == efi.RuntimeServicesData {
			p.attr |= efi.MemoryRuntime
		}
	}
}

func (w *pageModel) freePages(addr efi.Addr, n uint64) efi.Status {
	unit := 1
	if first, _, ok := w.span(addr, 1); ok && w.pages[first].present {
		unit = w.unitOf(w.pages[first].mt)
	}
	for n%uint64(unit) != 0 && n < 1<<52 {
		n++
	}
	if n == 0 || n >= 1<<52-uint64(addr)/efi.PageSize || uint64(addr)%uint64(unit*efi.PageSize) != 0 {
		return efi.InvalidParameter
	}
	first, end, ok := w.span(addr, n)
	if !ok || !w.every(first, end, func(p modelPage) bool { return p.present && p.owner == OwnerPages }) {
		return efi.NotFound
	}
	if end%w.unitOf(w.pages[end-1].mt) != 0 {
		return efi.InvalidParameter
	}
	for i := first; i < end; i++ {
		w.release(i)
	}
	return efi.Success
}

// nthAllocated is the address of a page that AllocatePages gave, if there are
// any, rounded down to the unit.
func (w *pageModel) nthAllocated(n int) efi.Addr {
	var got []int
	for i, p := range w.pages {
		if p.owner == OwnerPages {
			got = append(got, i)
		}
	}
	if len(got) == 0 {
		return 0
	}
	i := got[n%len(got)]
	i -= i % w.unitOf(w.pages[i].mt)
	return efi.Addr(i) * efi.PageSize
}

func (w *pageModel) release(i int) {
	p := &w.pages[i]
	p.mt, p.owner = efi.ConventionalMemory, OwnerPlatform
	p.attr &^= efi.MemoryRuntime | efi.MemoryRP | efi.MemoryXP | efi.MemoryRO
}

func (w *pageModel) convert(addr efi.Addr, n uint64, mt efi.MemoryType) efi.Status {
	first, end, ok := w.span(addr, n)
	switch {
	case n == 0 || !addr.PageAligned() || addr+efi.Addr(n)*efi.PageSize < addr:
		return efi.InvalidParameter
	case !ok || !w.every(first, end, func(p modelPage) bool { return p.present }):
		return efi.NotFound
	case mt >= efi.MaxMemoryType && mt < 0x70000000:
		return efi.InvalidParameter
	}
	for i := first; i < end; i++ {
		p := &w.pages[i]
		if mt == efi.ConventionalMemory {
			w.release(i)
			continue
		}
		p.mt, p.owner = mt, OwnerFirmware
		p.attr &^= efi.MemoryRuntime
		if mt == efi.RuntimeServicesCode || mt == efi.RuntimeServicesData {
			p.attr |= efi.MemoryRuntime
		}
	}
	return efi.Success
}

func (w *pageModel) protect(addr efi.Addr, n uint64, set, clear efi.MemoryAttribute) efi.Status {
	first, end, ok := w.span(addr, n)
	switch {
	case n == 0 || !addr.PageAligned() || addr+efi.Addr(n)*efi.PageSize < addr:
		return efi.InvalidParameter
	case !ok || !w.every(first, end, func(p modelPage) bool { return p.present }):
		return efi.NotFound
	case (set|clear)&^(efi.MemoryRP|efi.MemoryXP|efi.MemoryRO) != 0, set&clear != 0,
		w.every(first, end, modelPage.free), !w.every(first, end, func(p modelPage) bool { return !p.free() }):
		return efi.InvalidParameter
	}
	for i := first; i < end; i++ {
		w.pages[i].attr = w.pages[i].attr&^clear | set
	}
	return efi.Success
}

func (w *pageModel) add(addr efi.Addr, n uint64, mt efi.MemoryType) efi.Status {
	first, end, ok := w.span(addr, n)
	if n == 0 || !addr.PageAligned() || !ok || mt >= efi.MaxMemoryType && mt < 0x70000000 ||
		!w.every(first, end, func(p modelPage) bool { return !p.present }) {
		return efi.InvalidParameter
	}
	for i := first; i < end; i++ {
		p := &w.pages[i]
		*p = modelPage{present: true, mt: mt, attr: efi.MemoryWB}
		if mt == efi.RuntimeServicesCode || mt == efi.RuntimeServicesData {
			p.attr |= efi.MemoryRuntime
		}
	}
	return efi.Success
}

// visible is the model without owners.
func (w *pageModel) visible() []modelPage {
	pages := slices.Clone(w.pages)
	for i := range pages {
		pages[i].owner = 0
	}
	return pages
}

// check compares m with the model, and the map's invariants.
func (w *pageModel) check(t *testing.T, m *MemoryMap) {
	t.Helper()
	got := make([]modelPage, len(w.pages))
	regions := m.Regions()
	for i, r := range regions {
		if i > 0 {
			last := regions[i-1]
			touch := last.Range.End == r.Range.Start
			if last.Range.End > r.Range.Start || touch && last.Type == r.Type && last.Attribute == r.Attribute && last.Owner == r.Owner {
				t.Fatalf("region %v, then %v", last, r)
			}
		}
		for a := r.Range.Start; a < r.Range.End; a += efi.PageSize {
			got[a/efi.PageSize] = modelPage{true, r.Type, r.Attribute, r.Owner}
		}
	}
	for i := range got {
		if got[i] != w.pages[i] {
			t.Fatalf("page %d is %v, want %v", i, got[i], w.pages[i])
		}
	}
	descs := m.Descriptors()
	var described []modelPage
	for i, d := range descs {
		if d.NumberOfPages == 0 || d.VirtualStart != 0 {
			t.Fatalf("descriptor %v", d)
		}
		if i > 0 {
			last := descs[i-1]
			touch := last.Range().End == d.PhysicalStart
			if last.Range().End > d.PhysicalStart || touch && last.Type == d.Type && last.Attribute == d.Attribute {
				t.Fatalf("descriptor %v, then %v", last, d)
			}
		}
		for efi.Addr(len(described))*efi.PageSize < d.PhysicalStart {
			described = append(described, modelPage{})
		}
		for range d.NumberOfPages {
			described = append(described, modelPage{present: true, mt: d.Type, attr: d.Attribute})
		}
	}
	for len(described) < len(w.pages) {
		described = append(described, modelPage{})
	}
	if !slices.Equal(described, w.visible()) {
		t.Fatalf("descriptors are %v", descs)
	}
}
