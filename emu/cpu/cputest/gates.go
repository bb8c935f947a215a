// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

func gateCases() []testCase {
	return []testCase{
		{
			name: "gate/any",
			rule: "a fetch of any address in Gates is a Gate exit with that address as PC, and nothing has executed there",
			code: code{
				amd64: []byte{
					0xff, 0xe1, // jmpq *%rcx
				},
				arm64: []byte{
					0x20, 0x00, 0x1f, 0xd6, // br x1
				},
			},
			test: func(g *guest) {
				step := efi.Addr(cpu.GateSize + 1)
				if g.arch == cpu.ARM64 {
					step = cpu.GateSize + 4
				}
				for gate := gatesAt; gate < gatesEnd; gate += step {
					g.start()
					g.r.GP[1] = uint64(gate)
					before := g.r
					g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
					if before.PC = uint64(gate); g.r != before {
						g.failf("registers\ngot  %#x\nwant %#x", g.r, before)
					}
				}
			},
		},
		{
			name: "gate/edges",
			rule: "the first and the last address of Gates are gates, those before and behind are not",
			code: code{
				amd64: []byte{
					0xff, 0xe1, // jmpq *%rcx
				},
				arm64: []byte{
					0x20, 0x00, 0x1f, 0xd6, // br x1
				},
			},
			test: func(g *guest) {
				last := gatesEnd - efi.Addr(len(g.arch.Gate()))
				for _, gate := range []efi.Addr{gatesAt, last} {
					g.start()
					g.r.GP[1] = uint64(gate)
					g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
					g.at(gate)
				}
				for _, breakpoint := range []efi.Addr{gatesAt - efi.Addr(len(g.arch.Gate())), gatesEnd} {
					g.write(breakpoint, g.arch.Gate())
					g.start()
					g.r.GP[1] = uint64(breakpoint)
					g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Trap}, cpu.Stop{})
					g.at(breakpoint)
				}
			},
		},
		{
			name: "gate/start",
			rule: "a Run that starts in Gates is a Gate exit at once",
			code: code{amd64: []byte{
				0x90, // nop
			}, arm64: []byte{
				0x1f, 0x20, 0x03, 0xd5, // nop
			}},
			test: func(g *guest) {
				g.r.PC = uint64(callGate)
				before := g.r
				g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
				if g.r != before {
					g.failf("registers\ngot  %#x\nwant %#x", g.r, before)
				}
			},
		},
		{
			name: "gate/call",
			rule: "at a gate that was called, the ABI finds arguments and return address, and Return goes on behind the call",
			code: code{
				amd64: []byte{
					0xe8, 0x0b, 0x00, 0x04, 0x00, // callq .+0x40010
					0x48, 0xff, 0xc0, // incq %rax
				},
				arm64: []byte{
					0x04, 0x00, 0x01, 0x94, // bl .+0x40010
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
				},
			},
			test: func(g *guest) {
				sp := g.r.GP[g.abi.Stack]
				for i, reg := range g.abi.Args {
					g.r.GP[reg] = uint64(100 + i)
				}
				for n := range 100 {
					g.r.PC = uint64(codeAt)
					g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
					g.at(callGate)
					for i := range g.abi.Args {
						want := uint64(100 + i)
						if n > 0 && g.abi.Args[i] == g.abi.Result {
							continue // overwritten by the first call
						}
						if arg, err := g.abi.Arg(g.mem, &g.r, i); err != nil || arg != want {
							g.failf("argument %d is %d, %v", i, arg, err)
						}
					}
					ret, err := g.abi.ReturnAddress(g.mem, &g.r)
					if err != nil || ret <= codeAt || ret >= codeAt+8 {
						g.failf("return address %v, %v", ret, err)
					}
					if err := g.abi.Return(g.mem, &g.r, uint64(1000+n)); err != nil {
						g.Fatal(err)
					}
					g.finish()
					g.gp(g.abi.Result, uint64(1001+n))
					g.gp(g.abi.Stack, sp)
				}
			},
		},
		{
			name: "gate/enter",
			rule: "a function that is entered as ABI.Call does it finds its arguments, returns to the gate it was given, and its result is there",
			code: code{
				amd64: []byte{
					0x48, 0x8b, 0x44, 0x24, 0x28, // movq 0x28(%rsp), %rax
					0x48, 0x01, 0xc8, // addq %rcx, %rax
					0x48, 0x01, 0xd0, // addq %rdx, %rax
					0x4c, 0x01, 0xc0, // addq %r8, %rax
					0x4c, 0x01, 0xc8, // addq %r9, %rax
					0xc3, // retq
				},
				arm64: []byte{
					0x00, 0x00, 0x01, 0x8b, // add x0, x0, x1
					0x00, 0x00, 0x02, 0x8b, // add x0, x0, x2
					0x00, 0x00, 0x03, 0x8b, // add x0, x0, x3
					0x00, 0x00, 0x04, 0x8b, // add x0, x0, x4
					0xc0, 0x03, 0x5f, 0xd6, // ret
				},
			},
			test: func(g *guest) {
				sp := g.r.GP[g.abi.Stack]
				if err := g.abi.Call(g.mem, &g.r, codeAt, callGate, 1, 20, 300, 4000, 50000); err != nil {
					g.Fatal(err)
				}
				g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{})
				g.at(callGate)
				g.gp(g.abi.Result, 54321)
				if now := g.r.GP[g.abi.Stack]; now > sp || sp-now > 0x60 {
					g.failf("stack pointer went from %#x to %#x", sp, now)
				}
			},
		},
		{
			name: "gate/nothing below the stack",
			rule: "an engine leaves no trace in guest memory, below the stack pointer neither",
			code: code{
				amd64: []byte{
					0xff, 0xe1, // jmpq *%rcx
				},
				arm64: []byte{
					0x20, 0x00, 0x1f, 0xd6, // br x1
				},
			},
			test: func(g *guest) {
				sp := efi.Addr(g.r.GP[g.abi.Stack])
				for a := sp - 0x1000; a < sp; a += 8 {
					g.setWord(a, uint64(a)*0x9e3779b97f4a7c15)
				}
				for _, to := range []efi.Addr{callGate, holeAt} {
					g.r.PC = uint64(codeAt)
					g.r.GP[1] = uint64(to)
					g.run(cpu.Stop{})
					g.at(to)
				}
				for a := sp - 0x1000; a < sp; a += 8 {
					g.word(a, uint64(a)*0x9e3779b97f4a7c15)
				}
			},
		},
	}
}
