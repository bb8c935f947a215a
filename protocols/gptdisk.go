// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/uefiexec/uefiexec/efi"
)

// The layout of the disks that GPTDisk makes, in sectors of 512 bytes.
const (
	gptSector  = 512
	gptEntries = 128 // as many as §5.3.1 wants room for
	gptArray   = gptEntries * gptEntrySize / gptSector
	gptFirst   = 2 + gptArray // the first sector that a partition can have
	gptAlign   = 2048         // sizes of disks are multiples
)

// GPTDisk makes a disk of which only the partition table is there: a protective
// MBR (§5.2.3) and the GUID partition tables at both ends (§5.3), with sectors of
// 512 bytes. All else reads as zeros and takes no memory. It is just as long as
// the partitions need it, to a whole MiB. The same arguments make the same disk.
//
// An error says what is wrong with a partition: its number, of 1 to 128, that it
// has no type, where it lies, or a name of more than 36 characters.
func GPTDisk(disk efi.GUID, partitions ...Partition) (*io.SectionReader, error) {
	entries := make([]byte, gptEntries*gptEntrySize)
	last := uint64(0)
	for i, p := range partitions {
		if err := checkPartition(p, partitions[:i]); err != nil {
			return nil, fmt.Errorf("protocols: partition %d: %w", p.Number, err)
		}
		putEntry(entries[(p.Number-1)*gptEntrySize:][:gptEntrySize], p)
		last = max(last, p.Last)
	}
	used := max(last+1, gptFirst) + gptArray + 1
	sectors := (used + gptAlign - 1) / gptAlign * gptAlign
	backup := sectors - 1 - gptArray
	head := protectiveMBR(sectors)
	head = append(head, gptHeader(disk, entries, sectors, 1, sectors-1, 2)...)
	head = append(head, entries...)
	tail := append(entries, gptHeader(disk, entries, sectors, sectors-1, 1, backup)...)
	size := int64(sectors * gptSector)
	return io.NewSectionReader(edges{head, tail, size}, 0, size), nil
}

// checkPartition looks at a partition and at those before it.
func checkPartition(p Partition, others []Partition) error {
	const most = math.MaxInt64/gptSector - gptAlign - gptArray - 1
	switch {
	case p.Number < 1 || p.Number > gptEntries:
		return fmt.Errorf("not one of 1 to %d", gptEntries)
	case p.Type == efi.GUID{}:
		return errors.New("no type")
	case p.First < gptFirst || p.First > p.Last || p.Last > most:
		return fmt.Errorf("from sector %d to %d", p.First, p.Last)
	case len(efi.EncodeString(p.Name)) > gptEntrySize-56+2: // the NUL need not fit
		return fmt.Errorf("the name %q is too long", p.Name)
	}
	for _, o := range others {
		if o.Number == p.Number || p.First <= o.Last && o.First <= p.Last {
			return fmt.Errorf("from sector %d to %d, where partition %d is from %d to %d", p.First, p.Last, o.Number, o.First, o.Last)
		}
	}
	return nil
}

// putEntry lays out a GPT partition entry (§5.3.3).
func putEntry(b []byte, p Partition) {
	le := binary.LittleEndian
	typ, unique := p.Type.Bytes(), p.GUID.Bytes()
	copy(b, typ[:])
	copy(b[16:], unique[:])
	le.PutUint64(b[32:], p.First)
	le.PutUint64(b[40:], p.Last)
	le.PutUint64(b[48:], p.Attributes)
	copy(b[56:], efi.EncodeString(p.Name))
}

// gptHeader is the sector of a GPT header (§5.3.2) that lies at sector at, with
// its entries at array; other is where the other one is.
func gptHeader(disk efi.GUID, entries []byte, sectors, at, other, array uint64) []byte {
	const revision = 0x00010000
	le := binary.LittleEndian
	b := make([]byte, gptSector)
	copy(b, "EFI PART")
	le.PutUint32(b[8:], revision)
	le.PutUint32(b[12:], gptHeaderSize)
	le.PutUint64(b[24:], at)
	le.PutUint64(b[32:], other)
	le.PutUint64(b[40:], gptFirst)
	le.PutUint64(b[48:], sectors-2-gptArray)
	guid := disk.Bytes()
	copy(b[56:], guid[:])
	le.PutUint64(b[72:], array)
	le.PutUint32(b[80:], gptEntries)
	le.PutUint32(b[84:], gptEntrySize)
	le.PutUint32(b[88:], crc32.ChecksumIEEE(entries))
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:gptHeaderSize]))
	return b
}

// protectiveMBR is the first sector (§5.2.3): one partition over all the disk, as
// far as 32 bits go.
func protectiveMBR(sectors uint64) []byte {
	b := make([]byte, gptSector)
	copy(b[446:], []byte{
		0, 0, 2, 0, // not bootable, from CHS 0/0/2
		0xee, 0xff, 0xff, 0xff, // GPT protective, to a CHS that is none
	})
	binary.LittleEndian.PutUint32(b[454:], 1)
	binary.LittleEndian.PutUint32(b[458:], uint32(min(sectors-1, math.MaxUint32)))
	b[510], b[511] = 0x55, 0xaa
	return b
}

// edges is zeros between two ends.
type edges struct {
	head, tail []byte
	size       int64 // no less than both
}

// ReadAt is io.ReaderAt's.
func (e edges) ReadAt(b []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fmt.Errorf("protocols: disk at %d: %w", at, efi.InvalidParameter)
	}
	n := int(min(int64(len(b)), max(e.size-at, 0)))
	clear(b[:n])
	if at < int64(len(e.head)) {
		copy(b[:n], e.head[at:])
	}
	if start := e.size - int64(len(e.tail)); at >= start {
		copy(b[:n], e.tail[min(at-start, int64(len(e.tail))):])
	} else if start-at < int64(n) {
		copy(b[start-at:n], e.tail)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
