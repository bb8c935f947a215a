// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"encoding/binary"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// arrange makes a case of an instruction that goes elsewhere or needs more than
// the usual to be executed. Branches go over an incq %r10, or not.
func (g generator) arrange(c *diffCase, d *decoded) bool {
	increment := []byte{0x49, 0xff, 0xc2}
	n := len(c.code)
	operand := slices.IndexFunc(c.code, func(b byte) bool { return !prefixByte(b) }) // where the opcode is
	rex := byte(0x40)
	if operand > 0 && c.code[operand-1]&0xf0 == 0x40 {
		rex = c.code[operand-1]
	}
	narrow := c.row.prefix == 0x66
	before, after := []byte(nil), []byte(nil)
	switch handler := name(d); handler {
	case "refused", "portIO", "msr", "halt", "interrupts", "clearTS", "cacheSync", "movCR":
		if inst, err := x86asm.Decode(c.code, 64); err != nil || inst.Op == 0 {
			return false // ptrace would not know it, either
		}
	case "trapped":
		if operand > 0 {
			return false // ptrace cannot tell where it began
		}
	case "jcc", "jmp", "call", "loop":
		if narrow {
			return false // processors differ
		}
		width := 1
		if opcode := c.code[operand]; opcode == 0x0f || opcode&^1 == 0xe8 {
			width = 4
		}
		copy(c.code[n-width:], []byte{3, 0, 0, 0}[:width])
		after = increment
	case "ret":
		if narrow {
			return false
		}
		if c.code[operand] == 0xc2 {
			c.code[n-2], c.code[n-1] = c.code[n-2]&0xf8, 0
		}
		before = append(leaR10(2+n+len(increment)), 0x41, 0x52) // pushq %r10
		after = increment
	case "callE", "jmpE":
		if narrow || !d.mem && d.rm&15 == cpu.RSP {
			return false
		}
		before, after = leaR10(n+3+len(increment)), increment
		if d.mem {
			store := g.storeR10(c.code[operand+1:], rex)
			before = append(leaR10(len(store)+n+len(increment)), store...)
		} else {
			before = append(before, 0x4c, 0x89, 0xd0|d.rm&7) // movq %r10, register
			before[len(before)-3] |= d.rm >> 3
		}
	case "enter":
		c.code[n-3], c.code[n-2] = c.code[n-3]&0xf8, 0
		c.code[n-1] &= 0x1f
		before = []byte{0x48, 0x8d, 0xac, 0x24, 0x80, 1, 0, 0} // leaq 0x180(%rsp), %rbp
	case "leaveFrame":
		before = []byte{0x48, 0x8d, 0x6c, 0x24, 0x10} // leaq 0x10(%rsp), %rbp
	case "popf":
		before = binary.LittleEndian.AppendUint32([]byte{0x68}, uint32(g.Uint64())&arith|0x202) // pushq
	case "movToSeg", "popSeg":
		selector := byte(0)
		if handler == "movToSeg" && (d.op == segSS || d.op < 4 && g.IntN(2) == 0) {
			selector = userSS
		}
		before = append([]byte{0x49, 0xc7, 0xc2}, selector, 0, 0, 0) // movq $selector, %r10
		switch {
		case handler == "popSeg":
			before = append(before, 0x41, 0x52) // pushq %r10
		case d.mem:
			before = append(before, g.storeR10(c.code[operand+1:], rex)...)
		default:
			if d.rm&15 == cpu.RSP {
				return false
			}
			before = append(before, 0x4c|d.rm>>3, 0x89, 0xd0|d.rm&7)
		}
	default:
		return false
	}
	c.code = slices.Concat(before, c.code, after)
	return true
}

// leaR10 loads the address of n bytes behind itself into r10.
func leaR10(n int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0x4c, 0x8d, 0x15}, uint32(n))
}

// storeR10 is movq %r10 to the memory operand that an instruction with a REX prefix
// has in its ModRM byte and what follows.
func (g generator) storeR10(operand []byte, rex byte) []byte {
	code := slices.Concat([]byte{0x4c | rex&3, 0x89}, operand)
	code[2] = code[2]&^0x38 | 2<<3
	return code
}
