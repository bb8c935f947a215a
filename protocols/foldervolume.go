// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/uefiexec/uefiexec/protocols/fat"
)

// folderVolume is a FAT volume with the files of a file system, which is looked at
// when the volume is read for the first time. If it cannot be shown, each read is
// an error that says why.
type folderVolume struct {
	fsys fs.FS
	opts fat.VolumeOptions

	once sync.Once
	v    *fat.Volume
	err  error
}

// ReadAt is io.ReaderAt's. Behind the end there are zeros.
func (f *folderVolume) ReadAt(b []byte, at int64) (int, error) {
	f.once.Do(func() { f.v, f.err = fat.NewVolume(anywhereFS{f.fsys}, f.opts) })
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.v.ReadAt(b, at)
	if errors.Is(err, io.EOF) {
		clear(b[n:])
		n, err = len(b), nil
	}
	return n, err
}

// anywhereFS is a file system whose files can be read anywhere, and whose devices
// and pipes are not there.
type anywhereFS struct{ fs.FS }

var (
	_ fs.StatFS    = anywhereFS{}
	_ fs.ReadDirFS = anywhereFS{}
)

func (a anywhereFS) Stat(name string) (fs.FileInfo, error)      { return fatTree(a).stat(name) }
func (a anywhereFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(a.FS, name) }

func (a anywhereFS) Open(name string) (fs.File, error) {
	info, err := a.Stat(name)
	if err != nil {
		return nil, err
	}
	h := &hostFile{open: func() (fs.File, error) { return a.FS.Open(name) }}
	if h.File, err = h.open(); err != nil || info.IsDir() {
		return h.File, err
	}
	return h, nil
}

// spliced is a disk of which a part is another.
type spliced struct {
	outer    io.ReaderAt
	at, size int64
	inner    io.ReaderAt
}

// ReadAt is io.ReaderAt's.
func (s spliced) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) && err == nil {
		r, here, end := s.outer, at+int64(n), int64(len(b))
		switch {
		case here < s.at:
			end = min(end, s.at-at)
		case here < s.at+s.size:
			end = min(end, s.at+s.size-at)
			r, here = s.inner, here-s.at
		}
		var got int
		got, err = r.ReadAt(b[n:end], here)
		if n += got; int64(n) == end {
			err = nil
		}
	}
	return n, err
}
