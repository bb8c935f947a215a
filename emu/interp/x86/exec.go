// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"math/bits"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// fast executes a block, and those that follow it until the budget is used up. It returns true if there
// is an exit.
//
// A case of the switch goes on with continue if it has done its uop. What it cannot do,
// such as an access that is not in the TLB, is left to the instruction's handler
// behind the switch.
//
// Beyond 5000 nodes the compiler inlines no more of what is called here than the smallest:
// then what is rare has to go to step.
//
// It is nosplit to begin 10 bytes earlier, so that the head of the loop, which each uop goes
// through, is in one line of the processor's cache wherever the linker puts the function.
//
//go:nosplit
func (c *core) fast(b *block) bool {
	const all = 1<<8 - 1 // with a case for it the switch needs no check of its range
	x := &c.r
	var u, ahead *uop // which executes, and the next
	var how verdict
next:
	for {
		for u, ahead = b.start[0], b.start[1]; ; u, ahead = ahead, u.next2 {
			var a uint64
			switch u.op {
			case uFn, all:
			case uEnd:
				goto far
			case uMov:
				x[u.d] = x[u.a]
				continue
			case uMovW:
				x[u.d] = uint64(uint32(x[u.a]))
				continue
			case uMovI:
				x[u.d] = u.imm
				continue
			case uMov2:
				x[u.d] = x[u.a]
				x[u.d2] = x[u.a2]
				continue
			case uMov2W:
				x[u.d] = uint64(uint32(x[u.a]))
				x[u.d2] = uint64(uint32(x[u.a2]))
				continue
			case uMov4W:
				x[u.d] = uint64(uint32(x[u.a]))
				x[u.d2] = uint64(uint32(x[u.a2]))
				x[u.d3] = uint64(uint32(x[u.a3]))
				x[u.b3] = uint64(uint32(x[u.s3]))
				continue
			case uMovV:
				c.x[u.d&15] = c.x[u.a&15]
				continue
			case uIns:
				x[u.d] = x[u.d]&^u.disp | (x[u.a]+u.imm)&u.disp
				continue

			case uAdd:
				x[u.d] = x[u.a] + x[u.b]
				continue
			case uAddW:
				x[u.d] = uint64(uint32(x[u.a] + x[u.b]))
				continue
			case uAddI:
				x[u.d] = x[u.a] + u.imm
				continue
			case uAddIW:
				x[u.d] = uint64(uint32(x[u.a] + u.imm))
				continue
			case uSub:
				x[u.d] = x[u.a] - x[u.b]
				continue
			case uSubW:
				x[u.d] = uint64(uint32(x[u.a] - x[u.b]))
				continue
			case uAnd:
				x[u.d] = x[u.a] & x[u.b]
				continue
			case uAndW:
				x[u.d] = uint64(uint32(x[u.a] & x[u.b]))
				continue
			case uAndI:
				x[u.d] = x[u.a] & u.imm
				continue
			case uOr:
				x[u.d] = x[u.a] | x[u.b]
				continue
			case uOrW:
				x[u.d] = uint64(uint32(x[u.a] | x[u.b]))
				continue
			case uOrI:
				x[u.d] = x[u.a] | u.imm
				continue
			case uOrIW:
				x[u.d] = uint64(uint32(x[u.a] | u.imm))
				continue
			case uXor:
				x[u.d] = x[u.a] ^ x[u.b]
				continue
			case uXorW:
				x[u.d] = uint64(uint32(x[u.a] ^ x[u.b]))
				continue
			case uXorI:
				x[u.d] = x[u.a] ^ u.imm
				continue
			case uXorIW:
				x[u.d] = uint64(uint32(x[u.a] ^ u.imm))
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
			case uShrV:
				x[u.d] = x[u.a] >> (x[u.b] & 63)
				continue
			case uSx:
				x[u.d] = uint64(int64(x[u.a]<<(u.s&63))>>(u.s&63)) & u.disp
				continue
			case uAddF:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.kept(r, v, u.k)
				continue
			case uSubF:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] - v) & u.disp
				x[u.d] = r
				c.kept(r, v, u.k)
				continue
			case uCmpF:
				v := (x[u.b] + u.imm) & u.disp
				c.kept((x[u.a]-v)&u.disp, v, u.k)
				continue
			case uAndF:
				r := x[u.a] & (x[u.b] + u.imm) & u.disp
				x[u.d] = r
				c.result(r, u.k)
				continue
			case uTestF:
				c.result(x[u.a]&(x[u.b]+u.imm)&u.disp, u.k)
				continue
			case uShrF:
				v := x[u.a] & u.disp
				r := v >> (u.s & 63)
				x[u.d] = r
				c.fr, c.fb, c.fc, c.lk = r, v, uint64(u.s), u.k
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

			case uRolRolW:
				x[u.d] = uint64(bits.RotateLeft32(uint32(x[u.a]), int(u.s)))
				x[u.d2] = uint64(bits.RotateLeft32(uint32(x[u.a2]), int(u.s2)))
				continue
			case uRolXorW:
				v := bits.RotateLeft32(uint32(x[u.a]), int(u.s))
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v ^ uint32(x[u.b2]))
				continue
			case uRolRolXorW:
				x[u.d] = uint64(bits.RotateLeft32(uint32(x[u.a]), int(u.s)))
				x[u.d2] = uint64(bits.RotateLeft32(uint32(x[u.a2]), int(u.s2)))
				x[u.d3] = uint64(uint32(x[u.a3] ^ x[u.b3]))
				continue
			case uShrXorW:
				v := uint32(x[u.a]) >> (u.s & 31)
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v ^ uint32(x[u.b2]))
				continue
			case uAddAddW:
				x[u.d] = uint64(uint32(x[u.a] + x[u.b]))
				x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
				continue
			case uAndAddW:
				v := uint32(x[u.a] & x[u.b])
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v + uint32(x[u.b2]))
				continue
			case uXorAndW:
				v := uint32(x[u.a] ^ x[u.b])
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v & uint32(x[u.b2]))
				continue
			case uAndXorW:
				v := uint32(x[u.a] & x[u.b])
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v ^ uint32(x[u.b2]))
				continue
			case uXorAddW:
				v := uint32(x[u.a] ^ x[u.b])
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v + uint32(x[u.b2]))
				continue
			case uXorIAndW:
				v := uint32(x[u.a] ^ u.imm)
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v & uint32(x[u.b2]))
				continue

			case uAndAddAddW:
				x[u.d] = uint64(uint32(x[u.a] & x[u.b]))
				x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
				x[u.d3] = uint64(uint32(x[u.a3] + x[u.b3]))
				continue
			case uAdd3W:
				x[u.d] = uint64(uint32(x[u.a] + x[u.b]))
				x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
				x[u.d3] = uint64(uint32(x[u.a3] + x[u.b3]))
				continue
			case uAndShrV:
				x[u.d] = x[u.a] & u.imm
				x[u.d2] = x[u.a2] >> (x[u.b2] & 63)
				continue
			case uAndShlV:
				x[u.d] = x[u.a] & u.imm
				x[u.d2] = x[u.a2] << (x[u.b2] & 63)
				continue
			case uAddAddI:
				x[u.d] = x[u.a] + u.imm
				x[u.d2] = x[u.a2] + u.disp
				continue
			case uShrXorAddW:
				v := uint32(x[u.a]) >> (u.s & 31)
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v ^ uint32(x[u.b2]))
				x[u.d3] = uint64(uint32(x[u.a3] + x[u.b3]))
				continue
			case uXorIAndAddW:
				v := uint32(x[u.a] ^ u.imm)
				x[u.d] = uint64(v)
				x[u.d2] = uint64(v & uint32(x[u.b2]))
				x[u.d3] = uint64(uint32(x[u.a3] + x[u.b3]))
				continue
			case uSubShrW:
				x[u.d] = uint64(uint32(x[u.a] - x[u.b]))
				x[u.d2] = uint64(uint32(x[u.a2]) >> (u.s2 & 31))
				continue
			case uAndIAddW:
				x[u.d] = x[u.a] & u.imm
				x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
				continue
			case uLd64:
				a = c.based(u)
				goto doLd64
			case uLd32:
				a = c.based(u)
				goto doLd32
			case uLd16:
				a = c.based(u)
				goto doLd16
			case uLd8:
				a = c.based(u)
				goto doLd8
			case uLdS32:
				a = c.based(u)
				goto doLdS32
			case uLd64X:
				a = c.indexed(u)
				goto doLd64
			case uLd32X:
				a = c.indexed(u)
				goto doLd32
			case uLd16X:
				a = c.indexed(u)
				goto doLd16
			case uLd8X:
				a = c.indexed(u)
				goto doLd8
			case uLdS32X:
				a = c.indexed(u)
				goto doLdS32
			case uSt64:
				a = c.based(u)
				goto doSt64
			case uSt32:
				a = c.based(u)
				goto doSt32
			case uSt16:
				a = c.based(u)
				goto doSt16
			case uSt8:
				a = c.based(u)
				goto doSt8
			case uSt64X:
				a = c.indexed(u)
				goto doSt64
			case uSt32X:
				a = c.indexed(u)
				goto doSt32
			case uSt16X:
				a = c.indexed(u)
				goto doSt16
			case uSt8X:
				a = c.indexed(u)
				goto doSt8
			case uLdV:
				a = c.based(u)
				goto doLdV
			case uLdVX:
				a = c.indexed(u)
				goto doLdV
			case uStV:
				a = c.based(u)
				goto doStV
			case uStVX:
				a = c.indexed(u)
				goto doStV
			case uPush:
				sp := x[cpu.RSP] - 8
				if e := &c.wt[place(sp)]; e.has(sp, 8) {
					le.PutUint64(e.page[sp&pageMask:], x[u.a]+u.imm)
					x[cpu.RSP] = sp
					continue
				}
			case uPop:
				sp := x[cpu.RSP]
				if e := &c.rt[place(sp)]; e.has(sp, 8) {
					x[cpu.RSP] = sp + 8
					x[u.d] = le.Uint64(e.page[sp&pageMask:])
					continue
				}

			case uLdAdd:
				a := c.based(u)
				if e := &c.rt[place(a)]; e.has(a, 8) {
					v := le.Uint64(e.page[a&pageMask:])
					x[u.d] = v
					x[u.d2] = x[u.a2] + x[u.b2]
					continue
				}
			case uLdAddW:
				a = c.based(u)
				goto doLdAddW
			case uLdXAddW:
				a = c.indexed(u)
				goto doLdAddW
			case uLdAddAddW:
				a := c.based(u)
				if e := &c.rt[place(a)]; e.has(a, 4) {
					v := le.Uint32(e.page[a&pageMask:])
					x[u.d] = uint64(v)
					x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
					x[u.d3] = uint64(uint32(x[u.a3] + x[u.b3]))
					continue
				}
			case uLdSub:
				a := c.based(u)
				if e := &c.rt[place(a)]; e.has(a, 8) {
					v := le.Uint64(e.page[a&pageMask:])
					x[u.d] = v
					x[u.d2] = x[u.a2] - x[u.b2]
					continue
				}
			case uSubSt32:
				x[u.d] = uint64(uint32(x[u.a] - x[u.b]))
				a := x[u.a2] + u.disp
				if e := &c.wt[place(a)]; e.has(a, 4) {
					le.PutUint32(e.page[a&pageMask:], uint32(x[u.d2]))
					continue
				}
			case uAddSt64:
				x[u.d] = x[u.a] + x[u.b]
				a := x[u.a2] + u.disp
				if e := &c.wt[place(a)]; e.has(a, 8) {
					le.PutUint64(e.page[a&pageMask:], x[u.d2])
					continue
				}
			case uAndLd16X:
				x[u.d] = x[u.a] & u.imm
				a := x[u.a2] + x[u.b2]<<(u.s2&63) + u.disp
				if e := &c.rt[place(a)]; e.has(a, 2) {
					x[u.d2] = uint64(le.Uint16(e.page[a&pageMask:]))
					continue
				}
			case uPush2:
				sp := x[cpu.RSP] - 16
				if e := &c.wt[place(sp)]; e.has(sp, 16) {
					le.PutUint64(e.page[sp&pageMask+8:], x[u.a])
					le.PutUint64(e.page[sp&pageMask:], x[u.a2])
					x[cpu.RSP] = sp
					continue
				}
			case uPop2:
				sp := x[cpu.RSP]
				if e := &c.rt[place(sp)]; e.has(sp, 16) {
					x[cpu.RSP] = sp + 16
					x[u.d] = le.Uint64(e.page[sp&pageMask:])
					x[u.d2] = le.Uint64(e.page[sp&pageMask+8:])
					continue
				}

			case uJmp, uGoOn:
				goto branch
			case uJmpR:
				if to := x[u.a]; canonical(to) {
					c.pc = to
					goto far
				}
			case uCall:
				sp := x[cpu.RSP] - 8
				if e := &c.wt[place(sp)]; e.has(sp, 8) {
					le.PutUint64(e.page[sp&pageMask:], u.imm)
					x[cpu.RSP] = sp
					goto branch
				}
			case uCallR:
				to, sp := x[u.a], x[cpu.RSP]-8
				if e := &c.wt[place(sp)]; canonical(to) && e.has(sp, 8) {
					le.PutUint64(e.page[sp&pageMask:], u.imm)
					x[cpu.RSP] = sp
					c.pc = to
					goto far
				}
			case uRet:
				sp := x[cpu.RSP]
				if e := &c.rt[place(sp)]; e.has(sp, 8) {
					if to := le.Uint64(e.page[sp&pageMask:]); canonical(to) {
						x[cpu.RSP] = sp + u.imm
						c.pc = to
						goto far
					}
				}
			case uJZ:
				z := c.fr == 0
				if c.lk == lkNone {
					z = c.flags&zf != 0
				}
				if z {
					goto branch
				}
				continue
			case uJNZ:
				z := c.fr == 0
				if c.lk == lkNone {
					z = c.flags&zf != 0
				}
				if z {
					continue
				}
				goto branch

			case uCmpJB:
				v, w := c.operands(u)
				if v < w {
					goto branch
				}
				continue
			case uCmpJAE:
				v, w := c.operands(u)
				if v >= w {
					goto branch
				}
				continue
			case uCmpJE:
				v, w := c.operands(u)
				if v == w {
					goto branch
				}
				continue
			case uCmpJNE:
				v, w := c.operands(u)
				if v != w {
					goto branch
				}
				continue
			case uCmpJBE:
				v, w := c.operands(u)
				if v <= w {
					goto branch
				}
				continue
			case uCmpJA:
				v, w := c.operands(u)
				if v > w {
					goto branch
				}
				continue
			case uCmpJL:
				v, w := c.operands(u)
				if int64(v) < int64(w) {
					goto branch
				}
				continue
			case uCmpJGE:
				v, w := c.operands(u)
				if int64(v) >= int64(w) {
					goto branch
				}
				continue
			case uCmpJLE:
				v, w := c.operands(u)
				if int64(v) <= int64(w) {
					goto branch
				}
				continue
			case uCmpJG:
				v, w := c.operands(u)
				if int64(v) > int64(w) {
					goto branch
				}
				continue
			case uCmpJBW:
				v, w := c.operandsW(u)
				if v < w {
					goto branch
				}
				continue
			case uCmpJAEW:
				v, w := c.operandsW(u)
				if v >= w {
					goto branch
				}
				continue
			case uCmpJEW:
				v, w := c.operandsW(u)
				if v == w {
					goto branch
				}
				continue
			case uCmpJNEW:
				v, w := c.operandsW(u)
				if v != w {
					goto branch
				}
				continue
			case uCmpJBEW:
				v, w := c.operandsW(u)
				if v <= w {
					goto branch
				}
				continue
			case uCmpJAW:
				v, w := c.operandsW(u)
				if v > w {
					goto branch
				}
				continue
			case uCmpJLW:
				v, w := c.operandsW(u)
				if int32(v) < int32(w) {
					goto branch
				}
				continue
			case uCmpJGEW:
				v, w := c.operandsW(u)
				if int32(v) >= int32(w) {
					goto branch
				}
				continue
			case uCmpJLEW:
				v, w := c.operandsW(u)
				if int32(v) <= int32(w) {
					goto branch
				}
				continue
			case uCmpJGW:
				v, w := c.operandsW(u)
				if int32(v) > int32(w) {
					goto branch
				}
				continue
			case uTestJE:
				r := c.masked(u)
				if r == 0 {
					goto branch
				}
				continue
			case uTestJNE:
				r := c.masked(u)
				if r != 0 {
					goto branch
				}
				continue
			case uTestJS:
				r := c.masked(u)
				if int64(r<<(u.s&63)) < 0 {
					goto branch
				}
				continue
			case uTestJNS:
				r := c.masked(u)
				if int64(r<<(u.s&63)) >= 0 {
					goto branch
				}
				continue
			case uTestJLE:
				r := c.masked(u)
				if int64(r<<(u.s&63)) <= 0 {
					goto branch
				}
				continue
			case uTestJG:
				r := c.masked(u)
				if int64(r<<(u.s&63)) > 0 {
					goto branch
				}
				continue
			case uAddJE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.kept(r, v, u.k)
				if r == 0 {
					goto branch
				}
				continue
			case uAddJNE:
				v := (x[u.b] + u.imm) & u.disp
				r := (x[u.a] + v) & u.disp
				x[u.d] = r
				c.kept(r, v, u.k)
				if r != 0 {
					goto branch
				}
				continue
			case uAddCmpJA:
				x[u.d2] = x[u.a2] + u.disp
				v, w := c.operands(u)
				if v > w {
					goto branch
				}
				continue
			case uAddCmpJNE:
				x[u.d2] = x[u.a2] + u.disp
				v, w := c.operands(u)
				if v != w {
					goto branch
				}
				continue
			}
		slow:
			if u, ahead, how = c.step(b, u, ahead); how == done {
				continue
			}
			if how == exits {
				return true
			}
			if c.stops() {
				return false
			}
			if b = c.lookup(c.pc, false); b == nil {
				return true
			}
			continue next

		doLd64:
			if e := &c.rt[place(a)]; e.has(a, 8) {
				x[u.d] = le.Uint64(e.page[a&pageMask:])
				continue
			}
			goto slow
		doLdAddW:
			if e := &c.rt[place(a)]; e.has(a, 4) {
				v := le.Uint32(e.page[a&pageMask:])
				x[u.d] = uint64(v)
				x[u.d2] = uint64(uint32(x[u.a2] + x[u.b2]))
				continue
			}
			goto slow
		doLd32:
			if e := &c.rt[place(a)]; e.has(a, 4) {
				x[u.d] = uint64(le.Uint32(e.page[a&pageMask:]))
				continue
			}
			goto slow
		doLd16:
			if e := &c.rt[place(a)]; e.has(a, 2) {
				x[u.d] = uint64(le.Uint16(e.page[a&pageMask:]))
				continue
			}
			goto slow
		doLd8:
			if e := &c.rt[place(a)]; e.tag == a/pageSize {
				x[u.d] = uint64(e.page[a&pageMask])
				continue
			}
			goto slow
		doLdS32:
			if e := &c.rt[place(a)]; e.has(a, 4) {
				x[u.d] = uint64(int32(le.Uint32(e.page[a&pageMask:])))
				continue
			}
			goto slow
		doSt64:
			if e := &c.wt[place(a)]; e.has(a, 8) {
				le.PutUint64(e.page[a&pageMask:], x[u.d]+u.imm)
				continue
			}
			goto slow
		doSt32:
			if e := &c.wt[place(a)]; e.has(a, 4) {
				le.PutUint32(e.page[a&pageMask:], uint32(x[u.d]+u.imm))
				continue
			}
			goto slow
		doSt16:
			if e := &c.wt[place(a)]; e.has(a, 2) {
				le.PutUint16(e.page[a&pageMask:], uint16(x[u.d]+u.imm))
				continue
			}
			goto slow
		doSt8:
			if e := &c.wt[place(a)]; e.tag == a/pageSize {
				e.page[a&pageMask] = uint8(x[u.d] + u.imm)
				continue
			}
			goto slow
		doLdV:
			if e := &c.rt[place(a)]; e.has(a, 16) && a&u.imm == 0 {
				v := &c.x[u.d&15]
				v.lo, v.hi = le.Uint64(e.page[a&pageMask:]), le.Uint64(e.page[a&pageMask+8:])
				continue
			}
			goto slow
		doStV:
			if e := &c.wt[place(a)]; e.has(a, 16) && a&u.imm == 0 {
				v := &c.x[u.d&15]
				le.PutUint64(e.page[a&pageMask:], v.lo)
				le.PutUint64(e.page[a&pageMask+8:], v.hi)
				continue
			}
			goto slow
		}
	far: // to c.pc
		c.count += b.n
		if c.budget -= int64(b.n); c.budget <= 0 {
			return false
		}
		if b = c.recent[c.pc%recentSize]; b != nil && b.pc == c.pc {
			continue
		}
		if c.stops() {
			return false
		}
		if b = c.lookup(c.pc, false); b == nil {
			return true
		}
		continue
	branch: // of u
		c.count += uint64(u.n)
		c.budget -= int64(u.n)
		if b = u.link; b != nil && b.pc == u.to && c.budget > 0 {
			continue
		}
		c.pc = u.to
		if c.stops() {
			return false
		}
		if b = c.enter(u); b == nil {
			return true
		}
	}
}

// enter is lookup of core.pc, where a branch goes. It is apart so that fast need not keep
// the uop across the call, which it would do on the stack, and for each.
//
//go:noinline
func (c *core) enter(branch *uop) *block {
	b := c.lookup(c.pc, false)
	branch.link = b
	return b
}

// based and indexed are the addresses of a memory operand.
func (c *core) based(u *uop) uint64 { return c.r[u.a] + u.disp }

func (c *core) indexed(u *uop) uint64 { return c.r[u.a] + c.r[u.b]<<(u.s&63) + u.disp }

// operands is what a comparison compares; it keeps its flags.
func (c *core) operands(u *uop) (v, w uint64) {
	v, w = c.r[u.a], c.r[u.b]+u.imm
	c.fr, c.fb, c.lk = v-w, w, u.k
	return v, w
}

func (c *core) operandsW(u *uop) (v, w uint32) {
	v, w = uint32(c.r[u.a]), uint32(c.r[u.b]+u.imm)
	c.fr, c.fb, c.lk = uint64(v-w), uint64(w), u.k
	return v, w
}

// masked is what a test compares with 0; it keeps its flags.
func (c *core) masked(u *uop) uint64 {
	r := c.r[u.a] & (c.r[u.b] + u.imm) & u.disp
	c.fr, c.fc, c.lk = r, 0, u.k
	return r
}

// kept keeps what flags are made of: a result and a second operand.
func (c *core) kept(r, b uint64, k uint8) { c.fr, c.fb, c.lk = r, b, k }

// result keeps what the flags of a logical operation are made of.
func (c *core) result(r uint64, k uint8) { c.fr, c.fc, c.lk = r, 0, k }

// stops is whether fast has to return before the block at core.pc.
func (c *core) stops() bool {
	return c.budget <= 0 || c.gates.Contains(efi.Addr(c.pc))
}
