// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

const debian = "ID=debian\nPRETTY_NAME=\"Debian 13\"\nVERSION_ID=13\n"

func TestScanKernelImages(t *testing.T) {
	im := uki(t, ".osrel", debian, ".cmdline", " root=a\nquiet\x00junk",
		".profile", "ID=main\nTITLE=\"Main\"\n",
		".profile", "ID=debug", ".cmdline", "root=a debug",
		".profile", "", ".osrel", "ID=other\nNAME=Other\nVERSION=1")
	fsys := volume(t, map[string][]byte{
		"EFI/Linux/Linux+3-1.EFI":   im,
		"EFI/Linux/.hidden.efi":     im,
		"EFI/Linux/auto-linux.efi":  im,
		"EFI/Linux/notes.txt":       im,
		"EFI/Linux/arm.efi":         ukiFor(t, pecoff.ARM64),
		"EFI/Linux/x.efi.extra.d/a": {},
		"EFI/BOOT/BOOTX64.EFI":      plain(),
	})
	fsys["EFI/Linux/link.efi"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("Linux+3-1.EFI")}
	images, errs := scanFor(t, fsys)
	require.Empty(t, errs)
	require.Equal(t, []string{"Debian 13 (Main)", "Debian 13 (debug)", "Other (profile 2)"}, labels(images))
	v := Volume{fsys, "/a"}
	file := "EFI/Linux/Linux+3-1.EFI"
	tries := Tries{true, 3, 1}
	for i, want := range []Image{
		{Embedded: "root=a quiet", ID: "linux.efi"},
		{Embedded: "root=a debug", ID: "linux.efi@debug"},
		{Embedded: "root=a quiet", ID: "linux.efi@2"},
	} {
		want.Entry, want.Name, want.BootRank, want.File, want.Tries = Entry{Volume: v, Path: file, Profile: i}, images[i].Name, 1, file, tries
		require.Equal(t, &want, images[i])
	}
}

func TestScanEntries(t *testing.T) {
	im := uki(t, ".osrel", debian, ".cmdline", "root=a", ".profile", "TITLE=Main", ".profile", "ID=debug", ".cmdline", "debug")
	fsys := volume(t, map[string][]byte{
		"efi/debian/Grub.efi": plain(),
		"kernels/a.efi":       im,
		"arm.efi":             ukiFor(t, pecoff.ARM64),
		"vmlinuz":             plain(),

		"Loader/Entries/Grub.conf":      []byte("title GRUB\nefi \\EFI\\Debian\\grub.efi"),
		"Loader/Entries/a.conf":         []byte("uki /kernels/a.efi\n"),
		"Loader/Entries/b+1.conf":       []byte("title Titled\nversion 1\nsort-key z\nuki kernels/a.efi\noptions ro quiet\noptions debug"),
		"Loader/Entries/c.conf":         []byte("title Debug\nuki /kernels/a.efi\nprofile 1"),
		"Loader/Entries/d.conf":         []byte("uki /kernels/a.efi\nprofile 1\nsort-key z"),
		"Loader/Entries/linux.conf":     []byte("title Linux\nlinux /vmlinuz\nefi /vmlinuz"),
		"Loader/Entries/arm.conf":       []byte("title ARM\narchitecture aa64\nefi /nowhere.efi"),
		"Loader/Entries/armtoo.conf":    []byte("title ARM\nuki /arm.efi"),
		"Loader/Entries/untitled.conf":  []byte("efi /EFI/debian/grub.efi"),
		"Loader/Entries/.conf":          []byte("efi /EFI/debian/grub.efi"),
		"Loader/Entries/auto-x.conf":    []byte("efi /EFI/debian/grub.efi"),
		"Loader/Entries/x.conf.bak":     []byte("efi /EFI/debian/grub.efi"),
		"Loader/Entries/dir.conf/a.txt": {},
	})
	images, errs := scanFor(t, fsys)
	require.Empty(t, errs)
	type row struct {
		label, id, path, options, embedded string
	}
	var got []row
	for _, im := range images {
		got = append(got, row{im.Label(), im.ID, im.Path, im.LoadOptions(), im.Embedded})
	}
	require.Equal(t, []row{
		{"Titled", "b.conf", "kernels/a.efi", "ro quiet debug", "root=a"},
		{"Debian 13 (debug)", "d.conf", "kernels/a.efi", "@1", "debug"},
		{"untitled.conf", "untitled.conf", "efi/debian/Grub.efi", "", ""},
		{"GRUB", "grub.conf", "efi/debian/Grub.efi", "", ""},
		{"Debug", "c.conf", "kernels/a.efi", "@1", "debug"},
		{"Debian 13 (Main)", "a.conf", "kernels/a.efi", "", "root=a"},
	}, got)
	require.Equal(t, Tries{true, 1, 0}, images[0].Tries)
}

func TestScanErrors(t *testing.T) {
	long := uki(t, ".osrel", string(make([]byte, maxText+1)))
	many := make([]string, 0, 2*maxProfiles+2)
	for range maxProfiles + 1 {
		many = append(many, ".profile", "x")
	}
	fsys := volume(t, map[string][]byte{
		"EFI/Linux/good.efi":       uki(t),
		"EFI/Linux/text.efi":       []byte("text"),
		"EFI/Linux/plain.efi":      plain(),
		"EFI/Linux/short.efi":      uki(t)[:600],
		"EFI/Linux/windows.efi":    petest.Image{Subsystem: pecoff.WindowsCUI, Sections: []petest.Section{{Name: ".linux"}}}.Bytes(),
		"EFI/Linux/long.efi":       long,
		"EFI/Linux/many.efi":       uki(t, many...),
		"plain.efi":                plain(),
		"loader/entries/none.conf": []byte("title x"),
		"loader/entries/gone.conf": []byte("title x\nefi /gone.efi"),
		"loader/entries/dir.conf":  []byte("efi /EFI"),
		"loader/entries/esc.conf":  []byte("efi /\x1b[2J.efi"),
		"loader/entries/text.conf": []byte("title x\n\nefi /EFI/Linux/text.efi"),
		"loader/entries/uki.conf":  []byte("uki /plain.efi"),
		"loader/entries/p1.conf":   []byte("uki /EFI/Linux/good.efi\nprofile 1"),
		"loader/entries/p2.conf":   []byte("efi /plain.efi\nprofile 1"),
		"loader/entries/p0.conf":   []byte("efi /plain.efi\nprofile 0"),
		"loader/entries/big.conf":  make([]byte, maxText+1),
		"loader/entries/\x1b.conf": []byte("\xff"),
		"loader/loader.conf":       []byte("timeout 3\ndefault [\n"),
	})
	images, errs := scanFor(t, fsys)
	require.ElementsMatch(t, []string{"good.efi", "p0.conf"}, ids(images))
	got := map[string]*EntryError{}
	for _, e := range errs {
		got[e.File] = e
	}
	for _, c := range []struct {
		file string
		line int
		want error
	}{
		{"EFI/Linux/text.efi", 0, pecoff.ErrNotPE},
		{"EFI/Linux/plain.efi", 0, ErrProgram},
		{"EFI/Linux/short.efi", 0, pecoff.ErrTruncated},
		{"EFI/Linux/windows.efi", 0, pecoff.ErrSubsystem},
		{"EFI/Linux/long.efi", 0, ErrLimit},
		{"EFI/Linux/many.efi", 0, ErrLimit},
		{"loader/entries/none.conf", 0, ErrNoEntry},
		{"loader/entries/gone.conf", 2, fs.ErrNotExist},
		{"loader/entries/dir.conf", 1, fs.ErrInvalid},
		{"loader/entries/esc.conf", 1, fs.ErrNotExist},
		{"loader/entries/text.conf", 3, pecoff.ErrNotPE},
		{"loader/entries/uki.conf", 1, ErrProgram},
		{"loader/entries/p1.conf", 2, ErrProgram},
		{"loader/entries/p2.conf", 2, ErrProgram},
		{"loader/entries/big.conf", 0, ErrLimit},
		{"loader/entries/\x1b.conf", 1, ErrSyntax},
		{"loader/loader.conf", 2, ErrSyntax},
	} {
		e := got[c.file]
		require.NotNil(t, e, c.file)
		require.ErrorIs(t, e, c.want, c.file)
		require.Equal(t, c.line, e.Line, c.file)
		require.Equal(t, clean(e.Error()), e.Error())
		delete(got, c.file)
	}
	require.Empty(t, got)
	require.Equal(t, "/a/loader/entries/\uFFFD.conf:1: bad value: the line is not UTF-8 text",
		(&EntryError{Volume{nil, "/a"}, "loader/entries/\x1b.conf", 1, fmt.Errorf("%w: the line is not UTF-8 text", ErrSyntax)}).Error())
}

func TestScanIsBounded(t *testing.T) {
	im := uki(t, ".profile", "", ".profile", "")
	fsys := fstest.MapFS{}
	for i := range maxEntries/2 + 10 {
		fsys[fmt.Sprintf("EFI/Linux/%04d.efi", i)] = &fstest.MapFile{Data: im}
	}
	images, errs := scanFor(t, fsys)
	require.Len(t, images, maxEntries)
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], ErrLimit)
}

func TestScanNothing(t *testing.T) {
	for _, fsys := range []fs.FS{fstest.MapFS{}, fstest.MapFS{"EFI": {}}, fstest.MapFS{"EFI/Linux": {}, "loader/entries/x": {}}} {
		images, errs := scanFor(t, fsys)
		require.Empty(t, images)
		require.Empty(t, errs)
	}
	images, err := Scanner{Machine: pecoff.AMD64}.Scan()
	require.NoError(t, err)
	require.Empty(t, images)
}

// noFS fails as a disk does, and has files that cannot be read at an offset.
type noFS struct{ fs.FS }

var errDisk = errors.New("disk error")

func (f noFS) Open(name string) (fs.File, error) {
	if name == "loader/entries" {
		return nil, errDisk
	}
	file, err := f.FS.Open(name)
	if _, ok := file.(fs.ReadDirFile); ok || err != nil {
		return file, err
	}
	return struct{ fs.File }{file}, nil
}

func TestScanBadDisk(t *testing.T) {
	images, errs := scanFor(t, noFS{volume(t, map[string][]byte{"EFI/Linux/a.efi": uki(t), "loader/entries/a.conf": {}})})
	require.Empty(t, images)
	require.Len(t, errs, 2)
	require.ErrorIs(t, errs[0], ErrReadAt)
	require.ErrorIs(t, errs[1], errDisk)
	require.Equal(t, "/a/loader/entries: disk error", errs[1].Error())
}

// A scan is for the machine it runs on, if nothing else is said.
func TestScanHost(t *testing.T) {
	host := hostMachine()
	fsys := volume(t, map[string][]byte{"EFI/Linux/a.efi": ukiFor(t, pecoff.AMD64), "EFI/Linux/b.efi": ukiFor(t, pecoff.ARM64)})
	loaded := 0
	images, err := Scanner{Loader: func(Entry) error { loaded++; return nil }}.Scan(Volume{FS: fsys})
	if host == 0 {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		return
	}
	require.NoError(t, err)
	require.Equal(t, map[pecoff.Machine][]string{pecoff.AMD64: {"a.efi"}, pecoff.ARM64: {"b.efi"}}[host], ids(images))
	require.NoError(t, images[0].Load())
	require.Equal(t, 1, loaded)
}
