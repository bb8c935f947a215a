// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

var (
	_ fs.StatFS    = (*FS)(nil)
	_ fs.ReadDirFS = (*FS)(nil)

	errNoFolder = errors.New("not a folder")
	errFolder   = errors.New("a folder")
)

// Open opens a file or folder.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.attributes&Directory != 0 {
		return &folder{n: n}, nil
	}
	return &file{io.NewSectionReader(n.data, 0, n.size), n}, nil
}

// Stat is fs.StatFS'.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return info{n}, nil
}

// ReadDir is fs.ReadDirFS'.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if n.attributes&Directory == 0 {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	return entries(n.children), nil
}

func entries(nodes []*node) []fs.DirEntry {
	list := make([]fs.DirEntry, len(nodes))
	for i, n := range nodes {
		list[i] = fs.FileInfoToDirEntry(info{n})
	}
	return list
}

// info is a node's fs.FileInfo. Permissions are those that READ_ONLY makes.
type info struct{ n *node }

func (i info) Name() string       { return i.n.name }
func (i info) Size() int64        { return i.n.size }
func (i info) ModTime() time.Time { return i.n.modified }
func (i info) IsDir() bool        { return i.n.attributes&Directory != 0 }
func (i info) Sys() any           { return i.n.attributes }
func (i info) String() string     { return fs.FormatFileInfo(i) }

func (i info) Mode() fs.FileMode {
	switch {
	case i.IsDir():
		return fs.ModeDir | 0o755
	case i.n.attributes&ReadOnly != 0:
		return 0o444
	}
	return 0o644
}

// file is an open file: Read, ReadAt and Seek are those of the section.
type file struct {
	*io.SectionReader
	n *node
}

func (f *file) Stat() (fs.FileInfo, error) { return info{f.n}, nil }
func (f *file) Close() error               { return nil }

// folder is an open folder.
type folder struct {
	n    *node
	next int
}

func (f *folder) Stat() (fs.FileInfo, error) { return info{f.n}, nil }
func (f *folder) Close() error               { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.n.name, Err: errFolder}
}

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := f.n.children[f.next:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	f.next += len(rest)
	return entries(rest), nil
}
