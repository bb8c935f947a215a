// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// The guest's memory. There is RAM in [ramAt, ramEnd) and in [highAt, highEnd).
const (
	ramAt   efi.Addr = 0x100000
	ramEnd  efi.Addr = 0x200000
	highAt  efi.Addr = 0x140000000 // above 4 GiB
	highEnd efi.Addr = highAt + 0x100000

	codeAt   efi.Addr = 0x100000
	dataAt   efi.Addr = 0x110000 // 16 pages
	stackTop efi.Addr = 0x130000 // 16 pages below it
	gatesAt  efi.Addr = 0x140000
	gatesEnd efi.Addr = 0x142000
	holeAt   efi.Addr = 0x300000 // no RAM

	callGate = gatesAt + cpu.GateSize
	endGate  = gatesAt + 0x1000
)

// patience is how long a guest that should have stopped is waited for.
const patience = 30 * time.Second

// guest is an engine with memory, registers and code.
type guest struct {
	*testing.T
	rule      string
	arch      cpu.Arch
	abi       *cpu.ABI
	mem       *mem.Memory
	newEngine cpu.New
	engine    cpu.Engine
	ctx       context.Context
	r         cpu.Regs
}

func newGuest(t *testing.T, newEngine cpu.New, arch cpu.Arch, rule string) *guest {
	t.Helper()
	g := &guest{T: t, rule: rule, arch: arch, abi: arch.ABI(), newEngine: newEngine}
	var err error
	if g.mem, err = mem.New(efi.Range{Start: highAt, End: highEnd}, efi.Range{Start: ramAt, End: ramEnd}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.mem.Close() })
	gate := arch.Gate()
	if err := g.mem.Write(gatesAt, bytes.Repeat(gate, int(gatesEnd-gatesAt)/len(gate))); err != nil {
		t.Fatal(err)
	}
	g.engine, err = newEngine(cpu.Config{Arch: arch, Memory: g.mem, Gates: efi.Range{Start: gatesAt, End: gatesEnd}})
	if err != nil {
		t.Fatalf("no engine: %v", err)
	}
	t.Cleanup(func() { g.engine.Close() })
	var cancel func()
	g.ctx, cancel = context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return g
}

// failf fails the test with the rule that was broken.
func (g *guest) failf(format string, args ...any) {
	g.Helper()
	g.Logf("the rule: %s", g.rule)
	g.Fatalf(format, args...)
}

// load puts code at codeAt, with a jump to endGate behind it, and makes the
// guest start there on a fresh stack.
func (g *guest) load(code []byte) {
	g.Helper()
	g.write(codeAt, code)
	end := codeAt + efi.Addr(len(code))
	g.write(end, g.jump(end, endGate))
	g.start()
}

func (g *guest) start() {
	g.r = cpu.Regs{PC: uint64(codeAt)}
	g.r.GP[g.abi.Stack] = uint64(stackTop) - 0x100
	if g.arch == cpu.AMD64 {
		g.r.GP[g.abi.Stack] -= 8 // as behind a call
		g.r.Flags = 0x202
	}
}

// jump is a jump instruction at from.
func (g *guest) jump(from, to efi.Addr) []byte {
	if g.arch == cpu.ARM64 {
		return binary.LittleEndian.AppendUint32(nil, 0x14000000|uint32((to-from)/4)&0x3ffffff) // b
	}
	return binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(to-from-5)) // jmp
}

// run runs the guest.
func (g *guest) run(stop cpu.Stop) cpu.Exit {
	g.Helper()
	return g.runCtx(g.ctx, stop)
}

func (g *guest) runCtx(ctx context.Context, stop cpu.Stop) cpu.Exit {
	g.Helper()
	x, err := g.engine.Run(ctx, &g.r, stop)
	if err != nil {
		g.failf("Run failed: %v", err)
	}
	return x
}

// expect runs the guest until it stops as want says. Text is not compared.
func (g *guest) expect(want cpu.Exit, stop cpu.Stop) cpu.Exit {
	g.Helper()
	got := g.run(stop)
	text := got.Inst
	if got.Inst = want.Inst; got != want {
		got.Inst = text
		g.failf("exit at pc %#x:\ngot  %+v\nwant %+v\nregisters %#x", g.r.PC, got, want, g.r)
	}
	got.Inst = text
	return got
}

// finish runs the guest to endGate.
func (g *guest) finish() {
	g.Helper()
	g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
	g.at(endGate)
}

// at checks the program counter.
func (g *guest) at(want efi.Addr) {
	g.Helper()
	if g.r.PC != uint64(want) {
		g.failf("pc is %#x, want %v", g.r.PC, want)
	}
}

// gp checks a register.
func (g *guest) gp(i int, want uint64) {
	g.Helper()
	if g.r.GP[i] != want {
		g.failf("%s is %#x, want %#x", g.arch.RegName(i), g.r.GP[i], want)
	}
}

func (g *guest) write(a efi.Addr, b []byte) {
	g.Helper()
	if err := g.mem.Write(a, b); err != nil {
		g.Fatal(err)
	}
}

// word checks a word of memory.
func (g *guest) word(a efi.Addr, want uint64) {
	g.Helper()
	got, err := mem.Load(g.mem, efi.Ptr[uint64](a))
	if err != nil {
		g.Fatal(err)
	}
	if got != want {
		g.failf("memory at %v is %#x, want %#x", a, got, want)
	}
}

func (g *guest) setWord(a efi.Addr, v uint64) {
	g.Helper()
	if err := mem.Store(g.mem, efi.Ptr[uint64](a), v); err != nil {
		g.Fatal(err)
	}
}

func (g *guest) protect(a efi.Addr, perm mem.Perm) {
	g.Helper()
	if err := g.mem.Protect(efi.Range{Start: a, End: a + efi.PageSize}, perm); err != nil {
		g.Fatal(err)
	}
}
