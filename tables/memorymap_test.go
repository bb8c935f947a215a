// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

const ram = efi.MemoryUC | efi.MemoryWC | efi.MemoryWT | efi.MemoryWB

func desc(t efi.MemoryType, start, end efi.Addr, a efi.MemoryAttribute) efi.MemoryDescriptor {
	return efi.MemoryDescriptor{Type: t, PhysicalStart: start, NumberOfPages: uint64(end-start) / efi.PageSize, Attribute: a}
}

// pcMap is a small PC: low memory, a hole, 16 MiB of RAM from 1 MiB, tables.
func pcMap(t testing.TB) *MemoryMap {
	t.Helper()
	m, err := NewMemoryMap([]efi.MemoryDescriptor{
		desc(efi.ACPIMemoryNVS, 0x1100000, 0x1110000, ram),
		desc(efi.ConventionalMemory, 0, 0xa0000, ram),
		desc(efi.ConventionalMemory, 0x100000, 0x800000, ram),
		desc(efi.ConventionalMemory, 0x800000, 0x1100000, ram),
		desc(efi.MemoryMappedIO, 0xfec00000, 0xfec01000, efi.MemoryUC|efi.MemoryRuntime),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantStatus fails unless err is want; Success stands for nil.
func wantStatus(t testing.TB, err error, want efi.Status) {
	t.Helper()
	if want == efi.Success && err == nil {
		return
	}
	if !errors.Is(err, want) || err == nil {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestNewMemoryMap(t *testing.T) {
	conv := efi.ConventionalMemory
	tests := []struct {
		name  string
		descs []efi.MemoryDescriptor
		want  efi.Status
	}{
		{"empty", nil, efi.Success},
		{"sorted on the way", []efi.MemoryDescriptor{desc(conv, 0x3000, 0x4000, 0), desc(conv, 0x1000, 0x2000, 0)}, efi.Success},
		{"operating system's type", []efi.MemoryDescriptor{desc(0x80000001, 0x3000, 0x4000, 0)}, efi.Success},
		{"overlap", []efi.MemoryDescriptor{desc(conv, 0x1000, 0x4000, 0), desc(conv, 0x3000, 0x5000, 0)}, efi.InvalidParameter},
		{"contained", []efi.MemoryDescriptor{desc(conv, 0x1000, 0x9000, 0), desc(conv, 0x3000, 0x5000, 0), desc(conv, 0x7000, 0x8000, 0)}, efi.InvalidParameter},
		{"twice", []efi.MemoryDescriptor{desc(conv, 0x1000, 0x2000, 0), desc(conv, 0x1000, 0x2000, 0)}, efi.InvalidParameter},
		{"no pages", []efi.MemoryDescriptor{desc(conv, 0x1000, 0x1000, 0)}, efi.InvalidParameter},
		{"unaligned", []efi.MemoryDescriptor{desc(conv, 0x1001, 0x3001, 0)}, efi.InvalidParameter},
		{"size wraps", []efi.MemoryDescriptor{{Type: conv, NumberOfPages: 1<<52 + 1}}, efi.InvalidParameter},
		{"size is 2^64", []efi.MemoryDescriptor{{Type: conv, NumberOfPages: 1 << 52}}, efi.InvalidParameter},
		{"end wraps", []efi.MemoryDescriptor{{Type: conv, PhysicalStart: math.MaxUint64 - 0xfff, NumberOfPages: 2}}, efi.InvalidParameter},
		{"reserved type", []efi.MemoryDescriptor{desc(efi.MaxMemoryType, 0x1000, 0x2000, 0)}, efi.InvalidParameter},
		{"last reserved type", []efi.MemoryDescriptor{desc(0x6fffffff, 0x1000, 0x2000, 0)}, efi.InvalidParameter},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewMemoryMap(tt.descs)
			wantStatus(t, err, tt.want)
		})
	}
}

func TestDescriptors(t *testing.T) {
	m := pcMap(t)
	want := []efi.MemoryDescriptor{
		desc(efi.ConventionalMemory, 0, 0xa0000, ram),
		desc(efi.ConventionalMemory, 0x100000, 0x1100000, ram),
		desc(efi.ACPIMemoryNVS, 0x1100000, 0x1110000, ram),
		desc(efi.MemoryMappedIO, 0xfec00000, 0xfec01000, efi.MemoryUC|efi.MemoryRuntime),
	}
	if got := m.Descriptors(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	raw := m.Marshal()
	if len(raw) != len(want)*efi.MemoryDescriptorSize {
		t.Fatalf("%d bytes for %d descriptors", len(raw), len(want))
	}
	for i, w := range want {
		var got efi.MemoryDescriptor
		if _, err := binary.Decode(raw[i*efi.MemoryDescriptorSize:], binary.LittleEndian, &got); err != nil || got != w {
			t.Errorf("descriptor %d is %v, %v on the wire, want %v", i, got, err, w)
		}
	}
}

func TestLookup(t *testing.T) {
	m := pcMap(t)
	if err := m.Convert(efi.Range{Start: 0x1101000, End: 0x1102000}, efi.ACPIMemoryNVS); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		addr  efi.Addr
		start efi.Addr
		ok    bool
	}{
		{0, 0, true},
		{0x9ffff, 0, true},
		{0xa0000, 0, false},
		{0x10fffff, 0x100000, true},
		{0x1100000, 0x1100000, true},
		{0x1101800, 0x1100000, true},
		{0x110ffff, 0x1100000, true},
		{0x1110000, 0, false},
		{math.MaxUint64, 0, false},
	}
	for _, tt := range tests {
		d, ok := m.Lookup(tt.addr)
		if ok != tt.ok || d.PhysicalStart != tt.start {
			t.Errorf("Lookup(%v) = %v, %v", tt.addr, d, ok)
		}
		if ok && !slices.Contains(m.Descriptors(), d) {
			t.Errorf("Lookup(%v) = %v, which Descriptors does not list", tt.addr, d)
		}
	}
}

func TestRanges(t *testing.T) {
	m := pcMap(t)
	for _, mt := range []efi.MemoryType{efi.LoaderCode, efi.LoaderData} {
		if _, err := m.AllocatePages(efi.AllocateAnyPages, mt, 2, 0); err != nil {
			t.Fatal(err)
		}
	}
	want := []efi.Range{{Start: 0x10fc000, End: 0x1110000}, {Start: 0xfec00000, End: 0xfec01000}}
	if got := slices.Collect(m.Ranges(NotFree)); !slices.Equal(got, want) {
		t.Errorf("not free: %v, want %v", got, want)
	}
	mine := func(r Region) bool { return r.Owner == OwnerPages }
	if got := slices.Collect(m.Ranges(mine)); !slices.Equal(got, []efi.Range{{Start: 0x10fc000, End: 0x1100000}}) {
		t.Errorf("allocated: %v", got)
	}
	for r := range m.Ranges(NotFree) {
		if r != want[0] {
			t.Errorf("first range is %v", r)
		}
		break
	}
	if got := m.PageCount(efi.LoaderCode); got != 2 {
		t.Errorf("%d pages of LoaderCode", got)
	}
	if got := m.LargestFree(); got != (0x10fc000-0x100000)/efi.PageSize {
		t.Errorf("largest free: %d", got)
	}
}

func TestClone(t *testing.T) {
	m := pcMap(t)
	c := m.Clone()
	before := m.Descriptors()
	if _, err := c.AllocatePages(efi.AllocateAnyPages, efi.LoaderData, 1, 0); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.Descriptors(), before) || m.Key() == c.Key() {
		t.Error("an allocation from the clone shows in the original")
	}
}

// A guest can not make the host's copy of the map grow without end.
func TestMaxDescriptors(t *testing.T) {
	const free = MaxDescriptors - 2
	descs := []efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x1000, 0x10000000, 0)}
	for i := range efi.Addr(free) {
		at := 0x10000000 + i*0x2000
		descs = append(descs, desc(efi.ReservedMemory, at, at+0x1000, 0))
	}
	m, err := NewMemoryMap(descs)
	if err != nil {
		t.Fatal(err)
	}
	at := func(a efi.Addr) error {
		_, err := m.AllocatePages(efi.AllocateAddress, efi.LoaderData, 1, a)
		return err
	}
	key := m.Key()
	wantStatus(t, at(0x8000), efi.OutOfResources)
	wantStatus(t, m.Convert(efi.Range{Start: 0x8000, End: 0x9000}, efi.LoaderData), efi.OutOfResources)
	if m.Key() != key {
		t.Error("the key changed")
	}
	wantStatus(t, at(0x1000), efi.Success)
	wantStatus(t, at(0x2000), efi.Success)
	wantStatus(t, at(0xa000), efi.OutOfResources)
	wantStatus(t, m.Add(desc(efi.ReservedMemory, 0x80000000, 0x80001000, 0)), efi.OutOfResources)
	wantStatus(t, m.FreePages(0x1000, 2), efi.Success)

	if _, err := NewMemoryMap(append(descs, desc(efi.ReservedMemory, 0x80000000, 0x80001000, 0), desc(efi.ReservedMemory, 0x80002000, 0x80003000, 0))); !errors.Is(err, efi.OutOfResources) {
		t.Errorf("a map with too many descriptors: %v", err)
	}
}

func BenchmarkAllocatePages(b *testing.B) {
	types := []efi.MemoryType{efi.LoaderCode, efi.LoaderData, efi.BootServicesData}
	for b.Loop() {
		m, err := NewMemoryMap([]efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x100000, 1<<32, ram)})
		if err != nil {
			b.Fatal(err)
		}
		var got [10000]efi.Addr
		for i := range got {
			if got[i], err = m.AllocatePages(efi.AllocateAnyPages, types[i%3], 1+uint64(i%5), 0); err != nil {
				b.Fatal(err)
			}
		}
		for i := range got {
			if err := m.FreePages(got[i], 1+uint64(i%5)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20000, "ns/call")
}

// The worst that a guest can do: a map that is full of fragments, and a request
// that only fits at the bottom.
func BenchmarkAllocatePagesFragmented(b *testing.B) {
	descs := []efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x1000, 0x10000000, ram)}
	for i := range efi.Addr(MaxDescriptors/2 - 2) {
		at := 0x10000000 + i*0x2000
		descs = append(descs, desc(efi.LoaderData, at, at+0x1000, ram), desc(efi.ConventionalMemory, at+0x1000, at+0x2000, ram))
	}
	m, err := NewMemoryMap(descs)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		a, err := m.AllocatePages(efi.AllocateAnyPages, efi.BootServicesData, 2, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.FreePages(a, 2); err != nil {
			b.Fatal(err)
		}
	}
}
