// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

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

// ReadGPT reads the primary GUID partition table of a disk of size bytes, with
// sectors of 512 or 4096 bytes. ErrNoGPT: it has none. Any other error says what
// is wrong with it; the backup at the end of the disk is not looked at.
func ReadGPT(r io.ReaderAt, size int64) (*GPT, error) {
	for _, sector := range []int64{512, 4096} {
		header := make([]byte, sector)
		if n, err := r.ReadAt(header, sector); n < len(header) {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				continue
			}
			return nil, fmt.Errorf("protocols: partition table: %w", err)
		}
		if bytes.HasPrefix(header, []byte("EFI PART")) {
			g := &GPT{SectorSize: sector}
			if err := g.read(r, size, header); err != nil {
				return nil, fmt.Errorf("protocols: partition table: %w", err)
			}
			return g, nil
		}
	}
	return nil, ErrNoGPT
}

func (g *GPT) read(r io.ReaderAt, size int64, header []byte) error {
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
	if at := le.Uint64(header[24:]); at != 1 {
		return fmt.Errorf("the header of sector 1 says that it is sector %d's", at)
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
	return nil
}

// ESP is the first EFI system partition (§13.3).
func (g *GPT) ESP() (Partition, bool) {
	for _, p := range g.Partitions {
		if p.Type == efi.PartitionTypeSystemGUID {
			return p, true
		}
	}
	return Partition{}, false
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
