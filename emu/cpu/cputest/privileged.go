// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// The registers that the privileged cases start with.
const (
	inRAX = 0x1111_2222_3333_4455
	inRCX = 0xffff_ffff_c001_0131
	inRDX = 0x7777_7777_8888_03f8
	inR9  = 0x9999_9999_9999_9999
)

func privilegedCases() []testCase {
	var all []testCase
	for _, c := range []struct {
		name string
		code code
		want cpu.Exit
	}{
		{"in al, imm", code{amd64: []byte{
			0xe4, 0x61, // inb $0x61, %al
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x61, Width: 1}},
		{"in ax, imm", code{amd64: []byte{
			0x66, 0xe5, 0x61, // inw $0x61, %ax
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x61, Width: 2}},
		{"in eax, imm", code{amd64: []byte{
			0xe5, 0xf0, // inl $0xf0, %eax
		}}, cpu.Exit{Kind: cpu.Port, Number: 0xf0, Width: 4}},
		{"in al, dx", code{amd64: []byte{
			0xec, // inb %dx, %al
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 1}},
		{"in ax, dx", code{amd64: []byte{
			0x66, 0xed, // inw %dx, %ax
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 2}},
		{"in eax, dx", code{amd64: []byte{
			0xed, // inl %dx, %eax
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 4}},
		{"in with rex.w", code{amd64: []byte{0x48, 0xed}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 4}},
		{"out imm, al", code{amd64: []byte{
			0xe6, 0x80, // outb %al, $0x80
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x80, Width: 1, Out: true, Value: 0x55}},
		{"out imm, ax", code{amd64: []byte{
			0x66, 0xe7, 0x80, // outw %ax, $0x80
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x80, Width: 2, Out: true, Value: 0x4455}},
		{"out imm, eax", code{amd64: []byte{
			0xe7, 0x80, // outl %eax, $0x80
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x80, Width: 4, Out: true, Value: 0x33334455}},
		{"out dx, al", code{amd64: []byte{
			0xee, // outb %al, %dx
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 1, Out: true, Value: 0x55}},
		{"out dx, ax", code{amd64: []byte{
			0x66, 0xef, // outw %ax, %dx
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 2, Out: true, Value: 0x4455}},
		{"out dx, eax", code{amd64: []byte{
			0xef, // outl %eax, %dx
		}}, cpu.Exit{Kind: cpu.Port, Number: 0x3f8, Width: 4, Out: true, Value: 0x33334455}},
		{"rdmsr", code{amd64: []byte{
			0x0f, 0x32, // rdmsr
		}}, cpu.Exit{Kind: cpu.MSR, Number: 0xc0010131}},
		{"wrmsr", code{amd64: []byte{
			0x0f, 0x30, // wrmsr
		}}, cpu.Exit{Kind: cpu.MSR, Number: 0xc0010131, Out: true, Value: 0x8888_03f8_3333_4455}},
		{"hlt", code{amd64: []byte{
			0xf4, // hlt
		}}, cpu.Exit{Kind: cpu.Halt}},
		{"cli", code{amd64: []byte{
			0xfa, // cli
		}, arm64: []byte{
			0xdf, 0x42, 0x03, 0xd5, // msr daifset, #2
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.DisableIRQ}},
		{"sti", code{amd64: []byte{
			0xfb, // sti
		}, arm64: []byte{
			0xff, 0x42, 0x03, 0xd5, // msr daifclr, #2
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.EnableIRQ}},
		{"clts", code{amd64: []byte{
			0x0f, 0x06, // clts
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.ClearTS}},
		{"wbinvd", code{amd64: []byte{
			0x0f, 0x09, // wbinvd
		}, arm64: []byte{
			0x1f, 0x71, 0x08, 0xd5, // ic ialluis
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}},
		{"invd", code{amd64: []byte{
			0x0f, 0x08, // invd
		}, arm64: []byte{
			0x1f, 0x75, 0x08, 0xd5, // ic iallu
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.CacheSync}},
		{"mov from cr0", code{amd64: []byte{
			0x0f, 0x20, 0xc0, // movq %cr0, %rax
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: cpu.RAX, Number: 0}},
		{"mov from cr4", code{amd64: []byte{
			0x0f, 0x20, 0xe2, // movq %cr4, %rdx
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: cpu.RDX, Number: 4}},
		{"mov from cr3", code{amd64: []byte{
			0x41, 0x0f, 0x20, 0xd9, // movq %cr3, %r9
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: 9, Number: 3}},
		{"mov from cr8", code{amd64: []byte{
			0x45, 0x0f, 0x20, 0xc7, // movq %cr8, %r15
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.ReadCR, Reg: 15, Number: 8}},
		{"mov to cr0", code{amd64: []byte{
			0x0f, 0x22, 0xc0, // movq %rax, %cr0
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Reg: cpu.RAX, Number: 0, Value: inRAX}},
		{"mov to cr3", code{amd64: []byte{
			0x41, 0x0f, 0x22, 0xd9, // movq %r9, %cr3
		}}, cpu.Exit{Kind: cpu.System, Op: cpu.WriteCR, Reg: 9, Number: 3, Value: inR9}},
	} {
		all = append(all, testCase{
			name: "privileged/" + c.name,
			rule: "a privileged instruction that a machine can answer is an exit of its kind with its operands, its text, and Addr where it lies; PC is behind it, and no other register has changed",
			code: c.code,
			test: func(g *guest) {
				g.r.GP[0], g.r.GP[1], g.r.GP[2], g.r.GP[9] = inRAX, inRCX, inRDX, inR9
				want := g.r
				want.PC += uint64(len(c.code.of(g.arch)))
				exit := c.want
				exit.Addr = codeAt
				if got := g.expect(exit, cpu.Stop{}); got.Inst == "" {
					g.failf("the exit does not name the instruction: %+v", got)
				}
				if g.r != want {
					g.failf("registers\ngot  %#x\nwant %#x", g.r, want)
				}
				g.finish()
			},
		})
	}
	return append(all, testCase{
		name: "privileged/answer",
		rule: "what the receiver of an exit puts into the registers is what the guest goes on with",
		code: code{amd64: []byte{
			0xba, 0x40, 0x00, 0x00, 0x00, // movl $0x40, %edx
			0xec,       // inb %dx, %al
			0x88, 0xc3, // movb %al, %bl
			0x66, 0xed, // inw %dx, %ax
			0x66, 0x89, 0xc6, // movw %ax, %si
			0xed,             // inl %dx, %eax
			0x48, 0x89, 0xc7, // movq %rax, %rdi
		}},
		test: func(g *guest) {
			g.r.GP[cpu.RAX] = inRAX
			for width := uint8(1); width <= 4; width *= 2 {
				x := g.run(cpu.Stop{})
				if x.Kind != cpu.Port || x.Width != width {
					g.failf("exit %+v", x)
				}
				x.PortIn(&g.r, 0xfedcba98)
			}
			g.finish()
			g.gp(cpu.RBX, 0x98)
			g.gp(cpu.RSI, 0xba98)
			g.gp(cpu.RDI, 0xfedcba98)
		},
	}, testCase{
		name: "privileged/at the end of RAM",
		rule: "a privileged instruction whose last byte is the last of its RAM is decoded like any other",
		code: code{amd64: []byte{
			0x90, // nop
		}},
		test: func(g *guest) {
			for _, end := range []efi.Addr{ramEnd, highEnd, noExecute} {
				g.protect(noExecute, 0)
				g.write(end-1, []byte{0xec}) // in (%dx), %al
				g.start()
				g.r.PC = uint64(end - 1)
				g.r.GP[cpu.RDX] = 0x60
				g.expect(cpu.Exit{Kind: cpu.Port, Addr: end - 1, Number: 0x60, Width: 1}, cpu.Stop{})
				g.at(end)
			}
		},
	})
}
