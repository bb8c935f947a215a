// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// The guest's memory.
const (
	codeAt  = 0x100000
	dataAt  = 0x110000
	stackAt = 0x130000 // grows down from here
	gateAt  = 0x140000
	ramEnd  = 0x141000
)

// guest is an engine with memory.
type guest struct {
	mem    *mem.Memory
	engine cpu.Engine
}

func newGuest(t testing.TB) *guest {
	t.Helper()
	m, err := mem.New(efi.Range{Start: codeAt, End: ramEnd})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if err := m.Write(gateAt, bytes.Repeat(cpu.ARM64.Gate(), (ramEnd-gateAt)/4)); err != nil {
		t.Fatal(err)
	}
	e, err := a64.New(cpu.Config{Arch: cpu.ARM64, Memory: m, Gates: efi.Range{Start: gateAt, End: ramEnd}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return &guest{m, e}
}

// regs are those with which the guest starts: it returns to a gate.
func (g *guest) regs() cpu.Regs {
	r := cpu.Regs{PC: codeAt}
	r.GP[cpu.SP] = stackAt - 0x100
	r.GP[cpu.LR] = gateAt
	return r
}

// load writes instructions, and a return behind them.
func (g *guest) load(t testing.TB, words ...uint32) {
	t.Helper()
	var text []byte
	for _, w := range append(words, 0xd65f03c0) {
		text = binary.LittleEndian.AppendUint32(text, w)
	}
	if err := g.mem.Write(codeAt, text); err != nil {
		t.Fatal(err)
	}
}
