// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import "testing"

func TestTries(t *testing.T) {
	for _, c := range []struct {
		name, stripped string
		tries          Tries
		next           string // "" where nothing is to be renamed
	}{
		{"a.efi", "a.efi", Tries{}, ""},
		{"a+3.efi", "a.efi", Tries{true, 3, 0}, "a+2-1.efi"},
		{"a+4-0.efi", "a.efi", Tries{true, 4, 0}, "a+3-1.efi"},
		{"a+1-2.conf", "a.conf", Tries{true, 1, 2}, "a+0-3.conf"},
		{"a+0-3.efi", "a.efi", Tries{true, 0, 3}, ""},
		{"a+0.efi", "a.efi", Tries{true, 0, 0}, ""},
		{"a+10-00.efi", "a.efi", Tries{true, 10, 0}, "a+09-01.efi"},
		{"a+5-9.efi", "a.efi", Tries{true, 5, 9}, "a+4-9.efi"},
		{"a+003-99.efi", "a.efi", Tries{true, 3, 99}, "a+002-99.efi"},
		{"6.12.1+deb13+2-1.EFI", "6.12.1+deb13.EFI", Tries{true, 2, 1}, "6.12.1+deb13+1-2.EFI"},
		{"6.12.1+deb13.efi", "6.12.1+deb13.efi", Tries{}, ""},
		{"a+.efi", "a+.efi", Tries{}, ""},
		{"a+3-.efi", "a+3-.efi", Tries{}, ""},
		{"a+-1.efi", "a+-1.efi", Tries{}, ""},
		{"a+3-1-1.efi", "a+3-1-1.efi", Tries{}, ""},
		{"a+3x.efi", "a+3x.efi", Tries{}, ""},
		{"a+1234567890.efi", "a+1234567890.efi", Tries{}, ""},
		{"+3.efi", ".efi", Tries{true, 3, 0}, "+2-1.efi"},
	} {
		stripped, tries, _, _ := parseTries(c.name)
		if stripped != c.stripped || tries != c.tries || tries.Bad() != (c.tries.Counted && c.tries.Left == 0) {
			t.Errorf("%s: %q, %+v", c.name, stripped, tries)
		}
		next, ok := (&Image{File: "EFI/Linux/" + c.name}).Counted()
		if ok != (c.next != "") || ok && next != "EFI/Linux/"+c.next {
			t.Errorf("%s: next %q, %t", c.name, next, ok)
		}
	}
}
