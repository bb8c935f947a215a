// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"context"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// BenchmarkRun runs small loops to a gate; MIPS are millions of instructions a
// second, MB/s the bytes that a loop goes through.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		name  string
		code  []byte
		bytes int64
	}{
		{"checksum", []byte{
			0x31, 0xc0, // xorl %eax, %eax
			0x48, 0x03, 0x06, // 1: addq (%rsi), %rax
			0x48, 0x83, 0xc6, 0x08, // addq $8, %rsi
			0x48, 0xc1, 0xc0, 0x03, // rolq $3, %rax
			0x48, 0x39, 0xfe, // cmpq %rdi, %rsi
			0x72, 0xf0, // jb 1b
		}, 4096},
		{"rep movsb", []byte{
			0xb9, 0x00, 0x10, 0x00, 0x00, // movl $4096, %ecx
			0xf3, 0xa4, // rep movsb
		}, 4096},
		{"copy loop", []byte{
			0xb9, 0x00, 0x10, 0x00, 0x00, // movl $4096, %ecx
			0x8a, 0x44, 0x0e, 0xff, // 1: movb -1(%rsi,%rcx), %al
			0x88, 0x44, 0x0f, 0xff, // movb %al, -1(%rdi,%rcx)
			0x48, 0xff, 0xc9, // decq %rcx
			0x75, 0xf3, // jnz 1b
		}, 4096},
		{"calls", []byte{
			0xb9, 0x00, 0x04, 0x00, 0x00, // movl $1024, %ecx
			0xe8, 0x06, 0x00, 0x00, 0x00, // 1: callq 2f
			0xff, 0xc9, // decl %ecx
			0x75, 0xf7, // jnz 1b
			0xeb, 0x09, // jmp 3f
			0x55,             // 2: pushq %rbp
			0x48, 0x89, 0xe5, // movq %rsp, %rbp
			0x01, 0xc8, // addl %ecx, %eax
			0x5d, // popq %rbp
			0xc3, // retq
			0x90, // nop
		}, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := newMachine(New)
			if err != nil {
				b.Fatal(err)
			}
			defer m.close()
			code := append(c.code, 0xe9, 0, 0, 0, 0)
			le.PutUint32(code[len(code)-4:], uint32(diffGates)-uint32(diffCode)-uint32(len(code)))
			if err := m.mem.Write(diffCode, code); err != nil {
				b.Fatal(err)
			}
			e := m.engine.(*core)
			b.SetBytes(c.bytes)
			var r cpu.Regs
			for b.Loop() {
				r = cpu.Regs{PC: uint64(diffCode)}
				r.GP[cpu.RSI], r.GP[cpu.RDI] = uint64(diffData), uint64(diffData)+pageSize
				r.GP[cpu.RSP] = uint64(diffStack) + 0x800
				x, err := e.Run(context.Background(), &r, cpu.Stop{})
				if err != nil || x.Kind != cpu.Gate {
					b.Fatalf("%+v at %#x, %v", x, r.PC, err)
				}
			}
			b.ReportMetric(float64(e.count)/1e6/b.Elapsed().Seconds(), "MIPS")
		})
	}
}
