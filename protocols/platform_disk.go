// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// madeUpDisk is the GUID of the disks that a Platform makes up.
var madeUpDisk = efi.GUID{Data1: 0x75656669, Data2: 0x6578, Data3: 0x4563, Data4: [8]byte{0x80, 'd', 'i', 's', 'k', 0, 0, '1'}}

// disk makes what the handles of the disk and of the volume at a device path
// have, beside the file system: neither has anything if there is no disk, and the
// first if the volume is the disk.
func (p Platform) disk(path efi.DevicePath) (disk, volume []emu.Interface, err error) {
	var last efi.HardDriveNode
	partition := false
	if len(path) > 0 {
		last, _, partition = efi.DecodeNode[efi.HardDriveNode](path[len(path)-1])
	}
	r, opts := p.WholeDisk, BlockOptions{SectorSize: p.SectorSize}
	if r == nil {
		if !p.MakeDisk {
			return nil, nil, nil
		}
		if r, err = makeDisk(path, last); err != nil {
			return nil, nil, err
		}
		opts.SectorSize = gptSector
	}
	whole := []emu.Interface{BlockIO(r, r.Size(), opts), DiskIO(r, r.Size(), opts)}
	if !partition {
		return nil, whole, nil
	}
	sectors := uint64(r.Size()) / uint64(opts.sectorSize())
	if last.PartitionStart >= sectors || last.PartitionSize > sectors-last.PartitionStart {
		return nil, nil, fmt.Errorf("protocols: %v is not on a disk of %d sectors: %w", path, sectors, efi.InvalidParameter)
	}
	opts.LogicalPartition = true
	part := io.NewSectionReader(r, int64(last.PartitionStart)*int64(opts.sectorSize()), int64(last.PartitionSize)*int64(opts.sectorSize()))
	disk = append([]emu.Interface{DevicePath(path[:len(path)-1])}, whole...)
	return disk, []emu.Interface{BlockIO(part, part.Size(), opts), DiskIO(part, part.Size(), opts)}, nil
}

// makeDisk makes up the disk that the partition at a device path is on: one of a
// GPT, or there can be none.
func makeDisk(path efi.DevicePath, node efi.HardDriveNode) (*io.SectionReader, error) {
	if node.Format != efi.HardDriveFormatGPT || node.SignatureType != efi.HardDriveSignatureGUID {
		return nil, fmt.Errorf("protocols: %v is no partition of a GPT, to make up a disk for: %w", path, efi.InvalidParameter)
	}
	return GPTDisk(madeUpDisk, Partition{
		Number: int(node.PartitionNumber), Type: efi.PartitionTypeSystemGUID, GUID: efi.GUIDFromBytes(node.Signature),
		First: node.PartitionStart, Last: node.PartitionStart + node.PartitionSize - 1, Name: "ESP",
	})
}
