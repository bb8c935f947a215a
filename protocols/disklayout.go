// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// DiskLayout says what is where on a disk (§13.3.2).
type DiskLayout struct {
	SectorSize uint32 // in bytes
	CD         bool   // it is a CD: its partitions are the images of El Torito
	GPT        *GPT   // nil if it has none
	Partitions []DiskPartition

	sectors uint64
}

// DiskPartition is a partition of a disk. First and Sectors are in its sectors.
type DiskPartition struct {
	Path           efi.DevicePath // behind that of the disk
	First, Sectors uint64
	System         bool // it is an EFI system partition
}

// ErrNoPartitions says that a disk has no partitions of a known kind. It may be a
// file system as a whole.
var ErrNoPartitions = errors.New("protocols: the disk has no partitions")

// ReadDiskLayout finds the partitions of a disk of size bytes: those of a GPT, of
// the boot catalogue of a CD, or of a master boot record with its logical ones.
// The first of these that is there is taken, in this order, as EDK2 does. sector
// is the size of a sector in bytes; 0 is 2048 for a CD that has an image for UEFI,
// even if it is a disk, too, and else that of the GPT, 2048 for another CD, or 512.
//
// ErrNoPartitions: there are none. Any other error says what is wrong with them.
func ReadDiskLayout(r io.ReaderAt, size int64, sector uint32) (*DiskLayout, error) {
	cd, cdErr := &DiskLayout{}, ErrNoPartitions
	if sector == 0 || sector == cdSector {
		cdErr = cd.readElTorito(r, size)
		if _, ok := cd.System(); ok && cdErr == nil {
			return cd, nil // a GPT would be of a disk with other sectors
		}
	}
	l := &DiskLayout{SectorSize: cmp.Or(sector, 512)}
	gpt, err := ReadGPT(r, size)
	switch {
	case err == nil && (sector == 0 || int64(sector) == gpt.SectorSize):
		l.GPT, l.SectorSize = gpt, uint32(gpt.SectorSize)
		for _, p := range gpt.Partitions {
			l.Partitions = append(l.Partitions, DiskPartition{
				efi.DevicePath{p.Node()}, p.First, p.Last - p.First + 1, p.Type == efi.PartitionTypeSystemGUID,
			})
		}
		return l, nil
	case err != nil && !errors.Is(err, ErrNoGPT):
		return nil, err
	}
	l.sectors = uint64(max(size, 0)) / uint64(l.SectorSize)
	if errors.Is(cdErr, ErrNoPartitions) {
		cd, cdErr = l, l.readBoot(r, size)
	}
	switch {
	case errors.Is(cdErr, ErrNoPartitions):
		return nil, cdErr
	case cdErr != nil:
		return nil, fmt.Errorf("protocols: %w", cdErr)
	}
	return cd, nil
}

// readBoot reads an MBR, which the boot sector of a FAT volume looks much like.
func (l *DiskLayout) readBoot(r io.ReaderAt, size int64) error {
	mbr := make([]byte, 512)
	if n, err := r.ReadAt(mbr, 0); n < len(mbr) {
		if errors.Is(err, io.EOF) {
			err = ErrNoPartitions
		}
		return err
	}
	if fat.IsVolume(mbr, size) {
		return ErrNoPartitions
	}
	return l.readMBR(r, mbr)
}

// System is the first EFI system partition.
func (l *DiskLayout) System() (DiskPartition, bool) {
	for _, p := range l.Partitions {
		if p.System {
			return p, true
		}
	}
	return DiskPartition{}, false
}
