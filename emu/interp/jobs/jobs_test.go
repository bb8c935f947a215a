// SPDX-License-Identifier: BSD-3-Clause

// Package jobs_test measures what the interpreters take for five jobs, in C in
// src, compiled once for each architecture: decoders of deflate and zstd, SHA-256,
// copies, and calls. The same machine code runs as a program of Linux, on the
// processor or in qemu-user, and called as a function in an engine.
//
//	go test ./emu/interp/jobs -bench Job                  all
//	go test ./emu/interp/jobs -bench Job/x86/sha256       one
//	go test ./emu/interp/jobs -bench Unicorn/aa64/calls   against Unicorn
//
// Unicorn is Debian's package libunicorn-dev. CI does not install it: it takes up to
// 80 s a job.
package jobs_test

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

var (
	//go:embed x64.elf
	x64 []byte
	//go:embed aa64.elf
	aa64 []byte
)

// guest is an architecture to run jobs of.
type guest struct {
	name string
	arch cpu.Arch
	elf  []byte

	goarch, qemu string // what Go calls it, and the command that runs its programs
}

var guests = []guest{
	{"x86", cpu.AMD64, x64, "amd64", "qemu-x86_64"},
	{"aa64", cpu.ARM64, aa64, "arm64", "qemu-aarch64"},
}

// job is what a function of the guest does to an input. size is the measured one,
// in bytes of what input makes; small is one for tests.
type job struct {
	name        string
	size, small int
	input       func(t testing.TB, size int) []byte
	want        func(in []byte, size int) uint64 // what it returns, see job.right
}

// right compares what a job has returned. Of zstd's, the lower half alone is known:
// the checksum at the end of the frame, and the decoder returns 0 if it is another.
func (j job) right(got, want uint64) bool {
	if j.name == "zstd" {
		got &= 1<<32 - 1
	}
	return got == want
}

var jobs = []job{
	{"inflate", 24 << 20, 1 << 20, deflated, func(_ []byte, size int) uint64 { return xxh64(text(size)) }},
	{"zstd", 1, 1, kernel, wantZstd},
	{"sha256", 1 << 20, 1 << 14, func(_ testing.TB, size int) []byte { return text(size) }, wantSHA256},
	{"moves", 1 << 20, 1 << 20, func(_ testing.TB, size int) []byte { return text(size) }, wantMoves},
	{"calls", 0, 0, func(testing.TB, int) []byte { return nil }, wantCalls},
}

// TestJobs runs each job on the interpreter, the processor and qemu-user.
func TestJobs(t *testing.T) {
	for _, g := range guests {
		for _, j := range jobs {
			t.Run(g.name+"/"+j.name, func(t *testing.T) {
				if testing.Short() && j.size == j.small {
					t.Skip("takes seconds")
				}
				in := j.input(t, j.small)
				want := j.want(in, j.small)
				if got, _ := g.interpret(t, j.name, in); !j.right(got, want) {
					t.Errorf("interpreted: %#x, want %#x", got, want)
				}
				for _, v := range g.rivals() {
					if got, _, err := v.run(t, j.name, in); err != nil || !j.right(got, want) {
						t.Errorf("%s: %#x, want %#x, %v", v.name, got, want, err)
					}
				}
			})
		}
	}
}

// TestCutInput gives the decoders a part of their input: they notice.
func TestCutInput(t *testing.T) {
	for _, g := range guests {
		for _, j := range jobs[:2] {
			t.Run(g.name+"/"+j.name, func(t *testing.T) {
				in := j.input(t, j.small)
				for _, n := range []int{0, 1, 20, 100, len(in) / 30} {
					if got, _ := g.interpret(t, j.name, in[:n]); got != 0 {
						t.Errorf("%#x of %d bytes", got, n)
					}
				}
			})
		}
	}
}

// text makes bytes that compress as text does.
func text(size int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	words := make([][]byte, 6000)
	for i := range words {
		words[i] = make([]byte, 2+r.IntN(9))
		for j := range words[i] {
			words[i][j] = "etaoinshrdlucmfwypvbgkqjxz"[min(r.IntN(26), r.IntN(26))]
		}
	}
	out := make([]byte, 0, size+16)
	for len(out) < size {
		at := r.Float64()
		at *= at * at
		out = append(out, words[int(at*float64(len(words)))]...)
		switch n := r.IntN(90); {
		case n < 5:
			out = append(out, ". "...)
		case n < 10:
			out = append(out, ",\n"...)
		case n == 10:
			out = fmt.Appendf(out, " %d ", r.IntN(100000))
		default:
			out = append(out, ' ')
		}
	}
	return out[:size]
}

func deflated(t testing.TB, size int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(text(size))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// kernel is the compressed kernel in a bzImage: what is behind its setup code, as its
// header says (Linux, Documentation/arch/x86/boot.rst, payload_offset).
func kernel(t testing.TB, _ int) []byte {
	image, err := os.ReadFile(emutest.Corpus(t, "trixie/amd64/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(image) < 0x250 || string(image[0x202:0x206]) != "HdrS" {
		t.Fatal("the kernel has no header")
	}
	at := (int(image[0x1f1])+1)*512 + int(binary.LittleEndian.Uint32(image[0x248:]))
	n := int(binary.LittleEndian.Uint32(image[0x24c:]))
	if at < 0 || n < 8 || at > len(image) || n > len(image)-at {
		t.Fatalf("a payload of %d bytes at %d", n, at)
	}
	return image[at : at+n]
}

// wantZstd is the checksum at the end of the frame, before the size that the
// kernel's build appends.
func wantZstd(in []byte, _ int) uint64 {
	return uint64(binary.LittleEndian.Uint32(in[len(in)-8:]))
}

func wantSHA256(in []byte, _ int) uint64 {
	sum := sha256.Sum256(bytes.Repeat(in, 64))
	return binary.BigEndian.Uint64(sum[:])
}

// random is the jobs' xorshift64*.
type random uint64

func (r *random) next() uint64 {
	x := *r
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = x
	return uint64(x) * 0x2545f4914f6cdd1d
}

func wantMoves(in []byte, _ int) uint64 {
	memory := slices.Clone(in[:1<<20])
	r := random(1)
	for range 400000 {
		n := r.next()
		at, from, size, fill := int(n&0x3ffff), int(n>>18&0x3ffff), int(n>>36&0xffff), byte(n>>56)
		low, high := memory[at:], memory[1<<19+from:]
		switch n >> 52 & 15 {
		case 0, 2, 6:
			copy(low, high[:size&63])
		case 1:
			copy(high, low[:size&511])
		case 3:
			copy(high, low[:size&2047])
		case 4:
			copy(low, high[:size&127])
		case 5:
			copy(high, low[:size&16383])
		case 7:
			copy(high, low[:size&4095])
		case 8:
			copy(low, high[:size])
		case 9:
			copy(low[from&255:], low[:size&1023])
		case 10:
			copy(low, low[from&255:][:size&4095])
		case 11:
			copy(high[at&4095:], high[:size&511])
		case 12:
			set(low[:size&127], fill)
		case 13:
			set(high[:size&4095], fill)
		case 14:
			set(low[:size&63], fill)
		case 15:
			set(high[:size&16383], fill)
		}
	}
	return xxh64(memory)
}

func set(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

func wantCalls([]byte, int) uint64 {
	r := random(1)
	hash := uint64(tak(18, 12, 6))
	numbers := func(n int) []uint64 {
		v := make([]uint64, n)
		for i := range v {
			v[i] = r.next()
		}
		return v
	}
	add := func(v []uint64) {
		for _, x := range v {
			hash = (hash ^ x) * 0x100000001b3
		}
	}
	keys := numbers(100000)
	slices.Sort(keys)
	add(keys)
	v := numbers(300000)
	slices.Sort(v)
	add(v)
	slices.SortStableFunc(v, func(a, b uint64) int { return int(int64(uint32(a)) - int64(uint32(b))) })
	add(v)
	return hash
}

func tak(x, y, z int) int {
	if y >= x {
		return z
	}
	return tak(tak(x-1, y, z), tak(y-1, z, x), tak(z-1, x, y))
}
