// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// count are ten instructions that add 1 to rax, x0.
var count = code{
	amd64: []byte{
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
		0x48, 0xff, 0xc0, // incq %rax
	},
	arm64: []byte{
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
	},
}

// loop adds 1 to rax, x0, for ever.
var loop = code{
	amd64: []byte{
		0x48, 0xff, 0xc0, // incq %rax
		0xeb, 0xfb, // jmp .-3
	},
	arm64: []byte{
		0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
		0xff, 0xff, 0xff, 0x17, // b .-4
	},
}

// nth is the address of the n-th instruction of count.
func (g *guest) nth(n int) efi.Addr {
	return codeAt + efi.Addr(n*len(count.of(g.arch))/10)
}

func stepCases() []testCase {
	return []testCase{
		{
			name: "step/count",
			rule: "with Stop.Steps n, n instructions execute and the exit is Step, PC at the next",
			code: count,
			test: func(g *guest) {
				for n := 1; n <= 10; n++ {
					g.start()
					g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: uint64(n)})
					g.gp(0, uint64(n))
					g.at(g.nth(n))
				}
				g.start()
				for n := 1; n <= 10; n++ {
					g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
					g.gp(0, uint64(n))
				}
				g.finish()
				g.gp(0, 10)
			},
		},
		{
			name: "step/loop",
			rule: "steps count instructions that execute, not places",
			code: loop,
			test: func(g *guest) {
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1001})
				g.gp(0, 501)
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
				g.at(codeAt)
			},
		},
		{
			name: "step/to itself",
			rule: "an instruction that jumps to itself is one step each time",
			code: code{amd64: []byte{
				0xeb, 0xfe, // jmp .
			}, arm64: []byte{
				0x00, 0x00, 0x00, 0x14, // b .
			}},
			test: func(g *guest) {
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 7})
				g.at(codeAt)
			},
		},
		{
			name: "step/repeated string instruction",
			rule: "a repeated string instruction is one step, however often it repeats",
			code: code{amd64: []byte{
				0xf3, 0xa4, // rep movsb
				0x48, 0xff, 0xc0, // incq %rax
			}},
			test: func(g *guest) {
				g.r.GP[cpu.RCX] = 100
				g.r.GP[cpu.RSI], g.r.GP[cpu.RDI] = uint64(dataAt), uint64(dataAt+0x1000)
				g.setWord(dataAt+92, 99)
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
				g.at(codeAt + 2)
				g.gp(cpu.RCX, 0)
				g.word(dataAt+0x1000+92, 99)
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
				g.gp(cpu.RAX, 1)
			},
		},
		{
			name: "step/earlier exit",
			rule: "an exit of another kind that comes earlier than the steps is made",
			code: load,
			test: func(g *guest) {
				g.r.GP[1] = uint64(holeAt)
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: holeAt, Access: mem.Readable}, cpu.Stop{Steps: 1})
				g.at(codeAt)
				g.r.GP[1] = uint64(dataAt)
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
				g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{Steps: 5})
				g.at(endGate)
			},
		},
		{
			name: "step/into a gate",
			rule: "the instruction that jumps to a gate is a step, and the gate is the next exit",
			code: jump,
			test: func(g *guest) {
				g.r.GP[1] = uint64(callGate)
				g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
				g.at(callGate)
				g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{Steps: 1})
				g.at(callGate)
			},
		},
		{
			name: "step/after a system call",
			rule: "steps are exact after any exit, that of a system call too",
			code: code{
				amd64: []byte{
					0x0f, 0x05, // syscall
					0x48, 0xff, 0xc0, // incq %rax
					0x48, 0xff, 0xc0, // incq %rax
				},
				arm64: []byte{
					0x01, 0x00, 0x00, 0xd4, // svc #0
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
				},
			},
			test: func(g *guest) {
				for _, stop := range []cpu.Stop{{}, {Steps: 3}} {
					g.start()
					g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.SystemCall}, stop)
					g.at(codeAt)
					behind := codeAt + efi.Addr(len(g.arch.Gate())) // as long as a svc
					if g.arch == cpu.AMD64 {
						behind = codeAt + 2
					}
					g.r.PC = uint64(behind)
					g.r.GP[0] = 0
					g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
					g.gp(0, 1)
					g.expect(cpu.Exit{Kind: cpu.Step}, cpu.Stop{Steps: 1})
					g.gp(0, 2)
				}
			},
		},
		{
			name: "step/privileged instruction",
			rule: "an instruction that is an exit of its own is that exit, whatever the steps",
			code: code{amd64: []byte{
				0xec, // inb %dx, %al
				0xf4, // hlt
			}, arm64: []byte{
				0x1f, 0x71, 0x08, 0xd5, // ic ialluis
				0xdf, 0x42, 0x03, 0xd5, // msr daifset, #2
			}},
			test: func(g *guest) {
				for n := range 2 {
					if x := g.run(cpu.Stop{Steps: 1}); x.Kind != cpu.Port && x.Kind != cpu.Halt && x.Kind != cpu.System {
						g.failf("exit %d is %+v", n, x)
					}
				}
				g.finish()
			},
		},
		{
			name: "step/unseen",
			rule: "a guest cannot see that it is stepped, by its flags neither",
			code: code{
				amd64: []byte{
					0x9c,       // pushfq
					0x58,       // popq %rax
					0x9c,       // pushfq
					0x9d,       // popfq
					0x66, 0x9c, // pushfw
					0x66, 0x5b, // popw %bx
					0x48, 0xff, 0xc2, // incq %rdx
					0x48, 0xff, 0xc2, // incq %rdx
				},
				arm64: []byte{
					0x00, 0x42, 0x3b, 0xd5, // mrs x0, nzcv
					0x1f, 0x20, 0x03, 0xd5, // nop
				},
			},
			test: func(g *guest) {
				var end cpu.Regs
				for n := range 2 {
					g.start()
					steps := uint64(1) // a run of single steps, and then one at full speed
					if n == 1 {
						steps = 0
					}
					for x := (cpu.Exit{Kind: cpu.Step}); x.Kind == cpu.Step; {
						x = g.run(cpu.Stop{Steps: steps})
					}
					g.at(endGate)
					if n == 0 {
						end = g.r
					}
				}
				if g.r != end {
					g.failf("registers differ:\nstepped %#x\nnot     %#x", end, g.r)
				}
			},
		},
	}
}
