// SPDX-License-Identifier: BSD-3-Clause

package a64

import "math/bits"

// opcode names what the loop of exec does itself; all else is opFn, a call of
// inst.fn.
type opcode uint8

const (
	opFn opcode = iota
	opNop
	opMovImm
	opMovK
	opAddImm
	opAddImmW
	opSubsImm
	opSubsImmW
	opAddReg
	opAddRegW
	opSubReg
	opSubRegW
	opSubsReg
	opSubsRegW
	opAddExt
	opAndReg
	opAndRegW
	opOrrReg
	opOrrRegW
	opEorReg
	opEorRegW
	opAndImm
	opOrrImm
	opOrrImmW
	opEorImm
	opEorImmW
	opAndsImm
	opAndsImmW
	opUbfm
	opLslImm
	opLslImmW
	opSbfm
	opSbfmW
	opRorImmW
	opLslV
	opLsrV
	opMadd
	opMaddW
	opCsel
	opCselW
	opCsinc
	opLdr64
	opLdr32
	opLdr16
	opLdr8
	opLdrS32
	opStr64
	opStr32
	opStr16
	opStr8
	opLdr64R
	opLdr32R
	opLdr16R
	opLdr8R
	opStr64R
	opStr32R
	opStr16R
	opStr8R
	opLdr64Post
	opLdr32Post
	opLdr8Post
	opStr64Post
	opStr32Post
	opStr8Post
	opLdp64
	opLdp64Post
	opStp64
	opStp64Pre
	opLdrQ
	opStrQ
	opLdpQ
	opStpQ
	opB
	opBL
	opBCond
	opCbz
	opCbnz
	opCbzW
	opCbnzW
	opTbz
	opTbnz
	opBR
	opBLR

	// A comparison and the conditional branch behind it, which ends the block.
	opSubsImmB
	opSubsImmWB
	opSubsRegB
	opSubsRegWB
)

// fuse joins a comparison at the end of a block with its branch.
func fuse(insts []inst) {
	n := len(insts)
	if n < 2 || insts[n-1].op != opBCond {
		return
	}
	c := &insts[n-2]
	fused := opFn
	switch c.op {
	case opSubsImm:
		fused = opSubsImmB
	case opSubsImmW:
		fused = opSubsImmWB
	case opSubsReg:
		fused = opSubsRegB
	case opSubsRegW:
		fused = opSubsRegWB
	default:
		return
	}
	c.op, c.ra = fused, insts[n-1].ra
}

// subs64 and subs32 set the flags as a subtraction does.
func (c *core) subs64(a, b uint64) uint64 {
	r, borrow := bits.Sub64(a, b, 0)
	c.fn, c.fz, c.fc, c.fv = r, r, borrow^1, (a^b)&(a^r)
	return r
}

func (c *core) subs32(a, b uint64) uint64 {
	w := uint64(uint32(a)) - uint64(uint32(b))
	r := w & 0xffffffff
	c.fn, c.fz, c.fc, c.fv = w<<32, r, w>>63^1, (a^b)&(a^r)<<32
	return r
}

func (c *core) ands64(r uint64) uint64 {
	c.fn, c.fz, c.fc, c.fv = r, r, 0, 0
	return r
}

func (c *core) ands32(r uint64) uint64 {
	r &= 0xffffffff
	c.fn, c.fz, c.fc, c.fv = r<<32, r, 0, 0
	return r
}

// exec executes a block and, with chain, those that follow it as long as they
// are within budget, which is in instructions. It leaves in core.pc where to go on, and in
// core.from and core.slot the link to make there.
func (c *core) exec(b *block, budget int, chain bool) status {
	x := &c.x
	for {
		insts := b.insts
		c.pc = b.pc
		var (
			st     status
			done   int
			slot   = 1
			target = b.pc + 4*uint64(len(insts))
		)
	body:
		for n := range insts {
			i := &insts[n]
			switch i.op {
			case opFn:
				if st = i.fn(c, i); st != next {
					done = n
					break body
				}
			case opNop:
			case opMovImm:
				x[i.rd] = i.imm
			case opMovK:
				x[i.rd] = x[i.rd]&^(0xffff<<(i.sh&63)) | i.imm
			case opAddImm:
				x[i.rd] = x[i.rn] + i.imm
			case opAddImmW:
				x[i.rd] = uint64(uint32(x[i.rn] + i.imm))
			case opSubsImm:
				x[i.rd] = c.subs64(x[i.rn], i.imm)
			case opSubsImmW:
				x[i.rd] = c.subs32(x[i.rn], i.imm)
			case opAddReg:
				x[i.rd] = x[i.rn] + x[i.rm]<<(i.sh&63)
			case opAddRegW:
				x[i.rd] = uint64(uint32(x[i.rn] + x[i.rm]<<(i.sh&63)))
			case opSubReg:
				x[i.rd] = x[i.rn] - x[i.rm]<<(i.sh&63)
			case opSubRegW:
				x[i.rd] = uint64(uint32(x[i.rn] - x[i.rm]<<(i.sh&63)))
			case opSubsReg:
				x[i.rd] = c.subs64(x[i.rn], x[i.rm]<<(i.sh&63))
			case opSubsRegW:
				x[i.rd] = c.subs32(x[i.rn], x[i.rm]<<(i.sh&63))
			case opAddExt:
				x[i.rd] = x[i.rn] + x[i.rm]&i.imm<<(i.sh&63)
			case opAndReg:
				x[i.rd] = x[i.rn] & (x[i.rm] << (i.sh & 63))
			case opAndRegW:
				x[i.rd] = uint64(uint32(x[i.rn] & (x[i.rm] << (i.sh & 63))))
			case opOrrReg:
				x[i.rd] = x[i.rn] | x[i.rm]<<(i.sh&63)
			case opOrrRegW:
				x[i.rd] = uint64(uint32(x[i.rn] | x[i.rm]<<(i.sh&63)))
			case opEorReg:
				x[i.rd] = x[i.rn] ^ x[i.rm]<<(i.sh&63)
			case opEorRegW:
				x[i.rd] = uint64(uint32(x[i.rn] ^ x[i.rm]<<(i.sh&63)))
			case opAndImm:
				x[i.rd] = x[i.rn] & i.imm
			case opOrrImm:
				x[i.rd] = x[i.rn] | i.imm
			case opOrrImmW:
				x[i.rd] = uint64(uint32(x[i.rn] | i.imm))
			case opEorImm:
				x[i.rd] = x[i.rn] ^ i.imm
			case opEorImmW:
				x[i.rd] = uint64(uint32(x[i.rn] ^ i.imm))
			case opAndsImm:
				x[i.rd] = c.ands64(x[i.rn] & i.imm)
			case opAndsImmW:
				x[i.rd] = c.ands32(x[i.rn] & i.imm)
			case opUbfm:
				x[i.rd] = (x[i.rn] >> (i.sh & 63) & i.imm) << (i.ra & 63)
			case opLslImm:
				x[i.rd] = x[i.rn] << (i.sh & 63)
			case opLslImmW:
				x[i.rd] = uint64(uint32(x[i.rn]) << (i.sh & 31))
			case opSbfm:
				x[i.rd] = uint64(int64(x[i.rn]<<(i.sh&63)) >> (i.sz & 63))
			case opSbfmW:
				x[i.rd] = uint64(uint32(int32(uint32(x[i.rn])<<(i.sh&31)) >> (i.sz & 31)))
			case opRorImmW:
				x[i.rd] = uint64(bits.RotateLeft32(uint32(x[i.rn]), -int(i.sh)))
			case opLslV:
				x[i.rd] = x[i.rn] << (x[i.rm] & 63)
			case opLsrV:
				x[i.rd] = x[i.rn] >> (x[i.rm] & 63)
			case opMadd:
				x[i.rd] = x[i.ra] + x[i.rn]*x[i.rm]
			case opMaddW:
				x[i.rd] = uint64(uint32(x[i.ra] + x[i.rn]*x[i.rm]))
			case opCsel:
				if c.holds(i.ra) {
					x[i.rd] = x[i.rn]
				} else {
					x[i.rd] = x[i.rm]
				}
			case opCselW:
				if c.holds(i.ra) {
					x[i.rd] = uint64(uint32(x[i.rn]))
				} else {
					x[i.rd] = uint64(uint32(x[i.rm]))
				}
			case opCsinc:
				if c.holds(i.ra) {
					x[i.rd] = x[i.rn]
				} else {
					x[i.rd] = x[i.rm] + 1
				}
			case opLdr64, opLdr64R:
				a := x[i.rn] + i.imm
				if i.op == opLdr64R {
					a += x[i.rm] << (i.sh & 63)
				}
				var v uint64
				if v, st = c.load64(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
			case opLdr32, opLdr32R:
				a := x[i.rn] + i.imm
				if i.op == opLdr32R {
					a += x[i.rm] << (i.sh & 63)
				}
				var v uint64
				if v, st = c.load32(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
			case opLdr16, opLdr16R:
				a := x[i.rn] + i.imm
				if i.op == opLdr16R {
					a += x[i.rm] << (i.sh & 63)
				}
				var v uint64
				if v, st = c.load16(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
			case opLdr8, opLdr8R:
				a := x[i.rn] + i.imm
				if i.op == opLdr8R {
					a += x[i.rm] << (i.sh & 63)
				}
				var v uint64
				if v, st = c.load8(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
			case opLdrS32:
				var v uint64
				if v, st = c.load32(x[i.rn] + i.imm); st != next {
					done = n
					break body
				}
				x[i.rd] = uint64(int64(int32(v)))
			case opLdr64Post:
				a := x[i.rn]
				var v uint64
				if v, st = c.load64(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
				x[i.rn] = a + i.imm
			case opLdr32Post:
				a := x[i.rn]
				var v uint64
				if v, st = c.load32(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
				x[i.rn] = a + i.imm
			case opLdr8Post:
				a := x[i.rn]
				var v uint64
				if v, st = c.load8(a); st != next {
					done = n
					break body
				}
				x[i.rd] = v
				x[i.rn] = a + i.imm
			case opStr64, opStr64R:
				a := x[i.rn] + i.imm
				if i.op == opStr64R {
					a += x[i.rm] << (i.sh & 63)
				}
				if st = c.store64(a, x[i.rd]); st != next {
					done = n
					break body
				}
			case opStr32, opStr32R:
				a := x[i.rn] + i.imm
				if i.op == opStr32R {
					a += x[i.rm] << (i.sh & 63)
				}
				if st = c.store32(a, x[i.rd]); st != next {
					done = n
					break body
				}
			case opStr16, opStr16R:
				a := x[i.rn] + i.imm
				if i.op == opStr16R {
					a += x[i.rm] << (i.sh & 63)
				}
				if st = c.store16(a, x[i.rd]); st != next {
					done = n
					break body
				}
			case opStr8, opStr8R:
				a := x[i.rn] + i.imm
				if i.op == opStr8R {
					a += x[i.rm] << (i.sh & 63)
				}
				if st = c.store8(a, x[i.rd]); st != next {
					done = n
					break body
				}
			case opStr64Post:
				a := x[i.rn]
				if st = c.store64(a, x[i.rd]); st != fault {
					x[i.rn] = a + i.imm
				}
				if st != next {
					done = n
					break body
				}
			case opStr32Post:
				a := x[i.rn]
				if st = c.store32(a, x[i.rd]); st != fault {
					x[i.rn] = a + i.imm
				}
				if st != next {
					done = n
					break body
				}
			case opStr8Post:
				a := x[i.rn]
				if st = c.store8(a, x[i.rd]); st != fault {
					x[i.rn] = a + i.imm
				}
				if st != next {
					done = n
					break body
				}
			case opLdp64, opLdp64Post:
				a := x[i.rn]
				if i.op == opLdp64 {
					a += i.imm
				}
				var lo, hi uint64
				if lo, hi, st = c.load128(a); st != next {
					done = n
					break body
				}
				if i.op == opLdp64Post {
					x[i.rn] = a + i.imm
				}
				x[i.rd], x[i.ra] = lo, hi
			case opStp64:
				if st = c.store128(x[i.rn]+i.imm, x[i.rd], x[i.ra]); st != next {
					done = n
					break body
				}
			case opStp64Pre:
				a := x[i.rn] + i.imm
				if st = c.store128(a, x[i.rd], x[i.ra]); st != fault {
					x[i.rn] = a
				}
				if st != next {
					done = n
					break body
				}
			case opLdrQ:
				var lo, hi uint64
				if lo, hi, st = c.load128(x[i.rn] + i.imm); st != next {
					done = n
					break body
				}
				v := &c.v[i.rd&31]
				v[0], v[1] = lo, hi
			case opStrQ:
				v := &c.v[i.rd&31]
				if st = c.store128(x[i.rn]+i.imm, v[0], v[1]); st != next {
					done = n
					break body
				}
			case opLdpQ:
				a := x[i.rn] + i.imm
				var lo, hi, lo2, hi2 uint64
				if lo, hi, st = c.load128(a); st == next {
					lo2, hi2, st = c.load128(a + 16)
				}
				if st != next {
					done = n
					break body
				}
				v, w := &c.v[i.rd&31], &c.v[i.ra&31]
				v[0], v[1] = lo, hi
				w[0], w[1] = lo2, hi2
			case opStpQ:
				a := x[i.rn] + i.imm
				if st = c.canWrite(a, 32); st != fault {
					v, w := &c.v[i.rd&31], &c.v[i.ra&31]
					st = c.store128(a, v[0], v[1])
					st = max(st, c.store128(a+16, w[0], w[1]))
				}
				if st != next {
					done = n
					break body
				}
			case opB:
				slot, target = 0, i.imm
			case opBL:
				x[30] = target
				slot, target = 0, i.imm
			case opBCond:
				if c.holds(i.ra) {
					slot, target = 0, i.imm
				}
			case opCbz:
				if x[i.rd] == 0 {
					slot, target = 0, i.imm
				}
			case opCbnz:
				if x[i.rd] != 0 {
					slot, target = 0, i.imm
				}
			case opCbzW:
				if uint32(x[i.rd]) == 0 {
					slot, target = 0, i.imm
				}
			case opCbnzW:
				if uint32(x[i.rd]) != 0 {
					slot, target = 0, i.imm
				}
			case opTbz:
				if x[i.rd]>>(i.sh&63)&1 == 0 {
					slot, target = 0, i.imm
				}
			case opTbnz:
				if x[i.rd]>>(i.sh&63)&1 != 0 {
					slot, target = 0, i.imm
				}
			case opBR:
				slot, target = 2, x[i.rn]
			case opBLR:
				to := x[i.rn]
				x[30] = target
				slot, target = 2, to
			case opSubsImmB:
				x[i.rd] = c.subs64(x[i.rn], i.imm)
				if c.holds(i.ra) {
					slot, target = 0, insts[len(insts)-1].imm
				}
				break body
			case opSubsImmWB:
				x[i.rd] = c.subs32(x[i.rn], i.imm)
				if c.holds(i.ra) {
					slot, target = 0, insts[len(insts)-1].imm
				}
				break body
			case opSubsRegB:
				x[i.rd] = c.subs64(x[i.rn], x[i.rm]<<(i.sh&63))
				if c.holds(i.ra) {
					slot, target = 0, insts[len(insts)-1].imm
				}
				break body
			case opSubsRegWB:
				x[i.rd] = c.subs32(x[i.rn], x[i.rm]<<(i.sh&63))
				if c.holds(i.ra) {
					slot, target = 0, insts[len(insts)-1].imm
				}
				break body
			}
		}
		if st != next {
			c.pc = b.pc + 4*uint64(done)
			c.from = nil
			if st != fault {
				c.pc += 4
				done++
			}
			c.count += uint64(done)
			return st
		}
		c.count += uint64(len(insts))
		budget -= len(insts)
		if !chain {
			c.pc, c.from = target, nil
			return next
		}
		if slot < 2 {
			to := b.links[slot]
			if to != nil && b.epoch == c.cache.epoch && budget >= len(to.insts) {
				b = to
				continue
			}
			c.pc, c.from, c.slot = target, b, slot
			return next
		}
		p := c.cache.fetch[target>>pageShift%fetchTLB]
		if p != nil && p.number == target>>pageShift && target&3 == 0 {
			if to := p.blocks[target&pageMask>>2]; to != nil && budget >= len(to.insts) {
				b = to
				continue
			}
		}
		c.pc, c.from = target, nil
		return next
	}
}
