// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
)

// What is where on a CD: "El Torito" Bootable CD-ROM Format Specification 1.0,
// and ECMA-119 for the volume descriptors.
const (
	cdSector     = 2048
	cdPrimary    = 16 // sector of the primary volume descriptor
	cdBoot       = 17 // and of the boot record
	cdSpace      = 80 // offset of the number of sectors in the former
	cdCatalog    = 71 // offset of the catalogue's sector in the latter
	catalogEntry = 32 // bytes
	// maxCatalog is how much of a catalogue is looked at, in bytes.
	maxCatalog = 16 * cdSector

	bootable      = 0x88
	sectionMore   = 0x90
	sectionLast   = 0x91
	sectionExtra  = 0x44
	platformUEFI  = 0xef
	bootSector512 = 512 // what the sizes of images are counted in
)

// cdImages are the sizes of images that stand for floppy disks, in bytes, by
// their medium.
var cdImages = map[byte]uint64{1: 1200 << 10, 2: 1440 << 10, 3: 2880 << 10}

// readElTorito reads the boot catalogue of a CD (§13.3.2.1): each bootable image
// is a partition.
func (l *DiskLayout) readElTorito(r io.ReaderAt, size int64) error {
	descriptors := make([]byte, 2*cdSector)
	if n, err := r.ReadAt(descriptors, cdPrimary*cdSector); n < len(descriptors) {
		if errors.Is(err, io.EOF) {
			err = ErrNoPartitions
		}
		return err
	}
	boot := descriptors[(cdBoot-cdPrimary)*cdSector:]
	if !bytes.HasPrefix(descriptors, []byte("\x01CD001\x01")) ||
		!bytes.HasPrefix(boot, []byte("\x00CD001\x01EL TORITO SPECIFICATION")) {
		return ErrNoPartitions
	}
	l.SectorSize, l.CD, l.sectors = cdSector, true, uint64(size/cdSector)
	end := min(l.sectors, uint64(binary.LittleEndian.Uint32(descriptors[cdSpace:])))
	at := uint64(binary.LittleEndian.Uint32(boot[cdCatalog:]))
	if at >= l.sectors {
		return fmt.Errorf("boot catalogue at sector %d of %d", at, l.sectors)
	}
	catalog := make([]byte, min(maxCatalog, int64(l.sectors-at)*cdSector))
	if n, err := r.ReadAt(catalog, int64(at)*cdSector); n < len(catalog) {
		return fmt.Errorf("boot catalogue: %w", err)
	}
	if err := l.readCatalog(catalog, end); err != nil {
		return fmt.Errorf("boot catalogue: %w", err)
	}
	return nil
}

// readCatalog reads the default entry and those of the sections.
func (l *DiskLayout) readCatalog(b []byte, end uint64) error {
	le := binary.LittleEndian
	sum := uint16(0)
	for i := 0; i < catalogEntry; i += 2 {
		sum += le.Uint16(b[i:])
	}
	if b[0] != 1 || b[30] != 0x55 || b[31] != 0xaa || sum != 0 {
		return errors.New("its first entry is not valid")
	}
	platform, left, last := b[1], 1, false // left of the section
	number := uint32(0)
	for b = b[catalogEntry:]; len(b) >= catalogEntry; b = b[catalogEntry:] {
		switch e := b[:catalogEntry]; {
		case left > 0 && e[0] == sectionExtra && number > 0: // of the entry before
		case left > 0:
			left--
			if e[0] == bootable {
				if err := l.addImage(e, number, platform, end); err != nil {
					return fmt.Errorf("entry %d: %w", number, err)
				}
			}
			number++
		case e[0] == sectionExtra:
		case last || e[0] != sectionMore && e[0] != sectionLast:
			return nil
		default:
			platform, left, last = e[1], int(le.Uint16(e[2:])), e[0] == sectionLast
		}
	}
	return nil
}

// addImage adds the image of an entry. One that stands for no disk, and has a
// size of 0 or 1, goes on to the end of the CD. Of others that stand for none EDK2
// takes the size for one in sectors of the CD, so that the partition is four times as
// large (ElTorito.c); GRUB tells by that whether it is one of a GPT, too, which only
// its own image is in.
func (l *DiskLayout) addImage(e []byte, number uint32, platform byte, end uint64) error {
	le := binary.LittleEndian
	first, medium := uint64(le.Uint32(e[8:])), e[1]&0xf
	size := uint64(le.Uint16(e[6:])) * bootSector512
	if fixed, ok := cdImages[medium]; ok {
		size = fixed
	}
	count := (size + cdSector - 1) / cdSector
	if size <= bootSector512 && medium == 0 && first < end {
		count = end - first
	}
	if first == 0 || first >= l.sectors || count == 0 || count > l.sectors-first {
		return fmt.Errorf("%d sectors at %d of %d", count, first, l.sectors)
	}
	if size > bootSector512 && medium == 0 {
		count = size / bootSector512
	}
	l.Partitions = append(l.Partitions, DiskPartition{
		efi.DevicePath{efi.NewNode(efi.CDROMNode{BootEntry: number, PartitionStart: first, PartitionSize: count})},
		first, min(count, l.sectors-first), platform == platformUEFI,
	})
	return nil
}
