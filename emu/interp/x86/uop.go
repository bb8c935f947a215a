// SPDX-License-Identifier: BSD-3-Clause

package x86

// uop is a step of a block: an instruction, a part of one, or several. What is
// in its fields is up to its opcode; exec.go says what each does with them.
//
// It has 64 bytes, a line of the cache, and knows what comes behind what comes behind it:
// fast follows two chains in turn, as it needs the next uop before a load of its
// address could be done.
type uop struct {
	op      opcode
	d, a, b uint8 // registers
	s       uint8 // places to shift
	k       uint8 // what it leaves in core.lk, or an operation
	many    bool  // it is not one whole instruction, and in the first of them

	// of what is joined to it; in s3 is the number of the instruction that is left to its
	// handler
	d2, a2, b2, s2 uint8
	d3, a3, b3, s3 uint8

	n uint8 // instructions of the block that are done when it branches

	imm  uint64
	disp uint64 // of the memory operand, or a mask

	// where a branch goes
	to   uint64
	link *block // the block there, once it is known

	next2 *uop // behind the one behind it
	last  *uop // whose flags are to be made up for before a handler is called
}

// opcode is what a uop does. A W at the end says that it is of 32 bits, an I that
// its second operand is an immediate, an F that it leaves flags.
type opcode uint8

const (
	uFn  opcode = iota // a call of the instruction's handler
	uEnd               // behind a block: it goes on at core.pc
	uNop
	uGoOn // the end of a block, which is a jump behind it

	uMov
	uMovW
	uMovI
	uMov2
	uMov2W
	uMov4W
	uMovV
	uIns // the lower bits that a mask has

	uAdd
	uAddW
	uAddI
	uAddIW
	uSub
	uSubW
	uAnd
	uAndW
	uAndI
	uOr
	uOrW
	uOrI
	uOrIW
	uXor
	uXorW
	uXorI
	uXorIW
	uLea
	uLeaW
	uMul
	uMulW
	uShl
	uShlW
	uShr
	uShrW
	uSar
	uSarW
	uRol
	uRolW
	uShlV // by a register
	uShlVW
	uShrV
	uShrVW
	uSarV
	uSarVW
	uSx // the sign of the lower bits
	uBswap
	uBswapW

	uAddF
	uSubF
	uCmpF
	uAndF
	uOrF
	uXorF
	uTestF
	uIncF
	uDecF
	uMulF
	uShlF
	uShrF
	uSarF
	uShlVF
	uShrVF
	uSarVF
	uCarry // adc and sbb
	uCmov
	uSetcc

	// Two or three of the above.
	uRolRolW
	uRolXorW
	uRolRolXorW
	uShrXorW
	uAddAddW
	uAndAddW
	uXorAndW
	uAndXorW
	uXorAddW
	uXorIAndW
	uAndAddAddW
	uAdd3W
	uAndShrV
	uAndShlV
	uAddAddI
	uMovAdd
	uShrXorAddW
	uXorIAndAddW
	uSubShrW
	uAndIAddW

	uLd64
	uLd32
	uLd16
	uLd8
	uLdS32
	uLd64X
	uLd32X
	uLd16X
	uLd8X
	uLdS32X
	uSt64
	uSt32
	uSt16
	uSt8
	uSt64X
	uSt32X
	uSt16X
	uSt8X
	uLdV // 16 bytes into a vector register
	uLdVX
	uStV
	uStVX
	uRmw64
	uRmw32
	uPush
	uPush2
	uPop
	uPop2

	// A load and what is done with it.
	uLdAdd
	uLdAddW
	uLdXAddW
	uLdAddAddW
	uLdSub

	// An operation and the access behind it, which in is of.
	uSubSt32
	uAddSt64
	uAndLd16X

	uJmp
	uJmpR
	uCall
	uCallR
	uRet
	uJcc
	uJZ
	uJNZ

	// An operation and the jump behind it.
	uCmpJB
	uCmpJAE
	uCmpJE
	uCmpJNE
	uCmpJBE
	uCmpJA
	uCmpJL
	uCmpJGE
	uCmpJLE
	uCmpJG
	uCmpJBW
	uCmpJAEW
	uCmpJEW
	uCmpJNEW
	uCmpJBEW
	uCmpJAW
	uCmpJLW
	uCmpJGEW
	uCmpJLEW
	uCmpJGW
	uCmpJN
	uTestJE
	uTestJNE
	uTestJS
	uTestJNS
	uTestJLE
	uTestJG
	uAddJE
	uAddJNE
	uAddCmpJA
	uAddCmpJNE
)

// draft is a uop with what the block builder has to know.
type draft struct {
	uop
	quiet uop   // the same without flags, unless that is the zero one
	in    *inst // for what the loop does not do itself
	flags uint8
}
