// SPDX-License-Identifier: BSD-3-Clause

package a64

// opcode names what the loop of exec does itself; all else is opFn, a call of
// inst.fn.
type opcode uint8

const (
	opFn opcode = iota
	opNop
	opMovImm
	opMovK
	opMov
	opMovW
	opAddImm
	opAddImmW
	opSubsImm
	opSubsImmW
	opAdd
	opAddW
	opSub
	opSubW
	opAddReg
	opAddRegW
	opSubReg
	opSubRegW
	opSubsReg
	opSubsRegW
	opAddExt
	opAndReg
	opBicReg
	opOrrReg
	opOrnReg
	opEorReg
	opEorLsr
	opEorRorW
	opAndImm
	opOrrImm
	opOrrImmW
	opEorImm
	opEorImmW
	opAndsImm
	opAndsImmW
	opUbfm
	opBfm
	opLslImm
	opLslImmW
	opSbfm
	opSbfmW
	opLsr
	opExtr
	opClz
	opClzW
	opLslV
	opLslVW
	opLsrV
	opLsrVW
	opRevW
	opMadd
	opMaddW
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
	opLdr16Post
	opLdr8Post
	opLdr8Pre
	opStr64Post
	opStr32Post
	opStr8Post
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
	opStpQPost
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
	opCmpCselW

	// An addition of an immediate, a comparison and a branch.
	opAddCmpBNe
	opAddCmpBHi

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

	opcodes
)

// fuse2 is what fuse makes of two instructions.
func fuse2(i, j *inst) opcode {
	type pair struct{ first, second opcode }
	switch (pair{i.op, j.op}) {
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
// only the first may be left to inst.fn.
func fuse(insts []inst) {
	for n := range insts[:len(insts)-1] {
		i, j := &insts[n], &insts[n+1]
		compares := i.sh == 0 && (i.op == opSubsImm || i.op == opSubsReg)
		comparesW := i.sh == 0 && (i.op == opSubsImmW || i.op == opSubsRegW)
		switch {
		case j.op == opBCond && (compares || comparesW):
			i.op = branchOn(j.ra, i.op, comparesW)
		case j.op == opCsel && i.rd == regSink && j.ra&^1 != 6 && compares:
			i.op = opCmpCsel
		case j.op == opCsel && i.rd == regSink && j.ra&^1 != 6 && comparesW:
			i.op = opCmpCselW
		case i.isMove() && j.isMove():
			i.op = opMov2
			if n+3 < len(insts) && insts[n+2].isMove() && insts[n+3].isMove() {
				i.op = opMov4
			}
		default:
			i.op = fuse2(i, j)
		}
	}
	// Then what joins with something that has been joined.
	for n := range insts[:len(insts)-1] {
		i, j := &insts[n], &insts[n+1]
		switch {
		case i.op == opAddImm && j.op == opCmpBNe:
			i.op = opAddCmpBNe
		case i.op == opAddImm && j.op == opCmpBHi:
			i.op = opAddCmpBHi
		}
	}
}

func (i *inst) isMove() bool { return i.op == opMov || i.op == opMovW }

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
