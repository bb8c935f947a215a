// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// bltPixel is the size of EFI_GRAPHICS_OUTPUT_BLT_PIXEL (§12.9.2.3), and of a pixel
// of a NewScreen: blue, green, red, and a byte that is reserved.
const bltPixel = 4

// The masks of such a pixel.
const (
	maskBlue     = 0xff
	maskGreen    = 0xff00
	maskRed      = 0xff0000
	maskReserved = 0xff000000
)

// maxScreenSide bounds the sides of a screen, in pixels.
const maxScreenSide = 16384

// NewScreen makes a black screen in memory of the guest's, for GraphicsOutput.
// InvalidParameter: no such size; OutOfResources: the guest has not as much memory.
func NewScreen(m *emu.Machine, width, height uint32) (FrameBuffer, error) {
	if width == 0 || height == 0 || width > maxScreenSide || height > maxScreenSide {
		return FrameBuffer{}, fmt.Errorf("protocols: a screen of %d x %d: %w", width, height, efi.InvalidParameter)
	}
	size := uint64(width) * uint64(height) * bltPixel
	at, err := m.AllocatePages(efi.ReservedMemory, efi.Pages(size))
	if err != nil {
		return FrameBuffer{}, fmt.Errorf("protocols: a screen of %d x %d: %w", width, height, err)
	}
	return FrameBuffer{
		Base: at, Size: size, Width: width, Height: height, Stride: width,
		Red: maskRed, Green: maskGreen, Blue: maskBlue, Reserved: maskReserved,
	}, nil
}

// drawn reports whether the frame buffer is one that Blt draws in.
func (fb FrameBuffer) drawn(m *mem.Memory) bool {
	if fb.Red != maskRed || fb.Green != maskGreen || fb.Blue != maskBlue {
		return false
	}
	_, err := m.Read(fb.Base, fb.Size)
	return err == nil
}

// Screenshot is what is on a screen in guest memory.
func (fb FrameBuffer) Screenshot(m *mem.Memory) (image.Image, error) {
	if !fb.drawn(m) {
		return nil, fmt.Errorf("protocols: the screen at %v is not in the guest's memory: %w", fb.Base, efi.Unsupported)
	}
	shot := image.NewRGBA(image.Rect(0, 0, int(fb.Width), int(fb.Height)))
	for y := range fb.Height {
		row, err := m.Read(fb.at(0, uint64(y)), uint64(fb.Width)*bltPixel)
		if err != nil {
			return nil, fmt.Errorf("protocols: %w", err)
		}
		for x := range int(fb.Width) {
			p := row[x*bltPixel:]
			shot.SetRGBA(x, int(y), color.RGBA{R: p[2], G: p[1], B: p[0], A: 0xff})
		}
	}
	return shot, nil
}

func (fb FrameBuffer) at(x, y uint64) efi.Addr {
	return fb.Base + efi.Addr((y*uint64(fb.Stride)+x)*bltPixel)
}

// has reports whether a rectangle lies on the screen.
func (fb FrameBuffer) has(x, y, width, height uint64) bool {
	return x <= uint64(fb.Width) && width <= uint64(fb.Width)-x && y <= uint64(fb.Height) && height <= uint64(fb.Height)-y
}

// bltOperation is EFI_GRAPHICS_OUTPUT_BLT_OPERATION (§12.9.2.3).
type bltOperation uint32

const (
	bltVideoFill bltOperation = iota
	bltVideoToBltBuffer
	bltBufferToVideo
	bltVideoToVideo
	bltOperations
)

// blt is the arguments of a Blt.
type blt struct {
	screen     FrameBuffer
	memory     *mem.Memory
	buffer     efi.Addr
	sx, sy     uint64
	dx, dy     uint64
	wide, high uint64
	delta      uint64 // bytes from one row of the buffer to the next
}

// gopBlt returns InvalidParameter for an operation that does not exist, without a
// buffer for one that needs it, for a rectangle that is empty or not all on the
// screen, and for a buffer that is not there.
func gopBlt(c *emu.Call, this, buffer efi.Addr, op bltOperation, sx, sy, dx, dy, width, height, delta uint64) error {
	o, err := emu.This[*graphicsOutput](c, this)
	if err != nil {
		return err
	}
	switch onScreen := [2]bool{op != bltBufferToVideo && op != bltVideoFill, op != bltVideoToBltBuffer}; {
	case op >= bltOperations, buffer == 0 && op != bltVideoToVideo:
		return fmt.Errorf("operation %d, buffer %v: %w", op, buffer, efi.InvalidParameter)
	case width == 0, height == 0, onScreen[0] && !o.fb.has(sx, sy, width, height), onScreen[1] && !o.fb.has(dx, dy, width, height):
		return fmt.Errorf("%d x %d pixels from %d, %d to %d, %d: %w", width, height, sx, sy, dx, dy, efi.InvalidParameter)
	case !o.fb.drawn(c.Memory()):
		return nil
	}
	if delta == 0 {
		delta = width * bltPixel
	}
	b := blt{o.fb, c.Memory(), buffer, sx, sy, dx, dy, width, height, delta}
	switch op {
	case bltVideoFill:
		return b.fill()
	case bltVideoToBltBuffer:
		return b.copy(func(y uint64) efi.Addr { return b.screen.at(sx, sy+y) }, b.inBuffer(dx, dy), false)
	case bltBufferToVideo:
		return b.copy(b.inBuffer(sx, sy), func(y uint64) efi.Addr { return b.screen.at(dx, dy+y) }, false)
	}
	return b.copy(func(y uint64) efi.Addr { return b.screen.at(sx, sy+y) },
		func(y uint64) efi.Addr { return b.screen.at(dx, dy+y) }, dy > sy)
}

// inBuffer finds the rows of a rectangle at x, y in the buffer. One that would
// wrap round the end of memory is at its end, where nothing is.
func (b blt) inBuffer(x, y uint64) func(uint64) efi.Addr {
	return func(row uint64) efi.Addr {
		const most = 1 << 40
		if x > most || b.delta > most || y > math.MaxUint16 {
			return math.MaxUint64
		}
		return b.buffer + efi.Addr((y+row)*b.delta+x*bltPixel)
	}
}

// fill makes the rectangle the colour of the buffer's first pixel.
func (b blt) fill() error {
	pixel, err := b.memory.Read(b.buffer, bltPixel)
	if err != nil {
		return err
	}
	row := bytes.Repeat(pixel, int(b.wide))
	for y := range b.high {
		if err := b.memory.Write(b.screen.at(b.dx, b.dy+y), row); err != nil {
			return err
		}
	}
	return nil
}

// copy copies rows, the last first where they may overlap so.
func (b blt) copy(from, to func(y uint64) efi.Addr, backwards bool) error {
	for i := range b.high {
		y := i
		if backwards {
			y = b.high - 1 - i
		}
		row, err := b.memory.Read(from(y), b.wide*bltPixel)
		if err != nil {
			return err
		}
		if err := b.memory.Write(to(y), bytes.Clone(row)); err != nil {
			return err
		}
	}
	return nil
}
