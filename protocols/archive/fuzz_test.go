// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"testing"
)

// FuzzOpen opens anything and, if it is an archive, reads all of it: no panic,
// every name is one of io/fs, and no file is longer than it says.
func FuzzOpen(f *testing.F) {
	f.Add(newc(entry{name: "a/b", body: "hello"}, entry{name: "l", mode: unixLink, body: "a"}, entry{name: "l/x"}))
	f.Add(newc(entry{name: "a", inode: 1, links: 2}, entry{name: "b", inode: 1, links: 2, body: "x"}))
	f.Add(cpio("070702", entry{name: "a", body: "\x01", check: 1}))
	f.Add(tape(f, tar.Header{Name: "d/", Typeflag: tar.TypeDir}, tar.Header{Name: "d/a", PAXRecords: body("x")}, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "d/a"}))
	f.Add(join(newc(), zip(f, newc(entry{name: "a"}))))
	l := limits{nodes: 1000, depth: 50, name: 300, inflated: 1 << 20, padding: 1 << 16}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fsys, err := open(bytes.NewReader(raw), int64(len(raw)), l)
		if err != nil {
			return
		}
		_ = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || !fs.ValidPath(name) {
				t.Fatalf("%q: %v", name, err)
			}
			file, err := fsys.Open(name)
			if err != nil {
				if d.Type() != fs.ModeSymlink {
					t.Fatalf("%q: %v", name, err)
				}
				return nil
			}
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, file); !info.IsDir() && (err != nil || n != info.Size()) {
				t.Fatalf("%q: %d of %d bytes: %v", name, n, info.Size(), err)
			}
			return file.Close()
		})
	})
}
