// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/protocols"
)

var below = time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)

// lowerFS is what overlays lie on in these tests.
func lowerFS() fstest.MapFS {
	file := func(text string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(text), Mode: 0o644, ModTime: below}
	}
	return fstest.MapFS{
		"file": file("contents"), "empty": file(""), "dir/inner": file("inner"), "dir/sub/deep": file("deep"),
		"locked": {Data: []byte("locked"), Mode: 0o444, ModTime: below}, "void": {Mode: fs.ModeDir | 0o755, ModTime: below},
	}
}

// forwardOnly is a file system whose files can do no more than be read.
type forwardOnly struct{ fs.FS }

func (f forwardOnly) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if _, folder := file.(fs.ReadDirFile); err != nil || folder {
		return file, err
	}
	return struct{ fs.File }{file}, nil
}

func write(fsys protocols.WritableFS, name, text string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Close())
}

// tree is all of a file system: names with contents, folders with a slash.
func tree(t testing.TB, fsys fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[name+"/"] = ""
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		all[name] = string(raw)
		return err
	}))
	return all
}

func TestOverlayIsAFileSystem(t *testing.T) {
	names := []string{"file", "empty", "dir/inner", "dir/sub/deep", "locked", "void"}
	for name, lower := range map[string]fs.FS{"map": lowerFS(), "forward only": forwardOnly{lowerFS()}, "folder": folderOf(t).FS()} {
		t.Run(name, func(t *testing.T) {
			o := protocols.Overlay(lower)
			require.NoError(t, fstest.TestFS(o, names...))
			require.Equal(t, tree(t, lower), tree(t, o))
			require.NoError(t, write(o, "new", "new"))
			require.NoError(t, write(o, "dir/inner", "changed"))
			require.NoError(t, o.Mkdir("dir/made", 0o700))
			require.NoError(t, write(o, "dir/made/more", "more"))
			require.NoError(t, o.Rename("file", "dir/made/moved"))
			require.NoError(t, o.Rename("dir/sub", "sub"))
			require.NoError(t, o.Remove("empty"))
			require.NoError(t, o.Remove("void"))
			require.NoError(t, o.Chmod("locked", 0o600))
			require.NoError(t, fstest.TestFS(o, "new", "dir/inner", "dir/made/more", "dir/made/moved", "sub/deep", "locked"))
			require.Equal(t, map[string]string{
				"./": "", "dir/": "", "dir/made/": "", "sub/": "", "new": "new", "dir/inner": "changed", "dir/made/more": "more",
				"dir/made/moved": "contents", "sub/deep": "deep", "locked": "locked",
			}, tree(t, o))
			require.Equal(t, tree(t, lowerFS()), tree(t, lower))
		})
	}
}

// folderOf is lowerFS in a folder of the host's.
func folderOf(t *testing.T) *os.Root {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, lowerFS()))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func TestOverlayRefuses(t *testing.T) {
	o := protocols.Overlay(lowerFS())
	open := func(name string, flag int) error {
		f, err := o.OpenFile(name, flag, 0o644)
		if err == nil {
			f.Close()
		}
		return err
	}
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"open of nothing":               {open("none", os.O_RDWR), fs.ErrNotExist},
		"creation of what is there":     {open("file", os.O_RDWR|os.O_CREATE|os.O_EXCL), fs.ErrExist},
		"creation in a file":            {open("file/x", os.O_RDWR|os.O_CREATE), fs.ErrNotExist},
		"creation nowhere":              {open("none/x", os.O_RDWR|os.O_CREATE), fs.ErrNotExist},
		"writing what is locked":        {open("locked", os.O_RDWR), fs.ErrPermission},
		"creating what is locked":       {open("locked", os.O_RDWR|os.O_CREATE), fs.ErrPermission},
		"writing a folder":              {open("dir", os.O_RDWR), nil},
		"writing the root":              {open(".", os.O_RDWR|os.O_CREATE), nil},
		"appending":                     {open("file", os.O_RDWR|os.O_APPEND), errors.ErrUnsupported},
		"a folder that is there":        {o.Mkdir("dir", 0o755), fs.ErrExist},
		"a folder with a file's name":   {o.Mkdir("file", 0o755), fs.ErrExist},
		"a folder nowhere":              {o.Mkdir("none/x", 0o755), fs.ErrNotExist},
		"the root as a folder":          {o.Mkdir(".", 0o755), fs.ErrInvalid},
		"removing nothing":              {o.Remove("none"), fs.ErrNotExist},
		"removing a full folder":        {o.Remove("dir"), nil},
		"removing the root":             {o.Remove("."), fs.ErrInvalid},
		"renaming nothing":              {o.Rename("none", "x"), fs.ErrNotExist},
		"renaming the root":             {o.Rename(".", "x"), fs.ErrInvalid},
		"renaming to the root":          {o.Rename("file", "."), fs.ErrInvalid},
		"renaming into itself":          {o.Rename("dir", "dir/sub/x"), fs.ErrInvalid},
		"renaming into a file":          {o.Rename("dir", "file/x"), fs.ErrNotExist},
		"renaming over a folder":        {o.Rename("file", "void"), fs.ErrExist},
		"renaming a folder over a file": {o.Rename("void", "file"), fs.ErrExist},
		"renaming over a full folder":   {o.Rename("void", "dir"), fs.ErrExist},
		"permissions of nothing":        {o.Chmod("none", 0), fs.ErrNotExist},
		"times of nothing":              {o.Chtimes("none", below, below), fs.ErrNotExist},
	} {
		require.Error(t, test.err, name)
		var where *fs.PathError
		require.ErrorAs(t, test.err, &where, name)
		if test.want != nil {
			require.ErrorIs(t, test.err, test.want, name)
		}
	}
	require.Equal(t, tree(t, lowerFS()), tree(t, o))
}

func TestOverlayHostileNames(t *testing.T) {
	o := protocols.Overlay(lowerFS())
	for _, name := range []string{
		"", "/", "/file", "file/", "..", "../x", "dir/../file", "./file", "dir//inner", "a\x00b", "a\xffb",
		strings.Repeat("x", 1025), strings.Repeat("x/", 2100) + "x",
	} {
		what := fmt.Sprintf("%.20q", name)
		_, err := o.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		require.Error(t, err, what)
		_, err = o.Open(name)
		require.Error(t, err, what)
		require.Error(t, o.Mkdir(name, 0o755), what)
		require.Error(t, o.Remove(name), what)
		require.Error(t, o.Rename("file", name), what)
		require.Error(t, o.Rename(name, "x"), what)
		require.Error(t, o.Chmod(name, 0o755), what)
	}
	require.Equal(t, tree(t, lowerFS()), tree(t, o))
}

func TestOverlayFiles(t *testing.T) {
	for _, lower := range []fs.FS{lowerFS(), forwardOnly{lowerFS()}} {
		o := protocols.Overlay(lower)
		reader, err := o.Open("file")
		require.NoError(t, err)
		f, err := o.OpenFile("file", os.O_RDWR, 0)
		require.NoError(t, err)
		n, err := f.WriteAt([]byte("!!"), 10)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		got := make([]byte, 20)
		n, err = f.ReadAt(got, 1)
		require.Equal(t, io.EOF, err)
		require.Equal(t, "ontents\x00\x00!!", string(got[:n]))
		raw, err := io.ReadAll(reader) // open since before
		require.NoError(t, err)
		require.Equal(t, "contents\x00\x00!!", string(raw))
		require.NoError(t, f.Truncate(3))
		require.NoError(t, f.Truncate(6))
		raw, err = fs.ReadFile(o, "file")
		require.NoError(t, err)
		require.Equal(t, "con\x00\x00\x00", string(raw))
		_, err = f.WriteAt([]byte("x"), -1)
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.ErrorIs(t, f.Truncate(-1), fs.ErrInvalid)
		require.NoError(t, f.Sync())

		require.NoError(t, o.Remove("file"))
		n, err = f.ReadAt(got, 0)
		require.Equal(t, "con\x00\x00\x00", string(got[:n]), err)
		_, err = f.WriteAt([]byte("x"), 0)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Close(), fs.ErrClosed)
		_, err = f.ReadAt(got, 0)
		require.ErrorIs(t, err, fs.ErrClosed)

		f, err = o.OpenFile("empty", os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.ReadAt(got, 0)
		require.ErrorIs(t, err, fs.ErrPermission)
		f, err = o.OpenFile("empty", os.O_RDONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteAt(got, 0)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorIs(t, f.Truncate(1), fs.ErrPermission)
	}
}

func TestOverlayInfo(t *testing.T) {
	o := protocols.Overlay(lowerFS())
	stat := func(name string) fs.FileInfo {
		info, err := fs.Stat(o, name)
		require.NoError(t, err)
		return info
	}
	require.Equal(t, below, stat("file").ModTime())
	require.NoError(t, write(o, "file", "changed"))
	require.WithinDuration(t, time.Now(), stat("file").ModTime(), time.Minute)
	require.NoError(t, o.Chtimes("file", time.Time{}, below.Add(time.Hour)))
	require.Equal(t, below.Add(time.Hour), stat("file").ModTime())
	require.NoError(t, o.Chtimes("file", below, time.Time{}))
	require.Equal(t, below.Add(time.Hour), stat("file").ModTime())
	require.NoError(t, o.Chmod("locked", 0o644))
	require.NoError(t, write(o, "locked", ""))
	require.Equal(t, fs.FileMode(0o644), stat("locked").Mode())
	require.NoError(t, o.Remove("void"))
	require.NoError(t, o.Rename("dir", "void"))
	require.Equal(t, "void", stat("void").Name())
	require.True(t, stat("void/sub").IsDir())
	require.Equal(t, below, stat("void/inner").ModTime())
	require.NoError(t, o.Mkdir("dir", 0o700)) // nothing of the old one is in it
	entries, err := fs.ReadDir(o, "dir")
	require.NoError(t, err)
	require.Empty(t, entries)
	f, err := o.OpenFile("made", os.O_RDWR|os.O_CREATE, 0o444)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o444), stat("made").Mode())
}
