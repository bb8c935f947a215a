// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// FuzzGuestCode has a guest execute any bytes in any state of its registers.
// Whatever it does, the engine says so without an error and can be used after
// it.
func FuzzGuestCode(f *testing.F) {
	needPtrace(f)
	for _, code := range [][]byte{
		toGate, spinning, sysCall,
		{0xcc}, {0xcd, 0x80}, {0x0f, 0x34}, {0xf1}, {0x0f, 0x0b}, {0xec}, {0xf4}, {0x0f, 0x20, 0xc0},
		{0x9c, 0x80, 0x4c, 0x24, 0x01, 0x01, 0x9d, 0x90},       // pushfq; orb $1, 1(%rsp); popfq; nop
		{0x6a, 0x23, 0x68, 0x00, 0x00, 0x11, 0x00, 0x48, 0xcb}, // pushq $0x23; pushq $0x110000; lretq
		{0xf3, 0x48, 0x0f, 0xae, 0xd0},                         // wrfsbase %rax
		{0x8e, 0xd8, 0x8e, 0xd0, 0x8e, 0xe0},                   // movl %eax, %ds; %ss; %fs
		{0xf3, 0xa4, 0xff, 0xe1},                               // rep movsb; jmpq *%rcx
	} {
		f.Add(code, []byte{}, uint8(0))
		f.Add(code, []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), uint8(3))
	}
	f.Fuzz(func(t *testing.T, code, registers []byte, steps uint8) {
		if len(code) > 4096 {
			t.Skip()
		}
		e := reopen(t)
		r := e.start(t, code...)
		for i := range 16 {
			if len(registers) >= 8 {
				r.GP[i] = binary.LittleEndian.Uint64(registers)
				registers = registers[8:]
			}
		}
		if len(registers) >= 4 {
			r.Flags = uint64(binary.LittleEndian.Uint32(registers))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		for range 16 {
			base := r.Base
			x, err := e.Run(ctx, r, cpu.Stop{Steps: uint64(steps), Break: []efi.Addr{codeAt + 3}[:steps&1]})
			if err != nil {
				t.Fatal(err)
			}
			if x.Kind == cpu.Interrupted {
				break
			}
			if x.Kind == cpu.Fault {
				r.PC++ // as good as any
			}
			if x.Kind == cpu.Gate {
				r.PC = uint64(codeAt)
			}
			if steps&2 != 0 {
				r.Base = base
			}
		}

		r = e.start(t, 0x48, 0xff, 0xc0, 0xff, 0xe1) // incq %rax; jmpq *%rcx
		e.mustRun(t, r, cpu.Gate)
		if r.PC != uint64(gateAt) || r.GP[cpu.RAX] != 1 {
			t.Fatalf("registers %#x", r)
		}
	})
}
