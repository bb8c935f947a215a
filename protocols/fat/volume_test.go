// SPDX-License-Identifier: BSD-3-Clause

package fat_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/protocols/fat"
)

// bytesOf are the first bytes of a volume.
func bytesOf(t testing.TB, v *fat.Volume, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := v.ReadAt(b, 0)
	require.NoError(t, err)
	return b
}

// A volume reads the same at any place, of any length, and is the same each time.
func TestVolumeReads(t *testing.T) {
	opts := fat.VolumeOptions{Size: 2 << 20, Label: "lbl"}
	v, err := fat.NewVolume(tree(), opts)
	require.NoError(t, err)
	all := bytesOf(t, v, v.Size())
	again, err := fat.NewVolume(tree(), opts)
	require.NoError(t, err)
	require.True(t, bytes.Equal(all, bytesOf(t, again, v.Size())))
	step := int64(1)
	for at := int64(0); at < v.Size(); at += step {
		for _, n := range []int64{1, 3, 512, 513, 5000} {
			b := bytes.Repeat([]byte{0xee}, int(n))
			got, err := v.ReadAt(b, at)
			want := all[at:min(at+n, v.Size())]
			require.True(t, bytes.Equal(want, b[:got]), "%d at %d", n, at)
			if int64(got) < n {
				require.Equal(t, io.EOF, err)
			} else {
				require.NoError(t, err)
			}
		}
		step = step*3%4999 + 1
	}
	_, err = v.ReadAt(make([]byte, 1), -1)
	require.Error(t, err)
	n, err := v.ReadAt(make([]byte, 1), v.Size())
	require.Zero(t, n)
	require.Equal(t, io.EOF, err)
}

func TestVolumeLeavesOut(t *testing.T) {
	files := fstest.MapFS{"file": {Data: []byte("contents"), Mode: 0o644}, "folder": {Mode: fs.ModeDir | 0o755}, "pipe": {Mode: fs.ModeNamedPipe}}
	for _, name := range []string{"ends in a dot.", "a:b", `a\b`, "star*", " space"} {
		files[name] = &fstest.MapFile{}
	}
	for link, to := range map[string]string{"link": "file", "nowhere": "missing", "up": ".", "to folder": "folder", "to pipe": "pipe"} {
		files[link] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
	}
	v, err := fat.NewVolume(files, fat.VolumeOptions{Size: 1 << 20})
	require.NoError(t, err)
	f, err := fat.Open(v, v.Size())
	require.NoError(t, err)
	content := contents(t, fstest.MapFS{"file": {Data: []byte("contents")}})["file"]
	require.Equal(t, map[string]string{"./": "", "file": content, "link": content, "folder/": ""}, contents(t, f))
}

// A file that goes, or gets shorter, is an error of its own sectors.
func TestVolumeChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, n int) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text(n, 1), 0o644))
	}
	write("a", 3000)
	write("b", 3000)
	write("c", 3000)
	v, err := fat.NewVolume(os.DirFS(dir), fat.VolumeOptions{Size: 1 << 20})
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "a")))
	write("b", 1500)
	write("c", 5000)
	write("d", 1)
	f, err := fat.Open(v, v.Size())
	require.NoError(t, err)
	read := func(name string) ([]byte, error) { return fs.ReadFile(f, name) }
	_, err = read("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = read("b")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorContains(t, err, "fat: b: ")
	file, err := f.Open("b")
	require.NoError(t, err)
	part := make([]byte, 1500)
	_, err = file.(io.ReaderAt).ReadAt(part, 0)
	require.NoError(t, err)
	require.Equal(t, text(1500, 1), part)
	c, err := read("c")
	require.NoError(t, err)
	require.Equal(t, text(3000, 1), c)
	_, err = read("d")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// sized is a file that says it has a size.
type sized struct {
	fs.FileInfo
	name string
	size int64
}

func (s sized) Name() string      { return s.name }
func (s sized) Size() int64       { return s.size }
func (s sized) IsDir() bool       { return false }
func (s sized) Mode() fs.FileMode { return 0o644 }

func (s sized) ModTime() time.Time { return time.Time{} }

// sizedFS is a folder of files that cannot be read.
type sizedFS []sized

func (s sizedFS) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }
func (s sizedFS) ReadDir(string) (list []fs.DirEntry, err error) {
	for _, f := range s {
		list = append(list, fs.FileInfoToDirEntry(f))
	}
	return list, nil
}

func TestVolumeRefuses(t *testing.T) {
	deep := strings.Repeat("d/", 129) + "file"
	many := make(sizedFS, 0, 1<<16+1)
	for i := range cap(many) {
		many = append(many, sized{name: fmt.Sprintf("F%d", i)})
	}
	opts := fat.VolumeOptions{Size: 8 << 30}
	for name, test := range map[string]struct {
		fsys fs.FS
		opts fat.VolumeOptions
		says string
	}{
		"a huge file":                {sizedFS{{name: "huge", size: 1 << 32}}, opts, "huge: 4294967296 bytes"},
		"more than fits":             {sizedFS{{name: "a", size: 1 << 20}, {name: "b", size: 1 << 20}}, fat.VolumeOptions{Size: 2 << 20}, "b: 1048576 bytes, where "},
		"too deep":                   {fstest.MapFS{deep: {}}, opts, "more than 128 folders"},
		"too many files":             {many, opts, "more than 65536 files"},
		"too many entries":           {many[:1<<15+1].long(), opts, "65538 entries"},
		"no room":                    {tree(), fat.VolumeOptions{}, "too few"},
		"less than none":             {tree(), fat.VolumeOptions{Size: math.MinInt64}, "too few"},
		"hardly room":                {tree(), fat.VolumeOptions{Size: 34 * 512}, "too few"},
		"sectors of 1000":            {tree(), fat.VolumeOptions{Size: 1 << 30, SectorSize: 1000}, "sectors of 1000"},
		"sectors of 8192":            {tree(), fat.VolumeOptions{Size: 1 << 30, SectorSize: 8192}, "sectors of 8192"},
		"a folder that is not there": {os.DirFS("/nonexistent"), opts, "open .: "},
	} {
		v, err := fat.NewVolume(test.fsys, test.opts)
		require.ErrorContains(t, err, test.says, name)
		require.Nil(t, v, name)
	}
	v, err := fat.NewVolume(many[:1<<16], opts)
	require.NoError(t, err)
	f, err := fat.Open(v, v.Size())
	require.NoError(t, err)
	list, err := f.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, list, 1<<16)
	v, err = fat.NewVolume(fstest.MapFS{}, fat.VolumeOptions{Size: math.MaxInt64})
	require.NoError(t, err)
	require.EqualValues(t, math.MaxUint32*512, v.Size())
}

// long gives files names that take two entries.
func (s sizedFS) long() sizedFS {
	all := make(sizedFS, len(s))
	for i := range s {
		all[i] = sized{name: strings.ToLower(s[i].name)}
	}
	return all
}

// A file that can only be read forward is an error of its sectors.
func TestVolumeOfForwardReaders(t *testing.T) {
	v, err := fat.NewVolume(forward{fstest.MapFS{"a": {Data: []byte("x")}}}, fat.VolumeOptions{Size: 1 << 20})
	require.NoError(t, err)
	f, err := fat.Open(v, v.Size())
	require.NoError(t, err)
	_, err = fs.ReadFile(f, "a")
	require.ErrorContains(t, err, "io.ReaderAt")
}

type forward struct{ fstest.MapFS }

func (f forward) Open(name string) (fs.File, error) {
	file, err := f.MapFS.Open(name)
	if d, ok := file.(fs.ReadDirFile); ok || err != nil {
		return d, err
	}
	return struct{ fs.File }{file}, nil
}

func TestVolumeTimes(t *testing.T) {
	for want, when := range map[time.Time]time.Time{
		time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC):                            {},
		time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC):                       time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 22, 21, 30, 58, 0, time.UTC):                       time.Date(2026, 11, 22, 22, 30, 59, 1, time.FixedZone("", 3600)),
		time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC).Add(-2 * time.Second): time.Date(2107, 12, 31, 23, 59, 57, 0, time.UTC),
	} {
		v, err := fat.NewVolume(fstest.MapFS{"a": {ModTime: when}}, fat.VolumeOptions{Size: 1 << 20})
		require.NoError(t, err)
		f, err := fat.Open(v, v.Size())
		require.NoError(t, err)
		info, err := f.Stat("a")
		require.NoError(t, err)
		require.Equal(t, want, info.ModTime())
	}
}

// Names come out as they went in, whatever they are, and short ones are unique.
func FuzzNames(f *testing.F) {
	f.Add("a\nA\nB.txt\nb.TXT\n.bashrc\nfoo.tar.gz\n.\n..\na.\n~1")
	f.Add("long name 1\nlong name 2\nLONGNA~1\nLONGNA~2\nlongna~1\nlong.name\n+,;=[]")
	f.Add("😀\n漢字\nÄ\nä\n\x7f\nCON\n _\n_\n__")
	f.Add(strings.Repeat("x", 255) + "\n" + strings.Repeat("x", 256) + "\n" + strings.Repeat("😀", 128))
	f.Fuzz(func(t *testing.T, lines string) {
		var files sizedFS
		want := map[string]bool{}
		for name := range strings.SplitSeq(lines, "\n") {
			if len(files) < 1000 && !strings.Contains(name, "/") && name != "" && !want[name] {
				files = append(files, sized{name: name, size: int64(len(name))})
				want[name] = fat.ValidName(name)
			}
		}
		v, err := fat.NewVolume(files, fat.VolumeOptions{Size: 16 << 20})
		require.NoError(t, err)
		back, err := fat.Open(v, v.Size())
		require.NoError(t, err)
		list, err := back.ReadDir(".")
		require.NoError(t, err)
		got := map[string]bool{}
		for _, d := range list {
			info, err := d.Info()
			require.NoError(t, err)
			require.EqualValues(t, len(d.Name()), info.Size())
			got[d.Name()] = true
		}
		for name, valid := range want {
			require.Equal(t, valid, got[name], "%q", name)
			delete(got, name)
		}
		require.Empty(t, got)
		wantShort(t, v, len(list))
	})
}

// wantShort checks that the short names of the root are ones, and differ.
func wantShort(t *testing.T, v *fat.Volume, files int) {
	t.Helper()
	boot := bytesOf(t, v, 512)
	seen := map[string]bool{}
	root := make([]byte, 32)
	for at := int64(32+2*le.Uint32(boot[36:])) * 512; len(seen) < files; at += int64(len(root)) {
		_, err := v.ReadAt(root, at)
		require.NoError(t, err)
		if root[11] == 0x0f {
			continue
		}
		short := string(root[:11])
		require.False(t, seen[short], short)
		require.NotContains(t, " .", short[:1])
		for _, c := range []byte(short) {
			require.True(t, c >= ' ' && c < 0x7f && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz.\"*+,/:;<=>?[\\]|", rune(c)), "%q", short)
		}
		seen[short] = true
	}
}

func BenchmarkVolume(b *testing.B) {
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "kernel"), make([]byte, 64<<20), 0o644))
	for i := range 1000 {
		require.NoError(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file number %d", i)), []byte("x"), 0o644))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(b, err)
	defer root.Close()
	opts := fat.VolumeOptions{Size: 512 << 20}
	b.Run("lay out 1001 files", func(b *testing.B) {
		for b.Loop() {
			_, err := fat.NewVolume(root.FS(), opts)
			require.NoError(b, err)
		}
	})
	v, err := fat.NewVolume(root.FS(), opts)
	require.NoError(b, err)
	table, data := int64(32*512), int64(0)
	boot := bytesOf(b, v, 512)
	data = table + int64(2*le.Uint32(boot[36:]))*512
	for name, at := range map[string]int64{"table": table, "file": data + 32<<20} {
		for _, sectors := range []int64{1, 64} {
			b.Run(fmt.Sprintf("%s by %d", name, sectors), func(b *testing.B) {
				buffer := make([]byte, sectors*512)
				for i := int64(0); b.Loop(); i++ {
					_, err := v.ReadAt(buffer, at+i%1000*int64(len(buffer)))
					require.NoError(b, err)
				}
				b.ReportMetric(float64(sectors)*float64(b.N)/b.Elapsed().Seconds(), "sectors/s")
			})
		}
	}
}
