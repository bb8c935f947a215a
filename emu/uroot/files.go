// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Dir is the volume that is mounted on a folder. No symbolic link leads out of
// it, and it holds no open file between calls, so that it can be unmounted.
func Dir(dir string) Volume { return Volume{dirFS(dir), dir} }

// dirFS is os.DirFS, kept inside by os.Root.
type dirFS string

func (d dirFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := os.OpenInRoot(string(d), name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d dirFS) Lstat(name string) (fs.FileInfo, error) { return inRoot(d, name, (*os.Root).Lstat) }
func (d dirFS) ReadLink(name string) (string, error)   { return inRoot(d, name, (*os.Root).Readlink) }

func inRoot[T any](d dirFS, name string, f func(*os.Root, string) (T, error)) (T, error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		var none T
		return none, err
	}
	defer root.Close()
	return f(root, name)
}

// find is the path of a file as the file system spells it: each part is looked
// for as it stands, and else without regard to case, as on VFAT. Only regular
// files in folders are found; symbolic links are neither (UAPI.1, "The
// Partitions").
func find(fsys fs.FS, name string) (string, error) {
	found, parts := ".", strings.Split(name, "/")
	for i, part := range parts {
		next, info, err := child(fsys, found, part)
		if err != nil {
			return "", err
		}
		if last := i == len(parts)-1; last && !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s: %w: it is no regular file", next, fs.ErrInvalid)
		} else if !last && !info.IsDir() {
			return "", fmt.Errorf("%s: %w: it is no folder", next, fs.ErrNotExist)
		}
		found = next
	}
	return found, nil
}

func child(fsys fs.FS, folder, name string) (string, fs.FileInfo, error) {
	exact := path.Join(folder, name)
	info, err := fs.Lstat(fsys, exact)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return exact, info, err
	}
	entries, listErr := list(fsys, folder)
	for _, e := range entries {
		if strings.EqualFold(e.Name(), name) {
			other := path.Join(folder, e.Name())
			info, err := fs.Lstat(fsys, other)
			return other, info, err
		}
	}
	if listErr != nil {
		err = listErr
	}
	return "", nil, err
}

// folder finds a folder in the way of find, and lists it.
func folder(fsys fs.FS, name string) (string, []fs.DirEntry, error) {
	found := "."
	for part := range strings.SplitSeq(name, "/") {
		next, info, err := child(fsys, found, part)
		if err != nil {
			return path.Join(found, part), nil, err
		}
		if !info.IsDir() {
			return next, nil, fmt.Errorf("%w: it is no folder", fs.ErrNotExist)
		}
		found = next
	}
	entries, err := list(fsys, found)
	return found, entries, err
}

// list reads a folder, sorted by name. Of one with more than maxFolder files,
// it returns some, and ErrLimit.
func list(fsys fs.FS, name string) ([]fs.DirEntry, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, fmt.Errorf("%w: it is no folder", fs.ErrInvalid)
	}
	var entries []fs.DirEntry
	for err == nil {
		var more []fs.DirEntry
		more, err = dir.ReadDir(512)
		entries = append(entries, more...)
		if len(entries) > maxFolder {
			entries, err = entries[:maxFolder], fmt.Errorf("%w: over %d files", ErrLimit, maxFolder)
		} else if len(more) == 0 && err == nil {
			err = io.ErrNoProgress
		}
	}
	if err == io.EOF {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// readText reads a small file.
func readText(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f)
}

func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(data) > maxText {
		err = fmt.Errorf("%w: over %d bytes", ErrLimit, maxText)
	}
	return data, err
}
