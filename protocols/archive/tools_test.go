// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// What cpio and tar of the system write is read back.
func TestTools(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("EFI/BOOT/BOOTX64.EFI", "an image")
	write("loader/entries/ü.conf", "title ü")
	write("empty", "")
	require.NoError(t, os.Link(filepath.Join(dir, "EFI/BOOT/BOOTX64.EFI"), filepath.Join(dir, "hard")))
	require.NoError(t, os.Symlink("EFI/BOOT", filepath.Join(dir, "soft")))
	hole, err := os.Create(filepath.Join(dir, "hole"))
	require.NoError(t, err)
	_, err = hole.WriteAt([]byte("end"), 1<<20)
	require.NoError(t, err)
	require.NoError(t, hole.Close())
	want := contents(t, os.DirFS(dir))

	for _, script := range []string{
		"find . | cpio -o -H newc", "find . | cpio -o -H crc", "find . -depth | cpio -o -H newc | gzip",
		"tar -c .", "tar -c --format=ustar .", "tar -c --format=gnu .", "tar -c --format=pax .", "tar -cS --format=gnu .", "tar -cS --format=pax .", "tar -cz .",
		"tar -cS --format=pax --sparse-version=0.0 .", "tar -cS --format=pax --sparse-version=0.1 .",
	} {
		t.Run(script, func(t *testing.T) {
			for _, tool := range []string{"sh", "find", "cpio", "tar", "gzip"} {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("%s is not installed", tool)
				}
			}
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir = dir
			raw, err := cmd.Output()
			require.NoError(t, err)
			fsys, err := openBytes(raw)
			require.NoError(t, err)
			require.Equal(t, want, contents(t, fsys))
		})
	}
}

// An initramfs that has booted.
func TestInitramfsTruth(t *testing.T) {
	root := os.Getenv("UEFIEXEC_TRUTH")
	if root == "" {
		t.Skip("UEFIEXEC_TRUTH is not set")
	}
	raw, err := os.ReadFile(filepath.Join(root, "t-amd64.cpio"))
	require.NoError(t, err)
	fsys, err := openBytes(raw)
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(fsys, "init"))
	init, err := fs.ReadFile(fsys, "init")
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(init, []byte("\x7fELF")))
}
