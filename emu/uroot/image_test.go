// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/u-root/u-root/pkg/boot"

	"github.com/uefiexec/uefiexec/pecoff"
)

func TestLoad(t *testing.T) {
	no := errors.New("no")
	var got []Entry
	loader := func(e Entry) error { got = append(got, e); return no }
	fsys := volume(t, map[string][]byte{"x.efi": uki(t), "bad.efi": []byte("text")})
	for _, c := range []struct {
		name, path string
		loader     Loader
		opts       []boot.LoadOption
		want       error
		calls      int
	}{
		{"loads", "x.efi", loader, nil, no, 1},
		{"dry run", "x.efi", loader, []boot.LoadOption{boot.WithDryRun(true)}, nil, 0},
		{"dry run without a loader", "x.efi", nil, []boot.LoadOption{boot.WithDryRun(true)}, nil, 0},
		{"dry run of nothing", "y.efi", loader, []boot.LoadOption{boot.WithDryRun(true)}, fs.ErrNotExist, 0},
		{"dry run of no program", "bad.efi", loader, []boot.LoadOption{boot.WithDryRun(true)}, pecoff.ErrNotPE, 0},
		{"bad options", "x.efi", loader, []boot.LoadOption{nil}, ErrLoadOptions, 0},
	} {
		got = nil
		im := &Image{Entry: Entry{Volume: Volume{FS: fsys, Dir: "/mnt"}, Path: c.path, Profile: 1, CommandLine: "a"}, Loader: c.loader}
		err := im.Load(c.opts...)
		require.ErrorIs(t, err, c.want, c.name)
		require.Len(t, got, c.calls, c.name)
		if c.calls > 0 {
			require.Equal(t, im.Entry, got[0], c.name)
		}
	}
	require.ErrorContains(t, (&Image{}).Load(), "no loader")
}

func TestLoadOptions(t *testing.T) {
	for _, c := range []struct {
		profile       int
		cmdline, want string
	}{
		{0, "", ""}, {0, "quiet splash", "quiet splash"}, {1, "", "@1"}, {12, "quiet splash", "@12 quiet splash"},
	} {
		if got := (Entry{Profile: c.profile, CommandLine: c.cmdline}).LoadOptions(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := (Entry{Path: "EFI/Linux/a b.efi"}).FilePath(); got != `\EFI\Linux\a b.efi` {
		t.Error(got)
	}
}

func TestEdit(t *testing.T) {
	appendTo := func(s string) string { return s + " single" }
	for _, c := range []struct {
		name, embedded, given string
		edit                  func(string) string
		want                  string
	}{
		{"what is embedded", "root=a", "", appendTo, "root=a single"},
		{"what was given", "root=a", "root=b", appendTo, "root=b single"},
		{"nothing", "", "", func(string) string { return "x" }, "x"},
		{"embedded, no change", "root=a", "", func(s string) string { return s }, ""},
		{"given, no change", "root=a", "root=b", func(s string) string { return s }, "root=b"},
		{"given, taken away", "root=a", "root=b", func(string) string { return "" }, ""},
	} {
		im := &Image{Entry: Entry{CommandLine: c.given}, Embedded: c.embedded}
		im.Edit(c.edit)
		if im.CommandLine != c.want {
			t.Errorf("%s: %q", c.name, im.CommandLine)
		}
	}
}

func TestLabel(t *testing.T) {
	im := &Image{Entry: Entry{Path: "EFI/\x1b[2J.efi", Volume: Volume{Dir: "/mnt"}}, BootRank: 3}
	require.Equal(t, "EFI/\uFFFD[2J.efi", im.Label())
	require.Equal(t, 3, im.Rank())
	im.Name, im.Embedded = "Linux", "a\nb"
	require.Equal(t, "Linux", im.Label())
	require.Equal(t, "EFIImage(\n  Name: Linux\n  Program: /mnt/EFI/\uFFFD[2J.efi\n  Profile: 0\n  Load options: \"\"\n"+
		"  Embedded command line: \"a\\nb\"\n)\n", im.String())
}

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Fedora 42 (Ä…)", "Fedora 42 (Ä…)"},
		{"a\r\nb\x00", "a\uFFFD\uFFFDb\uFFFD"},
		{"\u202ereversed", "\uFFFDreversed"},
		{"\xff", "\uFFFD"},
		{strings.Repeat("x", maxLabel), strings.Repeat("x", maxLabel)},
		{strings.Repeat("x", maxLabel+1), strings.Repeat("x", maxLabel) + "…"},
	} {
		if got := printable(c.in); got != c.want {
			t.Errorf("%q: %q", c.in, got)
		}
	}
}
