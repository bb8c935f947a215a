// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_BLOCK_IO2_PROTOCOL (§13.10).
const (
	slotMedia2 = iota
	slotBlock2Reset
	slotReadBlocksEx
	slotWriteBlocksEx
	slotFlushBlocksEx
)

// writableDisk is the test disk, with its changes in memory.
func writableDisk() func(*testing.T, *emu.Machine) {
	return func(t *testing.T, m *emu.Machine) {
		r, opts := protocols.OverlayDisk(bytes.NewReader(pattern)), protocols.BlockOptions{}
		install(protocols.BlockIO(r, int64(len(pattern)), opts), protocols.BlockIO2(r, int64(len(pattern)), opts), protocols.DiskIO(r, int64(len(pattern)), opts))(t, m)
	}
}

func TestBlockIOWrites(t *testing.T) {
	before := bytes.Clone(pattern)
	runGuest(t, writableDisk(), func(t *testing.T, g *guestProgram) {
		block, disk := g.locate(t, efi.BlockIOProtocolGUID), g.locate(t, efi.DiskIOProtocolGUID)
		require.Equal(t, efi.BooleanOf(false), puppet.Load(g.Thread, efi.Ptr[efi.Boolean](g.slot(block, slotMedia)+7)), "ReadOnly")
		want := bytes.Clone(pattern[:testBlocks*testSector])
		buffer := uint64(g.Local(testBlocks * testSector))
		put := func(b []byte) {
			for i, c := range b {
				puppet.Store(g.Thread, efi.Ptr[uint8](buffer+uint64(i)), c)
			}
		}
		put(bytes.Repeat([]byte{0xab}, 2*testSector))
		g.want(t, "WriteBlocks", g.method(block, slotWriteBlocks, testMedium, 7, 2*testSector, buffer), efi.Success)
		copy(want[7*testSector:], bytes.Repeat([]byte{0xab}, 2*testSector))
		put([]byte("seven"))
		g.want(t, "WriteDisk", g.method(disk, slotWriteDisk, testMedium, 509, 5, buffer), efi.Success)
		copy(want[509:], "seven")
		g.want(t, "FlushBlocks", g.method(block, slotFlushBlocks), efi.Success)
		g.want(t, "ReadBlocks", g.method(block, slotReadBlocks, testMedium, 0, testBlocks*testSector, buffer), efi.Success)
		require.Equal(t, want, g.bytes(buffer, testBlocks*testSector))
		for _, test := range []struct {
			what                    string
			media, at, size, buffer uint64
			block, disk             efi.Status
		}{
			{"another medium", 2, 0, 512, buffer, efi.MediaChanged, efi.MediaChanged},
			{"no buffer", 1, 0, 512, 0, efi.InvalidParameter, efi.InvalidParameter},
			{"nothing", 1, math.MaxUint64, 0, buffer, efi.Success, efi.Success},
			{"part of a sector", 1, 0, 511, buffer, efi.BadBufferSize, efi.Success},
			{"behind the end", 1, testBlocks * testSector, 512, buffer, efi.InvalidParameter, efi.InvalidParameter},
			{"all there is", 1, 1, math.MaxUint64 &^ 511, buffer, efi.InvalidParameter, efi.InvalidParameter},
		} {
			g.want(t, "WriteBlocks: "+test.what, g.method(block, slotWriteBlocks, test.media, test.at, test.size, test.buffer), test.block)
			g.want(t, "WriteDisk: "+test.what, g.method(disk, slotWriteDisk, test.media, test.at, test.size, test.buffer), test.disk)
		}
		g.wantWild(t, "WriteBlocks", g.slot(block, slotWriteBlocks), []uint64{uint64(block), testMedium, 0, testSector, buffer}, 0, 4)
		g.wantWild(t, "WriteDisk", g.slot(disk, slotWriteDisk), []uint64{uint64(disk), testMedium, 0, 9, buffer}, 0, 4)
	})
	require.Equal(t, before, pattern)
}

func TestBlockIO2(t *testing.T) {
	runGuest(t, writableDisk(), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.BlockIO2ProtocolGUID)
		media := g.slot(this, slotMedia2)
		require.Equal(t, uint64(testBlocks-1), puppet.Load(g.Thread, efi.Ptr[uint64](media+24)))
		buffer, event := uint64(g.Local(testSector)), g.word(0)
		g.want(t, "CreateEvent", g.call(g.bs.CreateEvent, 0, 0, 0, 0, uint64(event)), efi.Success)
		id := puppet.Load(g.Thread, event)
		token := func(event uint64) (at uint64, status efi.Ptr[uint64]) {
			at = uint64(g.Local(16))
			puppet.Store(g.Thread, efi.Ptr[uint64](at), event)
			puppet.Store(g.Thread, efi.Ptr[uint64](at+8), 77)
			return at, efi.Ptr[uint64](at + 8)
		}
		read := func(media, lba, token, size uint64) efi.Status {
			return g.method(this, slotReadBlocksEx, media, lba, token, size, buffer)
		}
		g.want(t, "Reset", g.method(this, slotBlock2Reset, 1), efi.Success)
		g.want(t, "without a token", read(testMedium, 3, 0, testSector), efi.Success)
		require.Equal(t, pattern[3*testSector:][:testSector], g.bytes(buffer, testSector))
		at, status := token(0)
		g.want(t, "without an event", read(testMedium, 4, at, testSector), efi.Success)
		require.Equal(t, pattern[4*testSector:][:testSector], g.bytes(buffer, testSector))
		require.EqualValues(t, 77, puppet.Load(g.Thread, status))
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.NotReady)

		at, status = token(id)
		g.want(t, "with an event", read(testMedium, 5, at, testSector), efi.Success)
		require.Equal(t, pattern[5*testSector:][:testSector], g.bytes(buffer, testSector))
		require.Zero(t, puppet.Load(g.Thread, status))
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.Success)
		g.want(t, "WriteBlocksEx", g.method(this, slotWriteBlocksEx, testMedium, 6, at, testSector, buffer), efi.Success)
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.Success)
		g.want(t, "what was written", read(testMedium, 6, 0, testSector), efi.Success)
		require.Equal(t, pattern[5*testSector:][:testSector], g.bytes(buffer, testSector))
		g.want(t, "FlushBlocksEx", g.method(this, slotFlushBlocksEx, at), efi.Success)
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.Success)
		g.want(t, "nothing", read(testMedium, 0, at, 0), efi.Success)
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.Success)

		g.want(t, "another medium", read(2, 0, at, testSector), efi.MediaChanged)
		g.want(t, "part of a sector", read(testMedium, 0, at, 5), efi.BadBufferSize)
		g.want(t, "behind the end", read(testMedium, testBlocks, at, testSector), efi.InvalidParameter)
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, id), efi.NotReady)
		at, _ = token(12345)
		g.want(t, "no event", read(testMedium, 0, at, testSector), efi.InvalidParameter)
		g.wantWild(t, "ReadBlocksEx", g.slot(this, slotReadBlocksEx), []uint64{uint64(this), testMedium, 0, at, testSector, buffer}, 0, 5)
		for _, wild := range g.wildPointers() {
			if wild != 0 {
				g.want(t, "a wild token", read(testMedium, 0, wild, testSector), efi.InvalidParameter)
				g.want(t, "a wild token to flush", g.method(this, slotFlushBlocksEx, wild), efi.InvalidParameter)
			}
		}
	})
}

// What the host cannot read is told by the token.
func TestBlockIO2Fails(t *testing.T) {
	broken := brokenDisk{iotest.ErrReader(errors.New("cable is out"))}
	runGuest(t, install(protocols.BlockIO2(broken, 4096, protocols.BlockOptions{})), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.BlockIO2ProtocolGUID)
		buffer, event, token := uint64(g.Local(testSector)), g.word(0), g.Local(16)
		g.want(t, "CreateEvent", g.call(g.bs.CreateEvent, 0, 0, 0, 0, uint64(event)), efi.Success)
		puppet.Store(g.Thread, efi.Ptr[uint64](token), puppet.Load(g.Thread, event))
		g.want(t, "ReadBlocksEx", g.method(this, slotReadBlocksEx, testMedium, 0, uint64(token), testSector, buffer), efi.Success)
		require.Equal(t, efi.DeviceError, efi.Status(puppet.Load(g.Thread, efi.Ptr[uint64](token+8))))
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, puppet.Load(g.Thread, event)), efi.Success)
		g.want(t, "ReadBlocksEx", g.method(this, slotReadBlocksEx, testMedium, 0, 0, testSector, buffer), efi.DeviceError)
		g.want(t, "WriteBlocksEx", g.method(this, slotWriteBlocksEx, testMedium, 0, uint64(token), testSector, buffer), efi.WriteProtected)
	})
}

func TestOverlayDisk(t *testing.T) {
	lower := bytes.Repeat([]byte("0123456789abcde"), 2000) // no multiple of a block
	want := bytes.Clone(lower)
	disk := protocols.OverlayDisk(bytes.NewReader(lower))
	write := func(at, n int) {
		b := bytes.Repeat([]byte{byte(at)}, n)
		got, err := disk.WriteAt(b, int64(at))
		require.NoError(t, err)
		require.Equal(t, n, got)
		copy(want[at:], b)
		require.NoError(t, iotest.TestReader(io.NewSectionReader(disk, 0, int64(len(want))), want))
		for _, at := range []int64{0, 4000, 4096, 8191, int64(len(want)) - 1, int64(len(want)), math.MaxInt64 - 9999} {
			whole := make([]byte, 5000)
			got, err := disk.ReadAt(whole, at)
			require.Equal(t, want[min(at, int64(len(want))):min(at+5000, int64(len(want)))], whole[:got])
			require.Equal(t, got < len(whole), err != nil)
		}
	}
	write(5, 1)
	write(4000, 200)
	write(8192, 4096)
	write(20000, 10000)
	write(0, len(want))
	n, err := disk.WriteAt([]byte("xy"), int64(len(want)-1))
	require.Zero(t, n)
	require.ErrorIs(t, err, efi.InvalidParameter)
	_, err = disk.WriteAt([]byte("x"), -1)
	require.ErrorIs(t, err, fs.ErrInvalid)
	n, err = disk.WriteAt(nil, 5)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, bytes.Repeat([]byte("0123456789abcde"), 2000), lower)

	huge := protocols.OverlayDisk(io.NewSectionReader(zeros{}, 0, 1<<40))
	_, err = huge.WriteAt(make([]byte, 64<<20-4096), 4096)
	require.NoError(t, err)
	_, err = huge.WriteAt(make([]byte, 4097), 1<<30)
	require.ErrorIs(t, err, efi.VolumeFull)
	_, err = huge.WriteAt([]byte("x"), 1<<30)
	require.NoError(t, err)
	cable := errors.New("cable is out")
	_, err = protocols.OverlayDisk(brokenDisk{iotest.ErrReader(cable)}).WriteAt([]byte("x"), 1)
	require.ErrorIs(t, err, cable)
}

// zeros is a disk without end.
type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}
