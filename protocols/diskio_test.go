// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

func TestDiskIO(t *testing.T) {
	const end = testBlocks * testSector
	runGuest(t, testDisk(), func(t *testing.T, g *guestProgram) {
		block, disk := g.locate(t, efi.BlockIOProtocolGUID), g.locate(t, efi.DiskIOProtocolGUID)
		buffer := uint64(g.Local(end))
		for _, test := range []struct {
			what                        string
			media, offset, size, buffer uint64
			status                      efi.Status
		}{
			{"a byte", testMedium, 700, 1, buffer, efi.Success},
			{"across sectors", testMedium, 511, 514, buffer, efi.Success},
			{"all", testMedium, 0, end, buffer, efi.Success},
			{"the last byte", testMedium, end - 1, 1, buffer, efi.Success},
			{"nothing", testMedium, 5, 0, buffer, efi.Success},
			{"nothing behind the end", testMedium, math.MaxUint64, 0, buffer, efi.Success},
			{"another medium", 0, 0, 1, buffer, efi.MediaChanged},
			{"no buffer", testMedium, 0, 1, 0, efi.InvalidParameter},
			{"behind the last sector", testMedium, end, 1, buffer, efi.InvalidParameter},
			{"across the end", testMedium, end - 1, 2, buffer, efi.InvalidParameter},
			{"an offset that overflows", testMedium, math.MaxUint64, 2, buffer, efi.InvalidParameter},
			{"a size that overflows", testMedium, 2, math.MaxUint64, buffer, efi.InvalidParameter},
		} {
			g.want(t, "ReadDisk: "+test.what, g.method(disk, slotReadDisk, test.media, test.offset, test.size, test.buffer), test.status)
			if test.status == efi.Success && test.size > 0 {
				require.Equal(t, pattern[test.offset:][:test.size], g.bytes(buffer, test.size), test.what)
			}
			want := efi.WriteProtected
			if test.status == efi.MediaChanged {
				want = efi.MediaChanged
			}
			g.want(t, "WriteDisk: "+test.what, g.method(disk, slotWriteDisk, test.media, test.offset, test.size, test.buffer), want)
		}
		args := []uint64{uint64(disk), testMedium, 3, 5, buffer}
		g.wantWild(t, "ReadDisk", g.slot(disk, slotReadDisk), args, 0, 4)
		g.wantReadOnly(t, "ReadDisk", g.slot(disk, slotReadDisk), args, 0, 4)
		g.wantWild(t, "WriteDisk", g.slot(disk, slotWriteDisk), args, 0)
		args[0] = uint64(block)
		g.want(t, "ReadDisk of a BlockIO", g.call(g.slot(disk, slotReadDisk), args...), efi.InvalidParameter)
	})
}

// Whatever the arguments, a read gives what is on the disk or says why not, and
// touches nothing but the buffer.
func FuzzBlockIO(f *testing.F) {
	f.Add(false, uint64(1), uint64(2), uint64(1024), int64(0))
	f.Add(true, uint64(1), uint64(700), uint64(90), int64(5))
	f.Add(false, uint64(1), uint64(math.MaxUint64), uint64(512), int64(0))
	f.Add(true, uint64(1), uint64(math.MaxUint64), uint64(math.MaxUint64), int64(-1))
	f.Add(false, uint64(2), uint64(0), uint64(511), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, bytewise bool, media, at, size uint64, shift int64) {
		wantExit(t, bootWith(t, emu.Config{Arch: cpu.AMD64}, testDisk(), func(t *testing.T, g *guestProgram) {
			const room, margin = testBlocks * testSector, 64
			all := uint64(g.Local(room + 2*margin))
			buffer := all + margin + uint64(shift)
			wild := shift < -margin || shift > margin
			if wild {
				buffer = []uint64{0, 1, 1 << 63, math.MaxUint64 - 7}[uint64(shift)%4]
			}
			this, slot, unit := g.locate(t, efi.BlockIOProtocolGUID), slotReadBlocks, uint64(testSector)
			if bytewise {
				this, slot, unit = g.locate(t, efi.DiskIOProtocolGUID), slotReadDisk, 1
			}
			before := g.bytes(all, room+2*margin)
			status := g.method(this, slot, media, at, size, buffer)
			end := uint64(room) / unit
			fits := size/unit <= end && at <= end-size/unit
			want := efi.Success
			switch {
			case uint32(media) != testMedium:
				want = efi.MediaChanged
			case buffer == 0:
				want = efi.InvalidParameter
			case size == 0:
			case size%unit != 0:
				want = efi.BadBufferSize
			case !fits || wild:
				want = efi.InvalidParameter
			}
			g.want(t, "the read", status, want)
			if want == efi.Success && size > 0 {
				copy(before[margin+shift:], pattern[at*unit:][:size])
			}
			require.Equal(t, before, g.bytes(all, room+2*margin))
		}))
	})
}
