// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// describe completes an exit with the instruction's text, and tells a stack
// that has overflowed from other page faults.
func (c *core) describe(x cpu.Exit) cpu.Exit {
	at := c.pc
	switch x.Kind {
	case cpu.Fault:
		if x.Cause == cpu.PageFault && x.Access != mem.Executable && cpu.BelowStack(x.Addr, efi.Addr(c.r[cpu.RSP]), c.writablePage) {
			x.Cause = cpu.StackOverflow
		}
		if x.Access == mem.Executable && uint64(x.Addr) == c.pc {
			return x
		}
	case cpu.Port, cpu.MSR, cpu.Halt, cpu.System:
		at = uint64(x.Addr)
	default:
		return x
	}
	var buf [longest]byte
	code := buf[:c.fetch(at, &buf)]
	if inst, err := x86asm.Decode(code, 64); err == nil && inst.Op != 0 {
		x.Inst = x86asm.GNUSyntax(inst, at, nil)
	} else {
		x.Inst = fmt.Sprintf("% x", code)
	}
	return x
}

// writablePage is whether the guest can write to a page.
func (c *core) writablePage(page efi.Addr) bool {
	return c.page(uint64(page)/pageSize, mem.Writable) != nil
}
