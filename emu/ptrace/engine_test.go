// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"bytes"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const (
	ramBase = 0x100000
	ramSize = 1 << 20
	gateAt  = 0x180000
)

func open(t testing.TB) (*engine, *mem.Memory) {
	t.Helper()
	m, err := mem.New(efi.Range{Start: ramBase, End: ramBase + ramSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Write(gateAt, bytes.Repeat([]byte{0xcc}, 4096)); err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: efi.Range{Start: gateAt, End: gateAt + 4096}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, m
}

func TestFirst(t *testing.T) {
	e, m := open(t)
	m.Write(ramBase, []byte{
		0x48, 0xff, 0xc0, // inc rax
		0xff, 0xe1, // jmp rcx
	})
	r := cpu.Regs{PC: ramBase}
	r.GP[cpu.RAX] = 41
	r.GP[cpu.RCX] = gateAt + 32
	x, err := e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	m.Write(ramBase, []byte{0x0f, 0x34})
	r.PC = ramBase
	r.GP[cpu.RSP] = ramBase + 0x8000
	r.GP[cpu.RBP] = ramBase + 0x8000
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	r.PC = ramBase
	r.GP[cpu.RSP] = 1 << 50
	r.GP[cpu.RBP] = 1 << 51
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	m.Write(ramBase, []byte{0x0f, 0x05})
	r.PC = ramBase
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	m.Write(ramBase, []byte{0xcd, 0x80})
	r.PC = ramBase
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	m.Write(ramBase, []byte{0xff, 0xd1})
	r.PC = ramBase
	r.GP[cpu.RSP] = ramBase + 0x8000
	r.GP[cpu.RCX] = vsyscallPage
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	m.Write(ramBase, []byte{0xec, 0xec})
	r.PC = ramBase
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
	r.PC = 0
	x, err = e.Run(t.Context(), &r, cpu.Stop{})
	t.Logf("%+v %v %#x", x, err, r)
}

func BenchmarkRunGate(b *testing.B) {
	e, m := open(b)
	m.Write(ramBase, []byte{0xff, 0xe1}) // jmp rcx
	r := cpu.Regs{}
	r.GP[cpu.RCX] = gateAt + 32
	b.ReportAllocs()
	for b.Loop() {
		r.PC = ramBase
		x, err := e.Run(b.Context(), &r, cpu.Stop{})
		if err != nil || x.Kind != cpu.Gate {
			b.Fatal(x, err)
		}
	}
}
