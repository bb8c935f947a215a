// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// uop is a step of a block: an instruction, or several that are joined. What is
// in its fields is up to its opcode; exec.go says what each does with them.
//
// It has 32 bytes, for an inner loop is read again and again, and knows what comes
// behind what comes behind it: exec follows two chains in turn, as it needs the next uop
// before a load of its address could be done.
type uop struct {
	next2 *uop

	// of the first instruction, as in inst
	imm            uint64
	op             opcode
	rd, rn, rm, ra uint8
	sh, sz, s2     uint8

	n    uint8 // which one of its block the first instruction is
	many uint8 // instructions that it does

	// of what is joined to it
	rd2, rn2, rm2, sh2 uint8
	imm2               int16
}

// fill gives a block its instructions.
func (b *block) fill(insts []inst) {
	b.insts, b.size = insts, len(insts)
	chain := make([]uop, 0, len(insts)+1)
	lazy := false // the flags are those of x[regFN] - x[regFZ]
	for n := 0; n < len(insts); {
		u := insts[n].uop()
		u.n, u.many = uint8(n), 1
		rest := insts[n+1:]
		switch {
		case lazy && u.op == opBCond && branchOn(u.ra, false) != opFn:
			u.op, u.rn, u.rm, u.imm, u.rd = branchOn(u.ra, false), regFN, regFZ, 0, regSink
		case lazy && u.op == opCsel && u.ra&^1 != 6:
			u.rn, u.rm, u.imm = regFN, regFZ, 0
			u.choose(&insts[n])
			u.many = 1
		case len(rest) > 0:
			u.join(rest)
		}
		switch u.op {
		case opSubs, opSubsW, opCmpCsel:
			lazy = true
		case opFn, opAndsImm, opCsel:
			lazy = false
		}
		n += int(u.many)
		chain = append(chain, u)
	}
	chain = append(chain, uop{op: opEnd})
	for n := range chain[:max(len(chain)-2, 0)] {
		chain[n].next2 = &chain[n+2]
	}
	b.start = [2]*uop{&chain[0], nil}
	if len(chain) > 1 {
		b.start[1] = &chain[1]
	}
}

func (i *inst) uop() uop {
	return uop{imm: i.imm, op: i.op, rd: i.rd, rn: i.rn, rm: i.rm, ra: i.ra, sh: i.sh, sz: i.sz, s2: i.s2}
}

// join makes a uop do what follows, too, where there is an opcode for that. Only
// the last of them may end the block, and only the first two may be left to handlers: what
// is behind them cannot fault.
func (u *uop) join(rest []inst) {
	j := &rest[0]
	compares, comparesW := u.op == opSubs && u.sh == 0, u.op == opSubsW && u.sh == 0
	switch {
	case j.op == opBCond && (compares || comparesW):
		if op := branchOn(j.ra, comparesW); op != opFn {
			u.op, u.many = op, 2
		}
		return
	case j.op == opCsel && u.rd == regSink && j.ra&^1 != 6 && (compares || comparesW):
		u.choose(j)
		if comparesW {
			u.sz = 32
		}
		return
	case u.op == opMov && len(rest) > 2 && moves(u.imm, rest[:3]):
		u.op, u.many = opMov4, 4
		u.rd2, u.rm2 = rest[0].rd, rest[0].rm
		u.rn, u.ra = rest[1].rd, rest[1].rm
		u.rn2, u.s2 = rest[2].rd, rest[2].rm
		return
	case u.op == opAddImm && len(rest) > 1 && j.op == opSubs && j.sh == 0 && short(j.imm) && rest[1].op == opBCond && rest[1].ra == 1:
		u.second(opAddCmpBNe, j)
		u.imm2, u.many = int16(j.imm), 3
		return
	}
	switch (pair{u.op, j.op}) {
	case pair{opMov, opMov}:
		if j.imm&(j.imm+1) == 0 {
			u.second(opMov2, j)
			u.sh2 = uint8(bits.LeadingZeros64(j.imm))
		}
	case pair{opAddImm, opAddImm}:
		if short(j.imm) {
			u.second(opAddImm2, j)
			u.imm2 = int16(j.imm)
		}
	case pair{opLsr, opAndImm}:
		// The mask of the shift becomes another shift.
		u.sz = uint8(bits.LeadingZeros64(u.imm)) - u.sh
		u.sh += u.sz
		u.second(opLsrAndImm, j)
		u.imm = j.imm
	case pair{opLsrV, opLslImm}:
		u.second(opLsrVLslImm, j)
		u.sh2 = j.sh
	case pair{opLdr64, opLdr64}:
		if short(j.imm) {
			u.second(opLdr64x2, j)
			u.imm2 = int16(j.imm)
		}
	case pair{opLdr32, opLdr32}:
		if short(j.imm) {
			u.second(opLdr32x2, j)
			u.imm2 = int16(j.imm)
		}
	case pair{opLdr8R, opStr8R}:
		if u.imm == j.imm && u.s2 == j.s2 {
			u.second(opLdrStr8R, j)
		}
	case pair{opAdd, opAdd}:
		u.second(opAddAdd, j)
	case pair{opAddW, opAddW}:
		u.second(opAddAddW, j)
	case pair{opAddW, opEorRorW}:
		u.second(opAddEorW, j)
		u.sh2 = j.sh
	case pair{opAddW, opAndReg}:
		u.second(opAddAndW, j)
		u.imm = j.imm
	case pair{opEorRorW, opAddW}:
		u.second(opEorAddW, j)
	case pair{opEorRorW, opEorRorW}:
		u.second(opEorEorW, j)
		u.sh2 = j.sh
	case pair{opEorRorW, opAndReg}:
		u.second(opEorAnd, j)
		u.imm = j.imm
	case pair{opAndReg, opEorRorW}:
		u.second(opAndEorW, j)
		u.sh2 = j.sh
	case pair{opAndReg, opAndReg}:
		if u.imm == j.imm {
			u.second(opAndAnd, j)
		}
	case pair{opEorLsr, opAddW}:
		u.second(opLsrAddW, j)
	}
}

// choose joins a comparison and what chooses by it.
func (u *uop) choose(j *inst) {
	u.second(opCmpCsel, j)
	u.imm2, u.ra, u.sh2, u.s2, u.sz = int16(j.imm), j.ra, j.sh, j.sz, 0
}

type pair struct{ first, second opcode }

// second makes a uop one of two instructions.
func (u *uop) second(op opcode, j *inst) {
	u.op, u.many = op, 2
	u.rd2, u.rn2, u.rm2 = j.rd, j.rn, j.rm
}

// moves is whether instructions move registers, with one mask.
func moves(mask uint64, insts []inst) bool {
	for i := range insts {
		if insts[i].op != opMov || insts[i].imm != mask {
			return false
		}
	}
	return true
}

// short is whether an immediate fits into uop.imm2.
func short(imm uint64) bool { return imm == uint64(int16(imm)) }

// branchOn is a comparison with the branch behind it, opFn if there is no such opcode.
func branchOn(cond uint8, narrow bool) opcode {
	first := opCmpBEq
	if narrow {
		first = opCmpBEqW
	}
	switch {
	case cond < 4:
		return first + opcode(cond)
	case cond >= 8 && cond < 14:
		return first + opcode(cond-4)
	}
	return opFn
}
