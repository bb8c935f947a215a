// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Sizes of EFI_FILE_INFO and EFI_FILE_SYSTEM_INFO before their texts.
const (
	fileInfoSize       = 80
	fileSystemInfoSize = 36
)

// fileGetInfo tells of a file, its volume, or the volume's label (§13.5.13).
// Unsupported: any other type. BufferTooSmall: with the size it takes.
func fileGetInfo(c *emu.Call, this efi.Addr, kind efi.Ptr[efi.GUID], size efi.Ptr[uint64], buffer efi.Addr) error {
	f, err := thisFile(c, this)
	if err != nil {
		return err
	}
	guid, err := mem.Load(c.Memory(), kind)
	if err != nil {
		return err
	}
	room, err := mem.Load(c.Memory(), size)
	if err != nil {
		return err
	}
	var raw []byte
	switch guid {
	case efi.FileInfoGUID:
		info, err := f.info()
		if err != nil {
			return err
		}
		raw = f.volume.fileInfo(fatEntry{f.name(), info})
	case efi.FileSystemInfoGUID:
		raw = f.volume.info()
	case efi.FileSystemVolumeLabelGUID:
		raw = efi.EncodeString(f.volume.label)
	default:
		return fmt.Errorf("information %v: %w", guid, efi.Unsupported)
	}
	return giveInfo(c, raw, size, room, buffer)
}

// giveInfo hands out what fits, or says how much it is.
func giveInfo(c *emu.Call, raw []byte, size efi.Ptr[uint64], room uint64, buffer efi.Addr) error {
	if err := mem.Store(c.Memory(), size, uint64(len(raw))); err != nil {
		return err
	}
	switch {
	case room < uint64(len(raw)):
		return efi.BufferTooSmall
	case buffer == 0:
		return efi.InvalidParameter
	}
	return c.Memory().Write(buffer, raw)
}

// readFolder reads the next entry of a folder as EFI_FILE_INFO, and nothing
// behind the last. BufferTooSmall: with the size it takes; the entry is still
// the next.
func (f *openFile) readFolder(c *emu.Call, size efi.Ptr[uint64], room uint64, buffer efi.Addr) error {
	if !f.listed {
		entries, err := f.list()
		if err != nil {
			return err
		}
		f.entries, f.listed = entries, true
	}
	if f.pos >= int64(len(f.entries)) {
		return mem.Store(c.Memory(), size, 0)
	}
	raw := f.volume.fileInfo(f.entries[f.pos])
	if err := giveInfo(c, raw, size, room, buffer); err != nil {
		return err
	}
	f.pos++
	return nil
}

// list is what a folder has, with "." and ".." first unless it is the root.
func (f *openFile) list() ([]fatEntry, error) {
	entries, err := f.volume.tree.list(f.path)
	if err != nil || f.path == "." {
		return entries, err
	}
	var dots []fatEntry
	for _, dot := range []string{".", ".."} {
		info, err := f.volume.tree.stat(path.Join(f.path, dot))
		if err != nil {
			return nil, err
		}
		dots = append(dots, fatEntry{dot, info})
	}
	return append(dots, entries...), nil
}

// name is the last element of a file's path; that of the root is empty.
func (f *openFile) name() string {
	if f.path == "." {
		return ""
	}
	return path.Base(f.path)
}

// fileInfo is an EFI_FILE_INFO (§13.5.16).
func (v *volume) fileInfo(e fatEntry) []byte {
	name := efi.EncodeString(e.name)
	when := fatTime(e.ModTime())
	info := efi.FileInfo{
		Size:             uint64(fileInfoSize + len(name)),
		FileSize:         uint64(v.block),
		PhysicalSize:     uint64(v.block),
		CreateTime:       when,
		LastAccessTime:   when,
		ModificationTime: when,
		Attribute:        fileAttributes(e),
	}
	if !e.IsDir() {
		info.FileSize = uint64(max(e.FileInfo.Size(), 0))
		info.PhysicalSize = v.blocks(e.FileInfo.Size()) * uint64(v.block)
	}
	return append(structure(info), name...)
}

// info is an EFI_FILE_SYSTEM_INFO (§13.5.17).
func (v *volume) info() []byte {
	label := efi.EncodeString(v.label)
	return append(structure(efi.FileSystemInfo{
		Size:       uint64(fileSystemInfoSize + len(label)),
		ReadOnly:   efi.BooleanOf(v.write == nil),
		VolumeSize: v.size,
		FreeSpace:  v.free,
		BlockSize:  v.block,
	}), label...)
}

// structure lays out a structure of fixed size.
func structure(v any) []byte {
	raw, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		panic(err) // v is a type of this package's choice
	}
	return raw
}

// fileAttributes are READ_ONLY for a file that no one may write, ARCHIVE for
// every file, DIRECTORY.
func fileAttributes(info fs.FileInfo) efi.FileAttribute {
	switch {
	case info.IsDir():
		return efi.FileDirectory
	case info.Mode().Perm()&0o222 == 0:
		return efi.FileArchive | efi.FileReadOnly
	}
	return efi.FileArchive
}

// fatTime is a time in UTC, within what FAT can say: from 1980 to 2107.
func fatTime(t time.Time) efi.Time {
	first, last := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	switch {
	case t.Before(first):
		t = first
	case t.After(last):
		t = last
	}
	return efi.TimeOf(t)
}
