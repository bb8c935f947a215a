// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"math/bits"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// graphicsOutputProtocol are the rows of EFI_GRAPHICS_OUTPUT_PROTOCOL (§12.9).
var graphicsOutputProtocol = emu.Protocol{
	GUID: efi.GraphicsOutputProtocolGUID,
	Name: "GraphicsOutput",
	Services: []emu.Service{
		emu.Func4("QueryMode", gopQueryMode, "this", "modeNumber", "*sizeOfInfo", "*info"),
		emu.Func2("SetMode", gopSetMode, "this", "modeNumber").Partially("there is one mode, and the screen is not cleared"),
		emu.Func10("Blt", gopBlt, "this", "&bltBuffer", "bltOperation", "sourceX", "sourceY", "destinationX", "destinationY", "width", "height", "delta").
			Partially("on a screen that is not in the guest's memory nothing is drawn, and a buffer to read into is left as it was"),
		emu.Field("Mode"),
	},
}

// FrameBuffer is memory that is shown on a screen. The masks are those of a pixel,
// which takes up the bytes to the highest bit of all masks.
type FrameBuffer struct {
	Base                       efi.Addr // physical
	Size                       uint64   // in bytes
	Width, Height, Stride      uint32   // in pixels; Stride is from one row to the next
	Red, Green, Blue, Reserved uint32   // masks
}

// graphicsInfo is EFI_GRAPHICS_OUTPUT_MODE_INFORMATION (§12.9.2).
type graphicsInfo struct {
	Version, HorizontalResolution, VerticalResolution uint32

	PixelFormat                pixelFormat
	Red, Green, Blue, Reserved uint32 // masks, of bitMask alone

	PixelsPerScanLine uint32
}

// graphicsInfoSize is the size of graphicsInfo, in bytes.
const graphicsInfoSize = 36

// pixelFormat is EFI_GRAPHICS_PIXEL_FORMAT (§12.9.2).
type pixelFormat uint32

const (
	pixelRGB     pixelFormat = iota // bytes red, green, blue, and one reserved
	pixelBGR                        // bytes blue, green, red, and one reserved
	pixelBitMask                    // as the masks say
)

// graphicsMode is EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE (§12.9.2).
type graphicsMode struct {
	MaxMode, Mode   uint32
	Info            efi.Addr
	SizeOfInfo      uint64
	FrameBufferBase efi.Addr
	FrameBufferSize uint64
}

// graphicsModeSize is the size of graphicsMode, in bytes.
const graphicsModeSize = 40

// GraphicsOutput makes an EFI_GRAPHICS_OUTPUT_PROTOCOL (§12.9) of a screen. Where
// its frame buffer is memory of the guest's, see NewScreen, the payload draws there.
// Any other is a screen that it gets to have once it has left: what it draws by
// Blt before is dropped, and if it writes to the frame buffer in boot services'
// time it faults.
func GraphicsOutput(fb FrameBuffer) emu.Interface {
	out := &graphicsOutput{fb: fb}
	return emu.Interface{Protocol: &graphicsOutputProtocol, Value: out, Fields: out.fields}
}

// graphicsOutput is a GraphicsOutput interface.
type graphicsOutput struct{ fb FrameBuffer }

// info describes the one mode.
func (o *graphicsOutput) info() graphicsInfo {
	info := graphicsInfo{
		HorizontalResolution: o.fb.Width, VerticalResolution: o.fb.Height, PixelsPerScanLine: o.fb.Stride,
	}
	const low, middle, high, top = 0xff, 0xff00, 0xff0000, 0xff000000
	switch [4]uint32{o.fb.Red, o.fb.Green, o.fb.Blue, o.fb.Reserved} {
	case [4]uint32{low, middle, high, top}:
		info.PixelFormat = pixelRGB
	case [4]uint32{high, middle, low, top}:
		info.PixelFormat = pixelBGR
	default:
		info.PixelFormat = pixelBitMask
		info.Red, info.Green, info.Blue, info.Reserved = o.fb.Red, o.fb.Green, o.fb.Blue, o.fb.Reserved
	}
	return info
}

// check returns InvalidParameter for a frame buffer that cannot be.
func (fb FrameBuffer) check() error {
	all := fb.Red | fb.Green | fb.Blue | fb.Reserved
	pixel := uint64(bits.Len32(all)+7) / 8
	overlap := bits.OnesCount32(fb.Red)+bits.OnesCount32(fb.Green)+bits.OnesCount32(fb.Blue)+bits.OnesCount32(fb.Reserved) != bits.OnesCount32(all)
	over, need := bits.Mul64(uint64(fb.Stride)*pixel, uint64(fb.Height))
	switch {
	case fb.Base == 0, fb.Width == 0, fb.Height == 0, fb.Stride < fb.Width,
		fb.Red == 0, fb.Green == 0, fb.Blue == 0, overlap, over != 0, need > fb.Size, fb.Base+efi.Addr(fb.Size) < fb.Base:
		return fmt.Errorf("frame buffer %+v: %w", fb, efi.InvalidParameter)
	}
	return nil
}

// fields puts the Mode structure into guest memory.
func (o *graphicsOutput) fields(m *emu.Machine) ([]uint64, error) {
	if err := o.fb.check(); err != nil {
		return nil, err
	}
	at, err := m.AllocatePool(efi.BootServicesData, graphicsModeSize+graphicsInfoSize)
	if err != nil {
		return nil, err
	}
	mode := graphicsMode{
		MaxMode: 1, Info: at + graphicsModeSize, SizeOfInfo: graphicsInfoSize,
		FrameBufferBase: o.fb.Base, FrameBufferSize: o.fb.Size,
	}
	if err := mem.Store(m.Memory(), efi.Ptr[graphicsMode](at), mode); err != nil {
		return nil, err
	}
	return []uint64{uint64(at)}, mem.Store(m.Memory(), efi.Ptr[graphicsInfo](mode.Info), o.info())
}

// gopQueryMode allocates the description, which is the caller's to free.
// InvalidParameter: no such mode.
func gopQueryMode(c *emu.Call, this efi.Addr, number uint32, size efi.Ptr[uint64], info efi.Ptr[efi.Addr]) error {
	o, err := emu.This[*graphicsOutput](c, this)
	if err != nil {
		return err
	}
	if number != 0 || size == 0 || info == 0 {
		return fmt.Errorf("graphics mode %d: %w", number, efi.InvalidParameter)
	}
	if err := mem.Store(c.Memory(), size, graphicsInfoSize); err != nil {
		return err
	}
	// What cannot be written to costs no memory.
	if _, err := c.Memory().Edit(info.Addr(), 8); err != nil {
		return err
	}
	at, err := c.Machine().AllocatePool(efi.BootServicesData, graphicsInfoSize)
	if err != nil {
		return err
	}
	if err := mem.Store(c.Memory(), efi.Ptr[graphicsInfo](at), o.info()); err != nil {
		return err
	}
	return mem.Store(c.Memory(), info, at)
}

// gopSetMode returns Unsupported for a mode that does not exist.
func gopSetMode(c *emu.Call, this efi.Addr, number uint32) error {
	if _, err := emu.This[*graphicsOutput](c, this); err != nil {
		return err
	}
	if number != 0 {
		return fmt.Errorf("graphics mode %d: %w", number, efi.Unsupported)
	}
	return nil
}
