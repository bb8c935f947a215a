// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
)

// Offsets in a master boot record (§5.2.1), and types of partitions.
const (
	mbrDisk    = 440 // signature of the disk
	mbrEntries = 446
	mbrEntry   = 16 // bytes
	mbrMagic   = 510

	mbrExtended        = 0x05
	mbrExtendedLBA     = 0x0f
	mbrExtendedLinux   = 0x85
	mbrProtective      = 0xee
	mbrSystemPartition = 0xef

	maxLogical = 128
)

// mbrPartition is an entry of a master boot record.
type mbrPartition struct {
	number       uint32 // from 1
	kind         byte
	first, count uint64 // sectors
}

func (p mbrPartition) extended() bool {
	return p.kind == mbrExtended || p.kind == mbrExtendedLBA || p.kind == mbrExtendedLinux
}

func (p mbrPartition) String() string {
	return fmt.Sprintf("partition %d, from sector %d to %d", p.number, p.first, p.first+p.count-1)
}

// parseMBR gives the entries that are in use; there are none in what is no MBR.
func parseMBR(b []byte) (used []mbrPartition, ok bool) {
	le := binary.LittleEndian
	if b[mbrMagic] != 0x55 || b[mbrMagic+1] != 0xaa {
		return nil, false
	}
	for i := range 4 {
		e := b[mbrEntries+i*mbrEntry:][:mbrEntry]
		if e[0]&0x7f != 0 { // neither active nor not
			return nil, false
		}
		p := mbrPartition{uint32(i + 1), e[4], uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))}
		if p.kind != 0 && p.count != 0 {
			used = append(used, p)
		}
	}
	return used, true
}

// isProtective reports whether an MBR says that there is a GPT (§5.2.3).
func isProtective(b []byte) bool {
	used, _ := parseMBR(b)
	for _, p := range used {
		if p.kind == mbrProtective {
			return true
		}
	}
	return false
}

// readMBR reads the partitions of an MBR and, in extended ones, their logical
// ones. As in EDK2, the path of a logical partition goes through the extended one.
func (l *DiskLayout) readMBR(r io.ReaderAt, mbr []byte) error {
	used, ok := parseMBR(mbr)
	if !ok {
		return ErrNoPartitions
	}
	disk := binary.LittleEndian.Uint32(mbr[mbrDisk:])
	for i, p := range used {
		if p.kind == mbrProtective {
			continue
		}
		if err := within(p, 0, l.sectors, used[:i]); err != nil {
			return fmt.Errorf("MBR: %w", err)
		}
		path := efi.DevicePath{efi.HardDriveMBR(p.number, p.first, p.count, disk)}
		l.Partitions = append(l.Partitions, DiskPartition{path, p.first, p.count, p.kind == mbrSystemPartition})
		if p.extended() {
			if err := l.readLogical(r, p, path); err != nil {
				return fmt.Errorf("MBR: %v: %w", p, err)
			}
		}
	}
	if len(l.Partitions) == 0 {
		return ErrNoPartitions
	}
	return nil
}

// within says what is wrong with where a partition lies: among the sectors from
// first on, and not among others.
func within(p mbrPartition, first, count uint64, others []mbrPartition) error {
	if p.first < first || p.first-first >= count || p.count > count-(p.first-first) {
		return fmt.Errorf("%v: not in sectors %d to %d", p, first, first+count-1)
	}
	for _, o := range others {
		if o.kind != mbrProtective && p.first < o.first+o.count && o.first < p.first+p.count {
			return fmt.Errorf("%v: %v is there, too", p, o)
		}
	}
	return nil
}

// readLogical reads the chain of records in an extended partition. In each, the
// first entry is a partition, as seen from the record; the second is the next
// record, as seen from the extended partition.
func (l *DiskLayout) readLogical(r io.ReaderAt, in mbrPartition, path efi.DevicePath) error {
	var others []mbrPartition
	record := make([]byte, 512)
	for at := in.first; len(others) < maxLogical; {
		if n, err := r.ReadAt(record, int64(at)*int64(l.SectorSize)); n < len(record) {
			return fmt.Errorf("record at sector %d: %w", at, err)
		}
		used, ok := parseMBR(record)
		if !ok {
			return fmt.Errorf("record at sector %d: no signature", at)
		}
		next := uint64(0)
		for _, p := range used {
			switch {
			case p.extended() && next == 0:
				next = p.first
			case p.number == 1:
				p.number, p.first = uint32(len(others)+1), at+p.first
				if err := within(p, in.first, in.count, others); err != nil {
					return err
				}
				others = append(others, p)
				// The disk's signature is not repeated.
				node := efi.HardDriveMBR(p.number, p.first, p.count, 0)
				l.Partitions = append(l.Partitions, DiskPartition{path.Append(node), p.first, p.count, p.kind == mbrSystemPartition})
			}
		}
		switch {
		case next == 0:
			return nil
		case next >= in.count || in.first+next <= at:
			return fmt.Errorf("record at sector %d: the next is at %d", at, in.first+next)
		}
		at = in.first + next
	}
	return fmt.Errorf("more than %d logical partitions", maxLogical)
}
