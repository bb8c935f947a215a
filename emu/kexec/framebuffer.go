// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"io/fs"
	"math/bits"
	"slices"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// FrameBuffer is memory that is shown on the screen. The masks are those of a
// pixel, which takes up the bytes to the highest bit of all masks.
type FrameBuffer struct {
	Base                       efi.Addr // physical
	Size                       uint64   // in bytes
	Width, Height, Stride      uint32   // in pixels; Stride is from one row to the next
	Red, Green, Blue, Reserved uint32   // masks
}

// readFrameBuffer finds the frame buffer that the firmware, or a boot loader,
// has left, nil if there is none or if a driver of the graphics card may have
// changed what is shown.
func readFrameBuffer(root fs.FS, h *Host) *FrameBuffer {
	if !plainFrameBuffer(root) {
		return nil
	}
	raw, err := fs.ReadFile(root, "sys/kernel/boot_params/data")
	if err != nil {
		return nil
	}
	fb := screenInfo(raw)
	if fb == nil {
		return nil
	}
	if r, ok := efi.RangeOf(fb.Base, fb.Size); !ok || h.hasRAM(r) {
		return nil
	}
	return fb
}

// plainDrivers are the drivers under /sys/class/drm that show what is in the
// frame buffer and leave the graphics card as it is.
var plainDrivers = []string{"DRIVER=simple-framebuffer", "DRIVER=efi-framebuffer"}

// plainFrameBuffer reports whether the kernel's console is on efifb, or on
// simpledrm or efidrm: they all go when a card's own driver comes.
func plainFrameBuffer(root fs.FS) bool {
	if text, err := fs.ReadFile(root, "proc/fb"); err == nil {
		for line := range strings.Lines(string(text)) {
			if _, name, _ := strings.Cut(strings.TrimSpace(line), " "); name == "EFI VGA" {
				return true
			}
		}
	}
	cards, err := fs.Glob(root, "sys/class/drm/card*/device/uevent")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(cards, func(name string) bool {
		text, err := fs.ReadFile(root, name)
		return err == nil && slices.ContainsFunc(strings.Fields(string(text)), func(word string) bool {
			return slices.Contains(plainDrivers, word)
		})
	})
}

// Of Linux's struct screen_info, which is at the start of struct boot_params.
const (
	screenInfoSize = 64
	videoTypeEFI   = 0x70
	base64Bit      = 1 << 1 // of the capabilities: there is an upper half of the base
)

// screenInfo reads a frame buffer of EFI's out of struct screen_info, nil if
// there is none in it or if it cannot be one.
func screenInfo(raw []byte) *FrameBuffer {
	if len(raw) < screenInfoSize || raw[0x0f] != videoTypeEFI {
		return nil
	}
	word := func(at int) uint32 { return uint32(binary.LittleEndian.Uint16(raw[at:])) }
	long := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(raw[at:])) }
	fb := &FrameBuffer{Base: efi.Addr(long(0x18)), Size: long(0x1c), Width: word(0x12), Height: word(0x14)}
	if long(0x36)&base64Bit != 0 {
		fb.Base |= efi.Addr(long(0x3a)) << 32
	}
	for i, mask := range []*uint32{&fb.Red, &fb.Green, &fb.Blue, &fb.Reserved} {
		size, at := raw[0x26+2*i], raw[0x27+2*i]
		if uint(size)+uint(at) > 32 {
			return nil
		}
		*mask = uint32((uint64(1)<<size - 1) << at)
	}
	row, pixel := word(0x24), uint32(bits.Len32(fb.Red|fb.Green|fb.Blue|fb.Reserved)+7)/8
	switch {
	case fb.Base == 0, fb.Width == 0, fb.Height == 0, fb.Red == 0, fb.Green == 0, fb.Blue == 0,
		pixel*8 != word(0x16), row%pixel != 0, row/pixel < fb.Width, uint64(row)*uint64(fb.Height) > fb.Size:
		return nil
	}
	fb.Stride = row / pixel
	return fb
}
