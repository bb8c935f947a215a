// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// spinTraps prepares the child to stop at a breakpoint each time it is resumed.
func (e *engine) spinTraps(b *testing.B) {
	if err := e.load(e.start(b, 0xcc, 0xeb, 0xfd)); err != nil { // int3; jmp .-1
		b.Fatal(err)
	}
}

// roundTrip is the least that a stop of the child costs.
func (e *engine) roundTrip(b *testing.B) {
	unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SYSEMU, uintptr(e.pid), 0, 0, 0, 0)
	if ws, err := e.wait(); err != nil || ws.StopSignal() != unix.SIGTRAP {
		b.Fatalf("status %#x, %v", ws, err)
	}
}

// gateCall has the guest jump to a gate.
func (e *engine) gateCall(b *testing.B, r *cpu.Regs) {
	r.PC = uint64(codeAt)
	if x, err := e.Run(b.Context(), r, cpu.Stop{}); err != nil || x.Kind != cpu.Gate {
		b.Fatalf("exit %+v, %v", x, err)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	e := open(b)
	e.spinTraps(b)
	for b.Loop() {
		e.roundTrip(b)
	}
}

// BenchmarkRunGate is what a service call costs without the service. The ratio
// to a bare round trip is measured beside it, in turns, as machines are noisy.
func BenchmarkRunGate(b *testing.B) {
	e := open(b)
	r := e.start(b, toGate...)
	b.ReportAllocs()
	for b.Loop() {
		e.gateCall(b, r)
	}
	b.StopTimer()
	b.ReportMetric(e.ratio(b), "roundtrips/op")
}

func (e *engine) ratio(b *testing.B) float64 {
	const turns, calls = 101, 100
	var bare, run [turns]time.Duration
	for i := range turns {
		e.spinTraps(b)
		start := time.Now()
		for range calls {
			e.roundTrip(b)
		}
		bare[i] = time.Since(start)

		r := e.start(b, toGate...)
		start = time.Now()
		for range calls {
			e.gateCall(b, r)
		}
		run[i] = time.Since(start)
	}
	slices.Sort(bare[:])
	slices.Sort(run[:])
	return float64(run[turns/2]) / float64(bare[turns/2])
}

// BenchmarkRunPort is what a privileged instruction costs.
func BenchmarkRunPort(b *testing.B) {
	e := open(b)
	r := e.start(b, 0xec) // inb (%dx), %al
	b.ReportAllocs()
	for b.Loop() {
		r.PC = uint64(codeAt)
		if x, err := e.Run(b.Context(), r, cpu.Stop{}); err != nil || x.Kind != cpu.Port {
			b.Fatalf("exit %+v, %v", x, err)
		}
	}
}

// BenchmarkStep is what an instruction costs that is stepped.
func BenchmarkStep(b *testing.B) {
	e := open(b)
	r := e.start(b, spinning...)
	for b.Loop() {
		if x, err := e.Run(b.Context(), r, cpu.Stop{Steps: 1}); err != nil || x.Kind != cpu.Step {
			b.Fatalf("exit %+v, %v", x, err)
		}
	}
}

// BenchmarkFP is what it costs to read the floating-point state.
func BenchmarkFP(b *testing.B) {
	e := open(b)
	var fp cpu.FPState
	for b.Loop() {
		if err := e.FP(&fp); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProtect is what a change of a page's protection costs.
func BenchmarkProtect(b *testing.B) {
	e := open(b)
	for n := 0; b.Loop(); n++ {
		e.note(e.gates, 5)
		if err := e.protect(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNew is what an engine costs, from New to Close.
func BenchmarkNew(b *testing.B) {
	needPtrace(b)
	config := newConfig(b)
	for b.Loop() {
		e, err := New(config)
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
