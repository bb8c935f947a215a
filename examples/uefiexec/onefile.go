// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"io"
	"io/fs"
	"time"
)

// oneFile is a file system that holds one file.
type oneFile struct {
	name string
	data *io.SectionReader
}

func (o oneFile) Open(name string) (fs.File, error) {
	switch name {
	case ".":
		return &oneDir{one: o}, nil
	case o.name:
		return openOne{o, io.NewSectionReader(o.data, 0, o.data.Size())}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// openOne is the file, open.
type openOne struct {
	one oneFile
	*io.SectionReader
}

func (f openOne) Stat() (fs.FileInfo, error) {
	return oneInfo{f.one.name, f.one.data.Size(), 0o444}, nil
}
func (f openOne) Close() error { return nil }

// oneDir is the folder that the file lies in, open.
type oneDir struct {
	one  oneFile
	done bool
}

func (d *oneDir) Stat() (fs.FileInfo, error) { return oneInfo{".", 0, fs.ModeDir | 0o555}, nil }
func (d *oneDir) Close() error               { return nil }

func (d *oneDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}

func (d *oneDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.done {
		if n > 0 {
			return nil, io.EOF
		}
		return nil, nil
	}
	d.done = true
	return []fs.DirEntry{fs.FileInfoToDirEntry(oneInfo{d.one.name, d.one.data.Size(), 0o444})}, nil
}

type oneInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i oneInfo) Name() string       { return i.name }
func (i oneInfo) Size() int64        { return i.size }
func (i oneInfo) Mode() fs.FileMode  { return i.mode }
func (i oneInfo) ModTime() time.Time { return time.Time{} }
func (i oneInfo) IsDir() bool        { return i.mode.IsDir() }
func (i oneInfo) Sys() any           { return nil }
