// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// TestSemantics is what random states meet too rarely.
func TestSemantics(t *testing.T) {
	for _, test := range []struct {
		name string
		code []uint32
		in   map[int]uint64
		out  map[int]uint64
	}{
		{"division by zero is zero", []uint32{0x9ac20820, 0x9ac20c23}, map[int]uint64{1: 5}, map[int]uint64{0: 0, 3: 0}},
		{"the most negative number by -1", []uint32{0x9ac20c20}, map[int]uint64{1: 1 << 63, 2: 1<<64 - 1}, map[int]uint64{0: 1 << 63}},
		{"the same with 32 bits", []uint32{0x1ac20c20}, map[int]uint64{1: 1 << 31, 2: 1<<32 - 1}, map[int]uint64{0: 1 << 31}},
		{"number 31 as zero and as stack pointer", []uint32{0xaa1f03e0, 0x910003e1, 0x8b2063e2}, nil,
			map[int]uint64{0: 0, 1: stackAt - 0x100, 2: stackAt - 0x100}},
		{"shifts by register wrap", []uint32{0x9ac22020, 0x1ac22023}, map[int]uint64{1: 1, 2: 65}, map[int]uint64{0: 2, 3: 2}},
		{"32 bits clear the rest", []uint32{0x11000420, 0x2a0103e2}, map[int]uint64{1: 1<<64 - 1}, map[int]uint64{0: 0, 2: 0xffffffff}},
		{"cntvct runs", []uint32{0xd53be040, 0xd503201f, 0xd503201f, 0xd503201f, 0xd53be041, 0xcb000020}, nil, map[int]uint64{0: 1}},
		{"ctr, dczid", []uint32{0xd53b0020, 0xd53b00e1}, nil, map[int]uint64{0: 0x8444c004, 1: 4}},
		{"nan to integer", []uint32{0x9e670020, 0x9e780002}, map[int]uint64{1: 0x7ff8 << 48}, map[int]uint64{2: 0}},
		{"infinity to integer", []uint32{0x9e670020, 0x9e780002, 0x1e790003}, map[int]uint64{1: 0x7ff0 << 48}, map[int]uint64{2: 1<<63 - 1, 3: 1<<32 - 1}},
		{"hints are nothing", []uint32{0xd503233f, 0xd50323bf, 0xd503245f, 0xd503203f, 0xd503205f, 0xd503209f}, nil, nil},
		{"store exclusive without load", []uint32{0xc8027c20}, map[int]uint64{1: dataAt, 2: 7}, map[int]uint64{2: 1}},
		{"load and store exclusive", []uint32{0xc85f7c20, 0xc8027c23, 0xc8047c23}, map[int]uint64{1: dataAt}, map[int]uint64{2: 0, 4: 1}},
		{"dc zva", []uint32{0xf9000c21, 0xd50b7421, 0xf9400c20}, map[int]uint64{1: dataAt + 8}, map[int]uint64{0: 0}},
		{"bl and ret", []uint32{0xaa1e03e9, 0x94000002, 0x14000003, 0x91000400, 0xd65f03c0, 0xaa0903fe}, nil, map[int]uint64{0: 1}},
		{"blr of lr", []uint32{0xaa1e03e9, 0x1000007e, 0xd63f03c0, 0x14000002, 0xd65f03c0, 0xaa0903fe}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGuest(t)
			g.load(t, test.code...)
			r := g.regs()
			for i, v := range test.in {
				r.GP[i] = v
			}
			x, err := g.engine.Run(t.Context(), &r, cpu.Stop{})
			if err != nil || x.Kind != cpu.Gate || r.PC != gateAt {
				t.Fatalf("%+v at %#x, %v", x, r.PC, err)
			}
			for i, want := range test.out {
				if r.GP[i] != want {
					t.Errorf("x%d is %#x, want %#x", i, r.GP[i], want)
				}
			}
		})
	}
}

// TestFaults is faults with their details, and that nothing has changed.
func TestFaults(t *testing.T) {

	for _, test := range []struct {
		name string
		code uint32
		x1   uint64
		want cpu.Exit
	}{
		{"ldxr", 0xc85f7c20, dataAt + 1, cpu.Exit{Cause: cpu.Alignment, Addr: dataAt + 1, Access: mem.Readable}},
		{"ldar", 0x88dffc20, dataAt + 2, cpu.Exit{Cause: cpu.Alignment, Addr: dataAt + 2, Access: mem.Readable}},
		{"stlr", 0x489ffc20, dataAt + 1, cpu.Exit{Cause: cpu.Alignment, Addr: dataAt + 1, Access: mem.Writable}},
		{"ldadd", 0xf8220020, dataAt + 4, cpu.Exit{Cause: cpu.Alignment, Addr: dataAt + 4, Access: mem.Readable}},
		{"ldp", 0xa9400420, ramEnd - 8, cpu.Exit{Cause: cpu.PageFault, Addr: ramEnd, Access: mem.Readable}},
		{"ldp pre", 0xa9c00020, ramEnd - 8, cpu.Exit{Cause: cpu.PageFault, Addr: ramEnd, Access: mem.Readable}},
		{"ldp below", 0xa9400420, codeAt - 8, cpu.Exit{Cause: cpu.PageFault, Addr: codeAt - 8, Access: mem.Readable}},
		{"ldp q", 0xad400420, ramEnd - 16, cpu.Exit{Cause: cpu.PageFault, Addr: ramEnd, Access: mem.Readable}},
		{"ldp q below", 0xad400420, codeAt - 8, cpu.Exit{Cause: cpu.PageFault, Addr: codeAt - 8, Access: mem.Readable}},
		{"ldp q post below", 0xacc10420, codeAt - 24, cpu.Exit{Cause: cpu.PageFault, Addr: codeAt - 24, Access: mem.Readable}},
		{"stp", 0xa9000420, gateAt - 8, cpu.Exit{Cause: cpu.PageFault, Addr: gateAt, Access: mem.Writable}},
		{"stp q", 0xad000420, gateAt - 16, cpu.Exit{Cause: cpu.PageFault, Addr: gateAt, Access: mem.Writable}},
		{"str post", 0xf8008420, 8, cpu.Exit{Cause: cpu.PageFault, Addr: 8, Access: mem.Writable}},
		{"st4", 0x4c9f0020, gateAt - 32, cpu.Exit{Cause: cpu.PageFault, Addr: gateAt, Access: mem.Writable}},
		{"ld1r post", 0x4ddfcc20, 1 << 63, cpu.Exit{Cause: cpu.PageFault, Addr: 1 << 63, Access: mem.Readable}},
		{"br odd", 0xd61f0020, dataAt + 2, cpu.Exit{Cause: cpu.Alignment, Addr: dataAt + 2, Access: mem.Executable}},
		{"hlt", 0xd4400000, 0, cpu.Exit{Cause: cpu.Illegal}},
		{"hvc", 0xd4000002, 0, cpu.Exit{Cause: cpu.Protection}},
		{"eret", 0xd69f03e0, 0, cpu.Exit{Cause: cpu.Protection}},
		{"fadd of halves", 0x1ee22820, 0, cpu.Exit{Cause: cpu.Illegal}},
		{"sdot", 0x4e829420, 0, cpu.Exit{Cause: cpu.Illegal}},
		{"tlbi", 0xd508871f, 0, cpu.Exit{Cause: cpu.Protection}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGuest(t)
			// Behind accesses that succeed, so that there are short ways.
			g.load(t, 0xf94003e2, 0xf90003e2, test.code) // ldr x2, [sp]; str x2, [sp]
			r := g.regs()
			r.GP[1] = test.x1
			var fp, fpAfter cpu.FPState
			for n := range fp.V {
				fp.V[n][n%16] = byte(n + 1)
			}
			if err := g.engine.SetFP(&fp); err != nil {
				t.Fatal(err)
			}
			before := r
			before.PC += 8
			x, err := g.engine.Run(t.Context(), &r, cpu.Stop{})
			if test.want.Access != mem.Executable {
				if x.Inst == "" {
					t.Error("no text")
				}
			} else {
				before.PC = test.x1
			}
			x.Inst = ""
			test.want.Kind = cpu.Fault
			if err != nil || x != test.want {
				t.Errorf("%+v, %v, want %+v", x, err, test.want)
			}
			if err := g.engine.FP(&fpAfter); err != nil || r != before || fpAfter != fp {
				t.Errorf("registers %#x %v, were %#x %v, %v", r, fpAfter, before, fp, err)
			}
		})
	}
}

// TestSystemExits are the privileged instructions that the machine answers.
func TestSystemExits(t *testing.T) {
	for _, test := range []struct {
		code uint32
		want cpu.Exit
	}{
		{0xd5384240, cpu.Exit{Kind: cpu.System, Op: cpu.ReadSys, Number: 0xc212}},                    // mrs x0, CurrentEL
		{0xd5381003, cpu.Exit{Kind: cpu.System, Op: cpu.ReadSys, Number: 0xc080, Reg: 3}},            // mrs x3, sctlr_el1
		{0xd518c002, cpu.Exit{Kind: cpu.System, Op: cpu.WriteSys, Number: 0xc600, Reg: 2, Value: 9}}, // msr vbar_el1, x2
		{0xd503207f, cpu.Exit{Kind: cpu.Halt}},                                                       // wfi
		{0xd5087620, cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}},                                  // dc ivac, x0
	} {
		g := newGuest(t)
		g.load(t, test.code)
		r := g.regs()
		r.GP[2] = 9
		x, err := g.engine.Run(t.Context(), &r, cpu.Stop{})
		if x.Inst == "" {
			t.Errorf("%#x: no text", test.code)
		}
		x.Inst, test.want.Addr = "", codeAt
		if err != nil || x != test.want || r.PC != codeAt+4 {
			t.Errorf("%#x: %+v at %#x, %v, want %+v", test.code, x, r.PC, err, test.want)
		}
	}
}

// TestStepped runs random code in one go, in steps and in leaps: the same
// becomes of it.
func TestStepped(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	loop := []uint32{
		0xf1000463, // subs x3, x3, #1
		0x54000000 | uint32(0x7ffff&-20)<<5 | 1,
	}
	for range 200 {
		var words []uint32
		for len(words) < 19 {
			w := instClasses[rng.IntN(12)].random(rng)
			if rng.IntN(4) == 0 {
				w = 0xd53be040 | uint32(rng.IntN(8)) // mrs, cntvct_el0
			}
			words = append(words, w)
		}
		words = append(words, loop...)
		var results []cpu.Regs
		var exits []cpu.Exit
		const total = 500
		for _, size := range []uint64{total, 1, 7} {
			g := newGuest(t)
			g.load(t, words...)
			r := g.regs()
			for i := range 31 {
				r.GP[i] = uint64(i) * 0x123456789abcdef1
			}
			r.GP[3] = 1000
			var x cpu.Exit
			for done := uint64(0); done < total; {
				n := min(size, total-done)
				var err error
				if x, err = g.engine.Run(t.Context(), &r, cpu.Stop{Steps: n}); err != nil {
					t.Fatal(err)
				}
				if x.Kind != cpu.Step {
					break
				}
				done += n
			}
			results, exits = append(results, r), append(exits, x)
		}
		for i := range results {
			if results[i] != results[0] || exits[i] != exits[0] {
				t.Fatalf("%#x\n%+v %#x\n%+v %#x", words, exits[0], results[0], exits[i], results[i])
			}
		}
	}
}

// TestOwnCode has the guest change the instruction behind the one that executes,
// without any maintenance of caches, and in a loop.
func TestOwnCode(t *testing.T) {
	g := newGuest(t)
	g.load(t,
		0x10000061, // adr x1, .+12
		0xb9000022, // str w2, [x1]
		0xd503201f, // nop
		0xd4200000, // brk, which becomes add x0, x0, #1
	)
	r := g.regs()
	r.GP[2] = 0x91000400
	if x, err := g.engine.Run(t.Context(), &r, cpu.Stop{}); err != nil || x.Kind != cpu.Gate || r.GP[0] != 1 {
		t.Fatalf("%+v, %v, x0 is %d", x, err, r.GP[0])
	}
	// For ever: it is interrupted in time.
	g.load(t,
		0x10000061, // adr x1, .+12
		0xb9000022, // str w2, [x1]
		0x17fffffe, // b .-8
	)
	r = g.regs()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begun := time.Now()
	x, err := g.engine.Run(ctx, &r, cpu.Stop{})
	if d := time.Since(begun); err != nil || x.Kind != cpu.Interrupted || d > 2*time.Second {
		t.Errorf("%+v, %v after %v", x, err, d)
	}
}

// TestProtectedCode takes execution away from code that has run.
func TestProtectedCode(t *testing.T) {
	g := newGuest(t)
	g.load(t, 0x91000400)
	page := efi.Range{Start: codeAt, End: codeAt + efi.PageSize}
	for range 3 {
		r := g.regs()
		if x, err := g.engine.Run(t.Context(), &r, cpu.Stop{}); err != nil || x.Kind != cpu.Gate {
			t.Fatalf("%+v, %v", x, err)
		}
		if err := g.mem.Protect(page, mem.Readable|mem.Writable); err != nil {
			t.Fatal(err)
		}
		r = g.regs()
		x, err := g.engine.Run(t.Context(), &r, cpu.Stop{})
		want := cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: codeAt, Access: mem.Executable}
		if err != nil || x != want {
			t.Fatalf("%+v, %v", x, err)
		}
		if err := g.mem.Protect(page, mem.ReadWriteExec); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRounding has FPCR ask for what the engine has not.
func TestRounding(t *testing.T) {
	g := newGuest(t)
	g.load(t, 0xd51b4400, 0x1e622820) // msr fpcr, x0; fadd d0, d1, d2
	r := g.regs()
	r.GP[0] = 3 << 22
	x, err := g.engine.Run(t.Context(), &r, cpu.Stop{})
	if err != nil || x.Kind != cpu.Fault || x.Cause != cpu.Illegal || !strings.HasPrefix(x.Inst, "fadd") {
		t.Errorf("%+v, %v", x, err)
	}
}
