// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/arch/arm64/arm64asm"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// The program that both execute: for each case it loads all registers, executes
// one instruction, and stores all registers and a checksum of memory. x29 is 0,
// or the number of the signal that the instruction has raised.
const (
	imageAt   = 0x400000
	textAt    = imageAt + 0x1000
	textSize  = 0x300000
	statesAt  = textAt + textSize
	stateSize = 0x400 // x0 to x30, sp, nzcv, fpsr, and v0 to v31 from 0x200 on
	states    = 64
	scratchAt = statesAt + states*stateSize
	scratch   = 0x20000
	outAt     = scratchAt + scratch
	outSize   = 0x1000000
	altStack  = outAt + outSize
	imageEnd  = altStack + 0x10000
	offSP     = 31 * 8
	offNZCV   = 32 * 8
	offFPSR   = 33 * 8
	offHash   = 34 * 8
	offV      = 0x200
	caseWords = 96
)

// assembler collects instructions.
type assembler struct{ text []byte }

func (a *assembler) word(w uint32) { a.text = binary.LittleEndian.AppendUint32(a.text, w) }
func (a *assembler) here() uint64  { return textAt + uint64(len(a.text)) }
func (a *assembler) mov(rd uint32, v uint64) {
	a.word(0xd2800000 | uint32(v&0xffff)<<5 | rd)
	a.word(0xf2a00000 | uint32(v>>16&0xffff)<<5 | rd)
}

// registers loads (op 1) or stores (op 0) x0 to x27, x29 and x30, and all
// vectors at x28.
func (a *assembler) registers(op uint32) {
	for n := uint32(0); n < 32; n += 2 {
		// ldp and stp of q registers reach 1008 bytes
		a.word(0xad000000 | op<<22 | (offV/16+n)<<15 | (n+1)<<10 | 28<<5 | n)
	}
	for n := uint32(0); n < 28; n += 2 {
		a.word(0xa9000000 | op<<22 | n<<15 | (n+1)<<10 | 28<<5 | n)
	}
	a.word(0xa9000000 | op<<22 | 29<<15 | 30<<10 | 28<<5 | 29)
}

// program makes the text for the given instructions, and says where each lies.
func program(words []uint32, rng *rand.Rand, hash bool) (text []byte, at map[uint64]int) {
	a := &assembler{}
	at = map[uint64]int{}
	// The handler of signals: x29 = signal, pc += 4.
	a.word(0x14000000 | 6) // b over it
	handler := a.here()    //
	a.word(0xf900d440)     // str x0, [x2, #(184+29*8)]: patched below
	a.word(0xf940dc49)     // ldr x9, [x2, #440]
	a.word(0x91001129)     // add x9, x9, #4
	a.word(0xf900dc49)     // str x9, [x2, #440]
	a.word(0xd65f03c0)     // ret
	binary.LittleEndian.PutUint32(a.text[4:], 0xf9000040|(184+29*8)/8<<10)
	const action = outAt - 64 // the end of scratch is not used
	a.mov(1, action)
	a.mov(0, handler)
	a.word(0xf9000020) // str x0, [x1]
	a.mov(0, 4|0x48000000)
	a.word(0xf9000420) // str x0, [x1, #8]
	a.word(0xf900083f) // str xzr, [x1, #16]
	a.word(0xf9000c3f) // str xzr, [x1, #24]
	// Signals have a stack of their own.
	a.mov(1, action+32)
	a.mov(0, altStack)
	a.word(0xf9000020) // str x0, [x1]
	a.word(0xf900043f) // str xzr, [x1, #8]
	a.mov(0, imageEnd-altStack)
	a.word(0xf9000820) // str x0, [x1, #16]
	a.mov(0, action+32)
	a.mov(1, 0)
	a.mov(8, 132)
	a.word(0xd4000001)
	for _, signal := range []uint64{4, 7, 11} {
		a.mov(0, signal)
		a.mov(1, action)
		a.mov(2, 0)
		a.mov(3, 8)
		a.mov(8, 134)
		a.word(0xd4000001)
	}
	// The checksum of scratch from x0 on, in w0: a subroutine.
	a.word(0x14000000 | 9)
	sum := a.here()
	a.mov(0, scratchAt)
	a.mov(1, (scratch-64)/8)
	a.word(0x52800002) // mov w2, #0
	a.word(0xf8408403) // ldr x3, [x0], #8
	a.word(0x9ac34c42) // crc32x w2, w2, x3
	a.word(0xf1000421) // subs x1, x1, #1
	a.word(0x54ffffa1) // b.ne .-12
	a.word(0xd65f03c0) // ret
	// The jump over it lands behind: 10 words.
	binary.LittleEndian.PutUint32(a.text[sum-textAt-4:], 0x14000000|uint32((a.here()-sum+4)/4))

	for n, w := range words {
		a.mov(28, statesAt+uint64(rng.IntN(states))*stateSize)
		a.word(0xf9400380 | offSP/8<<10)   // ldr x0, [x28, #sp]
		a.word(0x9100001f)                 // mov sp, x0
		a.word(0xf9400380 | offNZCV/8<<10) // ldr x0, [x28, #nzcv]
		a.word(0xd51b4200)                 // msr nzcv, x0
		a.word(0xd51b443f)                 // msr fpsr, xzr
		a.registers(1)
		a.word(0xd503201f) // room
		at[a.here()] = n
		a.word(w)
		a.word(0x9100079c) // add x28, x28, #1, what a taken branch skips
		a.word(0xd5033f5f) // clrex
		// x28 itself goes by way of tpidr_el0.
		a.word(0xd51bd05c) // msr tpidr_el0, x28
		a.mov(28, outAt+uint64(n)*stateSize)
		a.registers(0)
		a.word(0xd53bd040)                 // mrs x0, tpidr_el0
		a.word(0xf9000380 | 28<<10)        // str x0, [x28, #28*8]
		a.word(0x910003e0)                 // mov x0, sp
		a.word(0xf9000380 | offSP/8<<10)   //
		a.word(0xd53b4200)                 // mrs x0, nzcv
		a.word(0xf9000380 | offNZCV/8<<10) //
		a.word(0xd53b4420)                 // mrs x0, fpsr
		a.word(0xf9000380 | offFPSR/8<<10) //
		if hash {
			a.word(0x94000000 | uint32(int64(sum-a.here())/4)&0x3ffffff)
			a.word(0xf9000382 | offHash/8<<10) // str x2
		}
	}
	// write(1, out, size) until it is all written, exit_group(0)
	a.mov(20, outAt)
	a.mov(21, uint64(len(words))*stateSize)
	a.mov(0, 1)
	a.word(0xaa1403e1) // mov x1, x20
	a.word(0xaa1503e2) // mov x2, x21
	a.mov(8, 64)
	a.word(0xd4000001)
	a.word(0x8b000294) // add x20, x20, x0
	a.word(0xeb0002b5) // subs x21, x21, x0
	a.word(0x54000001) // b.ne to the mov of x0: patched
	binary.LittleEndian.PutUint32(a.text[len(a.text)-4:], 0x54000001|uint32(0x7ffff&-9)<<5)
	a.mov(0, 0)
	a.mov(8, 94)
	a.word(0xd4000001)
	return a.text, at
}

// initialStates are random registers, of which some point into scratch.
func initialStates(rng *rand.Rand) []byte {
	b := make([]byte, states*stateSize)
	special := []uint64{
		0, 1, 1<<64 - 1, 1 << 63, 1<<63 - 1, 0x7f800000, 0xff800000, 0x7fc00001, 0x7f800001, 0x80000000, 0x7fffffff,
		0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000001, 0x7ff0000000000001, 0x3ff0000000000000, 0x3f800000,
		0x0000000080000001, 0xffffffff00000000, 0x3f8000003f800000, 0x7f8000017fc00000, 0x8000000080000000, 0x4330000000000001,
		0x7fd0000000000001, 0x7fe8000000000000, 0x0004000000000001, 0x000c000000000000, 0x7e9000007f300000, 0x0030000000700000,
	}
	extreme := []uint64{0, 1 << 63, 0x7ff << 52, 0xfff << 52, 0x7f80000000000000, 0x800000007f800000, 0x7f800000, 0xff80000080000000, 0x7c00fc0080000000}
	value := func() uint64 {
		switch rng.IntN(8) {
		case 0:
			return special[rng.IntN(len(special))]
		case 1:
			return uint64(rng.IntN(200))
		case 2: // two singles of medium size
			f := func() uint64 { return uint64(rng.Uint32()&0x807fffff) | uint64(0x70+rng.IntN(0x30))<<23 }
			return f()<<32 | f()
		case 3: // a double of medium size
			return rng.Uint64()&0x800fffffffffffff | uint64(0x3e0+rng.IntN(0x60))<<52
		case 4:
			return special[rng.IntN(len(special))]&0xffffffff | rng.Uint64()<<32
		}
		return rng.Uint64()
	}
	for s := range states {
		state := b[s*stateSize:]
		for n := range 31 {
			v := value()
			switch {
			case n == 29:
				v = 0
			case n >= 20 && n < 28:
				v = scratchAt + 0x8000 + 16*uint64(rng.IntN(16))
				if n >= 26 {
					v += uint64(rng.IntN(16))
				}
			case n >= 16 && n < 20:
				v = uint64(int64(rng.IntN(64) - 32))
			}
			binary.LittleEndian.PutUint64(state[8*n:], v)
		}
		binary.LittleEndian.PutUint64(state[offSP:], scratchAt+0x8000+16*uint64(rng.IntN(16)))
		binary.LittleEndian.PutUint64(state[offNZCV:], uint64(rng.IntN(16))<<28)
		for n := range 64 {
			v := value()
			if s%8 == 0 { // zeros and infinities meet
				v = extreme[rng.IntN(len(extreme))]
			}
			binary.LittleEndian.PutUint64(state[offV+8*n:], v)
		}
	}
	return b
}

// elf wraps the image into a static program.
func elf(image []byte) []byte {
	b := make([]byte, 0x1000, 0x1000+len(image))
	copy(b, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], 183)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], textAt)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	ph := b[64:]
	le.PutUint32(ph, 1)
	le.PutUint32(ph[4:], 7)
	le.PutUint64(ph[16:], imageAt)
	le.PutUint64(ph[24:], imageAt)
	le.PutUint64(ph[32:], uint64(0x1000+len(image)))
	le.PutUint64(ph[40:], imageEnd-imageAt)
	le.PutUint64(ph[48:], 0x1000)
	return append(b, image...)
}

// interpret runs the program here and returns what it would have written.
func interpret(t *testing.T, image []byte, size int) []byte {
	t.Helper()
	const gates = 0x10000
	m, err := mem.New(efi.Range{Start: imageAt, End: imageEnd}, efi.Range{Start: gates, End: gates + 0x1000})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Write(textAt, image); err != nil {
		t.Fatal(err)
	}
	e, err := a64.New(cpu.Config{Arch: cpu.ARM64, Memory: m, Gates: efi.Range{Start: gates, End: gates + 0x1000}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := cpu.Regs{PC: textAt}
	for {
		x, err := e.Run(t.Context(), &r, cpu.Stop{})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case x.Kind == cpu.Fault && x.Cause == cpu.SystemCall && r.GP[8] == 64:
			out, err := m.Read(outAt, uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			return bytes.Clone(out)
		case x.Kind == cpu.Fault && x.Cause == cpu.SystemCall:
			r.PC += 4
		case x.Kind == cpu.Fault && x.Cause == cpu.PageFault, x.Kind == cpu.Fault && x.Cause == cpu.StackOverflow:
			r.GP[29] = 11
			r.PC += 4
		case x.Kind == cpu.Fault && x.Cause == cpu.Alignment:
			r.GP[29] = 7
			r.PC += 4
		case x.Kind == cpu.Fault:
			r.GP[29] = 4
			r.PC += 4
		default:
			r.GP[29] = 4
		}
	}
}

// TestQEMU executes random instructions of each class in random states here and
// in QEMU's user mode.
func TestQEMU(t *testing.T) {
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		emutest.Skip(t, "no qemu-aarch64: %v", err)
	}
	for _, class := range instClasses {
		t.Run(class.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, 8))
			count := 2000
			if class.memory {
				count = 600
			}
			words := make([]uint32, count)
			for n := range words {
				words[n] = class.random(rng)
			}
			text, at := program(words, rng, class.memory)
			if len(text) > textSize || len(at) != count {
				t.Fatalf("%d bytes of text", len(text))
			}
			image := make([]byte, outAt-textAt)
			copy(image, text)
			copy(image[statesAt-textAt:], initialStates(rng))
			for n := range scratch {
				image[scratchAt-textAt+n] = byte(rng.Uint32())
			}
			model := class.cpu
			if model == "" {
				model = "cortex-a57"
			}
			file := filepath.Join(t.TempDir(), "cases")
			if err := os.WriteFile(file, elf(image), 0o755); err != nil {
				t.Fatal(err)
			}
			want, err := exec.Command(qemu, "-cpu", model, file).Output()
			if err != nil || len(want) != count*stateSize {
				t.Fatalf("qemu-aarch64: %d bytes, %v", len(want), err)
			}
			got := interpret(t, image, count*stateSize)
			executed, failed := 0, 0
			for n, w := range words {
				g, w2 := got[n*stateSize:][:stateSize], want[n*stateSize:][:stateSize]
				if binary.LittleEndian.Uint64(w2[29*8:]) == 0 {
					executed++
				}
				if class.skip != nil && class.skip(w) {
					continue
				}
				if d := difference(g, w2); d != "" {
					if failed++; failed <= 12 {
						t.Errorf("case %d, %#08x %s:%s", n, w, name(w), d)
					}
				}
			}
			t.Logf("%d of %d executed, %d differ", executed, count, failed)
			if executed < count/50 {
				t.Errorf("only %d of %d instructions are valid", executed, count)
			}
		})
	}
}

func name(w uint32) string {
	inst, err := arm64asm.Decode(binary.LittleEndian.AppendUint32(nil, w))
	if err != nil {
		return "?"
	}
	return arm64asm.GNUSyntax(inst)
}

// difference says what differs in two states; of FPSR only QC counts.
func difference(got, want []byte) string {
	var b strings.Builder
	for off := 0; off < stateSize; off += 8 {
		g, w := binary.LittleEndian.Uint64(got[off:]), binary.LittleEndian.Uint64(want[off:])
		if off == offFPSR {
			g, w = g&(1<<27), w&(1<<27)
		}
		if g == w {
			continue
		}
		what := fmt.Sprintf("x%d", off/8)
		switch {
		case off == 29*8:
			what = "signal"
		case off == offNZCV:
			what = "nzcv"
		case off == offFPSR:
			what = "fpsr"
		case off == offHash:
			what = "memory"
		case off >= offV:
			what = fmt.Sprintf("v%d[%d]", (off-offV)/16, (off-offV)/8%2)
		}
		fmt.Fprintf(&b, " %s is %#x, want %#x;", what, g, w)
	}
	return b.String()
}
