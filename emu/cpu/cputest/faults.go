// SPDX-License-Identifier: BSD-3-Clause

package cputest

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// The instructions with which faults are provoked: they use the address in
// rcx, x1.
var (
	load = code{
		amd64: []byte{
			0x48, 0x8b, 0x01, // movq (%rcx), %rax
		},
		arm64: []byte{
			0x20, 0x00, 0x40, 0xf9, // ldr x0, [x1]
		},
	}
	store = code{
		amd64: []byte{
			0x48, 0x89, 0x01, // movq %rax, (%rcx)
		},
		arm64: []byte{
			0x20, 0x00, 0x00, 0xf9, // str x0, [x1]
		},
	}
	jump = code{
		amd64: []byte{
			0xff, 0xe1, // jmpq *%rcx
		},
		arm64: []byte{
			0x20, 0x00, 0x1f, 0xd6, // br x1
		},
	}
)

// Pages with a protection of their own.
const (
	readOnly  = dataAt + 4*efi.PageSize
	noExecute = dataAt + 6*efi.PageSize
	noAccess  = dataAt + 8*efi.PageSize
	execOnly  = dataAt + 10*efi.PageSize // readable too on a real processor
)

// faultCases are the page faults: one access each.
func faultCases() []testCase {
	const (
		r, w, x = mem.Readable, mem.Writable, mem.Executable
	)
	var all []testCase
	for _, c := range []struct {
		name   string
		code   code
		at     efi.Addr // what the instruction is told to use
		addr   efi.Addr // where the fault is, if elsewhere
		access mem.Perm
	}{
		{name: "read of no RAM", code: load, at: holeAt, access: r},
		{name: "write of no RAM", code: store, at: holeAt, access: w},
		{name: "fetch of no RAM", code: jump, at: holeAt, access: x},
		{name: "read of null", code: load, at: 0, access: r},
		{name: "write of null", code: store, at: 8, access: w},
		{name: "fetch of null", code: jump, at: 0, access: x},
		{name: "read just behind RAM", code: load, at: ramEnd, access: r},
		{name: "read over the end of RAM", code: load, at: ramEnd - 4, addr: ramEnd, access: r},
		{name: "write over the end of RAM", code: store, at: ramEnd - 1, addr: ramEnd, access: w},
		{name: "read between the RAMs", code: load, at: highAt - 8, access: r},
		{name: "read of the kernel's half", code: load, at: 0xffff_8000_0000_1000, access: r},
		{name: "write of the kernel's half", code: store, at: 0xffff_ffff_8000_0000, access: w},
		{name: "write of a gate", code: store, at: gatesAt + 0x20, access: w},
		{name: "write of a read-only page", code: store, at: readOnly + 8, access: w},
		{name: "write into a read-only page", code: store, at: readOnly - 4, addr: readOnly, access: w},
		{name: "fetch of a page without execution", code: jump, at: noExecute + 16, access: x},
		{name: "read of a page without access", code: load, at: noAccess, access: r},
		{name: "write of a page without access", code: store, at: noAccess + 0xff8, access: w},
		{name: "fetch of a page without access", code: jump, at: noAccess + 4, access: x},
		{name: "write of a page to execute", code: store, at: execOnly, access: w},
		{
			name: "increment of no RAM", at: holeAt, access: w,
			code: code{amd64: []byte{
				0x48, 0xff, 0x01, // incq (%rcx)
			}},
		},
		{
			name: "increment of a read-only page", at: readOnly, access: w,
			code: code{amd64: []byte{
				0xf0, 0x48, 0xff, 0x01, // lock incq (%rcx)
			}},
		},
		{
			name: "comparison with no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0x48, 0x39, 0x01, // cmpq %rax, (%rcx)
			}},
		},
		{
			name: "test of no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0xf6, 0x01, 0x01, // testb $1, (%rcx)
			}},
		},
		{
			name: "push from no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0xff, 0x31, // pushq (%rcx)
			}},
		},
		{
			name: "pop to no RAM", at: holeAt, access: w,
			code: code{amd64: []byte{
				0x8f, 0x01, // popq (%rcx)
			}},
		},
		{
			name: "call through no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0xff, 0x11, // callq *(%rcx)
			}},
		},
		{
			name: "division by no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0x48, 0xf7, 0x31, // divq (%rcx)
			}},
		},
		{
			name: "string store to no RAM", at: holeAt, access: w,
			code: code{amd64: []byte{
				0x48, 0x89, 0xcf, // movq %rcx, %rdi
				0xb9, 0x01, 0x00, 0x00, 0x00, // movl $1, %ecx
				0xf3, 0x48, 0xab, // rep stosq
			}},
		},
		{
			name: "string move from no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0x48, 0x89, 0xce, // movq %rcx, %rsi
				0x48, 0x8d, 0x3c, 0x24, // leaq (%rsp), %rdi
				0xa4, // movsb
			}},
		},
		{
			name: "string move to no RAM", at: holeAt, access: w,
			code: code{amd64: []byte{
				0x48, 0x89, 0xcf, // movq %rcx, %rdi
				0x48, 0x8d, 0x34, 0x24, // leaq (%rsp), %rsi
				0xa4, // movsb
			}},
		},
		{
			name: "vector read of no RAM", at: holeAt, access: r,
			code: code{amd64: []byte{
				0x0f, 0x10, 0x01, // movups (%rcx), %xmm0
			}, arm64: []byte{
				0x20, 0x00, 0xc0, 0x3d, // ldr q0, [x1]
			}},
		},
		{
			name: "vector write of no RAM", at: holeAt, access: w,
			code: code{amd64: []byte{
				0x0f, 0x11, 0x01, // movups %xmm0, (%rcx)
			}, arm64: []byte{
				0x20, 0x00, 0x80, 0x3d, // str q0, [x1]
			}},
		},
	} {
		if c.addr == 0 {
			c.addr = c.at
		}
		all = append(all, testCase{
			name: "fault/" + c.name,
			rule: "an access that RAM or its protection forbids is a Fault, PageFault, with address and access, PC at the instruction, and its text if it can be read; nothing of the instruction has happened",
			code: c.code,
			test: func(g *guest) {
				g.protectPages()
				g.r.GP[1] = uint64(c.at)
				before := g.r
				got := g.expect(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: c.addr, Access: c.access}, cpu.Stop{})
				if c.access == mem.Executable {
					g.at(c.addr)
					return
				}
				if got.Inst == "" {
					g.failf("the exit does not name the instruction: %+v", got)
				}
				if end := uint64(codeAt) + uint64(len(c.code.of(g.arch))); g.r.PC < uint64(codeAt) || g.r.PC >= end {
					g.failf("pc is %#x", g.r.PC)
				}
				g.gp(0, before.GP[0])
				g.gp(g.abi.Stack, before.GP[g.abi.Stack])
			},
		})
	}
	return append(all, otherFaultCases()...)
}

func (g *guest) protectPages() {
	g.Helper()
	g.protect(readOnly, mem.Readable|mem.Executable)
	g.protect(noExecute, mem.Readable|mem.Writable)
	g.protect(noAccess, 0)
	g.protect(execOnly, mem.Executable)
}

func otherFaultCases() []testCase {
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
