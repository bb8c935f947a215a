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
		emu.Func5("WriteBlocks", blockWrite, "this", "mediaId", "lba", "bufferSize", "buffer"),
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

	// Removable says that the medium can be taken out, as a CD can.
	Removable bool
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
	w      io.WriterAt // nil: read-only
	sector uint32      // bytes
	blocks uint64
	opts   BlockOptions
}

func newBlockDevice(r io.ReaderAt, size int64, opts BlockOptions) blockDevice {
	d := blockDevice{r: r, sector: opts.sectorSize(), opts: opts}
	d.w, _ = r.(io.WriterAt)
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

// access looks at what a guest wants to read or write, in units of so many bytes
// of which the disk has so many. It is nothing if there is none; of nothing, it
// does not matter where.
//
// MediaChanged: another MediaId. InvalidParameter: a NULL buffer, or units beyond
// the end. BadBufferSize: no multiple of a unit. They are looked for in this
// order, as EDK2's disk drivers do.
func (d blockDevice) access(media uint32, at, size uint64, buffer efi.Addr, unit, count uint64) (nothing bool, err error) {
	switch {
	case media != mediaID:
		return false, fmt.Errorf("medium %d, which is %d: %w", media, mediaID, efi.MediaChanged)
	case buffer == 0:
		return false, efi.InvalidParameter
	case size == 0:
		return true, nil
	case size%unit != 0:
		return false, fmt.Errorf("%d bytes of sectors of %d: %w", size, unit, efi.BadBufferSize)
	case at >= count || size/unit > count-at:
		return false, fmt.Errorf("%d units of %d bytes at %d of %d: %w", size/unit, unit, at, count, efi.InvalidParameter)
	}
	return false, nil
}

// writable returns MediaChanged for another MediaId, and WriteProtected for a
// medium that can only be read.
func (d blockDevice) writable(media uint32) error {
	switch {
	case media != mediaID:
		return fmt.Errorf("medium %d, which is %d: %w", media, mediaID, efi.MediaChanged)
	case d.w == nil:
		return efi.WriteProtected
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

// write writes a buffer of the guest's to offset, which lies on the disk.
func (d blockDevice) write(c *emu.Call, offset, size uint64, buffer efi.Addr) error {
	view, err := c.Memory().Read(buffer, size)
	if err != nil {
		return err
	}
	if _, err := d.w.WriteAt(view, int64(offset)); err != nil {
		return deviceError(fmt.Errorf("disk at %#x: %w", offset, err))
	}
	return nil
}

// readBlocks and writeBlocks are ReadBlocks and WriteBlocks of both protocols.
func (d blockDevice) readBlocks(c *emu.Call, media uint32, lba, size uint64, buffer efi.Addr) error {
	nothing, err := d.access(media, lba, size, buffer, uint64(d.sector), d.blocks)
	if nothing || err != nil {
		return err
	}
	return d.read(c, lba*uint64(d.sector), size, buffer)
}

func (d blockDevice) writeBlocks(c *emu.Call, media uint32, lba, size uint64, buffer efi.Addr) error {
	if err := d.writable(media); err != nil {
		return err
	}
	nothing, err := d.access(media, lba, size, buffer, uint64(d.sector), d.blocks)
	if nothing || err != nil {
		return err
	}
	return d.write(c, lba*uint64(d.sector), size, buffer)
}

// blockIO is what an interface of BlockIO stands for.
type blockIO struct{ blockDevice }

// BlockIO makes an EFI_BLOCK_IO_PROTOCOL (§13.9) of the first size bytes of r, a
// disk or a partition. It can be written to if r is an io.WriterAt; OverlayDisk
// makes one of what must not change. What is less than a sector at the end is not
// there. Install fails with efi.InvalidParameter for less than one sector and
// for sectors of a size that none has.
func BlockIO(r io.ReaderAt, size int64, opts BlockOptions) emu.Interface {
	d := blockIO{newBlockDevice(r, size, opts)}
	return emu.Interface{Protocol: &blockIOProtocol, Value: d, Fields: func(m *emu.Machine) ([]uint64, error) {
		media, err := d.media(m)
		return []uint64{blockIORevision, media}, err
	}}
}

// media puts the Media structure into guest memory. What the guest makes of it
// there changes nothing.
func (d blockDevice) media(m *emu.Machine) (uint64, error) {
	if err := d.check(); err != nil {
		return 0, err
	}
	at, err := m.AllocatePool(efi.BootServicesData, blockMediaSize)
	if err != nil {
		return 0, err
	}
	return uint64(at), mem.Store(m.Memory(), efi.Ptr[blockMedia](at), blockMedia{
		MediaID:          mediaID,
		RemovableMedia:   efi.BooleanOf(d.opts.Removable),
		MediaPresent:     efi.BooleanOf(true),
		LogicalPartition: efi.BooleanOf(d.opts.LogicalPartition),
		ReadOnly:         efi.BooleanOf(d.w == nil),
		BlockSize:        d.sector,
		LastBlock:        d.blocks - 1,
	})
}

// blockReset has nothing to do (§13.9.2).
func blockReset(c *emu.Call, this efi.Addr, _ efi.Boolean) error {
	_, err := emu.This[blockIO](c, this)
	return err
}

// blockRead reads sectors (§13.9.3). Errors are those of access; DeviceError: the
// host cannot read.
func blockRead(c *emu.Call, this efi.Addr, media uint32, lba, size uint64, buffer efi.Addr) error {
	d, err := emu.This[blockIO](c, this)
	if err != nil {
		return err
	}
	return d.readBlocks(c, media, lba, size, buffer)
}

// blockWrite writes sectors (§13.9.4). Errors are those of writable and access;
// DeviceError: the host cannot write.
func blockWrite(c *emu.Call, this efi.Addr, media uint32, lba, size uint64, buffer efi.Addr) error {
	d, err := emu.This[blockIO](c, this)
	if err != nil {
		return err
	}
	return d.writeBlocks(c, media, lba, size, buffer)
}

// blockFlush has nothing to do (§13.9.5).
func blockFlush(c *emu.Call, this efi.Addr) error {
	_, err := emu.This[blockIO](c, this)
	return err
}
