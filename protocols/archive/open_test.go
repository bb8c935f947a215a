// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	const dir, link = unixFolder | 0o755, unixLink | 0o777
	for _, test := range []struct {
		name string
		raw  []byte
		want map[string]string
	}{
		{"cpio", newc(entry{name: "EFI", mode: dir}, entry{name: "EFI/a.efi", body: "hello"}, entry{name: "empty"}),
			map[string]string{"EFI/": "", "EFI/a.efi": "hello", "empty": ""}},
		{"names are cleaned", newc(entry{name: "/a", body: "1"}, entry{name: "./b", body: "2"}, entry{name: "c//./d/", body: "3"}, entry{name: ".", mode: dir}),
			map[string]string{"a": "1", "b": "2", "c/": "", "c/d": "3"}},
		{"padding of every length", newc(entry{name: "a", body: "1"}, entry{name: "bb", body: "22"}, entry{name: "ccc", body: "333"}, entry{name: "dddd", body: "4444"}),
			map[string]string{"a": "1", "bb": "22", "ccc": "333", "dddd": "4444"}},
		{"the last one wins", newc(entry{name: "a", body: "old"}, entry{name: "a", body: "new"}, entry{name: "d", mode: dir}, entry{name: "d/x"}, entry{name: "d", mode: dir},
			entry{name: "f", body: "file"}, entry{name: "f/x", body: "in it"}, entry{name: "g/x"}, entry{name: "g", body: "file"}),
			map[string]string{"a": "new", "d/": "", "d/x": "", "f/": "", "f/x": "in it", "g": "file"}},
		{"several", join(make([]byte, 4), newc(entry{name: "a", body: "old"}, entry{name: "b"}), make([]byte, 512), newc(entry{name: "a", body: "new"}), make([]byte, 7)),
			map[string]string{"a": "new", "b": ""}},
		{"gzip behind", join(newc(entry{name: "a", body: "early"}), make([]byte, 3), zip(t, newc(entry{name: "b", body: "late"})), make([]byte, 5)),
			map[string]string{"a": "early", "b": "late"}},
		{"gzip around", zip(t, newc(entry{name: "a", body: "1"})), map[string]string{"a": "1"}},
		{"gzip in two members", join(zip(t, newc(entry{name: "a", body: "1"})[:99]), zip(t, newc(entry{name: "a", body: "1"})[99:])), map[string]string{"a": "1"}},
		{"gzip, then more", join(pad(zip(t, newc(entry{name: "a", body: "1"}))), make([]byte, 64), newc(entry{name: "b"})), map[string]string{"a": "1", "b": ""}},
		{"hard links, contents last", newc(entry{name: "a", inode: 7, links: 3}, entry{name: "b", inode: 7, links: 3}, entry{name: "c", inode: 7, links: 3, body: "x"}, entry{name: "d", inode: 8, links: 2}),
			map[string]string{"a": "x", "b": "x", "c": "x", "d": ""}},
		{"hard links end with the archive", join(newc(entry{name: "a", inode: 7, links: 2, body: "x"}), newc(entry{name: "b", inode: 7, links: 2, body: "y"})),
			map[string]string{"a": "x", "b": "y"}},
		{"one link is none", newc(entry{name: "a", body: "x"}, entry{name: "b"}), map[string]string{"a": "x", "b": ""}},
		{"checksums", cpio("070702", entry{name: "a", body: "\x01\xff", check: 0x100}), map[string]string{"a": "\x01\xff"}},
		{"what is left out", newc(entry{name: "dev", mode: 0o020600}, entry{name: "pipe", mode: 0o010600}, entry{name: "not\xffutf8"}, entry{name: "nowhere", mode: link}, entry{name: "z"}),
			map[string]string{"z": ""}},
		{"through links", newc(entry{name: "usr/bin", mode: dir}, entry{name: "bin", mode: link, body: "usr/bin"}, entry{name: "bin/sh", body: "#"}, entry{name: "gone", mode: link, body: "nowhere"}, entry{name: "gone/x"}),
			map[string]string{"usr/": "", "usr/bin/": "", "usr/bin/sh": "#", "bin": "-> usr/bin", "gone/": "", "gone/x": ""}},
		{"tar", tape(t, tar.Header{Name: "EFI/", Typeflag: tar.TypeDir, Mode: 0o755}, tar.Header{Name: "EFI/a.efi", Mode: 0o644, PAXRecords: body("hello")},
			tar.Header{Name: "./b", PAXRecords: body(strings.Repeat("b", 513))}, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "EFI"},
			tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "./EFI/a.efi"}, tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}),
			map[string]string{"EFI/": "", "EFI/a.efi": "hello", "b": strings.Repeat("b", 513), "l": "-> EFI", "h": "hello"}},
		{"tar in gzip", zip(t, tape(t, tar.Header{Name: "a", PAXRecords: body("1")})), map[string]string{"a": "1"}},
		{"empty tar", tape(t), map[string]string{}},
		{"tar named like cpio", tape(t, tar.Header{Name: "070701", PAXRecords: body("1")}), map[string]string{"070701": "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys, err := openBytes(test.raw)
			require.NoError(t, err)
			require.Equal(t, test.want, contents(t, fsys))
			var names []string
			for name := range test.want {
				names = append(names, strings.TrimSuffix(name, "/"))
			}
			require.NoError(t, fstest.TestFS(fsys, names...))
		})
	}
}

// Names that ustar cannot hold, in the formats that can.
func TestTarFormats(t *testing.T) {
	long := strings.Repeat("long/", 60) + "ü"
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		fsys, err := openBytes(tape(t, tar.Header{Name: long, Format: format, PAXRecords: body("1")}, tar.Header{Name: "b", PAXRecords: body("2")}))
		require.NoError(t, err)
		all := contents(t, fsys)
		require.Equal(t, "1", all[long])
		require.Equal(t, "2", all["b"])
	}
}

func TestRefused(t *testing.T) {
	good := newc(entry{name: "a", body: "12345"})
	edit := func(raw []byte, at int, text string) []byte {
		raw = bytes.Clone(raw)
		copy(raw[at:], text)
		return raw
	}
	tarball := tape(t, tar.Header{Name: "a", PAXRecords: body(strings.Repeat("1", 2000))})
	for _, test := range []struct {
		name string
		raw  []byte
		want string
		is   error
	}{
		{"nothing", nil, "", ErrFormat},
		{"zeros", make([]byte, 512), "", ErrFormat},
		{"text", []byte("hello, world"), "", ErrFormat},
		{"a start of a magic", []byte("07070"), "", ErrFormat},
		{"no trailer", good[:len(good)-124], "no trailer", io.ErrUnexpectedEOF},
		{"a header cut off", good[:100], "", io.ErrUnexpectedEOF},
		{"a name cut off", good[:111], "", io.ErrUnexpectedEOF},
		{"contents cut off", good[:114], "", io.ErrUnexpectedEOF},
		{"no number", edit(good, 14, "0000zz00"), "0000zz00", ErrFormat},
		{"a signed number", edit(good, 54, "+0000001"), "", ErrFormat},
		{"a great size", edit(good, 54, "ffffffff"), "4294967295", io.ErrUnexpectedEOF},
		{"no name", edit(good, 94, "00000000"), "name of 0", nil},
		{"a long name", edit(good, 94, "00010000"), "name of 65536", nil},
		{"a name without an end", edit(good, 94, "00000001"), "no end", nil},
		{"upwards", newc(entry{name: "a/../../b"}), "upwards", nil},
		{"garbage between", edit(good, 120, "garbage"), "", ErrFormat},
		{"garbage behind", join(good, []byte("more")), "", ErrFormat},
		{"not aligned behind", join(good, make([]byte, 1), good), "", ErrFormat},
		{"a wrong checksum", cpio("070702", entry{name: "a", body: "\x01", check: 2}), "checksum", nil},
		{"old cpio", []byte("070707" + strings.Repeat("0", 100)), "old character", errors.ErrUnsupported},
		{"binary cpio", []byte("\xc7\x71" + strings.Repeat("0", 100)), "old binary", errors.ErrUnsupported},
		{"zstd", join(good, []byte("\x28\xb5\x2f\xfd 1234")), "zstd", errors.ErrUnsupported},
		{"xz", []byte("\xfd7zXZ\x00 1234"), "xz", errors.ErrUnsupported},
		{"gzip in gzip", zip(t, zip(t, good)), "gzip", errors.ErrUnsupported},
		{"gzip cut off", zip(t, good)[:40], "gzip", io.ErrUnexpectedEOF},
		{"gzip header cut off", zip(t, good)[:5], "gzip", io.ErrUnexpectedEOF},
		{"tar cut off", tarball[:1500], "tar", io.ErrUnexpectedEOF},
		{"tar behind zeros", join(make([]byte, 512), tarball), "", ErrFormat},
		{"tar upwards", tape(t, tar.Header{Name: "../a"}), "upwards", nil},
		{"tar link to nothing", tape(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "b"}), "hard link", fs.ErrNotExist},
		{"tar link to a folder", tape(t, tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "d"}), "folder", nil},
		{"tar link upwards", tape(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../b"}), "upwards", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys, err := openBytes(test.raw)
			require.Error(t, err)
			require.Nil(t, fsys)
			require.ErrorContains(t, err, test.want)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	l := limits{nodes: 4, depth: 2, name: 20, inflated: 1000, padding: 8192}
	big := newc(entry{name: "a", body: strings.Repeat("x", 1000)})
	deep := newc(entry{name: "a/b", mode: unixFolder}, entry{name: "l", mode: unixLink, body: "a/b"}, entry{name: "l/c", mode: unixFolder})
	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"nodes", newc(entry{name: "a"}, entry{name: "b"}, entry{name: "c"}, entry{name: "d"}, entry{name: "e"}), "more than 4 files"},
		{"implied nodes", newc(entry{name: "a/b"}, entry{name: "c/d"}, entry{name: "e"}), "more than 4 files"},
		{"depth", deep, "more than 2 folders"},
		{"names", newc(entry{name: strings.Repeat("n", 20)}), "name of 21"},
		{"tar names", tape(t, tar.Header{Name: strings.Repeat("n", 21)}), "name of 21"},
		{"targets", newc(entry{name: "a", mode: unixLink, body: strings.Repeat("n", 21)}), "target of 21"},
		{"tar targets", tape(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("n", 21)}), "target of 21"},
		{"inflated", zip(t, big), "fits into memory"},
		{"inflated in parts", join(zip(t, big[:600]), zip(t, big[600:])), "fits into memory"},
		{"inflated one after the other", join(zip(t, newc(entry{name: "a", body: strings.Repeat("x", 400)})), make([]byte, 1), zip(t, newc(entry{name: "b", body: strings.Repeat("x", 400)}))), "fits into memory"},
		{"padding", join(newc(entry{name: "a"}), make([]byte, 13000)), "zeros"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := open(bytes.NewReader(test.raw), int64(len(test.raw)), l)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestSparse(t *testing.T) {
	// An old GNU sparse file of 1,000,000 bytes with 512 bytes of data at 4096.
	head := make([]byte, 512)
	copy(head, "sparse")
	copy(head[100:], "0000644\x000000000\x000000000\x00")
	copy(head[124:], "00000001000\x0000000000000\x00        S")
	copy(head[257:], "ustar  \x00")
	copy(head[386:], "00000010000\x0000000001000\x00")
	copy(head[483:], "00003641100\x00")
	sum := 0
	for _, c := range head {
		sum += int(c)
	}
	copy(head[148:], []byte{'0', '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	raw := join(head, bytes.Repeat([]byte("d"), 512), make([]byte, 1024))

	fsys, err := openBytes(raw)
	require.NoError(t, err)
	got, err := fs.ReadFile(fsys, "sparse")
	require.NoError(t, err)
	want := make([]byte, 1_000_000)
	copy(want[4096:], bytes.Repeat([]byte("d"), 512))
	require.True(t, bytes.Equal(want, got))

	_, err = open(bytes.NewReader(raw), int64(len(raw)), limits{nodes: 9, depth: 9, name: 99, inflated: 999_999})
	require.ErrorIs(t, err, errTooBig)
}

func TestFileInfo(t *testing.T) {
	fsys, err := openBytes(newc(entry{name: "d/a", mode: unixRegular | 0o4755, body: "abc"}, entry{name: "l", mode: unixLink | 0o777, body: "d/a"}))
	require.NoError(t, err)
	for _, name := range []string{"d/a", "l"} {
		i, err := fs.Stat(fsys, name)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o755), i.Mode())
		require.EqualValues(t, 3, i.Size())
		require.Equal(t, time.Unix(1700000000, 0).UTC(), i.ModTime())
		f, err := fsys.Open(name)
		require.NoError(t, err)
		var buf [2]byte
		_, err = f.(io.ReaderAt).ReadAt(buf[:], 1)
		require.NoError(t, err)
		require.Equal(t, "bc", string(buf[:]))
	}
	i, err := fs.Lstat(fsys, "l")
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink|0o777, i.Mode())
	_, err = fs.ReadLink(fsys, "d")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = fs.ReadDir(fsys, "d/a")
	require.ErrorIs(t, err, errNoFolder)
}
