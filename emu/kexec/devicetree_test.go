// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/u-root/u-root/pkg/dt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

func big(size int, values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, binary.BigEndian.AppendUint64(nil, v)[8-size:]...)
	}
	return b
}

func property(name string, value []byte) dt.Property { return dt.Property{Name: name, Value: value} }

func asText(s string) []byte { return []byte(s + "\x00") }

// node makes a node of properties and children.
func node(name string, parts ...any) *dt.Node {
	n := dt.NewNode(name)
	for _, p := range parts {
		switch p := p.(type) {
		case dt.Property:
			n.Properties = append(n.Properties, p)
		case *dt.Node:
			n.Children = append(n.Children, p)
		}
	}
	return n
}

var cells22 = []any{property("#address-cells", big(4, 2)), property("#size-cells", big(4, 2))}

// flat is a flattened tree with entries of /memreserve/.
func flat(t testing.TB, root *dt.Node, reserved ...dt.ReserveEntry) string {
	t.Helper()
	tree := dt.FDT{
		Header:         dt.Header{Magic: dt.Magic, Version: 17, LastCompVersion: 16},
		ReserveEntries: reserved, RootNode: root,
	}
	var b bytes.Buffer
	if _, err := tree.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// board is a machine with two pieces of memory, one of which is not in use.
func board(chosen ...any) *dt.Node {
	return node("", append(slices.Clone(cells22),
		node("memory@40000000", property("device_type", asText("memory")), property("reg", big(8, 0x40000000, 0x20000000, 0x80000000, 0x10000000, 0, 0))),
		node("memory@c0000000", property("device_type", asText("memory")), property("reg", big(8, 0xc0000000, 0x1000)), property("status", asText("disabled"))),
		node("reserved-memory", append(slices.Clone(cells22),
			node("tz@41000000", property("reg", big(8, 0x41000000, 0x100000)), property("no-map", nil)),
			node("cma", property("size", big(8, 0x4000000))),
			node("log@42000800", property("reg", big(8, 0x42000800, 0x1000))),
			node("off@43000000", property("reg", big(8, 0x43000000, 0x1000)), property("no-map", nil), property("status", asText("disabled"))),
		)...),
		node("chosen", chosen...),
	)...)
}

// treeHost is a machine that has a device tree and no more.
func treeHost(t testing.TB, flat string, files map[string]string) *Host {
	t.Helper()
	h, err := readHostAs(cpu.ARM64, with(fstest.MapFS{deviceTreeFile: {Data: []byte(flat)}}, files))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestTreeMemory(t *testing.T) {
	initrd := []any{
		property("linux,initrd-start", big(4, 0x44000010)), property("linux,initrd-end", big(8, 0x45000020)),
		property(imaProperty, big(8, 0x46000000, 0x3000)),
	}
	reserved := []dt.ReserveEntry{{Address: 0x44000000, Size: 0x1001000}, {Address: 0x46000000, Size: 0x3000}, {Address: 0x50000100, Size: 0x10}, {Address: 1<<64 - 1, Size: 2}}
	h := treeHost(t, flat(t, board(initrd...), reserved...), nil)
	const want = `[0x40000000, 0x41000000) Conventional WB
[0x41000000, 0x41100000) Reserved
[0x41100000, 0x50000000) Conventional WB
[0x50000000, 0x50001000) Reserved
[0x50001000, 0x60000000) Conventional WB
[0x80000000, 0x90000000) Conventional WB
`
	if got := text(h.Memory); got != want {
		t.Errorf("memory is\n%s, want\n%s", got, want)
	}
	cfg := h.Config(emu.Config{Arch: cpu.ARM64})
	if held := (efi.Range{Start: 0x42000000, End: 0x42002000}); !slices.Equal(cfg.Withhold, []efi.Range{held}) {
		t.Errorf("withheld are %v, want %v", cfg.Withhold, held)
	}
	// Sizes of 32 bits are the default.
	h = treeHost(t, flat(t, node("", node("memory", property("device_type", asText("memory")), property("reg", big(4, 1, 0, 0x1000000))))), nil)
	if got, want := text(h.Memory), "[0x100000000, 0x101000000) Conventional WB\n"; got != want {
		t.Errorf("memory is\n%s, want\n%s", got, want)
	}
}

// A tree that is no good leaves /proc/iomem, and is not handed on.
func TestBadTree(t *testing.T) {
	good := flat(t, board())
	reg := func(parts ...any) string {
		return flat(t, node("", append(parts, node("memory", property("device_type", asText("memory")), property("reg", big(4, 1, 2, 3, 4))))...))
	}
	for name, raw := range map[string]string{
		"empty":       "",
		"short":       good[:39],
		"cut":         good[:len(good)-1],
		"no magic":    "x" + good[1:],
		"large":       good + string(make([]byte, maxDeviceTree)),
		"cells":       reg(property("#size-cells", big(4, 3))),
		"no cells":    reg(property("#address-cells", big(4, 0))),
		"odd cells":   reg(property("#address-cells", big(2, 1))),
		"half a reg":  reg(),
		"too far":     flat(t, node("", append(slices.Clone(cells22), node("memory", property("device_type", asText("memory")), property("reg", big(8, 1<<63, 1<<63+1))))...)),
		"a bad child": flat(t, node("", node("reserved-memory", property("#size-cells", big(4, 9))))),
		"half of a child": flat(t, node("", node("memory", property("device_type", asText("memory")), property("reg", big(4, 0, 0x1000, 0x1000))),
			node("reserved-memory", node("a", property("reg", big(4, 1)))))),
	} {
		h := treeHost(t, raw, map[string]string{"proc/iomem": arm64IOMem})
		if got := text(h.Memory); !strings.HasPrefix(got, "[0x40000000, 0x42260000) Conventional WB\n[0x42260000, 0x42670000) Reserved\n") {
			t.Errorf("%s: memory is\n%s", name, got)
		}
	}
}

// The payload's tree does not say what the running kernel's loader has told it.
func TestTreeForNext(t *testing.T) {
	kept := []any{property("stdout-path", asText("/pl011@9000000")), property("linux,pci-probe-only", big(4, 1))}
	var gone []any
	for _, name := range []string{
		"bootargs", "kaslr-seed", "rng-seed", "linux,initrd-start", "linux,initrd-end", "linux,uefi-system-table", "linux,uefi-secure-boot",
		"linux,usable-memory-range", "linux,elfcorehdr", "linux,ima-kexec-buffer", "linux,kho-fdt", "linux,booted-from-kexec",
	} {
		gone = append(gone, property(name, big(8, 0x40000000, 0x1000)))
	}
	h := treeHost(t, flat(t, board(append(gone, kept...)...), dt.ReserveEntry{Address: 0x50000000, Size: 0x1000}), nil)
	if want := flat(t, board(kept...), dt.ReserveEntry{Address: 0x50000000, Size: 0x1000}); string(h.DeviceTree) != want {
		t.Errorf("the tree is\n%q, want\n%q", h.DeviceTree, want)
	}
	// A payload finds it among its configuration tables.
	m, err := emu.Open(h.Config(emu.Config{Arch: cpu.ARM64, Engine: noEngine}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := h.Prepare(m); err != nil {
		t.Fatal(err)
	}
	at, ok := m.ConfigurationTable(efi.DTBTableGUID)
	if !ok {
		t.Fatal("no device tree")
	}
	if raw, err := m.Memory().Read(at, uint64(len(h.DeviceTree))); err != nil || !bytes.Equal(raw, h.DeviceTree) {
		t.Errorf("the payload has %q, %v", raw, err)
	}
}

// efiBoard is a machine that EFI has booted: its memory by address, and its tree.
func efiBoard(t testing.TB, descs []efi.MemoryDescriptor, tables []efi.ConfigurationTable, more ...any) machine {
	t.Helper()
	encode := func(v any) []byte {
		b, err := binary.Append(nil, binary.LittleEndian, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var raw []byte
	for _, d := range descs {
		raw = append(append(raw, encode(d)...), make([]byte, 8)...)
	}
	const system, array, virtual, memory = 0x7f000018, 0x7f000200, 0x20000000, 0x7e000000
	st := efi.SystemTable{
		TableHeader:          efi.TableHeader{Signature: efi.SystemTableSignature},
		NumberOfTableEntries: uint64(len(tables)), ConfigurationTable: array + virtual,
	}
	chosen := append([]any{
		property("linux,uefi-system-table", big(8, system)),
		property("linux,uefi-mmap-start", big(8, memory)),
		property("linux,uefi-mmap-size", big(4, uint64(len(raw)))),
		property("linux,uefi-mmap-desc-size", big(4, 48)),
		property("linux,uefi-mmap-desc-ver", big(4, 1)),
	}, more...)
	return machine{
		fstest.MapFS{deviceTreeFile: {Data: []byte(flat(t, board(chosen...)))}, "proc/iomem": {Data: []byte(arm64IOMem)}},
		map[efi.Addr][]byte{memory: raw, 0x7f000000: append(place(make([]byte, 0x200), system&0xfff, encode(st)), encode(tables)...)},
	}
}

func efiDescriptors() []efi.MemoryDescriptor {
	const wb = efi.MemoryUC | efi.MemoryWB
	list := []efi.MemoryDescriptor{
		descriptor(efi.ConventionalMemory, 0x40000000, 0x8000000/efi.PageSize, wb),
		descriptor(efi.LoaderData, 0x48000000, 0x1000000/efi.PageSize, wb),
		descriptor(efi.BootServicesCode, 0x49000000, 0x1000000/efi.PageSize, wb),
		descriptor(efi.ConventionalMemory, 0x4a000000, 0x1000000/efi.PageSize, wb|efi.MemorySP),
		descriptor(efi.ConventionalMemory, 0x4b000000, 0x1000000/efi.PageSize, efi.MemoryUC),
		descriptor(efi.ACPIReclaimMemory, 0x4c000000, 0x300000/efi.PageSize, wb),
		descriptor(efi.ACPIMemoryNVS, 0x4d000000, 0x1000000/efi.PageSize, wb),
		descriptor(efi.PersistentMemory, 0x50000000, 0x1000000/efi.PageSize, wb),
		descriptor(efi.UnusableMemory, 0x51000000, 0x1000000/efi.PageSize, wb),
		descriptor(efi.RuntimeServicesData, 0x7f000000, 0x10000/efi.PageSize, wb|efi.MemoryRuntime),
		descriptor(efi.MemoryMappedIO, 0x9000000, 0x1000/efi.PageSize, efi.MemoryUC|efi.MemoryRuntime),
	}
	list[9].VirtualStart = 0x9f000000
	return list
}

func TestTreeEFI(t *testing.T) {
	m := efiBoard(t, efiDescriptors(), nil, property(imaProperty, big(8, 0x4c100000, 0x100000)))
	h, err := readHostAs(cpu.ARM64, m)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[0x9000000, 0x9001000) Reserved
[0x40000000, 0x41000000) Conventional WB
[0x41000000, 0x41100000) Reserved
[0x41100000, 0x4a000000) Conventional WB
[0x4a000000, 0x4b000000) Conventional WB SP
[0x4b000000, 0x4c000000) Reserved
[0x4c000000, 0x4c100000) ACPIReclaim WB
[0x4c100000, 0x4c200000) Conventional WB
[0x4c200000, 0x4c300000) ACPIReclaim WB
[0x4d000000, 0x4e000000) ACPIMemoryNVS WB
[0x50000000, 0x51000000) Persistent WB NV
[0x51000000, 0x52000000) Unusable
[0x7f000000, 0x7f010000) Reserved
`
	if got := text(h.Memory); got != want {
		t.Errorf("memory is\n%s, want\n%s", got, want)
	}
	for at := range m.memory {
		if at == 0x7e000000 {
			delete(m.memory, at)
		}
	}
	if h, err = readHostAs(cpu.ARM64, m); err != nil || !strings.Contains(text(h.Memory), "[0x42260000, 0x42670000) Reserved\n") {
		t.Errorf("without the map: %v, %v", h, err)
	}
}

// reservation is a list of LINUX_EFI_MEMRESERVE_TABLE.
func reservation(size, count int32, next uint64, entries ...uint64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(size))
	b = binary.LittleEndian.AppendUint32(b, uint32(count))
	return append(binary.LittleEndian.AppendUint64(b, next), words(8, entries...)...)
}

// What kernels have handed to devices for good is memory that no payload gets,
// and that its kernel knows for its own.
func TestReservations(t *testing.T) {
	tables := []efi.ConfigurationTable{
		{VendorGUID: efi.ACPI20TableGUID, VendorTable: 0x1000}, {VendorGUID: efi.LinuxMemreserveTableGUID, VendorTable: 0x45000000},
	}
	const first = "[0x46000000, 0x46010000) ACPIReclaim WB\n"
	const second = "[0x46020000, 0x46021000) ACPIReclaim WB\n"
	for name, test := range map[string]struct {
		lists map[efi.Addr][]byte
		want  string
	}{
		"two lists": {map[efi.Addr][]byte{
			0x45000000: reservation(0, 0, 0x45001000),
			0x45001000: reservation(3, 2, 0x45002000, 0x46000000, 0x10000, 0x46020100, 0x10),
			0x45002000: reservation(1, 1, 0, 0x46008000, 0x10),
		}, first + second},
		"in the middle of a change": {map[efi.Addr][]byte{0x45000000: reservation(1, 2, 0, 0x46000000, 0x10000)}, first},
		"a loop":                    {map[efi.Addr][]byte{0x45000000: reservation(1, 1, 0x45000000, 0x46000000, 0x10000)}, first},
		"the second cannot be read": {map[efi.Addr][]byte{0x45000000: reservation(1, 1, 0x45009000, 0x46000000, 0x10000)}, first},
		"it ends early":             {map[efi.Addr][]byte{0x45000000: reservation(9, 9, 0, 0x46000000, 0x10000)}, ""},
		"a negative number":         {map[efi.Addr][]byte{0x45000000: reservation(1, -1, 0)}, ""},
		"too many":                  {map[efi.Addr][]byte{0x45000000: reservation(1<<30, 1<<30, 0)}, ""},
		"none":                      {nil, ""},
	} {
		m := efiBoard(t, efiDescriptors(), tables)
		maps.Copy(m.memory, test.lists)
		h, err := readHostAs(cpu.ARM64, m)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range strings.Lines(text(h.Memory)) {
			if strings.HasPrefix(line, "[0x46") && strings.Contains(line, "ACPIReclaim") {
				got.WriteString(line)
			}
		}
		if got.String() != test.want {
			t.Errorf("%s: %s, want %s", name, got.String(), test.want)
		}
	}
}

// FuzzTree reads nodes with any contents.
func FuzzTree(f *testing.F) {
	f.Add(big(4, 2), big(4, 2), big(8, 0x40000000, 0x20000000), big(8, 0x41000000, 0x1000), big(8, 0x44000000))
	f.Add(big(4, 1), big(4, 1), big(4, 0x40000000, 0x20000000), big(4, 0x41000000, 0x1000), big(4, 0x44000000))
	f.Fuzz(func(t *testing.T, address, size, reg, reserved, number []byte) {
		both := []any{property("#address-cells", address), property("#size-cells", size)}
		raw := flat(t, node("", append(slices.Clone(both),
			node("memory", property("device_type", asText("memory")), property("reg", reg)),
			node("reserved-memory", append(slices.Clone(both), node("a", property("reg", reserved)), node("b", property("reg", reserved), property("no-map", nil)))...),
			node("chosen", property("linux,initrd-start", number), property("linux,initrd-end", append(number, 1)), property(imaProperty, reserved)),
		)...))
		h, err := readHostAs(cpu.ARM64, fstest.MapFS{deviceTreeFile: {Data: []byte(raw)}})
		if err != nil {
			return
		}
		end := efi.Addr(0)
		for _, d := range h.Memory {
			if r := d.Range(); r.Start < end || r.Size() == 0 || r.End > maxAddress {
				t.Fatalf("%v behind %v", r, end)
			}
			end = d.Range().End
		}
		for _, r := range h.Config(emu.Config{}).Withhold {
			if !h.hasRAM(r) {
				t.Fatalf("%v is withheld, and no RAM", r)
			}
		}
		if tree, err := parseDeviceTree(h.DeviceTree); err != nil || tree.initrd().Size() > 0 {
			t.Fatalf("the payload's tree: %v, %v", tree, err)
		}
	})
}

// FuzzReservations reads lists with any contents.
func FuzzReservations(f *testing.F) {
	f.Add(reservation(1, 1, 0x45000000, 0x46000000, 0x10000), uint64(0x45000000))
	f.Add(reservation(1, 1, 0, 0, 1<<63), uint64(0x45000000))
	f.Fuzz(func(t *testing.T, list []byte, table uint64) {
		m := efiBoard(t, efiDescriptors(), []efi.ConfigurationTable{{VendorGUID: efi.LinuxMemreserveTableGUID, VendorTable: efi.Addr(table)}})
		m.memory[0x45000000] = list
		h, err := readHostAs(cpu.ARM64, m)
		if err != nil {
			if !strings.Contains(err.Error(), "no RAM") { // all of it may be reserved
				t.Fatal(err)
			}
			return
		}
		if len(h.Memory) > 13+2*maxSpans {
			t.Errorf("%d ranges", len(h.Memory))
		}
	})
}
