// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// diskIOProtocol are the rows of EFI_DISK_IO_PROTOCOL (§13.7).
var diskIOProtocol = emu.Protocol{
	GUID: efi.DiskIOProtocolGUID,
	Name: "DiskIO",
	Services: []emu.Service{
		emu.Field("Revision"),
		emu.Func5("ReadDisk", diskRead, "this", "mediaId", "offset", "bufferSize", "buffer"),
		emu.Func5("WriteDisk", diskWrite, "this", "mediaId", "offset", "bufferSize", "buffer"),
	},
}

const diskIORevision = 0x00010000

// diskIO is what an interface of DiskIO stands for.
type diskIO struct{ blockDevice }

// DiskIO makes an EFI_DISK_IO_PROTOCOL (§13.7), which reads and writes any
// bytes of what BlockIO with the same arguments does sectors of, and belongs on its handle.
func DiskIO(r io.ReaderAt, size int64, opts BlockOptions) emu.Interface {
	d := diskIO{newBlockDevice(r, size, opts)}
	return emu.Interface{
		Protocol: &diskIOProtocol, Value: d,
		Fields: func(*emu.Machine) ([]uint64, error) { return []uint64{diskIORevision}, d.check() },
	}
}

// diskRead reads bytes (§13.7.2). Errors are those of access; DeviceError: the
// host cannot read.
func diskRead(c *emu.Call, this efi.Addr, media uint32, offset, size uint64, buffer efi.Addr) error {
	d, err := emu.This[diskIO](c, this)
	if err != nil {
		return err
	}
	nothing, err := d.access(media, offset, size, buffer, 1, d.blocks*uint64(d.sector))
	if nothing || err != nil {
		return err
	}
	return d.read(c, offset, size, buffer)
}

// diskWrite writes bytes (§13.7.3). Errors are those of writable and access;
// DeviceError: the host cannot write.
func diskWrite(c *emu.Call, this efi.Addr, media uint32, offset, size uint64, buffer efi.Addr) error {
	d, err := emu.This[diskIO](c, this)
	if err != nil {
		return err
	}
	if err := d.writable(media); err != nil {
		return err
	}
	nothing, err := d.access(media, offset, size, buffer, 1, d.blocks*uint64(d.sector))
	if nothing || err != nil {
		return err
	}
	return d.write(c, offset, size, buffer)
}
