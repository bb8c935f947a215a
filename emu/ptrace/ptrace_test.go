// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/cpu/cputest"
	"github.com/uefiexec/uefiexec/emu/mem"
)

func TestEngine(t *testing.T) {
	needPtrace(t)
	cputest.TestEngine(t, New, cpu.AMD64)
}

// needPtrace skips where the system forbids what the engine needs, unless
// UEFIEXEC_NOSKIP says that it must not.
func needPtrace(t testing.TB) {
	t.Helper()
	err := Available()
	switch {
	case err == nil:
	case errors.Is(err, cpu.ErrNotSupported) && os.Getenv("UEFIEXEC_NOSKIP") != "1":
		t.Skipf("ptrace is forbidden here: %v", err)
	default:
		t.Fatal(err)
	}
}

// The memory of the tests' guests.
const (
	ramAt  efi.Addr = 0x100000
	ramEnd efi.Addr = 0x200000
	codeAt efi.Addr = 0x100000
	dataAt efi.Addr = 0x110000
	stack  efi.Addr = 0x130000
	gateAt efi.Addr = 0x180000
)

func newConfig(t testing.TB, ram ...efi.Range) cpu.Config {
	t.Helper()
	m, err := mem.New(append(ram, efi.Range{Start: ramAt, End: ramEnd})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	gates := efi.Range{Start: gateAt, End: gateAt + efi.PageSize}
	if err := m.Write(gates.Start, bytes.Repeat(cpu.AMD64.Gate(), int(gates.Size()))); err != nil {
		t.Fatal(err)
	}
	return cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: gates}
}

// open makes an engine on the calling goroutine.
func open(t testing.TB, ram ...efi.Range) *engine {
	t.Helper()
	needPtrace(t)
	return reopen(t, ram...)
}

// reopen is open where it is known that ptrace is allowed.
func reopen(t testing.TB, ram ...efi.Range) *engine {
	t.Helper()
	e, err := newEngine(newConfig(t, ram...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// start writes code and returns registers to run it with.
func (e *engine) start(t testing.TB, code ...byte) *cpu.Regs {
	t.Helper()
	if err := e.mem.Write(codeAt, code); err != nil {
		t.Fatal(err)
	}
	r := &cpu.Regs{PC: uint64(codeAt), Flags: 0x202}
	r.GP[cpu.RSP] = uint64(stack)
	r.GP[cpu.RCX] = uint64(gateAt)
	return r
}

var (
	toGate   = []byte{0xff, 0xe1}             // jmpq *%rcx
	spinning = []byte{0xeb, 0xfe}             // jmp .
	sysCall  = []byte{0x0f, 0x05, 0xff, 0xe1} // syscall; jmpq *%rcx
)

func (e *engine) mustRun(t testing.TB, r *cpu.Regs, kind cpu.Kind) cpu.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	x, err := e.Run(ctx, r, cpu.Stop{})
	if err != nil {
		t.Fatal(err)
	}
	if x.Kind != kind {
		t.Fatalf("exit %+v at %#x, want a %v", x, r.PC, kind)
	}
	return x
}

func TestRefusals(t *testing.T) {
	needPtrace(t)
	good := newConfig(t)
	for name, c := range map[string]struct {
		change       func(*cpu.Config)
		notSupported bool
	}{
		"architecture":  {func(c *cpu.Config) { c.Arch = cpu.ARM64 }, true},
		"kernel's half": {func(c *cpu.Config) { c.Memory = newConfig(t, efi.Range{Start: 1 << 47, End: 1<<47 + 0x1000}).Memory }, true},
		"no gates":      {func(c *cpu.Config) { c.Gates = efi.Range{} }, false},
		"odd gates":     {func(c *cpu.Config) { c.Gates.End++ }, false},
		"empty gates":   {func(c *cpu.Config) { c.Gates = efi.Range{Start: dataAt, End: dataAt + efi.PageSize} }, false},
		"gates nowhere": {func(c *cpu.Config) { c.Gates = efi.Range{Start: 1 << 40, End: 1<<40 + efi.PageSize} }, false},
	} {
		config := good
		c.change(&config)
		e, err := New(config)
		if err == nil {
			e.Close()
			t.Errorf("%s: an engine was made", name)
		} else if errors.Is(err, cpu.ErrNotSupported) != c.notSupported {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGadgetMakesRoom puts RAM where the gadget would lie.
func TestGadgetMakesRoom(t *testing.T) {
	e := open(t, efi.Range{Start: 0x7dff_fff0_0000, End: 0x7e00_0010_0000}, efi.Range{Start: 0x7dff_ff00_0000, End: 0x7dff_ff10_0000})
	for _, r := range e.mem.Ranges() {
		if r.Contains(efi.Addr(e.gadget)) {
			t.Fatalf("the gadget at %#x lies in RAM %v", e.gadget, r)
		}
	}
	r := e.start(t, toGate...)
	e.mustRun(t, r, cpu.Gate)
}

// TestLowPages is about RAM at addresses that unprivileged processes cannot map.
func TestLowPages(t *testing.T) {
	e := open(t, efi.Range{Start: 0, End: 0x8_0000})
	r := e.start(t, 0x48, 0x8b, 0x02, 0xff, 0xe1) // movq (%rdx), %rax; jmpq *%rcx
	r.GP[cpu.RDX] = 0x2_0000
	e.mustRun(t, r, cpu.Gate)

	r = e.start(t, 0x48, 0x8b, 0x02, 0xff, 0xe1)
	r.GP[cpu.RDX] = 0
	if e.mapped[0].Start == 0 {
		e.mustRun(t, r, cpu.Gate)
	} else if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.PageFault || x.Addr != 0 || x.Access != mem.Readable {
		t.Fatalf("exit %+v", x)
	}
	if err := e.mem.Protect(efi.Range{Start: 0, End: 0x8_0000}, mem.Readable); err != nil {
		t.Fatal(err)
	}
	r = e.start(t, toGate...)
	e.mustRun(t, r, cpu.Gate)
}

func TestAlignment(t *testing.T) {
	e := open(t)
	r := e.start(t, 0x48, 0x8b, 0x02) // movq (%rdx), %rax
	r.Flags |= 1 << 18                // AC
	r.GP[cpu.RDX] = uint64(dataAt + 1)
	if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.Alignment || r.PC != uint64(codeAt) {
		t.Fatalf("exit %+v at %#x", x, r.PC)
	}
}

// TestBadFP gives what the processor does not take.
func TestBadFP(t *testing.T) {
	e := open(t)
	fp := cpu.InitialFP(cpu.AMD64)
	fp.Ctrl = 1<<32 - 1
	if err := e.SetFP(&fp); err == nil {
		t.Error("an MXCSR of all ones was taken")
	}
	r := e.start(t, toGate...)
	e.mustRun(t, r, cpu.Gate)
}

// TestBases sets what the kernel does not take, and what only the guest can set.
func TestBases(t *testing.T) {
	e := open(t)
	r := e.start(t, 0xf3, 0x48, 0x0f, 0xae, 0xd2, 0xff, 0xe1) // wrfsbase %rdx; jmpq *%rcx
	r.GP[cpu.RDX] = 0xffff_8000_0000_0000
	x, err := e.Run(t.Context(), r, cpu.Stop{})
	if err != nil {
		t.Fatal(err)
	}
	if x.Cause == cpu.Illegal {
		t.Skip("this processor has no wrfsbase")
	}
	want := [2]uint64{0xffff_8000_0000_0000, 0}
	if r.Base != want {
		t.Fatalf("bases are %#x", r.Base)
	}
	r.PC = uint64(codeAt) + 5
	e.mustRun(t, r, cpu.Gate)
	if r.Base != want {
		t.Fatalf("bases are %#x", r.Base)
	}
	r.PC, r.Base = uint64(codeAt)+5, [2]uint64{0x1000, 0x2000}
	e.mustRun(t, r, cpu.Gate)
	r.Base[0] = 1 << 63
	r.PC = uint64(codeAt)
	if x, err := e.Run(t.Context(), r, cpu.Stop{}); err == nil {
		t.Fatalf("base %#x was taken: %+v", r.Base[0], x)
	}
}

func TestTooManyStops(t *testing.T) {
	e := open(t)
	r := e.start(t, toGate...)
	if _, err := e.Run(t.Context(), r, cpu.Stop{Break: make([]efi.Addr, 3), Watch: make([]efi.Addr, 2)}); err == nil {
		t.Fatal("five addresses were taken")
	}
	e.mustRun(t, r, cpu.Gate)
}

// TestNoDebugRegs is a system that has no debug registers to give.
func TestNoDebugRegs(t *testing.T) {
	e := open(t)
	e.debug.absent = true
	r := e.start(t, 0x90, 0x90, 0x90, 0xff, 0xe1)
	for _, want := range []efi.Addr{codeAt + 1, codeAt + 3} {
		x, err := e.Run(t.Context(), r, cpu.Stop{Break: []efi.Addr{codeAt, codeAt + 1, codeAt + 3}})
		if err != nil || x.Kind != cpu.Break || x.Addr != want || r.PC != uint64(want) {
			t.Fatalf("exit %+v at %#x, %v", x, r.PC, err)
		}
	}
	e.mustRun(t, r, cpu.Gate)
	if _, err := e.Run(t.Context(), e.start(t, toGate...), cpu.Stop{Watch: []efi.Addr{dataAt}}); err == nil {
		t.Fatal("a watchpoint was taken")
	}
}
