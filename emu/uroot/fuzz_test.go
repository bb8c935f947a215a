// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever the files hold, a scan ends in entries or in errors. The kernel image
// is built of texts, and four bytes of it are changed.
func FuzzScan(f *testing.F) {
	f.Add(debian, "ID=a\nTITLE=\"A\"", "root=a", uint16(0), uint32(0x5a4d), "uki /EFI/Linux/x.efi\nprofile 1")
	f.Add("NAME=\x1b[2J", "ID=\xff", "a\x00b", uint16(0x80), uint32(0), "efi EFI\\Linux\\x.efi\noptions a")
	f.Add("VERSION="+strings.Repeat("1", 2*maxLabel), "ID=a", "", uint16(0), uint32(0x5a4d), "")
	f.Add("", "", "", uint16(0x84), uint32(0xffff8664), "default *")
	f.Fuzz(func(t *testing.T, osrel, profile, cmdline string, at uint16, value uint32, conf string) {
		program := uki(t, ".osrel", osrel, ".profile", profile, ".profile", profile, ".cmdline", cmdline)
		if int(at)+4 <= len(program) {
			binary.LittleEndian.PutUint32(program[at:], value)
		}
		images, errs := scanFor(t, volume(t, map[string][]byte{
			"EFI/Linux/x.efi": program, "loader/entries/x.conf": []byte(conf), "loader/loader.conf": []byte(conf),
		}))
		if len(errs) > 3 || len(images) > 3 {
			t.Errorf("%v, %v", images, errs)
		}
		for _, im := range images {
			if im.Label() == "" || clean(im.Label()) != im.Label() || utf8.RuneCountInString(im.Label()) > 3*(maxLabel+4) || !utf8.ValidString(im.LoadOptions()) || !utf8.ValidString(im.Embedded) {
				t.Errorf("%v", im)
			}
		}
	})
}
