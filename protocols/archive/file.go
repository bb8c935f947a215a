// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"
)

var (
	errNoFolder = errors.New("not a directory")
	errFolder   = errors.New("is a directory")
)

// info is a node with one of its names.
type info struct {
	name string
	*node
}

func (i *info) Name() string       { return i.name }
func (i *info) Mode() fs.FileMode  { return i.mode }
func (i *info) ModTime() time.Time { return i.modTime }
func (i *info) IsDir() bool        { return i.mode.IsDir() }
func (i *info) Sys() any           { return nil }
func (i *info) String() string     { return fs.FormatFileInfo(i) }

func (i *info) Size() int64 {
	if i.mode.Type() == fs.ModeSymlink {
		return int64(len(i.target))
	}
	return i.data.size
}

// entries are the children with the given names.
func (n *node) entries(names []string) []fs.DirEntry {
	list := make([]fs.DirEntry, len(names))
	for i, name := range names {
		list[i] = fs.FileInfoToDirEntry(&info{name, n.children[name]})
	}
	return list
}

// file is an open file: Read, ReadAt and Seek are those of the section.
type file struct {
	*io.SectionReader
	info *info
}

func newFile(i *info) *file {
	r := i.data.r
	if r == nil {
		r = strings.NewReader("")
	}
	return &file{io.NewSectionReader(r, i.data.at, i.data.size), i}
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// folder is an open folder.
type folder struct {
	info *info
	next int
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: errFolder}
}

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := f.info.names[f.next:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	f.next += len(rest)
	return f.info.entries(rest), nil
}
