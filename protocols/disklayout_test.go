// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// gptImage is a disk with a GPT and nothing else.
func gptImage(t testing.TB, partitions ...protocols.Partition) []byte {
	t.Helper()
	r, err := protocols.GPTDisk(diskGUID, partitions...)
	require.NoError(t, err)
	image := make([]byte, r.Size())
	_, err = r.ReadAt(image, 0)
	require.NoError(t, err)
	return image
}

func layoutOf(image []byte, sector uint32) (*protocols.DiskLayout, error) {
	return protocols.ReadDiskLayout(bytes.NewReader(image), int64(len(image)), sector)
}

// paths are those of the partitions, as text.
func paths(l *protocols.DiskLayout) (all []string) {
	for _, p := range l.Partitions {
		all = append(all, p.Path.String())
	}
	return all
}

func TestGPTBackup(t *testing.T) {
	first, second := small(1, 40), small(2, 50)
	second.Type = efi.PartitionTypeSystemGUID
	good := gptImage(t, first, second)
	want, err := layoutOf(good, 0)
	require.NoError(t, err)
	require.Len(t, want.Partitions, 2)
	system, ok := want.System()
	require.True(t, ok)
	require.EqualValues(t, 50, system.First)
	n := len(good)
	for name, change := range map[string]func(b []byte){
		"the header's checksum":  func(b []byte) { b[512+16]++ },
		"an entry":               func(b []byte) { b[1024+40]++ },
		"no header":              func(b []byte) { clear(b[512:1024]) },
		"another sector's":       func(b []byte) { b[512+24]++; fixHeader(b[512:1024]) },
		"all of the first table": func(b []byte) { clear(b[512 : 34*512]) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(good)
			change(bad)
			got, err := layoutOf(bad, 0)
			require.NoError(t, err)
			require.Equal(t, want.Partitions, got.Partitions)
			require.Equal(t, want.GPT.EventData(), got.GPT.EventData())

			bad[n-512+16]++ // and the backup's checksum
			_, err = layoutOf(bad, 0)
			require.Error(t, err)
		})
	}
	// What is left of a GPT at the end of a disk is none.
	stale := bytes.Clone(good)
	clear(stale[:34*512])
	_, err = layoutOf(stale, 0)
	require.ErrorIs(t, err, protocols.ErrNoPartitions)
}

func TestGPTOverlap(t *testing.T) {
	le := binary.LittleEndian
	image := gptImage(t, small(1, 100), small(2, 50), small(3, 60))
	le.PutUint64(image[1024+128+40:], 100) // the second now goes on to the first
	le.PutUint32(image[512+88:], crc32.ChecksumIEEE(image[1024:34*512]))
	fixHeader(image[512:1024])
	clear(image[len(image)-512:])
	_, err := layoutOf(image, 0)
	require.ErrorContains(t, err, "partition 3 is from sector 60 to 60, where partition 2 is from 50 to 100")
}

// mbrEntry puts an entry into the record at a sector.
func mbrEntry(image []byte, sector, index int, kind byte, first, count uint32) {
	b := image[sector*512:]
	b[510], b[511] = 0x55, 0xaa
	e := b[446+16*index:]
	e[4] = kind
	binary.LittleEndian.PutUint32(e[8:], first)
	binary.LittleEndian.PutUint32(e[12:], count)
}

// mbrImage is a disk of 1000 sectors with two partitions and an extended one that
// has two.
func mbrImage() []byte {
	image := make([]byte, 1000*512)
	binary.LittleEndian.PutUint32(image[440:], 0xcafe1234)
	mbrEntry(image, 0, 0, 0x0c, 10, 90)
	image[446] = 0x80 // active
	mbrEntry(image, 0, 1, 0x05, 200, 800)
	mbrEntry(image, 0, 3, 0xef, 100, 100)
	mbrEntry(image, 200, 0, 0x83, 10, 90)
	mbrEntry(image, 200, 1, 0x05, 100, 200)
	mbrEntry(image, 300, 0, 0xef, 1, 199)
	return image
}

func TestMBR(t *testing.T) {
	l, err := layoutOf(mbrImage(), 0)
	require.NoError(t, err)
	require.Equal(t, []string{
		"HD(1,MBR,0xCAFE1234,0xA,0x5A)",
		"HD(2,MBR,0xCAFE1234,0xC8,0x320)",
		"HD(2,MBR,0xCAFE1234,0xC8,0x320)/HD(1,MBR,0x00000000,0xD2,0x5A)",
		"HD(2,MBR,0xCAFE1234,0xC8,0x320)/HD(2,MBR,0x00000000,0x12D,0xC7)",
		"HD(4,MBR,0xCAFE1234,0x64,0x64)",
	}, paths(l))
	system, ok := l.System()
	require.True(t, ok)
	require.EqualValues(t, 0x12d, system.First)
	require.EqualValues(t, 512, l.SectorSize)
	require.Nil(t, l.GPT)
	require.False(t, l.CD)

	large := bytes.Repeat(make([]byte, 4096), 1000)
	mbrEntry(large, 0, 0, 0xef, 10, 990)
	l, err = layoutOf(large, 4096)
	require.NoError(t, err)
	require.EqualValues(t, 4096, l.SectorSize)
	_, err = layoutOf(large[:len(large)-4096], 4096)
	require.ErrorContains(t, err, "MBR: partition 1, from sector 10 to 999: not in sectors 0 to 998")
}

func TestMBRWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b []byte)
		says   string
	}{
		"behind the end":          {func(b []byte) { mbrEntry(b, 0, 0, 1, 1000, 1) }, "partition 1, from sector 1000 to 1000: not in"},
		"across the end":          {func(b []byte) { mbrEntry(b, 0, 1, 1, 999, 2) }, "partition 2, from sector 999 to 1000: not in"},
		"all there is":            {func(b []byte) { mbrEntry(b, 0, 0, 1, 1<<32-1, 1<<32-1) }, "not in sectors"},
		"two in one place":        {func(b []byte) { mbrEntry(b, 0, 3, 1, 99, 10) }, "partition 4, from sector 99 to 108: partition 1, from sector 10 to 99 is there, too"},
		"no record":               {func(b []byte) { b[200*512+510] = 0 }, "record at sector 200: no signature"},
		"a circle":                {func(b []byte) { mbrEntry(b, 300, 1, 5, 100, 1) }, "record at sector 300: the next is at 300"},
		"back to the start":       {func(b []byte) { mbrEntry(b, 300, 1, 5, 50, 1) }, "the next is at 250"},
		"a record outside":        {func(b []byte) { mbrEntry(b, 300, 1, 5, 800, 1) }, "the next is at 1000"},
		"outside of the extended": {func(b []byte) { mbrEntry(b, 300, 0, 1, 600, 101) }, "partition 2, from sector 900 to 1000: not in sectors 200 to 999"},
		"over another logical":    {func(b []byte) { mbrEntry(b, 200, 0, 1, 10, 101) }, "partition 2, from sector 301 to 499: partition 1, from sector 210 to 310 is there, too"},
	} {
		image := mbrImage()
		test.change(image)
		_, err := layoutOf(image, 0)
		require.ErrorContains(t, err, test.says, name)
	}
	for name, change := range map[string]func(b []byte){
		"no signature": func(b []byte) { b[511] = 0 },
		"code":         func(b []byte) { b[446] = 0x12 },
		"no entries":   func(b []byte) { clear(b[446:510]) },
	} {
		image := mbrImage()
		change(image)
		_, err := layoutOf(image, 0)
		require.ErrorIs(t, err, protocols.ErrNoPartitions, name)
	}
	image := mbrImage()
	mbrEntry(image, 200, 0, 1, 1, 1)
	for i := range 130 { // of a partition in each sector
		mbrEntry(image, 200+2*i, 0, 1, 1, 1)
		mbrEntry(image, 200+2*i, 1, 5, uint32(2*i+2), 2)
	}
	_, err := layoutOf(image, 0)
	require.ErrorContains(t, err, "more than 128 logical partitions")
	for _, n := range []int{0, 1, 511} {
		_, err = layoutOf(image[:n], 0)
		require.ErrorIs(t, err, protocols.ErrNoPartitions)
	}
	_, err = protocols.ReadDiskLayout(brokenDisk{iotest.ErrReader(io.ErrNoProgress)}, 1<<20, 0)
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// A FAT volume on a whole disk is no MBR.
func TestBareFAT(t *testing.T) {
	v, err := fat.NewVolume(fstest.MapFS{}, fat.VolumeOptions{Size: 1 << 20})
	require.NoError(t, err)
	image := make([]byte, v.Size())
	_, err = v.ReadAt(image, 0)
	require.NoError(t, err)
	mbrEntry(image, 0, 0, 0x0c, 10, 90)
	_, err = layoutOf(image, 0)
	require.ErrorIs(t, err, protocols.ErrNoPartitions)
}

// isoEntry is an entry of a boot catalogue. Counts are of 512 bytes.
type isoEntry struct {
	bootable     bool
	platform     byte
	medium       byte
	first, count int
	extra        bool // an extension follows
}

// isoImage is a CD with a boot catalogue in sector 30.
func isoImage(sectors int, first isoEntry, others ...isoEntry) []byte {
	le := binary.LittleEndian
	image := make([]byte, sectors*2048)
	copy(image[16*2048:], "\x01CD001\x01")
	le.PutUint32(image[16*2048+80:], uint32(sectors))
	copy(image[17*2048:], "\x00CD001\x01EL TORITO SPECIFICATION")
	le.PutUint32(image[17*2048+71:], 30)
	catalog := image[30*2048:][:0]
	put := func(e isoEntry) {
		b := make([]byte, 32)
		if e.bootable {
			b[0] = 0x88
		}
		if e.first == 0 {
			e.first = 20
		}
		b[1] = e.medium
		le.PutUint16(b[6:], uint16(e.count))
		le.PutUint32(b[8:], uint32(e.first))
		catalog = append(catalog, b...)
		if e.extra {
			catalog = append(catalog, append([]byte{0x44}, make([]byte, 31)...)...)
		}
	}
	validation := make([]byte, 32)
	validation[0], validation[1], validation[30], validation[31] = 1, first.platform, 0x55, 0xaa
	sum := uint16(0)
	for i := 0; i < 32; i += 2 {
		sum += le.Uint16(validation[i:])
	}
	le.PutUint16(validation[28:], -sum)
	catalog = append(catalog, validation...)
	put(first)
	for i, e := range others {
		header := make([]byte, 32)
		if header[0] = 0x90; i == len(others)-1 {
			header[0] = 0x91
		}
		header[1], header[2] = e.platform, 1
		catalog = append(catalog, header...)
		put(e)
	}
	return image
}

func TestElTorito(t *testing.T) {
	for name, test := range map[string]struct {
		first  isoEntry
		others []isoEntry
		want   []string
		system int // the partition, or -1
	}{
		"BIOS alone":        {isoEntry{bootable: true, count: 4}, nil, []string{"CDROM(0x0,0x14,0x4)"}, -1},
		"UEFI alone":        {isoEntry{bootable: true, platform: 0xef, count: 9}, nil, []string{"CDROM(0x0,0x14,0x9)"}, 0},
		"both":              {isoEntry{bootable: true, count: 4}, []isoEntry{{bootable: true, platform: 0xef, first: 40, count: 100}}, []string{"CDROM(0x0,0x14,0x4)", "CDROM(0x1,0x28,0x64)"}, 1},
		"to the end":        {isoEntry{}, []isoEntry{{bootable: true, platform: 0xef, first: 40, count: 1}}, []string{"CDROM(0x1,0x28,0x3C)"}, 0},
		"a floppy disk":     {isoEntry{bootable: true, medium: 2}, nil, []string{"CDROM(0x0,0x14,0x2D0)"}, -1},
		"with an extension": {isoEntry{}, []isoEntry{{bootable: true, extra: true, count: 8}, {platform: 0xef}, {bootable: true, platform: 0xef, count: 4}}, []string{"CDROM(0x1,0x14,0x8)", "CDROM(0x3,0x14,0x4)"}, 1},
		"nothing bootable":  {isoEntry{}, nil, nil, -1},
	} {
		t.Run(name, func(t *testing.T) {
			sectors := 100
			if test.first.medium != 0 {
				sectors = 1000
			}
			l, err := layoutOf(isoImage(sectors, test.first, test.others...), 0)
			require.NoError(t, err)
			require.Equal(t, test.want, paths(l))
			require.True(t, l.CD)
			require.EqualValues(t, 2048, l.SectorSize)
			system, ok := l.System()
			require.Equal(t, test.system >= 0, ok)
			if ok {
				require.Equal(t, l.Partitions[test.system], system)
			}
		})
	}
	good := isoEntry{bootable: true, platform: 0xef, first: 90, count: 40}
	l, err := layoutOf(isoImage(100, good), 0)
	require.NoError(t, err)
	require.Equal(t, []string{"CDROM(0x0,0x5A,0x28)"}, paths(l))
	require.EqualValues(t, 10, l.Partitions[0].Sectors)
	for name, test := range map[string]struct {
		image []byte
		says  string
	}{
		"an image across the end":  {isoImage(99, good), "boot catalogue: entry 0: 10 sectors at 90 of 99"},
		"an image behind the end":  {isoImage(80, good), "boot catalogue: entry 0: 10 sectors at 90 of 80"},
		"a floppy across the end":  {isoImage(100, isoEntry{bootable: true, medium: 1}), "entry 0: 600 sectors at 20 of 100"},
		"no size, behind the end":  {isoImage(80, isoEntry{bootable: true, first: 80}), "entry 0: "},
		"a catalogue that is none": {changed(isoImage(100, good), 30*2048+5, 1), "its first entry is not valid"},
		"a catalogue nowhere":      {changed(isoImage(100, good), 17*2048+71, 100), "boot catalogue at sector 100 of 100"},
	} {
		_, err := layoutOf(test.image, 0)
		require.ErrorContains(t, err, "protocols: boot catalogue", name)
		require.ErrorContains(t, err, test.says, name)
	}
	_, err = layoutOf(isoImage(100, good), 512)
	require.ErrorIs(t, err, protocols.ErrNoPartitions)
}

// A CD that UEFI can boot is one even where there is a GPT, too, be that right or
// wrong, unless the size of a sector says otherwise.
func TestHybridCD(t *testing.T) {
	gpt := gptImage(t, small(1, 40), small(2, 50))
	hybrid := func(e isoEntry) []byte {
		image := isoImage(60, e)
		copy(image, gpt[:34*512])
		return image
	}
	uefi, bios := isoEntry{bootable: true, platform: 0xef, count: 4}, isoEntry{bootable: true, count: 4}
	for _, test := range []struct {
		image  []byte
		sector uint32
		cd     bool
	}{{hybrid(uefi), 0, true}, {hybrid(uefi), 2048, true}, {hybrid(uefi), 512, false}, {hybrid(bios), 0, false}, {hybrid(bios), 2048, true}} {
		l, err := layoutOf(test.image, test.sector)
		require.NoError(t, err)
		require.Equal(t, test.cd, l.CD)
		require.Equal(t, !test.cd, l.GPT != nil)
		require.Len(t, l.Partitions, map[bool]int{true: 1, false: 2}[test.cd])
	}
	l, err := layoutOf(changed(hybrid(uefi), 512+16, 1), 0) // its checksum
	require.NoError(t, err)
	require.True(t, l.CD)
	_, err = layoutOf(changed(hybrid(bios), 512+16, 1), 0)
	require.ErrorContains(t, err, "checksum of the header")
	// A catalogue that is wrong does not hide a GPT that is right.
	l, err = layoutOf(changed(hybrid(uefi), 30*2048+5, 1), 0)
	require.NoError(t, err)
	require.NotNil(t, l.GPT)
}

func changed(b []byte, at int, to byte) []byte {
	b[at] = to
	return b
}

// Whatever is on a disk, its partitions lie on it, or there is an error.
func FuzzDiskLayout(f *testing.F) {
	both := isoImage(60, isoEntry{bootable: true, count: 4}, isoEntry{bootable: true, platform: 0xef, first: 40, count: 40})
	disks := [][]byte{mbrImage(), both, gptImage(f, small(1, 40), small(2, 50))}
	for i := range disks {
		f.Add(uint8(i), uint32(0), []byte("\x00\x00\x00\x00\x00\x00"))
	}
	f.Add(uint8(0), uint32(512), []byte("\x6f\x00\x00\x05\x00\x00"))
	f.Add(uint8(1), uint32(2048), []byte("\x00\x3c\x01\xef\x00\x00"))
	f.Fuzz(func(t *testing.T, which uint8, sector uint32, changes []byte) {
		image := bytes.Clone(disks[int(which)%len(disks)])
		for ; len(changes) >= 6; changes = changes[6:] {
			copy(image[int(binary.LittleEndian.Uint16(changes))*4%len(image):], changes[2:6])
		}
		if int(which)%len(disks) == 2 {
			binary.LittleEndian.PutUint32(image[512+88:], crc32.ChecksumIEEE(image[1024:34*512]))
			fixHeader(image[512:1024])
		}
		l, err := layoutOf(image, sector&(8192|4096|2048|1024|512))
		if err != nil {
			require.True(t, errors.Is(err, protocols.ErrNoPartitions) || len(err.Error()) > 20, "%v", err)
			return
		}
		require.LessOrEqual(t, len(l.Partitions), 4096)
		for _, p := range l.Partitions {
			end := (p.First + p.Sectors) * uint64(l.SectorSize)
			require.LessOrEqual(t, end, uint64(len(image)), "%v", p)
			require.NotZero(t, p.Sectors)
			require.NotEmpty(t, p.Path.String())
		}
	})
}
