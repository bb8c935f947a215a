// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"maps"
	"reflect"
	"testing"
)

// qemuScreen is struct screen_info of QEMU's VGA under OVMF, as a kernel's EFI stub
// makes it, with some words changed: by offset, in bytes.
func qemuScreen(words map[int]uint32) string {
	raw := make([]byte, 4096)
	raw[0x0f] = 0x70
	put := func(at int, v uint32) { binary.LittleEndian.PutUint32(raw[at:], v) }
	all := map[int]uint32{
		0x12: 1280 | 800<<16, // width, height
		0x16: 32,             // bits of a pixel
		0x18: 0x80000000,
		0x1c: 1280 * 800 * 4,
		0x24: 1280*4 | 8<<16 | 16<<24, // bytes of a row; red
		0x28: 0x00080808,              // green, blue
		0x2c: 0x1808,                  // reserved
	}
	maps.Copy(all, words)
	for at, v := range all {
		if at == 0x16 {
			binary.LittleEndian.PutUint16(raw[at:], uint16(v))
			continue
		}
		put(at, v)
	}
	return string(raw)
}

func TestScreenInfo(t *testing.T) {
	plain := FrameBuffer{
		Base: 0x80000000, Size: 1280 * 800 * 4, Width: 1280, Height: 800, Stride: 1280,
		Red: 0xff0000, Green: 0xff00, Blue: 0xff, Reserved: 0xff000000,
	}
	high, padded, short := plain, plain, plain
	high.Base |= 0x40_0000_0000
	padded.Width, padded.Height = 1200, 799
	short.Red, short.Green, short.Blue, short.Reserved = 0xf800, 0x7e0, 0x1f, 0
	for name, test := range map[string]struct {
		words map[int]uint32
		want  *FrameBuffer
	}{
		"as it is":              {nil, &plain},
		"a high address":        {map[int]uint32{0x36: 2, 0x3a: 0x40}, &high},
		"what is no address":    {map[int]uint32{0x36: 1, 0x3a: 0x40}, &plain},
		"longer rows":           {map[int]uint32{0x12: 1200 | 799<<16}, &padded},
		"16 bits":               {map[int]uint32{0x16: 16, 0x24: 1280*2 | 5<<16 | 11<<24, 0x28: 0x00050506, 0x2c: 0}, &short},
		"text":                  {map[int]uint32{0x0c: 1 << 24}, nil},
		"VESA":                  {map[int]uint32{0x0c: 0x23 << 24}, nil},
		"no size":               {map[int]uint32{0x12: 0}, nil},
		"no address":            {map[int]uint32{0x18: 0}, nil},
		"rows that overlap":     {map[int]uint32{0x24: 1280*4 - 4 | 8<<16 | 16<<24}, nil},
		"rows of half a pixel":  {map[int]uint32{0x24: 1280*4 + 2 | 8<<16 | 16<<24}, nil},
		"too small":             {map[int]uint32{0x1c: 1280*800*4 - 1}, nil},
		"another depth":         {map[int]uint32{0x16: 24}, nil},
		"a mask past the pixel": {map[int]uint32{0x2c: 0x1908}, nil},
		"no masks":              {map[int]uint32{0x16: 0, 0x24: 1280 * 4, 0x28: 0, 0x2c: 0}, nil},
	} {
		if got := screenInfo([]byte(qemuScreen(test.words))); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	if fb := screenInfo([]byte(qemuScreen(nil))[:63]); fb != nil {
		t.Errorf("63 bytes: %+v", fb)
	}
}

func TestReadFrameBuffer(t *testing.T) {
	const drm = "sys/class/drm/card0/device/uevent"
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"none":             {nil, false},
		"efifb":            {map[string]string{"proc/fb": "0 EFI VGA\n"}, true},
		"a second of two":  {map[string]string{"proc/fb": "0 other\n1 EFI VGA\n"}, true},
		"a card's driver":  {map[string]string{"proc/fb": "0 i915drmfb\n", drm: "DRIVER=i915\nPCI_CLASS=30000\n"}, false},
		"simpledrm":        {map[string]string{"proc/fb": "0 simpledrmdrmfb\n", drm: "DRIVER=simple-framebuffer\nMODALIAS=platform:simple-framebuffer\n"}, true},
		"efidrm":           {map[string]string{drm: "DRIVER=efi-framebuffer\n"}, true},
		"a name like it":   {map[string]string{drm: "MODALIAS=platform:simple-framebuffer\n"}, false},
		"nothing about it": {map[string]string{"proc/fb": "0 EFI VGA\n", "sys/kernel/boot_params/data": ""}, false},
		"inside of the RAM": {map[string]string{
			"proc/fb": "0 EFI VGA\n", "sys/kernel/boot_params/data": qemuScreen(map[int]uint32{0x18: 0x1000000}),
		}, false},
		"past the end": {map[string]string{
			"proc/fb": "0 EFI VGA\n", "sys/kernel/boot_params/data": qemuScreen(map[int]uint32{0x36: 2, 0x3a: 0xffffffff, 0x18: 0xfffff000}),
		}, false},
	} {
		files := map[string]string{"sys/kernel/boot_params/data": qemuScreen(nil)}
		maps.Copy(files, test.files)
		h, err := readHostAs(amd64, with(firmwareMap(seaBIOS), files))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := h.FrameBuffer != nil; got != test.want {
			t.Errorf("%s: %+v", name, h.FrameBuffer)
		}
	}
}

func FuzzScreenInfo(f *testing.F) {
	f.Add([]byte(qemuScreen(nil))[:64])
	f.Fuzz(func(t *testing.T, raw []byte) {
		fb := screenInfo(raw)
		if fb == nil {
			return
		}
		if fb.Stride < fb.Width || uint64(fb.Stride)*uint64(fb.Height) > fb.Size || fb.Red == 0 || fb.Green == 0 || fb.Blue == 0 {
			t.Errorf("%+v", fb)
		}
	})
}
