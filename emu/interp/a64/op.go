// SPDX-License-Identifier: BSD-3-Clause

package a64

// opcode names what the loop of exec does itself; all else is opFn, a call of
// inst.fn.
type opcode uint8

const (
	opFn opcode = iota
	opMovImm
	opMovK
	opMov
	opAddImm
	opAddImmW
	opSubs
	opSubsW
	opAdd
	opAddW
	opSub
	opSubW
	opAddReg
	opAddRegW
	opAndReg
	opBicReg
	opOrrReg
	opOrnReg
	opEorReg
	opEorLsr
	opEorRorW
	opAndImm
	opOrrImm
	opEorImm
	opAndsImm
	opUbfm
	opBfm
	opLslImm
	opSbfm
	opSbfmW
	opLsr
	opExtr
	opClzW
	opLslV
	opLsrV
	opRevW
	opMadd
	opCsel
	opLdr64
	opLdr32
	opLdr16
	opLdr8
	opLdrS32
	opStr64
	opStr32
	opStr16
	opStr8
	opLdr64R
	opLdr32R
	opLdr16R
	opLdr8R
	opStr64R
	opStr32R
	opStr16R
	opStr8R
	opLdr64Post
	opLdr32Post
	opLdr8Post
	opLdr8Pre
	opStr64Post
	opStr32Post
	opStr8Post
	opLdp32
	opStp32
	opLdp64
	opLdp64Post
	opStp64
	opStp64Pre
	opStp64Post
	opLdrQ
	opStrQ
	opLdpQ
	opLdpQPost
	opStpQ
	opB
	opBL
	opBCond
	opCbz
	opCbnz
	opCbzW
	opCbnzW
	opTbz
	opTbnz
	opBR
	opBLR

	// What follows is done together with what stands behind it.
	opMov2
	opMov4
	opAddImm2
	opLsrAndImm
	opLsrVLslImm
	opLdr64x2
	opLdr32x2
	opLdrStr8R
	opAddAdd
	opAddAddW
	opAddEorW
	opAddAndW
	opEorAddW
	opEorEorW
	opEorAnd
	opAndEorW
	opAndAnd
	opLsrAddW
	opCmpCsel

	opAddCmpBNe // the first adds an immediate

	// A comparison and the conditional branch behind it, which ends the block;
	// the conditions in their order, but for those of N and V alone.
	opCmpBEq
	opCmpBNe
	opCmpBHs
	opCmpBLo
	opCmpBHi
	opCmpBLs
	opCmpBGe
	opCmpBLt
	opCmpBGt
	opCmpBLe
	opCmpBEqW
	opCmpBNeW
	opCmpBHsW
	opCmpBLoW
	opCmpBHiW
	opCmpBLsW
	opCmpBGeW
	opCmpBLtW
	opCmpBGtW
	opCmpBLeW

	opcodes // how many there are
)

// fuse2 is what fuse makes of two instructions.
func fuse2(i, j *inst) opcode {
	type pair struct{ first, second opcode }
	switch (pair{i.op, j.op}) {
	case pair{opMov, opMov}:
		return opMov2
	case pair{opAddImm, opAddImm}:
		return opAddImm2
	case pair{opLsr, opAndImm}:
		return opLsrAndImm
	case pair{opLsrV, opLslImm}:
		return opLsrVLslImm
	case pair{opLdr64, opLdr64}:
		return opLdr64x2
	case pair{opLdr32, opLdr32}:
		return opLdr32x2
	case pair{opLdr8R, opStr8R}:
		return opLdrStr8R
	case pair{opAdd, opAdd}:
		return opAddAdd
	case pair{opAddW, opAddW}:
		return opAddAddW
	case pair{opAddW, opEorRorW}:
		return opAddEorW
	case pair{opAddW, opAndReg}:
		return opAddAndW
	case pair{opEorRorW, opAddW}:
		return opEorAddW
	case pair{opEorRorW, opEorRorW}:
		return opEorEorW
	case pair{opEorRorW, opAndReg}:
		return opEorAnd
	case pair{opAndReg, opEorRorW}:
		return opAndEorW
	case pair{opAndReg, opAndReg}:
		return opAndAnd
	case pair{opEorLsr, opAddW}:
		return opLsrAddW
	}
	return i.op
}

// fuse joins instructions where one opcode does what several do: the first gets
// it, and all stay in their places. Only the last of them may end the block, and
// only the first and the last may be left to inst.fn: what is between cannot fault.
func fuse(insts []inst) {
	for n := range insts[:len(insts)-1] {
		i, j := &insts[n], &insts[n+1]
		compares, comparesW := i.op == opSubs && i.sh == 0, i.op == opSubsW && i.sh == 0
		switch {
		case j.op == opBCond && (compares || comparesW):
			i.op = branchOn(j.ra, i.op, comparesW)
		case j.op == opCsel && i.rd == regSink && j.ra&^1 != 6 && compares:
			i.op, i.sz = opCmpCsel, 0
		case j.op == opCsel && i.rd == regSink && j.ra&^1 != 6 && comparesW:
			i.op, i.sz = opCmpCsel, 32
		case i.op == opMov && j.op == opMov && n+3 < len(insts) && insts[n+2].op == opMov && insts[n+3].op == opMov:
			i.op = opMov4
		default:
			i.op = fuse2(i, j)
		}
	}
	// Then what joins with something that has been joined.
	for n := range insts[:len(insts)-1] {
		if insts[n].op == opAddImm && insts[n+1].op == opCmpBNe {
			insts[n].op = opAddCmpBNe
		}
	}
}

// branchOn is a comparison with the branch behind it, if there is such an opcode.
func branchOn(cond uint8, op opcode, narrow bool) opcode {
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
	return op
}
