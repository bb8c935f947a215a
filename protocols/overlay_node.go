// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	// maxOverlayPath and maxOverlayName bound a path and an element of it, in bytes.
	maxOverlayPath = 4096
	maxOverlayName = 1024
	// overlayNameCost is what a name costs, of whatever length.
	overlayNameCost = maxOverlayName
)

var (
	errNoFolder  = errors.New("not a folder")
	errIsFolder  = errors.New("a folder")
	errNotEmpty  = errors.New("the folder is not empty")
	errForReads  = fmt.Errorf("not open for writing: %w", fs.ErrPermission)
	errForWrites = fmt.Errorf("not open for reading: %w", fs.ErrPermission)
)

// overlayNode is a file or folder of an overlay. It is in the tree once it has
// been looked at, so that all who have it open see the same.
type overlayNode struct {
	name     string
	base     string // where lower has it; "" is nowhere
	mode     fs.FileMode
	modified time.Time
	changed  bool // something of it is not as in lower
	paid     bool // the name counts
	removed  bool

	children map[string]*overlayNode // of a folder; nil is one that lower has and is gone
	size     int64                   // of a file that is not copied
	copied   bool
	data     []byte // of one that is
}

func (n *overlayNode) put(name string, child *overlayNode) {
	if n.children == nil {
		n.children = make(map[string]*overlayNode)
	}
	n.children[name] = child
}

// info describes a file or folder as it is now.
func (n *overlayNode) info() fs.FileInfo {
	size := n.size
	if n.copied {
		size = int64(len(n.data))
	}
	return overlayInfo{n.name, size, n.mode, n.modified}
}

// overlayInfo is a fs.FileInfo.
type overlayInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
}

func (i overlayInfo) Name() string       { return i.name }
func (i overlayInfo) Size() int64        { return i.size }
func (i overlayInfo) Mode() fs.FileMode  { return i.mode }
func (i overlayInfo) ModTime() time.Time { return i.modified }
func (i overlayInfo) IsDir() bool        { return i.mode.IsDir() }
func (i overlayInfo) Sys() any           { return nil }

// String is what fs.FormatFileInfo makes of it.
func (i overlayInfo) String() string { return fs.FormatFileInfo(i) }

// checkOverlayPath returns fs.ErrInvalid for what is no path of io/fs, or is of
// no use as one.
func checkOverlayPath(name string) error {
	if !fs.ValidPath(name) || len(name) > maxOverlayPath || strings.ContainsRune(name, 0) {
		return fs.ErrInvalid
	}
	return nil
}

// find follows a path.
func (o *overlay) find(name string) (*overlayNode, error) {
	if err := checkOverlayPath(name); err != nil {
		return nil, err
	}
	n := o.root
	if name == "." {
		return n, nil
	}
	for element := range strings.SplitSeq(name, "/") {
		var err error
		if n, err = o.child(n, element); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// parent follows a path to the folder that its last element is in, or would be.
func (o *overlay) parent(name string) (dir *overlayNode, last string, err error) {
	if err := checkOverlayPath(name); err != nil {
		return nil, "", err
	}
	if last = path.Base(name); name == "." || len(last) > maxOverlayName {
		return nil, "", fs.ErrInvalid
	}
	if dir, err = o.find(path.Dir(name)); err == nil && !dir.mode.IsDir() {
		err = fmt.Errorf("in a file: %w", fs.ErrNotExist)
	}
	return dir, last, err
}

// child finds an entry of a folder, in the tree or below.
func (o *overlay) child(dir *overlayNode, name string) (*overlayNode, error) {
	if n, known := dir.children[name]; n != nil {
		return n, nil
	} else if known || dir.base == "" || !dir.mode.IsDir() {
		return nil, fs.ErrNotExist
	}
	base := path.Join(dir.base, name)
	info, err := fs.Stat(o.lower, base)
	if err != nil {
		return nil, err
	}
	n := &overlayNode{name: name, base: base, mode: info.Mode(), modified: info.ModTime(), size: info.Size()}
	dir.put(name, n)
	return n, nil
}

// create makes an entry of a folder that has none of that name.
func (o *overlay) create(dir *overlayNode, name string, mode fs.FileMode) (*overlayNode, error) {
	n := &overlayNode{name: name, mode: mode, modified: o.now(), changed: true, copied: !mode.IsDir()}
	if err := o.pay(n); err != nil {
		return nil, err
	}
	dir.put(name, n)
	return n, nil
}

// removable says why a folder cannot be removed.
func (o *overlay) removable(n *overlayNode) error {
	if !n.mode.IsDir() {
		return nil
	}
	entries, err := o.list(n)
	if err == nil && len(entries) > 0 {
		err = errNotEmpty
	}
	return err
}

// hide takes an entry out of a folder. It remembers that it is gone only if the
// folder would have it again without.
func (o *overlay) hide(dir *overlayNode, name string) error {
	if dir.base != "" {
		switch _, err := fs.Stat(o.lower, path.Join(dir.base, name)); {
		case err == nil:
			dir.put(name, nil)
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	delete(dir.children, name)
	return nil
}

// drop gives back what a file or folder that was removed has taken.
func (o *overlay) drop(n *overlayNode) {
	n.removed = true
	o.left += int64(len(n.data))
	if n.paid {
		o.left += overlayNameCost
	}
}

// pay takes the price of a name, once.
func (o *overlay) pay(n *overlayNode) error {
	if n.paid {
		return nil
	}
	err := o.spend(overlayNameCost)
	n.paid = err == nil
	return err
}

// spend takes bytes of what is left, or gives them back. VolumeFull: there are
// not so many.
func (o *overlay) spend(n int64) error {
	if n > o.left {
		return fmt.Errorf("%d bytes, with %d left for changes: %w", n, o.left, efi.VolumeFull)
	}
	o.left -= n
	return nil
}
