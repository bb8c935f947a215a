// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"io"
	"io/fs"
	"os"
	"time"
)

// WritableFS is a file system that can be written to. Names and errors are as
// in io/fs; flags are those of os.OpenFile. Its methods are those of *os.Root,
// which WritableDir makes one of.
type WritableFS interface {
	fs.FS
	OpenFile(name string, flag int, perm fs.FileMode) (WritableFile, error)
	Mkdir(name string, perm fs.FileMode) error
	Remove(name string) error // of a file or an empty folder
	Rename(from, to string) error
	Chmod(name string, perm fs.FileMode) error
	Chtimes(name string, accessed, modified time.Time) error // a zero time leaves it
}

// WritableFile is an open file that can be written to. An *os.File is one.
type WritableFile interface {
	fs.File
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// WritableDir makes a volume of a folder that the guest can write to. Neither
// names nor links lead out of it. What a guest does there is done: it can delete
// everything.
func WritableDir(root *os.Root) WritableFS { return writableDir{root} }

type writableDir struct{ *os.Root }

func (d writableDir) Open(name string) (fs.File, error) { return d.Root.FS().Open(name) }
func (d writableDir) ReadDir(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(d.Root.FS(), name)
}

func (d writableDir) OpenFile(name string, flag int, perm fs.FileMode) (WritableFile, error) {
	f, err := d.Root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not a nil *os.File
	}
	return f, nil
}
