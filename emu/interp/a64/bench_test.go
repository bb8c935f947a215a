// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// BenchmarkLoop counts instructions per second in loops of different kinds.
func BenchmarkLoop(b *testing.B) {
	for _, loop := range []struct {
		name string
		code []uint32
	}{
		{"count", []uint32{
			0x91000400, // add x0, x0, #1
			0xf1000463, // subs x3, x3, #1
			0x54ffffc1, // b.ne .-8
		}},
		{"checksum", []uint32{
			0x38401424, // again: ldrb w4, [x1], #1
			0x4a000084, // eor w4, w4, w0
			0xd3401c85, // ubfx x5, x4, #0, #8
			0xb8657846, // ldr w6, [x2, x5, lsl #2]
			0x4a4020c0, // eor w0, w6, w0, lsr #8
			0x92402c21, // and x1, x1, #0xfff
			0xaa070021, // orr x1, x1, x7
			0xf1000463, // subs x3, x3, #1
			0x54ffff01, // b.ne again
		}},
		{"copy", []uint32{
			0xa9401444, // again: ldp x4, x5, [x2]
			0xa9411c46, // ldp x6, x7, [x2, #16]
			0xa9001424, // stp x4, x5, [x1]
			0xa9011c26, // stp x6, x7, [x1, #16]
			0x91000000, // add x0, x0, #0
			0xf1000463, // subs x3, x3, #1
			0x54ffff41, // b.ne again
		}},
		{"copy q", []uint32{
			0xad400440, // again: ldp q0, q1, [x2]
			0xad000420, // stp q0, q1, [x1]
			0xf1000463, // subs x3, x3, #1
			0x54ffffa1, // b.ne again
		}},
		{"calls", []uint32{
			0x94000004, // again: bl f
			0xf1000463, // subs x3, x3, #1
			0x54ffffc1, // b.ne again
			0x14000006, // b end
			0xa9bf7bfd, // f: stp x29, x30, [sp, #-16]!
			0x910003fd, // mov x29, sp
			0x8b000400, // add x0, x0, x0, lsl #1
			0xa8c17bfd, // ldp x29, x30, [sp], #16
			0xd65f03c0, // ret
		}},
		{"vector", []uint32{
			0x6e211c00, // again: eor v0.16b, v0.16b, v1.16b
			0x4ee18400, // add v0.2d, v0.2d, v1.2d
			0x4e218402, // add v2.16b, v0.16b, v1.16b
			0x6e228c02, // cmeq v2.16b, v0.16b, v2.16b
			0xf1000463, // subs x3, x3, #1
			0x54ffff61, // b.ne again
		}},
	} {
		b.Run(loop.name, func(b *testing.B) {
			g := newGuest(b)
			var text []byte
			for _, w := range loop.code {
				text = binary.LittleEndian.AppendUint32(text, w)
			}
			if err := g.mem.Write(codeAt, text); err != nil {
				b.Fatal(err)
			}
			const n = 1_000_000
			b.ResetTimer()
			for range b.N {
				r := g.regs()
				r.GP[1], r.GP[2], r.GP[3], r.GP[7] = dataAt, dataAt+0x2000, 1<<62, dataAt
				x, err := g.engine.Run(b.Context(), &r, cpu.Stop{Steps: n})
				if err != nil || x.Kind != cpu.Step {
					b.Fatalf("%+v, %v", x, err)
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e6, "MIPS")
		})
	}
}
