// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// exec executes a block, and those that follow it as long as they are within
// core.budget. It leaves in core.pc where to go on, and in core.from and core.slot
// the link to make there.
//
// A case of its switch does the whole of an instruction, or of several, and
// continues, or it has done nothing yet and lets inst.fn do it. That is the only
// call, so that what the loop uses stays in registers. It is one function, which is
// too large for the compiler to inline anything into: words are put together from
// bytes by hand, and become one load or store each.
func (c *core) exec(b *block) status {
	var (
		x      = &c.x
		end    = c.count + uint64(c.budget)
		insts  []inst
		n      uint
		st     status
		to     *block
		target uint64
		a      uint64
		va, vb uint64
	)
start:
	insts, n = b.insts, 0
	for n < uint(len(insts)) {
		i := &insts[n]
		n++
		// The mask and the cases for all that it leaves spare the check of a range.
		switch i.op & 127 {
		case opFn, opcodes, opcodes + 1, opcodes + 2:
		case opMovImm:
			x[i.rd] = i.imm
			continue
		case opMovK:
			x[i.rd] = x[i.rd]&^(0xffff<<(i.sh&63)) | i.imm
			continue
		case opAddImm:
			x[i.rd] = x[i.rn] + i.imm
			continue
		case opAddImmW:
			x[i.rd] = uint64(uint32(x[i.rn] + i.imm))
			continue
		case opSubs:
			va, vb = x[i.rn], i.imm+x[i.rm]<<(i.sh&63)
			r, borrow := bits.Sub64(va, vb, 0)
			c.fn, c.fz, c.fc, c.fv = r, r, borrow^1, (va^vb)&(va^r)
			x[i.rd] = r
			continue
		case opSubsW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm]<<(i.sh&63))<<32
			r, borrow := bits.Sub64(va, vb, 0)
			c.fn, c.fz, c.fc, c.fv = r, r, borrow^1, (va^vb)&(va^r)
			x[i.rd] = r >> 32
			continue
		case opAdd:
			x[i.rd] = x[i.rn] + x[i.rm]
			continue
		case opAddW:
			x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]))
			continue
		case opSub:
			x[i.rd] = x[i.rn] - x[i.rm]
			continue
		case opSubW:
			x[i.rd] = uint64(uint32(x[i.rn] - x[i.rm]))
			continue
		case opAddReg:
			x[i.rd] = x[i.rn] + x[i.rm]&i.imm<<(i.sh&63)
			continue
		case opAddRegW:
			x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]<<(i.sh&63)))
			continue
		case opMov:
			x[i.rd] = x[i.rm] & i.imm
			continue
		case opAndReg:
			x[i.rd] = x[i.rn] & x[i.rm] & i.imm
			continue
		case opBicReg:
			x[i.rd] = x[i.rn] &^ x[i.rm] & i.imm
			continue
		case opOrrReg:
			x[i.rd] = (x[i.rn] | x[i.rm]<<(i.sh&63)) & i.imm
			continue
		case opOrnReg:
			x[i.rd] = (x[i.rn] | ^x[i.rm]) & i.imm
			continue
		case opEorReg:
			x[i.rd] = (x[i.rn] ^ x[i.rm]<<(i.sh&63)) & i.imm
			continue
		case opEorLsr:
			x[i.rd] = (x[i.rn] ^ x[i.rm]&i.imm>>(i.sh&63)) & i.imm
			continue
		case opEorRorW:
			x[i.rd] = uint64(uint32(x[i.rn]) ^ bits.RotateLeft32(uint32(x[i.rm]), -int(i.sh)))
			continue
		case opAndImm:
			x[i.rd] = x[i.rn] & i.imm
			continue
		case opOrrImm:
			x[i.rd] = x[i.rn] | i.imm
			continue
		case opEorImm:
			x[i.rd] = x[i.rn] ^ i.imm
			continue
		case opAndsImm:
			r := x[i.rn] & i.imm
			c.fn, c.fz, c.fc, c.fv = r<<(i.sh&63), r, 0, 0
			x[i.rd] = r
			continue
		case opUbfm:
			x[i.rd] = (x[i.rn] >> (i.sh & 63) & i.imm) << (i.ra & 63)
			continue
		case opBfm:
			x[i.rd] = x[i.rd]&^(i.imm<<(i.ra&63)) | (x[i.rn]>>(i.sh&63)&i.imm)<<(i.ra&63)
			continue
		case opLslImm:
			x[i.rd] = x[i.rn] << (i.sh & 63)
			continue
		case opSbfm:
			x[i.rd] = uint64(int64(x[i.rn]<<(i.sh&63)) >> (i.sz & 63))
			continue
		case opSbfmW:
			x[i.rd] = uint64(uint32(int32(uint32(x[i.rn])<<(i.sh&31)) >> (i.sz & 31)))
			continue
		case opLsr:
			x[i.rd] = x[i.rn] >> (i.sh & 63) & i.imm
			continue
		case opExtr:
			x[i.rd] = x[i.rm]>>(i.sh&63) | x[i.rn]<<1<<(^i.sh&63)
			continue
		case opClzW:
			x[i.rd] = uint64(bits.LeadingZeros32(uint32(x[i.rn])))
			continue
		case opLslV:
			x[i.rd] = x[i.rn] << (x[i.rm] & uint64(i.sh) & 63) & i.imm
			continue
		case opLsrV:
			x[i.rd] = x[i.rn] & i.imm >> (x[i.rm] & uint64(i.sh) & 63)
			continue
		case opRevW:
			x[i.rd] = uint64(bits.ReverseBytes32(uint32(x[i.rn])))
			continue
		case opMadd:
			x[i.rd] = (x[i.ra] + x[i.rn]*x[i.rm]) & i.imm
			continue
		case opCsel:
			if c.fc == compared {
				r, borrow := bits.Sub64(c.fn, c.fz, 0)
				c.fn, c.fz, c.fc, c.fv = r, r, borrow^1, (c.fn^c.fz)&(c.fn^r)
			}
			var r bool
			switch i.ra >> 1 {
			case 0:
				r = c.fz == 0
			case 1:
				r = c.fc != 0
			case 2:
				r = int64(c.fn) < 0
			case 3:
				r = int64(c.fv) < 0
			case 4:
				r = c.fc != 0 && c.fz != 0
			case 5:
				r = int64(c.fn^c.fv) >= 0
			case 6:
				r = int64(c.fn^c.fv) >= 0 && c.fz != 0
			case 7:
				r = true
			}
			va = x[i.rn]
			if r == (i.ra&1 != 0) {
				va = x[i.rm] ^ i.imm + uint64(i.sz)
			}
			x[i.rd] = va << (i.sh & 63) >> (i.sh & 63)
			continue

		case opLdr64:
			a = x[i.rn] + i.imm - c.at
			goto load64
		case opLdr32:
			a = x[i.rn] + i.imm - c.at
			goto load32
		case opLdrS32:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				p := w[a : a+4]
				x[i.rd] = uint64(int64(int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)))
				continue
			}
		case opLdr16:
			a = x[i.rn] + i.imm - c.at
			goto load16
		case opLdr8:
			a = x[i.rn] + i.imm - c.at
			goto load8
		case opLdr64R:
			a = x[i.rn] + x[i.rm]&i.imm<<(i.s2&63) - c.at
			goto load64
		case opLdr32R:
			a = x[i.rn] + x[i.rm]&i.imm<<(i.s2&63) - c.at
			goto load32
		case opLdr16R:
			a = x[i.rn] + x[i.rm]&i.imm<<(i.s2&63) - c.at
			goto load16
		case opLdr8R:
			a = x[i.rn] + x[i.rm]&i.imm<<(i.s2&63) - c.at
			goto load8
		case opLdr64Post:
			a = x[i.rn] - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				x[i.rn] += i.imm
				goto load64
			}
		case opLdr32Post:
			a = x[i.rn] - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				x[i.rn] += i.imm
				goto load32
			}
		case opLdr8Post:
			a = x[i.rn] - c.at
			if w := c.window; a < uint64(len(w)) {
				x[i.rn] += i.imm
				x[i.rd] = uint64(w[a])
				continue
			}
		case opLdr8Pre:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < uint64(len(w)) {
				x[i.rn] += i.imm
				x[i.rd] = uint64(w[a])
				continue
			}
		case opLdp32:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				p := w[a : a+8]
				x[i.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
				x[i.ra] = uint64(uint32(p[4]) | uint32(p[5])<<8 | uint32(p[6])<<16 | uint32(p[7])<<24)
				continue
			}
		case opLdp64:
			a = x[i.rn] + i.imm - c.at
			goto loadPair
		case opLdp64Post:
			a = x[i.rn] - c.at
			if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
				x[i.rn] += i.imm
				goto loadPair
			}
		case opLdpQ:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < a+32 && a+32 <= uint64(len(w)) {
				p, v := w[a:a+32], &c.v[i.ra&31]
				v[0] = uint64(p[16]) | uint64(p[17])<<8 | uint64(p[18])<<16 | uint64(p[19])<<24 |
					uint64(p[20])<<32 | uint64(p[21])<<40 | uint64(p[22])<<48 | uint64(p[23])<<56
				v[1] = uint64(p[24]) | uint64(p[25])<<8 | uint64(p[26])<<16 | uint64(p[27])<<24 |
					uint64(p[28])<<32 | uint64(p[29])<<40 | uint64(p[30])<<48 | uint64(p[31])<<56
				goto loadQ
			}
		case opLdpQPost:
			a = x[i.rn] - c.at
			if w := c.window; a < a+32 && a+32 <= uint64(len(w)) {
				x[i.rn] += i.imm
				p, v := w[a:a+32], &c.v[i.ra&31]
				v[0] = uint64(p[16]) | uint64(p[17])<<8 | uint64(p[18])<<16 | uint64(p[19])<<24 |
					uint64(p[20])<<32 | uint64(p[21])<<40 | uint64(p[22])<<48 | uint64(p[23])<<56
				v[1] = uint64(p[24]) | uint64(p[25])<<8 | uint64(p[26])<<16 | uint64(p[27])<<24 |
					uint64(p[28])<<32 | uint64(p[29])<<40 | uint64(p[30])<<48 | uint64(p[31])<<56
				goto loadQ
			}
		case opLdrQ:
			a = x[i.rn] + i.imm - c.at
			goto loadQ

		case opStr64:
			a, va = x[i.rn]+i.imm, x[i.rd]
			goto store64
		case opStr32:
			a, va = x[i.rn]+i.imm, x[i.rd]
			goto store32
		case opStr16:
			a, va = x[i.rn]+i.imm, x[i.rd]
			goto store16
		case opStr8:
			a, va = x[i.rn]+i.imm, x[i.rd]
			goto store8
		case opStr64R:
			a, va = x[i.rn]+x[i.rm]&i.imm<<(i.s2&63), x[i.rd]
			goto store64
		case opStr32R:
			a, va = x[i.rn]+x[i.rm]&i.imm<<(i.s2&63), x[i.rd]
			goto store32
		case opStr16R:
			a, va = x[i.rn]+x[i.rm]&i.imm<<(i.s2&63), x[i.rd]
			goto store16
		case opStr8R:
			a, va = x[i.rn]+x[i.rm]&i.imm<<(i.s2&63), x[i.rd]
			goto store8
		case opStr64Post:
			a, va = x[i.rn], x[i.rd]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-8 {
				x[i.rn] = a + i.imm
				goto store64
			}
		case opStr32Post:
			a, va = x[i.rn], x[i.rd]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-4 {
				x[i.rn] = a + i.imm
				goto store32
			}
		case opStr8Post:
			a = x[i.rn]
			if e := &c.wtlb[a>>pageShift%tlbSize]; e.number == a>>pageShift {
				e.bytes[a&pageMask] = byte(x[i.rd])
				x[i.rn] = a + i.imm
				continue
			}
		case opStp32:
			a, va = x[i.rn]+i.imm, uint64(uint32(x[i.rd]))|x[i.ra]<<32
			goto store64
		case opStp64:
			a, va, vb = x[i.rn]+i.imm, x[i.rd], x[i.ra]
			goto store128
		case opStp64Pre:
			a, va, vb = x[i.rn]+i.imm, x[i.rd], x[i.ra]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-16 {
				x[i.rn] = a
				goto store128
			}
		case opStp64Post:
			a, va, vb = x[i.rn], x[i.rd], x[i.ra]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-16 {
				x[i.rn] = a + i.imm
				goto store128
			}
		case opStrQ:
			a, va, vb = x[i.rn]+i.imm, c.v[i.rd&31][0], c.v[i.rd&31][1]
			goto store128
		case opStpQ: // s2 is 1 if imm is added behind the access
			a = x[i.rn] + i.imm*uint64(1-i.s2)
			e := &c.wtlb[a>>pageShift%tlbSize]
			if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-32 {
				p, v := e.bytes[o+16:o+32:o+32], &c.v[i.ra&31]
				va, vb = v[0], v[1]
				p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
				p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
				p[8], p[9], p[10], p[11] = byte(vb), byte(vb>>8), byte(vb>>16), byte(vb>>24)
				p[12], p[13], p[14], p[15] = byte(vb>>32), byte(vb>>40), byte(vb>>48), byte(vb>>56)
				va, vb = c.v[i.rd&31][0], c.v[i.rd&31][1]
				x[i.rn] += i.imm * uint64(i.s2)
				goto store128
			}

		case opB:
			goto taken
		case opBL:
			x[30] = b.pc + 4*uint64(len(insts))
			goto taken
		case opCbz:
			if x[i.rd] == 0 {
				goto taken
			}
			goto notTaken
		case opCbnz:
			if x[i.rd] != 0 {
				goto taken
			}
			goto notTaken
		case opCbzW:
			if uint32(x[i.rd]) == 0 {
				goto taken
			}
			goto notTaken
		case opCbnzW:
			if uint32(x[i.rd]) != 0 {
				goto taken
			}
			goto notTaken
		case opTbz:
			if x[i.rd]>>(i.sh&63)&1 == 0 {
				goto taken
			}
			goto notTaken
		case opTbnz:
			if x[i.rd]>>(i.sh&63)&1 != 0 {
				goto taken
			}
			goto notTaken
		case opBR:
			target = x[i.rn]
			goto indirect
		case opBLR:
			target = x[i.rn]
			x[30] = b.pc + 4*uint64(len(insts))
			goto indirect
		case opBCond:
			if c.fc == compared {
				r, borrow := bits.Sub64(c.fn, c.fz, 0)
				c.fn, c.fz, c.fc, c.fv = r, r, borrow^1, (c.fn^c.fz)&(c.fn^r)
			}
			var r bool
			switch i.ra >> 1 {
			case 0:
				r = c.fz == 0
			case 1:
				r = c.fc != 0
			case 2:
				r = int64(c.fn) < 0
			case 3:
				r = int64(c.fv) < 0
			case 4:
				r = c.fc != 0 && c.fz != 0
			case 5:
				r = int64(c.fn^c.fv) >= 0
			case 6:
				r = int64(c.fn^c.fv) >= 0 && c.fz != 0
			case 7:
				goto taken
			}
			if r != (i.ra&1 != 0) {
				goto taken
			}
			goto notTaken

		case opMov2:
			x[i.rd] = x[i.rm] & i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rm] & j.imm
				n++
			}
			continue
		case opMov4:
			if n+2 < uint(len(insts)) {
				j, k, l := &insts[n], &insts[n+1], &insts[n+2]
				x[i.rd] = x[i.rm] & i.imm
				x[j.rd] = x[j.rm] & j.imm
				x[k.rd] = x[k.rm] & k.imm
				x[l.rd] = x[l.rm] & l.imm
				n += 3
				continue
			}
		case opAddImm2:
			x[i.rd] = x[i.rn] + i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] + j.imm
				n++
			}
			continue
		case opLsrAndImm:
			x[i.rd] = x[i.rn] >> (i.sh & 63) & i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] & j.imm
				n++
			}
			continue
		case opLsrVLslImm:
			x[i.rd] = x[i.rn] & i.imm >> (x[i.rm] & uint64(i.sh) & 63)
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] << (j.sh & 63)
				n++
			}
			continue
		case opLdr64x2:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				p := w[a : a+8]
				x[i.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
					uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
				if n < uint(len(insts)) {
					i = &insts[n]
					n++
					a = x[i.rn] + i.imm - c.at
					goto load64
				}
			}
		case opLdr32x2:
			a = x[i.rn] + i.imm - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				p := w[a : a+4]
				x[i.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
				if n < uint(len(insts)) {
					i = &insts[n]
					n++
					a = x[i.rn] + i.imm - c.at
					goto load32
				}
			}
		case opLdrStr8R:
			a = x[i.rn] + x[i.rm]&i.imm<<(i.s2&63) - c.at
			if w := c.window; a < uint64(len(w)) {
				x[i.rd] = uint64(w[a])
				if n < uint(len(insts)) {
					i = &insts[n]
					n++
					a, va = x[i.rn]+x[i.rm]&i.imm<<(i.s2&63), x[i.rd]
					goto store8
				}
			}
		case opAddAdd:
			x[i.rd] = x[i.rn] + x[i.rm]
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] + x[j.rm]
				n++
			}
			continue
		case opAddAddW:
			x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn] + x[j.rm]))
				n++
			}
			continue
		case opAddEorW:
			x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn]) ^ bits.RotateLeft32(uint32(x[j.rm]), -int(j.sh)))
				n++
			}
			continue
		case opEorAddW:
			x[i.rd] = uint64(uint32(x[i.rn]) ^ bits.RotateLeft32(uint32(x[i.rm]), -int(i.sh)))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn] + x[j.rm]))
				n++
			}
			continue
		case opEorEorW:
			x[i.rd] = uint64(uint32(x[i.rn]) ^ bits.RotateLeft32(uint32(x[i.rm]), -int(i.sh)))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn]) ^ bits.RotateLeft32(uint32(x[j.rm]), -int(j.sh)))
				n++
			}
			continue
		case opEorAnd:
			x[i.rd] = uint64(uint32(x[i.rn]) ^ bits.RotateLeft32(uint32(x[i.rm]), -int(i.sh)))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] & x[j.rm] & j.imm
				n++
			}
			continue
		case opAndEorW:
			x[i.rd] = x[i.rn] & x[i.rm] & i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn]) ^ bits.RotateLeft32(uint32(x[j.rm]), -int(j.sh)))
				n++
			}
			continue
		case opAndAnd:
			x[i.rd] = x[i.rn] & x[i.rm] & i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] & x[j.rm] & j.imm
				n++
			}
			continue
		case opAddAndW:
			x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]))
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = x[j.rn] & x[j.rm] & j.imm
				n++
			}
			continue
		case opLsrAddW:
			x[i.rd] = (x[i.rn] ^ x[i.rm]&i.imm>>(i.sh&63)) & i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				x[j.rd] = uint64(uint32(x[j.rn] + x[j.rm]))
				n++
			}
			continue
		case opCmpCsel: // of 64-sz bits
			va, vb = x[i.rn]<<(i.sz&63), (i.imm+x[i.rm])<<(i.sz&63)
			c.fn, c.fz, c.fc = va, vb, compared
			if n < uint(len(insts)) {
				j := &insts[n]
				n++
				var r bool
				switch j.ra >> 1 {
				case 0:
					r = va == vb
				case 1:
					r = va >= vb
				case 2:
					r = int64(va-vb) < 0
				case 4:
					r = va > vb
				case 5:
					r = int64(va) >= int64(vb)
				case 6:
					r = int64(va) > int64(vb)
				case 7:
					r = true
				}
				va = x[j.rn]
				if r == (j.ra&1 != 0) {
					va = x[j.rm] ^ j.imm + uint64(j.sz)
				}
				x[j.rd] = va << (j.sh & 63) >> (j.sh & 63)
			}
			continue
		case opAddCmpBNe:
			x[i.rd] = x[i.rn] + i.imm
			if n < uint(len(insts)) {
				j := &insts[n]
				va, vb = x[j.rn], j.imm+x[j.rm]
				c.fn, c.fz, c.fc = va, vb, compared
				x[j.rd] = va - vb
				if va != vb {
					goto taken
				}
			}
			goto notTaken
		case opCmpBEq:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va == vb {
				goto taken
			}
			goto notTaken
		case opCmpBNe:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va != vb {
				goto taken
			}
			goto notTaken
		case opCmpBHs:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va >= vb {
				goto taken
			}
			goto notTaken
		case opCmpBLo:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va < vb {
				goto taken
			}
			goto notTaken
		case opCmpBHi:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va > vb {
				goto taken
			}
			goto notTaken
		case opCmpBLs:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if va <= vb {
				goto taken
			}
			goto notTaken
		case opCmpBGe:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if int64(va) >= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLt:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if int64(va) < int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBGt:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if int64(va) > int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLe:
			va, vb = x[i.rn], i.imm+x[i.rm]
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = va - vb
			if int64(va) <= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBEqW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va == vb {
				goto taken
			}
			goto notTaken
		case opCmpBNeW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va != vb {
				goto taken
			}
			goto notTaken
		case opCmpBHsW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va >= vb {
				goto taken
			}
			goto notTaken
		case opCmpBLoW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va < vb {
				goto taken
			}
			goto notTaken
		case opCmpBHiW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va > vb {
				goto taken
			}
			goto notTaken
		case opCmpBLsW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if va <= vb {
				goto taken
			}
			goto notTaken
		case opCmpBGeW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if int64(va) >= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLtW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if int64(va) < int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBGtW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if int64(va) > int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLeW:
			va, vb = x[i.rn]<<32, (i.imm+x[i.rm])<<32
			c.fn, c.fz, c.fc = va, vb, compared
			x[i.rd] = (va - vb) >> 32
			if int64(va) <= int64(vb) {
				goto taken
			}
			goto notTaken
		}
		goto slow
	load64:
		if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
			p := w[a : a+8]
			x[i.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
			continue
		}
		goto slow
	load32:
		if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
			p := w[a : a+4]
			x[i.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
			continue
		}
		goto slow
	load16:
		if w := c.window; a < a+2 && a+2 <= uint64(len(w)) {
			p := w[a : a+2]
			x[i.rd] = uint64(uint16(p[0]) | uint16(p[1])<<8)
			continue
		}
		goto slow
	load8:
		if w := c.window; a < uint64(len(w)) {
			x[i.rd] = uint64(w[a])
			continue
		}
		goto slow
	loadPair:
		if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
			p := w[a : a+16]
			x[i.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
			x[i.ra] = uint64(p[8]) | uint64(p[9])<<8 | uint64(p[10])<<16 | uint64(p[11])<<24 |
				uint64(p[12])<<32 | uint64(p[13])<<40 | uint64(p[14])<<48 | uint64(p[15])<<56
			continue
		}
		goto slow
	loadQ:
		if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
			p, v := w[a:a+16], &c.v[i.rd&31]
			v[0] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
			v[1] = uint64(p[8]) | uint64(p[9])<<8 | uint64(p[10])<<16 | uint64(p[11])<<24 |
				uint64(p[12])<<32 | uint64(p[13])<<40 | uint64(p[14])<<48 | uint64(p[15])<<56
			continue
		}
		goto slow
	store64:
		if w, o := c.writable, a-c.writableAt; o < o+8 && o+8 <= uint64(len(w)) {
			p := w[o : o+8]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
			continue
		}
		if e, o := &c.wtlb[a>>pageShift%tlbSize], a&pageMask; e.number == a>>pageShift && o <= pageSize-8 {
			p := e.bytes[o : o+8]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
			continue
		}
		goto slow
	store32:
		if w, o := c.writable, a-c.writableAt; o < o+4 && o+4 <= uint64(len(w)) {
			p := w[o : o+4]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			continue
		}
		if e, o := &c.wtlb[a>>pageShift%tlbSize], a&pageMask; e.number == a>>pageShift && o <= pageSize-4 {
			p := e.bytes[o : o+4]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			continue
		}
		goto slow
	store16:
		if e, o := &c.wtlb[a>>pageShift%tlbSize], a&pageMask; e.number == a>>pageShift && o <= pageSize-2 {
			p := e.bytes[o : o+2]
			p[0], p[1] = byte(va), byte(va>>8)
			continue
		}
		goto slow
	store8:
		if w, o := c.writable, a-c.writableAt; o < uint64(len(w)) {
			w[o] = byte(va)
			continue
		}
		if e := &c.wtlb[a>>pageShift%tlbSize]; e.number == a>>pageShift {
			e.bytes[a&pageMask] = byte(va)
			continue
		}
		goto slow
	store128:
		if w, o := c.writable, a-c.writableAt; o < o+16 && o+16 <= uint64(len(w)) {
			p := w[o : o+16]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
			p[8], p[9], p[10], p[11] = byte(vb), byte(vb>>8), byte(vb>>16), byte(vb>>24)
			p[12], p[13], p[14], p[15] = byte(vb>>32), byte(vb>>40), byte(vb>>48), byte(vb>>56)
			continue
		}
		if e, o := &c.wtlb[a>>pageShift%tlbSize], a&pageMask; e.number == a>>pageShift && o <= pageSize-16 {
			p := e.bytes[o : o+16]
			p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
			p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
			p[8], p[9], p[10], p[11] = byte(vb), byte(vb>>8), byte(vb>>16), byte(vb>>24)
			p[12], p[13], p[14], p[15] = byte(vb>>32), byte(vb>>40), byte(vb>>48), byte(vb>>56)
			continue
		}
	slow:
		c.pc, c.n = b.pc, n // n is kept there, for else it would be kept on the stack all the time
		c.count = end - uint64(c.budget)
		st = i.fn(c, i)
		n, insts = c.n, b.insts
		if st != next {
			if st == fault {
				n--
			}
			c.pc, c.from = b.pc+4*uint64(n), nil
			c.count += uint64(n)
			return st
		}
	}
notTaken:
	c.budget -= len(insts)
	if to = b.links[1]; to != nil && c.budget >= len(to.insts) {
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = b.pc+4*uint64(len(insts)), b, 1
	return next
taken:
	c.budget -= len(insts)
	if to = b.links[0]; to != nil && c.budget >= len(to.insts) {
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = insts[len(insts)-1].imm, b, 0
	return next
indirect:
	c.budget -= len(insts)
	to = b.links[0]
	if to == nil || to.pc != target {
		to = nil
		p := c.cache.fetch[target>>pageShift%fetchTLB]
		if p != nil && p.number == target>>pageShift && target&3 == 0 {
			to = p.blocks[target&pageMask>>2]
		}
	}
	if to != nil && c.budget >= len(to.insts) {
		b.links[0] = to
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = target, b, 0
	return next
}
