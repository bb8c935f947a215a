// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

func TestLocate(t *testing.T) {
	tree := fatTree{fstest.MapFS{
		"EFI/BOOT/BOOTX64.EFI": {}, "EFI/Linux/a.efi": {}, "file": {},
		"case/NAME": {}, "case/Name": {}, "case/name": {}, "Case/other": {},
		"bad:name": {}, "lower/trailing.": {},
	}}
	deep := strings.Repeat(`\EFI\..`, 150)
	for _, test := range []struct {
		start, name string
		create      efi.FileAttribute
		at, rest    string
		status      efi.Status
	}{
		{start: ".", name: `\EFI\BOOT\BOOTX64.EFI`, at: "EFI/BOOT/BOOTX64.EFI"},
		{start: ".", name: `efi\boot\bootx64.efi`, at: "EFI/BOOT/BOOTX64.EFI"},
		{start: "EFI", name: `Boot`, at: "EFI/BOOT"},
		{start: "EFI", name: `\file`, at: "file"},
		{start: "EFI", name: `.`, at: "EFI"},
		{start: "EFI/BOOT", name: `..\LINUX\.\a.EFI`, at: "EFI/Linux/a.efi"},
		{start: ".", name: `\`, at: "."},
		{start: "EFI", name: `\`, at: "."},
		{start: ".", name: `.`, at: "."},
		{start: ".", name: `\\EFI\\BOOT\\`, at: "EFI/BOOT"},
		{start: ".", name: ` EFI .\ boot. `, at: "EFI/BOOT"},
		{start: "EFI/Linux/a.efi", name: `..\..\BOOT`, at: "EFI/BOOT"},
		{start: "EFI/Linux/a.efi", name: `.`, at: "EFI/Linux/a.efi"},

		{start: ".", name: `case\name`, at: "case/name"},
		{start: ".", name: `case\Name`, at: "case/Name"},
		{start: ".", name: `case\nAME`, at: "case/NAME"},
		{start: ".", name: `CASE\other`, at: "Case/other"},
		{start: ".", name: `CASE\name`, at: "Case", rest: "name"},

		{start: ".", name: `new`, at: ".", rest: "new"},
		{start: ".", name: `EFI\ New .`, at: "EFI", rest: "New"},
		{start: ".", name: `EFI\new\`, create: efi.FileDirectory, at: "EFI", rest: "new"},
		{start: ".", name: `EFI\new\`, status: efi.InvalidParameter},
		{start: ".", name: `new\new`, status: efi.NotFound},
		{start: ".", name: `new\.`, status: efi.NotFound},
		{start: ".", name: `file\`, status: efi.NotFound},
		{start: ".", name: `file\x`, status: efi.NotFound},
		{start: "file", name: `x`, status: efi.NotFound},
		{start: "gone", name: `x`, status: efi.NotFound},
		{start: ".", name: ``, status: efi.InvalidParameter},
		{start: ".", name: `..`, status: efi.InvalidParameter},
		{start: ".", name: `\..\file`, status: efi.InvalidParameter},
		{start: ".", name: `EFI\..\..\file`, status: efi.InvalidParameter},
		{start: ".", name: `EFI/BOOT`, status: efi.InvalidParameter},
		{start: ".", name: `bad:name`, status: efi.InvalidParameter},
		{start: ".", name: `...`, status: efi.InvalidParameter},
		{start: ".", name: strings.Repeat("x", 256), status: efi.InvalidParameter},
		{start: ".", name: deep[:1015] + `\file`, at: "file"},
		{start: ".", name: deep + `\file`, status: efi.InvalidParameter},
		{start: "EFI", name: strings.Repeat(`.\`, 511), status: efi.InvalidParameter},
		{start: ".", name: `lower\trailing.`, at: "lower", rest: "trailing"},
	} {
		at, rest, err := tree.locate(test.start, test.name, test.create)
		require.Equal(t, test.status, emu.StatusOf(err), "%s from %s: %v", test.name, test.start, err)
		require.Equal(t, test.at, at, "%s from %s", test.name, test.start)
		require.Equal(t, test.rest, rest, "%s from %s", test.name, test.start)
	}
}

// What could not be on a FAT volume is neither listed nor found.
func TestFATHides(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the host has no such names either")
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	for _, name := range []string{"file", "a:b", "dot.", " space", "not\xffutf8", "q?"} {
		require.NoError(t, root.WriteFile(name, nil, 0o644))
	}
	require.NoError(t, root.Mkdir("folder", 0o755))
	for link, target := range map[string]string{"good": "file", "dangling": "nothing", "loop": "loop", "out": outside, "up": "../.."} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	require.NoError(t, err)
	defer socket.Close()
	for _, fsys := range []fs.FS{root.FS(), WritableDir(root)} {
		tree := fatTree{fsys}
		entries, err := tree.list(".")
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.name)
		}
		require.Equal(t, []string{"file", "folder", "good"}, names)
		for _, name := range []string{"dangling", "LOOP", "out", "up", "socket", "SOCKET"} {
			at, rest, err := tree.locate(".", name, 0)
			require.NoError(t, err)
			require.Equal(t, []string{".", name}, []string{at, rest})
		}
		at, _, err := tree.locate(".", "GOOD", 0)
		require.NoError(t, err)
		require.Equal(t, "good", at)
	}
}

// An error of the host's is not the absence of a file.
func TestFATError(t *testing.T) {
	broken := errors.New("broken")
	_, _, err := fatTree{failingFS{broken}}.locate(".", "x", 0)
	require.ErrorIs(t, err, broken)
}

type failingFS struct{ err error }

func (f failingFS) Open(name string) (fs.File, error) { return nil, f.err }

func (f failingFS) Stat(name string) (fs.FileInfo, error) {
	if name == "." {
		return fstest.MapFS{}.Stat(".")
	}
	return nil, f.err
}
