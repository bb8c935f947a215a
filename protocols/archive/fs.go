// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"io/fs"
	"path"
)

// archiveFS is the file system that Open returns.
type archiveFS struct{ root *node }

// The interfaces of io/fs that it implements.
var (
	_ fs.StatFS     = (*archiveFS)(nil)
	_ fs.ReadDirFS  = (*archiveFS)(nil)
	_ fs.ReadLinkFS = (*archiveFS)(nil)
)

// find is walk with the errors of io/fs.
func (a *archiveFS) find(op, name string, follow bool) (*node, error) {
	err := fs.ErrInvalid
	if fs.ValidPath(name) {
		var n *node
		if n, err = walk(a.root, name, follow); err == nil {
			return n, nil
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

func (a *archiveFS) Open(name string) (fs.File, error) {
	n, err := a.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info := &info{path.Base(name), n}
	if n.mode.IsDir() {
		return &folder{info: info}, nil
	}
	return newFile(info), nil
}

func (a *archiveFS) Stat(name string) (fs.FileInfo, error) {
	n, err := a.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return &info{path.Base(name), n}, nil
}

func (a *archiveFS) Lstat(name string) (fs.FileInfo, error) {
	n, err := a.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return &info{path.Base(name), n}, nil
}

func (a *archiveFS) ReadLink(name string) (string, error) {
	n, err := a.find("readlink", name, false)
	if err == nil && n.mode.Type() != fs.ModeSymlink {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return n.target, nil
}

func (a *archiveFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := a.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errNoFolder}
	}
	return n.entries(n.names), nil
}
