// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

func breakCases() []testCase {
	return []testCase{
		{
			name: "break/before",
			rule: "a Break exit is made before the instruction at one of Stop.Break, with Addr and PC there",
			code: count,
			test: func(g *guest) {
				stop := cpu.Stop{Break: []efi.Addr{g.nth(3), g.nth(5), g.nth(9)}}
				for _, n := range []int{3, 5, 9} {
					g.expect(cpu.Exit{Kind: cpu.Break, Addr: g.nth(n)}, stop)
					g.at(g.nth(n))
					g.gp(0, uint64(n))
				}
				g.expect(cpu.Exit{Kind: cpu.Gate}, stop)
				g.gp(0, 10)
				g.start() // what is not asked for is not done
				g.finish()
			},
		},
		{
			name: "break/start",
			rule: "the instruction that Run starts at is no Break the first time, and is one when it comes again",
			code: loop,
			test: func(g *guest) {
				stop := cpu.Stop{Break: []efi.Addr{codeAt}}
				for n := range uint64(3) {
					g.expect(cpu.Exit{Kind: cpu.Break, Addr: codeAt}, stop)
					g.gp(0, n+1)
				}
			},
		},
		{
			name: "break/to itself",
			rule: "the instruction that Run starts at is no Break the first time, and is one when it comes again",
			code: code{amd64: []byte{
				0xeb, 0xfe, // jmp .
			}, arm64: []byte{
				0x00, 0x00, 0x00, 0x14, // b .
			}},
			test: func(g *guest) {
				for _, stop := range []cpu.Stop{{}, {Steps: 5}} {
					stop.Break = []efi.Addr{codeAt}
					g.expect(cpu.Exit{Kind: cpu.Break, Addr: codeAt}, stop)
					g.at(codeAt)
				}
			},
		},
		{
			name: "break/with steps",
			rule: "Steps and Break may be asked for together; what comes first is the exit",
			code: count,
			test: func(g *guest) {
				stop := cpu.Stop{Break: []efi.Addr{g.nth(2)}, Steps: 5}
				g.expect(cpu.Exit{Kind: cpu.Break, Addr: g.nth(2)}, stop)
				g.gp(0, 2)
				g.expect(cpu.Exit{Kind: cpu.Step}, stop)
				g.gp(0, 7)
			},
		},
		{
			name: "break/nowhere",
			rule: "an address to stop at that is never reached changes nothing, RAM or not",
			code: count,
			test: func(g *guest) {
				g.expect(cpu.Exit{Kind: cpu.Gate}, cpu.Stop{Break: []efi.Addr{holeAt, dataAt, 1 << 63}})
				g.at(endGate)
				g.gp(0, 10)
			},
		},
		{
			name: "break/before a fault",
			rule: "a Break at an instruction that will fault comes first, then the fault",
			code: code{
				amd64: []byte{
					0x90,             // nop
					0x48, 0x8b, 0x01, // movq (%rcx), %rax
				},
				arm64: []byte{
					0x1f, 0x20, 0x03, 0xd5, // nop
					0x20, 0x00, 0x40, 0xf9, // ldr x0, [x1]
				},
			},
			test: func(g *guest) {
				g.r.GP[1] = uint64(holeAt)
				at := codeAt + 1
				if g.arch == cpu.ARM64 {
					at = codeAt + 4
				}
				stop := cpu.Stop{Break: []efi.Addr{at}}
				g.expect(cpu.Exit{Kind: cpu.Break, Addr: at}, stop)
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: holeAt, Access: mem.Readable}, stop)
				g.at(at)
			},
		},
		{
			name: "watch/write",
			rule: "after a write to the 8 aligned bytes at one of Stop.Watch there is a Break exit with that address; reads and other writes make none",
			code: code{
				amd64: []byte{
					0x48, 0x8b, 0x01, // movq (%rcx), %rax
					0x48, 0x89, 0x41, 0x08, // movq %rax, 8(%rcx)
					0x88, 0x41, 0x07, // movb %al, 7(%rcx)
					0x48, 0x89, 0x41, 0xf8, // movq %rax, -8(%rcx)
					0x89, 0x01, // movl %eax, (%rcx)
				},
				arm64: []byte{
					0x20, 0x00, 0x40, 0xf9, // ldr x0, [x1]
					0x20, 0x04, 0x00, 0xf9, // str x0, [x1, #8]
					0x20, 0x1c, 0x00, 0x39, // strb w0, [x1, #7]
					0x20, 0x80, 0x1f, 0xf8, // stur x0, [x1, #-8]
					0x20, 0x00, 0x00, 0xb9, // str w0, [x1]
				},
			},
			test: func(g *guest) {
				g.r.GP[1] = uint64(dataAt + 0x100)
				stop := cpu.Stop{Watch: []efi.Addr{dataAt + 0x100}}
				behind := []efi.Addr{codeAt + 10, codeAt + 16}
				if g.arch == cpu.ARM64 {
					behind = []efi.Addr{codeAt + 12, codeAt + 20}
				}
				for _, at := range behind {
					g.expect(cpu.Exit{Kind: cpu.Break, Addr: dataAt + 0x100}, stop)
					g.at(at)
				}
				g.expect(cpu.Exit{Kind: cpu.Gate}, stop)
				g.at(endGate)
			},
		},
		{
			name: "watch/with steps",
			rule: "Steps and Watch may be asked for together; what comes first is the exit",
			code: code{
				amd64: []byte{
					0x48, 0xff, 0xc0, // incq %rax
					0x48, 0x89, 0x01, // movq %rax, (%rcx)
					0x48, 0xff, 0xc0, // incq %rax
					0x48, 0xff, 0xc0, // incq %rax
				},
				arm64: []byte{
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
					0x20, 0x00, 0x00, 0xf9, // str x0, [x1]
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
					0x00, 0x04, 0x00, 0x91, // add x0, x0, #1
				},
			},
			test: func(g *guest) {
				g.r.GP[1] = uint64(highAt)
				stop := cpu.Stop{Watch: []efi.Addr{highAt}, Steps: 3}
				g.expect(cpu.Exit{Kind: cpu.Break, Addr: highAt}, stop)
				g.gp(0, 1)
				g.word(highAt, 1)
				g.expect(cpu.Exit{Kind: cpu.Step}, stop) // two more and the jump
				g.at(endGate)
			},
		},
		{
			name: "watch/host",
			rule: "a write by the host is none of the guest",
			code: loop,
			test: func(g *guest) {
				stop := cpu.Stop{Watch: []efi.Addr{dataAt}, Break: []efi.Addr{codeAt}}
				g.setWord(dataAt, 5)
				g.expect(cpu.Exit{Kind: cpu.Break, Addr: codeAt}, stop)
				g.setWord(dataAt, 6)
				g.expect(cpu.Exit{Kind: cpu.Break, Addr: codeAt}, stop)
			},
		},
	}
}
