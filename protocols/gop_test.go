// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_GRAPHICS_OUTPUT_PROTOCOL (§12.9).
const (
	slotGOPQueryMode = iota
	slotGOPSetMode
	slotBlt
	slotGOPMode
)

// screen is a frame buffer as QEMU's VGA has it under OVMF.
var screen = protocols.FrameBuffer{
	Base: 0x40_8000_0000, Size: 0x3e8000, Width: 1280, Height: 800, Stride: 1280,
	Red: 0xff0000, Green: 0xff00, Blue: 0xff, Reserved: 0xff000000,
}

// graphicsInfo is EFI_GRAPHICS_OUTPUT_MODE_INFORMATION (§12.9.2).
type graphicsInfo struct {
	Version, Width, Height, Format, Red, Green, Blue, Reserved, Stride uint32
}

// graphicsMode is EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE (§12.9.2).
type graphicsMode struct {
	MaxMode, Mode    uint32
	Info, SizeOfInfo uint64
	Base, Size       uint64
}

func TestGraphicsOutput(t *testing.T) {
	for name, test := range map[string]struct {
		change func(fb *protocols.FrameBuffer)
		want   graphicsInfo
	}{
		"BGR": {func(fb *protocols.FrameBuffer) {}, graphicsInfo{Width: 1280, Height: 800, Format: 1, Stride: 1280}},
		"RGB": {func(fb *protocols.FrameBuffer) {
			fb.Red, fb.Blue, fb.Width, fb.Stride = fb.Blue, fb.Red, 1200, 1216
		}, graphicsInfo{Width: 1200, Height: 800, Format: 0, Stride: 1216}},
		"16 bits": {func(fb *protocols.FrameBuffer) {
			fb.Red, fb.Green, fb.Blue, fb.Reserved, fb.Size = 0xf800, 0x7e0, 0x1f, 0, 1280*800*2
		}, graphicsInfo{Width: 1280, Height: 800, Format: 2, Red: 0xf800, Green: 0x7e0, Blue: 0x1f, Stride: 1280}},
		"24 bits": {func(fb *protocols.FrameBuffer) { fb.Reserved, fb.Size = 0, 1280*800*3 }, graphicsInfo{
			Width: 1280, Height: 800, Format: 2, Red: 0xff0000, Green: 0xff00, Blue: 0xff, Stride: 1280,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fb := screen
			test.change(&fb)
			runGuest(t, install(protocols.GraphicsOutput(fb)), func(t *testing.T, g *guestProgram) {
				gop := g.locate(t, efi.GraphicsOutputProtocolGUID)
				mode := puppet.Load(g.Thread, efi.Ptr[graphicsMode](g.slot(gop, slotGOPMode)))
				info := mode.Info
				if want := (graphicsMode{1, 0, info, 36, uint64(fb.Base), fb.Size}); mode != want {
					t.Errorf("Mode is %+v, want %+v", mode, want)
				}
				if got := puppet.Load(g.Thread, efi.Ptr[graphicsInfo](info)); got != test.want {
					t.Errorf("Info is %+v, want %+v", got, test.want)
				}
				size, out := g.word(0), g.word(0)
				g.want(t, "QueryMode", g.method(gop, slotGOPQueryMode, 0, uint64(size), uint64(out)), efi.Success)
				at := puppet.Load(g.Thread, out)
				if n := puppet.Load(g.Thread, size); n != 36 || at == info {
					t.Errorf("QueryMode: %d bytes at %#x, Mode's are at %#x", n, at, info)
				}
				if got := puppet.Load(g.Thread, efi.Ptr[graphicsInfo](at)); got != test.want {
					t.Errorf("QueryMode: %+v, want %+v", got, test.want)
				}
				g.want(t, "FreePool", g.call(g.bs.FreePool, at), efi.Success)
			})
		})
	}
}

func TestGraphicsOutputArguments(t *testing.T) {
	runGuest(t, install(protocols.GraphicsOutput(screen)), func(t *testing.T, g *guestProgram) {
		gop := g.locate(t, efi.GraphicsOutputProtocolGUID)
		size, out := uint64(g.word(0)), uint64(g.word(0))
		g.want(t, "QueryMode of mode 1", g.method(gop, slotGOPQueryMode, 1, size, out), efi.InvalidParameter)
		g.want(t, "SetMode(0)", g.method(gop, slotGOPSetMode, 0), efi.Success)
		g.want(t, "SetMode(1)", g.method(gop, slotGOPSetMode, 1), efi.Unsupported)
		pixel := uint64(g.word(0xaaaaaaaa))
		for operation := range uint64(4) {
			g.want(t, "Blt", g.method(gop, slotBlt, pixel, operation, 0, 0, 0, 0, 1, 1, 0), efi.Success)
		}
		if got := puppet.Load(g.Thread, efi.Ptr[uint64](pixel)); got != 0xaaaaaaaa {
			t.Errorf("the pixel is %#x", got)
		}
		g.want(t, "Blt of no operation", g.method(gop, slotBlt, pixel, 4, 0, 0, 0, 0, 1, 1, 0), efi.InvalidParameter)
		g.want(t, "Blt of no buffer", g.method(gop, slotBlt, 0, 2, 0, 0, 0, 0, 1, 1, 0), efi.InvalidParameter)
		g.want(t, "Blt without a buffer", g.method(gop, slotBlt, 0, 3, 0, 0, 0, 0, 1, 1, 0), efi.Success)

		args := []uint64{uint64(gop), 0, size, out}
		g.wantWild(t, "QueryMode", g.slot(gop, slotGOPQueryMode), args, 0, 2, 3)
		g.wantReadOnly(t, "QueryMode", g.slot(gop, slotGOPQueryMode), args, 2, 3)
		g.wantWild(t, "SetMode", g.slot(gop, slotGOPSetMode), []uint64{uint64(gop), 0}, 0)
		g.wantWild(t, "Blt", g.slot(gop, slotBlt), []uint64{uint64(gop), pixel, 0, 0, 0, 0, 0, 1, 1, 0}, 0)
	})
}

func TestGraphicsOutputRefuses(t *testing.T) {
	for name, change := range map[string]func(fb *protocols.FrameBuffer){
		"no address":             func(fb *protocols.FrameBuffer) { fb.Base = 0 },
		"too small":              func(fb *protocols.FrameBuffer) { fb.Size-- },
		"no width":               func(fb *protocols.FrameBuffer) { fb.Width = 0 },
		"no height":              func(fb *protocols.FrameBuffer) { fb.Height = 0 },
		"rows that overlap":      func(fb *protocols.FrameBuffer) { fb.Stride = fb.Width - 1 },
		"no green":               func(fb *protocols.FrameBuffer) { fb.Green = 0 },
		"masks that overlap":     func(fb *protocols.FrameBuffer) { fb.Blue = 0x1ff },
		"more than there can be": func(fb *protocols.FrameBuffer) { fb.Stride, fb.Height = 1<<32-1, 1<<32-1 },
		"past the end":           func(fb *protocols.FrameBuffer) { fb.Base = ^efi.Addr(0xfff) },
	} {
		fb := screen
		change(&fb)
		m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: new(puppet.Puppet).New, MemoryMap: emu.Layout(cpu.AMD64, 16<<20)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Install(0, protocols.GraphicsOutput(fb)); !errors.Is(err, efi.InvalidParameter) {
			t.Errorf("%s: %v", name, err)
		}
		m.Close()
	}
}
