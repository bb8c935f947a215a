// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// trapCases are instructions that fault by what they are, not where they
// point.
func trapCases() []testCase {
	const vsyscall = 0xffffffffff600000

	plain := []struct {
		name  string
		code  code
		cause cpu.Cause
	}{
		{"undefined", code{amd64: []byte{
			0x0f, 0x0b, // ud2
		}, arm64: []byte{
			0x01, 0x00, 0x00, 0x00, // udf #1
		}}, cpu.Illegal},
		{"undefined opcode", code{amd64: []byte{0x06}}, cpu.Illegal}, // push es
		{"division by zero", code{amd64: []byte{
			0xf7, 0xf1, // divl %ecx
		}}, cpu.Arithmetic},
		{"division overflow", code{amd64: []byte{
			0xf7, 0xf3, // divl %ebx
		}}, cpu.Arithmetic},
		{"breakpoint", code{amd64: []byte{
			0xcc, // int3
		}, arm64: []byte{
			0x20, 0x00, 0x20, 0xd4, // brk #1
		}}, cpu.Trap},
		{"breakpoint in two bytes", code{amd64: []byte{0xcd, 0x03}}, cpu.Trap}, // int $3
		{"software interrupt", code{amd64: []byte{
			0xcd, 0x21, // int $0x21
		}}, cpu.Protection},
		{"lgdt", code{amd64: []byte{
			0x0f, 0x01, 0x14, 0x24, // lgdt (%rsp)
		}}, cpu.Protection},
		{"lidt", code{amd64: []byte{
			0x0f, 0x01, 0x1c, 0x24, // lidt (%rsp)
		}}, cpu.Protection},
		{"ltr", code{amd64: []byte{
			0x0f, 0x00, 0xd8, // ltr %ax
		}}, cpu.Protection},
		{"lmsw", code{amd64: []byte{
			0x0f, 0x01, 0xf0, // lmsw %ax
		}}, cpu.Protection},
		{"swapgs", code{amd64: []byte{
			0x0f, 0x01, 0xf8, // swapgs
		}}, cpu.Protection},
		{"mov to a debug register", code{amd64: []byte{
			0x0f, 0x23, 0xf8, // movq %rax, %dr7
		}}, cpu.Protection},
		{"string input", code{amd64: []byte{
			0xf3, 0x6c, // rep insb
		}}, cpu.Protection},
		{"string output", code{amd64: []byte{
			0x6f, // outsl
		}}, cpu.Protection},
		{"system call", code{amd64: []byte{
			0x0f, 0x05, // syscall
		}, arm64: []byte{
			0x01, 0x00, 0x00, 0xd4, // svc #0
		}}, cpu.SystemCall},
		{"system call by interrupt", code{amd64: []byte{
			0xcd, 0x80, // int $0x80
		}}, cpu.SystemCall},
	}
	var all []testCase
	for _, c := range plain {
		all = append(all, testCase{
			name: "trap/" + c.name,
			rule: "an instruction that cannot execute is a Fault with its cause and its text, PC at the instruction; a system call is not carried out",
			code: c.code,
			test: func(g *guest) {
				g.r.GP[cpu.RAX] = 35 // a nanosleep that would take longer than the test, on x86-64
				g.r.GP[cpu.RDI] = uint64(dataAt)
				g.r.GP[8] = 101 // and on AArch64
				g.r.GP[0] = 35
				g.setWord(dataAt, 1<<40)
				g.r.GP[2] = 7 // for the divisions, rdx:rax by ecx = 0 and by ebx = 1
				g.r.GP[3] = 1
				before := g.r
				got := g.expect(cpu.Exit{Kind: cpu.Fault, Cause: c.cause}, cpu.Stop{})
				g.at(codeAt)
				if got.Inst == "" {
					g.failf("the exit does not name the instruction: %+v", got)
				}
				for i := range g.arch.NumGP() {
					if c.cause == cpu.SystemCall && g.arch == cpu.AMD64 && (i == cpu.RCX || i == 11) {
						continue // the processor itself overwrites them
					}
					g.gp(i, before.GP[i])
				}
			},
		})
	}
	return append(all,
		testCase{
			name: "trap/system call writes nothing",
			rule: "a system call is not carried out",
			code: code{
				amd64: []byte{
					0xb8, 0x3e, 0x01, 0x00, 0x00, // movl $318, %eax
					0x48, 0x8d, 0x39, // leaq (%rcx), %rdi
					0xbe, 0x08, 0x00, 0x00, 0x00, // movl $8, %esi
					0x31, 0xd2, // xorl %edx, %edx
					0x0f, 0x05, // syscall
				}, // getrandom
				arm64: []byte{
					0xc8, 0x22, 0x80, 0xd2, // mov x8, #278
					0xe0, 0x03, 0x01, 0xaa, // mov x0, x1
					0x01, 0x01, 0x80, 0xd2, // mov x1, #8
					0x02, 0x00, 0x80, 0xd2, // mov x2, #0
					0x01, 0x00, 0x00, 0xd4, // svc #0
				},
			},
			test: func(g *guest) {
				g.setWord(dataAt, 4711)
				g.r.GP[1] = uint64(dataAt)
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.SystemCall}, cpu.Stop{})
				g.word(dataAt, 4711)
			},
		},
		testCase{
			name: "trap/sysenter",
			rule: "sysenter, which some processors do not know in 64-bit mode, is an Illegal instruction or a SystemCall that is not carried out; where it is a call the processor keeps neither PC nor stack pointer",
			code: code{amd64: []byte{
				0x0f, 0x34, // sysenter
			}},
			test: func(g *guest) {
				for _, bp := range []uint64{uint64(dataAt), 0, 1 << 63, 0x7fff_ffff_f000} {
					g.start()
					g.r.GP[cpu.RBP] = bp
					g.r.GP[cpu.RAX] = 13 // time
					g.r.GP[cpu.RBX] = uint64(dataAt)
					x := g.run(cpu.Stop{})
					if x.Kind != cpu.Fault || x.Cause != cpu.SystemCall && x.Cause != cpu.Illegal {
						g.failf("exit %+v", x)
					}
					g.word(dataAt, 0)
				}
				g.load([]byte{0x90}) // nop: and the guest can be used again
				g.finish()
			},
		},
		testCase{
			name: "trap/vsyscall",
			rule: "a call into the page that Linux puts at 0xffffffffff600000 is a SystemCall that is not carried out, PC in that page",
			code: code{amd64: []byte{
				0xff, 0xd1, // callq *%rcx
			}},
			test: func(g *guest) {
				for _, entry := range []uint64{vsyscall, vsyscall + 0x400, vsyscall + 0x800} {
					g.start()
					sp := g.r.GP[cpu.RSP]
					g.r.GP[cpu.RCX] = entry
					g.r.GP[cpu.RDI] = uint64(dataAt)
					x := g.run(cpu.Stop{})
					// Where the system has no such page this is a fetch of no RAM.
					if x.Kind != cpu.Fault || x.Cause != cpu.SystemCall && x.Cause != cpu.PageFault {
						g.failf("exit %+v", x)
					}
					g.at(efi.Addr(entry))
					g.gp(cpu.RSP, sp-8)
					g.word(dataAt, 0)
				}
			},
		},
		testCase{
			name: "trap/single step by the guest",
			rule: "the trap flag, set by the guest itself, is a Fault, Trap, behind the instruction that follows",
			code: code{amd64: []byte{
				0x9c,                         // pushfq
				0x80, 0x4c, 0x24, 0x01, 0x01, // orb $1, 1(%rsp)
				0x9d, // popfq
				0x90, // nop
				0x90, // nop
			}},
			test: func(g *guest) {
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Trap}, cpu.Stop{})
				g.at(codeAt + 8)
			},
		},
		testCase{
			name: "trap/jump out of 64-bit mode",
			rule: "a guest that leaves 64-bit mode faults and does no harm, and registers bring it back",
			code: code{amd64: []byte{
				0x6a, 0x23, // pushq $0x23
				0x68, 0x00, 0x00, 0x11, 0x00, // pushq $0x110000
				0x48, 0xcb, // lretq
			}},
			test: func(g *guest) {
				for _, there := range [][]byte{
					{0xcc},                          // int3
					{0xb8, 20, 0, 0, 0, 0xcd, 0x80}, // mov $20, %eax; int $0x80
					{0x0f, 0x0b},                    // ud2
				} {
					g.write(dataAt, there)
					g.start()
					if x := g.run(cpu.Stop{}); x.Kind != cpu.Fault {
						g.failf("exit %+v at %#x", x, g.r.PC)
					}
				}
				g.load([]byte{0x90}) // nop
				g.finish()
			},
		},
	)
}
