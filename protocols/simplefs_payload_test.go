// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/archive"
)

// The program that has tested real firmware's FAT driver finds the same in every
// kind of volume.
func TestFilesProgram(t *testing.T) {
	image, err := payloads.Image("x64", "files")
	require.NoError(t, err)
	volume, err := payloads.Volume("x64")
	require.NoError(t, err)
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, os.CopyFS(root.Name(), volume))
	var tarball bytes.Buffer
	w := tar.NewWriter(&tarball)
	require.NoError(t, w.AddFS(volume))
	require.NoError(t, w.Close())
	unpacked, err := archive.Open(bytes.NewReader(tarball.Bytes()), int64(tarball.Len()))
	require.NoError(t, err)

	var first string
	for _, test := range []struct {
		name, options string
		volume        fs.FS
	}{
		{"as it comes", "", volume},
		{"folder", "", root.FS()},
		{"archive", "", unpacked},
		{"capitals", "", capitals(t, volume)},
		{"writable folder", "write", protocols.WritableDir(root)},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := emutest.Run(t, emutest.Program{Image: image, Path: `\files.efi`, Options: test.options, Volume: test.volume})
			require.Equal(t, efi.Success, r.Status(t), r.Console)
			require.NotContains(t, r.Console, "FAIL")
			if test.name == "capitals" || test.options != "" {
				return
			}
			if first == "" {
				first = r.Console
			}
			require.Equal(t, first, r.Console)
		})
	}
}

// capitals is a file system with other names: as FAT keeps short ones.
func capitals(t *testing.T, fsys fs.FS) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		if !strings.Contains(name, " ") && !strings.HasPrefix(name, "dir/") {
			name = strings.ToUpper(name)
		}
		out[name] = &fstest.MapFile{Data: raw}
		return err
	})
	require.NoError(t, err)
	return out
}
