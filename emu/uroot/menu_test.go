// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entries makes files of loader/entries from "name: setting; setting".
func entries(t *testing.T, lines ...string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{"x.efi": plain()}
	for _, line := range lines {
		name, text, _ := strings.Cut(line, ": ")
		files["loader/entries/"+name+".conf"] = []byte("efi /x.efi\n" + strings.ReplaceAll(text, "; ", "\n"))
	}
	return files
}

func TestSorting(t *testing.T) {
	files := entries(t,
		"old: title 1; sort-key debian; machine-id a; version 6.1",
		"bad+0-3: title 9 bad; sort-key arch; version 9",
		"new: title 0; sort-key debian; machine-id a; version 6.12.1",
		"pre: title 0.5; sort-key debian; machine-id a; version 6.12.1~rc1",
		"other: title 2; sort-key debian; machine-id b; version 7",
		"fedora: title 3; sort-key fedora; version 8",
		"none-10: title 6",
		"none-9+3: title 7",
		"none-9+2-1: title 7.5",
		"worse+0-4: title 8.5 bad",
		"Fedora: title -1; sort-key Fedora",
	)
	files["EFI/Linux/none-11.efi"] = uki(t)
	files["EFI/Linux/debian.efi"] = uki(t, ".osrel", "ID=debian\nNAME=4\nVERSION_ID=5")
	images, errs := scanFor(t, volume(t, files))
	require.Empty(t, errs)
	require.Equal(t, []string{
		"-1", "4", "0", "0.5", "1", "2", "3", // by sort key, machine, version
		"none-11.efi", "6", "7", "7.5", // by file name
		"9 bad", "8.5 bad", // no try left
	}, labels(images))
	for _, im := range images {
		require.Equal(t, map[bool]int{false: 1, true: 0}[strings.HasSuffix(im.Name, "bad")], im.Rank(), im.Name)
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct{ conf, want string }{
		{"", ""},
		{"default b.conf", "b.conf"},
		{"default B.conf", "b.conf"},
		{"timeout 3\ndefault   b.*\t\n", "b.conf"},
		{"default b", "b.conf"},
		{"default *", "d.efi"},
		{"default [bc].conf", "c.conf"},
		{"default d.efi@*", "d.efi@debug"},
		{"default d.efi@debug", "d.efi@debug"},
		{"default z.conf", ""}, // no try left
		{"default b.conf\ndefault a.conf", "a.conf"},
		{"default nothing", ""},
		{"default @saved", ""},
		{"default", ""},
		{"#default b.conf", ""},
	} {
		files := entries(t, "a: title A", "b: title B", "c: title C", "z+0: title Z")
		files["EFI/Linux/d.efi"] = uki(t, ".osrel", debian, ".profile", "", ".profile", "ID=debug")
		files["loader/loader.conf"] = []byte(c.conf)
		images, errs := scanFor(t, volume(t, files))
		require.Empty(t, errs, c.conf)
		rest := []string{"d.efi", "d.efi@debug", "c.conf", "b.conf", "a.conf", "z.conf"}
		var want []string
		if c.want != "" {
			want = append(want, c.want)
		}
		for _, id := range rest {
			if id != c.want {
				want = append(want, id)
			}
		}
		require.Equal(t, want, ids(images), c.conf)
		for i, im := range images {
			rank := rankEntry
			if i == 0 && c.want != "" {
				rank = rankDefault
			} else if im.ID == "z.conf" {
				rank = rankBad
			}
			require.Equal(t, rank, im.Rank(), "%s: %s", c.conf, im.ID)
		}
	}
}

// Two volumes make one menu; the first default that there is holds.
func TestScanVolumes(t *testing.T) {
	esp, boot := entries(t, "a: version 1; sort-key x"), entries(t, "b: version 2; sort-key x", "a: version 1; sort-key x")
	esp["loader/loader.conf"], boot["loader/loader.conf"] = []byte("default zzz"), []byte("default a.conf")
	images, errs := scanFor(t, volume(t, esp), volume(t, boot))
	require.Empty(t, errs)
	var got []string
	for _, im := range images {
		got = append(got, fmt.Sprintf("%s on %s: %s", im.ID, im.Volume.Dir, im.Label()))
	}
	require.Equal(t, []string{
		"a.conf on /a: a.conf (1) (a.conf) (/a/loader/entries/a.conf)",
		"b.conf on /b: b.conf",
		"a.conf on /b: a.conf (1) (a.conf) (/b/loader/entries/a.conf)",
	}, got)
}

func TestTellApart(t *testing.T) {
	images, errs := scanFor(t, volume(t, entries(t,
		"a: title One",
		"b: title Two; version 1",
		"c: title Two; version 2",
		"d: title Three; version 1; machine-id 0123456789abcdef",
		"e: title Three; version 1; machine-id ff",
		"f: title Four; version 1",
		"g: title Four",
		"h: title Four",
		"i: title Five; version \x1b[1",
		"j: title Five",
	)))
	require.Empty(t, errs)
	require.Equal(t, []string{
		"Five", "Five (\uFFFD[1)", "Four (h.conf)", "Four (g.conf)", "Four (1)", "Three (1) (ff)", "Three (1) (01234567)",
		"Two (2)", "Two (1)", "One",
	}, labels(images))
}
