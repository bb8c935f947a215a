// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestParseEntry(t *testing.T) {
	d, err := parseEntry([]byte(`
# a comment
title      Arch  Linux
sort-key	arch
machine-id 4098b3f648d74c13b1f04ccfba7798e8
  version  6.12.1
options    root=UUID=1 ro
unknown    key
options
options    quiet
architecture X64
uki        /EFI//Arch/./arch.efi
profile    1`+"\r\n"), "x64")
	require.NoError(t, err)
	require.Equal(t, &description{
		title: "Arch  Linux", version: "6.12.1", machineID: "4098b3f648d74c13b1f04ccfba7798e8", sortKey: "arch",
		options: "root=UUID=1 ro quiet",
		program: setting{"uki", "EFI/Arch/arch.efi", 12}, profile: setting{"profile", "1", 13}, profileNumber: 1,
	}, d)
}

func TestParseEntryErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want error
	}{
		{"", 0, ErrNoEntry},
		{"title x", 0, ErrNoEntry},
		{"EFI /x.efi", 0, ErrNoEntry},
		{"title x\nefi", 2, ErrSyntax},
		{"efi /", 1, ErrSyntax},
		{"efi /a/../b.efi", 1, ErrSyntax},
		{`efi ..\b.efi`, 1, ErrSyntax},
		{"efi /a.efi\n\nuki /a.efi", 3, ErrSyntax},
		{"efi /a.efi\nprofile one", 2, ErrSyntax},
		{"efi /a.efi\nprofile -1", 2, ErrSyntax},
		{"efi /a.efi\nprofile 256", 2, ErrSyntax},
		{"efi /a.efi\nprofile 99999999999999999999", 2, ErrSyntax},
		{"title \xff\nefi /a.efi", 1, ErrSyntax},
		{"#\nefi /a\x00.efi", 2, ErrSyntax},
		{"initrd /i\nuki /a.efi", 1, errors.ErrUnsupported},
		{"uki /a.efi\ndevicetree /d", 2, errors.ErrUnsupported},
		{"uki /a.efi\ndevicetree-overlay /d", 2, errors.ErrUnsupported},
		{"uki /a.efi\nextra /a.cred", 2, errors.ErrUnsupported},
		{"linux /vmlinuz\ninitrd /i", 0, errOthers},
		{"efi /a.efi\nlinux /vmlinuz", 0, errOthers},
		{"uki-url http://example.org/a.efi", 0, errOthers},
		{"efi /a.efi\narchitecture aa64", 0, errOthers},
	} {
		d, err := parseEntry([]byte(c.text), "x64")
		require.ErrorIs(t, err, c.want, c.text)
		require.Nil(t, d, c.text)
		l, ok := errors.AsType[*lineError](err)
		require.Equal(t, c.line > 0, ok, c.text)
		if ok {
			require.Equal(t, c.line, l.line, c.text)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for _, c := range []struct {
		text string
		want release
	}{
		{"", release{}},
		{"ID=debian\nPRETTY_NAME=\"Debian \\\"13\\\"\"\nVERSION='13 (trixie)'\nVERSION_ID=13\r\n", release{`Debian "13"`, "13 (trixie)", "debian"}},
		{"IMAGE_ID=img\nIMAGE_VERSION=7\nNAME=n\nID=id\nVERSION=8", release{"img", "7", "img"}},
		{"#ID=no\nNAME=n\n ID = x \nBUILD_ID=b\nnonsense", release{"n", "b", "x"}},
		{"ID=a\nID=b\nVERSION_ID=\"\"", release{"b", "", "b"}},
		{"NAME=\"\nID='\nVERSION=\"a'", release{`"`, `"a'`, "'"}},
		{"NAME=a\x00\nID=b", release{name: "a"}},
	} {
		require.Equal(t, c.want, parseRelease(c.text), c.text)
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte("title x\noptions a\noptions b\nuki /EFI/x.efi\nprofile 1\n"))
	f.Add([]byte("#\r\n\tefi \\a\\b.efi\narchitecture x64"))
	f.Add([]byte("efi /../x"))
	f.Add([]byte("a\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, err := parseConf(data)
		last := 0
		for _, s := range settings {
			if s.key == "" || strings.ContainsAny(s.key, " \t\n") || strings.ContainsAny(s.value, "\n\x00") || !utf8.ValidString(s.value) ||
				s.value != strings.TrimSpace(s.value) || s.line <= last {
				t.Errorf("%+v behind line %d", s, last)
			}
			last = s.line
		}
		d, entryErr := parseEntry(data, "x64")
		if (d == nil) == (entryErr == nil) || err != nil && entryErr == nil {
			t.Errorf("%v, %v, %v", d, entryErr, err)
		}
		if l, ok := errors.AsType[*lineError](entryErr); ok && (l.line < 1 || l.line > 1+strings.Count(string(data), "\n")) {
			t.Errorf("line %d of %q", l.line, data)
		}
		if d == nil {
			return
		}
		parts := strings.Split(d.program.value, "/")
		if slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." }) || strings.Contains(d.program.value, `\`) {
			t.Errorf("path %q", d.program.value)
		}
		if d.profileNumber < 0 || d.profileNumber >= maxProfiles || strings.ContainsRune(d.options, '\n') {
			t.Errorf("%+v", d)
		}
	})
}

func FuzzParseRelease(f *testing.F) {
	f.Add("ID=debian\nPRETTY_NAME=\"Debian \\\\ 13\"\nVERSION='13'\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := parseRelease(text)
		for _, s := range []string{r.name, r.version, r.sortKey} {
			if strings.ContainsAny(s, "\n\x00") || len(s) > len(text) {
				t.Errorf("%q gives %q", text, s)
			}
			if p := printable(s); !utf8.ValidString(p) || utf8.RuneCountInString(p) > maxLabel+1 || strings.ContainsAny(p, "\x1b\r\n") {
				t.Errorf("%q is printed as %q", s, p)
			}
		}
		if c := commandLine(text); strings.ContainsFunc(c, func(r rune) bool { return r < ' ' }) || !utf8.ValidString(c) {
			t.Errorf("%q gives the command line %q", text, c)
		}
	})
}
