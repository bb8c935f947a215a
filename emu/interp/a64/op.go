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
	opRorImmW
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
	opLdrQ
	opStrQ
	opLdpQ
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
)

// fuse joins instructions where one opcode does what several do: the first gets
// it, and all stay in their places.
func fuse(insts []inst) {
	for n := range len(insts) - 1 {
		i, j := &insts[n], &insts[n+1]
		switch {
		case j.op == opBCond && i.sh == 0:
			branch := opcode(j.ra)
			switch {
			case j.ra >= 14 || j.ra >= 4 && j.ra < 8:
				continue
			case j.ra >= 8:
				branch -= 4
			}
			switch i.op {
			case opSubsImm, opSubsReg:
				i.op = opCmpBEq + branch
			case opSubsImmW, opSubsRegW:
				i.op = opCmpBEqW + branch
			}
		}
	}
}
