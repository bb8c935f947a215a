// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

func TestMemoryAttributes(t *testing.T) { // §4.6.4
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			var own efi.Addr
			h := leave(t, emu.Config{Arch: arch}, func(g *guest) {
				out := efi.Ptr[efi.Addr](g.Local(8))
				expect(g, efi.Success, "AllocatePages", 0, efi.RuntimeServicesCode, 3, out)
				own = load(g, out)
				expect(g, efi.Success, "AllocatePages", 0, efi.RuntimeServicesData, 5, out)
				exitBootServices(g)
			})
			st := frozen[efi.SystemTable](t, h, h.SystemTable)
			at := efi.Addr(0)
			for i := range st.NumberOfTableEntries {
				table := frozen[efi.ConfigurationTable](t, h, st.ConfigurationTable.Addr()+efi.Addr(24*i))
				if table.VendorGUID == efi.MemoryAttributesTableGUID {
					at = table.VendorTable
				}
			}
			head := frozen[efi.MemoryAttributesTable](t, h, at)
			if want := (efi.MemoryAttributesTable{Version: 1, NumberOfEntries: head.NumberOfEntries, DescriptorSize: 48}); head != want {
				t.Fatalf("the head is %+v, want %+v", head, want)
			}
			services := frozen[efi.RuntimeServices](t, h, st.RuntimeServices.Addr())
			pages, end, readOnly := uint64(0), efi.Addr(0), efi.Range{}
			for i := range head.NumberOfEntries {
				d := frozen[efi.MemoryDescriptor](t, h, at+16+efi.Addr(48*i))
				if d.PhysicalStart < end {
					t.Errorf("%+v: what is before it ends at %v", d, end)
				}
				end = d.Range().End
				want := efi.MemoryRuntime | efi.MemoryXP
				if d.Type == efi.RuntimeServicesData {
					pages += d.NumberOfPages
				} else {
					want, readOnly = efi.MemoryRuntime|efi.MemoryRO, d.Range()
				}
				if d.Attribute != want {
					t.Errorf("%+v: want the attributes %#x", d, uint64(want))
				}
			}
			if readOnly.Contains(own) || !readOnly.Contains(services.SetVariable) || !readOnly.Contains(services.ResetSystem) {
				t.Errorf("read-only is %v; the payload's code is at %v", readOnly, own)
			}
			for _, d := range h.MemoryMap {
				if d.Type == efi.RuntimeServicesData {
					pages -= d.NumberOfPages
				}
			}
			if pages != 0 {
				t.Errorf("%d pages of data too many are described", int64(pages))
			}
		})
	}
}
