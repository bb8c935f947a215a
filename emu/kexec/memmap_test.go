// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
)

// firmwareMap is /sys/firmware/memmap with an entry for each line, "start-last
// : type", as Linux logs them.
func firmwareMap(lines string) fstest.MapFS {
	root := fstest.MapFS{}
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		addresses, kind, _ := strings.Cut(strings.TrimSpace(line), " : ")
		first, last, _ := strings.Cut(addresses, "-")
		dir := fmt.Sprintf("sys/firmware/memmap/%d/", i)
		for name, text := range map[string]string{"start": "0x" + first, "end": "0x" + last, "type": kind} {
			root[dir+name] = &fstest.MapFile{Data: []byte(text + "\n")}
		}
	}
	return root
}

func iomem(lines string) fstest.MapFS {
	return fstest.MapFS{"proc/iomem": {Data: []byte(lines)}}
}

// text is a memory map, a line for each descriptor.
func text(descs []efi.MemoryDescriptor) string {
	var b strings.Builder
	for _, d := range descs {
		attribute := ""
		switch d.Attribute &^ (efi.MemoryUC | efi.MemoryWC | efi.MemoryWT) {
		case efi.MemoryWB:
			attribute = "WB"
		case efi.MemoryWB | efi.MemorySP:
			attribute = "WB SP"
		case efi.MemoryWB | efi.MemoryNV:
			attribute = "WB NV"
		case 0:
		default:
			attribute = fmt.Sprintf("%#x", uint64(d.Attribute))
		}
		fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprint(d.Range(), " ", d.Type, " ", attribute)))
	}
	return b.String()
}

// The maps that firmware gives, as it gives them.
const (
	seaBIOS = `
		0000000000000000-000000000009fbff : System RAM
		000000000009fc00-000000000009ffff : Reserved
		00000000000f0000-00000000000fffff : Reserved
		0000000000100000-000000003ffdffff : System RAM
		000000003ffe0000-000000003fffffff : Reserved
		00000000fffc0000-00000000ffffffff : Reserved
		000000fd00000000-000000ffffffffff : Reserved`
	seaBIOSText = `[0x0, 0x9f000) Conventional WB
[0x9f000, 0xa0000) Reserved
[0xf0000, 0x100000) Reserved
[0x100000, 0x3ffe0000) Conventional WB
[0x3ffe0000, 0x40000000) Reserved
[0xfffc0000, 0x100000000) Reserved
[0xfd00000000, 0x10000000000) Reserved
`
	ovmf = `
		0000000000000000-000000000009ffff : System RAM
		0000000000100000-00000000007fffff : System RAM
		0000000000800000-0000000000807fff : ACPI Non-volatile Storage
		0000000000808000-000000000080afff : System RAM
		000000000080b000-000000000080bfff : ACPI Non-volatile Storage
		000000000080c000-0000000000810fff : System RAM
		0000000000811000-00000000008fffff : ACPI Non-volatile Storage
		0000000000900000-000000007e8ecfff : System RAM
		000000007e8ed000-000000007eb6cfff : Reserved
		000000007eb6d000-000000007eb7efff : ACPI Tables
		000000007eb7f000-000000007ebfefff : ACPI Non-volatile Storage
		000000007ebff000-000000007f5fffff : System RAM
		00000000b0000000-00000000bfffffff : Reserved
		0000000100000000-000000013fffffff : System RAM`
	laptop = `
		0000000100000000-000000085e2fffff : System RAM
		0000000000000000-0000000000057fff : System RAM
		0000000000058000-0000000000058fff : Reserved
		0000000000059000-000000000009cfff : System RAM
		000000000009d000-00000000000fffff : Reserved
		0000000000100000-0000000085d5cfff : System RAM
		0000000085d5d000-0000000085d5dfff : ACPI Non-volatile Storage
		0000000085d5e000-0000000085d5efff : Reserved
		0000000085d5f000-000000008bcb2fff : System RAM
		000000008bcb3000-000000008c72cfff : Reserved
		000000008c72d000-000000008c7cbfff : ACPI Tables
		000000008c7cc000-000000008cbe2fff : ACPI Non-volatile Storage
		000000008cbe3000-000000008d6fefff : Reserved
		000000008d6ff000-000000008d6fffff : System RAM
		000000008d700000-000000008fffffff : Reserved
		00000000e0000000-00000000efffffff : Reserved
		00000000fe010000-00000000fe010fff : Unknown E820 type
		0000000860000000-0000000fffffffff : Soft Reserved
		0000001000000000-00000017ffffffff : Persistent Memory
		0000001800000000-0000001fffffffff : Persistent Memory (legacy)
		0000002000000000-000000200fffffff : Unusable memory`
)

func TestFirmwareMap(t *testing.T) {
	for _, test := range []struct{ name, lines, want string }{
		{"QEMU with SeaBIOS", seaBIOS, seaBIOSText},
		{"QEMU with OVMF", ovmf, `[0x0, 0xa0000) Conventional WB
[0x100000, 0x800000) Conventional WB
[0x800000, 0x808000) ACPIMemoryNVS WB
[0x808000, 0x80b000) Conventional WB
[0x80b000, 0x80c000) ACPIMemoryNVS WB
[0x80c000, 0x811000) Conventional WB
[0x811000, 0x900000) ACPIMemoryNVS WB
[0x900000, 0x7e8ed000) Conventional WB
[0x7e8ed000, 0x7eb6d000) Reserved
[0x7eb6d000, 0x7eb7f000) ACPIReclaim WB
[0x7eb7f000, 0x7ebff000) ACPIMemoryNVS WB
[0x7ebff000, 0x7f600000) Conventional WB
[0xb0000000, 0xc0000000) Reserved
[0x100000000, 0x140000000) Conventional WB
`},
		{"a laptop", laptop, `[0x0, 0x58000) Conventional WB
[0x58000, 0x59000) Reserved
[0x59000, 0x9d000) Conventional WB
[0x9d000, 0x100000) Reserved
[0x100000, 0x85d5d000) Conventional WB
[0x85d5d000, 0x85d5e000) ACPIMemoryNVS WB
[0x85d5e000, 0x85d5f000) Reserved
[0x85d5f000, 0x8bcb3000) Conventional WB
[0x8bcb3000, 0x8c72d000) Reserved
[0x8c72d000, 0x8c7cc000) ACPIReclaim WB
[0x8c7cc000, 0x8cbe3000) ACPIMemoryNVS WB
[0x8cbe3000, 0x8d6ff000) Reserved
[0x8d6ff000, 0x8d700000) Conventional WB
[0x8d700000, 0x90000000) Reserved
[0xe0000000, 0xf0000000) Reserved
[0xfe010000, 0xfe011000) Reserved
[0x100000000, 0x85e300000) Conventional WB
[0x860000000, 0x1000000000) Conventional WB SP
[0x1000000000, 0x2000000000) Persistent WB NV
[0x2000000000, 0x2010000000) Unusable
`},
		{"what overlaps is the least like RAM", `
			100000-1fffff : System RAM
			180000-181fff : ACPI Tables
			181000-182fff : ACPI Non-volatile Storage
			182000-183fff : Unusable memory
			183000-184fff : Reserved
			17f000-1fffff : Soft Reserved
			1ff000-1fffff : Persistent Memory
			100000-100fff : Reserved
			100000-100fff : System RAM`, `[0x100000, 0x101000) Reserved
[0x101000, 0x17f000) Conventional WB
[0x17f000, 0x180000) Conventional WB SP
[0x180000, 0x181000) ACPIReclaim WB
[0x181000, 0x182000) ACPIMemoryNVS WB
[0x182000, 0x183000) Unusable
[0x183000, 0x185000) Reserved
[0x185000, 0x1ff000) Conventional WB SP
[0x1ff000, 0x200000) Persistent WB NV
`},
		{"cut pages", `
			100001-1ffffe : System RAM
			200000-2007ff : System RAM
			200800-200800 : ACPI Tables
			300800-3017ff : Reserved
			301800-303fff : System RAM
			400100-400fff : System RAM`, `[0x101000, 0x1ff000) Conventional WB
[0x200000, 0x201000) ACPIReclaim WB
[0x300000, 0x302000) Reserved
[0x302000, 0x304000) Conventional WB
`},
		{"touching", `
			200000-2fffff : System RAM
			100000-1fffff : System RAM`, "[0x100000, 0x300000) Conventional WB\n"},
		{"at the end of the addresses", `
			100000-1fffff : System RAM
			fffffffffffffff0-ffffffffffffffff : System RAM
			ffffffffff000000-ffffffffffffffff : Reserved
			fffffffffff00-ffffffffffffffff : Reserved`, `[0x100000, 0x200000) Conventional WB
[0xffffffffff000, 0x10000000000000) Reserved
`},
	} {
		h, err := ReadHost(firmwareMap(test.lines))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := text(h.Memory); got != test.want {
			t.Errorf("%s:\n%swant\n%s", test.name, got, test.want)
		}
	}
}

func TestFirmwareMapErrors(t *testing.T) {
	empty := fstest.MapFS{"sys/firmware/memmap": {Mode: fs.ModeDir}}
	torn := firmwareMap(seaBIOS)
	delete(torn, "sys/firmware/memmap/3/end")
	for name, root := range map[string]fstest.MapFS{
		"nothing":      {},
		"empty":        empty,
		"a file lacks": torn,
		"backwards":    firmwareMap("200000-1fffff : System RAM"),
		"no number":    firmwareMap("10000g-1fffff : System RAM"),
		"no end":       firmwareMap("100000- : System RAM"),
		"too large":    firmwareMap("10000000000000000-20000000000000000 : System RAM"),
		"no RAM":       firmwareMap("100000-1fffff : Reserved"),
		"half a page":  firmwareMap("100000-1007ff : System RAM"),
		"only special": firmwareMap("100000-1fffff : Soft Reserved"),
		"many":         firmwareMap(strings.Repeat("100000-1fffff : System RAM\n", maxSpans+1)),
	} {
		if h, err := ReadHost(root); err == nil {
			t.Errorf("%s: %v", name, text(h.Memory))
		} else if !strings.HasPrefix(err.Error(), "kexec: ") {
			t.Errorf("%s: error %q", name, err)
		}
	}
}

const arm64IOMem = `00000000-03ffffff : 0.flash flash@0
09000000-09000fff : pl011@9000000
  09000000-09000fff : 9000000.pl011 pl011@9000000
09010000-09010fff : pl031@9010000
10000000-3efeffff : pcie@10000000
  10000000-1003ffff : 0000:00:01.0
40000000-7c5affff : System RAM
  40210000-4225ffff : Kernel code
  42260000-4266ffff : reserved
  42670000-42a8ffff : Kernel data
  48000000-48008fff : reserved
  7ac00000-7bffffff : reserved
    7b000000-7b000fff : reserved
7c5b0000-7c64ffff : reserved
7c650000-7fffffff : System RAM
  7f900000-7fabffff : reserved
  7fac0400-7fac0fff : reserved
8000000000-ffffffffff : pcie@10000000
100000000000-1000000fffff : 
`

func TestIOMem(t *testing.T) {
	for _, test := range []struct{ name, lines, want string }{
		{"arm64", arm64IOMem, `[0x40000000, 0x42260000) Conventional WB
[0x42260000, 0x42670000) Reserved
[0x42670000, 0x48000000) Conventional WB
[0x48000000, 0x48009000) Reserved
[0x48009000, 0x7ac00000) Conventional WB
[0x7ac00000, 0x7c000000) Reserved
[0x7c000000, 0x7c5b0000) Conventional WB
[0x7c5b0000, 0x7c650000) Reserved
[0x7c650000, 0x7f900000) Conventional WB
[0x7f900000, 0x7fac1000) Reserved
[0x7fac1000, 0x80000000) Conventional WB
`},
		{"x86-64", `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
000a0000-000bffff : PCI Bus 0000:00
000f0000-000fffff : Reserved
  000f0000-000fffff : System ROM
00100000-3ffdffff : System RAM
  01000000-01ffffff : Kernel code
  2f000000-3effffff : Crash kernel
3ffe0000-3fffffff : ACPI Tables
fed00000-fed003ff : HPET 0
  fed00000-fed003ff : PNP0103:00
180000000-1bfffffff : System RAM (virtio_mem)
`, `[0x0, 0x1000) Reserved
[0x1000, 0x9f000) Conventional WB
[0x9f000, 0xa0000) Reserved
[0xf0000, 0x100000) Reserved
[0x100000, 0x3ffe0000) Conventional WB
[0x3ffe0000, 0x40000000) ACPIReclaim WB
`},
	} {
		h, err := ReadHost(iomem(test.lines))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := text(h.Memory); got != test.want {
			t.Errorf("%s:\n%swant\n%s", test.name, got, test.want)
		}
	}
	zeros := strings.Join(slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(arm64IOMem) {
			_, name, _ := strings.Cut(line, " : ")
			if !yield("00000000-00000000 : " + name) {
				return
			}
		}
	}), "")
	if _, err := ReadHost(iomem(zeros)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without the privilege: %v", err)
	}
	for _, lines := range []string{
		"", "\n", "nonsense\n", "100000 : System RAM\n", "x-1fffff : System RAM\n", "200000-1fffff : System RAM\n",
		"100000-1fffff : System RAM\n" + strings.Repeat(" 100000-100fff : reserved\n", maxSpans),
		"100000-1fffff : " + strings.Repeat("x", 1<<17),
	} {
		if h, err := ReadHost(iomem(lines)); err == nil {
			t.Errorf("%.40q: %v", lines, text(h.Memory))
		}
	}
}

// checkDescribed checks what describe has made of spans, page by page at their
// edges.
func checkDescribed(t *testing.T, spans []span, descs []efi.MemoryDescriptor) {
	t.Helper()
	end := efi.Addr(0)
	for i, d := range descs {
		r := d.Range()
		if r.Size() == 0 || !r.Start.PageAligned() || !r.End.PageAligned() || r.Start < end || r.End > maxAddress {
			t.Fatalf("%v behind %v", r, end)
		}
		if i > 0 && r.Start == end && d.Type == descs[i-1].Type && d.Attribute == descs[i-1].Attribute {
			t.Fatalf("%v and %v are one", descs[i-1].Range(), r)
		}
		end = r.End
	}
	var probes []efi.Addr
	for _, s := range spans {
		for _, a := range []efi.Addr{s.Start, s.End} {
			probes = append(probes, a.PageDown()-efi.PageSize, a.PageDown(), a.PageDown()+efi.PageSize)
		}
	}
	for _, a := range probes {
		page := efi.Range{Start: a, End: a + efi.PageSize}
		if page.Size() == 0 {
			continue
		}
		// Page by page and byte by byte: RAM is whole and nothing else, anything
		// else is what it touches.
		want, described := useRAM, false
		whole := map[use]bool{}
		for _, s := range spans {
			switch {
			case s.use <= useSoftReserved && s.Covers(page):
				whole[s.use] = true
			case s.use > useSoftReserved && s.Overlaps(page):
				want, described = max(want, s.use), true
			}
		}
		if !described {
			described = whole[useRAM] || whole[useSoftReserved]
			if whole[useSoftReserved] {
				want = useSoftReserved
			}
		}
		i := slices.IndexFunc(descs, func(d efi.MemoryDescriptor) bool { return d.Range().Contains(a) })
		switch {
		case i >= 0 != described:
			t.Fatalf("page %v: described %t, want %t", a, i >= 0, described)
		case i >= 0 && (descs[i].Type != uses[want].kind || descs[i].Attribute != want.attribute()):
			t.Fatalf("page %v: %v %#x, want use %d", a, descs[i].Type, uint64(descs[i].Attribute), want)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0, 6, 8, 0, 1, 2, 3})
	f.Add([]byte{0, 255, 255, 255, 0, 0, 1, 1, 2, 3, 4, 5, 0, 0, 0, 0, 200, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var spans []span
		for ; len(raw) >= 6 && len(spans) < 64; raw = raw[6:] {
			start := efi.Addr(raw[1])<<12 | efi.Addr(raw[2])<<4 | efi.Addr(raw[3]&1)
			if raw[3]&2 != 0 {
				start = maxAddress - 1 - start
			}
			s := span{efi.Range{Start: start, End: start + efi.Addr(raw[4])<<8 + efi.Addr(raw[5]) + 1}, use(raw[0]) % (useReserved + 1)}
			s.End = min(s.End, maxAddress)
			spans = append(spans, s)
		}
		descs, err := describe(slices.Clone(spans))
		if err != nil {
			if slices.ContainsFunc(descs, isRAM) {
				t.Errorf("%v, but RAM", err)
			}
			return
		}
		checkDescribed(t, spans, descs)
	})
}

func FuzzReadIOMem(f *testing.F) {
	f.Add(arm64IOMem)
	f.Add("00000000-ffffffffffffffff : System RAM\n fffffffffffff-1ffffffffffff : reserved\n")
	f.Fuzz(func(t *testing.T, lines string) {
		spans, err := readIOMem(iomem(lines))
		if err != nil {
			return
		}
		if len(spans) == 0 || len(spans) > maxSpans {
			t.Fatalf("%d spans", len(spans))
		}
		if descs, err := describe(slices.Clone(spans)); err == nil {
			checkDescribed(t, spans, descs)
		}
	})
}
