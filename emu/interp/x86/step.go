// SPDX-License-Identifier: BSD-3-Clause

package x86

// What follows a step.
const (
	goesOn = iota // the next uop
	left          // the block at core.pc
	exits         // the end of fast, with core.exit
)

// step does what the loop of fast does not do itself: what is rarer, and by their
// handlers instructions that have no uop, or one that has not done it. It is apart so
// that the loop calls from one place only, which keeps more of it in registers.
func (c *core) step(b *block, u *uop) int {
	x := &c.r
	switch u.op {
	case uIncF, uDecF:
		v, one := x[u.a], u.disp
		if u.op == uIncF {
			one = 1
		}
		r := (v + one) & u.disp
		c.fc = b2u(c.carry()) | (v^r^1)&af
		if u.op == uIncF && r == u.disp>>1+1 || u.op == uDecF && r == u.disp>>1 {
			c.fc |= of
		}
		x[u.d] = r
		c.fr, c.lk = r, u.k
		return goesOn
	case uSarF:
		c.sar(u, uint64(u.s))
		return goesOn
	case uSarVF:
		n := x[u.b] & 63
		if u.disp>>32 == 0 {
			n &= 31
		}
		c.sar(u, n)
		return goesOn
	case uCarry:
		x[u.d] = c.alu(u.k, u.s, x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp)
		return goesOn
	case uCmov:
		v := x[u.d]
		if c.cond(u.k) {
			v = x[u.a]
		}
		x[u.d] = v & u.disp
		return goesOn
	case uSetcc:
		x[u.d] = x[u.d]&^0xff | b2u(c.cond(u.k))
		return goesOn
	case uRmw64:
		a := x[u.a] + u.disp
		if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-8 && c.rt[place(a)].tag == a/pageSize {
			le.PutUint64(e.page[o:], c.alu(u.k, 3, le.Uint64(e.page[o:]), x[u.d]+u.imm))
			return goesOn
		}
	case uRmw32:
		a := x[u.a] + u.disp
		if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-4 && c.rt[place(a)].tag == a/pageSize {
			le.PutUint32(e.page[o:], uint32(c.alu(u.k, 2, uint64(le.Uint32(e.page[o:])), uint64(uint32(x[u.d]+u.imm)))))
			return goesOn
		}
	}
	if u.last != nil {
		c.restore(u.last)
	}
	in, was := u.in, c.count
	c.pc = in.next
	if !in.fn(c, in) {
		if c.leave(in) {
			return exits
		}
	} else if u.many || b.pc == dropped {
		c.count += uint64(in.n) + 1
	} else {
		return goesOn
	}
	c.budget -= int64(c.count - was)
	return left
}

// restore leaves the flags of a uop that was executed without them. Its result and its second
// operand are still in their registers.
func (c *core) restore(u *uop) {
	c.fr, c.lk = c.r[u.d]&u.disp, u.k
	if u.op == uAddF || u.op == uSubF {
		c.fb = (c.r[u.b] + u.imm) & u.disp
	} else {
		c.fc = 0
	}
}

func (c *core) sar(u *uop, n uint64) {
	up := u.s2 & 63
	v := int64(c.r[u.a]<<up) >> up
	r := uint64(v>>(n&63)) & u.disp
	c.r[u.d] = r
	if n != 0 {
		c.fr, c.fb, c.fc, c.lk = r, uint64(v), n, u.k
	}
}
