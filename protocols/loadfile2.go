// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// loadFile2Protocol are the rows of EFI_LOAD_FILE2_PROTOCOL (§13.2).
var loadFile2Protocol = emu.Protocol{
	GUID: efi.LoadFile2ProtocolGUID,
	Name: "LoadFile2",
	Services: []emu.Service{
		emu.Func5("LoadFile", loadFile, "this", "filePath", "bootPolicy", "&bufferSize", "buffer"),
	},
}

// loadFile2 finds files by what is left of a device path behind its handle.
type loadFile2 func(path efi.DevicePath) (*io.SectionReader, error)

var _ emu.Loader = loadFile2(nil)

// LoadFile2 makes a LoadFile2 (§13.2) of a function that finds a file by what is
// left of the device path behind that of the handle; fs.ErrNotExist and
// efi.NotFound say that there is none. The file is looked for at each call and
// must not change between a guest's question for its size and its reading.
func LoadFile2(open func(path efi.DevicePath) (*io.SectionReader, error)) emu.Interface {
	return emu.Interface{Protocol: &loadFile2Protocol, Value: loadFile2(open)}
}

// Initrd makes the handle on which Linux finds its initial file system: a
// LoadFile2 on the device path VenMedia(LINUX_EFI_INITRD_MEDIA). An empty one is
// none: nothing to install, as an empty file would make Linux give up the boot.
//
// It is for a kernel that is started alone. systemd's stub up to version 257
// refuses to start where one is installed already; later ones put theirs behind
// it.
func Initrd(r io.ReaderAt, size int64) []emu.Interface {
	if size <= 0 {
		return nil
	}
	return []emu.Interface{
		DevicePath(efi.DevicePath{efi.VendorMedia(efi.LinuxInitrdMediaGUID)}),
		LoadFile2(func(path efi.DevicePath) (*io.SectionReader, error) {
			if len(path) > 0 {
				return nil, fmt.Errorf("%v behind the initrd's path: %w", path, efi.NotFound)
			}
			return io.NewSectionReader(r, 0, size), nil
		}),
	}
}

// LoadFile makes it an emu.Loader, for LoadImage.
func (open loadFile2) LoadFile(path efi.DevicePath, bootPolicy bool) ([]byte, error) {
	if bootPolicy {
		return nil, efi.Unsupported
	}
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	data := make([]byte, file.Size())
	return data, readWhole(file, data)
}

// loadFile returns Unsupported with a boot policy, and BufferTooSmall, with the
// size, for a NULL buffer even if the file is empty: Linux takes any other
// answer to its question for the size for an error.
func loadFile(c *emu.Call, this efi.Addr, pathAt efi.Ptr[efi.DevicePath], bootPolicy efi.Boolean, size efi.Ptr[uint64], buffer efi.Addr) error {
	open, err := emu.This[loadFile2](c, this)
	if err != nil {
		return err
	}
	if bootPolicy.Bool() {
		return efi.Unsupported
	}
	if size == 0 {
		return efi.InvalidParameter
	}
	path, err := readPath(c, pathAt)
	if err != nil {
		return err
	}
	room, err := mem.Load(c.Memory(), size)
	if err != nil {
		return err
	}
	file, err := open(path)
	if err != nil {
		return err
	}
	n := uint64(file.Size())
	if err := mem.Store(c.Memory(), size, n); err != nil {
		return err
	}
	if buffer == 0 || room < n {
		return efi.BufferTooSmall
	}
	view, err := c.Memory().Edit(buffer, n)
	if err != nil {
		return err
	}
	return readWhole(file, view)
}

// readWhole fills b, which is as long as the file. A file that has become
// shorter is a DeviceError, as any other failure.
func readWhole(file *io.SectionReader, b []byte) error {
	if n, err := file.ReadAt(b, 0); n < len(b) {
		return deviceError(fmt.Errorf("%d of %d bytes: %w", n, len(b), err))
	}
	return nil
}
