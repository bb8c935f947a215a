// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// fatLabelLimit is the length of a volume's label, in characters.
const fatLabelLimit = 11

// fileSetInfo changes a file or the volume's label (§13.5.14), by the rules of
// EDK2's FatSetFileInfo. WriteProtected: a read-only volume. Unsupported: a type
// that GetInfo does not know. BadBufferSize: the structure does not fit. A name
// goes up to its NUL, as there, even where that lies behind the buffer: systemd-boot
// renames in the buffer that the shorter name came in.
func fileSetInfo(c *emu.Call, this efi.Addr, kind efi.Ptr[efi.GUID], size uint64, buffer efi.Addr) error {
	f, err := thisFile(c, this)
	if err != nil {
		return err
	}
	guid, err := mem.Load(c.Memory(), kind)
	switch {
	case err != nil:
		return err
	case f.volume.write == nil:
		return efi.WriteProtected
	}
	fixed := uint64(0)
	switch guid {
	case efi.FileInfoGUID:
		fixed = fileInfoSize
	case efi.FileSystemInfoGUID:
		fixed = fileSystemInfoSize
	case efi.FileSystemVolumeLabelGUID:
	default:
		return fmt.Errorf("information %v: %w", guid, efi.Unsupported)
	}
	if size < fixed+2 {
		return fmt.Errorf("%d bytes: %w", size, efi.BadBufferSize)
	}
	raw, err := c.Memory().Read(buffer, fixed)
	if err != nil {
		return err
	}
	if fixed > 0 {
		if told := binary.LittleEndian.Uint64(raw); told > size {
			return fmt.Errorf("a structure of %d bytes in %d: %w", told, size, efi.BadBufferSize)
		}
	}
	name, err := c.Memory().String16(buffer+efi.Addr(fixed), fatPathLimit)
	if err != nil {
		return err
	}
	text := efi.DecodeString(name)
	if guid != efi.FileInfoGUID {
		return f.volume.setLabel(text)
	}
	var info efi.FileInfo
	if _, err := binary.Decode(raw, binary.LittleEndian, &info); err != nil {
		return err
	}
	return f.setInfo(&info, text)
}

// setLabel changes what the volume is called, for this run.
func (v *volume) setLabel(label string) error {
	if fatLength(label) > fatLabelLimit || label != "" && !fat.ValidName(label) {
		return fmt.Errorf("label %q: %w", label, efi.Unsupported)
	}
	v.label = label
	return nil
}

// setInfo changes a file's name, size, READ_ONLY attribute and time of
// modification, each only if it differs; a name is relative to the file's folder.
// Nothing is changed unless all may be.
//
// AccessDenied: the root; a folder's size; what is DIRECTORY and what is not; a
// name that is taken; a folder into itself or with something open in it; all but
// the attribute, if the file is READ_ONLY or not open for writing.
// InvalidParameter: times, attributes or names that are none. Unsupported: a
// size that FAT cannot hold. VolumeFull: the guest has taken what it may.
func (f *openFile) setInfo(info *efi.FileInfo, name string) error {
	v := f.volume
	if f.path == "." {
		return fmt.Errorf("the root: %w", efi.AccessDenied)
	}
	stat, err := f.info()
	if err != nil {
		return err
	}
	var old efi.FileInfo
	if _, err := binary.Decode(v.fileInfo(fatEntry{f.name(), stat}), binary.LittleEndian, &old); err != nil {
		return err
	}
	if err := checkFileInfo(info); err != nil {
		return err
	}
	if (info.Attribute^old.Attribute)&efi.FileDirectory != 0 {
		return fmt.Errorf("attributes %v, which were %v: %w", info.Attribute, old.Attribute, efi.AccessDenied)
	}
	to, err := f.newPath(name)
	if err != nil {
		return err
	}
	resized := info.FileSize != old.FileSize
	retimed := info.ModificationTime != efi.Time{} && info.ModificationTime != old.ModificationTime
	locked := !f.writable || old.Attribute&efi.FileReadOnly != 0
	switch {
	case locked && (to != f.path || resized || retimed), f.folder && resized:
		return fmt.Errorf("%s: %w", f.path, efi.AccessDenied)
	case info.FileSize > fatMaxSize:
		return fmt.Errorf("%d bytes: %w", info.FileSize, efi.Unsupported)
	}
	if resized {
		if err := f.resize(int64(info.FileSize), stat.Size()); err != nil {
			return err
		}
	}
	if to != f.path {
		if err := f.rename(to); err != nil {
			return err
		}
	}
	if !f.folder && (info.Attribute^old.Attribute)&efi.FileReadOnly != 0 {
		if err := v.write.Chmod(f.path, fatPerm(stat.Mode(), info.Attribute)); err != nil {
			return err
		}
	}
	if retimed {
		return v.write.Chtimes(f.path, time.Time{}, info.ModificationTime.Std())
	}
	return nil
}

// checkFileInfo looks at what is valid or not by itself. A time of zeros is one
// that is not to be changed.
func checkFileInfo(info *efi.FileInfo) error {
	for _, t := range []efi.Time{info.CreateTime, info.LastAccessTime, info.ModificationTime} {
		if t != (efi.Time{}) && !t.Valid() {
			return fmt.Errorf("time %v: %w", t, efi.InvalidParameter)
		}
	}
	if info.Attribute&^efi.FileValidAttributes != 0 {
		return fmt.Errorf("attributes %v: %w", info.Attribute, efi.InvalidParameter)
	}
	return nil
}

// newPath is where a file with a new name would be.
func (f *openFile) newPath(name string) (string, error) {
	attribute := efi.FileAttribute(0)
	if f.folder {
		attribute = efi.FileDirectory
	}
	at, rest, err := f.volume.tree.locate(path.Dir(f.path), name, attribute)
	switch {
	case err != nil:
		return "", err
	case rest == "" && at != f.path:
		return "", fmt.Errorf("%s is there already: %w", at, efi.AccessDenied)
	case rest == "":
		return at, nil
	case at == f.path || strings.HasPrefix(at, f.path+"/"):
		return "", fmt.Errorf("%s into itself: %w", f.path, efi.AccessDenied)
	}
	for _, other := range f.volume.open {
		if strings.HasPrefix(other.path, f.path+"/") {
			return "", fmt.Errorf("%s is open in %s: %w", other.path, f.path, efi.AccessDenied)
		}
	}
	return path.Join(at, rest), nil
}

// rename moves a file, for all that have it open.
func (f *openFile) rename(to string) error {
	from := f.path
	if err := f.volume.write.Rename(from, to); err != nil {
		return err
	}
	for _, other := range f.volume.open {
		if other.path == from {
			other.path = to
		}
	}
	return nil
}

// resize cuts a file off, or makes it longer with zeros.
func (f *openFile) resize(size, old int64) error {
	v := f.volume
	if err := f.grow(size); err != nil {
		return err
	}
	if err := f.host.write.Truncate(size); err != nil {
		return err
	}
	if size < old {
		v.refund(v.blocks(old) - v.blocks(size))
	}
	return nil
}

// fatPerm is the permissions with which fileAttributes gives an attribute.
func fatPerm(mode fs.FileMode, attribute efi.FileAttribute) fs.FileMode {
	if attribute&efi.FileReadOnly != 0 {
		return mode.Perm() &^ 0o222
	}
	return mode.Perm() | 0o200
}
