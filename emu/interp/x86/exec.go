// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"math/bits"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// fast executes blocks until the budget is used up. It returns true if there
// is an exit.
//
// A case of the switch goes on with continue if it has done its uop. What it cannot do,
// such as an access that is not in the TLB, is left to the instruction's handler
// behind the switch.
func (c *core) fast() bool {
	x := &c.r
	b := c.lookup(c.pc, false)
	if b == nil {
		return true
	}
	var n *block
	var slot int
next:
	for {
		ops := b.ops
		for i := range ops {
			u := &ops[i]
			switch u.op {
			case uNop:
				continue
			case uGoOn:
				goto fall
			case uMov:
				x[u.d] = x[u.a]
				continue
			case uMovW:
				x[u.d] = uint64(uint32(x[u.a]))
				continue
			case uMovI:
				x[u.d] = u.imm
				continue
			case uIns:
				x[u.d] = x[u.d]&^u.disp | (x[u.a]+u.imm)&u.disp
				continue

			case uAdd:
				x[u.d] = x[u.a] + x[u.b]
				continue
			case uAddW:
				x[u.d] = uint64(uint32(x[u.a]) + uint32(x[u.b]))
				continue
			case uAddI:
				x[u.d] = x[u.a] + u.imm
				continue
			case uAddIW:
				x[u.d] = uint64(uint32(x[u.a]) + uint32(u.imm))
				continue
			case uSub:
				x[u.d] = x[u.a] - x[u.b]
				continue
			case uSubW:
				x[u.d] = uint64(uint32(x[u.a]) - uint32(x[u.b]))
				continue
			case uAnd:
				x[u.d] = x[u.a] & x[u.b]
				continue
			case uAndW:
				x[u.d] = uint64(uint32(x[u.a]) & uint32(x[u.b]))
				continue
			case uAndI:
				x[u.d] = x[u.a] & u.imm
				continue
			case uOr:
				x[u.d] = x[u.a] | x[u.b]
				continue
			case uOrW:
				x[u.d] = uint64(uint32(x[u.a]) | uint32(x[u.b]))
				continue
			case uOrI:
				x[u.d] = x[u.a] | u.imm
				continue
			case uOrIW:
				x[u.d] = uint64(uint32(x[u.a]) | uint32(u.imm))
				continue
			case uXor:
				x[u.d] = x[u.a] ^ x[u.b]
				continue
			case uXorW:
				x[u.d] = uint64(uint32(x[u.a]) ^ uint32(x[u.b]))
				continue
			case uXorI:
				x[u.d] = x[u.a] ^ u.imm
				continue
			case uXorIW:
				x[u.d] = uint64(uint32(x[u.a]) ^ uint32(u.imm))
				continue
			case uLea:
				x[u.d] = x[u.a] + x[u.b]<<(u.s&63) + u.disp
				continue
			case uLeaW:
				x[u.d] = uint64(uint32(x[u.a] + x[u.b]<<(u.s&63) + u.disp))
				continue
			case uMul:
				x[u.d] = x[u.a] * (x[u.b] + u.imm)
				continue
			case uMulW:
				x[u.d] = uint64(uint32(x[u.a]) * uint32(x[u.b]+u.imm))
				continue
			case uShl:
				x[u.d] = x[u.a] << (u.s & 63)
				continue
			case uShlW:
				x[u.d] = uint64(uint32(x[u.a]) << (u.s & 31))
				continue
			case uShr:
				x[u.d] = x[u.a] >> (u.s & 63)
				continue
			case uShrW:
				x[u.d] = uint64(uint32(x[u.a]) >> (u.s & 31))
				continue
			case uSar:
				x[u.d] = uint64(int64(x[u.a]) >> (u.s & 63))
				continue
			case uSarW:
				x[u.d] = uint64(uint32(int32(x[u.a]) >> (u.s & 31)))
				continue
			case uRol:
				x[u.d] = bits.RotateLeft64(x[u.a], int(u.s))
				continue
			case uRolW:
				x[u.d] = uint64(bits.RotateLeft32(uint32(x[u.a]), int(u.s)))
				continue
			case uShlV:
				x[u.d] = x[u.a] << (x[u.b] & 63)
				continue
			case uShlVW:
				x[u.d] = uint64(uint32(x[u.a]) << (x[u.b] & 31))
				continue
			case uShrV:
				x[u.d] = x[u.a] >> (x[u.b] & 63)
				continue
			case uShrVW:
				x[u.d] = uint64(uint32(x[u.a]) >> (x[u.b] & 31))
				continue
			case uSarV:
				x[u.d] = uint64(int64(x[u.a]) >> (x[u.b] & 63))
				continue
			case uSarVW:
				x[u.d] = uint64(uint32(int32(x[u.a]) >> (x[u.b] & 31)))
				continue
			case uSx:
				x[u.d] = uint64(int64(x[u.a]<<(u.s&63))>>(u.s&63)) & u.disp
				continue
			case uBswap:
				x[u.d] = bits.ReverseBytes64(x[u.a])
				continue
			case uBswapW:
				x[u.d] = uint64(bits.ReverseBytes32(uint32(x[u.a])))
				continue

			case uAddF:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				continue
			case uSubF:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] - v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				continue
			case uCmpF:
				v := (x[u.b] + u.imm) & u.disp
				c.fr, c.fb, c.lk = (x[u.a]-v)&u.disp, v, u.k
				continue
			case uAndF:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				x[u.d] = r
				c.fr, c.fc, c.lk = r, 0, u.k
				continue
			case uOrF:
				r := (x[u.a] | (x[u.b] + u.imm)) & u.disp
				x[u.d] = r
				c.fr, c.fc, c.lk = r, 0, u.k
				continue
			case uXorF:
				r := (x[u.a] ^ (x[u.b] + u.imm)) & u.disp
				x[u.d] = r
				c.fr, c.fc, c.lk = r, 0, u.k
				continue
			case uTestF:
				c.fr, c.fc, c.lk = x[u.a]&(x[u.b]+u.imm)&u.disp, 0, u.k
				continue
			case uIncF:
				v := x[u.a]
				r := (v + 1) & u.disp
				c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(r == u.disp>>1+1)<<11
				x[u.d] = r
				c.fr, c.lk = r, u.k
				continue
			case uDecF:
				v := x[u.a]
				r := (v - 1) & u.disp
				c.fc = b2u(c.carry()) | (v^r^1)&af | b2u(r == u.disp>>1)<<11
				x[u.d] = r
				c.fr, c.lk = r, u.k
				continue
			case uMulF:
				v, w := x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp
				r := v * w & u.disp
				x[u.d] = r
				c.fr, c.fb, c.fc, c.lk = r, v, w, u.k
				continue
			case uShlF:
				v := x[u.a] & u.disp
				r := v << (u.s & 63) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.fc, c.lk = r, v, uint64(u.s), u.k
				continue
			case uShrF:
				v := x[u.a] & u.disp
				r := v >> (u.s & 63)
				x[u.d] = r
				c.fr, c.fb, c.fc, c.lk = r, v, uint64(u.s), u.k
				continue
			case uSarF:
				c.sar(u, uint64(u.s))
				continue
			case uShlVF:
				v, n := x[u.a]&u.disp, x[u.b]&63
				if u.disp>>32 == 0 {
					n &= 31
				}
				r := v << (n & 63) & u.disp
				x[u.d] = r
				if n != 0 {
					c.fr, c.fb, c.fc, c.lk = r, v, n, u.k
				}
				continue
			case uShrVF:
				v, n := x[u.a]&u.disp, x[u.b]&63
				if u.disp>>32 == 0 {
					n &= 31
				}
				r := v >> (n & 63)
				x[u.d] = r
				if n != 0 {
					c.fr, c.fb, c.fc, c.lk = r, v, n, u.k
				}
				continue
			case uSarVF:
				n := x[u.b] & 63
				if u.disp>>32 == 0 {
					n &= 31
				}
				c.sar(u, n)
				continue
			case uCmov:
				v := x[u.d]
				if c.cond(u.k) {
					v = x[u.a]
				}
				x[u.d] = v & u.disp
				continue
			case uSetcc:
				x[u.d] = x[u.d]&^0xff | b2u(c.cond(u.k))
				continue

			case uLd64:
				if v, ok := c.rt.read64(x[u.a] + u.disp); ok {
					x[u.d] = v
					continue
				}
			case uLd32:
				if v, ok := c.rt.read32(x[u.a] + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLd16:
				if v, ok := c.rt.read16(x[u.a] + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLd8:
				if v, ok := c.rt.read8(x[u.a] + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLdS32:
				if v, ok := c.rt.read32(x[u.a] + u.disp); ok {
					x[u.d] = uint64(int32(v))
					continue
				}
			case uLd64X:
				if v, ok := c.rt.read64(x[u.a] + x[u.b]<<(u.s&63) + u.disp); ok {
					x[u.d] = v
					continue
				}
			case uLd32X:
				if v, ok := c.rt.read32(x[u.a] + x[u.b]<<(u.s&63) + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLd16X:
				if v, ok := c.rt.read16(x[u.a] + x[u.b]<<(u.s&63) + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLd8X:
				if v, ok := c.rt.read8(x[u.a] + x[u.b]<<(u.s&63) + u.disp); ok {
					x[u.d] = uint64(v)
					continue
				}
			case uLdS32X:
				if v, ok := c.rt.read32(x[u.a] + x[u.b]<<(u.s&63) + u.disp); ok {
					x[u.d] = uint64(int32(v))
					continue
				}
			case uSt64:
				if c.wt.write64(x[u.a]+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt32:
				if c.wt.write32(x[u.a]+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt16:
				if c.wt.write16(x[u.a]+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt8:
				if c.wt.write8(x[u.a]+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt64X:
				if c.wt.write64(x[u.a]+x[u.b]<<(u.s&63)+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt32X:
				if c.wt.write32(x[u.a]+x[u.b]<<(u.s&63)+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt16X:
				if c.wt.write16(x[u.a]+x[u.b]<<(u.s&63)+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uSt8X:
				if c.wt.write8(x[u.a]+x[u.b]<<(u.s&63)+u.disp, x[u.d]+u.imm) {
					continue
				}
			case uRmw64:
				a := x[u.a] + u.disp
				if e := &c.wt[a/pageSize%tlbSize]; e.tag == a/pageSize {
					if v, ok := c.rt.read64(a); ok {
						c.wt.write64(a, c.alu(u.k, 3, v, x[u.d]+u.imm))
						continue
					}
				}
			case uRmw32:
				a := x[u.a] + u.disp
				if e := &c.wt[a/pageSize%tlbSize]; e.tag == a/pageSize {
					if v, ok := c.rt.read32(a); ok {
						c.wt.write32(a, c.alu(u.k, 2, uint64(v), uint64(uint32(x[u.d]+u.imm))))
						continue
					}
				}
			case uPush:
				sp := x[cpu.RSP] - 8
				if c.wt.write64(sp, x[u.a]+u.imm) {
					x[cpu.RSP] = sp
					continue
				}
			case uPop:
				if v, ok := c.rt.read64(x[cpu.RSP]); ok {
					x[cpu.RSP] += 8
					x[u.d] = v
					continue
				}

			case uJmp:
				goto taken
			case uJmpR:
				if to := x[u.a]; canonical(to) {
					c.pc = to
					goto far
				}
			case uCall:
				sp := x[cpu.RSP] - 8
				if c.wt.write64(sp, u.imm) {
					x[cpu.RSP] = sp
					goto taken
				}
			case uCallR:
				to, sp := x[u.a], x[cpu.RSP]-8
				if canonical(to) && c.wt.write64(sp, u.imm) {
					x[cpu.RSP] = sp
					c.pc = to
					goto far
				}
			case uRet:
				if to, ok := c.rt.read64(x[cpu.RSP]); ok && canonical(to) {
					x[cpu.RSP] += u.imm
					c.pc = to
					goto far
				}
			case uJcc:
				if c.cond(u.k) {
					goto taken
				}
				goto fall
			case uJZ:
				z := c.fr == 0
				if c.lk == lkNone {
					z = c.flags&zf != 0
				}
				if z {
					goto taken
				}
				goto fall
			case uJNZ:
				z := c.fr == 0
				if c.lk == lkNone {
					z = c.flags&zf != 0
				}
				if z {
					goto fall
				}
				goto taken

			case uCmpJB:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v < w {
					goto taken
				}
				goto fall
			case uCmpJAE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v >= w {
					goto taken
				}
				goto fall
			case uCmpJE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v == w {
					goto taken
				}
				goto fall
			case uCmpJNE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v != w {
					goto taken
				}
				goto fall
			case uCmpJBE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v <= w {
					goto taken
				}
				goto fall
			case uCmpJA:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if v > w {
					goto taken
				}
				goto fall
			case uCmpJL:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if int64(v) < int64(w) {
					goto taken
				}
				goto fall
			case uCmpJGE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if int64(v) >= int64(w) {
					goto taken
				}
				goto fall
			case uCmpJLE:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if int64(v) <= int64(w) {
					goto taken
				}
				goto fall
			case uCmpJG:
				v, w := x[u.a], x[u.b]+u.imm
				c.fr, c.fb, c.lk = v-w, w, u.k
				if int64(v) > int64(w) {
					goto taken
				}
				goto fall
			case uCmpJBW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v < w {
					goto taken
				}
				goto fall
			case uCmpJAEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v >= w {
					goto taken
				}
				goto fall
			case uCmpJEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v == w {
					goto taken
				}
				goto fall
			case uCmpJNEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v != w {
					goto taken
				}
				goto fall
			case uCmpJBEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v <= w {
					goto taken
				}
				goto fall
			case uCmpJAW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if v > w {
					goto taken
				}
				goto fall
			case uCmpJLW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if int32(v) < int32(w) {
					goto taken
				}
				goto fall
			case uCmpJGEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if int32(v) >= int32(w) {
					goto taken
				}
				goto fall
			case uCmpJLEW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if int32(v) <= int32(w) {
					goto taken
				}
				goto fall
			case uCmpJGW:
				v, w := uint32(x[u.a]), uint32(x[u.b]+u.imm)
				c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
				if int32(v) > int32(w) {
					goto taken
				}
				goto fall
			case uCmpJN:
				v, w := x[u.a]&u.disp, (x[u.b]+u.imm)&u.disp
				c.fr, c.fb, c.lk = (v-w)&u.disp, w, u.k
				if c.cond(u.s) {
					goto taken
				}
				goto fall
			case uTestJE:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if r == 0 {
					goto taken
				}
				goto fall
			case uTestJNE:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if r != 0 {
					goto taken
				}
				goto fall
			case uTestJS:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if int64(r<<(u.s&63)) < 0 {
					goto taken
				}
				goto fall
			case uTestJNS:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if int64(r<<(u.s&63)) >= 0 {
					goto taken
				}
				goto fall
			case uTestJLE:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if int64(r<<(u.s&63)) <= 0 {
					goto taken
				}
				goto fall
			case uTestJG:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				c.fr, c.fc, c.lk = r, 0, u.k
				if int64(r<<(u.s&63)) > 0 {
					goto taken
				}
				goto fall
			case uAddJE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				if r == 0 {
					goto taken
				}
				goto fall
			case uAddJNE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				if r != 0 {
					goto taken
				}
				goto fall
			case uSubJE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] - v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				if r == 0 {
					goto taken
				}
				goto fall
			case uSubJNE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] - v) & u.disp
				x[u.d] = r
				c.fr, c.fb, c.lk = r, v, u.k
				if r != 0 {
					goto taken
				}
				goto fall
			}
			in := u.in
			c.pc = in.next
			if !in.fn(c, in) {
				was := c.count
				if c.leave(in) {
					return true
				}
				if c.spend(int64(c.count - was)) {
					return false
				}
			} else if u.many || b.pc == dropped {
				c.count += uint64(in.n) + 1
				if c.spend(int64(in.n) + 1) {
					return false
				}
			} else {
				continue
			}
			if b = c.lookup(c.pc, false); b == nil {
				return true
			}
			continue next
		}
	far: // to c.pc
		c.count += b.n
		if c.spend(int64(b.n)) {
			return false
		}
		if b = c.lookup(c.pc, false); b == nil {
			return true
		}
		continue
	fall:
		slot = 0
		goto on
	taken:
		slot = 1
	on:
		c.count += b.n
		c.budget -= int64(b.n)
		if n = b.link[slot]; n != nil && n.pc == b.to[slot] && c.budget > 0 {
			b = n
			continue
		}
		c.pc = b.to[slot]
		if c.spend(0) {
			return false
		}
		if n = c.lookup(c.pc, false); n == nil {
			return true
		}
		b.link[slot] = n
		b = n
	}
}

// spend takes instructions from the budget. It returns true if fast has to return.
func (c *core) spend(n int64) bool {
	c.budget -= n
	return c.budget <= 0 || c.gates.Contains(efi.Addr(c.pc))
}

// sar is uSarF and uSarVF.
func (c *core) sar(u *uop, n uint64) {
	up := u.s2 & 63
	v := int64(c.r[u.a]<<up) >> up
	r := uint64(v>>(n&63)) & u.disp
	c.r[u.d] = r
	if n != 0 {
		c.fr, c.fb, c.fc, c.lk = r, uint64(v), n, u.k
	}
}

func (t *tlb) read64(a uint64) (uint64, bool) {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-8 {
		return 0, false
	}
	return le.Uint64(e.page[o:]), true
}

func (t *tlb) read32(a uint64) (uint32, bool) {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-4 {
		return 0, false
	}
	return le.Uint32(e.page[o:]), true
}

func (t *tlb) read16(a uint64) (uint16, bool) {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-2 {
		return 0, false
	}
	return le.Uint16(e.page[o:]), true
}

func (t *tlb) read8(a uint64) (uint8, bool) {
	e := &t[a/pageSize%tlbSize]
	if e.tag != a/pageSize {
		return 0, false
	}
	return e.page[a&pageMask], true
}

func (t *tlb) write64(a, v uint64) bool {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-8 {
		return false
	}
	le.PutUint64(e.page[o:], v)
	return true
}

func (t *tlb) write32(a, v uint64) bool {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-4 {
		return false
	}
	le.PutUint32(e.page[o:], uint32(v))
	return true
}

func (t *tlb) write16(a, v uint64) bool {
	e, o := &t[a/pageSize%tlbSize], a&pageMask
	if e.tag != a/pageSize || o > pageSize-2 {
		return false
	}
	le.PutUint16(e.page[o:], uint16(v))
	return true
}

func (t *tlb) write8(a, v uint64) bool {
	e := &t[a/pageSize%tlbSize]
	if e.tag != a/pageSize {
		return false
	}
	e.page[a&pageMask] = uint8(v)
	return true
}
