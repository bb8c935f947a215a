// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

// family is what an instruction is to lower.
type family uint8

const (
	famNone family = iota
	famAluEG
	famAluGE
	famAluEI
	famTestEG
	famTestEI
	famMovEG
	famMovGE
	famMovEI
	famMovzx
	famMovsx
	famMovsxd
	famLea
	famShift
	famShiftCL
	famPush
	famPushImm
	famPop
	famInc
	famDec
	famNot
	famNeg
	famMul2
	famMul3
	famBswap
	famCmov
	famSetcc
	famJcc
	famJmp
	famJmpE
	famCall
	famCallE
	famRet
	famShlx
	famShrx
	famSarx
	famRorx
	famNop
	famVecLoad
	famVecStore
)

// vecFamily is the family of a vector instruction that moves 16 bytes.
func vecFamily(key uint16) family {
	switch key {
	case 0x0010, 0x6610, 0x0028, 0x6628, 0x666f, 0xf36f, 0xf2f0:
		return famVecLoad
	case 0x0011, 0x6611, 0x0029, 0x6629, 0x002b, 0x662b, 0x66e7, 0x667f, 0xf37f:
		return famVecStore
	}
	return famNone
}

// lower appends the uops of an instruction, whose final place is in. Those with
// special addresses and with the upper byte registers are left to the handler, as
// are some of 8 and 16 bits.
func (d *decoded) lower(list []draft, in *inst) []draft {
	l := lowering{d, in, list}
	if d.odd || d.family == famNone || !l.try() {
		list = append(list, draft{uop: uop{op: uFn}, flags: d.flags, in: in})
		return list
	}
	return l.list
}

type lowering struct {
	*decoded
	in   *inst
	list []draft
}

func (l *lowering) add(flags uint8, u uop) {
	l.list = append(l.list, draft{uop: u, flags: flags, in: l.in})
}

// loud adds a uop that writes all flags, and what it is without.
func (l *lowering) loud(u, quiet uop) {
	l.list = append(l.list, draft{uop: u, quiet: quiet, flags: flagsWrites, in: l.in})
}

func (l *lowering) branch(u uop) {
	u.to, u.n = l.disp, l.n+1
	l.add(flagsRead, u)
}

func (l *lowering) wide() bool { return l.sz >= 2 }

// w is an opcode or that of 32 bits behind it.
func (l *lowering) w(op opcode) opcode {
	if l.sz == 2 {
		return op + 1
	}
	return op // what is shorter takes the lower bits of it
}

// load adds the load of the memory operand, of size 1<<sz, into a register. part
// says that this is not all of the instruction.
func (l *lowering) load(to, sz uint8, part bool) {
	op := [4]opcode{uLd8, uLd16, uLd32, uLd64}[sz&3]
	if l.index != regZero {
		op += uLd64X - uLd64
	}
	l.add(flagsRead, uop{op: op, d: to, a: l.base, b: l.index, s: l.scale, disp: l.disp, many: part})
}

func (l *lowering) store(from uint8, imm uint64) {
	op := [4]opcode{uSt8, uSt16, uSt32, uSt64}[l.sz&3]
	if l.index != regZero {
		op += uSt64X - uSt64
	}
	l.add(flagsRead, uop{op: op, d: from, a: l.base, b: l.index, s: l.scale, disp: l.disp, imm: imm})
}

// source is the register of an operand that is a register or memory, which is loaded.
func (l *lowering) source() uint8 {
	if l.mem {
		l.load(regTemp, l.sz, true)
		return regTemp
	}
	return l.rm
}

// high is whether an operand is one of ah to bh.
func (l *lowering) high() bool { return (l.reg|l.rm)&high8 != 0 }

// try reports whether the instruction has uops.
func (l *lowering) try() bool {
	switch l.family {
	case famAluEG, famAluGE, famAluEI, famTestEG, famTestEI:
		return l.alu()
	case famMovEG, famMovGE, famMovEI, famMovzx, famMovsx, famMovsxd:
		return l.move()
	case famLea:
		return l.lea()
	case famShift:
		return l.shift()
	case famShiftCL:
		return l.shiftCL()
	case famShlx, famShrx, famSarx, famRorx:
		return l.bmi()
	case famInc, famDec, famNot, famNeg:
		return l.unary()
	case famMul2, famMul3:
		if !l.wide() {
			return false
		}
		to, a, imm := l.reg, l.source(), l.imm
		b := l.reg
		if l.family == famMul3 {
			b = regZero
		} else {
			imm = 0
		}
		imm &= masks[l.sz]
		l.loud(uop{op: uMulF, d: to, a: a, b: b, imm: imm, disp: masks[l.sz], k: lkMul | l.sz}, uop{op: l.w(uMul), d: to, a: a, b: b, imm: imm})
	case famBswap:
		if !l.wide() {
			return false
		}
		l.add(flagsNone, uop{op: l.w(uBswap), d: l.rm, a: l.rm})
	case famCmov:
		if !l.wide() {
			return false
		}
		l.add(flagsRead, uop{op: uCmov, d: l.reg, a: l.source(), k: l.op, disp: masks[l.sz]})
	case famSetcc:
		if l.mem || l.high() {
			return false
		}
		l.add(flagsRead, uop{op: uSetcc, d: l.rm, k: l.op})
	case famVecLoad, famVecStore:
		l.vec()
	case famNop:
		l.add(flagsNone, uop{op: uNop})
	default:
		return l.control()
	}
	return true
}

func (l *lowering) control() bool {
	switch l.family {
	case famPush, famPushImm:
		if l.sz != 3 {
			return false
		}
		if l.family == famPush {
			l.add(flagsRead, uop{op: uPush, a: l.source()})
		} else {
			l.add(flagsRead, uop{op: uPush, a: regZero, imm: l.imm})
		}
	case famPop:
		if l.sz != 3 {
			return false
		}
		l.add(flagsRead, uop{op: uPop, d: l.rm})
	case famJcc:
		op := uJcc
		if cc := l.op & 15; cc == 4 || cc == 5 {
			op = uJZ + opcode(cc&1)
		}
		l.branch(uop{op: op, k: l.op})
	case famJmp:
		l.branch(uop{op: uJmp})
	case famCall:
		l.branch(uop{op: uCall, imm: l.next})
	case famRet:
		l.add(flagsRead, uop{op: uRet, imm: 8 + l.imm})
	case famJmpE:
		l.add(flagsRead, uop{op: uJmpR, a: l.source()})
	case famCallE:
		l.add(flagsRead, uop{op: uCallR, a: l.source(), imm: l.next})
	default:
		return false
	}
	return true
}

// alu is the operations on two operands. The second is a register plus an
// immediate, one of which is 0.
func (l *lowering) alu() bool {
	op, imm := l.op, l.imm
	test := l.family == famTestEG || l.family == famTestEI
	if test {
		op = opTest
	}
	to, a, b := l.rm, l.rm, l.reg
	switch {
	case l.family == famAluEI || l.family == famTestEI:
		l.reg, b = 0, regZero
	case l.family == famAluGE:
		to, a, b, imm = l.reg, l.reg, l.rm, 0
	default:
		imm = 0
	}
	compare := op == opCmp || test
	carry := op == opAdc || op == opSbb
	if l.mem {
		l.rm = 0
	}
	if (l.reg|l.rm)&high8 != 0 {
		return false
	}
	mask := masks[l.sz]
	if l.mem {
		switch {
		case compare && l.family != famAluGE:
			a = regTemp
		case l.family == famAluGE:
			b = regTemp
		default:
			op := uRmw64
			if l.sz == 2 {
				op = uRmw32
			}
			if l.index != regZero || !l.wide() || carry {
				return false
			}
			l.add(flagsRead, uop{op: op, d: b, a: l.base, imm: imm, disp: l.disp, k: l.op})
			return true
		}
		l.load(regTemp, l.sz, true)
	}
	insert := !compare && !l.wide()
	if insert {
		to = regTemp
	}
	full := uop{d: to, a: a, b: b, imm: imm, disp: mask, k: lkRes | l.sz}
	if carry {
		full.op, full.k, full.s = uCarry, op, l.sz
		l.add(flagsRead, full)
		if insert {
			l.add(flagsNone, uop{op: uIns, d: a, a: to, disp: mask})
		}
		return true
	}
	quiet := uop{op: uNop, d: to, a: a, b: b}
	if b == regZero {
		quiet.imm = imm
	}
	constant := b == regZero
	switch op {
	case opAdd:
		full.op, full.k, quiet.op = uAddF, lkAdd|l.sz, l.w(uAdd)
		if constant {
			quiet.op = l.w(uAddI)
		}
	case opSub:
		full.op, full.k, quiet.op = uSubF, lkSub|l.sz, l.w(uSub)
		if constant {
			quiet.op, quiet.imm = l.w(uAddI), -imm
		}
	case opCmp:
		full.op, full.k = uCmpF, lkSub|l.sz
	case opTest:
		full.op = uTestF
	case opAnd:
		full.op, quiet.op = uAndF, l.w(uAnd)
		if constant {
			quiet.op = uAndI
		}
	case opOr:
		full.op, quiet.op = uOrF, l.w(uOr)
		if constant {
			quiet.op = l.w(uOrI)
		}
	case opXor:
		full.op, quiet.op = uXorF, l.w(uXor)
		if constant {
			quiet.op = l.w(uXorI)
		} else if a == b {
			quiet = uop{op: uMovI, d: to}
		}
	}
	l.loud(full, quiet)
	if insert {
		l.add(flagsNone, uop{op: uIns, d: a, a: to, disp: mask})
	}
	return true
}

func (l *lowering) move() bool {
	switch l.family {
	case famMovEI:
		switch {
		case l.mem:
			l.store(regZero, l.imm)
		case l.wide():
			l.add(flagsNone, uop{op: uMovI, d: l.rm, imm: l.imm})
		case l.rm&high8 != 0:
			return false
		default:
			l.add(flagsNone, uop{op: uIns, d: l.rm, a: regZero, imm: l.imm, disp: masks[l.sz]})
		}
	case famMovEG, famMovGE:
		load := l.family == famMovGE
		if l.reg&high8 != 0 || !l.mem && l.rm&high8 != 0 {
			return false
		}
		to, from := l.rm, l.reg
		if load {
			to, from = l.reg, l.rm
		}
		switch {
		case l.mem && !load:
			l.store(l.reg, 0)
			return true
		case l.mem && l.wide():
			l.load(l.reg, l.sz, false)
			return true
		case l.mem:
			l.load(regTemp, l.sz, true)
			from = regTemp
		case l.wide():
			l.add(flagsNone, uop{op: l.w(uMov), d: to, a: from})
			return true
		}
		l.add(flagsNone, uop{op: uIns, d: to, a: from, disp: masks[l.sz]})
	case famMovzx:
		if !l.wide() || l.op > 1 || !l.mem && l.rm&high8 != 0 {
			return false
		}
		if l.mem {
			l.load(l.reg, l.op, false)
		} else {
			l.add(flagsNone, uop{op: uAndI, d: l.reg, a: l.rm, imm: masks[l.op]})
		}
	case famMovsx:
		if !l.wide() || !l.mem && l.rm&high8 != 0 {
			return false
		}
		from := l.rm
		if l.mem {
			l.load(regTemp, l.op, true)
			from = regTemp
		}
		l.add(flagsNone, uop{op: uSx, d: l.reg, a: from, s: 63 - tops[l.op&3], disp: masks[l.sz]})
	case famMovsxd:
		if l.sz != 3 {
			return false
		}
		if !l.mem {
			l.add(flagsNone, uop{op: uSx, d: l.reg, a: l.rm, s: 32, disp: masks[3]})
			return true
		}
		op := uLdS32
		if l.index != regZero {
			op = uLdS32X
		}
		l.add(flagsRead, uop{op: op, d: l.reg, a: l.base, b: l.index, s: l.scale, disp: l.disp})
	}
	return true
}

// vec is a move of 16 bytes; a mask in imm says which bits of the address must be 0.
func (l *lowering) vec() {
	load := l.family == famVecLoad
	u := uop{op: uStV, d: l.reg, a: l.base, b: l.index, s: l.scale, disp: l.disp}
	switch {
	case !l.mem && load:
		l.add(flagsNone, uop{op: uMovV, d: l.reg, a: l.rm})
		return
	case !l.mem:
		l.add(flagsNone, uop{op: uMovV, d: l.rm, a: l.reg})
		return
	case load:
		u.op = uLdV
	}
	if l.decoded.op == src128 {
		u.imm = 15
	}
	if l.index != regZero {
		u.op++
	}
	l.add(flagsRead, u)
}

func (l *lowering) lea() bool {
	if !l.wide() {
		return false
	}
	switch {
	case l.index != regZero && (l.disp != 0 || l.scale != 0):
		l.add(flagsNone, uop{op: l.w(uLea), d: l.reg, a: l.base, b: l.index, s: l.scale, disp: l.disp})
	case l.index != regZero:
		l.add(flagsNone, uop{op: l.w(uAdd), d: l.reg, a: l.base, b: l.index})
	case l.base != regZero:
		l.add(flagsNone, uop{op: l.w(uAddI), d: l.reg, a: l.base, imm: l.disp})
	default:
		l.add(flagsNone, uop{op: uMovI, d: l.reg, imm: l.disp & masks[l.sz]})
	}
	return true
}

func (l *lowering) shift() bool {
	n := l.imm & 63
	if l.sz == 2 {
		n &= 31
	}
	if l.mem || !l.wide() || n == 0 {
		return false
	}
	u := uop{d: l.rm, a: l.rm, s: uint8(n), s2: 63 - tops[l.sz], disp: masks[l.sz]}
	quiet := u
	switch l.op {
	case 0:
		quiet.op = l.w(uRol)
	case 1:
		quiet.op, quiet.s = l.w(uRol), 8<<l.sz-uint8(n)
	case 4, 6:
		u.op, u.k, quiet.op = uShlF, lkShl|l.sz, l.w(uShl)
	case 5:
		u.op, u.k, quiet.op = uShrF, lkShr|l.sz, l.w(uShr)
	case 7:
		u.op, u.k, quiet.op = uSarF, lkSar|l.sz, l.w(uSar)
	default:
		return false
	}
	if l.op < 2 { // CF and OF alone
		l.list = append(l.list, draft{uop: uop{op: uFn}, quiet: quiet, flags: flagsKeep, in: l.in})
	} else {
		l.loud(u, quiet)
	}
	return true
}

// shiftCL keeps the flags if the count is 0.
func (l *lowering) shiftCL() bool {
	if l.mem || !l.wide() {
		return false
	}
	u := uop{d: l.rm, a: l.rm, b: cpu.RCX, s2: 63 - tops[l.sz], disp: masks[l.sz]}
	quiet := u
	switch l.op {
	case 4, 6:
		u.op, u.k, quiet.op = uShlVF, lkShl|l.sz, l.w(uShlV)
	case 5:
		u.op, u.k, quiet.op = uShrVF, lkShr|l.sz, l.w(uShrV)
	case 7:
		u.op, u.k, quiet.op = uSarVF, lkSar|l.sz, l.w(uSarV)
	default:
		return false
	}
	l.list = append(l.list, draft{uop: u, quiet: quiet, flags: flagsKeep, in: l.in})
	return true
}

func (l *lowering) bmi() bool {
	if !l.wide() {
		return false
	}
	u := uop{op: l.w([...]opcode{uShlV, uShrV, uSarV, uRol}[l.family-famShlx]), d: l.reg, a: l.source(), b: l.op}
	if l.family == famRorx {
		width := uint8(8) << l.sz
		u.s = (width - uint8(l.imm)&(width-1)) & (width - 1)
	}
	l.add(flagsNone, u)
	return true
}

func (l *lowering) unary() bool {
	if l.mem || l.rm&high8 != 0 {
		return false
	}
	r := l.rm
	mask := masks[l.sz]
	if !l.wide() {
		if l.family == famNeg {
			l.loud(uop{op: uSubF, d: regTemp, a: regZero, b: r, disp: mask, k: lkSub | l.sz}, uop{op: uSub, d: regTemp, a: regZero, b: r})
			l.add(flagsNone, uop{op: uIns, d: r, a: regTemp, disp: mask})
		}
		return l.family == famNeg
	}
	switch l.family {
	case famNot:
		l.add(flagsNone, uop{op: l.w(uXorI), d: r, a: r, imm: mask})
	case famNeg:
		l.loud(uop{op: uSubF, d: r, a: regZero, b: r, disp: mask, k: lkSub | l.sz}, uop{op: l.w(uSub), d: r, a: regZero, b: r})
	default:
		op, one := uIncF, uint64(1)
		if l.family == famDec {
			op, one = uDecF, mask
		}
		l.list = append(l.list, draft{
			uop:   uop{op: op, d: r, a: r, disp: mask, k: lkRes | l.sz},
			quiet: uop{op: l.w(uAddI), d: r, a: r, imm: one},
			flags: flagsKeep, in: l.in,
		})
	}
	return true
}
