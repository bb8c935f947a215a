// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"bytes"
	"context"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// FuzzRun executes anything. The engine must come back with an exit, and one that
// executes blocks and one that executes single instructions must agree on everything.
func FuzzRun(f *testing.F) {
	f.Add([]byte{0x90}, uint64(1))
	f.Add([]byte{0xf3, 0xa4, 0xeb, 0xfc}, uint64(2))
	f.Add([]byte{0x0f, 0x58, 0xc1, 0x66, 0x0f, 0xef, 0xc0, 0xcc}, uint64(3))
	f.Add([]byte{0x88, 0x05, 0, 0, 0, 0, 0x90, 0xeb, 0xf6}, uint64(4))
	f.Fuzz(func(t *testing.T, code []byte, seed uint64) {
		if len(code) > 4*pageSize {
			return
		}
		var first outcome
		for i := range 2 {
			m, err := newMachine(New)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.mem.Write(diffCode, code); err != nil {
				t.Fatal(err)
			}
			o := outcome{}
			for j := range 16 {
				o.r.GP[j] = uint64(diffData) + seed>>j%0x1800
			}
			o.r.PC, o.r.Flags = uint64(diffCode), 0x202
			o.r.GP[cpu.RCX] = seed
			stop := cpu.Stop{Steps: 20000}
			if i == 1 {
				stop.Break = []efi.Addr{dropped}
			}
			x, err := m.engine.Run(context.Background(), &o.r, stop)
			if err != nil || x.Kind == 0 {
				t.Fatalf("exit %+v, %v", x, err)
			}
			o.exits = []stopped{{x: x, r: o.r}}
			if err := m.engine.FP(&o.fp); err != nil {
				t.Fatal(err)
			}
			view, err := m.mem.Read(diffCode, uint64(diffEnd-diffCode))
			if err != nil {
				t.Fatal(err)
			}
			o.data = bytes.Clone(view)
			gates := o.data[diffGates-diffCode:]
			if bytes.Count(gates, []byte{0xcc}) != len(gates) {
				t.Fatal("a gate was written")
			}
			m.close()
			if i == 0 {
				first = o
			} else if d := differs(first, o, diffCase{}); d != "" {
				t.Fatalf("two runs differ: %s", d)
			}
		}
	})
}
