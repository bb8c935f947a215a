// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// composer writes random code of the kind that compilers write.
type composer struct {
	*rand.Rand
	code []byte
	far  int // of how many accesses one is where no memory is
}

func (c *composer) emit(b ...byte) { c.code = append(c.code, b...) }

// reg is a register; few of them, so that instructions depend on each other. rsp is
// left to push and pop, and rbp, rsi and rdi point to data.
func (c *composer) reg() byte { return [...]byte{0, 1, 2, 3, 8, 9}[c.IntN(6)] }

// op writes an instruction with a ModRM byte for two registers, or a register and memory.
// Of memory, most is there.
func (c *composer) op(mem bool, reg byte, opcode ...byte) {
	rex := byte(0x40) | byte(c.IntN(2))<<3 | reg>>3<<2
	if n := c.IntN(8); n == 0 && opcode[0] != 0x0f {
		c.emit(0x66)
	}
	if !mem {
		rm := c.reg()
		c.emit(rex | rm>>3)
		c.emit(opcode...)
		c.emit(0xc0 | reg&7<<3 | rm&7)
		return
	}
	base := [...]byte{5, 6, 7}[c.IntN(3)]
	at := uint32(c.IntN(0x800))
	if c.IntN(c.far) == 0 {
		at += 0x10000
	}
	c.emit(rex)
	c.emit(opcode...)
	if c.IntN(3) == 0 { // with rbx, 0 to 15, as the index
		c.code[len(c.code)-len(opcode)-1] &^= 2
		c.emit(0x84|reg&7<<3, byte(c.IntN(4))<<6|3<<3|base)
	} else {
		c.emit(0x80 | reg&7<<3 | base)
	}
	c.code = binary.LittleEndian.AppendUint32(c.code, at)
}

// gate writes how far the gate is.
func (c *composer) gate() {
	c.code = binary.LittleEndian.AppendUint32(c.code, uint32(diffGates)-uint32(diffCode)-uint32(len(c.code))-4)
}

func (c *composer) instruction() {
	mem := c.IntN(3) == 0
	alu := byte(c.IntN(8)) << 3
	switch c.IntN(24) {
	case 0, 1:
		c.op(mem, c.reg(), alu|1)
	case 2, 3:
		c.op(mem, c.reg(), alu|3)
	case 4:
		c.op(mem, c.reg(), alu|byte(c.IntN(2))<<1)
	case 5, 6:
		c.op(mem, alu>>3, 0x83)
		c.emit(byte(c.Uint32()))
	case 7:
		c.op(mem, alu>>3, 0x80)
		c.emit(byte(c.Uint32()))
	case 8, 9, 10:
		c.op(false, c.reg(), 0x89)
	case 11:
		c.op(true, c.reg(), 0x8b)
	case 12:
		c.op(true, c.reg(), 0x88|byte(c.IntN(4)))
	case 13, 14:
		c.op(false, [...]byte{0, 1, 0, 1, 4, 5, 7}[c.IntN(7)], 0xc1)
		c.emit(byte(c.IntN(66)))
	case 15:
		c.op(false, [...]byte{4, 5, 7}[c.IntN(3)], 0xd3)
	case 16:
		c.op(mem, c.reg(), 0x0f, [...]byte{0xb6, 0xb7, 0xbe, 0xbf, 0xaf}[c.IntN(5)])
	case 17:
		c.op(true, c.reg(), 0x8d)
	case 18:
		c.op(mem, c.reg(), 0x0f, 0x40|byte(c.IntN(16)))
	case 19:
		c.op(false, 0, 0x0f, 0x90|byte(c.IntN(16)))
	case 20:
		c.op(mem, c.reg(), 0x84|byte(c.IntN(2)))
	case 21:
		c.op(mem && c.IntN(2) == 0, byte(c.IntN(2)), 0xff)
	case 22:
		for range 1 + c.IntN(3) {
			c.emit([...]byte{0x50, 0x58}[c.IntN(2)] | byte(c.IntN(4)))
		}
	case 23:
		c.op(mem && c.IntN(2) == 0, 2+byte(c.IntN(2)), 0xf7-byte(c.IntN(2)))
	}
	c.emit(0x83, 0xe3, 0x0f) // andl $15, %ebx
	if c.IntN(2) == 0 {
		c.code = c.code[:len(c.code)-3]
	}
}

// TestBlocks runs random code in blocks and by single instructions: both must come to
// the same.
func TestBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	kinds := map[cpu.Kind]int{}
	for round := range 5000 {
		c := composer{Rand: r, far: []int{150, 8}[r.IntN(2)]}
		var jumps []int
		for range 3 + r.IntN(3) {
			for range r.IntN(12) {
				c.instruction()
			}
			if r.IntN(5) == 0 {
				c.emit(0xeb, 0) // jmp
			}
			if r.IntN(4) == 0 {
				c.op(false, c.reg(), [...]byte{0x39, 0x85, 0x3b}[r.IntN(3)])
				c.op(true, c.reg(), 0x88|byte(r.IntN(2)))
			}
			if r.IntN(6) == 0 { // into an instruction, often
				c.emit(0x70|byte(r.IntN(16)), byte(r.IntN(6)))
			} else { // to the gate
				c.emit(0x0f, 0x80|byte(r.IntN(16)))
				c.gate()
			}
			jumps = append(jumps, len(c.code))
		}
		if r.IntN(2) == 0 { // a loop
			c.emit(0x83, 0xed, 0x01, 0x0f, 0x85) // subl $1, %ebp; jne
			c.code = binary.LittleEndian.AppendUint32(c.code, -uint32(len(c.code)+4-jumps[r.IntN(len(jumps))]))
		}
		c.emit(0xe9)
		c.gate()
		var start cpu.Regs
		for i := range 16 {
			start.GP[i] = r.Uint64() >> r.IntN(64)
		}
		data := uint64(diffData)
		if r.IntN(4) == 0 {
			data = uint64(diffCode) // the code changes
		}
		start.GP[cpu.RBP], start.GP[cpu.RSI], start.GP[cpu.RDI] = data, data+uint64(r.IntN(16)), data+0x800
		start.GP[cpu.RBX] &= 15
		start.GP[cpu.RSP] = uint64(diffStack) + 0x800
		start.PC, start.Flags = uint64(diffCode), 0x202|r.Uint64()&arith
		var end [2]cpu.Regs
		var exit [2]cpu.Exit
		var count [2]uint64
		var memory [2]string
		for i, stop := range []cpu.Stop{{Steps: 3000}, {Steps: 3000, Break: []efi.Addr{dropped}}} {
			m, err := newMachine(New)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.mem.Write(diffCode, c.code); err != nil {
				t.Fatal(err)
			}
			end[i] = start
			for range 3 { // the first time builds blocks, the others run what is there
				end[i].PC = start.PC
				if exit[i], err = m.engine.Run(context.Background(), &end[i], stop); err != nil {
					t.Fatal(err)
				}
				if exit[i].Kind != cpu.Gate {
					break
				}
			}
			count[i] = m.engine.(*core).count
			view, err := m.mem.Read(diffCode, uint64(diffEnd-diffCode))
			if err != nil {
				t.Fatal(err)
			}
			memory[i] = string(view)
			m.close()
		}
		kinds[exit[0].Kind]++
		if end[0] != end[1] || exit[0] != exit[1] || count[0] != count[1] || memory[0] != memory[1] {
			t.Fatalf("round %d: % x\nfrom %x\nblocks %+v after %d: %x\nsingle %+v after %d: %x\nsame memory %v",
				round, c.code, start, exit[0], count[0], end[0], exit[1], count[1], end[1], memory[0] == memory[1])
		}
	}
	t.Logf("exits: %v", kinds)
}
