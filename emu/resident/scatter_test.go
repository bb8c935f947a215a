// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/resident"
)

const sumAt = dataAt - 0x1000

// newTrampoline lays the trampoline of x86-64, and gives its functions.
func newTrampoline(t testing.TB) (*guest, map[string]efi.Addr) {
	t.Helper()
	tr, err := resident.Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t)
	g.write(codeAt, tr.Blob().Code)
	functions := map[string]efi.Addr{}
	for name, offset := range tr.Blob().Functions() {
		functions[name] = codeAt + efi.Addr(offset)
	}
	return g, functions
}

// hasSHA reports whether the processor has instructions for SHA-256.
func hasSHA(t testing.TB) bool {
	t.Helper()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^flags\b.*\bsha_ni\b`).Match(info)
}

func random(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestDigest(t *testing.T) {
	g, functions := newTrampoline(t)
	data := random(3, 0x100000)
	g.write(dataAt, data)
	for fast := range uint64(2) {
		if fast == 1 && !hasSHA(t) {
			t.Log("the processor has no instructions for SHA-256")
			break
		}
		sizes := []int{127, 128, 4095, 4096, 65537, 0x100000}
		for i := range 122 {
			sizes = append(sizes, i)
		}
		for i, size := range sizes {
			at := i % 17
			size = min(size, len(data)-at)
			g.callSysV(functions["Digest"], uint64(dataAt)+uint64(at), uint64(size), uint64(sumAt), fast)
			if got, want := g.read(sumAt, 32), sha256.Sum256(data[at:at+size]); !bytes.Equal(got, want[:]) {
				t.Errorf("fast %d: SHA-256 of %d bytes is %x, want %x", fast, size, got, want)
			}
		}
	}
	if used := stackTop - g.deep; used > 1024 {
		t.Errorf("%d bytes of stack were used", used)
	}
}

func TestCopyAndZero(t *testing.T) {
	const pages = 64
	g, functions := newTrampoline(t)
	list := dataAt + pages*efi.PageSize
	image := random(4, pages*efi.PageSize)
	g.write(dataAt, image)
	page := func(n uint64) uint64 { return uint64(dataAt) + n*efi.PageSize }
	var raw []byte
	copies := [][3]uint64{{0, 32, 1}, {1, 40, 8}, {20, 33, 2}, {0, 63, 1}, {12, 13, 0}}
	for _, c := range copies {
		for _, v := range []uint64{page(c[0]), page(c[1]), c[2]} {
			raw = binary.LittleEndian.AppendUint64(raw, v)
		}
		copy(image[c[1]*efi.PageSize:], image[c[0]*efi.PageSize:(c[0]+c[2])*efi.PageSize])
	}
	g.write(list, raw)
	g.callSysV(functions["Copy"], uint64(list), uint64(len(copies)))
	if got := g.read(dataAt, uint64(len(image))); !bytes.Equal(got, image) {
		t.Errorf("copied: %s", differences(got, image))
	}
	raw = nil
	zeros := [][2]uint64{{0, 1}, {50, 4}, {62, 1}, {10, 0}}
	for _, z := range zeros {
		raw = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(raw, page(z[0])), z[1])
		clear(image[z[0]*efi.PageSize:][:z[1]*efi.PageSize])
	}
	g.write(list, raw)
	g.callSysV(functions["Zero"], uint64(list), uint64(len(zeros)))
	if got := g.read(dataAt, uint64(len(image))); !bytes.Equal(got, image) {
		t.Errorf("zeroed: %s", differences(got, image))
	}
	g.callSysV(functions["Copy"], 0, 0)
	g.callSysV(functions["Zero"], 0, 0)
}

// differences names the pages that differ.
func differences(got, want []byte) (text string) {
	for i := 0; i < len(want); i += efi.PageSize {
		if !bytes.Equal(got[i:i+efi.PageSize], want[i:i+efi.PageSize]) {
			text += fmt.Sprintf(" page %d", i/efi.PageSize)
		}
	}
	return text
}

// BenchmarkDigest is of 1 MiB each.
func BenchmarkDigest(b *testing.B) {
	for fast, name := range []string{"plain", "SHA"} {
		b.Run(name, func(b *testing.B) {
			g, functions := newTrampoline(b)
			if fast == 1 && !hasSHA(b) {
				b.Skip("the processor has no instructions for SHA-256")
			}
			const size = 1 << 20
			g.write(dataAt, random(5, size))
			b.SetBytes(size)
			for b.Loop() {
				g.callSysV(functions["Digest"], uint64(dataAt), size, uint64(sumAt), uint64(fast))
			}
		})
	}
}

// BenchmarkCopy is of 1 MiB each, in one piece and page by page.
func BenchmarkCopy(b *testing.B) {
	for _, run := range []uint64{256, 1} {
		b.Run(fmt.Sprintf("pages=%d", run), func(b *testing.B) {
			g, functions := newTrampoline(b)
			const size, to, list = 1 << 20, dataAt + 1<<20, dataAt + 2<<20
			var raw []byte
			for n := uint64(0); n < 256; n += run {
				for _, v := range []uint64{uint64(dataAt) + n*efi.PageSize, uint64(to) + n*efi.PageSize, run} {
					raw = binary.LittleEndian.AppendUint64(raw, v)
				}
			}
			g.write(dataAt, random(6, size))
			g.write(list, raw)
			b.SetBytes(size)
			for b.Loop() {
				g.callSysV(functions["Copy"], uint64(list), 256/run)
			}
		})
	}
}
