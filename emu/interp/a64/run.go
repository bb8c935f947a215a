// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/arch/arm64/arm64asm"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// quantum is how many instructions execute between two looks at the context.
const quantum = 100_000

// run executes from core.pc.
func (c *core) run(ctx context.Context, stop *cpu.Stop) cpu.Exit {
	done := ctx.Done()
	debug := stop.Steps != 0 || len(stop.Break) > 0
	end := c.count + stop.Steps
	poll := c.count + c.work
	c.from = nil
	for first := true; ; first = false {
		if c.count+c.work >= poll {
			select {
			case <-done:
				return cpu.Exit{Kind: cpu.Interrupted}
			default:
			}
			poll = c.count + c.work + quantum
		}
		if !first {
			if slices.Contains(stop.Break, efi.Addr(c.pc)) {
				return cpu.Exit{Kind: cpu.Break, Addr: efi.Addr(c.pc)}
			}
			if stop.Steps != 0 && c.count == end {
				return cpu.Exit{Kind: cpu.Step}
			}
		}
		if c.gates.Contains(efi.Addr(c.pc)) {
			return cpu.Exit{Kind: cpu.Gate}
		}
		if c.pc&3 != 0 {
			return cpu.Exit{Kind: cpu.Fault, Cause: cpu.Alignment, Addr: efi.Addr(c.pc), Access: mem.Executable}
		}
		b := c.block(c.pc)
		if b == nil {
			return cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: efi.Addr(c.pc), Access: mem.Executable}
		}
		if c.from != nil {
			c.link(c.from, c.slot, b)
		}
		if debug {
			b = c.cut(b, stop, end)
		}
		var budget uint64 // decoding may have used it up
		if now := c.count + c.work; now < poll {
			budget = poll - now
		}
		if stop.Steps != 0 {
			budget = min(budget, end-c.count)
		}
		if len(stop.Break) > 0 {
			budget = 0
		}
		c.budget = int(budget)
		if st := c.exec(b); st > leave {
			return c.stopped(st)
		}
	}
}

// cut is as much of a block as may execute before something is to be looked at.
func (c *core) cut(b *block, stop *cpu.Stop, end uint64) *block {
	n := uint64(len(b.insts))
	if stop.Steps != 0 {
		n = min(n, end-c.count)
	}
	for _, a := range stop.Break {
		if d := uint64(a) - b.pc; d > 0 && d < 4*n {
			n = (d + 3) / 4
		}
	}
	if n == uint64(len(b.insts)) {
		return b
	}
	part := &block{pc: b.pc}
	part.fill(slices.Clone(b.insts[:n]))
	return part
}

// stopped completes core.exit.
func (c *core) stopped(st status) cpu.Exit {
	x := c.exit
	switch st {
	case hit:
		return x
	case ask:
		x.Addr = efi.Addr(c.pc - 4)
		x.Inst = c.text(c.pc - 4)
	case fault:
		x.Inst = c.text(c.pc)
		if x.Cause == cpu.PageFault && cpu.BelowStack(x.Addr, efi.Addr(c.x[regSP]), c.writablePage) {
			x.Cause = cpu.StackOverflow
		}
	}
	return x
}

// writablePage is whether the guest can write to a page.
func (c *core) writablePage(page efi.Addr) bool {
	_, perm, _ := c.mem.Window(page)
	return perm&mem.Writable != 0 && !c.gates.Contains(page)
}

// text is the instruction at pc in the assembler's words.
func (c *core) text(pc uint64) string {
	code, err := c.mem.Fetch(efi.Addr(pc), 4)
	if err != nil {
		return ""
	}
	return disassemble(binary.LittleEndian.Uint32(code))
}

func disassemble(raw uint32) (text string) {
	word := binary.LittleEndian.AppendUint32(nil, raw)
	text = fmt.Sprintf(".inst %#08x", raw)
	defer func() { _ = recover() }() // a decoder of many words: none may end the program
	if i, err := arm64asm.Decode(word); err == nil {
		text = arm64asm.GNUSyntax(i)
	}
	return text
}
