// SPDX-License-Identifier: BSD-3-Clause

package a64

// opcode names what the loop of exec does itself; all else is opFn, a call of
// inst.fn.
type opcode uint8

const (
	opFn  opcode = iota
	opEnd        // behind a block: it goes on with what follows
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
