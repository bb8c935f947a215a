// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// A payload that chooses where to lie by itself, as a kernel with KASLR does,
// gets memory that nobody has, or NotFound and no change: with the map as it
// is, with one that is out of date, and with an address out of the air.
func TestRandomSlotOnlyGetsFreeMemory(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m := pcMap(t)
		held := heldPages(m.Descriptors())
		granted := 0
		stale := m.Descriptors()
		for range 60 {
			pages, align := 1+rng.Uint64N(300), efi.Addr(efi.PageSize)<<rng.UintN(10)
			var a efi.Addr
			fresh := false
			switch rng.UintN(4) {
			case 0:
				stale = m.Descriptors()
				fallthrough
			case 1:
				a, fresh = randomSlot(stale, pages, align, rng)
				fresh = fresh && slices.Equal(stale, m.Descriptors())
			case 2:
				a = efi.Addr(rng.Uint64N(0x1200)) * efi.PageSize
			case 3:
				a = efi.Addr(rng.Uint64())
			}
			before, key := m.Descriptors(), m.Key()
			got, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderCode+efi.MemoryType(rng.UintN(2)), pages, a)
			if err != nil {
				if !errors.Is(err, efi.NotFound) || fresh {
					t.Fatalf("seed %d: %d pages at %v, of an up-to-date map %v: %v", seed, pages, a, fresh, err)
				}
				if m.Key() != key || !slices.Equal(before, m.Descriptors()) {
					t.Fatalf("seed %d: the call that failed changed the map", seed)
				}
				continue
			}
			if got != a {
				t.Fatalf("seed %d: asked for %v, got %v", seed, a, got)
			}
			for i := range pages {
				page := a + efi.Addr(i)*efi.PageSize
				if taken, exists := held[page]; taken || !exists {
					t.Fatalf("seed %d: %d pages at %v: page %v is in use or does not exist", seed, pages, a, page)
				}
				held[page] = true
			}
			granted++
		}
		if granted < 5 {
			t.Errorf("seed %d: only %d allocations", seed, granted)
		}
	}
}

// heldPages lists all pages of descs, and whether somebody has them.
func heldPages(descs []efi.MemoryDescriptor) map[efi.Addr]bool {
	held := make(map[efi.Addr]bool)
	for _, d := range descs {
		for a := d.PhysicalStart; a < d.Range().End; a += efi.PageSize {
			held[a] = d.Type != efi.ConventionalMemory
		}
	}
	return held
}

// randomSlot counts the aligned places for pages in the free memory of descs
// above 64 KiB, and picks one.
func randomSlot(descs []efi.MemoryDescriptor, pages uint64, align efi.Addr, rng *rand.Rand) (efi.Addr, bool) {
	slots := func(d efi.MemoryDescriptor) (first efi.Addr, n uint64) {
		first = (max(d.PhysicalStart, 0x10000) + align - 1) &^ (align - 1)
		size := efi.Addr(pages) * efi.PageSize
		if end := d.Range().End; d.Type == efi.ConventionalMemory && end >= size && end-size >= first {
			n = uint64((end-size-first)/align) + 1
		}
		return first, n
	}
	var total uint64
	for _, d := range descs {
		_, n := slots(d)
		total += n
	}
	if total == 0 {
		return 0, false
	}
	target := rng.Uint64N(total)
	for _, d := range descs {
		first, n := slots(d)
		if target < n {
			return first + efi.Addr(target)*align, true
		}
		target -= n
	}
	return 0, false
}
