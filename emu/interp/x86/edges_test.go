// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"context"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// start is a machine with code and registers.
func start(t *testing.T, code []byte) (machine, *core, cpu.Regs) {
	t.Helper()
	m, err := newMachine(New)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	if err := m.mem.Write(diffCode, code); err != nil {
		t.Fatal(err)
	}
	r := cpu.Regs{PC: uint64(diffCode), Flags: 0x202}
	r.GP[cpu.RSP] = uint64(diffStack) + 0x800
	e, _ := m.engine.(*core)
	return m, e, r
}

// A repeated instruction that runs into a page it may not write keeps what it
// has done, and goes on when it may.
func TestRepeatGoesOn(t *testing.T) {
	m, _, r := start(t, []byte{0xf3, 0xaa, 0xf4}) // rep stosb; hlt
	r.GP[cpu.RAX], r.GP[cpu.RCX], r.GP[cpu.RDI] = 7, 0x1100, uint64(diffData)+0x100
	page := efi.Range{Start: diffData + pageSize, End: diffData + 2*pageSize}
	if err := m.mem.Protect(page, mem.Readable); err != nil {
		t.Fatal(err)
	}
	x, err := m.engine.Run(context.Background(), &r, cpu.Stop{})
	if err != nil || x.Cause != cpu.PageFault || x.Addr != page.Start || r.GP[cpu.RCX] != 0x200 || r.PC != uint64(diffCode) || r.GP[cpu.RDI] != uint64(page.Start) {
		t.Fatalf("%+v, %v, registers %x", x, err, r)
	}
	if err := m.mem.Protect(page, mem.ReadWriteExec); err != nil {
		t.Fatal(err)
	}
	x, err = m.engine.Run(context.Background(), &r, cpu.Stop{})
	if err != nil || x.Kind != cpu.Halt || r.GP[cpu.RCX] != 0 {
		t.Fatalf("%+v, %v, registers %x", x, err, r)
	}
}

// A repeated instruction of any length is interrupted.
func TestRepeatIsInterrupted(t *testing.T) {
	_, e, r := start(t, []byte{0xf3, 0xac, 0xf4}) // rep lodsb; hlt
	r.GP[cpu.RCX], r.GP[cpu.RSI] = 1<<63, uint64(diffData)
	code := []byte{0xf3, 0x67, 0xac}
	if err := e.mem.Write(diffCode, code); err != nil {
		t.Fatal(err)
	}
	r.GP[cpu.RCX] = 0x3000
	if x, err := e.Run(context.Background(), &r, cpu.Stop{Steps: 1}); err != nil || x.Kind != cpu.Step || r.GP[cpu.RCX] != 0 {
		t.Fatalf("%+v, %v, registers %x", x, err, r)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	loop := []byte{0x48, 0x89, 0xd9, 0x48, 0x89, 0xc7, 0xf3, 0xaa, 0xeb, 0xf6} // mov rcx,rbx; mov rdi,rax; rep stosb; jmp
	if err := e.mem.Write(diffCode, loop); err != nil {
		t.Fatal(err)
	}
	r.PC, r.GP[cpu.RBX], r.GP[cpu.RAX] = uint64(diffCode), 0x2000, uint64(diffData)
	begin := time.Now()
	if x, err := e.Run(ctx, &r, cpu.Stop{}); err != nil || x.Kind != cpu.Interrupted {
		t.Fatalf("%+v, %v", x, err)
	}
	if d := time.Since(begin); d > time.Second {
		t.Errorf("interrupted after %v", d)
	}
}

// The instruction directly behind a write may be the one that is written, in a
// run of blocks, in single steps, and by a string instruction.
func TestNextInstruction(t *testing.T) {
	code := []byte{
		0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x05, // movb $5, 1f+1(%rip)
		0xb0, 0x01, // 1: movb $1, %al
		0xf4, // hlt
	}
	for _, steps := range []uint64{0, 1} {
		m, _, r := start(t, code)
		for {
			x, err := m.engine.Run(context.Background(), &r, cpu.Stop{Steps: steps})
			if err != nil || x.Kind != cpu.Step && x.Kind != cpu.Halt {
				t.Fatalf("%+v, %v", x, err)
			}
			if x.Kind == cpu.Halt {
				break
			}
		}
		if r.GP[cpu.RAX] != 5 {
			t.Errorf("steps of %d: rax %#x", steps, r.GP[cpu.RAX])
		}
	}
}

// What is decoded stays bounded when code changes without end.
func TestCacheIsBounded(t *testing.T) {
	code := []byte{
		0xff, 0xc1, // incl %ecx
		0x89, 0x0d, 0x01, 0x00, 0x00, 0x00, // movl %ecx, 1f+1(%rip)
		0xb8, 0, 0, 0, 0, // 1: movl $0, %eax
		0xeb, 0xf1, // jmp .-13
	}
	_, e, r := start(t, code)
	if x, err := e.Run(context.Background(), &r, cpu.Stop{Steps: 400_000}); err != nil || x.Kind != cpu.Step {
		t.Fatalf("%+v, %v", x, err)
	}
	if r.GP[cpu.RCX] != 100_000 || r.GP[cpu.RAX] != 100_000 {
		t.Errorf("registers %d, %d", r.GP[cpu.RCX], r.GP[cpu.RAX])
	}
	total := 0
	for _, p := range e.pages {
		total += len(p.blocks)
	}
	if len(e.blocks)+len(e.singles) > 100 || total > maxCached {
		t.Errorf("%d blocks, %d in pages", len(e.blocks)+len(e.singles), total)
	}
}

// fxsave and fxrstor keep the vector registers and control words.
func TestFxsave(t *testing.T) {
	m, e, r := start(t, []byte{
		0x0f, 0xae, 0x03, // fxsave (%rbx)
		0x0f, 0x57, 0xc0, // xorps %xmm0, %xmm0
		0xdb, 0xe3, // fninit
		0x0f, 0xae, 0x0b, // fxrstor (%rbx)
		0xf4, // hlt
	})
	fp := cpu.InitialFP(cpu.AMD64)
	fp.Ctrl, fp.X87 = 0x7f80, 0x27f
	fp.V[0], fp.V[15] = [16]byte{1, 2, 3}, [16]byte{15: 9}
	if err := e.SetFP(&fp); err != nil {
		t.Fatal(err)
	}
	r.GP[cpu.RBX] = uint64(diffData)
	if x, err := m.engine.Run(context.Background(), &r, cpu.Stop{}); err != nil || x.Kind != cpu.Halt {
		t.Fatalf("%+v, %v", x, err)
	}
	var got cpu.FPState
	if err := e.FP(&got); err != nil || got != fp {
		t.Errorf("%x, %v", got, err)
	}
}
