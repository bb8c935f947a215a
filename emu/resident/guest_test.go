// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

// The memory of the tests' guests.
const (
	ramAt    efi.Addr = 0x100000
	ramEnd   efi.Addr = 0x800000
	codeAt   efi.Addr = 0x100000
	dataAt   efi.Addr = 0x200000 // up to the stack, for the test
	stackAt  efi.Addr = 0x700000
	stackTop efi.Addr = 0x710000
	gateAt   efi.Addr = 0x7f0000
)

// guest runs functions of a blob, for real, on the processor of the host.
type guest struct {
	testing.TB
	mem    *mem.Memory
	engine cpu.Engine
	deep   efi.Addr // how far down the stack was used, by all calls
}

// newGuest makes a guest with RAM at [ramAt, ramEnd) and whatever is asked for
// beside. It skips where processes cannot be traced, and where the processor is
// not an x86-64, unless UEFIEXEC_NOSKIP says that it must not.
func newGuest(t testing.TB, ram ...efi.Range) *guest {
	t.Helper()
	m, err := mem.New(append(ram, efi.Range{Start: ramAt, End: ramEnd})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	gates := efi.Range{Start: gateAt, End: gateAt + efi.PageSize}
	if err := m.Write(gateAt, bytes.Repeat(cpu.AMD64.Gate(), efi.PageSize)); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	engine, err := ptrace.New(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: gates})
	switch {
	case errors.Is(err, cpu.ErrNotSupported) && os.Getenv("UEFIEXEC_NOSKIP") != "1":
		t.Skipf("nothing to run resident code on: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return &guest{TB: t, mem: m, engine: engine, deep: stackTop}
}

// stackFill is what the stack holds before a call.
const stackFill = 0xa5

// call calls the function at fn by UEFI's calling convention.
func (g *guest) call(fn efi.Addr, args ...uint64) efi.Status {
	g.Helper()
	var r cpu.Regs
	for i := range r.GP[:16] {
		r.GP[i] = 0x1111111111111111 * uint64(i)
	}
	r.GP[cpu.RSP], r.Flags = uint64(stackTop), 0x202
	abi := cpu.AMD64.ABI()
	if err := abi.Call(g.mem, &r, fn, gateAt, args...); err != nil {
		g.Fatal(err)
	}
	return efi.Status(g.run(r))
}

// callSysV calls the function at fn by the calling convention of the trampoline's
// own functions.
func (g *guest) callSysV(fn efi.Addr, args ...uint64) {
	g.Helper()
	r := cpu.Regs{PC: uint64(fn), Flags: 0x202}
	r.GP[cpu.RSP] = uint64(stackTop) - 8
	g.setWord(stackTop-8, uint64(gateAt))
	for i, v := range args {
		r.GP[[]int{cpu.RDI, cpu.RSI, cpu.RDX, cpu.RCX}[i]] = v
	}
	g.finish(&r)
}

// finish runs from r until the function returns.
func (g *guest) finish(r *cpu.Regs) {
	g.Helper()
	below := r.GP[cpu.RSP] - uint64(stackAt)
	stack, err := g.mem.Edit(stackAt, below)
	if err != nil {
		g.Fatal(err)
	}
	for i := range stack[below-2048:] {
		stack[below-2048:][i] = stackFill
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	exit, err := g.engine.Run(ctx, r, cpu.Stop{})
	if err != nil {
		g.Fatal(err)
	}
	if exit.Kind != cpu.Gate || r.PC != uint64(gateAt) {
		g.Fatalf("the function has not returned: %+v, pc %#x, registers %#x", exit, r.PC, r.GP)
	}
	for i, b := range stack[below-2048:] {
		if b != stackFill {
			g.deep = min(g.deep, stackAt+efi.Addr(below-2048+uint64(i)))
			break
		}
	}
}

// run runs from r, at the start of a function, until that returns, and gives
// its result. What a call preserves is checked.
func (g *guest) run(r cpu.Regs) uint64 {
	g.Helper()
	before, fp := r, cpu.FPState{Ctrl: 0x1f80, X87: 0x37f}
	for i := range fp.V[:16] {
		fp.V[i] = [16]byte{byte(i), 1, 2, 3, 14: 0xee, 15: byte(i)}
	}
	if err := g.engine.SetFP(&fp); err != nil {
		g.Fatal(err)
	}
	g.finish(&r)
	before.GP[cpu.RSP] += 8
	for _, i := range cpu.AMD64.ABI().Preserved {
		if r.GP[i] != before.GP[i] {
			g.Fatalf("%s was %#x and is %#x", cpu.AMD64.RegName(i), before.GP[i], r.GP[i])
		}
	}
	const state = 0x200 | 0x400 // IF, DF
	if r.Flags&state != before.Flags&state {
		g.Fatalf("flags were %#x and are %#x", before.Flags, r.Flags)
	}
	var after cpu.FPState
	if err := g.engine.FP(&after); err != nil {
		g.Fatal(err)
	}
	after.Status = fp.Status
	if after != fp {
		g.Fatalf("vector state was %v and is %v", fp, after)
	}
	return r.GP[cpu.RAX]
}

// want calls the function at fn and checks what it returns.
func (g *guest) want(status efi.Status, fn efi.Addr, args ...uint64) {
	g.Helper()
	if got := g.call(fn, args...); got != status {
		g.Fatalf("got %v, want %v", got, status)
	}
}

func (g *guest) write(a efi.Addr, b []byte) {
	g.Helper()
	if err := g.mem.Write(a, b); err != nil {
		g.Fatal(err)
	}
}

// read is a copy of guest memory.
func (g *guest) read(a efi.Addr, n uint64) []byte {
	g.Helper()
	view, err := g.mem.Read(a, n)
	if err != nil {
		g.Fatal(err)
	}
	return bytes.Clone(view)
}

func (g *guest) word(a efi.Addr) uint64 {
	g.Helper()
	return binary.LittleEndian.Uint64(g.read(a, 8))
}

func (g *guest) setWord(a efi.Addr, v uint64) {
	g.Helper()
	g.write(a, binary.LittleEndian.AppendUint64(nil, v))
}
