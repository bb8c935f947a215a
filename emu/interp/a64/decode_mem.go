// SPDX-License-Identifier: BSD-3-Clause

package a64

// Ways to an address, in inst.ra, and inst.rm of pairs.
const (
	modeOffset = iota
	modePost
	modePre
	modeRegister // inst.sh is the extension, and 8 times the shift
)

// Of inst.sz: the logarithm of the size, and what a load makes of it.
const (
	signed64 = 4
	signed32 = 8
)

// decodeMemory is loads and stores (C4.1.94).
func decodeMemory(i *inst, pc uint64) {
	raw := i.raw
	i.rn, i.rd = spr(raw>>5), zr(raw)
	switch {
	case raw>>24&0x3f == 0x08:
		decodeExclusive(i)
	case raw>>27&7 == 3 && raw>>24&3 == 0:
		decodeLiteral(i, pc)
	case raw>>27&7 == 5:
		decodePair(i)
	case raw>>27&7 == 7 && raw>>24&1 == 1: // unsigned offset
		decodeSingle(i, modeOffset, uint64(field(raw, 10, 12)), true)
	case raw>>27&7 == 7 && raw>>25&1 == 0 && raw>>21&1 == 0:
		offset := signExtend(uint64(field(raw, 12, 9)), 9)
		switch raw >> 10 & 3 {
		case 0:
			decodeSingle(i, modeOffset, offset, false)
		case 1:
			decodeSingle(i, modePost, offset, false)
		case 2: // ldtr, sttr
			if raw>>26&1 == 0 && field(raw, 22, 10)&0x303 != 0x302 {
				decodeSingle(i, modeOffset, offset, false)
			}
		case 3:
			decodeSingle(i, modePre, offset, false)
		}
	case raw>>27&7 == 7 && raw>>25&1 == 0 && raw>>10&3 == 2:
		if raw>>14&1 == 0 {
			return // an extension of less than 32 bits
		}
		i.rm = zr(raw >> 16)
		decodeSingle(i, modeRegister, 0, false)
	case raw>>27&7 == 7 && raw>>24&7 == 0 && raw>>10&3 == 0:
		decodeAtomic(i)
	case raw>>31 == 0 && raw>>24&0x3f == 0x0c:
		decodeStructures(i)
	case raw>>31 == 0 && raw>>24&0x3f == 0x0d:
		decodeStructure(i)
	}
}

// decodeSingle is the loads and stores of one register.
func decodeSingle(i *inst, mode uint8, offset uint64, scaled bool) {
	raw := i.raw
	size, opc := uint8(raw>>30), raw>>22&3
	vector := raw>>26&1 != 0
	if vector {
		i.rd = spr(raw)
		if opc >= 2 {
			if size != 0 {
				return
			}
			size = 4
		}
	}
	if scaled {
		offset <<= size
	}
	i.imm, i.ra, i.sz = offset, mode, size
	if mode == modeRegister {
		i.sh = uint8(field(raw, 13, 3))
		if raw>>12&1 != 0 {
			i.sh |= size << 3
		}
	}
	switch {
	case vector && opc&1 == 0:
		i.call(storeVector)
		if size == 4 && mode == modeOffset {
			i.do(opStrQ)
		}
	case vector:
		i.call(loadVector)
		if size == 4 && mode == modeOffset {
			i.do(opLdrQ)
		}
	case opc == 0:
		i.call(store)
	case opc == 1:
		i.rd = sink(raw)
		i.call(load)
	case size == 3: // prfm
		if opc == 2 && (mode == modeOffset || mode == modeRegister) {
			i.nop()
		}
		return
	case opc == 2:
		i.rd = sink(raw)
		i.sz |= signed64
		i.call(load)
		if mode == modeOffset && size == 2 {
			i.do(opLdrS32)
		}
		return
	case size == 2:
		return
	default:
		i.rd = sink(raw)
		i.sz |= signed32
		i.call(load)
		return
	}
	if vector {
		return
	}
	loads := opc != 0
	switch {
	case mode == modeOffset && loads:
		i.do([...]opcode{opLdr8, opLdr16, opLdr32, opLdr64}[size])
	case mode == modeOffset:
		i.do([...]opcode{opStr8, opStr16, opStr32, opStr64}[size])
	case mode == modeRegister && i.sh&7 <= 3: // uxtw, lsl
		i.s2, i.imm = i.sh>>3, ones(i.sh&7 == 3)
		if loads {
			i.do([...]opcode{opLdr8R, opLdr16R, opLdr32R, opLdr64R}[size])
		} else {
			i.do([...]opcode{opStr8R, opStr16R, opStr32R, opStr64R}[size])
		}
	case mode == modePost && loads:
		i.do([...]opcode{opLdr8Post, opFn, opLdr32Post, opLdr64Post}[size])
	case mode == modePost && size != 1:
		i.do([...]opcode{opStr8Post, 0, opStr32Post, opStr64Post}[size])
	case mode == modePre && size == 0 && loads:
		i.do(opLdr8Pre)
	}
}

// address is where a single load or store accesses memory.
func (c *core) address(i *inst) uint64 {
	a := c.x[i.rn]
	switch i.ra {
	case modePost:
		return a
	case modeRegister:
		return a + extended(c.x[i.rm], uint32(i.sh))<<(i.sh>>3&7)
	}
	return a + i.imm
}

func (c *core) writeBack(i *inst, mode uint8) {
	if mode == modePost || mode == modePre {
		c.x[i.rn] += i.imm
	}
}

func load(c *core, i *inst) status {
	v, st := c.loadSize(c.address(i), i.sz&3)
	if st != next {
		return st
	}
	if i.sz&(signed32|signed64) != 0 {
		v = signExtend(v, 8<<(i.sz&3))
		if i.sz&signed32 != 0 {
			v &= 0xffffffff
		}
	}
	c.writeBack(i, i.ra)
	c.x[i.rd] = v
	return next
}

func store(c *core, i *inst) status {
	st := c.storeSize(c.address(i), c.x[i.rd], i.sz&3)
	if st != fault {
		c.writeBack(i, i.ra)
	}
	return st
}

// loadV is a load of a vector register of any size.
func (c *core) loadV(a uint64, size uint8) (vec, status) {
	if size == 4 {
		lo, hi, st := c.load128(a)
		return vec{lo, hi}, st
	}
	v, st := c.loadSize(a, size)
	return vec{v, 0}, st
}

func (c *core) storeV(a uint64, v vec, size uint8) status {
	if size == 4 {
		return c.store128(a, v[0], v[1])
	}
	return c.storeSize(a, v[0], size)
}

func loadVector(c *core, i *inst) status {
	v, st := c.loadV(c.address(i), i.sz)
	if st == next {
		c.writeBack(i, i.ra)
		c.v[i.rd&31] = v
	}
	return st
}

func storeVector(c *core, i *inst) status {
	st := c.storeV(c.address(i), c.v[i.rd&31], i.sz)
	if st != fault {
		c.writeBack(i, i.ra)
	}
	return st
}

// decodeLiteral is the loads relative to the program counter.
func decodeLiteral(i *inst, pc uint64) {
	raw := i.raw
	i.imm = pc + signExtend(uint64(field(raw, 5, 19))<<2, 21)
	i.rn, i.ra = regZR, modeOffset
	opc := raw >> 30
	switch {
	case raw>>26&1 != 0:
		if opc < 3 {
			i.rd, i.sz = spr(raw), uint8(2+opc)
			i.call(loadVector)
		}
	case opc == 3:
		i.nop()
	default:
		i.rd = sink(raw)
		i.sz = [...]uint8{2, 3, 2 | signed64}[opc]
		i.call(load)
		i.do([...]opcode{opLdr32, opLdr64, opLdrS32}[opc])
	}
}

// decodePair is ldp, stp, ldnp, stnp and ldpsw.
func decodePair(i *inst) {
	raw := i.raw
	opc, loads := raw>>30, raw>>22&1 != 0
	i.rm = [...]uint8{modeOffset, modePost, modeOffset, modePre}[raw>>23&3]
	offset := signExtend(uint64(field(raw, 15, 7)), 7)
	if raw>>26&1 != 0 {
		if opc == 3 {
			return
		}
		i.rd, i.ra, i.sz = spr(raw), spr(raw>>10), uint8(2+opc)
		i.imm = offset << i.sz
		if loads {
			i.call(loadPairVector)
		} else {
			i.call(storePairVector)
		}
		if opc == 2 && i.rd != i.ra {
			switch {
			case loads && i.rm == modeOffset:
				i.do(opLdpQ)
			case loads && i.rm == modePost:
				i.do(opLdpQPost)
			case i.rm == modeOffset:
				i.do(opStpQ)
			case i.rm == modePost:
				i.s2 = 1
				i.do(opStpQ)
			}
		}
		return
	}
	i.sz = 2
	if opc == 2 {
		i.sz = 3
	}
	i.imm = offset << i.sz
	if !loads {
		i.ra = zr(raw >> 10)
		if opc&1 != 0 {
			return
		}
		i.call(storePair)
		switch {
		case opc == 0 && i.rm == modeOffset:
			i.do(opStp32)
		case opc == 2 && i.rm == modeOffset:
			i.do(opStp64)
		case opc == 2 && i.rm == modePre:
			i.do(opStp64Pre)
		case opc == 2 && i.rm == modePost:
			i.do(opStp64Post)
		}
		return
	}
	i.rd, i.ra = sink(raw), sink(raw>>10)
	switch {
	case opc == 1 && raw>>23&3 != 0:
		i.sz |= signed64
		i.call(loadPair)
	case opc&1 != 0:
	case opc == 2:
		i.call(loadPair)
		switch i.rm {
		case modeOffset:
			i.do(opLdp64)
		case modePost:
			i.do(opLdp64Post)
		}
	default:
		i.call(loadPair)
		if i.rm == modeOffset {
			i.do(opLdp32)
		}
	}
}

func (c *core) pairAddress(i *inst) uint64 {
	if i.rm == modePost {
		return c.x[i.rn]
	}
	return c.x[i.rn] + i.imm
}

func loadPair(c *core, i *inst) status {
	a, size := c.pairAddress(i), i.sz&3
	v, st := c.loadSize(a, size)
	if st != next {
		return st
	}
	w, st := c.loadSize(a+1<<size, size)
	if st != next {
		return st
	}
	if i.sz&signed64 != 0 {
		v, w = signExtend(v, 32), signExtend(w, 32)
	}
	c.writeBack(i, i.rm)
	c.x[i.rd], c.x[i.ra] = v, w
	return next
}

func storePair(c *core, i *inst) status {
	a, size := c.pairAddress(i), i.sz&3
	var st status
	if size == 3 {
		st = c.store128(a, c.x[i.rd], c.x[i.ra])
	} else {
		st = c.store64(a, c.x[i.rd]&0xffffffff|c.x[i.ra]<<32)
	}
	if st != fault {
		c.writeBack(i, i.rm)
	}
	return st
}

func loadPairVector(c *core, i *inst) status {
	a := c.pairAddress(i)
	v, st := c.loadV(a, i.sz)
	if st != next {
		return st
	}
	w, st := c.loadV(a+1<<i.sz, i.sz)
	if st != next {
		return st
	}
	c.writeBack(i, i.rm)
	c.v[i.rd&31], c.v[i.ra&31] = v, w
	return next
}

func storePairVector(c *core, i *inst) status {
	a := c.pairAddress(i)
	if st := c.canWrite(a, 2<<i.sz); st == fault {
		return st
	}
	st := c.storeV(a, c.v[i.rd&31], i.sz)
	st = max(st, c.storeV(a+1<<i.sz, c.v[i.ra&31], i.sz))
	c.writeBack(i, i.rm)
	return st
}
