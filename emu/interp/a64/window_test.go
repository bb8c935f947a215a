// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// TestCodeAmongData has the guest write, execute and change code in pages between
// which it writes data: whatever way a store takes, the code that executes is
// what has been written.
func TestCodeAmongData(t *testing.T) {
	code := []uint32{
		0xaa1e03e9, // mov x9, x30
		0xb9000423, // again: str w3, [x1, #4]
		0xb9000022, // str w2, [x1]
		0xd63f0020, // blr x1
		0xb9000024, // str w4, [x1]
		0xd63f0020, // blr x1
		0xf9000425, // str x5, [x1, #8]
		0x91400821, // add x1, x1, #0x2000
		0xf81f8025, // stur x5, [x1, #-8]
		0xf10004c6, // subs x6, x6, #1
		0x54fffee1, // b.ne again
		0xd1402021, // sub x1, x1, #0x8000
		0xd2800086, // mov x6, #4
		0xf10004e7, // subs x7, x7, #1
		0x54fffe61, // b.ne again
		0xaa0903fe, // mov x30, x9
	}
	var counts []uint64
	for _, stop := range []cpu.Stop{{}, {Steps: 1}, {Steps: 5}, {Watch: []efi.Addr{dataAt + 0x3ff8}}} {
		g := newGuest(t)
		g.load(t, code...)
		r := g.regs()
		r.GP[1], r.GP[2], r.GP[3], r.GP[4] = dataAt, 0x91000400, 0xd65f03c0, 0x91004000 // add #1, ret, add #16
		r.GP[6], r.GP[7] = 4, 3
		hits := 0
		for {
			x, err := g.engine.Run(t.Context(), &r, stop)
			if err != nil {
				t.Fatal(err)
			}
			if x.Kind == cpu.Break {
				hits++
			} else if x.Kind != cpu.Step {
				if x.Kind != cpu.Gate || r.GP[0] != 3*4*17 {
					t.Errorf("%+v, x0 is %d", x, r.GP[0])
				}
				break
			}
		}
		if want := 3 * len(stop.Watch); hits != want {
			t.Errorf("%d stores to where it is watched, want %d", hits, want)
		}
		counts = append(counts, g.engine.(cpu.Counter).Instructions())
	}
	for _, n := range counts {
		if n != counts[0] {
			t.Errorf("%d instructions", counts)
		}
	}
}
