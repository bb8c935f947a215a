// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// runBytes has a guest execute any bytes in any state. Whatever it does, the
// engine says so without an error, and the same again.
func runBytes(t *testing.T, code, registers []byte, steps uint8) {
	type end struct {
		x cpu.Exit
		r cpu.Regs
	}
	var ends [2][]end
	var memory [2][]byte
	for n := range ends {
		g := newGuest(t)
		if err := g.mem.Write(codeAt, code); err != nil {
			t.Fatal(err)
		}
		r := g.regs()
		state := registers
		for i := range 31 {
			r.GP[i] = dataAt + 64*uint64(i)
			if len(state) >= 8 {
				r.GP[i] = binary.LittleEndian.Uint64(state)
				state = state[8:]
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for range 24 {
			limit := uint64(steps) + 1
			if n == 1 && steps == 255 {
				limit = 256
			}
			begun := time.Now()
			x, err := g.engine.Run(ctx, &r, cpu.Stop{Steps: limit})
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(begun); d > 2*time.Second {
				t.Fatalf("%d steps took %v", limit, d)
			}
			ends[n] = append(ends[n], end{x, r})
			if x.Kind == cpu.Fault {
				r.PC += 4
			}
			if x.Kind == cpu.Gate {
				r.PC = codeAt
			}
		}
		b, err := g.mem.Read(codeAt, gateAt-codeAt)
		if err != nil {
			t.Fatal(err)
		}
		memory[n] = bytes.Clone(b)
		gates, err := g.mem.Read(gateAt, ramEnd-gateAt)
		if err != nil || !bytes.Equal(gates, bytes.Repeat(cpu.ARM64.Gate(), len(gates)/4)) {
			t.Fatalf("the gates have changed, %v", err)
		}
		g.engine.Close()
		g.mem.Close()
	}
	for i := range ends[0] {
		if ends[0][i] != ends[1][i] {
			t.Fatalf("run %d: %+v, and again %+v", i, ends[0][i], ends[1][i])
		}
	}
	if !bytes.Equal(memory[0], memory[1]) {
		t.Fatal("memory differs")
	}
}

func FuzzRun(f *testing.F) {
	f.Add([]byte{0, 0, 0x20, 0xd4}, []byte{}, uint8(0))
	f.Add([]byte{0x20, 0, 0x1f, 0xd6}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), uint8(3))
	f.Add([]byte{0x24, 0x00, 0x40, 0xf9, 0x84, 0x04, 0x00, 0x91, 0x24, 0x00, 0x00, 0xf9, 0xfd, 0xff, 0xff, 0x17}, []byte{}, uint8(200))
	f.Fuzz(func(t *testing.T, code, registers []byte, steps uint8) {
		if len(code) > 4096 {
			t.Skip()
		}
		runBytes(t, code, registers, steps)
	})
}

// TestRandomCode is a little of FuzzRun, with the instructions of all classes.
func TestRandomCode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var code, registers []byte
		for range 200 {
			w := rng.Uint32()
			if rng.IntN(4) > 0 {
				w = instClasses[rng.IntN(len(instClasses))].random(rng)
			}
			code = binary.LittleEndian.AppendUint32(code, w)
		}
		for range 31 {
			v := rng.Uint64()
			if rng.IntN(4) > 0 {
				v = codeAt + v%(ramEnd-codeAt)
			}
			registers = binary.LittleEndian.AppendUint64(registers, v)
		}
		runBytes(t, code, registers, uint8(rng.IntN(256)))
	}
}
