// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"
)

// decodeStructures is ld1 to ld4 and st1 to st4 of whole registers.
func decodeStructures(i *inst) {
	raw := i.raw
	if raw>>21&1 != 0 || raw>>23&1 == 0 && raw>>16&31 != 0 {
		return
	}
	// sz is how many registers, sh how many of them a structure has.
	switch raw >> 12 & 15 {
	case 0:
		i.sz, i.sh = 4, 4
	case 2:
		i.sz, i.sh = 4, 1
	case 4:
		i.sz, i.sh = 3, 3
	case 6:
		i.sz, i.sh = 3, 1
	case 7:
		i.sz, i.sh = 1, 1
	case 8:
		i.sz, i.sh = 2, 2
	case 10:
		i.sz, i.sh = 2, 1
	default:
		return
	}
	if raw>>10&3 == 3 && raw>>30&1 == 0 && i.sh != 1 {
		return
	}
	i.rd = spr(raw)
	i.structurePost(uint64(i.sz) * (8 << (raw >> 30 & 1)))
	if raw>>22&1 != 0 {
		i.call(loadStructures)
	} else {
		i.call(storeStructures)
	}
}

// structurePost decodes what is added to the base behind the access: rm, which
// is the zero register for an immediate, and imm.
func (i *inst) structurePost(size uint64) {
	i.rm = regZR
	if i.raw>>23&1 != 0 {
		if m := i.raw >> 16 & 31; m == 31 {
			i.imm = size
		} else {
			i.rm = uint8(m)
		}
	}
}

// structureAt is where element e of register r of n bytes of memory lies.
func structureAt(i *inst, r, e, bytes int, elem uint) int {
	if i.sh == 1 {
		return r*bytes + e<<elem
	}
	return (e*int(i.sh) + r) << elem
}

func loadStructures(c *core, i *inst) status {
	var buf [64]byte
	bytes, elem := 8<<(i.raw>>30&1), uint(i.raw>>10&3)
	a := c.x[i.rn]
	if st := c.read(a, buf[:int(i.sz)*bytes]); st != next {
		return st
	}
	for r := range int(i.sz) {
		var v vec
		for e := range bytes >> elem {
			setLane(&v, elem, e, getBytes(buf[structureAt(i, r, e, bytes, elem):], elem))
		}
		c.v[(int(i.rd)+r)&31] = v
	}
	c.x[i.rn] = a + i.imm + c.x[i.rm]
	return next
}

func storeStructures(c *core, i *inst) status {
	var buf [64]byte
	bytes, elem := 8<<(i.raw>>30&1), uint(i.raw>>10&3)
	a := c.x[i.rn]
	for r := range int(i.sz) {
		v := &c.v[(int(i.rd)+r)&31]
		for e := range bytes >> elem {
			putBytes(buf[structureAt(i, r, e, bytes, elem):], elem, lane(v, elem, e))
		}
	}
	st := c.write(a, buf[:int(i.sz)*bytes])
	if st != fault {
		c.x[i.rn] = a + i.imm + c.x[i.rm]
	}
	return st
}

func getBytes(b []byte, elem uint) uint64 {
	switch elem {
	case 0:
		return uint64(b[0])
	case 1:
		return uint64(binary.LittleEndian.Uint16(b))
	case 2:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func putBytes(b []byte, elem uint, v uint64) {
	switch elem {
	case 0:
		b[0] = byte(v)
	case 1:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 2:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// decodeStructure is the same of one lane, and ld1r to ld4r.
func decodeStructure(i *inst) {
	raw := i.raw
	if raw>>23&1 == 0 && raw>>16&31 != 0 {
		return
	}
	opcode, s, size := raw>>13&7, raw>>12&1, raw>>10&3
	i.sz = uint8(opcode&1<<1 | raw>>21&1 + 1) // registers
	i.rd = spr(raw)
	q := raw >> 30 & 1
	elem := opcode >> 1
	var index uint32
	switch elem {
	case 0:
		index = q<<3 | s<<2 | size
	case 1:
		if size&1 != 0 {
			return
		}
		index = q<<2 | s<<1 | size>>1
	case 2:
		switch {
		case size == 0:
			index = q<<1 | s
		case size == 1 && s == 0:
			elem, index = 3, q
		default:
			return
		}
	case 3: // replicate
		if raw>>22&1 == 0 || s != 0 {
			return
		}
		elem = size
		i.ra = 1
	}
	i.sh = uint8(index<<2 | elem)
	i.structurePost(uint64(i.sz) << elem)
	if raw>>22&1 != 0 {
		i.call(loadStructure)
	} else {
		i.call(storeStructure)
	}
}

func loadStructure(c *core, i *inst) status {
	var buf [32]byte
	elem, index := uint(i.sh&3), int(i.sh>>2)
	a := c.x[i.rn]
	if st := c.read(a, buf[:int(i.sz)<<elem]); st != next {
		return st
	}
	for r := range int(i.sz) {
		v := &c.v[(int(i.rd)+r)&31]
		value := getBytes(buf[r<<elem:], elem)
		if i.ra == 0 {
			setLane(v, elem, index, value)
		} else {
			*v = replicate(value, elem, i.raw>>30&1 != 0)
		}
	}
	c.x[i.rn] = a + i.imm + c.x[i.rm]
	return next
}

func storeStructure(c *core, i *inst) status {
	var buf [32]byte
	elem, index := uint(i.sh&3), int(i.sh>>2)
	a := c.x[i.rn]
	for r := range int(i.sz) {
		putBytes(buf[r<<elem:], elem, lane(&c.v[(int(i.rd)+r)&31], elem, index))
	}
	st := c.write(a, buf[:int(i.sz)<<elem])
	if st != fault {
		c.x[i.rn] = a + i.imm + c.x[i.rm]
	}
	return st
}

// lane is element e of 1<<elem bytes.
func lane(v *vec, elem uint, e int) uint64 {
	bit := uint(e) << (elem + 3)
	w := v[bit>>6&1] >> (bit & 63)
	switch elem {
	case 0:
		return w & 0xff
	case 1:
		return w & 0xffff
	case 2:
		return w & 0xffffffff
	}
	return w
}

func setLane(v *vec, elem uint, e int, value uint64) {
	bit := uint(e) << (elem + 3)
	mask := uint64(1)<<(8<<elem) - 1
	w := &v[bit>>6&1]
	*w = *w&^(mask<<(bit&63)) | value&mask<<(bit&63)
}

// replicate fills a register, or its lower half.
func replicate(value uint64, elem uint, full bool) vec {
	switch elem {
	case 0:
		value = value & 0xff * 0x0101010101010101
	case 1:
		value = value & 0xffff * 0x0001000100010001
	case 2:
		value = value & 0xffffffff * 0x0000000100000001
	}
	if full {
		return vec{value, value}
	}
	return vec{value, 0}
}
