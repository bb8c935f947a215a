// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// overlayFile is an open file of an overlay.
type overlayFile struct {
	o           *overlay
	n           *overlayNode
	path        string
	read, write bool
	closed      bool
	pos         int64
	lower       *hostFile // what it was opened as, unless it was copied by then
}

var (
	_ WritableFile = (*overlayFile)(nil)
	_ io.Seeker    = (*overlayFile)(nil)
)

// permits returns fs.ErrPermission for writing what can only be read.
func (n *overlayNode) permits(flag int) error {
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 && n.mode.Perm()&0o222 == 0 {
		return fs.ErrPermission
	}
	return nil
}

// open opens a file, whatever its permissions.
func (o *overlay) open(n *overlayNode, name string, flag int) (*overlayFile, error) {
	f := &overlayFile{o: o, n: n, path: name, read: flag&os.O_WRONLY == 0, write: flag&(os.O_WRONLY|os.O_RDWR) != 0}
	switch {
	case n.mode.IsDir():
		return nil, errIsFolder
	case f.write && flag&os.O_TRUNC != 0:
		return f, f.resize(0)
	case n.copied:
		return f, nil
	}
	from := n.base
	h := &hostFile{open: func() (fs.File, error) { return o.lower.Open(from) }}
	var err error
	if h.File, err = h.open(); err != nil {
		return nil, err
	}
	f.lower = h
	return f, nil
}

// use does something with an open file, while nobody else does anything.
func (f *overlayFile) use(op string, do func() error) error {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: op, Path: f.path, Err: fs.ErrClosed}
	}
	err := do()
	if err == io.EOF {
		return err
	}
	return pathError(op, f.path, err)
}

func (f *overlayFile) Stat() (info fs.FileInfo, err error) {
	err = f.use("stat", func() error {
		info = f.n.info()
		return nil
	})
	return info, err
}

func (f *overlayFile) Close() error {
	return f.use("close", func() error {
		f.closed = true
		if f.lower == nil {
			return nil
		}
		return f.lower.Close()
	})
}

// Sync has nothing to do.
func (f *overlayFile) Sync() error { return f.use("sync", func() error { return nil }) }

func (f *overlayFile) Read(b []byte) (n int, err error) {
	err = f.use("read", func() (err error) {
		if n, err = f.readAt(b, f.pos); n > 0 && err == io.EOF {
			err = nil
		}
		f.pos += int64(n)
		return err
	})
	return n, err
}

func (f *overlayFile) ReadAt(b []byte, at int64) (n int, err error) {
	err = f.use("read", func() (err error) {
		n, err = f.readAt(b, at)
		return err
	})
	return n, err
}

func (f *overlayFile) readAt(b []byte, at int64) (int, error) {
	switch {
	case !f.read:
		return 0, errForWrites
	case at < 0:
		return 0, fs.ErrInvalid
	case len(b) == 0:
		return 0, nil
	case !f.n.copied:
		return f.lower.ReadAt(b, at)
	case at >= int64(len(f.n.data)):
		return 0, io.EOF
	}
	n := copy(b, f.n.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *overlayFile) Seek(offset int64, whence int) (at int64, err error) {
	err = f.use("seek", func() error {
		switch whence {
		case io.SeekStart:
		case io.SeekCurrent:
			offset += f.pos
		case io.SeekEnd:
			offset += f.n.info().Size()
		default:
			return fs.ErrInvalid
		}
		if offset < 0 {
			return fs.ErrInvalid
		}
		f.pos, at = offset, offset
		return nil
	})
	return at, err
}

// WriteAt writes over zeros from the end to there.
func (f *overlayFile) WriteAt(b []byte, at int64) (n int, err error) {
	err = f.use("write", func() error {
		switch {
		case !f.write:
			return errForReads
		case at < 0:
			return fs.ErrInvalid
		case len(b) == 0:
			return nil
		case at > maxChanges || len(b) > maxChanges:
			return fmt.Errorf("%d bytes at %d: %w", len(b), at, efi.VolumeFull)
		}
		end := at + int64(len(b))
		if err := f.resize(max(end, f.n.info().Size())); err != nil {
			return err
		}
		n = copy(f.n.data[at:], b)
		return nil
	})
	return n, err
}

// Truncate cuts the file off, or makes it longer with zeros.
func (f *overlayFile) Truncate(size int64) error {
	return f.use("truncate", func() error {
		switch {
		case !f.write:
			return errForReads
		case size < 0:
			return fs.ErrInvalid
		}
		return f.resize(size)
	})
}

// resize gives the file a size, of a copy of its own. If it fails, nothing has
// changed.
func (f *overlayFile) resize(size int64) error {
	n := f.n
	if n.removed {
		return fs.ErrNotExist
	}
	had := int64(len(n.data)) // none unless it is copied
	if err := f.o.spend(size - had); err != nil {
		return err
	}
	if !n.copied {
		data := make([]byte, size)
		part := data[:min(size, n.size)]
		if len(part) > 0 {
			if got, err := f.lower.ReadAt(part, 0); got < len(part) {
				f.o.left += size
				return fmt.Errorf("%d of %d bytes: %w", got, len(part), errors.Join(err, io.ErrUnexpectedEOF))
			}
		}
		n.data, n.copied = data, true
	} else if size < had {
		n.data = bytes.Clone(n.data[:size]) // so that the rest is given back
	} else {
		n.data = slices.Grow(n.data, int(size-had))[:size]
		clear(n.data[had:])
	}
	n.changed, n.modified = true, f.o.now()
	return nil
}
