// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// With runtime services of the machine's own, the payload's kernel finds them in
// the system table, and no table that describes the resident ones.
func TestFirmwareRuntimeServices(t *testing.T) {
	const table, mib = 0x8000100, 1 << 20
	memory := append(emu.Layout(cpu.AMD64, 64*mib), efi.MemoryDescriptor{
		Type: efi.RuntimeServicesData, PhysicalStart: 128 * mib, NumberOfPages: 16, Attribute: efi.MemoryWB,
	})
	var at efi.Ptr[efi.SystemTable]
	h := leave(t, emu.Config{MemoryMap: memory, RuntimeServices: table}, func(g *guest) {
		at = g.System
		if st := load(g, at); st.RuntimeServices == table {
			g.T.Error("the payload is given them before ExitBootServices")
		}
		exitBootServices(g)
	})
	raw, err := h.Read(at.Addr(), 120)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mem.New(efi.Range{End: efi.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Write(0, raw); err != nil {
		t.Fatal(err)
	}
	st, err := mem.Load(m, efi.Ptr[efi.SystemTable](0))
	if err != nil || st.RuntimeServices != table || st.CRC32 != efi.TableCRC32(raw) {
		t.Errorf("%+v, %v", st, err)
	}
	for _, guid := range []efi.GUID{efi.RTPropertiesTableGUID, efi.MemoryAttributesTableGUID} {
		if _, ok := h.ConfigurationTable(guid); ok {
			t.Errorf("there is a configuration table %v", guid)
		}
	}
	for _, s := range h.Segments {
		if s.Overlaps(efi.Range{Start: 128 * mib, End: 129 * mib}) {
			t.Errorf("the firmware's memory is in segment %v", s.Range)
		}
	}
}
