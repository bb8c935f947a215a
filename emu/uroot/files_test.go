// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	fsys := fstest.MapFS{
		"EFI/Linux/A.efi": {}, "efi/linux/b.efi": {}, "EFI/Linux/dir/x": {},
		"EFI/link": {Mode: fs.ModeSymlink, Data: []byte("Linux/A.efi")}, "folder": {Mode: fs.ModeSymlink, Data: []byte("EFI")},
		"pipe": {Mode: fs.ModeNamedPipe},
	}
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"EFI/Linux/A.efi", "EFI/Linux/A.efi", nil},
		{"EFI/LINUX/a.EFI", "EFI/Linux/A.efi", nil},
		{"efi/linux/b.efi", "efi/linux/b.efi", nil},
		{"Efi/linux/a.efi", "EFI/Linux/A.efi", nil}, // the first one by name
		{"EFI/Linux/b.efi", "", fs.ErrNotExist},
		{"EFI/Linux/A.efi/x", "", fs.ErrNotExist},
		{"EFI/Linux/dir", "", fs.ErrInvalid},
		{"EFI/link", "", fs.ErrInvalid},
		{"folder/Linux/A.efi", "", fs.ErrNotExist},
		{"pipe", "", fs.ErrInvalid},
	} {
		got, err := find(fsys, c.name)
		require.ErrorIs(t, err, c.err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestList(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range maxFolder {
		fsys[fmt.Sprintf("full/%05d", i)] = &fstest.MapFile{}
		fsys[fmt.Sprintf("over/%05d", i)] = &fstest.MapFile{}
	}
	fsys["over/x"] = &fstest.MapFile{}
	entries, err := list(fsys, "full")
	require.NoError(t, err)
	require.Len(t, entries, maxFolder)
	require.Equal(t, "00000", entries[0].Name())
	entries, err = list(fsys, "over")
	require.ErrorIs(t, err, ErrLimit)
	require.Len(t, entries, maxFolder)
	_, err = list(fsys, "full/00000")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = list(fsys, "no")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestReadText(t *testing.T) {
	fsys := volume(t, map[string][]byte{"fits": make([]byte, maxText), "over": make([]byte, maxText+1)})
	data, err := readText(fsys, "fits")
	require.NoError(t, err)
	require.Len(t, data, maxText)
	_, err = readText(fsys, "over")
	require.ErrorIs(t, err, ErrLimit)
	_, err = readText(fsys, "no")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestDir(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{filepath.Join(outside, "secret"): "secret", filepath.Join(dir, "a/b.efi"): "b"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "out")))
	require.NoError(t, os.Symlink("b.efi", filepath.Join(dir, "a/in.efi")))
	v := Dir(dir)
	require.Equal(t, dir, v.Dir)
	_, err := v.FS.Open("out/secret")
	require.Error(t, err)
	_, err = v.FS.Open("../" + filepath.Base(outside) + "/secret")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = find(v.FS, "a/in.efi")
	require.ErrorIs(t, err, fs.ErrInvalid)
	name, err := find(v.FS, "A/B.EFI")
	require.NoError(t, err)
	require.Equal(t, "a/b.efi", name)
	require.NoError(t, os.Remove(filepath.Join(dir, "out")))
	require.NoError(t, fstest.TestFS(v.FS, "a/b.efi", "a/in.efi"))
	_, err = Dir(filepath.Join(dir, "no")).FS.Open(".")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
