// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

func TestFetchFaults(t *testing.T) {
	rows := []struct {
		name  string
		pc    efi.Addr
		bytes string
		cause cpu.Cause
	}{
		{"no memory", 0x1000, "", cpu.PageFault},
		{"not executable", code + 0x2000, "", cpu.PageFault},
		{"zeros", code, "", cpu.Illegal},
		{"instructions", code, "\x48\x89\xc8\xc3", cpu.Illegal},
		{"no such function", code, "\x0f\x0b\x00\x00PUPT\x01\x00\x00\x00\x00\x00\x00\x00", cpu.Illegal},
		{"no such function, negative", code, "\x0f\x0b\x00\x00PUPT\xff\xff\xff\xff\xff\xff\xff\xff", cpu.Illegal},
		{"end of memory", ramEnd - 8, "\x0f\x0b\x00\x00PUPT", cpu.Illegal},
		{"continuation of no call", puppet.Continuations, "", cpu.PageFault},
		{"inside of a continuation", puppet.Continuations + 1, "", cpu.PageFault},
	}
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		p.Func(func(*puppet.Thread) uint64 { return 0 })
		if err := m.mem.Protect(efi.Range{Start: code + 0x2000, End: code + 0x3000}, mem.Readable); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := m.mem.Write(code, make([]byte, puppet.CodeSize)); err != nil {
				t.Fatal(err)
			}
			if row.bytes != "" {
				if err := m.mem.Write(row.pc, []byte(row.bytes)); err != nil {
					t.Fatal(err)
				}
			}
			m.enter(t, row.pc)
			before := m.regs
			x, err := m.run(t.Context(), cpu.Stop{})
			want := cpu.Exit{Kind: cpu.Fault, Cause: row.cause, Addr: row.pc, Access: mem.Executable}
			if err != nil || x != want || m.regs != before {
				t.Errorf("%s: %+v, %v, registers %+v", row.name, x, err, m.regs)
			}
		}
	})
}

// An access that is not possible faults until it is.
func TestDataFault(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		page := efi.Range{Start: code + 0x2000, End: code + 0x3000}
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			puppet.Store(th, efi.Ptr[uint32](page.Start+4), 5)
			th.Fault(0x7777, mem.Executable)
			return uint64(puppet.Load(th, efi.Ptr[uint32](page.Start+4)))
		})
		if err := m.mem.Protect(page, mem.Readable); err != nil {
			t.Fatal(err)
		}
		m.enter(t, fn)
		want := cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: page.Start + 4, Access: mem.Writable}
		for range 3 {
			x, err := m.run(t.Context(), cpu.Stop{})
			if err != nil || x != want || m.regs.PC != uint64(fn)+8 {
				t.Fatalf("Run: %+v, %v, pc %#x", x, err, m.regs.PC)
			}
		}
		if err := m.mem.Protect(page, mem.ReadWriteExec); err != nil {
			t.Fatal(err)
		}
		if x, err := m.run(t.Context(), cpu.Stop{}); err != nil || x.Addr != 0x7777 || x.Access != mem.Executable {
			t.Fatalf("Run: %+v, %v", x, err)
		}
		if x, err := m.run(t.Context(), cpu.Stop{}); err != nil || x.Kind != cpu.Gate {
			t.Fatalf("Run: %+v, %v", x, err)
		}
		if r := m.regs.GP[m.abi.Result]; r != 5 {
			t.Errorf("result %d", r)
		}
	})
}

// A return address that cannot be read is a fault of the function.
func TestReturnFault(t *testing.T) {
	p := new(puppet.Puppet)
	m := newMachine(t, p, cpu.AMD64)
	fn := m.add(t, p, func(*puppet.Thread) uint64 { return 9 })
	m.enter(t, fn)
	sp := efi.Addr(m.regs.GP[cpu.RSP])
	page := efi.Range{Start: sp.PageDown(), End: sp.PageDown() + efi.PageSize}
	if err := m.mem.Protect(page, 0); err != nil {
		t.Fatal(err)
	}
	x, err := m.run(t.Context(), cpu.Stop{})
	if err != nil || x.Kind != cpu.Fault || x.Addr != sp || m.regs.GP[cpu.RSP] != uint64(sp) {
		t.Fatalf("Run: %+v, %v", x, err)
	}
	if err := m.mem.Protect(page, mem.ReadWriteExec); err != nil {
		t.Fatal(err)
	}
	if x, err := m.run(t.Context(), cpu.Stop{}); err != nil || x.Kind != cpu.Gate || m.regs.GP[cpu.RAX] != 9 {
		t.Fatalf("Run: %+v, %v", x, err)
	}
}

func TestExits(t *testing.T) {
	exits := []cpu.Exit{
		{Kind: cpu.Port, Number: 0x70, Width: 1},
		{Kind: cpu.Port, Number: 0x80, Width: 4, Out: true, Value: 3},
		{Kind: cpu.MSR, Number: 0xc0010131},
		{Kind: cpu.Halt},
		{Kind: cpu.System, Op: cpu.ReadCR, Reg: cpu.RBX},
		{Kind: cpu.Fault, Cause: cpu.Arithmetic},
	}
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			for i, x := range exits {
				th.Regs().GP[5] = uint64(i)
				th.Exit(x)
				if got := th.Regs().GP[cpu.RBX]; got != uint64(100+i) {
					t.Errorf("answer to %v is %d", x.Kind, got)
				}
			}
			return 1
		})
		m.enter(t, fn)
		for i, want := range exits {
			x, err := m.run(t.Context(), cpu.Stop{})
			if err != nil || x != want || m.regs.GP[5] != uint64(i) {
				t.Fatalf("Run: %+v, %v, want %+v", x, err, want)
			}
			m.regs.GP[cpu.RBX] = uint64(100 + i)
		}
		if x, err := m.run(t.Context(), cpu.Stop{}); err != nil || x.Kind != cpu.Gate {
			t.Fatalf("Run: %+v, %v", x, err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(func(int) uint64) uint64 { return 0 }
		spin := m.add(t, p, func(th *puppet.Thread) uint64 {
			th.Spin()
			return 4
		})
		m.enter(t, spin)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		for range 2 { // a context that stays done executes nothing
			if x, err := m.run(ctx, cpu.Stop{}); err != nil || x.Kind != cpu.Interrupted {
				t.Fatalf("Run: %+v, %v", x, err)
			}
		}
		if x, err := m.run(t.Context(), cpu.Stop{}); err != nil || x.Kind != cpu.Gate || m.regs.GP[m.abi.Result] != 4 {
			t.Fatalf("Run: %+v, %v", x, err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		calls := 0
		m.services[2] = func(func(int) uint64) uint64 {
			if calls++; calls == 5 {
				cancel()
			}
			return 0
		}
		m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 {
			for {
				th.Call(efi.Addr(gate(2)))
			}
		}))
		if x, err := m.run(ctx, cpu.Stop{}); err != nil || x.Kind != cpu.Interrupted || calls != 5 {
			t.Fatalf("Run: %+v, %v after %d calls", x, err, calls)
		}
	})
}

func TestSteps(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(func(int) uint64) uint64 { return 0 }
		leaf := m.add(t, p, func(*puppet.Thread) uint64 { return 0 })
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			th.Call(leaf)
			th.Call(efi.Addr(gate(1)))
			th.Exit(cpu.Exit{Kind: cpu.Halt})
			th.Spin()
			return 0
		})
		m.enter(t, fn)
		kinds := func(stop cpu.Stop, n int) (kinds []cpu.Kind) {
			for range n {
				x, err := m.run(t.Context(), stop)
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, x.Kind)
			}
			return kinds
		}
		one := kinds(cpu.Stop{Steps: 1}, 8)
		want := []cpu.Kind{
			cpu.Step, // fn to leaf
			cpu.Step, // leaf to fn
			cpu.Step, // fn to the gate, which run serves
			cpu.Step, // fn to its hlt
			cpu.Halt,
			cpu.Step, // fn to its loop
			cpu.Step, // in which it stays
			cpu.Step,
		}
		for i := range want {
			if one[i] != want[i] {
				t.Fatalf("exits %v, want %v", one, want)
			}
		}

		m.enter(t, fn)
		if k := kinds(cpu.Stop{Steps: 2}, 1); k[0] != cpu.Step || m.regs.PC < uint64(puppet.Continuations) {
			t.Errorf("after two steps %v at %#x", k, m.regs.PC)
		}
	})
}

func TestBreakAndWatch(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		data := efi.Ptr[uint32](code + 0x3000)
		leaf := m.add(t, p, func(th *puppet.Thread) uint64 {
			puppet.Store(th, data+4, 1)
			return 0
		})
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			th.Call(leaf)
			th.Call(leaf)
			return 0
		})
		m.enter(t, fn)
		stop := cpu.Stop{Break: []efi.Addr{leaf, fn}, Watch: []efi.Addr{data.Addr() + 7}}
		want := []cpu.Exit{
			{Kind: cpu.Break, Addr: leaf},
			{Kind: cpu.Break, Addr: data.Addr() + 7},
			{Kind: cpu.Break, Addr: leaf},
			{Kind: cpu.Break, Addr: data.Addr() + 7},
			{Kind: cpu.Gate},
		}
		for i := range want {
			x, err := m.run(t.Context(), stop)
			if err != nil || x != want[i] {
				t.Fatalf("exit %d: %+v, %v, want %+v", i, x, err, want[i])
			}
			if err := mem.Store(m.mem, data, 3); err != nil { // the host's writes are not the guest's
				t.Fatal(err)
			}
		}
	})
}

func TestFP(t *testing.T) {
	for _, arch := range arches {
		m := newMachine(t, new(puppet.Puppet), arch)
		var s cpu.FPState
		if err := m.eng.FP(&s); err != nil || s != cpu.InitialFP(arch) {
			t.Errorf("%v: %+v, %v", arch, s, err)
		}
		s.V[3][4] = 5
		if err := m.eng.SetFP(&s); err != nil {
			t.Error(err)
		}
		var got cpu.FPState
		if err := m.eng.FP(&got); err != nil || got != s {
			t.Errorf("%v: %+v, %v", arch, got, err)
		}
	}
}

func TestNewErrors(t *testing.T) {
	p := new(puppet.Puppet)
	low, err := mem.New(efi.Range{Start: ram, End: ramEnd})
	if err != nil {
		t.Fatal(err)
	}
	defer low.Close()
	high, err := mem.New(efi.Range{Start: puppet.Continuations - 0x1000, End: puppet.Continuations + 0x1000})
	if err != nil {
		t.Fatal(err)
	}
	defer high.Close()
	rows := []struct {
		name         string
		cfg          cpu.Config
		notSupported bool
	}{
		{"architecture", cpu.Config{Arch: 9, Memory: low}, true},
		{"no memory", cpu.Config{Arch: cpu.AMD64}, false},
		{"memory", cpu.Config{Arch: cpu.AMD64, Memory: high}, false},
		{"gates", cpu.Config{Arch: cpu.AMD64, Memory: low,
			Gates: efi.Range{Start: puppet.Continuations, End: puppet.Continuations + 0x1000}}, false},
	}
	for _, row := range rows {
		if _, err := p.New(row.cfg); err == nil || errors.Is(err, cpu.ErrNotSupported) != row.notSupported {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
