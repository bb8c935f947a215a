// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"encoding/binary"
	"errors"
	"image/color"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// The operations of Blt (§12.9.2.3).
const (
	opVideoFill uint64 = iota
	opVideoToBltBuffer
	opBufferToVideo
	opVideoToVideo
)

// drawing is a setup with a screen, which it keeps.
func drawing(fb *protocols.FrameBuffer, width, height uint32) func(*testing.T, *emu.Machine) {
	return func(t *testing.T, m *emu.Machine) {
		t.Helper()
		var err error
		if *fb, err = protocols.NewScreen(m, width, height); err != nil {
			t.Fatal(err)
		}
		install(protocols.GraphicsOutput(*fb))(t, m)
	}
}

func pixels(p ...uint32) []byte {
	var b []byte
	for _, v := range p {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func TestBlt(t *testing.T) {
	var fb protocols.FrameBuffer
	runGuest(t, drawing(&fb, 4, 3), func(t *testing.T, g *guestProgram) {
		gop := g.locate(t, efi.GraphicsOutputProtocolGUID)
		blt := func(buffer, op, sx, sy, dx, dy, width, height, delta uint64) efi.Status {
			return g.method(gop, slotBlt, buffer, op, sx, sy, dx, dy, width, height, delta)
		}
		check := func(what string, want ...uint32) {
			t.Helper()
			shot, err := fb.Screenshot(g.Memory())
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want {
				c := color.RGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
				if got := shot.At(i%4, i/4); got != c {
					t.Errorf("%s: pixel %d is %v, want %v", what, i, got, c)
				}
			}
		}
		check("new", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		g.want(t, "fill", blt(g.put(pixels(0xc0ffee)), opVideoFill, 0, 0, 1, 1, 3, 2, 0), efi.Success)
		check("filled", 0, 0, 0, 0, 0, 0xc0ffee, 0xc0ffee, 0xc0ffee, 0, 0xc0ffee, 0xc0ffee, 0xc0ffee)
		buffer := g.put(pixels(1, 2, 3, 4, 5, 6))
		g.want(t, "draw", blt(buffer, opBufferToVideo, 1, 0, 0, 0, 2, 2, 12), efi.Success)
		check("drawn", 2, 3, 0, 0, 5, 6, 0xc0ffee, 0xc0ffee)
		g.want(t, "move down, over itself", blt(0, opVideoToVideo, 0, 0, 1, 1, 2, 2, 0), efi.Success)
		check("moved", 2, 3, 0, 0, 5, 2, 3, 0xc0ffee, 0, 5, 6, 0xc0ffee)
		g.want(t, "move up and left, over itself", blt(0, opVideoToVideo, 1, 1, 0, 0, 3, 2, 0), efi.Success)
		check("moved back", 2, 3, 0xc0ffee, 0, 5, 6, 0xc0ffee, 0xc0ffee)
		out := g.put(make([]byte, 24))
		g.want(t, "read", blt(out, opVideoToBltBuffer, 1, 0, 1, 0, 2, 2, 12), efi.Success)
		if got, want := string(g.bytes(out, 24)), string(pixels(0, 3, 0xc0ffee, 0, 6, 0xc0ffee)); got != want {
			t.Errorf("read %x, want %x", got, want)
		}

		for _, r := range [][6]uint64{ // source, destination, size
			{0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 1, 0}, {0, 0, 3, 0, 2, 1}, {0, 0, 0, 2, 1, 2},
			{0, 0, 5, 0, 1, 1}, {0, 0, 1 << 63, 0, 1, 1}, {0, 0, 1, 0, ^uint64(0), 1},
		} {
			for op, flip := range map[uint64]bool{opVideoFill: false, opBufferToVideo: false, opVideoToBltBuffer: true, opVideoToVideo: false} {
				if flip {
					r[0], r[1], r[2], r[3] = r[2], r[3], r[0], r[1]
				}
				g.want(t, "beside the screen", blt(buffer, op, r[0], r[1], r[2], r[3], r[4], r[5], 0), efi.InvalidParameter)
				if flip {
					r[0], r[1], r[2], r[3] = r[2], r[3], r[0], r[1]
				}
			}
		}
		for _, wild := range g.wildPointers() {
			for op := opVideoFill; op <= opBufferToVideo; op++ {
				g.want(t, "a wild buffer", blt(wild, op, 0, 0, 0, 0, 4, 3, 0), efi.InvalidParameter)
			}
		}
		for _, far := range []uint64{1 << 40, 1 << 63, ^uint64(0)} {
			g.want(t, "far in the buffer", blt(buffer, opBufferToVideo, far, 0, 0, 0, 1, 1, 4), efi.InvalidParameter)
			g.want(t, "far down the buffer", blt(buffer, opBufferToVideo, 0, far, 0, 0, 1, 1, 4), efi.InvalidParameter)
			g.want(t, "rows far apart", blt(buffer, opBufferToVideo, 0, 0, 0, 0, 1, 2, far), efi.InvalidParameter)
		}
		// What is drawn past Blt is on the screen as well.
		puppet.Store(g.Thread, efi.Ptr[uint32](fb.Base), 0x123456)
		check("written", 0x123456)
	})
}

func TestNewScreenRefuses(t *testing.T) {
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: new(puppet.Puppet).New, MemoryMap: emu.Layout(cpu.AMD64, 16<<20)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, size := range [][2]uint32{{0, 1}, {1, 0}, {1 << 31, 1}, {1, 1 << 31}} {
		if _, err := protocols.NewScreen(m, size[0], size[1]); !errors.Is(err, efi.InvalidParameter) {
			t.Errorf("%v: %v", size, err)
		}
	}
	if _, err := protocols.NewScreen(m, 8000, 8000); !errors.Is(err, efi.OutOfResources) {
		t.Errorf("more than there is: %v", err)
	}
	if _, err := screen.Screenshot(m.Memory()); !errors.Is(err, efi.Unsupported) {
		t.Errorf("of a screen elsewhere: %v", err)
	}
}
