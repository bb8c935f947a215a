// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

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
		h, err := readHostAs(amd64, iomem(test.lines))
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
	if _, err := readHostAs(amd64, iomem(zeros)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("without the privilege: %v", err)
	}
	for _, lines := range []string{
		"", "\n", "nonsense\n", "100000 : System RAM\n", "x-1fffff : System RAM\n", "200000-1fffff : System RAM\n",
		"100000-1fffff : System RAM\n" + strings.Repeat(" 100000-100fff : reserved\n", maxSpans),
		"100000-1fffff : " + strings.Repeat("x", 1<<17),
	} {
		if h, err := readHostAs(amd64, iomem(lines)); err == nil {
			t.Errorf("%.40q: %v", lines, text(h.Memory))
		}
	}
}
