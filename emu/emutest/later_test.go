// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// summing is an image that adds up, from the last to the first, every 8 bytes of its
// second section, less the highest bit of the sum, and returns that. The section is
// data, large, and, if relocated, changed by a base relocation in its middle.
func summing(data []byte, relocated bool) []byte {
	code := []byte{
		0x48, 0x8d, 0x35, 0, 0, 0, 0, // lea rsi, [data]
		0xb9, 0, 0, 0, 0, // mov ecx, size/8
		0x31, 0xc0, // xor eax, eax
		0x48, 0x03, 0x44, 0xce, 0xf8, // add rax, [rsi+8*rcx-8]
		0xff, 0xc9, // dec ecx
		0x75, 0xf7, // jnz to the add
		0x48, 0x01, 0xc0, // add rax, rax
		0x48, 0xd1, 0xe8, // shr rax, 1
		0xc3, // ret
	}
	binary.LittleEndian.PutUint32(code[3:], 0x2000-0x1000-7)
	binary.LittleEndian.PutUint32(code[8:], uint32(len(data)/8))
	image := petest.Image{Sections: []petest.Section{
		{Name: ".text", Data: code, VirtualAddress: 0x1000},
		{Name: ".rdata", Data: data, VirtualAddress: 0x2000},
	}}
	if relocated {
		image.Relocs = []petest.Reloc{{RVA: 0x2000 + uint32(len(data)/16)*8, Type: 10}}
	}
	return image.Bytes()
}

func bothEngines(t *testing.T) map[string]cpu.New {
	return map[string]cpu.New{"native": emutest.Engine(t, cpu.AMD64), "interpreted": interp.New}
}

// bootSum runs an image and returns its status.
func bootSum(t *testing.T, engine cpu.New, image io.ReaderAt) (uint64, error) {
	t.Helper()
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, err = m.Boot(context.Background(), image, emu.BootOptions{Name: "sum"})
	var exit *emu.ExitError
	if errors.As(err, &exit) {
		return uint64(exit.Status), nil
	}
	return 0, err
}

// What of an image is laid out while the guest runs is there when the guest looks,
// on every engine, with its base relocations, and with one processor or more.
func TestImageComesLater(t *testing.T) {
	data := make([]byte, 9<<20+0x38)
	rand.NewChaCha8([32]byte{3}).Read(data)
	var sum uint64
	for at := 0; at < len(data); at += 8 {
		sum += binary.LittleEndian.Uint64(data[at:])
	}
	for name, engine := range bothEngines(t) {
		for _, processors := range []int{1, 2} {
			func() {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
				got, err := bootSum(t, engine, bytes.NewReader(summing(data, false)))
				if want := sum &^ (1 << 63); got != want {
					t.Errorf("%s, %d processors: the sum is %#x, want %#x (%v)", name, processors, got, want, err)
				}
				// A relocation adds where the image lies, whole pages, to the sum.
				got, err = bootSum(t, engine, bytes.NewReader(summing(data, true)))
				if moved := (got - sum) &^ (1 << 63); err != nil || moved == 0 || moved%efi.PageSize != 0 || moved > 1<<40 {
					t.Errorf("%s, %d processors, relocated: the sum is off by %#x (%v)", name, processors, moved, err)
				}
			}()
		}
	}
}

// failing is a reader whose bytes cannot be read any more from some place on.
type failing struct {
	*bytes.Reader
	good int64
	err  error
}

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.good {
		return 0, f.err
	}
	return f.Reader.ReadAt(p, at)
}

// An image that cannot be read any more while it runs is the host's error.
func TestImageIsLostLater(t *testing.T) {
	image := summing(make([]byte, 4<<20), false)
	failure := errors.New("failure")
	for name, engine := range bothEngines(t) {
		_, err := bootSum(t, engine, failing{bytes.NewReader(image), 3 << 20, failure})
		var fault *emu.FaultError
		if !errors.Is(err, failure) || errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
