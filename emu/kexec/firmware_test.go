// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"maps"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// summed makes the bytes up to n have the sum 0, by the byte at i.
func summed(b []byte, i, n int) []byte {
	b[i] -= sum(b[:n])
	return b
}

func rsdp(revision byte, rsdt uint32, xsdt uint64) []byte {
	b := append([]byte("RSD PTR \x00OEMID "), revision)
	b = binary.LittleEndian.AppendUint32(b, rsdt)
	b = binary.LittleEndian.AppendUint32(b, 36)
	b = binary.LittleEndian.AppendUint64(b, xsdt)
	return summed(append(b, 0, 0, 0, 0), 8, 20)
}

// acpiTable is a table with its header, 36 bytes, and a body.
func acpiTable(signature string, body ...byte) []byte {
	b := append([]byte(signature), make([]byte, 32)...)
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	return b
}

func words(size int, values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, binary.LittleEndian.AppendUint64(nil, v)[:size]...)
	}
	return b
}

func place(area []byte, at int, b []byte) []byte {
	copy(area[at:], b)
	return area
}

func tablesOf(h *Host) map[string]efi.Addr {
	names := map[efi.GUID]string{efi.ACPI20TableGUID: "ACPI20", efi.ACPITableGUID: "ACPI"}
	found := map[string]efi.Addr{}
	for _, t := range h.Tables {
		found[names[t.VendorGUID]] = t.VendorTable
	}
	return found
}

func TestTables(t *testing.T) {
	bios := func(at int, b []byte) map[efi.Addr][]byte {
		return map[efi.Addr][]byte{biosArea.Start: place(make([]byte, biosArea.Size()), at, b)}
	}
	params := string(place(make([]byte, 4096), 0x70, words(8, 0x7fe12340)))
	two := place(make([]byte, biosArea.Size()), 0x100, rsdp(0, 0x1000, 0))
	place(two, 0x200, rsdp(2, 0x1000, 0x2000))
	place(two, 0x300, rsdp(2, 0x1000, 0x2000))
	ebda := bios(0x500, rsdp(0, 0x2000, 0))
	ebda[0] = place(make([]byte, 0x1000), 0x40e, words(2, 0x9fc0))
	ebda[0x9fc00] = place(make([]byte, 1024), 0x10, rsdp(2, 0x1000, 0))
	for _, test := range []struct {
		name   string
		files  map[string]string
		memory map[efi.Addr][]byte
		want   map[string]efi.Addr
	}{
		{"nothing", nil, nil, nil},
		{"EFI", map[string]string{"sys/firmware/efi/systab": "ACPI20=0x7eb7e014\nACPI=0x7eb7e000\nSMBIOS=0x7e9b6000\nSMBIOS3=0x7e9b4000\n"}, nil,
			map[string]efi.Addr{"ACPI20": 0x7eb7e014, "ACPI": 0x7eb7e000}},
		{"EFI, and no look at what a BIOS has", map[string]string{"sys/firmware/efi/systab": "ACPI20=0x7eb7e014\n", "sys/kernel/boot_params/data": params},
			bios(0x100, rsdp(2, 0x1000, 0x2000)), map[string]efi.Addr{"ACPI20": 0x7eb7e014}},
		{"EFI, twice, 0, no numbers", map[string]string{"sys/firmware/efi/systab": "ACPI20=0x1234\nACPI20=0x5678\nACPI=0x0\nACPI=\nACPI=0xzz\nACPI\n=\n\n"}, nil,
			map[string]efi.Addr{"ACPI20": 0x1234}},
		{"boot parameters", map[string]string{"sys/kernel/boot_params/data": params}, nil, map[string]efi.Addr{"ACPI20": 0x7fe12340}},
		{"boot parameters without", map[string]string{"sys/kernel/boot_params/data": string(make([]byte, 4096))}, nil, nil},
		{"boot parameters, short", map[string]string{"sys/kernel/boot_params/data": params[:0x77]}, nil, nil},
		{"BIOS, ACPI 1.0", nil, bios(0x15a20, rsdp(0, 0x1000, 0)), map[string]efi.Addr{"ACPI": 0xf5a20}},
		{"BIOS, ACPI 2.0", nil, bios(0, rsdp(2, 0x1000, 0x2000)), map[string]efi.Addr{"ACPI20": 0xe0000, "ACPI": 0xe0000}},
		{"BIOS, at the end", nil, bios(0x20000-48, rsdp(2, 0x1000, 0x2000)), map[string]efi.Addr{"ACPI20": 0xfffd0, "ACPI": 0xfffd0}},
		{"BIOS, over the end", nil, bios(0x20000-16, rsdp(2, 0x1000, 0x2000)), nil},
		{"BIOS, several", nil, map[efi.Addr][]byte{biosArea.Start: two}, map[string]efi.Addr{"ACPI20": 0xe0200, "ACPI": 0xe0100}},
		{"BIOS, not aligned", nil, bios(0x108, rsdp(2, 0x1000, 0x2000)), nil},
		{"BIOS, damaged", nil, bios(0x100, append([]byte("RSD PTR "), make([]byte, 28)...)), nil},
		{"BIOS, with an extended data area", nil, ebda, map[string]efi.Addr{"ACPI20": 0x9fc10, "ACPI": 0x9fc10}},
		{"a short area", nil, map[efi.Addr][]byte{biosArea.Start: rsdp(2, 0x1000, 0x2000)}, nil},
	} {
		h, err := readHostAs(amd64, machine{with(firmwareMap(seaBIOS), test.files), test.memory})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		// The seaBIOS map has RAM up to 0x9fc00, and reserved what is not RAM whole.
		if got := tablesOf(h); !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		for _, c := range h.Contents {
			if n := uint64(len(c.Data)); h.hasRAM(efi.Range{Start: c.Addr, End: c.Addr + efi.Addr(n)}) {
				t.Errorf("%s: contents in RAM, %d bytes at %v", test.name, n, c.Addr)
			}
		}
	}
}

// contents finds what of the contents covers n bytes at an address.
func contents(h *Host, at efi.Addr, n int) []byte {
	for _, c := range h.Contents {
		if from := uint64(at - c.Addr); at >= c.Addr && from+uint64(n) <= uint64(len(c.Data)) {
			return c.Data[from:][:n]
		}
	}
	return nil
}

func smbios2(at uint32) []byte {
	b := append([]byte("_SM_\x00\x1f\x02\x08\x00\x01\x00\x00\x00\x00\x00\x00_DMI_\x00"), words(2, 0x123)...)
	b = append(append(b, words(4, uint64(at))...), 0x09, 0x00, 0x28)
	return summed(summed(b, 21, 31), 4, 31)
}

func smbios3(at uint64) []byte {
	b := append([]byte("_SM3_\x00\x18\x03\x00\x00\x01\x00"), words(4, 0x123)...)
	return summed(append(b, words(8, at)...), 5, 24)
}

func TestSMBIOS(t *testing.T) {
	damaged := smbios3(0xf5000)
	damaged[20]++
	noDMI := smbios2(0xf5000)
	copy(noDMI[16:], "_DMJ_")
	of30 := smbios2(0xf5000) // as SMBIOS 2.1 has it
	of30[5] = 0x1e
	summed(of30, 4, 30)
	tables := bytes.Repeat([]byte{9}, 0x123)
	for _, test := range []struct {
		name   string
		entry  []byte
		tables []byte
		want   efi.Addr // 0: none
	}{
		{"SMBIOS 2", smbios2(0xf5000), tables, 0xf5000},
		{"SMBIOS 2 with the length of 2.1", of30, tables, 0xf5000},
		{"SMBIOS 3", smbios3(0x7e9b4000), tables, 0x7e9b4000},
		{"SMBIOS 3 behind 4 GiB", smbios3(0xfd00000000), tables, 0xfd00000000},
		{"with more behind", append(smbios3(0xf5000), 1, 2, 3), tables, 0xf5000},
		{"no entry", nil, tables, 0},
		{"no tables", smbios3(0xf5000), nil, 0},
		{"SMBIOS 2, short", smbios2(0xf5000)[:30], tables, 0},
		{"SMBIOS 3, short", smbios3(0xf5000)[:23], tables, 0},
		{"damaged", damaged, tables, 0},
		{"without its second half", noDMI, tables, 0},
		{"DMI alone", append([]byte("_DMI_"), make([]byte, 10)...), tables, 0},
		{"of a length it has not", summed(place(smbios3(0xf5000), 6, []byte{0xff}), 5, 24), tables, 0},
		{"of one byte less", summed(place(smbios3(0xf5000), 6, []byte{23}), 5, 23), tables, 0},
		{"SMBIOS 2 of two bytes less", summed(place(smbios2(0xf5000), 5, []byte{29}), 4, 29), tables, 0},
		{"of no length", summed(place(smbios3(0xf5000), 6, []byte{0}), 5, 24), tables, 0},
		{"in RAM", smbios3(0x200000), tables, 0},
		{"half in RAM", smbios3(0x9ef00), tables, 0},
		{"over the end", smbios3(1<<64 - 2), tables, 0},
		{"too large", smbios3(0x7e9b4000), make([]byte, maxContent+1), 0},
	} {
		files := map[string]string{}
		if test.entry != nil {
			files["sys/firmware/dmi/tables/smbios_entry_point"] = string(test.entry)
		}
		if test.tables != nil {
			files["sys/firmware/dmi/tables/DMI"] = string(test.tables)
		}
		h, err := readHostAs(amd64, with(firmwareMap(seaBIOS), files))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if test.want == 0 {
			if h.SMBIOS != nil || len(h.Contents) > 0 {
				t.Errorf("%s: entry % x, %d contents", test.name, h.SMBIOS, len(h.Contents))
			}
			continue
		}
		if !bytes.Equal(contents(h, test.want, len(tables)), tables) || !bytes.HasPrefix(test.entry, h.SMBIOS) || len(h.SMBIOS) < 24 || len(h.SMBIOS) > 31 {
			t.Errorf("%s: entry % x, contents %v", test.name, h.SMBIOS, h.Contents)
		}
	}
}

func FuzzFirmware(f *testing.F) {
	f.Add(smbios2(0xf5000), rsdp(2, 0x3ffe1000, 0x3ffe1100), acpiTable("RSDT", words(4, 0x3ffe1008)...))
	f.Add(smbios3(0xf5000), rsdp(0, 0x3ffe1000, 0), acpiTable("FACP", make([]byte, 208)...))
	f.Fuzz(func(t *testing.T, entry, anchor, table []byte) {
		h, err := readHostAs(amd64, machine{
			with(firmwareMap(seaBIOS), map[string]string{
				"sys/firmware/dmi/tables/smbios_entry_point": string(entry), "sys/firmware/dmi/tables/DMI": "tables",
			}),
			map[efi.Addr][]byte{0xe0000: place(make([]byte, biosArea.Size()), 0, anchor), 0x3ffe1000: table},
		})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, c := range h.Contents {
			r, ok := efi.RangeOf(c.Addr, uint64(len(c.Data)))
			if !ok || h.hasRAM(r) {
				t.Errorf("contents %v", r)
			}
			total += len(c.Data)
		}
		if total > int(biosArea.Size())+len("tables")+36+len(table)*maxTables {
			t.Errorf("%d bytes of contents", total)
		}
		if n := len(h.SMBIOS); n > 0 && sum(h.SMBIOS) != 0 && sum(h.SMBIOS[:n-1]) != 0 {
			t.Errorf("SMBIOS entry % x", h.SMBIOS)
		}
	})
}
