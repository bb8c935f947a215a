// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// joinable are encodings of what fuse joins: what is fixed, and the mask of that.
var joinable = [][2]uint32{
	{0x2a0003e0, 0x7fe0ffe0}, // mov
	{0x0b000000, 0x7fe0fc00}, // add
	{0x11000000, 0x7fffc000}, // add of a small immediate
	{0x51000000, 0x7fffc000}, // sub of a small immediate
	{0x4ac00000, 0xffe08000}, // eor, ror
	{0x4a400000, 0x7fe08000}, // eor, lsr
	{0x13800000, 0xffe08000}, // extr
	{0x0a000000, 0x7fe0fc00}, // and
	{0x0a200000, 0x7fe0fc00}, // bic
	{0x6b00001f, 0x7fe0fc1f}, // cmp
	{0x6b00001f, 0x7fe0fc1f}, //
	{0x7100001f, 0x7fffc01f}, // cmp of a small immediate
	{0x71000000, 0x7fffc000}, // subs of a small immediate
	{0x1a800000, 0x3fe00800}, // csel and its kin
	{0x3a400000, 0x3fe00410}, // ccmp
	{0x38600800, 0xffe0ec00}, // ldrb, strb, at the sum of two registers
	{0x38200800, 0xffe0ec00}, //
	{0xb9400000, 0xbfff0000}, // ldr
	{0x53001c00, 0x7fc0fc00}, // lsr, ubfx and their kin
	{0xd3400000, 0xffe00000}, //
	{0x92400000, 0xffe00000}, // and of an immediate
	{0x9ac02400, 0xffe0fc00}, // lsr by a register
	{0xd3000000, 0xff800000}, // lsl and its kin
	{0x54000040, 0xfffffff0}, // b.cond over one
	{0x54000040, 0xfffffff0}, //
}

// TestFuse executes sequences of what is joined in one go and one by one: the same
// becomes of it, and each opcode that joins is met.
func TestFuse(t *testing.T) {
	const code, data, gates = 0x1000, 0x3000, 0x8000
	rng := rand.New(rand.NewPCG(9, 10))
	met := map[opcode]bool{}
	for range 600 {
		var words []uint32
		for len(words) < 60 {
			if rng.IntN(8) == 0 { // the end of a loop: add, cmp, b.cond over one
				words = append(words, 0x91000400|rng.Uint32()&0x3ef, 0xeb00001f|rng.Uint32()&0x1f03e0, 0x54000040|rng.Uint32()&15)
			}
			j := joinable[rng.IntN(len(joinable))]
			if rng.IntN(8) == 0 { // lsr by a register, and lsl; ldrb and strb
				words = append(words, 0x9ac02400|rng.Uint32()&0x1f03ff, 0xd37ff800|rng.Uint32()&0x3ff,
					0x38606800|rng.Uint32()&0x1f03ff, 0x38206800|rng.Uint32()&0x1f03ff)
			}
			for range 1 + rng.IntN(4) { // often some of a kind
				w := rng.Uint32()&^j[1] | j[0]
				if rng.IntN(2) == 0 && j[1]>>31 == 0 {
					w &^= 1 << 31
				}
				words = append(words, w)
			}
		}
		var text []byte
		for _, w := range append(words, 0x14000000, 0x14000000) {
			text = binary.LittleEndian.AppendUint32(text, w)
		}
		var ends [2]cpu.Regs
		for n := range ends {
			m, err := mem.New(efi.Range{Start: code, End: gates + 0x1000})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Write(code, text); err != nil {
				t.Fatal(err)
			}
			e, err := New(cpu.Config{Arch: cpu.ARM64, Memory: m, Gates: efi.Range{Start: gates, End: gates + 0x1000}})
			if err != nil {
				t.Fatal(err)
			}
			r := &ends[n]
			r.PC, r.Flags = code, uint64(len(text))<<28
			for i := range r.GP {
				r.GP[i] = data + uint64(i)*0x8000000180000001*uint64(i&1)
			}
			steps := []uint64{100, 1}[n]
			for done := uint64(0); done < 100; done += steps {
				if x, err := e.Run(t.Context(), r, cpu.Stop{Steps: steps}); err != nil {
					t.Fatal(err)
				} else if x.Kind != cpu.Step {
					done = e.(*engine).count - steps
					r.PC += 4
				}
			}
			for _, p := range e.(*engine).cache.pages {
				for _, b := range p.blocks {
					if b == nil {
						continue
					}
					for u, v := b.start[0], b.start[1]; u != nil; u, v = v, u.next2 {
						met[u.op] = true
					}
				}
			}
			e.Close()
			m.Close()
		}
		if ends[0] != ends[1] {
			t.Fatalf("%#08x\nin one go %#x\n stepped  %#x", words, ends[0], ends[1])
		}
	}
	for op := opMov2; op < opcodes; op++ {
		if !met[op] {
			t.Errorf("opcode %d was not met", op)
		}
	}
}
