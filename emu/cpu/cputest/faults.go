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
	return all
}

func (g *guest) protectPages() {
	g.Helper()
	g.protect(readOnly, mem.Readable|mem.Executable)
	g.protect(noExecute, mem.Readable|mem.Writable)
	g.protect(noAccess, 0)
	g.protect(execOnly, mem.Executable)
}
