// SPDX-License-Identifier: BSD-3-Clause

package x86

// Operations by bits 3 to 5 of the ModRM byte.
const (
	x87Add = iota
	x87Mul
	x87Com
	x87Comp
	x87Sub
	x87Subr
	x87Div
	x87Divr
)

func x87Arith(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	b, ok := c.operand80(in)
	if !ok {
		return false
	}
	a := c.top(0)
	var r ext
	if c.empty(0) || !in.mem && c.empty(in.rm) {
		r = c.stackFault(false)
	} else {
		switch in.op {
		case x87Add:
			r = c.extAdd(a, b)
		case x87Mul:
			r = c.extMul(a, b)
		case x87Sub:
			r = c.extSub(a, b)
		case x87Subr:
			r = c.extSub(b, a)
		case x87Div:
			r = c.extDiv(a, b)
		default:
			r = c.extDiv(b, a)
		}
	}
	ok = c.allowed(toRegister)
	if c.settle(in); ok {
		if in.imm&x87To != 0 {
			c.setTop(in.rm, r)
		} else {
			c.setTop(0, r)
		}
		c.pop(in)
	}
	return true
}

// fcom is the comparisons that leave C3, C2 and C0, whether or not they are
// allowed to pop; in.op says that quiet NaNs are invalid. Fcomi leaves flags, ftst
// compares with 0.
func fcom(c *core, in *inst) bool {
	codes, ok := c.comparison(in)
	if !ok {
		return false
	}
	ok = c.allowed(toRegister)
	c.settle(in)
	if c.setCodes(codes); ok {
		c.pop(in)
	}
	return true
}

func fcomi(c *core, in *inst) bool {
	codes, ok := c.comparison(in)
	if !ok {
		return false
	}
	ok = c.allowed(toRegister)
	c.keepC1()
	c.settle(in)
	c.setArith(arith, uint64(codes&1)|uint64(codes&2)<<1|uint64(codes&4)<<4)
	if ok {
		c.pop(in)
	}
	return true
}

func (c *core) comparison(in *inst) (codes uint8, ok bool) {
	if !c.ready() {
		return 0, false
	}
	b, ok := c.operand80(in)
	if !ok {
		return 0, false
	}
	if c.empty(0) || !in.mem && c.empty(in.rm) {
		c.stackFault(false)
		return 7, true
	}
	return c.compareExt(c.top(0), b, in.op != 0), true
}

func ftst(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	codes := uint8(7)
	if c.empty(0) {
		c.stackFault(false)
	} else {
		codes = c.compareExt(c.top(0), ext{}, true)
	}
	c.allowed(toRegister)
	c.settle(in)
	c.setCodes(codes)
	return true
}

func fxam(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	v := c.top(0)
	c.xup = v.negative()
	c.settle(in)
	if c.empty(0) {
		c.setCodes(classEmpty)
	} else {
		c.setCodes(v.class())
	}
	return true
}

// The operations on st(0), with st(1) for some, by the lowest bits of the ModRM byte.
const (
	x87Chs     = 0x20
	x87Abs     = 0x21
	x87Xtract  = 0x34
	x87Prem1   = 0x35
	x87Prem    = 0x38
	x87Sqrt    = 0x3a
	x87Rndint  = 0x3c
	x87Scale   = 0x3d
	x87SecondX = 1<<x87Prem | 1<<x87Prem1 | 1<<x87Scale // use st(1)
)

func x87Unary(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	a, b := c.top(0), c.top(1)
	codes := -1
	undone := int(c.fsw>>8&1 | c.fsw>>12&4) // C2 says that a remainder is complete
	switch {
	case c.empty(0) || uint64(x87SecondX)>>in.op&1 != 0 && c.empty(1):
		if a = c.stackFault(false); in.op == x87Prem || in.op == x87Prem1 {
			codes = undone
		}
	case in.op == x87Chs:
		a.se ^= extSign
	case in.op == x87Abs:
		a.se &^= extSign
	case in.op == x87Sqrt:
		a = c.extSqrt(a)
	case in.op == x87Rndint:
		a = c.extRound(a)
	case in.op == x87Scale:
		a = c.extScale(a, b)
	default:
		var q uint64
		var kind int
		switch a, q, kind = c.extRemainder(a, b, in.op == x87Prem1); kind {
		case remainderWhole:
			codes = int(q>>2&1 | q<<1&4)
			c.xup = q&1 != 0
		case remainderPart:
			codes = 2
		default:
			codes = undone
		}
	}
	ok := c.allowed(toRegister)
	if c.settle(in); ok {
		c.setTop(0, a)
	} else if codes >= 0 {
		codes = undone
	}
	if codes >= 0 {
		c.setCodes(uint8(codes))
	}
	return true
}

// fxtract leaves the exponent, and pushes the significand.
func fxtract(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	a := c.top(0)
	exp := a
	switch {
	case c.empty(0):
		a = c.stackFault(false)
		exp = a
	case !c.empty(7):
		a = c.stackFault(true)
		exp = a
	default:
		switch a.class() {
		case classInf:
			exp.se &^= extSign
		case classZero:
			c.xe |= fxZero
			exp = extInf(true)
		case classNaN, classUnsupported:
			a, _ = c.nans(a, a)
			exp = a
		default:
			c.denormals(a, a)
			n := a.long()
			exp = fromInteger(int64(n.exp))
			a = ext{a.se&extSign | extBias, n.hi}
		}
	}
	ok := c.allowed(toRegister)
	if c.settle(in); ok {
		c.setTop(0, exp)
		c.turn(7)
		c.setTop(0, a)
	}
	return true
}

func fxch(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	a, b := c.top(0), c.top(in.rm)
	if c.empty(0) {
		a = c.stackFault(false)
	}
	if c.empty(in.rm) {
		b = c.stackFault(false)
	}
	ok := c.allowed(toRegister)
	if c.settle(in); ok {
		c.setTop(0, b)
		c.setTop(in.rm, a)
	}
	return true
}

// fcmov moves if in.op's condition holds.
func fcmov(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	v := c.top(0)
	switch {
	case c.empty(0) || c.empty(in.rm):
		v = c.stackFault(false)
	case c.cond(in.op):
		v = c.top(in.rm)
	}
	ok := c.allowed(toRegister)
	c.keepC1()
	if c.settle(in); ok {
		c.setTop(0, v)
	}
	return true
}

func fnop(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.fip = in.pc
	return true
}

func ffree(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.settle(in)
	c.used &^= 1 << c.place(in.rm)
	c.pop(in)
	return true
}

// fturn is fincstp and fdecstp.
func fturn(c *core, in *inst) bool {
	if !c.ready() {
		return false
	}
	c.settle(in)
	c.turn(uint16(in.op))
	return true
}
