// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/protocols"
)

func TestReadGPTCorrupted(t *testing.T) {
	disk, size := tableOf(t)
	for i := 512; i < len(disk); i++ {
		if i >= 512+92 && i < 1024 {
			continue // behind the header
		}
		bad := bytes.Clone(disk)
		bad[i] ^= 0x10
		_, err := protocols.ReadGPT(bytes.NewReader(bad), size)
		require.Error(t, err, "byte %d", i)
		require.Equal(t, i < 520, errors.Is(err, protocols.ErrNoGPT), "byte %d: %v", i, err)
	}
	for n := range len(disk) {
		_, err := protocols.ReadGPT(bytes.NewReader(disk[:n]), size)
		require.Error(t, err, "cut to %d", n)
		_, err = protocols.ReadGPT(bytes.NewReader(disk), int64(n))
		require.Error(t, err, "a disk of %d", n)
	}
	_, err := protocols.ReadGPT(brokenDisk{iotest.ErrReader(io.ErrNoProgress)}, size)
	require.ErrorIs(t, err, io.ErrNoProgress)
	_, err = protocols.ReadGPT(bytes.NewReader(disk), math.MinInt64)
	require.Error(t, err)
}

// A table whose checksums are right can be wrong all the same.
func TestReadGPTWrong(t *testing.T) {
	le := binary.LittleEndian
	disk, size := tableOf(t)
	for name, change := range map[string]func(b []byte){
		"a header of 91 bytes":        func(b []byte) { le.PutUint32(b[512+12:], 91) },
		"a header of 513 bytes":       func(b []byte) { le.PutUint32(b[512+12:], 513) },
		"a header without end":        func(b []byte) { le.PutUint32(b[512+12:], math.MaxUint32) },
		"the backup's header":         func(b []byte) { le.PutUint64(b[512+24:], uint64(size/512-1)) },
		"entries in the header":       func(b []byte) { le.PutUint64(b[512+72:], 1) },
		"entries behind the end":      func(b []byte) { le.PutUint64(b[512+72:], uint64(size/512)) },
		"entries across the end":      func(b []byte) { le.PutUint64(b[512+72:], uint64(size/512-1)) },
		"entries nowhere":             func(b []byte) { le.PutUint64(b[512+72:], math.MaxUint64) },
		"entries at an odd place":     func(b []byte) { le.PutUint64(b[512+72:], 1<<55) },
		"too many entries":            func(b []byte) { le.PutUint32(b[512+80:], 4<<20/128+1) },
		"all entries there can be":    func(b []byte) { le.PutUint32(b[512+80:], math.MaxUint32) },
		"entries of nothing":          func(b []byte) { le.PutUint32(b[512+84:], 0) },
		"entries of 64 bytes":         func(b []byte) { le.PutUint32(b[512+84:], 64) },
		"entries of 192 bytes":        func(b []byte) { le.PutUint32(b[512+84:], 192) },
		"entries without end":         func(b []byte) { le.PutUint32(b[512+84:], 1<<31) },
		"a partition behind the end":  func(b []byte) { le.PutUint64(b[1024+40:], uint64(size/512)) },
		"a partition without end":     func(b []byte) { le.PutUint64(b[1024+40:], math.MaxUint64) },
		"a partition that ends first": func(b []byte) { le.PutUint64(b[1024+32:], le.Uint64(b[1024+40:])+1) },
	} {
		bad := bytes.Clone(disk)
		change(bad)
		le.PutUint32(bad[512+88:], crc32.ChecksumIEEE(bad[1024:]))
		fixHeader(bad[512:1024])
		_, err := protocols.ReadGPT(bytes.NewReader(bad), size)
		require.ErrorContains(t, err, "protocols: partition table: ", name)
		require.NotContains(t, err.Error(), "checksum of the header", name)
	}
}

// What ReadGPT reads of anything lies on the disk. The header and the entries are
// those behind it, of small sectors or large ones.
func FuzzReadGPT(f *testing.F) {
	disk, size := tableOf(f)
	header, entries := disk[512:512+92], disk[1024:1024+256]
	f.Add(header, entries, size, false, true)
	f.Add(header, entries, size, true, true)
	f.Add(header, entries, size, false, false)
	f.Add(header[:8], entries[:3], int64(math.MinInt64), false, true)
	f.Fuzz(func(t *testing.T, header, entries []byte, size int64, large, fix bool) {
		sector := 512
		if large {
			sector = 4096
		}
		le := binary.LittleEndian
		disk := make([]byte, max(2*sector+len(entries), 2*sector+128*128))
		copy(disk[sector:2*sector], header)
		copy(disk[2*sector:], entries)
		if fix {
			h := disk[sector : 2*sector]
			n := min(uint64(le.Uint32(h[80:]))*uint64(le.Uint32(h[84:])), uint64(len(disk)-2*sector))
			le.PutUint32(h[88:], crc32.ChecksumIEEE(disk[2*sector:][:n]))
			fixHeader(h)
		}
		gpt, err := protocols.ReadGPT(bytes.NewReader(disk), size)
		if err != nil {
			require.Nil(t, gpt)
			return
		}
		each := int(le.Uint32(disk[gpt.SectorSize+84:]))
		for _, p := range gpt.Partitions {
			require.LessOrEqual(t, p.First, p.Last)
			require.Less(t, p.Last, uint64(max(size, 0)/gpt.SectorSize))
			require.NotZero(t, p.Type)
			p.Node()
		}
		require.Len(t, gpt.EventData(), 100+len(gpt.Partitions)*each)
	})
}
