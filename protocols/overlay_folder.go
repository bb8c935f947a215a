// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"cmp"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// ReadDir is fs.ReadDirFS': what both have, in the order of names.
func (o *overlay) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = o.at("readdir", name, func(n *overlayNode) (err error) {
		entries, err = o.list(n)
		return err
	})
	return entries, err
}

// list merges the entries of a folder.
func (o *overlay) list(dir *overlayNode) ([]fs.DirEntry, error) {
	if !dir.mode.IsDir() {
		return nil, errNoFolder
	}
	found := make(map[string]fs.DirEntry)
	if dir.base != "" {
		below, err := fs.ReadDir(o.lower, dir.base)
		if err != nil {
			return nil, err
		}
		for _, d := range below {
			found[d.Name()] = d
		}
	}
	for name, n := range dir.children {
		switch {
		case n == nil:
			delete(found, name)
		case n.changed || n.base != path.Join(dir.base, name) || found[name] == nil:
			found[name] = fs.FileInfoToDirEntry(n.info())
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) }), nil
}

// overlayFolder is an open folder, as it was when it was opened.
type overlayFolder struct {
	info    fs.FileInfo
	path    string
	entries []fs.DirEntry
	closed  bool
}

func (d *overlayFolder) check(op string) error {
	if d.closed {
		return &fs.PathError{Op: op, Path: d.path, Err: fs.ErrClosed}
	}
	return nil
}

func (d *overlayFolder) Stat() (fs.FileInfo, error) { return d.info, d.check("stat") }

func (d *overlayFolder) Read([]byte) (int, error) {
	if err := d.check("read"); err != nil {
		return 0, err
	}
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errIsFolder}
}

func (d *overlayFolder) Close() error {
	err := d.check("close")
	d.closed = true
	return err
}

// ReadDir is fs.ReadDirFile's.
func (d *overlayFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := d.check("readdir"); err != nil {
		return nil, err
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	part := slices.Clone(d.entries[:n])
	d.entries = d.entries[n:]
	return part, nil
}
