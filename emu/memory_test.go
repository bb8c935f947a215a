// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// typeAt is the memory map's type of the page at a.
func typeAt(g *guest, a efi.Addr) efi.MemoryType {
	g.T.Helper()
	descs, _ := memoryMap(g)
	for _, d := range descs {
		if d.Range().Contains(a) {
			return d.Type
		}
	}
	g.T.Fatalf("%v is not in the memory map", a)
	return 0
}

func TestAllocatePages(t *testing.T) { // §7.2.1, §7.2.2
	playAll(t, []scene{
		{"any", func(g *guest) {
			at := local[efi.Addr](g, 0)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 16, at)
			same(g, "type", typeAt(g, load(g, at)+15*efi.PageSize), efi.LoaderData)
			expect(g, efi.Success, "FreePages", load(g, at), 16)
			same(g, "type", typeAt(g, load(g, at)), efi.ConventionalMemory)
			expect(g, efi.NotFound, "FreePages", load(g, at), 16)
		}},
		{"at an address", func(g *guest) {
			at := local[efi.Addr](g, 0)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderCode, 4, at)
			expect(g, efi.NotFound, "AllocatePages", efi.AllocateAddress, efi.LoaderCode, 1, at)
			first := load(g, at)
			expect(g, efi.Success, "FreePages", first+efi.PageSize, 2)
			again := local(g, first+efi.PageSize)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAddress, efi.ACPIReclaimMemory, 2, again)
			same(g, "address", load(g, again), first+efi.PageSize)
			same(g, "type", typeAt(g, first+efi.PageSize), efi.ACPIReclaimMemory)
		}},
		{"below", func(g *guest) {
			limit := efi.Addr(0x40_0fff)
			if g.Arch() == cpu.ARM64 {
				limit += 1 << 30
			}
			at := local(g, limit)
			expect(g, efi.Success, "AllocatePages", efi.AllocateMaxAddress, efi.BootServicesData, 3, at)
			if end := load(g, at) + 3*efi.PageSize; end > limit+1 {
				g.T.Fatalf("pages end at %v", end)
			}
			puts := local(g, efi.Addr(0xfff))
			expect(g, efi.OutOfResources, "AllocatePages", efi.AllocateMaxAddress, efi.LoaderData, 1, puts)
			same(g, "the address after a failure", load(g, puts), 0xfff)
		}},
		{"refused", func(g *guest) {
			at := local[efi.Addr](g, 0)
			for _, c := range []struct {
				want  efi.Status
				how   efi.AllocateType
				t     efi.MemoryType
				pages uint64
				at    efi.Addr
			}{
				{efi.InvalidParameter, 3, efi.LoaderData, 1, at.Addr()},
				{efi.InvalidParameter, efi.AllocateAnyPages, efi.ConventionalMemory, 1, at.Addr()},
				{efi.InvalidParameter, efi.AllocateAnyPages, efi.PersistentMemory, 1, at.Addr()},
				{efi.InvalidParameter, efi.AllocateAnyPages, efi.LoaderData, 1, 0},
				{efi.InvalidParameter, efi.AllocateAnyPages, efi.LoaderData, 1, 0xdead_0000_0000_0000},
				{efi.OutOfResources, efi.AllocateAnyPages, efi.LoaderData, 1 << 40, at.Addr()},
				{efi.OutOfResources, efi.AllocateAnyPages, efi.LoaderData, 1<<64 - 1, at.Addr()},
			} {
				before, key := memoryMap(g)
				expect(g, c.want, "AllocatePages", c.how, c.t, c.pages, c.at)
				after, newKey := memoryMap(g)
				if !slices.Equal(before, after) || key != newKey {
					g.T.Fatalf("a call that failed changed the map")
				}
			}
		}},
		{"not the guest's", func(g *guest) {
			gate := load(g, load(g, g.System).BootServices)
			for _, at := range []efi.Addr{gate.RaiseTPL.PageDown(), gate.CopyMem.PageDown(), g.Local(16).PageDown(), g.System.Addr().PageDown()} {
				expect(g, efi.NotFound, "FreePages", at, 1)
			}
			expect(g, efi.InvalidParameter, "FreePages", 0x123456, 1)
			expect(g, efi.InvalidParameter, "FreePages", 0x1000, 0)
		}},
	})
}

func TestMemoryMap(t *testing.T) { // §7.2.3
	playAll(t, []scene{
		{"size first", func(g *guest) {
			size, key, stride, version := local[uint64](g, 0), local[uint64](g, 0), local[uint64](g, 0), local[uint32](g, 0)
			expect(g, efi.BufferTooSmall, "GetMemoryMap", size, 0, key, stride, version)
			if n, unit := load(g, size), load(g, stride); unit != efi.MemoryDescriptorSize || n == 0 || n%unit != 0 {
				g.T.Fatalf("size %d, stride %d", n, unit)
			}
			same(g, "version", load(g, version), efi.MemoryDescriptorVersion)
			descs, now := memoryMap(g)
			same(g, "the key", load(g, key), now)
			same(g, "the size", load(g, size), uint64(len(descs))*efi.MemoryDescriptorSize)
		}},
		{"no buffer", func(g *guest) {
			size := local[uint64](g, 0x6000)
			expect(g, efi.InvalidParameter, "GetMemoryMap", size, 0, 0, 0, 0)
			expect(g, efi.InvalidParameter, "GetMemoryMap", 0, 0, 0, 0, 0)
		}},
		{"sorted and whole", func(g *guest) {
			at := local[efi.Addr](g, 0)
			for i := range uint64(20) {
				expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.MemoryType(1+i%4), 1+i, at)
			}
			descs, _ := memoryMap(g)
			var pages uint64
			for i, d := range descs {
				pages += d.NumberOfPages
				if i > 0 && descs[i-1].Range().End > d.PhysicalStart {
					g.T.Fatalf("%v behind %v", d.Range(), descs[i-1].Range())
				}
				if runtime := d.Attribute&efi.MemoryRuntime != 0; runtime != (d.Type == efi.RuntimeServicesCode || d.Type == efi.RuntimeServicesData) {
					g.T.Fatalf("%v is %v, runtime %v", d.Range(), d.Type, runtime)
				}
			}
			var ram uint64
			for _, r := range g.Memory().Ranges() {
				ram += r.Size()
			}
			same(g, "the number of pages", pages, ram/efi.PageSize)
		}},
		{"key", func(g *guest) {
			_, key := memoryMap(g)
			_, again := memoryMap(g)
			same(g, "the key without a change", again, key)
			at := local[efi.Addr](g, 0)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, at)
			if _, now := memoryMap(g); now == key {
				g.T.Fatal("the key after AllocatePages is what it was")
			}
		}},
	})
}

func TestPool(t *testing.T) { // §7.2.4, §7.2.5
	playAll(t, []scene{
		{"sizes and types", func(g *guest) {
			type block struct{ start, end efi.Addr }
			var blocks []block
			out := local[efi.Addr](g, 0)
			for _, size := range []uint64{0, 1, 7, 8, 100, 4095, 4096, 4097, 70000} {
				for _, mt := range []efi.MemoryType{efi.LoaderData, efi.BootServicesData, efi.ACPIReclaimMemory, efi.RuntimeServicesData} {
					expect(g, efi.Success, "AllocatePool", mt, size, out)
					b := block{load(g, out), load(g, out) + efi.Addr(size)}
					same(g, "alignment", b.start%8, 0)
					same(g, "type", typeAt(g, b.start), mt)
					for _, o := range blocks {
						if b.start < o.end && o.start < b.end {
							g.T.Fatalf("%v overlaps %v", b, o)
						}
					}
					blocks = append(blocks, b)
				}
			}
			for _, b := range blocks {
				expect(g, efi.Success, "FreePool", b.start)
			}
			expect(g, efi.InvalidParameter, "FreePool", blocks[0].start)
		}},
		{"refused", func(g *guest) {
			out := local[efi.Addr](g, 0)
			expect(g, efi.InvalidParameter, "AllocatePool", efi.LoaderData, 8, 0)
			expect(g, efi.InvalidParameter, "AllocatePool", efi.ConventionalMemory, 8, out)
			expect(g, efi.OutOfResources, "AllocatePool", efi.LoaderData, uint64(1)<<40, out)
			expect(g, efi.OutOfResources, "AllocatePool", efi.LoaderData, ^uint64(0), out)
			for _, a := range []efi.Addr{0, 8, g.System.Addr() + 8, 1 << 50, ^efi.Addr(0)} {
				expect(g, efi.InvalidParameter, "FreePool", a)
			}
		}},
		{"to the last byte", func(g *guest) {
			out, n := local[efi.Addr](g, 0), 0
			for g.Boot("AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 64, out) == efi.Success {
				n++
			}
			if n < 100 {
				g.T.Fatalf("%d allocations fit", n)
			}
			for _, size := range []int{4000, 16} {
				for g.Boot("AllocatePool", efi.BootServicesData, size, out) == efi.Success {
				}
			}
			expect(g, efi.OutOfResources, "AllocatePool", efi.LoaderData, 4000, out)
			expect(g, efi.OutOfResources, "LocateHandleBuffer", efi.AllHandles, 0, 0, local[uint64](g, 0), out)
		}},
	})
}

// CopyMem and SetMem (§7.5.4, §7.5.5) are the guest's own code, which a puppet has
// in Go: what is looked at is that the table leads there.
func TestCopyMemAndSetMem(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		a, b := g.Bytes([]byte("0123456789")), g.Local(16)
		g.Boot("CopyMem", b, a, 5)
		g.Boot("SetMem", b+3, 4, 'x')
		got, err := g.Memory().Read(b, 10)
		if err != nil || string(got) != "012xxxx\x00\x00\x00" {
			g.T.Fatalf("%q, %v", got, err)
		}
	})
}
