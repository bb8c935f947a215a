// SPDX-License-Identifier: BSD-3-Clause

package x86

import "errors"

var errShort = errors.New("the instruction has more bytes")

// decoder takes one instruction apart (SDM volume 2, chapter 2).
type decoder struct {
	decoded
	code []byte
	pos  int
	pc   uint64
	bad  bool // more bytes were read than there are

	op16, lock bool
	rex        uint8
	ext        uint8 // bits 3 to 5 of the ModRM byte
	relative   bool  // the displacement counts from the next instruction
	vex        bool
}

// decode decodes the instruction at the start of code, which lies at pc. One
// that is none decodes to a fault. The error is errShort.
func decode(code []byte, pc uint64) (decoded, int, error) {
	d := decoder{code: code, pc: pc}
	d.seg, d.base, d.index = regZero, regZero, regZero
	d.prefixes()
	if d.lock && !d.lockable() {
		d.illegal()
	}
	switch {
	case d.bad && len(code) < longest:
		return d.decoded, 0, errShort
	case d.bad:
		d.decoded = decoded{}
		d.fault(tooLong)
		d.pos = longest
	case d.fn == nil:
		d.illegal()
	}
	if d.relative {
		d.disp += pc + uint64(d.pos)
	}
	d.next = pc + uint64(d.pos)
	d.odd = d.seg != regZero || d.a32
	d.mask = masks[d.sz&3]
	return d.decoded, d.pos, nil
}

func (d *decoder) byte() uint8 {
	if d.pos >= len(d.code) {
		d.bad = true
		return 0
	}
	b := d.code[d.pos]
	d.pos++
	return b
}

// signed reads a little-endian number of n bytes.
func (d *decoder) signed(n int) uint64 {
	var v uint64
	for i := range n {
		v |= uint64(d.byte()) << (8 * i)
	}
	sh := 64 - 8*n
	return uint64(int64(v<<sh) >> sh)
}

func (d *decoder) prefixes() {
	for {
		b := d.byte()
		if d.bad {
			return
		}
		switch b {
		case 0x66:
			d.op16 = true
		case 0x67:
			d.a32 = true
		case 0xf2, 0xf3:
			d.rep = b
		case 0xf0:
			d.lock = true
		case 0x26, 0x2e, 0x36, 0x3e: // without effect in 64-bit mode
			d.seg = regZero
		case 0x64:
			d.seg = regFS
		case 0x65:
			d.seg = regGS
		default:
			if b&0xf0 == 0x40 {
				d.rex = b
				continue
			}
			switch b {
			case 0x0f:
				d.two()
			case 0xc4, 0xc5:
				d.vexPrefix(b)
			default:
				d.one(b)
			}
			return
		}
		d.rex = 0 // only directly before the opcode
	}
}

func (d *decoder) w() bool { return d.rex&8 != 0 }

// opSize sets the operand size from the prefixes and, if sized, bit 0 of the
// opcode.
func (d *decoder) opSize(op uint8) {
	switch {
	case op&1 == 0:
		d.sz = 0
	case d.w():
		d.sz = 3
	case d.op16:
		d.sz = 1
	default:
		d.sz = 2
	}
}

// reg8 is a register number as one of 8 bits.
func (d *decoder) reg8(i uint8) uint8 {
	if d.rex == 0 && !d.vex && i >= 4 && i < 8 {
		return i - 4 | high8
	}
	return i
}

// modrm reads the ModRM and SIB bytes and the displacement (SDM volume 2, 2.1.5).
func (d *decoder) modrm() {
	m := d.byte()
	mod, rm := m>>6, m&7
	d.ext = m >> 3 & 7
	d.reg = d.ext | d.rex&4<<1
	if mod == 3 {
		d.rm = rm | d.rex&1<<3
		return
	}
	d.mem = true
	switch {
	case rm == 4:
		sib := d.byte()
		d.scale = sib >> 6
		if i := sib>>3&7 | d.rex&2<<2; i != 4 {
			d.index = i
		}
		if b := sib & 7; b == 5 && mod == 0 {
			d.disp = d.signed(4)
		} else {
			d.base = b | d.rex&1<<3
		}
	case rm == 5 && mod == 0:
		d.disp = d.signed(4)
		d.relative = true
	default:
		d.base = rm | d.rex&1<<3
	}
	switch mod {
	case 1:
		d.disp = d.signed(1)
	case 2:
		d.disp = d.signed(4)
	}
}

// modrmG is modrm with registers of 8 bits if the operand size is that.
func (d *decoder) modrmG() {
	d.modrm()
	if d.sz == 0 {
		d.reg = d.reg8(d.reg)
		if !d.mem {
			d.rm = d.reg8(d.rm)
		}
	}
}

// immZ reads an immediate of the operand size, of 32 bits at most.
func (d *decoder) immZ() {
	d.imm = d.signed(min(4, 1<<d.sz)) & masks[d.sz]
}

// fault makes the instruction one that does nothing but fault.
func (d *decoder) fault(fn handler) {
	d.fn, d.flags, d.end, d.family = fn, flagsRead, true, famNone
}

func (d *decoder) illegal() { d.fault(undefined) }

// branch reads a displacement of n bytes.
func (d *decoder) branch(n int) {
	d.disp = d.signed(n)
	d.relative = true
	d.end = true
}

// lockable reports whether a lock prefix is allowed (SDM volume 2, LOCK).
func (d *decoder) lockable() bool {
	if !d.mem || d.bad {
		return d.bad
	}
	i := 0
	for b := d.code[i]; b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b&0xe7 == 0x26 || b == 0x64 || b == 0x65 || b&0xf0 == 0x40; b = d.code[i] {
		i++
	}
	op := d.code[i]
	if op == 0x0f {
		switch op = d.code[i+1]; op {
		case 0xab, 0xb3, 0xbb, 0xb0, 0xb1, 0xc0, 0xc1, 0xc7:
			return true
		case 0xba:
			return d.ext >= 5
		}
		return false
	}
	switch {
	case op < 0x38 && op&7 < 2:
		return true
	case op == 0x80 || op == 0x81 || op == 0x83:
		return d.ext != 7
	case op == 0x86 || op == 0x87:
		return true
	case op == 0xf6 || op == 0xf7:
		return d.ext == 2 || d.ext == 3
	case op == 0xfe || op == 0xff:
		return d.ext < 2
	}
	return false
}
