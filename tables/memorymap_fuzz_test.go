// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// FuzzMemoryMap runs a stream of calls against the map and against pageModel.
func FuzzMemoryMap(f *testing.F) {
	for seed := range uint64(16) {
		var data [1 + 6*400]byte
		chacha := rand.NewChaCha8([32]byte{byte(seed)})
		_, _ = chacha.Read(data[:])
		f.Add(data[:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		m, w := modelled(t, data[0]&1 == 1)
		for ops := data[1:]; len(ops) >= 6; ops = ops[6:] {
			step(t, m, w, [6]byte(ops))
		}
	})
}

// modelled is a map of 128 pages, with holes and odd attributes, and its model.
func modelled(t *testing.T, coarse bool) (*MemoryMap, *pageModel) {
	w := &pageModel{pages: make([]modelPage, 128), unit: 1}
	var descs []efi.MemoryDescriptor
	for _, d := range []efi.MemoryDescriptor{
		desc(efi.ConventionalMemory, 0, 0x28000, efi.MemoryWB),
		desc(efi.ConventionalMemory, 0x30000, 0x50000, efi.MemoryWB|efi.MemoryMoreReliable),
		desc(efi.ReservedMemory, 0x50000, 0x54000, efi.MemoryUC|efi.MemoryRuntime),
		desc(efi.ConventionalMemory, 0x54000, 0x64000, efi.MemoryWB|efi.MemorySP),
		desc(efi.ConventionalMemory, 0x64000, 0x7a000, efi.MemoryWB),
	} {
		descs = append(descs, d)
		for a := d.PhysicalStart; a < d.Range().End; a += efi.PageSize {
			w.pages[a/efi.PageSize] = modelPage{present: true, mt: d.Type, attr: d.Attribute}
		}
	}
	m, err := NewMemoryMap(descs)
	if err != nil {
		t.Fatal(err)
	}
	if coarse {
		w.unit = 4
		if err := m.SetRuntimeGranularity(4 * efi.PageSize); err != nil {
			t.Fatal(err)
		}
	}
	return m, w
}

// step does what op says to both, and compares.
func step(t *testing.T, m *MemoryMap, w *pageModel, op [6]byte) {
	types := []efi.MemoryType{
		efi.LoaderCode, efi.LoaderData, efi.RuntimeServicesData, efi.ReservedMemory, 0x80000000, 0x70000001,
		efi.LoaderData, efi.LoaderCode, efi.RuntimeServicesCode, efi.BootServicesData,
		efi.ConventionalMemory, efi.PersistentMemory, efi.UnacceptedMemory, efi.MaxMemoryType, 0x6fffffff, efi.ACPIReclaimMemory,
	}
	attrs := []efi.MemoryAttribute{0, efi.MemoryXP, efi.MemoryRO, efi.MemoryRP, efi.MemoryXP | efi.MemoryRO, 0, efi.MemoryXP, efi.MemoryWB}
	offsets := []efi.Addr{0, 0, 0, 0, 0, 1, 0x800, 0xfff}
	odd := []uint64{0, math.MaxUint64, 1<<52 - 1, 1 << 52, 1<<52 + 1, 1 << 51}

	mt := types[op[1]%16]
	addr := efi.Addr(op[2]%132)*efi.PageSize + offsets[op[3]%8]
	if op[3] >= 0xf8 {
		addr = math.MaxUint64 - offsets[op[2]%8]
	}
	n := uint64(op[4] % 24)
	if op[4] >= 0xf0 {
		n = odd[op[4]%6]
	}
	if op[0]%8 == 4 {
		addr = w.nthAllocated(int(op[2]))
		n = 1 + n%8
	}
	if op[0]%8 == 5 && op[5]%4 > 0 {
		mt = efi.ConventionalMemory
	}
	small := n % 24
	span := efi.Range{Start: addr, End: addr + efi.Addr(small)*efi.PageSize}

	key, before := m.Key(), w.visible()
	var err error
	var want efi.Status
	switch op[0] % 8 {
	case 0, 1, 2:
		way := efi.AllocateType(op[0] % 8)
		if op[5] == 0xff {
			way = 3
		}
		var got, at efi.Addr
		got, err = m.AllocatePages(way, mt, n, addr)
		at, want = w.allocate(way, mt, n, addr)
		if got != at {
			t.Fatalf("allocate %v %v %d %v: got %v, want %v", way, mt, n, addr, got, at)
		}
	case 3, 4:
		err = m.FreePages(addr, n)
		want = w.freePages(addr, n)
	case 5:
		err = m.Convert(span, mt)
		want = w.convert(addr, small, mt)
	case 6:
		set, clear := attrs[op[5]%8], attrs[op[5]/8%8]
		err = m.SetAttributes(span, set, clear)
		want = w.protect(addr, small, set, clear)
	case 7:
		if addr+efi.Addr(small)*efi.PageSize > 128*efi.PageSize {
			return
		}
		err = m.Add(efi.MemoryDescriptor{Type: mt, PhysicalStart: addr, NumberOfPages: small, Attribute: efi.MemoryWB})
		want = w.add(addr, small, mt)
	}
	if want == efi.Success && err != nil || want != efi.Success && !errors.Is(err, want) {
		t.Fatalf("op %v (%v, %v, %d pages): got %v, want %v", op, mt, addr, n, err, want)
	}
	if changed := !slices.Equal(before, w.visible()); changed != (m.Key() != key) {
		t.Fatalf("op %v: changed %v, key %d then %d", op, changed, key, m.Key())
	}
	w.check(t, m)
}
