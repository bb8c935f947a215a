// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// fatTree finds files by names as a FAT volume has them: with backslashes, in
// any case, with dots in their path. What of the host could not be on a FAT
// volume is not there: devices, links that lead nowhere, names that no guest can
// say. Paths within are those of io/fs, with "." for the root.
type fatTree struct{ fs.FS }

// fatEntry is a file or folder with its name.
type fatEntry struct {
	name string
	fs.FileInfo
}

// stat looks at a path of the host's, which may be a link.
func (t fatTree) stat(at string) (fs.FileInfo, error) {
	info, err := fs.Stat(t.FS, at)
	if err == nil && !fatHolds(info.Mode()) {
		err = &fs.PathError{Op: "stat", Path: at, Err: fs.ErrNotExist}
	}
	return info, err
}

func fatHolds(mode fs.FileMode) bool { return mode.IsRegular() || mode.IsDir() }

// list gives the entries of a folder that a guest sees, in the order of their
// names.
func (t fatTree) list(folder string) ([]fatEntry, error) {
	found, err := fs.ReadDir(t.FS, folder)
	if err != nil {
		return nil, err
	}
	var entries []fatEntry
	for _, d := range found {
		if !fat.ValidName(d.Name()) {
			continue
		}
		info, err := t.info(folder, d)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			entries = append(entries, fatEntry{d.Name(), info})
		}
	}
	return entries, nil
}

// info looks at an entry of a folder; fs.ErrNotExist is one that guests do not
// see.
func (t fatTree) info(folder string, d fs.DirEntry) (fs.FileInfo, error) {
	if d.Type() == fs.ModeSymlink {
		info, err := t.stat(path.Join(folder, d.Name()))
		if err != nil {
			return nil, fs.ErrNotExist // it leads nowhere, in circles, or out of the volume
		}
		return info, nil
	}
	if !fatHolds(d.Type()) {
		return nil, fs.ErrNotExist
	}
	return d.Info()
}

// find finds the entry of a folder with a name: that very name, or the first in
// the order of names that differs by case alone.
func (t fatTree) find(folder, name string) (string, fs.FileInfo, error) {
	at := path.Join(folder, name)
	if info, err := t.stat(at); err == nil {
		return at, info, nil
	}
	found, err := fs.ReadDir(t.FS, folder)
	if err != nil {
		return "", nil, err
	}
	for _, d := range found {
		if !fatEqual(d.Name(), name) {
			continue
		}
		info, err := t.info(folder, d)
		if !errors.Is(err, fs.ErrNotExist) {
			return path.Join(folder, d.Name()), info, err
		}
	}
	return "", nil, fs.ErrNotExist
}

// locate follows a guest's name from the file or folder at start. If only the
// last element does not exist, rest is that and the path is its folder's; create
// says what it would be. The rules are those of EDK2's FatLocateOFile, but that
// several backslashes are one.
//
// InvalidParameter: the name is empty or too long, has a character that FAT has
// not, goes up from the root, or ends in a backslash and would not be a folder.
// NotFound: anything but the last element does not exist, or is a file.
func (t fatTree) locate(start, name string, create efi.FileAttribute) (at, rest string, err error) {
	if at = start; strings.HasPrefix(name, `\`) {
		at = "."
	}
	if name == "" || fatLength(at)+1+fatLength(name) > fatPathLimit {
		return "", "", fmt.Errorf("a name of %d characters: %w", fatLength(name), efi.InvalidParameter)
	}
	info, err := t.stat(at)
	if err != nil {
		return "", "", err
	}
	asFolder := strings.HasSuffix(name, `\`)
	elements := strings.FieldsFunc(name, func(r rune) bool { return r == '\\' })
	for i, e := range elements {
		switch {
		case e == ".":
			continue
		case e == ".." && at == ".":
			return "", "", fmt.Errorf("%q goes up from the root: %w", name, efi.InvalidParameter)
		case e == "..":
			at = path.Dir(at)
			if info, err = t.stat(at); err != nil {
				return "", "", err
			}
			continue
		}
		e, ok := fatElement(e)
		if !ok {
			return "", "", fmt.Errorf("%q is no name: %w", name, efi.InvalidParameter)
		}
		if !info.IsDir() {
			return "", "", fmt.Errorf("%q is in a file: %w", name, efi.NotFound)
		}
		next, nextInfo, err := t.find(at, e)
		switch {
		case err == nil:
			at, info = next, nextInfo
		case !errors.Is(err, fs.ErrNotExist):
			return "", "", err
		case i < len(elements)-1:
			return "", "", fmt.Errorf("%q: no %q: %w", name, e, efi.NotFound)
		case asFolder && create&efi.FileDirectory == 0:
			return "", "", fmt.Errorf("%q is no folder: %w", name, efi.InvalidParameter)
		default:
			return at, e, nil
		}
	}
	if asFolder && !info.IsDir() {
		return "", "", fmt.Errorf("%q is a file: %w", name, efi.NotFound)
	}
	return at, "", nil
}
