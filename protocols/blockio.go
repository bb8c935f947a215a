// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"cmp"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// blockIOProtocol are the rows of EFI_BLOCK_IO_PROTOCOL (§13.9).
var blockIOProtocol = emu.Protocol{
	GUID: efi.BlockIOProtocolGUID,
	Name: "BlockIO",
	Services: []emu.Service{
		emu.Field("Revision"),
		emu.Field("Media"),
		emu.Func2("Reset", blockReset, "this", "extendedVerification"),
		emu.Func5("ReadBlocks", blockRead, "this", "mediaId", "lba", "bufferSize", "buffer"),
		emu.Func5("WriteBlocks", blockWrite, "this", "mediaId", "lba", "bufferSize", "buffer").
			Partially("the medium is read-only"),
		emu.Func1("FlushBlocks", blockFlush, "this"),
	},
}

// blockIORevision is EFI_BLOCK_IO_PROTOCOL_REVISION3.
const blockIORevision = 2<<16 | 31

// mediaID is the MediaId of every disk: the medium is never another.
const mediaID = 1

// BlockOptions say what a disk tells of itself.
type BlockOptions struct {
	SectorSize uint32 // in bytes, a power of 2 from 512 to 64 KiB; 0 is 512

	// LogicalPartition says that this is a partition of a disk, not a whole one.
	LogicalPartition bool
}

// sectorSize is the size with the default in place.
func (o BlockOptions) sectorSize() uint32 { return cmp.Or(o.SectorSize, 512) }

// blockMedia is EFI_BLOCK_IO_MEDIA (§13.9.1). The last three have nothing to
// report.
type blockMedia struct {
	MediaID                          uint32
	RemovableMedia, MediaPresent     efi.Boolean
	LogicalPartition, ReadOnly       efi.Boolean
	WriteCaching                     efi.Boolean
	_                                [3]byte
	BlockSize, IoAlign               uint32 // bytes; an alignment of 0 and 1 is any
	_                                [4]byte
	LastBlock, LowestAlignedLBA      uint64
	LogicalBlocksPerPhysicalBlock    uint32
	OptimalTransferLengthGranularity uint32
}

// blockMediaSize is the size of blockMedia, in bytes.
const blockMediaSize = 48

// blockDevice is a disk, or a partition of one.
type blockDevice struct {
	r      io.ReaderAt
	sector uint32 // bytes
	blocks uint64
	opts   BlockOptions
}

func newBlockDevice(r io.ReaderAt, size int64, opts BlockOptions) blockDevice {
	d := blockDevice{r: r, sector: opts.sectorSize(), opts: opts}
	d.blocks = uint64(max(size, 0)) / uint64(d.sector)
	return d
}

// check returns InvalidParameter for a disk that cannot be.
func (d blockDevice) check() error {
	const least, most = 512, 64 << 10
	if d.sector < least || d.sector > most || d.sector&(d.sector-1) != 0 || d.blocks == 0 {
		return fmt.Errorf("a disk of %d sectors of %d bytes: %w", d.blocks, d.sector, efi.InvalidParameter)
	}
	return nil
}

// access looks at the medium that a guest means: MediaChanged, it is another.
func (d blockDevice) access(media uint32) error {
	if media != mediaID {
		return fmt.Errorf("medium %d, which is %d: %w", media, mediaID, efi.MediaChanged)
	}
	return nil
}

// read fills a buffer of the guest's from offset, which lies on the disk.
func (d blockDevice) read(c *emu.Call, offset, size uint64, buffer efi.Addr) error {
	view, err := c.Memory().Edit(buffer, size)
	if err != nil {
		return err
	}
	if n, err := d.r.ReadAt(view, int64(offset)); n < len(view) {
		return deviceError(fmt.Errorf("disk at %#x: %d of %d bytes: %w", offset, n, len(view), err))
	}
	return nil
}

// blockIO is what an interface of BlockIO stands for.
type blockIO struct{ blockDevice }

// BlockIO makes an EFI_BLOCK_IO_PROTOCOL (§13.9) of the first size bytes of r, a
// disk or a partition, for reading. What is less than a sector at the end is not
// there. Install fails with efi.InvalidParameter for less than one sector and
// for sectors of a size that none has.
func BlockIO(r io.ReaderAt, size int64, opts BlockOptions) emu.Interface {
	d := blockIO{newBlockDevice(r, size, opts)}
	return emu.Interface{Protocol: &blockIOProtocol, Value: d, Fields: d.fields}
}

// fields puts the Media structure into guest memory. What the guest makes of it
// there changes nothing.
func (d blockIO) fields(m *emu.Machine) ([]uint64, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	at, err := m.AllocatePool(efi.BootServicesData, blockMediaSize)
	if err != nil {
		return nil, err
	}
	return []uint64{blockIORevision, uint64(at)}, mem.Store(m.Memory(), efi.Ptr[blockMedia](at), blockMedia{
		MediaID:          mediaID,
		MediaPresent:     efi.BooleanOf(true),
		LogicalPartition: efi.BooleanOf(d.opts.LogicalPartition),
		ReadOnly:         efi.BooleanOf(true),
		BlockSize:        d.sector,
		LastBlock:        d.blocks - 1,
	})
}

// blockReset has nothing to do (§13.9.2).
func blockReset(c *emu.Call, this efi.Addr, _ efi.Boolean) error {
	_, err := emu.This[blockIO](c, this)
	return err
}

// blockRead reads sectors (§13.9.3); none are Success wherever they are.
//
// MediaChanged: another MediaId. InvalidParameter: a NULL buffer, or sectors
// beyond the end. BadBufferSize: no multiple of a sector. DeviceError: the host
// cannot read. They are looked for in this order, as EDK2's disk drivers do.
func blockRead(c *emu.Call, this efi.Addr, media uint32, lba, size uint64, buffer efi.Addr) error {
	d, err := emu.This[blockIO](c, this)
	if err != nil {
		return err
	}
	if err := d.access(media); err != nil {
		return err
	}
	sector := uint64(d.sector)
	switch {
	case buffer == 0:
		return efi.InvalidParameter
	case size == 0:
		return nil
	case size%sector != 0:
		return fmt.Errorf("%d bytes of sectors of %d: %w", size, sector, efi.BadBufferSize)
	case lba >= d.blocks || size/sector > d.blocks-lba:
		return fmt.Errorf("%d sectors at %d of %d: %w", size/sector, lba, d.blocks, efi.InvalidParameter)
	}
	return d.read(c, lba*sector, size, buffer)
}

// blockWrite (§13.9.4) returns MediaChanged for another MediaId, else
// WriteProtected.
func blockWrite(c *emu.Call, this efi.Addr, media uint32, _, _ uint64, _ efi.Addr) error {
	d, err := emu.This[blockIO](c, this)
	if err != nil {
		return err
	}
	if err := d.access(media); err != nil {
		return err
	}
	return efi.WriteProtected
}

// blockFlush has nothing to do (§13.9.5).
func blockFlush(c *emu.Call, this efi.Addr) error {
	_, err := emu.This[blockIO](c, this)
	return err
}
