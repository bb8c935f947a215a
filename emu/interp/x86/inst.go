// SPDX-License-Identifier: BSD-3-Clause

package x86

// handler executes one instruction. It returns false if the block cannot go on
// behind it; core.why says why not.
type handler func(c *core, in *inst) bool

// Why a handler has returned false.
const (
	whyFault = iota // core.exit is a fault; nothing of the instruction has happened
	whyExit         // core.exit is another exit; the instruction is done
	whyAgain        // look up the block at this instruction's address
	whyNext         // look up the block behind this instruction
)

// Indexes into core.r beyond the general registers.
const (
	regZero = 16 // always 0
	regFS   = 17
	regGS   = 18
	regTemp = 19 // of uops

	high8 = 0x20 // added to the index of rax to rbx: the second byte, ah to bh
)

// xmm is a vector register.
type xmm struct{ lo, hi uint64 }

// vecOp is what an SSE instruction makes of its operands. Those that can raise
// a floating-point exception do so in core.fx.
type vecOp func(c *core, d, s xmm, imm uint8) xmm

// inst is a decoded instruction.
type inst struct {
	fn   handler
	vec  vecOp
	imm  uint64
	disp uint64 // of the memory operand; where a branch goes
	pc   uint64
	next uint64 // address behind the instruction
	mask uint64 // of the operand size

	base, index, scale uint8 // of the memory operand
	seg                uint8 // regFS, regGS or regZero
	reg, rm            uint8 // register operands
	sz                 uint8 // operand size, as a power of two
	op                 uint8 // operation within a family, condition
	n                  uint8 // instructions before it in its block
	rep                uint8 // 0xf2, 0xf3 or 0
	mem                bool  // rm is memory
	odd                bool  // seg is not regZero, or a32
	a32                bool
}

// How an instruction treats the arithmetic flags.
const (
	flagsRead   = iota // reads or keeps some, or can fault: all must be right before it
	flagsNone          // neither reads nor writes, and cannot fault
	flagsWrites        // writes all, and cannot fault
	flagsKeep          // writes some and keeps others, and cannot fault
)

// decoded is an instruction with what the block builder has to know.
type decoded struct {
	inst
	flags uint8
	end   bool // nothing follows in the block
	family
}

var (
	masks = [4]uint64{0xff, 0xffff, 0xffffffff, 1<<64 - 1}
	tops  = [4]uint8{7, 15, 31, 63}
)
