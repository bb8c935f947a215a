// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"math"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

func TestAllocatePages(t *testing.T) {
	const top = efi.Addr(math.MaxUint64)
	tests := []struct {
		name  string
		way   efi.AllocateType
		mt    efi.MemoryType
		pages uint64
		addr  efi.Addr
		want  efi.Addr
		err   efi.Status
	}{
		{"any, from the top", efi.AllocateAnyPages, efi.LoaderData, 3, 0x5000, 0x10fd000, efi.Success},
		{"any, all of a region", efi.AllocateAnyPages, efi.LoaderData, 0x1000, 0, 0x100000, efi.Success},
		{"any, too many", efi.AllocateAnyPages, efi.LoaderData, 0x1001, 0, 0, efi.OutOfResources},
		{"any, none", efi.AllocateAnyPages, efi.LoaderData, 0, 0, 0, efi.OutOfResources},
		{"any, size wraps", efi.AllocateAnyPages, efi.LoaderData, 1 << 52, 0, 0, efi.OutOfResources},
		{"any, all ones", efi.AllocateAnyPages, efi.LoaderData, math.MaxUint64, 0, 0, efi.OutOfResources},
		{"any, rounding wraps", efi.AllocateAnyPages, efi.RuntimeServicesData, 1<<52 - 1, 0, 0, efi.OutOfResources},

		{"max, no bound", efi.AllocateMaxAddress, efi.LoaderData, 1, top, 0x10ff000, efi.Success},
		{"max, one less than no bound", efi.AllocateMaxAddress, efi.LoaderData, 1, top - 1, 0x10ff000, efi.Success},
		{"max, last byte of a page", efi.AllocateMaxAddress, efi.LoaderData, 1, 0x7fffff, 0x7ff000, efi.Success},
		{"max, first byte of a page", efi.AllocateMaxAddress, efi.LoaderData, 1, 0x800000, 0x7ff000, efi.Success},
		{"max, middle of a page", efi.AllocateMaxAddress, efi.LoaderData, 1, 0x800ffe, 0x7ff000, efi.Success},
		{"max, whole next page", efi.AllocateMaxAddress, efi.LoaderData, 1, 0x800fff, 0x800000, efi.Success},
		{"max, in the hole", efi.AllocateMaxAddress, efi.LoaderData, 1, 0xc0000, 0x9f000, efi.Success},
		{"max, all of low memory but page 0", efi.AllocateMaxAddress, efi.LoaderData, 0x9f, 0x9ffff, 0x1000, efi.Success},
		{"max, page 0 too", efi.AllocateMaxAddress, efi.LoaderData, 0xa0, 0x9ffff, 0, efi.OutOfResources},
		{"max, only page 0", efi.AllocateMaxAddress, efi.LoaderData, 1, 0xfff, 0, efi.OutOfResources},
		{"max, zero", efi.AllocateMaxAddress, efi.LoaderData, 1, 0, 0, efi.OutOfResources},
		{"max, no pages", efi.AllocateMaxAddress, efi.LoaderData, 0, top, 0, efi.OutOfResources},

		{"address", efi.AllocateAddress, efi.LoaderCode, 16, 0x200000, 0x200000, efi.Success},
		{"address, to the end", efi.AllocateAddress, efi.LoaderCode, 1, 0x10ff000, 0x10ff000, efi.Success},
		{"address, past the end", efi.AllocateAddress, efi.LoaderCode, 2, 0x10ff000, 0, efi.NotFound},
		{"address, into a hole", efi.AllocateAddress, efi.LoaderCode, 0x61, 0x9f000, 0, efi.NotFound},
		{"address, in a hole", efi.AllocateAddress, efi.LoaderCode, 1, 0xa0000, 0, efi.NotFound},
		{"address, taken", efi.AllocateAddress, efi.LoaderCode, 1, 0x1100000, 0, efi.NotFound},
		{"address, device", efi.AllocateAddress, efi.LoaderCode, 1, 0xfec00000, 0, efi.NotFound},
		{"address, unaligned", efi.AllocateAddress, efi.LoaderCode, 1, 0x200001, 0, efi.NotFound},
		{"address, zero", efi.AllocateAddress, efi.LoaderCode, 1, 0, 0, efi.NotFound},
		{"address, no pages", efi.AllocateAddress, efi.LoaderCode, 0, 0x200000, 0, efi.NotFound},
		{"address, wraps", efi.AllocateAddress, efi.LoaderCode, 2, top - 0xfff, 0, efi.NotFound},
		{"address, size wraps", efi.AllocateAddress, efi.LoaderCode, 1<<52 + 1, 0x200000, 0, efi.NotFound},

		{"no such way", 3, efi.LoaderData, 1, 0, 0, efi.InvalidParameter},
		{"type conventional", efi.AllocateAnyPages, efi.ConventionalMemory, 1, 0, 0, efi.InvalidParameter},
		{"type persistent", efi.AllocateAnyPages, efi.PersistentMemory, 1, 0, 0, efi.InvalidParameter},
		{"type unaccepted", efi.AllocateAnyPages, efi.UnacceptedMemory, 1, 0, 0, efi.InvalidParameter},
		{"first reserved type", efi.AllocateAnyPages, efi.MaxMemoryType, 1, 0, 0, efi.InvalidParameter},
		{"last reserved type", efi.AllocateAddress, 0x6fffffff, 1, 0x200000, 0, efi.InvalidParameter},
		{"first OEM type", efi.AllocateAnyPages, 0x70000000, 1, 0, 0x10ff000, efi.Success},
		{"last OS type", efi.AllocateAnyPages, 0xffffffff, 1, 0, 0x10ff000, efi.Success},
		{"type unusable", efi.AllocateAnyPages, efi.UnusableMemory, 1, 0, 0x10ff000, efi.Success},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := pcMap(t)
			key := m.Key()
			got, err := m.AllocatePages(tt.way, tt.mt, tt.pages, tt.addr)
			wantStatus(t, err, tt.err)
			if got != tt.want {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			if changed := m.Key() != key; changed != (err == nil) {
				t.Errorf("key changed: %v", changed)
			}
			if err != nil {
				return
			}
			if d, ok := m.Lookup(got); !ok || d.Type != tt.mt || d.NumberOfPages != tt.pages || d.Attribute != ram {
				t.Errorf("map says %v, %v", d, ok)
			}
			wantStatus(t, m.FreePages(got, tt.pages), efi.Success)
			if !slices.Equal(m.Descriptors(), pcMap(t).Descriptors()) {
				t.Errorf("after the free: %v", m.Descriptors())
			}
		})
	}
}

// The highest place is found whatever was allocated and freed before.
func TestAllocateHighestHole(t *testing.T) {
	m := pcMap(t)
	alloc := func(want efi.Addr) {
		t.Helper()
		if a, err := m.AllocatePages(efi.AllocateAnyPages, efi.LoaderData, 1, 0); err != nil || a != want {
			t.Errorf("got %v, %v, want %v", a, err, want)
		}
	}
	for a := efi.Addr(0x10ff000); a > 0x10f0000; a -= efi.PageSize {
		alloc(a)
	}
	for _, hole := range []efi.Addr{0x10f4000, 0x10fc000, 0x10fa000} {
		wantStatus(t, m.FreePages(hole, 1), efi.Success)
	}
	alloc(0x10fc000)
	wantStatus(t, m.Convert(efi.Range{Start: 0x10fe000, End: 0x10ff000}, efi.ConventionalMemory), efi.Success)
	wantStatus(t, m.Add(desc(efi.ConventionalMemory, 0x1200000, 0x1201000, ram)), efi.Success)
	for _, want := range []efi.Addr{0x1200000, 0x10fe000, 0x10fa000, 0x10f4000, 0x10f0000} {
		alloc(want)
	}
}

func TestAllocateAttributes(t *testing.T) {
	m, err := NewMemoryMap([]efi.MemoryDescriptor{
		desc(efi.ConventionalMemory, 0x1000, 0x10000, efi.MemoryWB),
		desc(efi.ConventionalMemory, 0x10000, 0x20000, efi.MemoryWB|efi.MemoryMoreReliable),
		desc(efi.ConventionalMemory, 0x20000, 0x30000, efi.MemoryWB|efi.MemorySP),
		desc(efi.RuntimeServicesData, 0x30000, 0x40000, efi.MemoryWB),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := m.Lookup(0x30000); d.Attribute != efi.MemoryWB|efi.MemoryRuntime {
		t.Errorf("runtime memory has %#x", uint64(d.Attribute))
	}

	a, err := m.AllocatePages(efi.AllocateAnyPages, efi.RuntimeServicesCode, 1, 0)
	if err != nil || a != 0x1f000 {
		t.Fatalf("special-purpose memory was not left out: %v, %v", a, err)
	}
	if d, _ := m.Lookup(a); d.Attribute != efi.MemoryWB|efi.MemoryMoreReliable|efi.MemoryRuntime {
		t.Errorf("runtime allocation has %#x", uint64(d.Attribute))
	}
	if err := m.SetAttributes(efi.Range{Start: a, End: a + 0x1000}, efi.MemoryRO, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.FreePages(a, 1); err != nil {
		t.Fatal(err)
	}
	if d, _ := m.Lookup(a); d.Type != efi.ConventionalMemory || d.Attribute != efi.MemoryWB|efi.MemoryMoreReliable {
		t.Errorf("free memory is %v", d)
	}

	if _, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderData, 0x20, 0x8000); err != nil {
		t.Errorf("by address, across attributes, and in special-purpose memory: %v", err)
	}
	if n := len(m.Descriptors()); n != 6 {
		t.Errorf("%d descriptors", n)
	}
}

func TestRuntimeGranularity(t *testing.T) {
	m, err := NewMemoryMap([]efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x1000, 0x143000, efi.MemoryWB)})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []uint64{0, 1, 0x800, 0x1800, 0x3000} {
		wantStatus(t, m.SetRuntimeGranularity(bad), efi.InvalidParameter)
	}
	wantStatus(t, m.SetRuntimeGranularity(0x10000), efi.Success)

	a, err := m.AllocatePages(efi.AllocateAnyPages, efi.LoaderData, 1, 0)
	if err != nil || a != 0x142000 {
		t.Fatalf("LoaderData at %v, %v", a, err)
	}
	for i, mt := range []efi.MemoryType{efi.RuntimeServicesCode, efi.RuntimeServicesData, efi.ReservedMemory, efi.ACPIMemoryNVS} {
		want := 0x130000 - efi.Addr(i)*0x10000
		if a, err := m.AllocatePages(efi.AllocateAnyPages, mt, 1, 0); err != nil || a != want {
			t.Fatalf("%v at %v, %v, want %v", mt, a, err, want)
		}
		if d, _ := m.Lookup(want); d.Type != mt || d.NumberOfPages != 16 {
			t.Errorf("%v is %v", mt, d)
		}
	}
	_, err = m.AllocatePages(efi.AllocateAddress, efi.RuntimeServicesData, 1, 0x21000)
	wantStatus(t, err, efi.NotFound)
	if a, err := m.AllocatePages(efi.AllocateMaxAddress, efi.RuntimeServicesData, 17, 0x8ffff); err != nil || a != 0x70000 {
		t.Errorf("17 pages below 0x90000 at %v, %v", a, err)
	}
	wantStatus(t, m.FreePages(0x71000, 1), efi.InvalidParameter)
	wantStatus(t, m.FreePages(0x80000, 1), efi.Success)
	if d, _ := m.Lookup(0x80000); d.Type != efi.ConventionalMemory {
		t.Errorf("a unit was not freed whole: %v", d)
	}

	if _, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderData, 1, 0x6f000); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, m.FreePages(0x6f000, 2), efi.InvalidParameter)
	wantStatus(t, m.FreePages(0x6f000, 17), efi.Success)
}

func TestFreePages(t *testing.T) {
	tests := []struct {
		name  string
		addr  efi.Addr
		pages uint64
		want  efi.Status
	}{
		{"all", 0x200000, 16, efi.Success},
		{"head", 0x200000, 3, efi.Success},
		{"tail", 0x20d000, 3, efi.Success},
		{"middle", 0x204000, 3, efi.Success},
		{"two allocations", 0x20f000, 2, efi.Success},
		{"unaligned", 0x200010, 1, efi.InvalidParameter},
		{"no pages", 0x200000, 0, efi.InvalidParameter},
		{"size wraps", 0x200000, 1 << 52, efi.InvalidParameter},
		{"end wraps", 0x200000, 1<<52 - 1, efi.InvalidParameter},
		{"more than allocated", 0x210000, 17, efi.NotFound},
		{"from below", 0x1ff000, 2, efi.NotFound},
		{"free already", 0x300000, 1, efi.NotFound},
		{"a hole", 0xa0000, 1, efi.NotFound},
		{"the platform's", 0x1100000, 1, efi.NotFound},
		{"a device", 0xfec00000, 1, efi.NotFound},
		{"pinned", 0x400000, 1, efi.NotFound},
		{"the pool's", 0x10ff000, 1, efi.NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := pcMap(t)
			if _, err := NewPool(m).Allocate(efi.LoaderData, 100); err != nil {
				t.Fatal(err)
			}
			for _, a := range []efi.Addr{0x200000, 0x210000, 0x400000} {
				mt := efi.LoaderCode + efi.MemoryType(a>>16&1)
				if _, err := m.AllocatePages(efi.AllocateAddress, mt, 16, a); err != nil {
					t.Fatal(err)
				}
			}
			key := m.Key()
			if err := m.Convert(efi.Range{Start: 0x400000, End: 0x410000}, efi.LoaderCode); err != nil || m.Key() != key {
				t.Fatalf("pin: %v, key %d, was %d", err, m.Key(), key)
			}
			before := m.Descriptors()
			wantStatus(t, m.FreePages(tt.addr, tt.pages), tt.want)
			if tt.want != efi.Success {
				if m.Key() != key || !slices.Equal(before, m.Descriptors()) {
					t.Error("a failed call changed the map")
				}
				return
			}
			for a := tt.addr; a < tt.addr+efi.Addr(tt.pages)*efi.PageSize; a += efi.PageSize {
				if d, _ := m.Lookup(a); d.Type != efi.ConventionalMemory {
					t.Errorf("%v is %v", a, d.Type)
				}
			}
			if m.Key() == key {
				t.Error("the key is still the same")
			}
			wantStatus(t, m.FreePages(tt.addr, tt.pages), efi.NotFound)
		})
	}
}

func TestConvert(t *testing.T) {
	rng := func(a, b efi.Addr) efi.Range { return efi.Range{Start: a, End: b} }
	m := pcMap(t)
	pool := NewPool(m)
	if _, err := pool.Allocate(efi.LoaderData, 100); err != nil {
		t.Fatal(err)
	}
	key := m.Key()
	wantStatus(t, m.Convert(rng(0x1000, 0x1000), efi.LoaderData), efi.InvalidParameter)
	wantStatus(t, m.Convert(rng(0x3000, 0x1000), efi.LoaderData), efi.InvalidParameter)
	wantStatus(t, m.Convert(rng(0x1001, 0x2000), efi.LoaderData), efi.InvalidParameter)
	wantStatus(t, m.Convert(rng(0x1000, 0x2800), efi.LoaderData), efi.InvalidParameter)
	wantStatus(t, m.Convert(rng(0x1000, 0x2000), efi.MaxMemoryType), efi.InvalidParameter)
	wantStatus(t, m.Convert(rng(0x9f000, 0xa1000), efi.LoaderData), efi.NotFound)
	wantStatus(t, m.Convert(rng(0x10f0000, 0x1100000), efi.LoaderData), efi.AccessDenied)
	if m.Key() != key {
		t.Error("failed calls changed the key")
	}
	wantStatus(t, m.Convert(rng(0x1000, 0x9f000), efi.RuntimeServicesCode), efi.Success)
	if d, _ := m.Lookup(0x2000); d != desc(efi.RuntimeServicesCode, 0x1000, 0x9f000, ram|efi.MemoryRuntime) {
		t.Errorf("converted: %v", d)
	}
	wantStatus(t, m.Convert(rng(0x1000, 0x9f000), efi.BootServicesData), efi.Success)
	if d, _ := m.Lookup(0x2000); d != desc(efi.BootServicesData, 0x1000, 0x9f000, ram) {
		t.Errorf("converted again: %v", d)
	}
	key = m.Key()
	wantStatus(t, m.Convert(rng(0x2000, 0x3000), efi.BootServicesData), efi.Success)
	if m.Key() != key {
		t.Error("a call that changed nothing changed the key")
	}
	wantStatus(t, m.Convert(rng(0x1000, 0x9f000), efi.ConventionalMemory), efi.Success)
	if d, _ := m.Lookup(0x2000); d != desc(efi.ConventionalMemory, 0, 0xa0000, ram) {
		t.Errorf("given back: %v", d)
	}
}

func TestAdd(t *testing.T) {
	m := pcMap(t)
	key := m.Key()
	wantStatus(t, m.Add(desc(efi.ReservedMemory, 0x9f000, 0xa1000, 0)), efi.InvalidParameter)
	wantStatus(t, m.Add(desc(efi.ReservedMemory, 0xff000, 0x101000, 0)), efi.InvalidParameter)
	wantStatus(t, m.Add(desc(efi.ReservedMemory, 0xa0000, 0xa0000, 0)), efi.InvalidParameter)
	if m.Key() != key {
		t.Error("failed calls changed the key")
	}
	wantStatus(t, m.Add(desc(efi.ConventionalMemory, 0xa0000, 0x100000, ram)), efi.Success)
	wantStatus(t, m.Add(desc(efi.ReservedMemory, 0x80000000, 0x80001000, 0)), efi.Success)
	if d, _ := m.Lookup(0); m.Key() == key || d != desc(efi.ConventionalMemory, 0, 0x1100000, ram) {
		t.Errorf("key %d, low memory %v", m.Key(), d)
	}
}

func TestSetAttributes(t *testing.T) {
	rng := func(a, b efi.Addr) efi.Range { return efi.Range{Start: a, End: b} }
	m := pcMap(t)
	if _, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderCode, 16, 0x200000); err != nil {
		t.Fatal(err)
	}
	key := m.Key()
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x200000), efi.MemoryXP, 0), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0x200800, 0x201000), efi.MemoryXP, 0), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x201000), efi.MemoryWB, 0), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x201000), 0, efi.MemoryRuntime), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x201000), efi.MemoryXP, efi.MemoryXP), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0x20f000, 0x211000), efi.MemoryXP, 0), efi.InvalidParameter)
	wantStatus(t, m.SetAttributes(rng(0xa0000, 0xa1000), efi.MemoryXP, 0), efi.NotFound)
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x210000), 0, efi.MemoryXP), efi.Success)
	if m.Key() != key {
		t.Error("the key changed with nothing in the map")
	}
	wantStatus(t, m.SetAttributes(rng(0x204000, 0x208000), efi.MemoryXP, 0), efi.Success)
	wantStatus(t, m.SetAttributes(rng(0x206000, 0x20a000), efi.MemoryRO, 0), efi.Success)
	for _, want := range []efi.MemoryDescriptor{
		desc(efi.LoaderCode, 0x200000, 0x204000, ram),
		desc(efi.LoaderCode, 0x204000, 0x206000, ram|efi.MemoryXP),
		desc(efi.LoaderCode, 0x206000, 0x208000, ram|efi.MemoryXP|efi.MemoryRO),
		desc(efi.LoaderCode, 0x208000, 0x20a000, ram|efi.MemoryRO),
		desc(efi.LoaderCode, 0x20a000, 0x210000, ram),
	} {
		if d, _ := m.Lookup(want.PhysicalStart); d != want {
			t.Errorf("got %v, want %v", d, want)
		}
	}
	wantStatus(t, m.SetAttributes(rng(0x200000, 0x210000), 0, efi.MemoryXP|efi.MemoryRO), efi.Success)
	if d, _ := m.Lookup(0x205000); d != desc(efi.LoaderCode, 0x200000, 0x210000, ram) {
		t.Errorf("cleared: %v", d)
	}
}
