// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// maxChanges bounds what an Overlay keeps, in bytes.
const maxChanges = 64 << 20

// Overlay makes a file system that can be written to of one that is only read:
// what is written, made, renamed and removed is kept in memory, and gone with the
// result. fsys is never changed and must not change. A file that can be read only
// there (no write permission, as all files of an embed.FS) is so here until
// Chmod. A file that is written to is kept whole, but not one that is renamed.
//
// What is kept is bounded to 64 MiB of files that were written to and of names
// that were made; more is an error with efi.VolumeFull in its chain. A file that
// is removed can be read where it is open, but no longer written to.
//
// A link in fsys is a file or folder of its own: what is written through it is
// not where it leads. It may be used from several goroutines.
func Overlay(fsys fs.FS) WritableFS { return newOverlay(fsys, time.Now) }

// overlay is a tree of what has been looked at and changed. What is not in it is
// as in lower.
type overlay struct {
	lower fs.FS
	now   func() time.Time

	mu   sync.Mutex
	root *overlayNode
	left int64 // bytes
}

var (
	_ WritableFS   = (*overlay)(nil)
	_ fs.StatFS    = (*overlay)(nil)
	_ fs.ReadDirFS = (*overlay)(nil)
)

func newOverlay(fsys fs.FS, now func() time.Time) *overlay {
	root := &overlayNode{name: ".", base: ".", mode: fs.ModeDir | 0o755}
	if info, err := fs.Stat(fsys, "."); err == nil {
		root.mode, root.modified = fs.ModeDir|info.Mode().Perm(), info.ModTime()
	}
	return &overlay{lower: fsys, now: now, left: maxChanges, root: root}
}

// at does something with what has a name, while nobody else does anything. Its
// error, and that there is nothing, is a *fs.PathError.
func (o *overlay) at(op, name string, do func(*overlayNode) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.find(name)
	if err == nil {
		err = do(n)
	}
	return pathError(op, name, err)
}

// in does something with the folder that a name is in, and with the last element
// of the name, which is not the root's.
func (o *overlay) in(op, name string, do func(dir *overlayNode, last string) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir, last, err := o.parent(name)
	if err == nil {
		err = do(dir, last)
	}
	return pathError(op, name, err)
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if _, told := err.(*fs.PathError); told {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Open opens a file or folder for reading.
func (o *overlay) Open(name string) (fs.File, error) {
	var opened fs.File
	err := o.at("open", name, func(n *overlayNode) error {
		if n.mode.IsDir() {
			entries, err := o.list(n)
			opened = &overlayFolder{info: n.info(), path: name, entries: entries}
			return err
		}
		f, err := o.open(n, name, os.O_RDONLY)
		opened = f
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Stat is fs.StatFS'.
func (o *overlay) Stat(name string) (info fs.FileInfo, err error) {
	err = o.at("stat", name, func(n *overlayNode) error {
		info = n.info()
		return nil
	})
	return info, err
}

// OpenFile opens or makes a file, with os.O_RDONLY, O_WRONLY, O_RDWR, O_CREATE,
// O_EXCL, O_TRUNC and O_SYNC. A folder cannot be opened for writing.
func (o *overlay) OpenFile(name string, flag int, perm fs.FileMode) (WritableFile, error) {
	const flags = os.O_RDONLY | os.O_WRONLY | os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_TRUNC | os.O_SYNC
	if flag&^flags != 0 {
		return nil, pathError("open", name, errors.ErrUnsupported)
	}
	var opened WritableFile
	do := func(n *overlayNode, err error) error {
		if err != nil {
			return err
		}
		f, err := o.open(n, name, flag)
		opened = f
		return err
	}
	var err error
	if flag&os.O_CREATE == 0 || name == "." {
		err = o.at("open", name, func(n *overlayNode) error { return do(n, n.permits(flag)) })
	} else {
		err = o.in("open", name, func(dir *overlayNode, last string) error {
			n, err := o.child(dir, last)
			switch {
			case err == nil && flag&os.O_EXCL != 0:
				return fs.ErrExist
			case err == nil:
				return do(n, n.permits(flag))
			case errors.Is(err, fs.ErrNotExist):
				return do(o.create(dir, last, perm.Perm()))
			}
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Mkdir makes a folder.
func (o *overlay) Mkdir(name string, perm fs.FileMode) error {
	return o.in("mkdir", name, func(dir *overlayNode, last string) error {
		switch _, err := o.child(dir, last); {
		case err == nil:
			return fs.ErrExist
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		_, err := o.create(dir, last, fs.ModeDir|perm.Perm())
		return err
	})
}

// Remove removes a file or an empty folder.
func (o *overlay) Remove(name string) error {
	return o.in("remove", name, func(dir *overlayNode, last string) error {
		n, err := o.child(dir, last)
		if err == nil {
			err = o.removable(n)
		}
		if err == nil {
			err = o.hide(dir, last)
		}
		if err == nil {
			o.drop(n)
		}
		return err
	})
}

// Rename moves a file or folder. A file that has the name is replaced by a file,
// a folder by nothing.
func (o *overlay) Rename(from, to string) error {
	return o.in("rename", from, func(dir *overlayNode, last string) error {
		n, err := o.child(dir, last)
		switch {
		case err != nil:
			return err
		case to == from:
			return nil
		case strings.HasPrefix(to, from+"/"):
			return fs.ErrInvalid // into itself
		}
		toDir, toLast, err := o.parent(to)
		if err != nil {
			return pathError("rename", to, err)
		}
		old, err := o.child(toDir, toLast)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			old, err = nil, nil
		case err == nil && (old.mode.IsDir() || n.mode.IsDir()):
			err = fs.ErrExist
		}
		if err != nil {
			return pathError("rename", to, err)
		}
		if err := o.pay(n); err != nil {
			return err
		}
		if err := o.hide(dir, last); err != nil {
			return err
		}
		if old != nil {
			o.drop(old)
		}
		n.name = toLast
		toDir.put(toLast, n)
		return nil
	})
}

// Chmod changes the permissions.
func (o *overlay) Chmod(name string, perm fs.FileMode) error {
	return o.at("chmod", name, func(n *overlayNode) error {
		n.mode, n.changed = n.mode&^fs.ModePerm|perm.Perm(), true
		return nil
	})
}

// Chtimes changes the time of modification; there is no other.
func (o *overlay) Chtimes(name string, _, modified time.Time) error {
	return o.at("chtimes", name, func(n *overlayNode) error {
		if !modified.IsZero() {
			n.modified, n.changed = modified, true
		}
		return nil
	})
}
