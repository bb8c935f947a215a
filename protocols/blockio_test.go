// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_BLOCK_IO_PROTOCOL (§13.9) and EFI_DISK_IO_PROTOCOL (§13.7).
const (
	slotBlockRevision = iota
	slotMedia
	slotBlockReset
	slotReadBlocks
	slotWriteBlocks
	slotFlushBlocks
)

const (
	slotDiskRevision = iota
	slotReadDisk
	slotWriteDisk
)

const (
	testSector = 512
	testBlocks = 9
	testMedium = 1 // the MediaId
)

// pattern is a disk whose bytes say where they are, with half a sector too many.
var pattern = func() []byte {
	b := make([]byte, testBlocks*testSector+testSector/2)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*37 ^ 0x5a
	}
	return b
}()

// disks is a setup with both protocols of a disk.
func disks(r io.ReaderAt, size int64, opts protocols.BlockOptions) func(*testing.T, *emu.Machine) {
	return install(protocols.BlockIO(r, size, opts), protocols.DiskIO(r, size, opts))
}

func testDisk() func(*testing.T, *emu.Machine) {
	return disks(bytes.NewReader(pattern), int64(len(pattern)), protocols.BlockOptions{})
}

func TestBlockIOMedia(t *testing.T) {
	for name, test := range map[string]struct {
		opts  protocols.BlockOptions
		media []byte
	}{
		"disk": {protocols.BlockOptions{}, []byte{
			1, 0, 0, 0, // MediaId
			0, 1, 0, 1, 0, 0, 0, 0, // fixed, present, whole, read-only, no cache
			0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // BlockSize, IoAlign
			8, 0, 0, 0, 0, 0, 0, 0, // LastBlock
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		}},
		"partition of large sectors": {protocols.BlockOptions{SectorSize: 4096, LogicalPartition: true}, []byte{
			1, 0, 0, 0,
			0, 1, 1, 1, 0, 0, 0, 0,
			0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0,
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			runGuest(t, disks(bytes.NewReader(pattern), int64(len(pattern)), test.opts), func(t *testing.T, g *guestProgram) {
				block, disk := g.locate(t, efi.BlockIOProtocolGUID), g.locate(t, efi.DiskIOProtocolGUID)
				require.EqualValues(t, 0x0002001f, g.slot(block, slotBlockRevision))
				require.EqualValues(t, 0x00010000, g.slot(disk, slotDiskRevision))
				require.Equal(t, test.media, g.bytes(uint64(g.slot(block, slotMedia)), 48))
			})
		})
	}
}

func TestBlockIOReads(t *testing.T) {
	runGuest(t, testDisk(), func(t *testing.T, g *guestProgram) {
		block := g.locate(t, efi.BlockIOProtocolGUID)
		buffer := uint64(g.Local(testBlocks*testSector+16)) + 1 // any alignment
		for _, test := range []struct{ lba, blocks uint64 }{{0, 1}, {8, 1}, {3, 4}, {0, testBlocks}} {
			n := test.blocks * testSector
			g.want(t, "ReadBlocks", g.method(block, slotReadBlocks, testMedium, test.lba, n, buffer), efi.Success)
			require.Equal(t, pattern[test.lba*testSector:][:n], g.bytes(buffer, n), "%+v", test)
		}
		g.want(t, "Reset", g.method(block, slotBlockReset, 1), efi.Success)
		g.want(t, "FlushBlocks", g.method(block, slotFlushBlocks), efi.Success)
		// What the guest writes into Media is nobody's business.
		media := efi.Ptr[uint64](g.slot(block, slotMedia))
		puppet.Store(g.Thread, media+24, math.MaxUint64)
		g.want(t, "behind the end", g.method(block, slotReadBlocks, testMedium, testBlocks, testSector, buffer), efi.InvalidParameter)
	})
}

func TestBlockIORefuses(t *testing.T) {
	runGuest(t, testDisk(), func(t *testing.T, g *guestProgram) {
		block, disk := g.locate(t, efi.BlockIOProtocolGUID), g.locate(t, efi.DiskIOProtocolGUID)
		buffer := uint64(g.Local(testBlocks * testSector))
		for _, test := range []struct {
			what                     string
			media, lba, size, buffer uint64
			read, write              efi.Status
		}{
			{"another medium", 0, 0, testSector, buffer, efi.MediaChanged, efi.MediaChanged},
			{"another medium, and nothing", 2, 0, 0, 0, efi.MediaChanged, efi.MediaChanged},
			{"bits above the MediaId", 1<<32 | testMedium, 0, testSector, buffer, efi.Success, efi.WriteProtected},
			{"no buffer", testMedium, 0, testSector, 0, efi.InvalidParameter, efi.WriteProtected},
			{"no buffer for nothing", testMedium, 0, 0, 0, efi.InvalidParameter, efi.WriteProtected},
			{"nothing", testMedium, 0, 0, buffer, efi.Success, efi.WriteProtected},
			{"nothing behind the end", testMedium, math.MaxUint64, 0, buffer, efi.Success, efi.WriteProtected},
			{"part of a sector", testMedium, 0, testSector - 1, buffer, efi.BadBufferSize, efi.WriteProtected},
			{"more than a sector", testMedium, 0, testSector + 1, buffer, efi.BadBufferSize, efi.WriteProtected},
			{"the half sector", testMedium, testBlocks, testSector, buffer, efi.InvalidParameter, efi.WriteProtected},
			{"across the end", testMedium, testBlocks - 1, 2 * testSector, buffer, efi.InvalidParameter, efi.WriteProtected},
			{"a sector that overflows", testMedium, 1 << 55, testSector, buffer, efi.InvalidParameter, efi.WriteProtected},
			{"the last of all sectors", testMedium, math.MaxUint64, testSector, buffer, efi.InvalidParameter, efi.WriteProtected},
			{"all there is", testMedium, 1, math.MaxUint64 &^ (testSector - 1), buffer, efi.InvalidParameter, efi.WriteProtected},
		} {
			g.want(t, "ReadBlocks: "+test.what, g.method(block, slotReadBlocks, test.media, test.lba, test.size, test.buffer), test.read)
			g.want(t, "WriteBlocks: "+test.what, g.method(block, slotWriteBlocks, test.media, test.lba, test.size, test.buffer), test.write)
		}
		args := []uint64{uint64(block), testMedium, 0, testSector, buffer}
		g.wantWild(t, "ReadBlocks", g.slot(block, slotReadBlocks), args, 0, 4)
		g.wantReadOnly(t, "ReadBlocks", g.slot(block, slotReadBlocks), args, 0, 4)
		g.wantWild(t, "WriteBlocks", g.slot(block, slotWriteBlocks), args, 0)
		g.wantWild(t, "Reset", g.slot(block, slotBlockReset), []uint64{0, 0}, 0)
		g.wantWild(t, "FlushBlocks", g.slot(block, slotFlushBlocks), []uint64{0}, 0)
		args[0] = uint64(disk)
		g.want(t, "ReadBlocks of a DiskIO", g.call(g.slot(block, slotReadBlocks), args...), efi.InvalidParameter)
	})
}

// brokenDisk fails, or ends early.
type brokenDisk struct{ io.Reader }

func (d brokenDisk) ReadAt(b []byte, _ int64) (int, error) { return d.Read(b) }

func TestBlockIOFails(t *testing.T) {
	for name, r := range map[string]io.Reader{"error": iotest.ErrReader(errors.New("cable is out")), "end": bytes.NewReader(nil)} {
		t.Run(name, func(t *testing.T) {
			runGuest(t, disks(brokenDisk{r}, 4096, protocols.BlockOptions{}), func(t *testing.T, g *guestProgram) {
				block, disk := g.locate(t, efi.BlockIOProtocolGUID), g.locate(t, efi.DiskIOProtocolGUID)
				buffer := uint64(g.Local(testSector))
				g.want(t, "ReadBlocks", g.method(block, slotReadBlocks, testMedium, 0, testSector, buffer), efi.DeviceError)
				g.want(t, "ReadDisk", g.method(disk, slotReadDisk, testMedium, 0, 7, buffer), efi.DeviceError)
			})
		})
	}
}

func TestBlockIOOfNoDisk(t *testing.T) {
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: new(puppet.Puppet).New, MemoryMap: emu.Layout(cpu.AMD64, 16<<20)})
	require.NoError(t, err)
	defer m.Close()
	for name, test := range map[string]struct {
		size   int64
		sector uint32
	}{
		"less than a sector": {511, 0}, "nothing": {0, 0}, "less": {-1, 0}, "the least": {math.MinInt64, 0},
		"small sectors": {4096, 256}, "odd sectors": {4096, 520}, "large sectors": {1 << 30, 128 << 10}, "few large ones": {4095, 4096},
	} {
		opts := protocols.BlockOptions{SectorSize: test.sector}
		_, err := m.Install(0, protocols.BlockIO(bytes.NewReader(pattern), test.size, opts))
		require.ErrorIs(t, err, efi.InvalidParameter, name)
		_, err = m.Install(0, protocols.DiskIO(bytes.NewReader(pattern), test.size, opts))
		require.ErrorIs(t, err, efi.InvalidParameter, name)
	}
}
