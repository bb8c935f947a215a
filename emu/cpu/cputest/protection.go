// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// protectionCases are faults and protections over several Runs, and the faults
// that are no plain access.
func protectionCases() []testCase {
	return []testCase{
		{
			name: "fault/go on",
			rule: "Protect works between two Runs, both ways, and a guest that faulted goes on once its page is there",
			code: store,
			test: func(g *guest) {
				const page = dataAt
				for n := range uint64(5) {
					g.start()
					g.r.GP[0], g.r.GP[1] = n+1, uint64(page)
					g.protect(page, mem.Readable)
					g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: page, Access: mem.Writable}, cpu.Stop{})
					g.at(codeAt)
					g.word(page, n)
					g.protect(page, mem.ReadWriteExec)
					g.finish()
					g.word(page, n+1)
				}
			},
		},
		{
			name: "fault/many protections",
			rule: "protections of many pages, changed in any order, are those of the last calls",
			code: store,
			test: func(g *guest) {
				for i := range efi.Addr(16) {
					g.protect(dataAt+i*efi.PageSize, mem.Readable)
				}
				for i := range efi.Addr(8) {
					g.protect(dataAt+2*i*efi.PageSize, mem.ReadWriteExec)
				}
				if err := g.mem.Protect(efi.Range{Start: dataAt + 4*efi.PageSize, End: dataAt + 8*efi.PageSize}, mem.ReadWriteExec); err != nil {
					g.Fatal(err)
				}
				g.protect(dataAt+5*efi.PageSize, 0)
				for i := range efi.Addr(16) {
					g.start()
					g.r.GP[1] = uint64(dataAt + i*efi.PageSize)
					if i%2 == 0 || i == 7 {
						g.finish()
						continue
					}
					g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: dataAt + i*efi.PageSize, Access: mem.Writable}, cpu.Stop{})
				}
			},
		},
		{
			name: "fault/gates stay",
			rule: "the guest cannot write to Gates, whatever their protection is",
			code: store,
			test: func(g *guest) {
				for _, perm := range []mem.Perm{mem.Readable | mem.Executable, mem.ReadWriteExec} {
					if err := g.mem.Protect(efi.Range{Start: gatesAt - efi.PageSize, End: gatesEnd}, perm); err != nil {
						g.Fatal(err)
					}
					g.start()
					g.r.GP[1] = uint64(callGate)
					g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: callGate, Access: mem.Writable}, cpu.Stop{})
				}
				g.start()
				g.r.GP[1] = uint64(gatesAt - 8)
				g.finish()
			},
		},
		{
			name: "fault/protected before",
			rule: "what was protected before the engine was made is protected in it",
			code: store,
			test: func(g *guest) {
				g.protect(readOnly, mem.Readable)
				g.again()
				g.r.GP[1] = uint64(readOnly)
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: readOnly, Access: mem.Writable}, cpu.Stop{})
			},
		},
		{
			name: "fault/instruction over the edge",
			rule: "an instruction that lies across the edge of a page that cannot be fetched faults at that page, with PC at the instruction",
			code: code{amd64: []byte{
				0xff, 0xe1, // jmpq *%rcx
			}},
			test: func(g *guest) {
				g.write(noExecute-3, []byte{0x48, 0xb8, 0x01}) // the beginning of movabs
				g.protect(noExecute, mem.Readable|mem.Writable)
				g.r.GP[1] = uint64(noExecute - 3)
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: noExecute, Access: mem.Executable}, cpu.Stop{})
				g.at(noExecute - 3)
			},
		},
		{
			name: "fault/non-canonical address",
			rule: "an access to an address that is none is a Protection fault, through the stack too",
			code: code{amd64: []byte{
				0x90, // nop
			}},
			test: func(g *guest) {
				for _, text := range [][]byte{
					[]byte{
						0x48, 0x8b, 0x01, // movq (%rcx), %rax
					},
					[]byte{
						0x48, 0x89, 0x01, // movq %rax, (%rcx)
					},
					[]byte{
						0x48, 0x89, 0xcd, // movq %rcx, %rbp
						0x48, 0x8b, 0x45, 0x00, // movq (%rbp), %rax
					},
					[]byte{
						0x48, 0x89, 0xcc, // movq %rcx, %rsp
						0x50, // pushq %rax
					},
					[]byte{
						0x48, 0x89, 0xcc, // movq %rcx, %rsp
						0xe8, 0x00, 0x00, 0x00, 0x00, // callq .+5
					},
					[]byte{
						0xff, 0x21, // jmpq *(%rcx)
					},
				} {
					g.load(text)
					g.r.GP[1] = 0x0123_4567_89ab_cdef
					got := g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Protection}, cpu.Stop{})
					if got.Inst == "" {
						g.failf("the exit does not name the instruction: %+v", got)
					}
					if g.r.PC >= uint64(codeAt)+uint64(len(text)) {
						g.failf("pc is %#x after % x", g.r.PC, text)
					}
				}
			},
		},
		{
			name: "fault/non-canonical jump",
			rule: "a jump to an address that is none is a Protection fault",
			code: code{amd64: []byte{
				0xff, 0xe1, // jmpq *%rcx
			}},
			test: func(g *guest) {
				g.r.GP[1] = 0x0123_4567_89ab_cdef
				g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Protection}, cpu.Stop{})
			},
		},
		{
			name: "fault/stack overflow",
			rule: "a page fault at the stack pointer or just below it, with memory above, is a StackOverflow",
			code: code{
				amd64: []byte{
					0xe8, 0xfb, 0xff, 0xff, 0xff, // callq .
				},
				arm64: []byte{
					0xfd, 0x7b, 0xbf, 0xa9, // stp x29, x30, [sp, #-16]!
					0xff, 0xff, 0xff, 0x17, // b .-4
				},
			},
			test: func(g *guest) {
				bottom := stackTop - 4*efi.PageSize
				g.protect(bottom-efi.PageSize, 0)
				want := cpu.Exit{Kind: cpu.Fault, Cause: cpu.StackOverflow, Addr: bottom - 8, Access: mem.Writable}
				if g.arch == cpu.ARM64 {
					want.Addr = bottom - 16
				}
				g.expect(want, cpu.Stop{})
				g.at(codeAt)
			},
		},
		{
			name: "fault/frame too large",
			rule: "a page fault at the stack pointer or just below it, with memory above, is a StackOverflow",
			code: code{
				amd64: []byte{
					0x48, 0x81, 0xec, 0x00, 0x48, 0x00, 0x00, // subq $0x4800, %rsp
					0x48, 0x89, 0x44, 0x24, 0x08, // movq %rax, 8(%rsp)
				},
				arm64: []byte{
					0xff, 0x13, 0x40, 0xd1, // sub sp, sp, #4, lsl #12
					0xff, 0x03, 0x20, 0xd1, // sub sp, sp, #0x800
					0xe0, 0x07, 0x00, 0xf9, // str x0, [sp, #8]
				},
			},
			test: func(g *guest) {
				g.protect(stackTop-5*efi.PageSize, 0)
				want := cpu.Exit{Kind: cpu.Fault, Cause: cpu.StackOverflow, Access: mem.Writable}
				want.Addr = efi.Addr(g.r.GP[g.abi.Stack]) - 0x4800 + 8
				g.expect(want, cpu.Stop{})
			},
		},
	}
}

// again replaces the engine by a new one on the same memory.
func (g *guest) again() {
	g.Helper()
	if err := g.engine.Close(); err != nil {
		g.failf("Close: %v", err)
	}
	var err error
	if g.engine, err = g.newEngine(cpu.Config{Arch: g.arch, Memory: g.mem, Gates: efi.Range{Start: gatesAt, End: gatesEnd}}); err != nil {
		g.failf("no second engine: %v", err)
	}
	engine := g.engine
	g.Cleanup(func() { engine.Close() })
	g.start()
}
