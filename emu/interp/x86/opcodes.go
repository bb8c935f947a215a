// SPDX-License-Identifier: BSD-3-Clause

package x86

// one decodes the one-byte opcodes (SDM volume 2, table A-2).
func (d *decoder) one(op uint8) {
	switch {
	case op < 0x40:
		d.aluOpcode(op)
		return
	case op < 0x60:
		d.rm = op&7 | d.rex&1<<3
		d.stackSize()
		d.fn = push
		d.family = famPush
		if op >= 0x58 {
			d.fn = popReg
			d.family = famPop
		}
		return
	case op >= 0x70 && op < 0x80:
		d.op = op & 15
		d.branch(1)
		d.fn = jcc
		d.family = famJcc
		return
	case op >= 0xb0 && op < 0xc0:
		d.rm = op&7 | d.rex&1<<3
		d.opSize(op >> 3)
		if d.sz == 0 {
			d.rm = d.reg8(d.rm)
		}
		d.imm = d.signed(1<<d.sz) & masks[d.sz]
		d.fn, d.flags = movEI, flagsNone
		d.family = famMovEI
		return
	case op >= 0xd8 && op < 0xe0:
		d.x87(op)
		return
	}
	d.opSize(op)
	switch op {
	case 0x63:
		d.opSize(1)
		d.modrm()
		d.fn = movsxd
		d.family = famMovsxd
	case 0x68, 0x6a:
		d.stackSize()
		if op == 0x6a {
			d.imm = d.signed(1)
		} else {
			d.imm = d.signed(min(4, 1<<d.sz))
		}
		d.fn, d.family = pushImm, famPushImm
	case 0x69, 0x6b:
		d.opSize(1)
		d.modrm()
		if op == 0x69 {
			d.imm = d.signed(min(4, 1<<d.sz))
		} else {
			d.imm = d.signed(1)
		}
		d.fn, d.family = imul3, famMul3
	case 0x6c, 0x6d, 0x6e, 0x6f:
		d.fault(refused)
	case 0x80, 0x81, 0x83:
		d.modrmG()
		d.op = d.ext
		if op == 0x81 {
			d.immZ()
		} else {
			d.imm = d.signed(1) & masks[d.sz]
		}
		d.fn = aluEI
		d.family = famAluEI
	case 0x84, 0x85:
		d.modrmG()
		d.fn = testEG
		d.family = famTestEG
	case 0x86, 0x87:
		d.modrmG()
		d.fn = xchg
	case 0x88, 0x89:
		d.modrmG()
		d.fn = movEG
		d.family = famMovEG
	case 0x8a, 0x8b:
		d.modrmG()
		d.fn = movGE
		d.family = famMovGE
	case 0x8c, 0x8e:
		d.segments(op)
	case 0x8d:
		d.opSize(1)
		if d.modrm(); !d.mem {
			d.illegal()
			return
		}
		d.seg = regZero
		d.fn, d.flags = lea, flagsNone
		d.family = famLea
	case 0x8f:
		if d.modrm(); d.ext != 0 {
			d.illegal()
			return
		}
		d.stackSize()
		d.fn = popE
	case 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97:
		d.opSize(1)
		d.rm = op&7 | d.rex&1<<3
		d.fn, d.flags = xchg, flagsNone
		if d.rm == 0 || op == 0x90 && d.rep == 0xf3 {
			d.fn, d.family = nop, famNop // pause, with 0xf3
		}
	case 0x98:
		d.opSize(1)
		d.fn, d.flags = cbw, flagsNone
	case 0x99:
		d.opSize(1)
		d.fn, d.flags = cwd, flagsNone
	case 0x9b:
		d.fn = fwait
	case 0x9c:
		d.stackSize()
		d.fn = pushf
	case 0x9d:
		d.stackSize()
		d.fn, d.end = popf, true
	case 0x9e:
		d.fn = sahf
	case 0x9f:
		d.fn = lahf
	case 0xa0, 0xa1, 0xa2, 0xa3:
		n := 8
		if d.a32 {
			n = 4
		}
		d.disp = d.signed(n)
		d.mem = true
		d.fn = movGE
		d.family = famMovGE
		if op >= 0xa2 {
			d.fn = movEG
			d.family = famMovEG
		}
	case 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf:
		d.fn = stringOps[op>>1&7]
	case 0xa8, 0xa9:
		d.immZ()
		d.fn = testEI
		d.family = famTestEI
	case 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3:
		d.modrmG()
		d.op = d.ext
		d.fn = shiftE
		d.family = famShift
		switch {
		case op < 0xd0:
			d.imm = uint64(d.byte())
		case op < 0xd2:
			d.imm = 1
		default:
			d.fn, d.family = shiftCL, famShiftCL
		}
	case 0xc2, 0xc3:
		if op == 0xc2 {
			d.imm = d.signed(2) & 0xffff
		}
		d.fn, d.family, d.end = ret, famRet, true
	case 0xc6, 0xc7:
		if d.modrmG(); d.ext != 0 {
			d.illegal()
			return
		}
		d.immZ()
		d.fn = movEI
		d.family = famMovEI
	case 0xc8:
		d.stackSize()
		d.imm = d.signed(2) & 0xffff
		d.op = d.byte()
		d.fn = enter
	case 0xc9:
		d.stackSize()
		d.fn = leaveFrame
	case 0xca, 0xcb, 0xcf:
		if op == 0xca {
			d.signed(2)
		}
		d.fault(refused)
	case 0xcc, 0xf1:
		d.fault(trapped)
	case 0xcd:
		switch d.byte() {
		case 3:
			d.fault(trapped)
		case 0x80:
			d.fault(systemCall)
		default:
			d.fault(refused)
		}
	case 0xd7:
		d.fn = xlat
	case 0xe0, 0xe1, 0xe2, 0xe3:
		d.op = op & 3
		d.branch(1)
		d.fn = loop
	case 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef:
		d.opSize(op)
		d.sz = min(d.sz, 2)
		d.op = op & 2 // out
		if op < 0xe8 {
			d.imm = uint64(d.byte())
			d.op |= 1 // immediate
		}
		d.fn, d.end = portIO, true
	case 0xe8:
		d.branch(4)
		d.fn, d.family = call, famCall
	case 0xe9:
		d.branch(4)
		d.fn, d.family = jmp, famJmp
	case 0xeb:
		d.branch(1)
		d.fn, d.family = jmp, famJmp
	case 0xf4:
		d.fn, d.end = halt, true
	case 0xf5, 0xf8, 0xf9, 0xfc, 0xfd:
		d.op = op
		d.fn = flagOp
	case 0xf6, 0xf7:
		d.modrmG()
		switch d.op = d.ext; d.op {
		case 0, 1:
			d.immZ()
			d.fn = testEI
			d.family = famTestEI
		case 2:
			d.fn, d.family = not, famNot
		case 3:
			d.fn, d.family = neg, famNeg
		case 4, 5:
			d.fn = mulE
		default:
			d.fn = divE
		}
	case 0xfa, 0xfb:
		d.op = op
		d.fn, d.end = interrupts, true
	case 0xfe, 0xff:
		d.group5(op)
	}
}

// stackSize is the operand size of what uses the stack: 64 bits, or 16.
func (d *decoder) stackSize() {
	d.sz = 3
	if d.op16 && !d.w() {
		d.sz = 1
	}
}

func (d *decoder) aluOpcode(op uint8) {
	d.op = op >> 3
	d.opSize(op)
	switch op & 7 {
	case 0, 1:
		d.modrmG()
		d.fn = aluEG
		d.family = famAluEG
	case 2, 3:
		d.modrmG()
		d.fn = aluGE
		d.family = famAluGE
	case 4, 5:
		d.immZ()
		d.fn = aluEI
		d.family = famAluEI
	}
}

func (d *decoder) group5(op uint8) {
	d.modrmG()
	switch d.ext {
	case 0:
		d.fn = inc
		d.family = famInc
		return
	case 1:
		d.fn = dec
		d.family = famDec
		return
	}
	if op == 0xfe {
		return
	}
	switch d.ext {
	case 2:
		d.sz = 3
		d.fn, d.family, d.end = callE, famCallE, true
	case 4:
		d.sz = 3
		d.fn, d.family, d.end = jmpE, famJmpE, true
	case 3, 5:
		if d.mem {
			d.fault(refused)
		}
	case 6:
		d.stackSize()
		d.fn = push
		d.family = famPush
	}
}

func (d *decoder) segments(op uint8) {
	d.modrm()
	d.op = d.ext
	if d.op > 5 || op == 0x8e && d.op == segCS {
		d.illegal()
		return
	}
	d.fn = movFromSeg
	if op == 0x8e {
		d.fn = movToSeg
	} else if d.opSize(1); d.mem {
		d.sz = 1
	}
}

// two decodes the opcodes behind 0f (SDM volume 2, table A-3).
func (d *decoder) two() {
	op := d.byte()
	if d.bad {
		return
	}
	switch {
	case op >= 0x40 && op < 0x50:
		d.opSize(1)
		d.modrm()
		d.op = op & 15
		d.fn = cmov
		d.family = famCmov
		return
	case op >= 0x80 && op < 0x90:
		d.op = op & 15
		d.branch(4)
		d.fn = jcc
		d.family = famJcc
		return
	case op >= 0x90 && op < 0xa0:
		d.sz = 0
		d.modrmG()
		d.op = op & 15
		d.fn, d.family = setcc, famSetcc
		return
	case op >= 0xc8 && op < 0xd0:
		d.opSize(1)
		d.rm = op&7 | d.rex&1<<3
		d.fn, d.flags, d.family = bswap, flagsNone, famBswap
		return
	}
	d.opSize(op)
	switch op {
	case 0x00:
		d.group6()
	case 0x01:
		d.group7()
	case 0x02, 0x03:
		d.modrm()
		d.fn = larLsl
	case 0x05, 0x34:
		d.fault(systemCall)
	case 0x06:
		d.fn, d.end = clearTS, true
	case 0x07, 0x33, 0x35:
		d.fault(refused)
	case 0x08, 0x09:
		d.fn, d.end = cacheSync, true
	case 0x0b:
	case 0xb9, 0xff:
		d.modrm()
		d.illegal()
	case 0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f:
		d.modrm()
		d.fn, d.flags, d.family = nop, flagsNone, famNop
	case 0x20, 0x22:
		d.modrm()
		d.rm = d.rm&7 | d.rex&1<<3
		d.control(op)
	case 0x21, 0x23: // debug registers, of which there are no 4, 5, 8 and more
		if d.modrm(); d.reg < 4 || d.reg == 6 || d.reg == 7 {
			d.fault(refused)
		}
	case 0x30, 0x32:
		d.op = op
		d.fn, d.end = msr, true
	case 0x31:
		d.fn = rdtsc
	case 0x38:
		d.three38()
	case 0x3a:
		d.three3a()
	case 0xa0, 0xa8:
		d.stackSize()
		d.op = 4 + op>>3&1
		d.fn = pushSeg
	case 0xa1, 0xa9:
		d.stackSize()
		d.op = 4 + op>>3&1
		d.fn = popSeg
	case 0xa2:
		d.fn = cpuid
	case 0xa3, 0xab, 0xb3, 0xbb:
		d.opSize(1)
		d.modrm()
		d.op = op >> 3 & 3
		d.fn = btEG
	case 0xba:
		d.opSize(1)
		d.modrm()
		d.op = d.ext & 3
		d.imm = uint64(d.byte())
		if d.ext&4 != 0 {
			d.fn = btEI
		}
	case 0xa4, 0xa5, 0xac, 0xad:
		d.opSize(1)
		d.modrm()
		d.op = op >> 3 & 1
		d.fn = shiftDouble
		if op&1 == 0 {
			d.imm = uint64(d.byte())
		} else {
			d.fn = shiftDoubleCL
		}
	case 0xae:
		d.group15()
	case 0xaf:
		d.opSize(1)
		d.modrm()
		d.fn, d.family = imul2, famMul2
	case 0xb0, 0xb1:
		d.modrmG()
		d.fn = cmpxchg
	case 0xb2, 0xb4, 0xb5:
		d.opSize(1)
		if d.modrm(); d.mem {
			d.op = op & 7
			if op == 0xb2 {
				d.op = segSS
			}
			d.fn = loadFar
		}
	case 0xb6, 0xb7, 0xbe, 0xbf:
		d.opSize(1)
		d.modrm()
		d.op = op & 1 // source size
		if op&1 == 0 && !d.mem {
			d.rm = d.reg8(d.rm)
		}
		d.fn = movzx
		d.family = famMovzx
		if op >= 0xbe {
			d.fn = movsx
			d.family = famMovsx
		}
	case 0xb8:
		d.opSize(1)
		if d.modrm(); d.rep == 0xf3 {
			d.fn = popcnt
		}
	case 0xbc, 0xbd:
		d.opSize(1)
		d.modrm()
		d.op = op & 1
		d.fn = bitScan
		if d.rep == 0xf3 {
			d.fn = zeroCount
		}
	case 0xc0, 0xc1:
		d.modrmG()
		d.fn = xadd
	case 0xc3:
		d.opSize(1)
		if d.modrm(); d.mem && !d.op16 && d.rep == 0 {
			d.fn = movEG
			d.family = famMovEG
		}
	case 0xc7:
		d.group9()
	default:
		d.sse(op)
	}
}

func (d *decoder) group9() {
	d.modrm()
	d.opSize(1)
	switch {
	case d.mem && d.ext == 1:
		d.fn = cmpxchg8b
		if d.w() {
			d.fn = cmpxchg16b
		}
	case d.mem:
	case d.rep == 0 && d.ext >= 6:
		d.fn = random
	case d.rep == 0xf3 && d.ext == 7:
		d.sz = 3
		d.fn = rdpid
	}
}

func (d *decoder) three38() {
	op := d.byte()
	switch {
	case d.bad:
	case op == 0xf0 || op == 0xf1:
		d.opSize(1)
		if d.rep == 0xf2 {
			d.crc32(op)
			return
		}
		if d.modrm(); d.mem && d.rep == 0 {
			d.fn = movbeLoad
			if op == 0xf1 {
				d.fn = movbeStore
			}
		}
	case op == 0xf6:
		d.opSize(1)
		if d.w() {
			d.sz = 3
		} else {
			d.sz = 2
		}
		switch d.modrm(); {
		case d.rep == 0xf3:
			d.fn, d.op = adx, of>>8
		case d.op16 && d.rep == 0:
			d.fn, d.op = adx, cf
		}
	default:
		d.sse38(op)
	}
}

func (d *decoder) crc32(op uint8) {
	bytes := op == 0xf0
	d.modrm()
	d.op = d.sz // of the source
	if bytes {
		d.op = 0
		if !d.mem {
			d.rm = d.reg8(d.rm)
		}
	}
	d.fn = crc32c
}
