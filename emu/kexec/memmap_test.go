// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"fmt"
	"io/fs"
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
		h, err := readHostAs(amd64, firmwareMap(test.lines))
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
		if h, err := readHostAs(amd64, root); err == nil {
			t.Errorf("%s: %v", name, text(h.Memory))
		} else if !strings.HasPrefix(err.Error(), "kexec: ") {
			t.Errorf("%s: error %q", name, err)
		}
	}
}
