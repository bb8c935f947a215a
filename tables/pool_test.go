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

func TestPool(t *testing.T) {
	m := pcMap(t)
	empty := m.Descriptors()
	p := NewPool(m)

	a, err := p.Allocate(efi.LoaderData, 100)
	if err != nil || a != 0x10ff000 {
		t.Fatalf("first: %v, %v", a, err)
	}
	key := m.Key()
	b, err := p.Allocate(efi.LoaderData, 128)
	if err != nil || b != a+128 || m.Key() != key {
		t.Fatalf("second: %v, %v; key %d, was %d", b, err, m.Key(), key)
	}
	c, err := p.Allocate(efi.ACPIReclaimMemory, 100)
	if err != nil || c.PageDown() == a || m.Key() == key {
		t.Fatalf("other type: %v, %v", c, err)
	}
	d, err := p.Allocate(efi.LoaderData, 4097)
	if err != nil || !d.PageAligned() {
		t.Fatalf("large: %v, %v", d, err)
	}
	if p.Live() != 4 {
		t.Errorf("%d live", p.Live())
	}

	for _, bad := range []efi.Addr{0, 8, a + 1, a + 16, a + 256, b + 127, d + 1, d + efi.PageSize, 0x1100000, math.MaxUint64} {
		wantStatus(t, p.Free(bad), efi.InvalidParameter)
	}
	wantStatus(t, m.FreePages(d, 1), efi.NotFound)
	key = m.Key()
	wantStatus(t, p.Free(a), efi.Success)
	wantStatus(t, p.Free(a), efi.InvalidParameter)
	if m.Key() != key {
		t.Error("the key changed, though no page did")
	}
	if again, err := p.Allocate(efi.LoaderData, 65); err != nil || again != a {
		t.Errorf("the free slot was not used: %v, %v", again, err)
	}
	for _, addr := range []efi.Addr{d, c, b, a} {
		wantStatus(t, p.Free(addr), efi.Success)
		wantStatus(t, p.Free(addr), efi.InvalidParameter)
	}
	if !slices.Equal(m.Descriptors(), empty) || p.Live() != 0 || len(p.blocks) != 0 || len(p.partial) != 0 {
		t.Errorf("left over: %v, %d", m.Descriptors(), p.Live())
	}
}

func TestPoolSizes(t *testing.T) {
	tests := []struct {
		size, apart uint64
	}{
		{0, 16}, {1, 16}, {16, 16}, {17, 32}, {33, 64}, {100, 128}, {1024, 1024}, {1025, 2048}, {2048, 2048},
		{2049, 4096}, {4096, 4096}, {4097, 8192}, {3 << 12, 3 << 12},
	}
	for _, tt := range tests {
		m := pcMap(t)
		p := NewPool(m)
		var got [2]efi.Addr
		for i := range got {
			var err error
			if got[i], err = p.Allocate(efi.BootServicesData, tt.size); err != nil {
				t.Fatal(err)
			}
		}
		apart := max(got[0], got[1]) - min(got[0], got[1])
		if uint64(apart) != tt.apart {
			t.Errorf("two of %d bytes lie %d apart, want %d", tt.size, apart, tt.apart)
		}
	}
}

// Blocks that were full serve again, and those with room are told apart.
func TestPoolReuse(t *testing.T) {
	p := NewPool(pcMap(t))
	var got []efi.Addr
	for range 3 * efi.PageSize / 512 {
		a, err := p.Allocate(efi.LoaderData, 512)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	holes := []efi.Addr{got[1], got[9], got[10], got[17]}
	for _, a := range holes {
		wantStatus(t, p.Free(a), efi.Success)
	}
	for _, a := range got[:8] {
		if a != got[1] {
			wantStatus(t, p.Free(a), efi.Success)
		}
	}
	var again []efi.Addr
	for range 3 {
		a, err := p.Allocate(efi.LoaderData, 512)
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, a)
	}
	slices.Sort(again)
	if want := []efi.Addr{got[17], got[9], got[10]}; !slices.Equal(again, want) {
		t.Errorf("got %v, want %v", again, want)
	}
	if a, err := p.Allocate(efi.LoaderData, 512); err != nil || a != got[0] {
		t.Errorf("a new block at %v, %v", a, err)
	}
}

func TestPoolErrors(t *testing.T) {
	m := pcMap(t)
	p := NewPool(m)
	key := m.Key()
	for _, tt := range []struct {
		mt   efi.MemoryType
		size uint64
		want efi.Status
	}{
		{efi.ConventionalMemory, 1, efi.InvalidParameter},
		{efi.PersistentMemory, 1, efi.InvalidParameter},
		{efi.MaxMemoryType, 1, efi.InvalidParameter},
		{efi.MaxMemoryType, 1 << 20, efi.InvalidParameter},
		{efi.LoaderData, 1 << 30, efi.OutOfResources},
		{efi.LoaderData, math.MaxUint64, efi.OutOfResources},
		{efi.LoaderData, math.MaxUint64 - 0xffe, efi.OutOfResources},
	} {
		_, err := p.Allocate(tt.mt, tt.size)
		wantStatus(t, err, tt.want)
	}
	if m.Key() != key || len(p.blocks) != 0 || len(p.partial) != 0 {
		t.Error("failed calls left something behind")
	}
}

func TestPoolGranularity(t *testing.T) {
	m := pcMap(t)
	if err := m.SetRuntimeGranularity(0x10000); err != nil {
		t.Fatal(err)
	}
	empty := m.Descriptors()
	p := NewPool(m)
	var got []efi.Addr
	for range 3 {
		a, err := p.Allocate(efi.RuntimeServicesData, 30000)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if got[0] != 0x10f0000 || got[1] != 0x10f8000 || got[2] != 0x10e0000 {
		t.Errorf("got %v", got)
	}
	if d, _ := m.Lookup(0x10f0000); d.NumberOfPages != 32 {
		t.Errorf("map says %v", d)
	}
	for _, a := range got {
		wantStatus(t, p.Free(a), efi.Success)
	}
	if !slices.Equal(m.Descriptors(), empty) {
		t.Errorf("left over: %v", m.Descriptors())
	}
}

// A guest can not make the host's records grow without end.
func TestMaxPoolBlocks(t *testing.T) {
	m, err := NewMemoryMap([]efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x1000, 0x20000000, ram)})
	if err != nil {
		t.Fatal(err)
	}
	p := NewPool(m)
	var last efi.Addr
	for i := range MaxPoolBlocks {
		if last, err = p.Allocate(efi.LoaderData, efi.PageSize); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	key := m.Key()
	_, err = p.Allocate(efi.LoaderData, 1)
	wantStatus(t, err, efi.OutOfResources)
	if m.Key() != key {
		t.Error("the call that failed changed the map")
	}
	wantStatus(t, p.Free(last), efi.Success)
	_, err = p.Allocate(efi.LoaderData, 1)
	wantStatus(t, err, efi.Success)
}

// FuzzPool runs a stream of calls against the pool and a list of what it gave.
func FuzzPool(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0, 4, 5, 6, 3, 0, 0, 0, 6, 0, 0, 0, 3, 1, 0, 0})
	f.Add([]byte{1, 0, 16, 0, 1, 0, 16, 0, 1, 0, 16, 0, 1, 0, 16, 0, 4, 2, 0, 0, 5, 1, 1, 1, 7, 7, 7, 7})
	for seed := range uint64(16) {
		var data [4 * 500]byte
		chacha := rand.NewChaCha8([32]byte{byte(seed)})
		_, _ = chacha.Read(data[:])
		f.Add(data[seed%2:])
	}
	types := []efi.MemoryType{efi.LoaderData, efi.LoaderCode, efi.RuntimeServicesData, 0x80000000}
	type block struct {
		addr efi.Addr
		size uint64
		mt   efi.MemoryType
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := NewMemoryMap([]efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0, 0x80000, ram)})
		if err != nil {
			t.Fatal(err)
		}
		if len(data)%2 == 1 {
			if err := m.SetRuntimeGranularity(0x4000); err != nil {
				t.Fatal(err)
			}
		}
		empty := m.Descriptors()
		p := NewPool(m)
		var live []block
		free := func(i int) {
			if err := p.Free(live[i].addr); err != nil {
				t.Fatalf("free %v: %v", live[i], err)
			}
			live = slices.Delete(live, i, i+1)
		}
		for ; len(data) >= 4; data = data[4:] {
			before, key := m.Descriptors(), m.Key()
			switch data[0] % 8 {
			case 0, 1, 2:
				b := block{mt: types[data[1]%4], size: uint64(data[2]) | uint64(data[3])<<8}
				if data[0]%8 == 0 {
					b.size &= 0xff
				}
				if b.addr, err = p.Allocate(b.mt, b.size); err != nil {
					wantStatus(t, err, efi.OutOfResources)
					break
				}
				if b.addr%PoolAlignment != 0 || b.addr == 0 {
					t.Fatalf("%v is not aligned", b)
				}
				b.size = max(b.size, 1)
				end := b.addr + efi.Addr(b.size)
				for _, o := range live {
					if b.addr < o.addr+efi.Addr(o.size) && o.addr < end {
						t.Fatalf("%v lies in %v", b, o)
					}
				}
				if d, ok := m.Lookup(b.addr); !ok || d.Type != b.mt || end > d.Range().End {
					t.Fatalf("%v lies in %v", b, d)
				}
				live = append(live, b)
			case 3, 4:
				if len(live) > 0 {
					free(int(data[1]) % len(live))
				}
			case 5:
				a := efi.Addr(data[1])<<11 | efi.Addr(data[2])<<4 | efi.Addr(data[3]%2)
				if slices.ContainsFunc(live, func(b block) bool { return b.addr == a }) {
					break
				}
				if err := p.Free(a); !errors.Is(err, efi.InvalidParameter) {
					t.Fatalf("free %v, which is none: %v", a, err)
				}
				if m.Key() != key {
					t.Fatalf("free %v, which is none, changed the map", a)
				}
			case 6:
				m = m.Clone()
				p = p.Clone(m)
			case 7:
				a, err := m.AllocatePages(efi.AllocateAnyPages, types[data[1]%4], uint64(data[2]%4), 0)
				if err != nil {
					break
				}
				if slices.ContainsFunc(live, func(b block) bool { return b.addr.PageDown() == a }) {
					t.Fatalf("page %v is the pool's", a)
				}
				if err := m.FreePages(a, uint64(data[2]%4)); err != nil {
					t.Fatal(err)
				}
				key = m.Key()
			}
			if changed := !slices.Equal(before, m.Descriptors()); changed != (m.Key() != key) {
				t.Fatalf("op %v: changed %v, key %d then %d", data[:4], changed, key, m.Key())
			}
			if p.Live() != len(live) {
				t.Fatalf("op %v: %d live, want %d", data[:4], p.Live(), len(live))
			}
		}
		for len(live) > 0 {
			free(len(live) - 1)
		}
		if !slices.Equal(m.Descriptors(), empty) || len(p.blocks) != 0 || len(p.partial) != 0 {
			t.Fatalf("left over: %v", m.Descriptors())
		}
	})
}

func BenchmarkPool(b *testing.B) {
	m, err := NewMemoryMap([]efi.MemoryDescriptor{desc(efi.ConventionalMemory, 0x100000, 1<<32, ram)})
	if err != nil {
		b.Fatal(err)
	}
	p := NewPool(m)
	sizes := []uint64{24, 100, 700, 5000}
	for b.Loop() {
		var got [10000]efi.Addr
		for i := range got {
			if got[i], err = p.Allocate(efi.LoaderData, sizes[i%4]); err != nil {
				b.Fatal(err)
			}
		}
		for i := range got {
			if err := p.Free(got[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20000, "ns/call")
}
