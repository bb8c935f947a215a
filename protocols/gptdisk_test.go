// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols"
)

var diskGUID = efi.GUID{Data1: 0xd15c}

// esp is the partition of DefaultDisk.
func esp(t testing.TB) protocols.Partition {
	t.Helper()
	path := protocols.DefaultDisk()
	node, _, ok := efi.DecodeNode[efi.HardDriveNode](path[len(path)-1])
	require.True(t, ok)
	return protocols.Partition{
		Number: int(node.PartitionNumber), Type: efi.PartitionTypeSystemGUID, GUID: efi.GUIDFromBytes(node.Signature),
		First: node.PartitionStart, Last: node.PartitionStart + node.PartitionSize - 1, Name: "ESP",
	}
}

// small is a partition of one sector, which makes a disk of a MiB.
func small(number int, at uint64) protocols.Partition {
	return protocols.Partition{
		Number: number, Type: efi.GUID{Data1: 1}, GUID: efi.GUID{Data1: uint32(number)}, First: at, Last: at, Attributes: 1 << 60,
	}
}

func TestGPTDiskReadsBack(t *testing.T) {
	long := small(7, 1000)
	long.Name = strings.Repeat("ä", 36)
	far := small(2, 1<<40)
	far.Last = 1<<40 + 99
	for name, partitions := range map[string][]protocols.Partition{
		"none": nil, "ESP": {esp(t)}, "first and last": {small(1, 34), small(128, 2014)}, "out of order": {small(9, 50), long, small(3, 40)},
		"huge": {far, small(4, 99)}, "all the sectors there can be": {small(1, math.MaxInt64/512-2048-33)},
	} {
		t.Run(name, func(t *testing.T) {
			disk, err := protocols.GPTDisk(diskGUID, partitions...)
			require.NoError(t, err)
			require.Zero(t, disk.Size()%(1<<20))
			gpt, err := protocols.ReadGPT(disk, disk.Size())
			require.NoError(t, err)
			require.Equal(t, diskGUID, gpt.DiskGUID)
			require.EqualValues(t, 512, gpt.SectorSize)
			slices.SortFunc(partitions, func(a, b protocols.Partition) int { return a.Number - b.Number })
			require.Equal(t, partitions, gpt.Partitions)
			wantBackup(t, disk)
		})
	}
	disk, err := protocols.GPTDisk(diskGUID, esp(t))
	require.NoError(t, err)
	layout, err := protocols.ReadDiskLayout(disk, disk.Size(), 0)
	require.NoError(t, err)
	part, ok := layout.System()
	require.True(t, ok)
	require.True(t, protocols.DefaultDisk().Equal(protocols.DefaultDisk()[:2].Append(part.Path...)))
}

// wantBackup compares the table at the end of a disk with that at its start.
func wantBackup(t *testing.T, disk *io.SectionReader) {
	t.Helper()
	const array = 128 * 128
	le := binary.LittleEndian
	head, tail := make([]byte, 34*512), make([]byte, 33*512)
	_, err := disk.ReadAt(head, 0)
	require.NoError(t, err)
	_, err = disk.ReadAt(tail, disk.Size()-int64(len(tail)))
	require.NoError(t, err)
	require.Equal(t, head[1024:], tail[:array])
	last := uint64(disk.Size()/512 - 1)
	want := bytes.Clone(head[512:1024])
	require.Equal(t, last, le.Uint64(want[32:]), "AlternateLBA")
	require.EqualValues(t, 34, le.Uint64(want[40:]), "FirstUsableLBA")
	require.Equal(t, last-33, le.Uint64(want[48:]), "LastUsableLBA")
	le.PutUint64(want[24:], last)
	le.PutUint64(want[32:], 1)
	le.PutUint64(want[72:], last-32)
	fixHeader(want)
	require.Equal(t, want, tail[array:])

	mbr := make([]byte, 512)
	copy(mbr[446:], []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0})
	le.PutUint32(mbr[458:], uint32(min(last, math.MaxUint32)))
	copy(mbr[510:], []byte{0x55, 0xaa})
	require.Equal(t, mbr, head[:512])
}

// fixHeader makes the checksum of a header right.
func fixHeader(b []byte) {
	length := min(binary.LittleEndian.Uint32(b[12:]), uint32(len(b)))
	clear(b[16:20])
	binary.LittleEndian.PutUint32(b[16:], crc32.ChecksumIEEE(b[:length]))
}

func TestGPTDiskReader(t *testing.T) {
	disk, err := protocols.GPTDisk(diskGUID, small(1, 900))
	require.NoError(t, err)
	again, err := protocols.GPTDisk(diskGUID, small(1, 900))
	require.NoError(t, err)
	all, err := io.ReadAll(again)
	require.NoError(t, err)
	require.Len(t, all, 1<<20)
	require.NoError(t, iotest.TestReader(disk, all))
	require.Equal(t, make([]byte, len(all)-67*512), all[34*512:len(all)-33*512])

	huge, err := protocols.GPTDisk(diskGUID, esp(t))
	require.NoError(t, err)
	for _, at := range []int64{0, 100, 33 * 512, 34 * 512, 2048 * 512, huge.Size() - 34*512, huge.Size() - 33*512, huge.Size() - 100, huge.Size() - 1} {
		whole, part := make([]byte, 4096), make([]byte, 1)
		for i := range whole {
			whole[i] = 0xee // what is read must be written
		}
		n, err := huge.ReadAt(whole, at)
		if n < len(whole) {
			require.Equal(t, io.EOF, err)
		}
		for i := range int64(n) {
			_, err := huge.ReadAt(part, at+i)
			require.NoError(t, err)
			require.Equal(t, part[0], whole[i], "%d", at+i)
		}
	}
}

func TestGPTDiskRefuses(t *testing.T) {
	with := func(change func(*protocols.Partition)) []protocols.Partition {
		p := esp(t)
		change(&p)
		return []protocols.Partition{small(2, 100), p}
	}
	for name, partitions := range map[string][]protocols.Partition{
		"number 0":           with(func(p *protocols.Partition) { p.Number = 0 }),
		"number 129":         with(func(p *protocols.Partition) { p.Number = 129 }),
		"a number twice":     with(func(p *protocols.Partition) { p.Number = 2 }),
		"no type":            with(func(p *protocols.Partition) { p.Type = efi.GUID{} }),
		"in the table":       with(func(p *protocols.Partition) { p.First = 33 }),
		"ends before":        with(func(p *protocols.Partition) { p.Last = p.First - 1 }),
		"over another":       with(func(p *protocols.Partition) { p.First = 100 }),
		"too far":            with(func(p *protocols.Partition) { p.Last = math.MaxInt64 / 512 }),
		"as far as can be":   with(func(p *protocols.Partition) { p.Last = math.MaxUint64 }),
		"a name of 37":       with(func(p *protocols.Partition) { p.Name = strings.Repeat("x", 37) }),
		"a name of 19 pairs": with(func(p *protocols.Partition) { p.Name = strings.Repeat("😀", 19) }),
	} {
		disk, err := protocols.GPTDisk(diskGUID, partitions...)
		require.ErrorContains(t, err, "protocols: partition ", name)
		require.Nil(t, disk, name)
	}
}

// tableOf is the start of a disk, with its table.
func tableOf(t testing.TB) (disk []byte, size int64) {
	t.Helper()
	r, err := protocols.GPTDisk(diskGUID, esp(t), small(2, 100))
	require.NoError(t, err)
	disk = make([]byte, 34*512)
	_, err = r.ReadAt(disk, 0)
	require.NoError(t, err)
	return disk, r.Size()
}
