// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"math/bits"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// What the immediate of pcmpestri and its kin asks for (SDM volume 2, 4.1).
const (
	strWords   = 1 << 0
	strSigned  = 1 << 1
	strNegate  = 1 << 4
	strMasked  = 1 << 5 // only what is of the second string is negated
	strHighest = 1 << 6 // the highest index; a mask for each element
)

// compareStrings is pcmpestrm, pcmpestri, pcmpistrm and pcmpistri; in.op has bit 0 set
// for those that leave an index, and bit 1 for those whose strings end at a zero.
func compareStrings(c *core, in *inst) bool {
	b := c.x[in.rm&15]
	if in.mem {
		var ok bool
		if b, ok = c.ldx(c.addr(in)); !ok {
			return false
		}
	}
	imm := uint8(in.imm)
	x, y := elements(c.x[in.reg&15], imm), elements(b, imm)
	n := len(x)
	m, o := ends(x), ends(y)
	if in.op&2 == 0 {
		m, o = length(c.get(cpu.RAX, in.sz), in.sz, n), length(c.get(cpu.RDX, in.sz), in.sz, n)
	}
	r := aggregate(x[:m], y[:o], n, imm>>2&3)
	all := uint32(1)<<n - 1
	switch {
	case imm&strNegate == 0:
	case imm&strMasked != 0:
		r ^= 1<<o - 1
	default:
		r ^= all
	}
	c.setArith(arith, b2u(r != 0)*cf|b2u(o < n)*zf|b2u(m < n)*sf|uint64(r&1)<<11)
	if in.op&1 != 0 {
		at := n
		switch {
		case r == 0:
		case imm&strHighest != 0:
			at = bits.Len32(r) - 1
		default:
			at = bits.TrailingZeros32(r)
		}
		c.r[cpu.RCX] = uint64(at)
		return true
	}
	v := xmm{lo: uint64(r)}
	if imm&strHighest != 0 {
		var lanes [16]uint8
		for i := range lanes {
			lanes[i] = ones8(r>>(i*n/16)&1 != 0)
		}
		v = fromB(lanes)
	}
	c.x[0] = v
	return true
}

// elements are those of a vector.
func elements(v xmm, imm uint8) []int32 {
	e := make([]int32, 0, 16)
	if imm&strWords != 0 {
		for _, w := range v.w() {
			if e = append(e, int32(w)); imm&strSigned != 0 {
				e[len(e)-1] = ext16(w)
			}
		}
		return e
	}
	for _, b := range v.b() {
		if e = append(e, int32(b)); imm&strSigned != 0 {
			e[len(e)-1] = ext8(b)
		}
	}
	return e
}

// ends is how many elements there are before a zero.
func ends(e []int32) int {
	for i, v := range e {
		if v == 0 {
			return i
		}
	}
	return len(e)
}

// length is one that a register has, whose sign does not count.
func length(v uint64, sz uint8, n int) int {
	if sz == 2 {
		v = uint64(int32(v))
	}
	if int64(v) < 0 {
		v = -v
	}
	return int(min(v, uint64(n)))
}

// aggregate compares two strings that have room for n elements: any, in ranges,
// each, or in order.
func aggregate(x, y []int32, n int, how uint8) (r uint32) {
	for j := range n {
		is := false
		switch how {
		case 0:
			for _, v := range x {
				is = is || j < len(y) && v == y[j]
			}
		case 1:
			for i := 0; i+1 < len(x); i += 2 {
				is = is || j < len(y) && x[i] <= y[j] && y[j] <= x[i+1]
			}
		case 2:
			is = j >= len(x) && j >= len(y) || j < len(x) && j < len(y) && x[j] == y[j]
		case 3:
			is = true
			for i := 0; i < len(x) && i+j < n; i++ {
				is = is && i+j < len(y) && x[i] == y[i+j]
			}
		}
		r |= uint32(b2u(is)) << j
	}
	return r
}
