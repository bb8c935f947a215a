// SPDX-License-Identifier: BSD-3-Clause

package fat_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// text is bytes that say where they are.
func text(n int, salt byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*7 ^ salt
	}
	return b
}

var when = time.Date(2024, 2, 29, 23, 58, 56, 0, time.UTC)

// tree is a file system with names of all kinds.
func tree() fstest.MapFS {
	files := fstest.MapFS{
		"EFI/BOOT/BOOTX64.EFI":              {Data: text(70000, 1)},
		"EFI/Linux/unified kernel v6.1.efi": {Data: text(300001, 2)},
		"EFI/Linux/unified kernel v6.2.efi": {Data: text(512, 3)},
		"loader/loader.conf":                {Data: []byte("timeout 3\n"), Mode: 0o444},
		"loader/entries/ü-漢.conf":           {Data: []byte("title ü")},
		"empty":                             {},
		"README":                            {Data: text(1, 5)},
		"a name of " + strings.Repeat("many ", 48) + "words":                        {Data: text(4096, 6)},
		"deep/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a folder/at last": {Data: text(2048, 7)},
	}
	for i := range 150 {
		files[fmt.Sprintf("many/configuration file %d.conf", i)] = &fstest.MapFile{Data: text(i, byte(i))}
	}
	for _, f := range files {
		f.ModTime = when
		if f.Mode == 0 {
			f.Mode = 0o644
		}
	}
	return files
}

// contents are all files of a file system, and its folders with a slash.
func contents(t testing.TB, fsys fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[name+"/"] = ""
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		all[name] = fmt.Sprintf("%d bytes, %x", len(raw), sha256.Sum256(raw))
		return err
	}))
	return all
}

// wantTree checks that a volume holds tree, with its times.
func wantTree(t testing.TB, f *fat.FS) {
	t.Helper()
	files := tree()
	require.Equal(t, contents(t, files), contents(t, f))
	for name, file := range files {
		info, err := fs.Stat(f, name)
		require.NoError(t, err)
		require.Equal(t, when, info.ModTime(), name)
		require.Equal(t, file.Mode, info.Mode(), name)
	}
}

// write puts tree into a folder of the host's.
func write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range tree() {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, f.Data, 0o644))
		require.NoError(t, os.Chmod(path, f.Mode))
		require.NoError(t, os.Chtimes(path, when, when))
	}
	return dir
}

// What mkfs.fat and mtools write is read back.
func TestTools(t *testing.T) {
	dir := write(t)
	for _, test := range []struct {
		kind, blocks int // of 1 KiB
		args         []string
	}{
		{12, 2000, []string{"-s", "1"}},
		{12, 10000, nil},
		{12, 30000, []string{"-s", "16", "-f", "1"}},
		{16, 20000, []string{"-s", "2"}},
		{16, 100000, []string{"-s", "8", "-r", "64", "-R", "9"}},
		{16, 200000, []string{"-S", "4096", "-s", "1"}},
		{32, 40000, []string{"-s", "1"}},
		{32, 300000, []string{"-s", "8", "-b", "2", "-R", "40"}},
		{32, 300000, []string{"-S", "4096", "-s", "1"}},
		{32, 2200000, []string{"-s", "64"}}, // clusters of 32 KiB
	} {
		t.Run(fmt.Sprint(test.kind, test.blocks, test.args), func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "fat.img")
			args := append([]string{"-F", fmt.Sprint(test.kind), "-n", "A LABEL", "-i", "1234ABCD"}, test.args...)
			emutest.Tool(t, "mkfs.fat", append(args, "-C", image, fmt.Sprint(test.blocks))...)
			names, err := filepath.Glob(dir + "/*")
			require.NoError(t, err)
			emutest.Tool(t, "mcopy", append(append([]string{"-i", image, "-s", "-m", "-o"}, names...), "::")...)
			emutest.Tool(t, "mattrib", "-i", image, "+r", "-a", "::loader/loader.conf")
			emutest.Tool(t, "mattrib", "-i", image, "+h", "+s", "::README")
			file, err := os.Open(image)
			require.NoError(t, err)
			defer file.Close()
			f, err := fat.Open(file, int64(test.blocks)<<10)
			require.NoError(t, err)
			wantTree(t, f)
			info := f.Info()
			require.Equal(t, test.kind, info.Kind)
			require.Equal(t, "A LABEL", info.Label)
			require.EqualValues(t, 0x1234abcd, info.Serial)
			require.Contains(t, emutest.Tool(t, "minfo", "-i", image, "::"), fmt.Sprintf("cluster size: %d sectors", clusterSectors(t, file)))
			for name, want := range map[string]fat.Attributes{
				"README": fat.Archive | fat.Hidden | fat.System, "loader/loader.conf": fat.ReadOnly, "loader": fat.Directory, "empty": fat.Archive,
			} {
				stat, err := f.Stat(name)
				require.NoError(t, err)
				require.Equal(t, want, stat.Sys(), name)
			}
			free := strings.NewReplacer(" ", "", "\n", "").Replace(emutest.Tool(t, "mdir", "-i", image, "::"))
			require.Contains(t, free, fmt.Sprintf("%dbytesfree", info.Free))
			require.NoError(t, fstest.TestFS(f, "EFI/BOOT/BOOTX64.EFI", "empty"))
		})
	}
}

func clusterSectors(t *testing.T, r io.ReaderAt) byte {
	b := make([]byte, 1)
	_, err := r.ReadAt(b, 13)
	require.NoError(t, err)
	return b[0]
}

// A file that was written in pieces, with others in between, has its bytes in order.
func TestFragments(t *testing.T) {
	image := filepath.Join(t.TempDir(), "fat.img")
	emutest.Tool(t, "mkfs.fat", "-F", "16", "-s", "1", "-C", image, "10000")
	dir := t.TempDir()
	piece, large := filepath.Join(dir, "piece"), filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(piece, text(512, 9), 0o644))
	for i := range 200 {
		emutest.Tool(t, "mcopy", "-i", image, piece, fmt.Sprintf("::%d", i))
	}
	for i := 0; i < 200; i += 2 {
		emutest.Tool(t, "mdel", "-i", image, fmt.Sprintf("::%d", i))
	}
	want := text(9<<20, 10)
	require.NoError(t, os.WriteFile(large, want, 0o644))
	emutest.Tool(t, "mcopy", "-i", image, large, "::")
	raw, err := os.ReadFile(image)
	require.NoError(t, err)
	f, err := fat.Open(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	got, err := fs.ReadFile(f, "large")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	file, err := f.Open("large")
	require.NoError(t, err)
	for _, at := range []int64{0, 511, 512, 50 * 512, 100*512 - 3, 8 << 20, 9<<20 - 1} {
		b := make([]byte, min(1025, 9<<20-at))
		_, err := file.(io.ReaderAt).ReadAt(b, at)
		require.NoError(t, err)
		require.Equal(t, want[at:][:len(b)], b)
	}
}

// dump writes a volume into a file.
func dump(t testing.TB, v *fat.Volume) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "volume.img")
	file, err := os.Create(image)
	require.NoError(t, err)
	defer file.Close()
	b, zeros := make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); at < v.Size(); at += int64(len(b)) {
		b = b[:min(int64(len(b)), v.Size()-at)]
		_, err := v.ReadAt(b, at)
		require.NoError(t, err)
		if !bytes.Equal(b, zeros[:len(b)]) {
			_, err = file.WriteAt(b, at)
			require.NoError(t, err)
		}
	}
	require.NoError(t, file.Truncate(v.Size()))
	return image
}

// What a volume shows is right for fsck.fat, mtools and Open.
func TestVolumeTools(t *testing.T) {
	for _, opts := range []fat.VolumeOptions{
		{Size: 512 << 20, Serial: 0x75656669, Label: "my label", Hidden: 2048},
		{Size: 35 << 20}, // just enough clusters for FAT32
		{Size: 34<<20 + 700, Label: "x"},
		{Size: 4 << 20, Label: "small"},
		{Size: 300 << 20, SectorSize: 4096, Label: "large sectors"},
		{Size: 16 << 30, SectorSize: 2048},
		{Size: 9 << 30},
	} {
		t.Run(fmt.Sprint(opts), func(t *testing.T) {
			v, err := fat.NewVolume(tree(), opts)
			require.NoError(t, err)
			require.LessOrEqual(t, v.Size(), opts.Size)
			f, err := fat.Open(v, v.Size())
			require.NoError(t, err)
			wantTree(t, f)
			require.Equal(t, opts.Serial, f.Info().Serial)
			if v.Size() > 1<<30 {
				return // too much to dump
			}
			image := dump(t, v)
			out := emutest.Tool(t, "fsck.fat", "-n", "-v", image)
			small := v.Size() < 34<<20
			require.Equal(t, small, strings.Contains(out, "less than the required minimum"))
			require.NotRegexp(t, "(?i)differ|inconsistent|wrong|bad|orphan|fixing|reclaim", out)
			if small {
				return // which mtools take for FAT12
			}
			dir := t.TempDir()
			emutest.Tool(t, "mcopy", "-i", image, "-s", "-m", "::", dir)
			require.Equal(t, contents(t, tree()), contents(t, os.DirFS(dir)))
			stat, err := os.Stat(filepath.Join(dir, "README"))
			require.NoError(t, err)
			require.Equal(t, when, stat.ModTime().UTC())
			list := emutest.Tool(t, "mdir", "-i", image, "::many", "::EFI/Linux")
			require.Contains(t, list, "CONFIG~1")
			require.Contains(t, list, "CONFI~10")
			require.Contains(t, list, "CONF~150")
			require.Contains(t, list, "UNIFIE~2")
			free := strings.NewReplacer(" ", "", "\n", "").Replace(list)
			require.Contains(t, free, fmt.Sprintf("%dbytesfree", f.Info().Free))
		})
	}
}
