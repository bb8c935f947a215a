// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"math/bits"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Indexes into core.x beyond the 31 registers. Decoding resolves what register
// number 31 means, so that execution need not ask.
const (
	regSP   = 31
	regZR   = 32 // always zero
	regSink = 33 // written and never read
	regFN   = 34 // of the flags
	regFZ   = 35
)

// vec is a vector register, lower half first.
type vec [2]uint64

// core is the state of the processor. The condition flags are kept apart, each
// in the form in which it arises: N is bit 63 of x[regFN], Z is x[regFZ] == 0, C is fc,
// V is bit 63 of fv. If fc is compared, they are those of x[regFN] - x[regFZ].
type core struct {
	x          [256]uint64 // indexed by a byte, which needs no check
	fc, fv     uint64
	pc         uint64 // while a block executes, of its first instruction
	v          [32]vec
	count      uint64 // instructions that have executed before this block
	work       uint64 // what else was done, in instructions
	fpcr, fpsr uint32
	tpidr      [2]uint64

	at     uint64            // where window begins
	window []byte            // memory that can be read
	rtlb   [tlbSize]tlbEntry // pages that can be read

	// writable is memory that can be written with nothing else to do, and writableAt
	// where it begins.
	writableAt uint64
	writable   []byte
	wtlb       [tlbSize]tlbEntry // pages that can be written with nothing else to do

	cache blockCache
	exit  cpu.Exit // of the instruction that stopped

	monitor struct { // of exclusive loads
		valid bool
		addr  uint64
		size  uint8
	}
	watch []efi.Addr

	uops   [2]*uop // of exec, while a handler executes
	budget int     // of exec, in instructions
	from   *block  // the link that is to be made to what is at pc
	slot   int

	mem   *mem.Memory
	gates efi.Range
	cover func(pc efi.Addr, size uint64)
}

// inst is a decoded instruction. What its fields mean is its handler's matter.
type inst struct {
	fn             handler
	imm            uint64
	raw            uint32
	op             opcode
	rd, rn, rm, ra uint8
	sh, sz, s2     uint8
}

// handler executes an instruction.
type handler func(c *core, i *inst) status

// status says how execution goes on behind an instruction.
type status uint8

const (
	next  status = iota
	leave        // it is done, and the block may not be what is in memory any more
	hit          // it is done and has written to an address of Stop.Watch
	ask          // it is done but for what core.exit asks
	fault        // it is not done: core.exit says why
)

// compared says in core.fc that the flags are those of a comparison.
const compared = 2

// settle takes the flags apart.
func (c *core) settle() {
	if c.fc == compared {
		c.subs64(c.x[regFN], c.x[regFZ])
	}
}

// subs64 and subs32 set the flags as a subtraction does.
func (c *core) subs64(a, b uint64) uint64 {
	r, borrow := bits.Sub64(a, b, 0)
	c.x[regFN], c.x[regFZ], c.fc, c.fv = r, r, borrow^1, (a^b)&(a^r)
	return r
}

func (c *core) ands64(r uint64) uint64 {
	c.x[regFN], c.x[regFZ], c.fc, c.fv = r, r, 0, 0
	return r
}

func (c *core) ands32(r uint64) uint64 {
	r &= 0xffffffff
	c.x[regFN], c.x[regFZ], c.fc, c.fv = r<<32, r, 0, 0
	return r
}

func (c *core) nzcv() uint64 {
	c.settle()
	return c.x[regFN]>>63<<31 | b2u(c.x[regFZ] == 0)<<30 | c.fc<<29 | c.fv>>63<<28
}

func (c *core) setNZCV(f uint64) {
	c.x[regFN] = f << 32
	c.x[regFZ] = ^f >> 30 & 1
	c.fc = f >> 29 & 1
	c.fv = f << 35
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// holds is ConditionHolds (C1.2.4).
func (c *core) holds(cond uint8) bool {
	c.settle()
	var r bool
	switch cond >> 1 & 7 {
	case 0:
		r = c.x[regFZ] == 0
	case 1:
		r = c.fc != 0
	case 2:
		r = int64(c.x[regFN]) < 0
	case 3:
		r = int64(c.fv) < 0
	case 4:
		r = c.fc != 0 && c.x[regFZ] != 0
	case 5:
		r = int64(c.x[regFN]^c.fv) >= 0
	case 6:
		r = int64(c.x[regFN]^c.fv) >= 0 && c.x[regFZ] != 0
	case 7:
		return true
	}
	return r != (cond&1 != 0)
}

// undefined is the handler of what is no instruction here.
func undefined(c *core, i *inst) status {
	c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.Illegal}
	return fault
}

func (c *core) load(r *cpu.Regs) {
	copy(c.x[:32], r.GP[:])
	c.x[regZR] = 0
	c.pc = r.PC
	c.setNZCV(r.Flags)
	c.tpidr = r.Base
}

func (c *core) store(r *cpu.Regs) {
	copy(r.GP[:], c.x[:32])
	r.PC = c.pc
	r.Flags = r.Flags&^(0xf<<28) | c.nzcv()
	r.Base = c.tpidr
}
