// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// Where things lie in the tests' guest: a page of code, the stack, the gates.
const (
	ram      efi.Addr = 0x100000
	code     efi.Addr = 0x101000
	stackTop efi.Addr = 0x1e0000
	gates    efi.Addr = 0x1f0000
	ramEnd   efi.Addr = 0x200000
)

var arches = []cpu.Arch{cpu.AMD64, cpu.ARM64}

// gate is the address of the i-th gate. A return to gate 0 ends machine.call.
func gate(i int) uint64 { return uint64(gates) + uint64(i)*cpu.GateSize }

// machine is as little of one as the engine can be driven by.
type machine struct {
	arch     cpu.Arch
	abi      *cpu.ABI
	mem      *mem.Memory
	eng      cpu.Engine
	regs     cpu.Regs
	services map[int]func(arg func(i int) uint64) uint64 // by gate
	next     efi.Addr                                    // free code
}

func newMachine(t testing.TB, p *puppet.Puppet, arch cpu.Arch) *machine {
	t.Helper()
	m := &machine{arch: arch, abi: arch.ABI(), next: code, services: map[int]func(func(int) uint64) uint64{}}
	var err error
	if m.mem, err = mem.New(efi.Range{Start: ram, End: ramEnd}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.mem.Close() })
	var newEngine cpu.New = p.New
	m.eng, err = newEngine(cpu.Config{Arch: arch, Memory: m.mem, Gates: efi.Range{Start: gates, End: gates + 0x1000}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.eng.Close() })
	m.regs.GP[m.abi.Stack] = uint64(stackTop)
	return m
}

// add puts a function's code into the guest and returns its address.
func (m *machine) add(t testing.TB, p *puppet.Puppet, f func(*puppet.Thread) uint64) efi.Addr {
	t.Helper()
	at, bytes := m.next, p.Func(f)
	if err := m.mem.Write(at, bytes[:]); err != nil {
		t.Fatal(err)
	}
	m.next += puppet.CodeSize
	return at
}

// enter makes the registers call fn, to return to gate 0.
func (m *machine) enter(t testing.TB, fn efi.Addr, args ...uint64) {
	t.Helper()
	if err := m.abi.Call(m.mem, &m.regs, fn, efi.Addr(gate(0)), args...); err != nil {
		t.Fatal(err)
	}
}

// run serves gates until gate 0, another exit or an error.
func (m *machine) run(ctx context.Context, stop cpu.Stop) (cpu.Exit, error) {
	for {
		x, err := m.eng.Run(ctx, &m.regs, stop)
		if err != nil || x.Kind != cpu.Gate || m.regs.PC == gate(0) {
			return x, err
		}
		if err := m.serve(); err != nil {
			return x, err
		}
	}
}

// serve answers the gate that the guest has stopped at.
func (m *machine) serve() error {
	f := m.services[int((m.regs.PC-gate(0))/cpu.GateSize)]
	if f == nil {
		return fmt.Errorf("no service at %#x", m.regs.PC)
	}
	var failed error
	result := f(func(i int) uint64 {
		v, err := m.abi.Arg(m.mem, &m.regs, i)
		if err != nil {
			failed = err
		}
		return v
	})
	if failed != nil {
		return failed
	}
	return m.abi.Return(m.mem, &m.regs, result)
}

// call runs fn to its end and returns its result.
func (m *machine) call(t testing.TB, fn efi.Addr, args ...uint64) uint64 {
	t.Helper()
	m.enter(t, fn, args...)
	x, err := m.run(t.Context(), cpu.Stop{})
	if err != nil || x.Kind != cpu.Gate {
		t.Fatalf("Run: %+v, %v", x, err)
	}
	return m.regs.GP[m.abi.Result]
}

// noLeaks fails the test if there are more goroutines at its end than now.
func noLeaks(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before,
					stacks[:runtime.Stack(stacks, true)])
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// eachArch runs a test for each guest architecture, with a guard against leaks
// that looks when the machine is closed.
func eachArch(t *testing.T, test func(t *testing.T, p *puppet.Puppet, m *machine)) {
	t.Helper()
	for _, arch := range arches {
		t.Run(arch.String(), func(t *testing.T) {
			noLeaks(t)
			p := new(puppet.Puppet)
			test(t, p, newMachine(t, p, arch))
		})
	}
}
