// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Where states of the x87 lie that are loaded, and the one that comes out.
const (
	x87Operands = 0x800
	x87Images   = 0x1000
	x87Out      = 0x1c00
)

// extended is a number in double extended precision, of which many are special
// or near to each other.
func (g generator) extended() ext {
	exps := []uint16{0, 0, 1, extBias, extBias, extBias - 1, extBias + 1, extBias + 62, extBias + 63, extBias - 64, extMax - 1, extMax}
	sigs := []uint64{0, 1, extOne, extOne, extOne | 1, 3 << 62, 3<<62 | 1, 1 << 62, ^uint64(0), 1<<64 - 1<<11, 1<<64 - 1<<40}
	v := ext{exps[g.IntN(len(exps))], sigs[g.IntN(len(sigs))]}
	if g.IntN(2) == 0 {
		v.m = g.Uint64() | extOne
	}
	switch g.IntN(6) {
	case 0:
		v.se = uint16(g.Uint32()) & extMax
	case 1, 2:
		v.se = extBias + uint16(g.IntN(140)) - 70
	case 3:
		v = fromInteger(int64(g.value()) >> g.IntN(64))
	case 4:
		f, p := &double, g.float()
		if g.IntN(2) == 0 {
			f, p = &single, p&0xffffffff
		}
		v, _ = fromReal(p, f)
	}
	if v.se < extMax && v.se > 0 && g.IntN(20) > 0 {
		v.m |= extOne
	}
	return ext{v.se ^ uint16(g.IntN(2))<<15, v.m}
}

// image is a state for fxrstor.
func (g generator) image() (b [512]byte) {
	control := 0x37f&^0xf00 | uint16(g.IntN(16))<<8
	if g.IntN(4) == 0 {
		control &^= 1 << g.IntN(6)
	}
	status := uint16(g.Uint32()) & (x87Top | x87Codes | x87C1)
	if g.IntN(8) == 0 {
		status |= uint16(g.IntN(64))
	}
	binary.LittleEndian.PutUint16(b[0:], control)
	binary.LittleEndian.PutUint16(b[2:], status)
	b[4] = byte(g.Uint32() | g.Uint32() | g.Uint32())
	mxcsr := 0x1f80 | uint32(g.IntN(4))<<13
	if g.IntN(4) == 0 {
		mxcsr &^= 1 << (7 + g.IntN(6))
	}
	binary.LittleEndian.PutUint32(b[24:], mxcsr)
	for i := range 8 {
		v := g.extended()
		binary.LittleEndian.PutUint64(b[fxsaveST+16*i:], v.m)
		binary.LittleEndian.PutUint16(b[fxsaveST+16*i+8:], v.se)
	}
	for i := range 16 {
		binary.LittleEndian.PutUint64(b[fxsaveXMM+16*i:], g.float())
		binary.LittleEndian.PutUint64(b[fxsaveXMM+16*i+8:], g.float())
	}
	return b
}

// x87Case makes a case of an instruction of the x87 or MMX.
func (g generator) x87Case() diffCase {
	for {
		var code []byte
		if g.IntN(3) > 0 {
			if g.IntN(8) == 0 {
				code = append(code, 0x66)
			}
			code = append(code, 0xd8|byte(g.IntN(8)))
		} else {
			if g.IntN(4) == 0 {
				code = append(code, []byte{0x66, 0xf2, 0xf3}[g.IntN(3)])
			}
			if g.IntN(4) == 0 {
				code = append(code, 0x40|byte(g.IntN(16))&^1)
			}
			switch op := byte(g.IntN(256)); g.IntN(8) {
			case 0:
				code = append(code, 0x0f, 0x38, op&15|byte(g.IntN(2))<<4)
			case 1:
				code = append(code, 0x0f, 0x3a, 0x0f)
			default:
				code = append(code, 0x0f, op)
			}
		}
		memory := byte(g.IntN(0x80))
		if g.IntN(2) == 0 {
			code = append(code, byte(g.IntN(8))<<3|0x43, memory&^15)
		} else {
			code = append(code, 0xc0|byte(g.IntN(64)))
		}
		code = append(code, byte(g.Uint32()))
		d, n, err := decode(code, uint64(diffCode))
		if err != nil || !x87Testable(&d) {
			continue
		}
		c := diffCase{code: code[:n]}
		if g.IntN(3) == 0 {
			c.setup = append(c.setup, 0x48, 0x0f, 0xae, 0x0c, 0x25) // fxrstor64
			c.setup = binary.LittleEndian.AppendUint32(c.setup, uint32(diffData)+x87Images+512*uint32(g.IntN(4)))
		}
		at := uint64(diffData) + x87Operands + 16*uint64(g.IntN(60))
		choice := g.IntN(24)
		switch name(&d) {
		case "fnstenv", "fldenv", "fnsave", "frstor": // where in their operand they fault differs
			choice = max(choice, 3)
		case "fst": // what has 10 bytes may be written in part
			if d.imm&x87Kind == opReal10 || d.imm&x87Kind == opBCD {
				choice = max(choice, 3)
			}
		}
		switch choice {
		case 0:
			at = uint64(g.Uint32())<<16 | 0x10
		case 1: // half of it is not there
			at = uint64(diffEnd) - uint64(memory&^15) - uint64(g.IntN(16))
		case 2: // half of it cannot be written
			at = uint64(diffGates) - uint64(memory&^15) - uint64(g.IntN(16))
		}
		c.setup = append(c.setup, movImm(cpu.RBX, at)...)
		c.setup = append(c.setup, movImm(cpu.RSP, uint64(diffStack)+0x800)...)
		c.setup = append(c.setup, movImm(cpu.RDI, uint64(diffData)+0x100)...)
		c.setup = append(c.setup, 0x68) // pushq flags; popfq
		c.setup = binary.LittleEndian.AppendUint32(c.setup, uint32(g.Uint64())&arith|0x202)
		c.setup = append(c.setup, 0x9d)
		return c
	}
}

// x87Testable is what decodes to an instruction of the x87 or MMX.
func x87Testable(d *decoded) bool {
	switch name(d) {
	case "fld", "fldConst", "fst", "fist", "x87Arith", "fcom", "fcomi", "ftst", "fxam", "x87Unary", "fxtract", "fxch",
		"fcmov", "ffree", "fturn", "fninit", "fnclex", "fwait", "fnstsw", "fnstcw", "fldcw", "fnstenv", "fldenv", "fnsave",
		"frstor", "fnop", "mmxOp", "mmxLoad", "mmxStore", "mmxInsert", "mmxExtract", "mmxMask", "maskmovq", "movq2dq", "movdq2q",
		"cvtpi2x", "cvtx2pi", "emms":
		return true
	}
	return false
}

func (g generator) x87Program() *program {
	p := &program{fp: cpu.InitialFP(cpu.AMD64)}
	for i := range p.r.GP[:16] {
		p.r.GP[i] = g.value()
	}
	p.r.PC, p.r.Flags = uint64(diffCode), 0x202
	p.r.GP[cpu.RSP] = uint64(diffStack) + 0x800
	for i := 0; i < x87Images; i += 16 {
		v := p.data[i : i+16]
		switch binary.LittleEndian.PutUint64(v[8:], g.float()); g.IntN(4) {
		case 0:
			e := g.extended()
			binary.LittleEndian.PutUint64(v, e.m)
			binary.LittleEndian.PutUint16(v[8:], e.se)
		case 1:
			for j := range 10 {
				v[j] = byte(g.IntN(10) | g.IntN(10)<<4)
			}
		default:
			binary.LittleEndian.PutUint64(v, g.float())
		}
	}
	for i := range 4 {
		image := g.image()
		copy(p.data[x87Images+512*i:], image[:])
	}
	for range 40 {
		p.cases = append(p.cases, g.x87Case())
	}
	return p
}

// TestX87 compares instructions of the x87 and MMX, in random states, with the
// processor: registers and status come out by fxsave.
func TestX87(t *testing.T) {
	native, ours := pair(t)
	seed, rounds := chosen(2000, 200)
	save := diffCase{code: []byte{0x48, 0x0f, 0xae, 0x04, 0x25}} // fxsave64
	save.code = binary.LittleEndian.AppendUint32(save.code, uint32(diffData)+x87Out)
	first := diffCase{code: []byte{0x48, 0x0f, 0xae, 0x0c, 0x25}} // fxrstor64
	first.code = binary.LittleEndian.AppendUint32(first.code, uint32(diffData)+x87Images)
	g := generator{rand.New(rand.NewPCG(seed, 87))}
	run := func(m machine, p *program, n int) outcome {
		q := *p
		q.cases = append(append([]diffCase{first}, p.cases[:n]...), save)
		return m.run(t, &q, n+2)
	}
	total, faults, failed := 0, 0, 0
	start := time.Now()
	for range rounds {
		p := g.x87Program()
		n := len(p.cases)
		a, b := run(native, p, n), run(ours, p, n)
		total += n
		faults += len(a.exits) - 1
		if differs(a, b, save) == "" {
			continue
		}
		for n = 1; n <= len(p.cases); n++ {
			before := run(native, p, n-1)
			a, b = run(native, p, n), run(ours, p, n)
			if diff := differs(a, b, save); diff != "" {
				failed++
				t.Errorf("case %d, %s, after\n%s\n%s\nstate  %s\nnative %s", n, disassembled(p.cases[n-1].code), state(before), diff, state(b), state(a))
				break
			}
		}
		if failed > 20 {
			break
		}
	}
	t.Logf("%d cases, %d faults, %d runs differ, in %v", total, faults, failed, time.Since(start).Round(time.Millisecond))
}

func disassembled(code []byte) string {
	inst, err := x86asm.Decode(code, 64)
	if err != nil {
		return fmt.Sprintf("% x", code)
	}
	return fmt.Sprintf("% x  %s", code, x86asm.GNUSyntax(inst, 0, nil))
}

// state is what fxsave has left, as text.
func state(o outcome) string {
	b := o.data[x87Out:]
	s := fmt.Sprintf("control %x, status %x, used %02x, opcode %x, ip %x, dp %x;", binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), b[4],
		binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]))
	for i := range 8 {
		s += fmt.Sprintf(" %04x:%016x", binary.LittleEndian.Uint16(b[fxsaveST+16*i+8:]), binary.LittleEndian.Uint64(b[fxsaveST+16*i:]))
	}
	return s
}
