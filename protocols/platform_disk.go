// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// madeUpDisk is the GUID of the disks that a Platform makes up, and madeUpVolume
// the serial number of the FAT volumes.
var madeUpDisk = efi.GUID{Data1: 0x75656669, Data2: 0x6578, Data3: 0x4563, Data4: [8]byte{0x80, 'd', 'i', 's', 'k', 0, 0, '1'}}

const madeUpVolume = 0x75656669

// device is a disk or a partition, about to be installed.
type device struct {
	path     efi.DevicePath
	blocks   []emu.Interface // none if it has no disk
	files    fs.FS           // nil: it holds no volume
	options  VolumeOptions   // of that
	isVolume bool            // it is the Platform's
}

// devices are those of the disk, and among them that of the volume at a device
// path.
func (p Platform) devices(path efi.DevicePath) ([]device, error) {
	volume := device{path: path, files: p.Volume, options: p.Options, isVolume: true}
	first, sectors, isPartition := partitionOf(path)
	opts := BlockOptions{SectorSize: p.SectorSize}
	base := p.WholeDisk
	switch {
	case base == nil && !p.MakeDisk:
		return []device{volume}, nil
	case base == nil:
		var err error
		if base, err = makeDisk(path); err != nil {
			return nil, err
		}
		opts.SectorSize = gptSector
	}
	size, sector := base.Size(), int64(opts.sectorSize())
	if !isPartition {
		volume.blocks = blocksOf(OverlayDisk(base), size, opts)
		return []device{volume}, nil
	}
	layout, err := ReadDiskLayout(base, size, opts.sectorSize())
	if err != nil { // then there is the one partition that path names
		layout = new(DiskLayout)
	}
	bus := path
	for isPartition {
		bus = bus[:len(bus)-1]
		_, _, isPartition = partitionOf(bus)
	}
	for _, part := range layout.Partitions {
		if bus.Append(part.Path...).Equal(path) {
			first, sectors = part.First, part.Sectors // that of a CD may be less than its node says
		}
	}
	if all := uint64(size / sector); first >= all || sectors > all-first {
		return nil, fmt.Errorf("protocols: %v is not on a disk of %d sectors: %w", path, all, efi.InvalidParameter)
	}
	var disk io.ReaderAt = base
	if p.MakeDisk {
		made := &folderVolume{fsys: p.Volume, opts: fat.VolumeOptions{
			Size: int64(sectors) * sector, SectorSize: uint32(sector), Hidden: uint32(min(first, math.MaxUint32)),
			Serial: madeUpVolume, Label: p.Options.Label,
		}}
		disk = spliced{base, int64(first) * sector, int64(sectors) * sector, made}
	}
	if opts.Removable = layout.CD; !layout.CD {
		disk = OverlayDisk(disk)
	}
	all := []device{{path: bus, blocks: blocksOf(disk, size, opts)}}
	opts.LogicalPartition = true
	found := false
	for _, part := range layout.Partitions {
		d := device{path: bus.Append(part.Path...)}
		if d.path.Equal(path) {
			found, d = true, volume
		} else if f, err := fat.Open(partOf(base, int64(part.First)*sector, int64(part.Sectors)*sector), int64(part.Sectors)*sector); err == nil {
			d.files, d.options = f, FATOptions(f)
		}
		d.blocks = blocksOf(partOf(disk, int64(part.First)*sector, int64(part.Sectors)*sector), int64(part.Sectors)*sector, opts)
		all = append(all, d)
	}
	if !found {
		volume.blocks = blocksOf(partOf(disk, int64(first)*sector, int64(sectors)*sector), int64(sectors)*sector, opts)
		all = append(all, volume)
	}
	return all, nil
}

// partitionOf is where the partition that a device path ends in lies.
func partitionOf(path efi.DevicePath) (first, sectors uint64, ok bool) {
	if len(path) == 0 {
		return 0, 0, false
	}
	last := path[len(path)-1]
	if n, _, ok := efi.DecodeNode[efi.HardDriveNode](last); ok {
		return n.PartitionStart, n.PartitionSize, true
	}
	n, _, ok := efi.DecodeNode[efi.CDROMNode](last)
	return n.PartitionStart, n.PartitionSize, ok
}

// blocksOf are the interfaces for the blocks of a disk or a partition.
func blocksOf(r io.ReaderAt, size int64, opts BlockOptions) []emu.Interface {
	return []emu.Interface{BlockIO(r, size, opts), BlockIO2(r, size, opts), DiskIO(r, size, opts)}
}

// FATOptions are the options with which SimpleFileSystem tells of a FAT volume
// what that is.
func FATOptions(f *fat.FS) VolumeOptions {
	info := f.Info()
	return VolumeOptions{Label: info.Label, Size: info.Size, Free: info.Free, BlockSize: info.ClusterSize}
}

// makeDisk makes up the disk that the partition at a device path is on: one of a
// GPT, or there can be none.
func makeDisk(path efi.DevicePath) (*io.SectionReader, error) {
	var node efi.HardDriveNode
	if len(path) > 0 {
		node, _, _ = efi.DecodeNode[efi.HardDriveNode](path[len(path)-1])
	}
	if node.Format != efi.HardDriveFormatGPT || node.SignatureType != efi.HardDriveSignatureGUID {
		return nil, fmt.Errorf("protocols: %v is no partition of a GPT, to make up a disk for: %w", path, efi.InvalidParameter)
	}
	return GPTDisk(madeUpDisk, Partition{
		Number: int(node.PartitionNumber), Type: efi.PartitionTypeSystemGUID, GUID: efi.GUIDFromBytes(node.Signature),
		First: node.PartitionStart, Last: node.PartitionStart + node.PartitionSize - 1, Name: "ESP",
	})
}
