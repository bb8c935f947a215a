// SPDX-License-Identifier: BSD-3-Clause

package x86

import "math/bits"

// verdict says how it goes on after step.
type verdict uint8

const (
	done  verdict = iota // with the next uop
	left                 // at core.pc
	exits                // core.exit is an exit
)

// step does what the loop of fast does not do itself: what is rarer, and by their
// handlers instructions that have no uop, or one that has not done it. It is apart so
// that the loop calls from one place only, which keeps more of it in registers. It returns
// u and ahead, as fast keeps neither across the call.
func (c *core) step(b *block, u, ahead *uop) (*uop, *uop, verdict) {
	x := &c.r
	switch u.op {
	case uMulF:
		v, w := x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp
		r := v * w & u.disp
		x[u.d] = r
		c.fr, c.fb, c.fc, c.lk = r, v, w, u.k
		return u, ahead, done
	case uOrF:
		r := (x[u.a] | (x[u.b] + u.imm)) & u.disp
		x[u.d] = r
		c.fr, c.fc, c.lk = r, 0, u.k
		return u, ahead, done
	case uXorF:
		r := (x[u.a] ^ (x[u.b] + u.imm)) & u.disp
		x[u.d] = r
		c.fr, c.fc, c.lk = r, 0, u.k
		return u, ahead, done
	case uBswap:
		x[u.d] = bits.ReverseBytes64(x[u.a])
		return u, ahead, done
	case uBswapW:
		x[u.d] = uint64(bits.ReverseBytes32(uint32(x[u.a])))
		return u, ahead, done
	case uSarV:
		x[u.d] = uint64(int64(x[u.a]) >> (x[u.b] & 63))
		return u, ahead, done
	case uSarVW:
		x[u.d] = uint64(uint32(int32(x[u.a]) >> (x[u.b] & 31)))
		return u, ahead, done
	case uShlF:
		v := x[u.a] & u.disp
		r := v << (u.s & 63) & u.disp
		x[u.d] = r
		c.fr, c.fb, c.fc, c.lk = r, v, uint64(u.s), u.k
		return u, ahead, done
	case uMovAdd:
		x[u.d] = x[u.a]
		x[u.d2] = x[u.a2] + x[u.b2]
		return u, ahead, done
	case uShlVW:
		x[u.d] = uint64(uint32(x[u.a]) << (x[u.b] & 31))
		return u, ahead, done
	case uShrVW:
		x[u.d] = uint64(uint32(x[u.a]) >> (x[u.b] & 31))
		return u, ahead, done
	case uMulW:
		x[u.d] = uint64(uint32(x[u.a]) * uint32(x[u.b]+u.imm))
		return u, ahead, done
	case uJcc, uCmpJN:
		cc := u.k
		if u.op == uCmpJN {
			v, w := x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp
			c.kept((v-w)&u.disp, w, u.k)
			cc = u.s
		}
		if !c.cond(cc) {
			return u, ahead, done
		}
		c.count += uint64(u.n)
		c.budget -= int64(u.n)
		c.pc = u.to
		return u, ahead, left
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
		return u, ahead, done
	case uSarF:
		c.sar(u, uint64(u.s))
		return u, ahead, done
	case uSarVF:
		n := x[u.b] & 63
		if u.disp>>32 == 0 {
			n &= 31
		}
		c.sar(u, n)
		return u, ahead, done
	case uCarry:
		x[u.d] = c.alu(u.k, u.s, x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp)
		return u, ahead, done
	case uCmov:
		v := x[u.d]
		if c.cond(u.k) {
			v = x[u.a]
		}
		x[u.d] = v & u.disp
		return u, ahead, done
	case uSetcc:
		x[u.d] = x[u.d]&^0xff | b2u(c.cond(u.k))
		return u, ahead, done
	case uRmw64:
		a := x[u.a] + u.disp
		if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-8 && c.rt[place(a)].tag == a/pageSize {
			le.PutUint64(e.page[o:], c.alu(u.k, 3, le.Uint64(e.page[o:]), x[u.d]+u.imm))
			return u, ahead, done
		}
	case uRmw32:
		a := x[u.a] + u.disp
		if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-4 && c.rt[place(a)].tag == a/pageSize {
			le.PutUint32(e.page[o:], uint32(c.alu(u.k, 2, uint64(le.Uint32(e.page[o:])), uint64(uint32(x[u.d]+u.imm)))))
			return u, ahead, done
		}
	}
	if u.last != nil {
		c.restore(u.last)
	}
	in, was := &b.insts[u.s3], c.count
	c.pc = in.next
	if !in.fn(c, in) {
		if c.leave(in) {
			return u, ahead, exits
		}
	} else if u.many || b.pc == dropped {
		c.count += uint64(in.n) + 1
	} else {
		return u, ahead, done
	}
	c.budget -= int64(c.count - was)
	return u, ahead, left
}

// restore leaves the flags of a uop that was executed without them, or later. What it takes is
// still in registers.
func (c *core) restore(u *uop) {
	v := (c.r[u.b] + u.imm) & u.disp
	switch u.op {
	case uAddF, uSubF:
		c.kept(c.r[u.d]&u.disp, v, u.k)
	case uCmpF:
		c.kept((c.r[u.a]-v)&u.disp, v, u.k)
	case uTestF:
		c.result(c.r[u.a]&v, u.k)
	default:
		c.result(c.r[u.d]&u.disp, u.k)
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
