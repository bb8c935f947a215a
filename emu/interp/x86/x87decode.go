// SPDX-License-Identifier: BSD-3-Clause

package x86

// x87 decodes the opcodes d8 to df (SDM volume 2, A.5). What is not there of the
// x87 are the transcendental functions.
func (d *decoder) x87(op uint8) {
	at := d.pos
	d.modrm()
	if d.bad {
		return
	}
	d.sz = 1
	d.op = d.ext
	fop := uint64(op&7)<<8 | uint64(d.code[at])
	if d.mem {
		d.x87Memory(op & 7)
	} else {
		d.rm &= 7
		d.x87Register(op & 7)
	}
	d.imm |= fop << 16
}

// x87Memory decodes those with an operand in memory.
func (d *decoder) x87Memory(op uint8) {
	kind := [...]uint64{opReal4, opReal4, opInt4, opInt4, opReal8, opReal8, opInt2, opInt2}[op]
	if op&1 == 0 {
		d.x87Arith(kind)
		return
	}
	d.imm = kind
	switch m := d.ext; m {
	case 0:
		d.fn = fld
	case 1:
		if d.fn, d.op = fist, 1; op == 1 {
			d.fn = nil
		} else {
			d.imm |= x87Pop
			if op == 5 {
				d.imm = opInt8 | x87Pop
			}
		}
	case 2, 3:
		if d.fn, d.op = fst, 0; op == 3 || op == 7 {
			d.fn = fist
		}
		if m == 3 {
			d.imm |= x87Pop
		}
	default:
		d.fn, d.imm = x87Others[op>>1][m&3].fn, x87Others[op>>1][m&3].imm
		if d.op = 0; op&2 == 0 && m&1 == 0 && (!d.op16 || d.w()) {
			d.sz = 2 // of the environment
		}
	}
}

// x87Others are the rest, by bits 1 and 2 of the opcode and the two lowest of the
// ModRM byte's middle.
var x87Others = [4][4]struct {
	fn  handler
	imm uint64
}{
	{{fldenv, 0}, {fldcw, 0}, {fnstenv, 0}, {fnstcw, 0}},
	{{}, {fld, opReal10}, {}, {fst, opReal10 | x87Pop}},
	{{frstor, 0}, {}, {fnsave, 0}, {fnstsw, 0}},
	{{fld, opBCD}, {fld, opInt8}, {fst, opBCD | x87Pop}, {fist, opInt8 | x87Pop}},
}

// x87Arith decodes arithmetic and comparisons.
func (d *decoder) x87Arith(form uint64) {
	d.imm = form
	switch d.fn = x87Arith; d.ext {
	case x87Comp:
		d.imm += x87Pop
		fallthrough
	case x87Com:
		d.fn, d.op = fcom, 1
	}
}

// x87Register decodes those whose operands are on the stack.
func (d *decoder) x87Register(op uint8) {
	m, i := d.ext, d.rm
	switch op {
	case 0:
		d.x87Arith(opST)
	case 1:
		switch {
		case m == 0:
			d.fn = fld
		case m == 1:
			d.fn = fxch
		case m == 2 && i == 0:
			d.fn = fnop
		case m >= 4:
			d.x87Unary(m<<3 | i)
		}
	case 2, 3:
		switch {
		case m < 4:
			d.fn, d.op = fcmov, [...]uint8{2, 4, 6, 10}[m]|op&1
		case op == 2 && m == 5 && i == 1:
			d.fn, d.op, d.imm = fcom, 0, 2*x87Pop
		case op == 3 && m == 4:
			d.fn = [8]handler{nop, nop, fnclex, fninit, nop}[i]
		case op == 3 && (m == 5 || m == 6):
			d.fn, d.op = fcomi, m&2
		}
	case 4:
		if m != x87Com && m != x87Comp {
			d.x87Arith(x87To)
		}
	case 6:
		if m != x87Com && m != x87Comp || m == x87Comp && i == 1 {
			d.x87Arith(x87To | x87Pop)
		}
	case 5:
		switch d.op = 0; m {
		case 0:
			d.fn = ffree
		case 2:
			d.fn = fst
		case 3:
			d.fn, d.imm = fst, x87Pop
		case 4:
			d.fn = fcom
		case 5:
			d.fn, d.imm = fcom, x87Pop
		}
	case 7:
		switch {
		case m == 0:
			d.fn, d.imm = ffree, x87Pop // ffreep, which no manual has and old compilers use
		case m == 4 && i == 0:
			d.fn = fnstsw
		case m == 5 || m == 6:
			d.fn, d.op, d.imm = fcomi, m&2, x87Pop
		}
	}
}

// x87Unary decodes d9 e0 to d9 ff.
func (d *decoder) x87Unary(op uint8) {
	switch d.op = op; {
	case op == x87Chs || op == x87Abs || op == x87Sqrt || op == x87Rndint || op == x87Scale || op == x87Prem || op == x87Prem1:
		d.fn = x87Unary
	case op == x87Xtract:
		d.fn = fxtract
	case op == 0x24:
		d.fn = ftst
	case op == 0x25:
		d.fn = fxam
	case op >= 0x28 && op < 0x2f:
		d.fn, d.op = fldConst, op&7
	case op == 0x36:
		d.fn, d.op = fturn, 7
	case op == 0x37:
		d.fn, d.op = fturn, 1
	}
}
