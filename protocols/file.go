// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

const notAsynchronous = "of revision 2; the revision reported is 1"

// fileProtocol are the rows of EFI_FILE_PROTOCOL (§13.5).
var fileProtocol = emu.Protocol{
	Name: "File",
	Services: []emu.Service{
		emu.Field("Revision"),
		emu.Func5("Open", fileOpen, "this", "*newHandle", "fileName", "openMode", "attributes"),
		emu.Func1("Close", fileClose, "this"),
		emu.Func1("Delete", fileDelete, "this"),
		emu.Func3("Read", fileRead, "this", "&bufferSize", "buffer"),
		emu.Func3("Write", fileWrite, "this", "&bufferSize", "buffer"),
		emu.Func2("GetPosition", fileGetPosition, "this", "*position"),
		emu.Func2("SetPosition", fileSetPosition, "this", "position"),
		emu.Func4("GetInfo", fileGetInfo, "this", "informationType", "&bufferSize", "buffer"),
		emu.Func4("SetInfo", fileSetInfo, "this", "informationType", "bufferSize", "buffer").
			Partially("of the attributes only READ_ONLY is kept, of the times only that of modification"),
		emu.Func1("Flush", fileFlush, "this"),
		emu.Unserved("OpenEx", notAsynchronous, "this", "*newHandle", "fileName", "openMode", "attributes", "&token"),
		emu.Unserved("ReadEx", notAsynchronous, "this", "&token"),
		emu.Unserved("WriteEx", notAsynchronous, "this", "&token"),
		emu.Unserved("FlushEx", notAsynchronous, "this", "&token"),
	},
}

const fileRevision = 0x00010000

// openFile is a file or folder that a guest has open.
type openFile struct {
	volume   *volume
	path     string // as in io/fs
	folder   bool
	writable bool  // opened for writing
	gone     bool  // deleted through another handle
	pos      int64 // of a file, in bytes; of a folder, in entries

	host    *hostFile  // of a file
	entries []fatEntry // of a folder, as it was when the first was read
	listed  bool
}

// thisFile finds an open file. DeviceError: it has been deleted.
func thisFile(c *emu.Call, this efi.Addr) (*openFile, error) {
	f, err := emu.This[*openFile](c, this)
	if err == nil && f.gone {
		err = fmt.Errorf("%s is deleted: %w", f.path, efi.DeviceError)
	}
	return f, err
}

// fileOpen opens or creates a file or folder (§13.5.2), by the rules of EDK2's
// FatOFileOpen. What has the name already is opened whatever the attributes say.
//
// InvalidParameter: a mode that is none, or for creation attributes that are
// none or READ_ONLY, or a name that is none. WriteProtected: for writing, on a
// read-only volume. AccessDenied: for writing, a READ_ONLY file. VolumeFull,
// OutOfResources, and what the host says.
func fileOpen(c *emu.Call, this efi.Addr, out efi.Ptr[efi.Addr], nameAt efi.Ptr[efi.Char16], mode efi.FileMode, attributes efi.FileAttribute) error {
	dir, err := thisFile(c, this)
	if err != nil {
		return err
	}
	if nameAt == 0 || out == 0 {
		return efi.InvalidParameter
	}
	name, err := c.Memory().String16(efi.Addr(nameAt), fatPathLimit)
	if err != nil {
		return err
	}
	create := mode&efi.FileModeCreate != 0
	switch mode {
	case efi.FileModeRead, efi.FileModeRead | efi.FileModeWrite:
		attributes = 0
	case efi.FileModeRead | efi.FileModeWrite | efi.FileModeCreate:
		if attributes&(efi.FileReadOnly|^efi.FileValidAttributes) != 0 {
			return fmt.Errorf("attributes %v: %w", attributes, efi.InvalidParameter)
		}
	default:
		return fmt.Errorf("mode %v: %w", mode, efi.InvalidParameter)
	}
	v := dir.volume
	writable := mode&efi.FileModeWrite != 0
	if writable && v.write == nil {
		return efi.WriteProtected
	}
	text := efi.DecodeString(name)
	at, rest, err := v.tree.locate(dir.path, text, attributes)
	if err != nil {
		return err
	}
	if len(v.open) >= maxOpenFiles {
		return fmt.Errorf("%d files are open: %w", len(v.open), efi.OutOfResources)
	}
	f := &openFile{volume: v, path: at, writable: writable}
	switch {
	case rest == "":
		err = f.openExisting()
	case create:
		f.path, f.folder = path.Join(at, rest), attributes&efi.FileDirectory != 0
		err = f.create()
	default:
		err = fmt.Errorf("no %q: %w", text, efi.NotFound)
	}
	if err != nil {
		return err
	}
	return v.give(c, f, out)
}

func (f *openFile) openExisting() error {
	info, err := f.volume.tree.stat(f.path)
	if err != nil {
		return err
	}
	if f.folder = info.IsDir(); f.folder {
		return nil
	}
	if f.writable && fileAttributes(info)&efi.FileReadOnly != 0 {
		return fmt.Errorf("%s is read-only: %w", f.path, efi.AccessDenied)
	}
	return f.openHost(0)
}

func (f *openFile) create() error {
	v := f.volume
	if err := v.charge(0, 1); err != nil {
		return err
	}
	var err error
	if f.folder {
		err = v.write.Mkdir(f.path, 0o755)
	} else {
		err = f.openHost(os.O_CREATE | os.O_EXCL)
	}
	if err != nil {
		v.refund(1)
	}
	return err
}

// close gives the host's file back.
func (f *openFile) close() {
	if f.host != nil {
		_ = f.host.Close() // what was written is written, or Write has said so
		f.host = nil
	}
}

// fileClose never fails for an open file (§13.5.3).
func fileClose(c *emu.Call, this efi.Addr) error {
	f, err := emu.This[*openFile](c, this)
	if err == nil {
		f.volume.forget(c.Machine(), this, f)
	}
	return err
}

// fileDelete closes the handle whatever happens; if the file is still there, it
// returns WarnDeleteFailure (§13.5.4): the root, a folder that is not empty, a
// handle that is not for writing, or what the host says. Other handles of a
// deleted file answer DeviceError from then on.
func fileDelete(c *emu.Call, this efi.Addr) error {
	f, err := emu.This[*openFile](c, this)
	if err != nil {
		return err
	}
	deleted := f.gone
	if !deleted {
		err = f.remove()
	}
	f.volume.forget(c.Machine(), this, f)
	if err != nil {
		return fmt.Errorf("%w: %w", efi.WarnDeleteFailure, err)
	}
	return nil
}

func (f *openFile) remove() error {
	v := f.volume
	switch {
	case !f.writable:
		return errors.New("not open for writing")
	case f.path == ".":
		return errors.New("the root")
	}
	info, err := f.info()
	if err != nil {
		return err
	}
	f.close()
	if err := v.write.Remove(f.path); err != nil {
		return err
	}
	v.refund(1)
	if !f.folder {
		v.refund(v.blocks(info.Size()))
	}
	for _, other := range v.open {
		if other.path == f.path {
			other.gone = true
			other.close()
		}
	}
	return nil
}

// fileFlush writes what the host still holds (§13.5.15). WriteProtected: a
// read-only volume. AccessDenied: the handle is not for writing.
func fileFlush(c *emu.Call, this efi.Addr) error {
	f, err := thisFile(c, this)
	switch {
	case err != nil:
		return err
	case f.volume.write == nil:
		return efi.WriteProtected
	case !f.writable:
		return efi.AccessDenied
	case f.folder:
		return nil
	}
	return f.host.write.Sync()
}

// info looks at the file as it is now.
func (f *openFile) info() (fs.FileInfo, error) {
	if f.host != nil {
		return f.host.Stat()
	}
	return f.volume.tree.stat(f.path)
}
