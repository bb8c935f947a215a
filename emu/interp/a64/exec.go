// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// exec executes a block, and those that follow it as long as they are within
// core.budget. It leaves in core.pc where to go on, and in core.from and core.slot
// the link to make there.
//
// A case of its switch does the whole of an instruction, or of several, and
// continues, or leaves what it has not done to the handlers. That is the only
// call, so that what the loop uses stays in registers. It is one function, which is
// too large for the compiler to inline anything into: words are put together from
// bytes by hand, and become one load or store each.
func (c *core) exec(b *block) status {
	const all = 1<<8 - 1 // with a case for it the switch needs no check of its range
	var (
		x      = &c.x
		end    = c.count + uint64(c.budget)
		u, v   *uop // which executes, and the next
		n      uint
		st     status
		to     *block
		target uint64
		a      uint64
		va, vb uint64
	)
start:
	for u, v = b.start[0], b.start[1]; ; u, v = v, u.next2 {
		switch u.op {
		case opFn, all:
		case opMovImm:
			x[u.rd] = u.imm
			continue
		case opMovK:
			x[u.rd] = x[u.rd]&^(0xffff<<(u.sh&63)) | u.imm
			continue
		case opAddImm:
			x[u.rd] = x[u.rn] + u.imm
			continue
		case opAddImmW:
			x[u.rd] = uint64(uint32(x[u.rn] + u.imm))
			continue
		case opSubs:
			va, vb = x[u.rn], u.imm+x[u.rm]<<(u.sh&63)
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			continue
		case opSubsW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm]<<(u.sh&63))<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			continue
		case opAdd:
			x[u.rd] = x[u.rn] + x[u.rm]
			continue
		case opAddW:
			x[u.rd] = uint64(uint32(x[u.rn] + x[u.rm]))
			continue
		case opSub:
			x[u.rd] = x[u.rn] - x[u.rm]
			continue
		case opSubW:
			x[u.rd] = uint64(uint32(x[u.rn] - x[u.rm]))
			continue
		case opAddReg:
			x[u.rd] = x[u.rn] + x[u.rm]&u.imm<<(u.sh&63)
			continue
		case opAddRegW:
			x[u.rd] = uint64(uint32(x[u.rn] + x[u.rm]<<(u.sh&63)))
			continue
		case opMov:
			x[u.rd] = x[u.rm] & u.imm
			continue
		case opAndReg:
			x[u.rd] = x[u.rn] & x[u.rm] & u.imm
			continue
		case opBicReg:
			x[u.rd] = x[u.rn] &^ x[u.rm] & u.imm
			continue
		case opOrrReg:
			x[u.rd] = (x[u.rn] | x[u.rm]<<(u.sh&63)) & u.imm
			continue
		case opOrnReg:
			x[u.rd] = (x[u.rn] | ^x[u.rm]) & u.imm
			continue
		case opEorReg:
			x[u.rd] = (x[u.rn] ^ x[u.rm]<<(u.sh&63)) & u.imm
			continue
		case opEorLsr:
			x[u.rd] = (x[u.rn] ^ x[u.rm]&u.imm>>(u.sh&63)) & u.imm
			continue
		case opEorRorW:
			x[u.rd] = uint64(uint32(x[u.rn]) ^ bits.RotateLeft32(uint32(x[u.rm]), -int(u.sh)))
			continue
		case opAndImm:
			x[u.rd] = x[u.rn] & u.imm
			continue
		case opOrrImm:
			x[u.rd] = x[u.rn] | u.imm
			continue
		case opEorImm:
			x[u.rd] = x[u.rn] ^ u.imm
			continue
		case opAndsImm:
			r := x[u.rn] & u.imm
			x[regFN], x[regFZ], c.fc, c.fv = r<<(u.sh&63), r, 0, 0
			x[u.rd] = r
			continue
		case opUbfm:
			x[u.rd] = (x[u.rn] >> (u.sh & 63) & u.imm) << (u.ra & 63)
			continue
		case opBfm:
			x[u.rd] = x[u.rd]&^(u.imm<<(u.ra&63)) | (x[u.rn]>>(u.sh&63)&u.imm)<<(u.ra&63)
			continue
		case opLslImm:
			x[u.rd] = x[u.rn] << (u.sh & 63)
			continue
		case opSbfm:
			x[u.rd] = uint64(int64(x[u.rn]<<(u.sh&63)) >> (u.sz & 63))
			continue
		case opSbfmW:
			x[u.rd] = uint64(uint32(int32(uint32(x[u.rn])<<(u.sh&31)) >> (u.sz & 31)))
			continue
		case opLsr:
			x[u.rd] = x[u.rn] >> (u.sh & 63) & u.imm
			continue
		case opExtr:
			x[u.rd] = x[u.rm]>>(u.sh&63) | x[u.rn]<<1<<(^u.sh&63)
			continue
		case opClzW:
			x[u.rd] = uint64(bits.LeadingZeros32(uint32(x[u.rn])))
			continue
		case opLslV:
			x[u.rd] = x[u.rn] << (x[u.rm] & uint64(u.sh) & 63) & u.imm
			continue
		case opLsrV:
			x[u.rd] = x[u.rn] & u.imm >> (x[u.rm] & uint64(u.sh) & 63)
			continue
		case opRevW:
			x[u.rd] = uint64(bits.ReverseBytes32(uint32(x[u.rn])))
			continue
		case opMadd:
			x[u.rd] = (x[u.ra] + x[u.rn]*x[u.rm]) & u.imm
			continue
		case opCsel:
			if c.fc == compared {
				r, borrow := bits.Sub64(x[regFN], x[regFZ], 0)
				x[regFN], x[regFZ], c.fc, c.fv = r, r, borrow^1, (x[regFN]^x[regFZ])&(x[regFN]^r)
			}
			var r bool
			switch u.ra >> 1 {
			case 0:
				r = x[regFZ] == 0
			case 1:
				r = c.fc != 0
			case 2:
				r = int64(x[regFN]) < 0
			case 3:
				r = int64(c.fv) < 0
			case 4:
				r = c.fc != 0 && x[regFZ] != 0
			case 5:
				r = int64(x[regFN]^c.fv) >= 0
			case 6:
				r = int64(x[regFN]^c.fv) >= 0 && x[regFZ] != 0
			case 7:
				r = true
			}
			va = x[u.rn]
			if r == (u.ra&1 != 0) {
				va = x[u.rm] ^ u.imm + uint64(u.sz)
			}
			x[u.rd] = va << (u.sh & 63) >> (u.sh & 63)
			continue

		case opLdr64:
			a = x[u.rn] + u.imm - c.at
			goto load64
		case opLdr32:
			a = x[u.rn] + u.imm - c.at
			goto load32
		case opLdrS32:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				p := w[a : a+4]
				x[u.rd] = uint64(int64(int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)))
				continue
			}
		case opLdr16:
			a = x[u.rn] + u.imm - c.at
			goto load16
		case opLdr8:
			a = x[u.rn] + u.imm - c.at
			goto load8
		case opLdr64R:
			a = x[u.rn] + x[u.rm]&u.imm<<(u.s2&63) - c.at
			goto load64
		case opLdr32R:
			a = x[u.rn] + x[u.rm]&u.imm<<(u.s2&63) - c.at
			goto load32
		case opLdr16R:
			a = x[u.rn] + x[u.rm]&u.imm<<(u.s2&63) - c.at
			goto load16
		case opLdr8R:
			a = x[u.rn] + x[u.rm]&u.imm<<(u.s2&63) - c.at
			goto load8
		case opLdr64Post:
			a = x[u.rn] - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				x[u.rn] += u.imm
				goto load64
			}
		case opLdr32Post:
			a = x[u.rn] - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				x[u.rn] += u.imm
				goto load32
			}
		case opLdr8Post:
			a = x[u.rn] - c.at
			if w := c.window; a < uint64(len(w)) {
				x[u.rn] += u.imm
				x[u.rd] = uint64(w[a])
				continue
			}
		case opLdr8Pre:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < uint64(len(w)) {
				x[u.rn] += u.imm
				x[u.rd] = uint64(w[a])
				continue
			}
		case opLdp32:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				p := w[a : a+8]
				x[u.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
				x[u.ra] = uint64(uint32(p[4]) | uint32(p[5])<<8 | uint32(p[6])<<16 | uint32(p[7])<<24)
				continue
			}
		case opLdp64:
			a = x[u.rn] + u.imm - c.at
			goto loadPair
		case opLdp64Post:
			a = x[u.rn] - c.at
			if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
				x[u.rn] += u.imm
				goto loadPair
			}
		case opLdpQ:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < a+32 && a+32 <= uint64(len(w)) {
				p, v := w[a:a+32], &c.v[u.ra&31]
				v[0] = uint64(p[16]) | uint64(p[17])<<8 | uint64(p[18])<<16 | uint64(p[19])<<24 |
					uint64(p[20])<<32 | uint64(p[21])<<40 | uint64(p[22])<<48 | uint64(p[23])<<56
				v[1] = uint64(p[24]) | uint64(p[25])<<8 | uint64(p[26])<<16 | uint64(p[27])<<24 |
					uint64(p[28])<<32 | uint64(p[29])<<40 | uint64(p[30])<<48 | uint64(p[31])<<56
				goto loadQ
			}
		case opLdpQPost:
			a = x[u.rn] - c.at
			if w := c.window; a < a+32 && a+32 <= uint64(len(w)) {
				x[u.rn] += u.imm
				p, v := w[a:a+32], &c.v[u.ra&31]
				v[0] = uint64(p[16]) | uint64(p[17])<<8 | uint64(p[18])<<16 | uint64(p[19])<<24 |
					uint64(p[20])<<32 | uint64(p[21])<<40 | uint64(p[22])<<48 | uint64(p[23])<<56
				v[1] = uint64(p[24]) | uint64(p[25])<<8 | uint64(p[26])<<16 | uint64(p[27])<<24 |
					uint64(p[28])<<32 | uint64(p[29])<<40 | uint64(p[30])<<48 | uint64(p[31])<<56
				goto loadQ
			}
		case opLdrQ:
			a = x[u.rn] + u.imm - c.at
			goto loadQ

		case opStr64:
			a, va = x[u.rn]+u.imm, x[u.rd]
			goto store64
		case opStr32:
			a, va = x[u.rn]+u.imm, x[u.rd]
			goto store32
		case opStr16:
			a, va = x[u.rn]+u.imm, x[u.rd]
			goto store16
		case opStr8:
			a, va = x[u.rn]+u.imm, x[u.rd]
			goto store8
		case opStr64R:
			a, va = x[u.rn]+x[u.rm]&u.imm<<(u.s2&63), x[u.rd]
			goto store64
		case opStr32R:
			a, va = x[u.rn]+x[u.rm]&u.imm<<(u.s2&63), x[u.rd]
			goto store32
		case opStr16R:
			a, va = x[u.rn]+x[u.rm]&u.imm<<(u.s2&63), x[u.rd]
			goto store16
		case opStr8R:
			a, va = x[u.rn]+x[u.rm]&u.imm<<(u.s2&63), x[u.rd]
			goto store8
		case opStr64Post:
			a, va = x[u.rn], x[u.rd]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-8 {
				x[u.rn] = a + u.imm
				goto store64
			}
		case opStr32Post:
			a, va = x[u.rn], x[u.rd]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-4 {
				x[u.rn] = a + u.imm
				goto store32
			}
		case opStr8Post:
			a = x[u.rn]
			if e := &c.wtlb[a>>pageShift%tlbSize]; e.number == a>>pageShift {
				e.bytes[a&pageMask] = byte(x[u.rd])
				x[u.rn] = a + u.imm
				continue
			}
		case opStp32:
			a, va = x[u.rn]+u.imm, uint64(uint32(x[u.rd]))|x[u.ra]<<32
			goto store64
		case opStp64:
			a, va, vb = x[u.rn]+u.imm, x[u.rd], x[u.ra]
			goto store128
		case opStp64Pre:
			a, va, vb = x[u.rn]+u.imm, x[u.rd], x[u.ra]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-16 {
				x[u.rn] = a
				goto store128
			}
		case opStp64Post:
			a, va, vb = x[u.rn], x[u.rd], x[u.ra]
			if o := a & pageMask; c.wtlb[a>>pageShift%tlbSize].number == a>>pageShift && o <= pageSize-16 {
				x[u.rn] = a + u.imm
				goto store128
			}
		case opStrQ:
			a, va, vb = x[u.rn]+u.imm, c.v[u.rd&31][0], c.v[u.rd&31][1]
			goto store128
		case opStpQ: // s2 is 1 if imm is added behind the access
			a = x[u.rn] + u.imm*uint64(1-u.s2)
			e := &c.wtlb[a>>pageShift%tlbSize]
			if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-32 {
				p, v := e.bytes[o+16:o+32:o+32], &c.v[u.ra&31]
				va, vb = v[0], v[1]
				p[0], p[1], p[2], p[3] = byte(va), byte(va>>8), byte(va>>16), byte(va>>24)
				p[4], p[5], p[6], p[7] = byte(va>>32), byte(va>>40), byte(va>>48), byte(va>>56)
				p[8], p[9], p[10], p[11] = byte(vb), byte(vb>>8), byte(vb>>16), byte(vb>>24)
				p[12], p[13], p[14], p[15] = byte(vb>>32), byte(vb>>40), byte(vb>>48), byte(vb>>56)
				va, vb = c.v[u.rd&31][0], c.v[u.rd&31][1]
				x[u.rn] += u.imm * uint64(u.s2)
				goto store128
			}

		case opEnd:
			goto notTaken
		case opB:
			goto taken
		case opBL:
			x[30] = b.pc + 4*uint64(b.size)
			goto taken
		case opCbz:
			if x[u.rd] == 0 {
				goto taken
			}
			goto notTaken
		case opCbnz:
			if x[u.rd] != 0 {
				goto taken
			}
			goto notTaken
		case opCbzW:
			if uint32(x[u.rd]) == 0 {
				goto taken
			}
			goto notTaken
		case opCbnzW:
			if uint32(x[u.rd]) != 0 {
				goto taken
			}
			goto notTaken
		case opTbz:
			if x[u.rd]>>(u.sh&63)&1 == 0 {
				goto taken
			}
			goto notTaken
		case opTbnz:
			if x[u.rd]>>(u.sh&63)&1 != 0 {
				goto taken
			}
			goto notTaken
		case opBR:
			target = x[u.rn]
			goto indirect
		case opBLR:
			target = x[u.rn]
			x[30] = b.pc + 4*uint64(b.size)
			goto indirect
		case opBCond:
			if c.fc == compared {
				r, borrow := bits.Sub64(x[regFN], x[regFZ], 0)
				x[regFN], x[regFZ], c.fc, c.fv = r, r, borrow^1, (x[regFN]^x[regFZ])&(x[regFN]^r)
			}
			var r bool
			switch u.ra >> 1 {
			case 0:
				r = x[regFZ] == 0
			case 1:
				r = c.fc != 0
			case 2:
				r = int64(x[regFN]) < 0
			case 3:
				r = int64(c.fv) < 0
			case 4:
				r = c.fc != 0 && x[regFZ] != 0
			case 5:
				r = int64(x[regFN]^c.fv) >= 0
			case 6:
				r = int64(x[regFN]^c.fv) >= 0 && x[regFZ] != 0
			case 7:
				goto taken
			}
			if r != (u.ra&1 != 0) {
				goto taken
			}
			goto notTaken

		case opMov2:
			x[u.rd] = x[u.rm] & u.imm
			x[u.rd2] = x[u.rm2] << (u.sh2 & 63) >> (u.sh2 & 63)
			continue
		case opMov4:
			x[u.rd] = x[u.rm] & u.imm
			x[u.rd2] = x[u.rm2] & u.imm
			x[u.rn] = x[u.ra] & u.imm
			x[u.rn2] = x[u.s2] & u.imm
			continue
		case opAddImm2:
			x[u.rd] = x[u.rn] + u.imm
			x[u.rd2] = x[u.rn2] + uint64(u.imm2)
			continue
		case opLsrAndImm:
			x[u.rd] = x[u.rn] << (u.sz & 63) >> (u.sh & 63)
			x[u.rd2] = x[u.rn2] & u.imm
			continue
		case opLsrVLslImm:
			x[u.rd] = x[u.rn] & u.imm >> (x[u.rm] & uint64(u.sh) & 63)
			x[u.rd2] = x[u.rn2] << (u.sh2 & 63)
			continue
		case opLdr64x2:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
				p := w[a : a+8]
				x[u.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
					uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
				a = x[u.rn2] + uint64(u.imm2) - c.at
				if a < a+8 && a+8 <= uint64(len(w)) {
					p := w[a : a+8]
					x[u.rd2] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
						uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
					continue
				}
				goto second
			}
		case opLdr32x2:
			a = x[u.rn] + u.imm - c.at
			if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
				p := w[a : a+4]
				x[u.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
				a = x[u.rn2] + uint64(u.imm2) - c.at
				if a < a+4 && a+4 <= uint64(len(w)) {
					p := w[a : a+4]
					x[u.rd2] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
					continue
				}
				goto second
			}
		case opLdrStr8R:
			a = x[u.rn] + x[u.rm]&u.imm<<(u.s2&63) - c.at
			if w := c.window; a < uint64(len(w)) {
				x[u.rd] = uint64(w[a])
				a = x[u.rn2] + x[u.rm2]&u.imm<<(u.s2&63)
				if w, o := c.writable, a-c.writableAt; o < uint64(len(w)) {
					w[o] = byte(x[u.rd2])
					continue
				}
				if e := &c.wtlb[a>>pageShift%tlbSize]; e.number == a>>pageShift {
					e.bytes[a&pageMask] = byte(x[u.rd2])
					continue
				}
				goto second
			}
		case opAddAdd:
			x[u.rd] = x[u.rn] + x[u.rm]
			x[u.rd2] = x[u.rn2] + x[u.rm2]
			continue
		case opAddAddW:
			x[u.rd] = uint64(uint32(x[u.rn] + x[u.rm]))
			x[u.rd2] = uint64(uint32(x[u.rn2] + x[u.rm2]))
			continue
		case opAddEorW:
			x[u.rd] = uint64(uint32(x[u.rn] + x[u.rm]))
			x[u.rd2] = uint64(uint32(x[u.rn2]) ^ bits.RotateLeft32(uint32(x[u.rm2]), -int(u.sh2)))
			continue
		case opEorAddW:
			x[u.rd] = uint64(uint32(x[u.rn]) ^ bits.RotateLeft32(uint32(x[u.rm]), -int(u.sh)))
			x[u.rd2] = uint64(uint32(x[u.rn2] + x[u.rm2]))
			continue
		case opEorEorW:
			x[u.rd] = uint64(uint32(x[u.rn]) ^ bits.RotateLeft32(uint32(x[u.rm]), -int(u.sh)))
			x[u.rd2] = uint64(uint32(x[u.rn2]) ^ bits.RotateLeft32(uint32(x[u.rm2]), -int(u.sh2)))
			continue
		case opEorAnd:
			x[u.rd] = uint64(uint32(x[u.rn]) ^ bits.RotateLeft32(uint32(x[u.rm]), -int(u.sh)))
			x[u.rd2] = x[u.rn2] & x[u.rm2] & u.imm
			continue
		case opAndEorW:
			x[u.rd] = x[u.rn] & x[u.rm] & u.imm
			x[u.rd2] = uint64(uint32(x[u.rn2]) ^ bits.RotateLeft32(uint32(x[u.rm2]), -int(u.sh2)))
			continue
		case opAndAnd:
			x[u.rd] = x[u.rn] & x[u.rm] & u.imm
			x[u.rd2] = x[u.rn2] & x[u.rm2] & u.imm
			continue
		case opAddAndW:
			x[u.rd] = uint64(uint32(x[u.rn] + x[u.rm]))
			x[u.rd2] = x[u.rn2] & x[u.rm2] & u.imm
			continue
		case opLsrAddW:
			x[u.rd] = (x[u.rn] ^ x[u.rm]&u.imm>>(u.sh&63)) & u.imm
			x[u.rd2] = uint64(uint32(x[u.rn2] + x[u.rm2]))
			continue
		case opCmpCsel: // of 64-sz bits
			va, vb = x[u.rn]<<(u.sz&63), (u.imm+x[u.rm])<<(u.sz&63)
			x[regFN], x[regFZ], c.fc = va, vb, compared
			var r bool
			switch u.ra >> 1 {
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
			va = x[u.rn2]
			if r == (u.ra&1 != 0) {
				va = x[u.rm2] ^ uint64(u.imm2) + uint64(u.s2)
			}
			x[u.rd2] = va << (u.sh2 & 63) >> (u.sh2 & 63)
			continue
		case opAddCmpBNe:
			x[u.rd] = x[u.rn] + u.imm
			va, vb = x[u.rn2], uint64(u.imm2)+x[u.rm2]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd2] = va - vb
			if va != vb {
				goto taken
			}
			goto notTaken
		case opCmpBEq:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va == vb {
				goto taken
			}
			goto notTaken
		case opCmpBNe:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va != vb {
				goto taken
			}
			goto notTaken
		case opCmpBHs:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va >= vb {
				goto taken
			}
			goto notTaken
		case opCmpBLo:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va < vb {
				goto taken
			}
			goto notTaken
		case opCmpBHi:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va > vb {
				goto taken
			}
			goto notTaken
		case opCmpBLs:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if va <= vb {
				goto taken
			}
			goto notTaken
		case opCmpBGe:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if int64(va) >= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLt:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if int64(va) < int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBGt:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if int64(va) > int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLe:
			va, vb = x[u.rn], u.imm+x[u.rm]
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = va - vb
			if int64(va) <= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBEqW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va == vb {
				goto taken
			}
			goto notTaken
		case opCmpBNeW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va != vb {
				goto taken
			}
			goto notTaken
		case opCmpBHsW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va >= vb {
				goto taken
			}
			goto notTaken
		case opCmpBLoW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va < vb {
				goto taken
			}
			goto notTaken
		case opCmpBHiW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va > vb {
				goto taken
			}
			goto notTaken
		case opCmpBLsW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if va <= vb {
				goto taken
			}
			goto notTaken
		case opCmpBGeW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if int64(va) >= int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLtW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if int64(va) < int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBGtW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if int64(va) > int64(vb) {
				goto taken
			}
			goto notTaken
		case opCmpBLeW:
			va, vb = x[u.rn]<<32, (u.imm+x[u.rm])<<32
			x[regFN], x[regFZ], c.fc = va, vb, compared
			x[u.rd] = (va - vb) >> 32
			if int64(va) <= int64(vb) {
				goto taken
			}
			goto notTaken
		}
		goto slow
	load64:
		if w := c.window; a < a+8 && a+8 <= uint64(len(w)) {
			p := w[a : a+8]
			x[u.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
			continue
		}
		goto slow
	load32:
		if w := c.window; a < a+4 && a+4 <= uint64(len(w)) {
			p := w[a : a+4]
			x[u.rd] = uint64(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)
			continue
		}
		goto slow
	load16:
		if w := c.window; a < a+2 && a+2 <= uint64(len(w)) {
			p := w[a : a+2]
			x[u.rd] = uint64(uint16(p[0]) | uint16(p[1])<<8)
			continue
		}
		goto slow
	load8:
		if w := c.window; a < uint64(len(w)) {
			x[u.rd] = uint64(w[a])
			continue
		}
		goto slow
	loadPair:
		if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
			p := w[a : a+16]
			x[u.rd] = uint64(p[0]) | uint64(p[1])<<8 | uint64(p[2])<<16 | uint64(p[3])<<24 |
				uint64(p[4])<<32 | uint64(p[5])<<40 | uint64(p[6])<<48 | uint64(p[7])<<56
			x[u.ra] = uint64(p[8]) | uint64(p[9])<<8 | uint64(p[10])<<16 | uint64(p[11])<<24 |
				uint64(p[12])<<32 | uint64(p[13])<<40 | uint64(p[14])<<48 | uint64(p[15])<<56
			continue
		}
		goto slow
	loadQ:
		if w := c.window; a < a+16 && a+16 <= uint64(len(w)) {
			p, v := w[a:a+16], &c.v[u.rd&31]
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
		n = uint(u.n)
		goto call
	second: // what is joined to the first, which is done
		n = uint(u.n) + 1
	call:
		c.count = end - uint64(c.budget)
		for insts := b.insts; n < uint(u.n+u.many); n++ {
			i := &insts[n]
			// u and v are kept there, for else they would be kept on the stack all the time.
			c.pc, c.uops[0], c.uops[1] = b.pc, u, v
			st = i.fn(c, i)
			u, v = c.uops[0], c.uops[1]
			if st == next {
				continue
			}
			if st != fault {
				n++
			}
			c.pc, c.from = b.pc+4*uint64(n), nil
			c.count += uint64(n)
			return st
		}
	}
notTaken:
	c.budget -= b.size
	if to = b.links[1]; to != nil && c.budget >= to.size {
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = b.pc+4*uint64(b.size), b, 1
	return next
taken:
	c.budget -= b.size
	if to = b.links[0]; to != nil && c.budget >= to.size {
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = b.insts[b.size-1].imm, b, 0
	return next
indirect:
	c.budget -= b.size
	to = b.links[0]
	if to == nil || to.pc != target {
		to = nil
		p := c.cache.fetch[target>>pageShift%fetchTLB]
		if p != nil && p.number == target>>pageShift && target&3 == 0 {
			to = p.blocks[target&pageMask>>2]
		}
	}
	if to != nil && c.budget >= to.size {
		b.links[0] = to
		b = to
		goto start
	}
	c.count = end - uint64(c.budget)
	c.pc, c.from, c.slot = target, b, 0
	return next
}
