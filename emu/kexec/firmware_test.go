// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// machine is the files of a running Linux, and its physical memory in /dev/mem,
// as far as that may be read.
type machine struct {
	fstest.MapFS
	memory map[efi.Addr][]byte
}

func (m machine) Open(name string) (fs.File, error) {
	if name != "dev/mem" {
		return m.MapFS.Open(name)
	}
	if m.memory == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return physical{memory: m.memory}, nil
}

// physical is /dev/mem: reading what is in no range fails.
type physical struct {
	fs.File
	memory map[efi.Addr][]byte
}

func (physical) Close() error { return nil }

func (p physical) ReadAt(b []byte, offset int64) (int, error) {
	for at, data := range p.memory {
		if from := offset - int64(at); from >= 0 && from < int64(len(data)) {
			if n := copy(b, data[from:]); n < len(b) {
				return n, io.ErrUnexpectedEOF
			}
			return len(b), nil
		}
	}
	return 0, fs.ErrPermission
}

// with adds files to those of a machine.
func with(root fstest.MapFS, files map[string]string) fstest.MapFS {
	root = maps.Clone(root)
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

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
		h, err := ReadHost(machine{with(firmwareMap(seaBIOS), test.files), test.memory})
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
	h, err := ReadHost(machine{firmwareMap(seaBIOS), tables})
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
		h, err := ReadHost(machine{firmwareMap(seaBIOS), memory})
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
	h, err := ReadHost(machine{firmwareMap(ovmf), map[efi.Addr][]byte{0x800000: nvs}})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Contents) != 1 || !bytes.Equal(contents(h, 0x800000, len(nvs)), nvs) {
		t.Errorf("%d contents", len(h.Contents))
	}
	large := map[efi.Addr][]byte{0x1000000: make([]byte, maxContent+efi.PageSize)}
	h, err = ReadHost(machine{firmwareMap("100000-ffffff : System RAM\n1000000-2000fff : ACPI Tables"), large})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Contents) != 0 {
		t.Error("more than is sensible was copied")
	}
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
		h, err := ReadHost(with(firmwareMap(seaBIOS), files))
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
		h, err := ReadHost(machine{
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

func TestFacts(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  Host
	}{
		"nothing": {nil, Host{}},
		"all": {map[string]string{
			"proc/cpuinfo":                           "processor\t: 0\nflags\t\t: fpu pdpe1gb  sha_ni\nbugs\t\t: x\n\nprocessor\t: 1\nflags\t\t: fpu\n",
			"proc/meminfo":                           "MemTotal:        1013352 kB\nMemFree:          5 kB\n",
			"sys/kernel/security/lockdown":           "none [integrity] confidentiality\n",
			"proc/sys/kernel/kexec_load_disabled":    "1\n",
			"sys/hypervisor/type":                    "xen\n",
			"proc/sys/kernel/kexec_load_limit_panic": "0\n",
		}, Host{Flags: []string{"fpu", "pdpe1gb", "sha_ni"}, Total: 1013352 << 10, Lockdown: "integrity", Disabled: true, Xen: true}},
		"none of it": {map[string]string{
			"proc/cpuinfo": "flags\t\t:\n", "proc/meminfo": "MemTotal: lots kB\n", "sys/kernel/security/lockdown": "[none] integrity confidentiality\n",
			"proc/sys/kernel/kexec_load_disabled": "0\n", "sys/hypervisor/type": "kvm\n",
		}, Host{Lockdown: "none"}},
		"nonsense": {map[string]string{
			"proc/cpuinfo": "flags\nFeatures : fp asimd\n", "proc/meminfo": "MemTotal: 99999999999999 kB\nMemTotal: 1 MB\nMemTotal:\n",
			"sys/kernel/security/lockdown": "]none[", "proc/sys/kernel/kexec_load_disabled": "", "sys/hypervisor/type": "",
		}, Host{}},
	} {
		h, err := ReadHost(with(firmwareMap(seaBIOS), test.files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := fmt.Sprint(h.Flags, h.Total, h.Lockdown, h.Disabled, h.Xen)
		if want := fmt.Sprint(test.want.Flags, test.want.Total, test.want.Lockdown, test.want.Disabled, test.want.Xen); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	h, err := ReadHost(firmwareMap(laptop))
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.Config(emu.Config{Arch: amd64, Engine: noEngine, Vendor: "kept"})
	want := []efi.Range{{Start: 0, End: 0x58000}, {Start: 0x59000, End: 0x9d000}, {Start: 0x860000000, End: 0x1000000000}}
	if !slices.Equal(cfg.Withhold, want) || cfg.Vendor != "kept" {
		t.Errorf("withheld are %v, want %v", cfg.Withhold, want)
	}
	m, err := emu.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 100 {
		at, err := m.AllocatePages(efi.LoaderData, 1<<18)
		if err != nil {
			break // no such piece is left
		}
		r := efi.Range{Start: at, End: at + 1<<30}
		if slices.ContainsFunc(want, r.Overlaps) {
			t.Fatalf("%v was allocated", r)
		}
	}
	if at, err := m.AllocatePages(efi.LoaderData, 1); err != nil || at < lowMemory.End {
		t.Errorf("a page at %v, %v", at, err)
	}
}
