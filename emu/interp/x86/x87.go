// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

const (
	mxcsrMask = 0xffff
	// Bits of the x87 control word that are always 0, 1.
	x87Reserved = 0xe080
	x87Fixed    = 0x0040

	// Bits of the status word beside the exceptions.
	x87Stack  = 1 << 6 // the stack was full or empty
	x87C1     = 1 << 9
	x87Codes  = 1<<8 | 1<<10 | 1<<14 // C0, C2 and C3
	x87Top    = 7 << 11
	x87Errors = 0x3f
)

// fpu is the x87 beside its control and status words (SDM volume 1, chapter 8).
// The stack's top is in the status word. The registers of MMX are the
// significands.
type fpu struct {
	stack    [8]ext // by number of the register, not by place on the stack
	used     uint8  // registers that are not empty
	fip, fdp uint64 // last instruction; operand of the last one that has failed
	fop      uint16

	xe        uint16 // exceptions of the instruction that is executing
	xup, xden bool
}

// Operands of x87 instructions, in the lowest bits of in.imm.
const (
	opST = iota // st(i)
	opReal4
	opReal8
	opReal10
	opInt2
	opInt4
	opInt8
	opBCD

	x87Kind = 7
	x87Pop  = 1 << 3 // then, how many to take off the stack
	x87Pops = 3 << 3
	x87To   = 1 << 5 // st(i) is the destination
)

func (c *core) place(i uint8) uint8 { return (uint8(c.fsw>>11) + i) & 7 }
func (c *core) empty(i uint8) bool  { return c.used>>c.place(i)&1 == 0 }
func (c *core) top(i uint8) ext     { return c.stack[c.place(i)] }

func (c *core) setTop(i uint8, v ext) {
	p := c.place(i)
	c.stack[p] = v
	c.used |= 1 << p
}

// turn moves the top of the stack.
func (c *core) turn(n uint16) { c.fsw = c.fsw&^x87Top | (c.fsw+n<<11)&x87Top }

// pop takes off the stack what in says.
func (c *core) pop(in *inst) {
	for n := in.imm & x87Pops / x87Pop; n > 0; n-- {
		c.used &^= 1 << c.place(0)
		c.turn(1)
	}
}

// pending reports whether an exception that is not masked waits.
func (c *core) pending() bool { return c.fsw&^c.fcw&x87Errors != 0 }

// ready begins an instruction that waits for exceptions.
func (c *core) ready() bool {
	c.xe, c.xup, c.xden = 0, false, false
	if c.pending() {
		return c.fault(cpu.Arithmetic)
	}
	return true
}

// stackFault is all that an instruction raises which finds the stack full or
// a register empty.
func (c *core) stackFault(full bool) ext {
	c.xe, c.xup = fxInvalid|x87Stack, full
	return indefinite
}

const (
	toRegister = fxBefore
	toPush     = fxInvalid // a denormal is loaded all the same
	toMemory   = fxBefore | fxOverflow | fxUnderflow
)

// allowed is whether there is a result in spite of the exceptions, some of which
// forbid it unless they are masked.
func (c *core) allowed(forbid uint16) bool {
	if c.xe&fxBefore&^c.fcw != 0 {
		c.xe &= fxBefore | x87Stack
		c.xup = c.xup && c.xe&x87Stack != 0
	}
	return c.xe&forbid&^c.fcw == 0
}

// settle ends an instruction: what it raised goes to the status word.
func (c *core) settle(in *inst) {
	c.fsw = c.fsw&^x87C1 | c.xe | uint16(b2u(c.xup))<<9
	c.fip = in.pc
	if c.xe&x87Errors&^c.fcw != 0 {
		c.fop = uint16(in.imm >> 16)
		if in.mem {
			c.fdp = c.addr(in)
		}
	}
}

// keepC1 is for instructions that change C1 only if the stack is at fault.
func (c *core) keepC1() {
	c.xup = c.xe&x87Stack == 0 && c.fsw&x87C1 != 0
}

// setCodes leaves C3, C2 and C0.
func (c *core) setCodes(codes uint8) {
	v := uint16(codes)
	c.fsw = c.fsw&^x87Codes | v&1<<8 | v&2<<9 | v&4<<12
}

// operand80 reads the operand that is a register or memory.
func (c *core) operand80(in *inst) (v ext, ok bool) {
	if !in.mem {
		return c.top(in.rm), true
	}
	var raw uint64
	switch a := c.addr(in); in.imm & x87Kind {
	case opReal4:
		raw, ok = c.ld32(a)
		v, c.xden = fromReal(raw, &single)
	case opReal8:
		raw, ok = c.ld64(a)
		v, c.xden = fromReal(raw, &double)
	case opInt2:
		raw, ok = c.ld16(a)
		v = fromInteger(int64(int16(raw)))
	case opInt4:
		raw, ok = c.ld32(a)
		v = fromInteger(int64(int32(raw)))
	case opInt8:
		raw, ok = c.ld64(a)
		v = fromInteger(int64(raw))
	default:
		var b [10]byte
		ok = c.readBytes(a, b[:])
		v = ext{le.Uint16(b[8:]), le.Uint64(b[:])}
		if in.imm&x87Kind == opBCD {
			v = fromBCD(v)
		}
	}
	return v, ok
}

// fld is the loads.
func fld(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	v, ok := c.operand80(in)
	if !ok {
		return false
	}
	switch {
	case !in.mem && c.empty(in.rm):
		v = c.stackFault(false)
	case in.imm&x87Kind == opReal10:
	case in.mem && v.signaling():
		c.xe |= fxInvalid
		v.m |= 1 << 62
	case c.xden:
		c.xe |= fxDenormal
	}
	return c.pushExt(in, v)
}

func (c *core) pushExt(in *inst, v ext) bool {
	if !c.empty(7) && c.xe&x87Stack == 0 {
		v = c.stackFault(true)
	}
	ok := c.allowed(toPush)
	if c.settle(in); ok {
		c.turn(7)
		c.setTop(0, v)
	}
	return true
}

// fldConst loads a constant; in.op is its number. All but 1 and 0 are rounded.
func fldConst(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	v := x87Constants[in.op]
	switch mode := c.fcw >> 10 & 3; {
	case in.op == 1 && mode == 2:
		v.m++
	case in.op > 1 && in.op < 6 && mode&1 != 0:
		v.m--
	}
	return c.pushExt(in, v)
}

// x87Constants are 1, log2 10, log2 e, pi, log10 2, ln 2 and 0, rounded to the
// nearest.
var x87Constants = [8]ext{
	{0x3fff, extOne}, {0x4000, 0xd49a784bcd1b8afe}, {0x3fff, 0xb8aa3b295c17f0bc}, {0x4000, 0xc90fdaa22168c235},
	{0x3ffd, 0x9a209a84fbcff799}, {0x3ffe, 0xb17217f7d1cf79ac}, {},
}

// fst is the stores of numbers.
func fst(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	v := c.top(0)
	if c.empty(0) {
		v = c.stackFault(false)
	}
	if !in.mem {
		ok := c.allowed(toRegister)
		if c.settle(in); ok {
			c.setTop(in.rm, v)
			c.pop(in)
		}
		return true
	}
	faulty := c.xe
	var b [10]byte
	n := 10
	switch in.imm & x87Kind {
	case opReal4:
		le.PutUint32(b[:], uint32(c.toReal(v, &single, real4)))
		n = 4
	case opReal8:
		le.PutUint64(b[:], c.toReal(v, &double, real8))
		n = 8
	case opBCD:
		v = c.toBCD(v)
		fallthrough
	default:
		le.PutUint64(b[:], v.m)
		le.PutUint16(b[8:], v.se)
	}
	if faulty != 0 {
		c.xe = faulty
	}
	return c.store80(in, b[:n])
}

// fist is the stores of integers; in.op says that they are truncated.
func fist(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	sz := uint8(in.imm&x87Kind-opInt2) + 1
	var b [8]byte
	if c.empty(0) {
		c.stackFault(false)
		le.PutUint64(b[:], 1<<tops[sz&3])
	} else {
		mode := c.fcw >> 10 & 3
		if in.op != 0 {
			mode = 3
		}
		le.PutUint64(b[:], c.toInteger(c.top(0), sz, mode))
	}
	return c.store80(in, b[:1<<sz])
}

// store80 ends a store of b.
func (c *core) store80(in *inst, b []byte) bool {
	ok := c.allowed(toMemory)
	if !ok {
		c.xe &^= fxInexact
		c.xup = c.xup && c.xe&x87Stack != 0
	}
	if ok && !c.writeBytes(c.addr(in), b) {
		return false
	}
	if c.settle(in); ok {
		c.pop(in)
	}
	return true
}
