// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
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
		emu.Func5("WriteDisk", diskWrite, "this", "mediaId", "offset", "bufferSize", "buffer").
			Partially("the medium is read-only"),
	},
}

const diskIORevision = 0x00010000

// diskIO is what an interface of DiskIO stands for.
type diskIO struct{ blockDevice }

// DiskIO makes an EFI_DISK_IO_PROTOCOL (§13.7), which reads any bytes of what
// BlockIO with the same arguments reads sectors of, and belongs on its handle.
func DiskIO(r io.ReaderAt, size int64, opts BlockOptions) emu.Interface {
	d := diskIO{newBlockDevice(r, size, opts)}
	return emu.Interface{
		Protocol: &diskIOProtocol, Value: d,
		Fields: func(*emu.Machine) ([]uint64, error) { return []uint64{diskIORevision}, d.check() },
	}
}

// diskRead reads bytes (§13.7.2); none are Success wherever they are.
//
// MediaChanged: another MediaId. InvalidParameter: a NULL buffer, or bytes beyond
// the last sector. DeviceError: the host cannot read.
func diskRead(c *emu.Call, this efi.Addr, media uint32, offset, size uint64, buffer efi.Addr) error {
	d, err := emu.This[diskIO](c, this)
	if err != nil {
		return err
	}
	if err := d.access(media); err != nil {
		return err
	}
	end := d.blocks * uint64(d.sector)
	switch {
	case buffer == 0:
		return efi.InvalidParameter
	case size == 0:
		return nil
	case offset >= end || size > end-offset:
		return fmt.Errorf("%d bytes at %#x of %#x: %w", size, offset, end, efi.InvalidParameter)
	}
	return d.read(c, offset, size, buffer)
}

// diskWrite (§13.7.3) returns MediaChanged for another MediaId, else
// WriteProtected.
func diskWrite(c *emu.Call, this efi.Addr, media uint32, _, _ uint64, _ efi.Addr) error {
	d, err := emu.This[diskIO](c, this)
	if err != nil {
		return err
	}
	if err := d.access(media); err != nil {
		return err
	}
	return efi.WriteProtected
}
