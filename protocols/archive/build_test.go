// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is an entry of an archive to be built.
type entry struct {
	name  string
	mode  uint32 // with the type in cpio; 0 is a regular file, 0644
	body  string
	inode uint32
	links uint32
	check uint32
}

// newc builds a cpio archive with its trailer.
func newc(entries ...entry) []byte { return cpio("070701", entries...) }

func cpio(magic string, entries ...entry) []byte {
	var b bytes.Buffer
	for _, e := range append(entries, entry{name: cpioTrailer}) {
		if e.mode == 0 {
			e.mode = unixRegular | 0o644
		}
		fmt.Fprintf(&b, "%s%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", magic,
			e.inode, e.mode, 0, 0, max(e.links, 1), 1700000000, len(e.body), 0, 1, 0, 0, len(e.name)+1, e.check)
		b.WriteString(e.name + "\x00")
		pad4(&b)
		b.WriteString(e.body)
		pad4(&b)
	}
	return b.Bytes()
}

func pad4(b *bytes.Buffer) { b.Write(make([]byte, -b.Len()&3)) }

// tape builds a tar archive.
func tape(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		body := h.PAXRecords["body"]
		h.PAXRecords = nil
		if h.Typeflag == tar.TypeReg || h.Typeflag == 0 {
			h.Size = int64(len(body))
		}
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(body))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// body gives a tar header its contents.
func body(s string) map[string]string { return map[string]string{"body": s} }

func zip(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// pad appends zeros up to a multiple of 4.
func pad(raw []byte) []byte { return append(raw, make([]byte, -len(raw)&3)...) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func openBytes(raw []byte) (fs.FS, error) {
	return Open(bytes.NewReader(raw), int64(len(raw)))
}

// contents are all names below the root: files with their contents, folders
// with a slash, links with where they lead.
func contents(t testing.TB, fsys fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
		case d.IsDir():
			all[name+"/"] = ""
		case d.Type() == fs.ModeSymlink:
			target, err := fs.ReadLink(fsys, name)
			all[name] = "-> " + target
			return err
		default:
			raw, err := fs.ReadFile(fsys, name)
			all[name] = string(raw)
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return all
}
