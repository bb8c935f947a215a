// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// The tables lie where QEMU has them: behind the RAM, in what is reserved.
func TestACPIContents(t *testing.T) {
	const base = 0x3ffe1000
	facp := acpiTable("FACP", make([]byte, 208)...)
	place(facp, 36, words(4, base+0x800, base+0x900))
	place(facp, 140, words(8, base+0xa00))
	tables := map[efi.Addr][]byte{
		base:         acpiTable("RSDT", words(4, base+0x100, base+0x200, 0, base, 0x100000)...),
		base + 0x100: facp,
		base + 0x200: acpiTable("APIC", 1, 2, 3),
		base + 0x300: acpiTable("XSDT", words(8, base+0x100, base+0x400, 1<<62, 1<<63)...),
		base + 0x400: acpiTable("MCFG", make([]byte, 24)...),
		base + 0x800: append([]byte("FACS\x40\x00\x00\x00"), make([]byte, 56)...),
		base + 0x900: acpiTable("DSDT", 4),
		base + 0xa00: acpiTable("DSDT", 5),
		0x100000:     acpiTable("BADT"), // in RAM
		0xe0000:      place(make([]byte, biosArea.Size()), 0x100, rsdp(2, base, base+0x300)),
	}
	h, err := readHostAs(amd64, machine{firmwareMap(seaBIOS), tables})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range tables {
		got := contents(h, at, len(want))
		if in := h.hasRAM(efi.Range{Start: at, End: at + 1}); in != (got == nil) || !in && !bytes.Equal(got, want) {
			t.Errorf("%.4s at %v: %d bytes", want, at, len(got))
		}
	}
	for i, c := range h.Contents {
		for _, o := range h.Contents[:i] {
			if c.Addr == o.Addr {
				t.Errorf("contents at %v twice", c.Addr)
			}
		}
	}
	// The payload of a machine made so finds them.
	m, err := emu.Open(h.Config(emu.Config{Arch: amd64, Engine: noEngine}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if got, err := m.Memory().Read(base, 36); err != nil || !bytes.Equal(got, tables[base][:36]) {
		t.Errorf("in the guest's memory: %q, %v", got, err)
	}
}

func TestHostileACPI(t *testing.T) {
	const base = 0x3ffe1000
	long := acpiTable("RSDT", make([]byte, 4)...)
	binary.LittleEndian.PutUint32(long[4:], maxTable+1)
	past := acpiTable("RSDT", make([]byte, 4)...)
	binary.LittleEndian.PutUint32(past[4:], 4096)
	var many []uint64
	memory := map[efi.Addr][]byte{}
	for i := range uint64(2 * maxTables) {
		many = append(many, base+0x10000+i*0x40)
		memory[efi.Addr(base+0x10000+i*0x40)] = acpiTable("SSDT")
	}
	for name, root := range map[string][]byte{
		"none":              nil,
		"endless":           long,
		"over the end":      past,
		"no length":         make([]byte, 36),
		"without a header":  append([]byte("RSDT\x08\x00\x00\x00"), 1),
		"of itself":         acpiTable("RSDT", words(4, base, base)...),
		"half an entry":     acpiTable("RSDT", 1, 2),
		"of a short FACP":   acpiTable("RSDT", words(4, base+0x8000)...),
		"of too many":       acpiTable("RSDT", words(4, many...)...),
		"of all at the end": acpiTable("RSDT", words(4, 0xffffffff)...),
	} {
		memory[base], memory[base+0x8000] = root, acpiTable("FACP", 1, 2)
		memory[0xe0000] = place(make([]byte, biosArea.Size()), 0x100, rsdp(1, base, 0))
		h, err := readHostAs(amd64, machine{firmwareMap(seaBIOS), memory})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(h.Contents) > maxTables+2 {
			t.Errorf("%s: %d contents", name, len(h.Contents))
		}
		for _, c := range h.Contents {
			if len(c.Data) > maxTable {
				t.Errorf("%s: contents of %d bytes", name, len(c.Data))
			}
		}
	}
}

// ACPI regions are copied whole where they may be read, and left out where not.
func TestACPIRegions(t *testing.T) {
	nvs := bytes.Repeat([]byte{7}, 0x8000)
	h, err := readHostAs(amd64, machine{firmwareMap(ovmf), map[efi.Addr][]byte{0x800000: nvs}})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Contents) != 1 || !bytes.Equal(contents(h, 0x800000, len(nvs)), nvs) {
		t.Errorf("%d contents", len(h.Contents))
	}
	large := map[efi.Addr][]byte{0x1000000: make([]byte, maxContent+efi.PageSize)}
	h, err = readHostAs(amd64, machine{firmwareMap("100000-ffffff : System RAM\n1000000-2000fff : ACPI Tables"), large})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Contents) != 0 {
		t.Error("more than is sensible was copied")
	}
}
