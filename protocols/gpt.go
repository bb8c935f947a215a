// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"github.com/uefiexec/uefiexec/efi"
)

// GPT is the GUID partition table of a disk (§5.3).
type GPT struct {
	DiskGUID   efi.GUID
	SectorSize int64 // in bytes
	Partitions []Partition

	header  []byte
	entries [][]byte // those in use, as they stand on the disk
}

// Partition is an entry of a GPT that is in use. First and Last are sectors.
type Partition struct {
	Number      int // from 1
	Type, GUID  efi.GUID
	First, Last uint64
	Attributes  uint64
	Name        string
}

// ErrNoGPT says that a disk has no GUID partition table.
var ErrNoGPT = errors.New("protocols: the disk has no GUID partition table")

const (
	gptHeaderSize = 92
	gptEntrySize  = 128
	// maxGPT bounds the partition entries, in bytes; usual are 16 KiB.
	maxGPT = 4 << 20
)

// ReadGPT reads the GUID partition table of a disk of size bytes, with sectors of
// 512 or 4096 bytes: the primary one, or the backup in the last sector if that is
// broken, or gone from behind a protective MBR. What is measured of a backup is
// the primary header that firmware restores from it.
//
// ErrNoGPT: it has none. Any other error says what is wrong with it, as that a
// partition does not lie on the disk or two of them overlap.
func ReadGPT(r io.ReaderAt, size int64) (*GPT, error) {
	for _, sector := range []int64{512, 4096} {
		head := make([]byte, 2*sector)
		if n, err := r.ReadAt(head, 0); n < len(head) {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				continue
			}
			return nil, fmt.Errorf("protocols: partition table: %w", err)
		}
		signed := bytes.HasPrefix(head[sector:], gptSignature)
		if !signed && !isProtective(head) {
			continue
		}
		err := ErrNoGPT
		if signed {
			g := &GPT{SectorSize: sector}
			if err = g.read(r, size, 1, head[sector:]); err == nil {
				return g, nil
			}
			err = fmt.Errorf("protocols: partition table: %w", err)
		}
		if g, berr := readBackup(r, size, sector); berr == nil {
			return g, nil
		} else if signed {
			return nil, fmt.Errorf("%w; its backup: %v", err, berr)
		}
	}
	return nil, ErrNoGPT
}

// gptSignature is what a header starts with.
var gptSignature = []byte("EFI PART")

// readBackup reads the table at the end of the disk, and makes the header a
// primary one, as EDK2's PartitionRestoreGptTable does.
func readBackup(r io.ReaderAt, size, sector int64) (*GPT, error) {
	last := max(size, 0)/sector - 1
	if last < 2 {
		return nil, ErrNoGPT
	}
	header := make([]byte, sector)
	if n, err := r.ReadAt(header, last*sector); n < len(header) {
		return nil, fmt.Errorf("at sector %d: %w", last, err)
	}
	if !bytes.HasPrefix(header, gptSignature) {
		return nil, fmt.Errorf("at sector %d: %w", last, ErrNoGPT)
	}
	g := &GPT{SectorSize: sector}
	if err := g.read(r, size, uint64(last), header); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	le.PutUint64(g.header[24:], 1)
	le.PutUint64(g.header[32:], uint64(last))
	le.PutUint64(g.header[72:], 2)
	length := le.Uint32(header[12:])
	clear(header[16:20]) // of which g.header is the start
	le.PutUint32(g.header[16:], crc32.ChecksumIEEE(header[:length]))
	return g, nil
}

// read reads a table whose header lies at sector here.
func (g *GPT) read(r io.ReaderAt, size int64, here uint64, header []byte) error {
	le := binary.LittleEndian
	length := le.Uint32(header[12:])
	if length < gptHeaderSize || int64(length) > g.SectorSize {
		return fmt.Errorf("header of %d bytes", length)
	}
	sum := bytes.Clone(header[:length])
	clear(sum[16:20])
	if crc32.ChecksumIEEE(sum) != le.Uint32(header[16:]) {
		return errors.New("checksum of the header")
	}
	if at := le.Uint64(header[24:]); at != here {
		return fmt.Errorf("the header of sector %d says that it is sector %d's", here, at)
	}
	start, count, each := le.Uint64(header[72:]), le.Uint32(header[80:]), le.Uint32(header[84:])
	total := uint64(count) * uint64(each)
	sectors := uint64(max(size, 0) / g.SectorSize)
	if each < gptEntrySize || each&(each-1) != 0 || total > maxGPT {
		return fmt.Errorf("%d entries of %d bytes", count, each)
	}
	if start < 2 || start >= sectors || total > (sectors-start)*uint64(g.SectorSize) {
		return fmt.Errorf("entries at sector %d of %d", start, sectors)
	}
	table := make([]byte, total)
	if _, err := r.ReadAt(table, int64(start)*g.SectorSize); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(table) != le.Uint32(header[88:]) {
		return errors.New("checksum of the entries")
	}
	g.header = header[:gptHeaderSize:gptHeaderSize]
	g.DiskGUID = efi.GUIDFromBytes([16]byte(header[56:]))
	for i := range int(count) {
		entry := table[i*int(each):][:each]
		p := Partition{
			Number: i + 1,
			Type:   efi.GUIDFromBytes([16]byte(entry)),
			GUID:   efi.GUIDFromBytes([16]byte(entry[16:])),
			First:  le.Uint64(entry[32:]), Last: le.Uint64(entry[40:]), Attributes: le.Uint64(entry[48:]),
			Name: efi.DecodeString(entry[56:gptEntrySize]),
		}
		if p.Type == (efi.GUID{}) {
			continue
		}
		if p.First > p.Last || p.Last >= sectors {
			return fmt.Errorf("partition %d is from sector %d to %d of %d", p.Number, p.First, p.Last, sectors)
		}
		g.Partitions, g.entries = append(g.Partitions, p), append(g.entries, entry)
	}
	return g.apart()
}

// apart returns an error if two partitions overlap.
func (g *GPT) apart() error {
	sorted := slices.Clone(g.Partitions)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].First < sorted[j].First })
	for i, p := range sorted {
		if i > 0 && p.First <= sorted[i-1].Last {
			o := sorted[i-1]
			return fmt.Errorf("partition %d is from sector %d to %d, where partition %d is from %d to %d",
				p.Number, p.First, p.Last, o.Number, o.First, o.Last)
		}
	}
	return nil
}

// Node is the device path node of a partition (§10.3.5.1).
func (p Partition) Node() efi.Node {
	return efi.HardDriveGPT(uint32(p.Number), p.First, p.Last-p.First+1, p.GUID)
}

// EventData is UEFI_GPT_DATA, which firmware measures (TCG PC Client Platform
// Firmware Profile 1.06, §10.2.7): the header, the number of the entries in use,
// and these.
func (g *GPT) EventData() []byte {
	b := binary.LittleEndian.AppendUint64(bytes.Clone(g.header), uint64(len(g.entries)))
	for _, e := range g.entries {
		b = append(b, e...)
	}
	return b
}
