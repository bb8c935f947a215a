// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"hash/crc32"
	"math/bits"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

const arithmetic = cpu.Arithmetic

func nop(*core, *inst) bool { return true }

func movEG(c *core, in *inst) bool {
	v := c.get(in.reg, in.sz)
	if in.mem {
		return c.st(c.addr(in), in.sz, v)
	}
	c.set(in.rm, in.sz, v)
	return true
}

func movGE(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if ok {
		c.set(in.reg, in.sz, v)
	}
	return ok
}

func movEI(c *core, in *inst) bool {
	if in.mem {
		return c.st(c.addr(in), in.sz, in.imm)
	}
	c.set(in.rm, in.sz, in.imm)
	return true
}

// small reads a source of size in.op.
func (c *core) small(in *inst) (uint64, bool) {
	if in.mem {
		return c.ld(c.addr(in), in.op)
	}
	return c.get(in.rm, in.op), true
}

func movzx(c *core, in *inst) bool {
	v, ok := c.small(in)
	if ok {
		c.set(in.reg, in.sz, v)
	}
	return ok
}

func movsx(c *core, in *inst) bool {
	v, ok := c.small(in)
	if ok {
		up := 63 - tops[in.op&3]
		c.set(in.reg, in.sz, uint64(int64(v<<up)>>up)&masks[in.sz&3])
	}
	return ok
}

func movsxd(c *core, in *inst) bool {
	from := min(in.sz, 2)
	v, ok := c.get(in.rm, from), true
	if in.mem {
		v, ok = c.ld(c.addr(in), from)
	}
	if !ok {
		return false
	}
	if in.sz == 3 {
		v = uint64(int32(v))
	}
	c.set(in.reg, in.sz, v)
	return true
}

func lea(c *core, in *inst) bool {
	a := c.ea(in)
	if in.a32 {
		a = uint64(uint32(a))
	}
	c.set(in.reg, in.sz, a)
	return true
}

func xchg(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	g := c.get(in.reg, in.sz)
	c.set(in.reg, in.sz, v)
	return c.setE(in, a, g)
}

func cmov(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if !c.cond(in.op) {
		v = c.get(in.reg, in.sz)
	}
	c.set(in.reg, in.sz, v)
	return true
}

func setcc(c *core, in *inst) bool {
	v := b2u(c.cond(in.op))
	if in.mem {
		return c.st8(c.addr(in), v)
	}
	c.set(in.rm, 0, v)
	return true
}

func bswap(c *core, in *inst) bool {
	switch v := c.r[in.rm&31]; in.sz {
	case 3:
		c.r[in.rm&31] = bits.ReverseBytes64(v)
	case 2:
		c.r[in.rm&31] = uint64(bits.ReverseBytes32(uint32(v)))
	default:
		c.set(in.rm, 1, 0) // undefined
	}
	return true
}

func reverse(v uint64, sz uint8) uint64 {
	return bits.ReverseBytes64(v) >> (63 - tops[sz&3])
}

func movbeLoad(c *core, in *inst) bool {
	v, ok := c.ld(c.addr(in), in.sz)
	if ok {
		c.set(in.reg, in.sz, reverse(v, in.sz))
	}
	return ok
}

func movbeStore(c *core, in *inst) bool {
	return c.st(c.addr(in), in.sz, reverse(c.get(in.reg, in.sz), in.sz))
}

// cbw is cbw, cwde and cdqe; cwd is cwd, cdq and cqo.
func cbw(c *core, in *inst) bool {
	v := c.get(0, in.sz-1)
	up := 63 - tops[(in.sz-1)&3]
	c.set(0, in.sz, uint64(int64(v<<up)>>up))
	return true
}

func cwd(c *core, in *inst) bool {
	up := 63 - tops[in.sz&3]
	c.set(2, in.sz, uint64(int64(c.r[0]<<up)>>63))
	return true
}

func lahf(c *core, _ *inst) bool {
	c.r[0] = c.r[0]&^0xff00 | (c.sync()&(arith&^of)|2)<<8
	return true
}

func sahf(c *core, _ *inst) bool {
	c.setArith(arith&^of, c.r[0]>>8)
	return true
}

// flagOp is cmc, clc, stc, cld and std.
func flagOp(c *core, in *inst) bool {
	f := c.sync()
	switch in.op {
	case 0xf5:
		f ^= cf
	case 0xf8:
		f &^= cf
	case 0xf9:
		f |= cf
	case 0xfc:
		f &^= df
	default:
		f |= df
	}
	c.flags = f
	return true
}

func xlat(c *core, in *inst) bool {
	a := c.r[3] + c.r[0]&0xff
	if in.a32 {
		a = uint64(uint32(a))
	}
	v, ok := c.ld8(a + c.r[in.seg&31])
	if ok {
		c.set(0, 0, v)
	}
	return ok
}

func xadd(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	r := c.alu(opAdd, in.sz, v, c.get(in.reg, in.sz))
	c.set(in.reg, in.sz, v)
	return c.setE(in, a, r)
}

func cmpxchg(c *core, in *inst) bool {
	v, a, ok := c.modE(in)
	if !ok {
		return false
	}
	acc := c.get(0, in.sz)
	c.alu(opSub, in.sz, acc, v)
	if acc == v {
		return c.setE(in, a, c.get(in.reg, in.sz))
	}
	c.set(0, in.sz, v)
	return !in.mem || c.st(a, in.sz, v)
}

func cmpxchg8b(c *core, in *inst) bool {
	a := c.addr(in)
	if !c.writable(a, 8) {
		return false
	}
	v, ok := c.ld64(a)
	if !ok {
		return false
	}
	if v == c.r[2]<<32|c.r[0]&0xffffffff {
		c.setArith(zf, zf)
		return c.st64(a, c.r[1]<<32|c.r[3]&0xffffffff)
	}
	c.setArith(zf, 0)
	c.set(0, 2, v)
	c.set(2, 2, v>>32)
	return c.st64(a, v)
}

func cmpxchg16b(c *core, in *inst) bool {
	a := c.addr(in)
	if a&15 != 0 {
		return c.fault(cpu.Protection)
	}
	if !c.writable(a, 16) {
		return false
	}
	v, ok := c.ldx(a)
	if !ok {
		return false
	}
	if v.lo == c.r[0] && v.hi == c.r[2] {
		c.setArith(zf, zf)
		return c.stx(a, xmm{c.r[3], c.r[1]})
	}
	c.setArith(zf, 0)
	c.r[0], c.r[2] = v.lo, v.hi
	return c.stx(a, v)
}

// btEG is the bit tests with a register as the bit's number, which reaches
// beyond the operand in memory.
func btEG(c *core, in *inst) bool {
	n := c.get(in.reg, in.sz)
	if !in.mem {
		return c.bitTest(in, n, 0)
	}
	up := 63 - tops[in.sz&3]
	return c.bitTest(in, n, uint64(int64(n<<up)>>up>>(3+in.sz)<<in.sz))
}

func btEI(c *core, in *inst) bool { return c.bitTest(in, in.imm, 0) }

func (c *core) bitTest(in *inst, n, offset uint64) bool {
	n &= uint64(tops[in.sz&3])
	v, a, ok := c.get(in.rm, in.sz), uint64(0), true
	if in.mem {
		a = c.ea(in) + offset
		if in.a32 {
			a = uint64(uint32(a))
		}
		a += c.r[in.seg&31]
		if in.op != 0 && !c.writable(a, 1<<in.sz) {
			return false
		}
		if v, ok = c.ld(a, in.sz); !ok {
			return false
		}
	}
	c.setArith(cf, v>>n&1)
	switch in.op {
	case 0:
		return true
	case 1:
		v |= 1 << n
	case 2:
		v &^= 1 << n
	case 3:
		v ^= 1 << n
	}
	return c.setE(in, a, v)
}

// bitScan is bsf and bsr. Of the flags but ZF is defined; a destination whose
// source is 0 stays.
func bitScan(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	if v == 0 {
		c.setArith(arith, zf)
		if in.sz == 2 {
			return true
		}
		return true
	}
	n := bits.TrailingZeros64(v)
	if in.op == 1 {
		n = 63 - bits.LeadingZeros64(v)
	}
	c.setArith(arith, 0)
	c.set(in.reg, in.sz, uint64(n))
	return true
}

// zeroCount is tzcnt and lzcnt. CF and ZF are defined.
func zeroCount(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	width := int(tops[in.sz&3]) + 1
	n := min(bits.TrailingZeros64(v), width)
	if in.op == 1 {
		n = bits.LeadingZeros64(v) - (64 - width)
	}
	f := b2u(n == width) * cf
	if n == 0 {
		f |= zf
	}
	c.setArith(arith, f)
	c.set(in.reg, in.sz, uint64(n))
	return true
}

func popcnt(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	c.setArith(arith, b2u(v == 0)*zf)
	c.set(in.reg, in.sz, uint64(bits.OnesCount64(v)))
	return true
}

// adx is adcx and adox; in.op is the flag it uses, OF shifted down to a byte.
func adx(c *core, in *inst) bool {
	v, _, ok := c.getE(in)
	if !ok {
		return false
	}
	flag := uint64(cf)
	if in.op != cf {
		flag = of
	}
	a := c.get(in.reg, in.sz)
	carry := b2u(c.sync()&flag != 0)
	var r, out uint64
	if in.sz == 3 {
		r, out = bits.Add64(a, v, carry)
	} else {
		r = a + v + carry
		out = r >> 32
	}
	c.setArith(flag, out*flag)
	c.set(in.reg, in.sz, r)
	return true
}

// crc32c is the instruction crc32; in.op is the size of the source.
func crc32c(c *core, in *inst) bool {
	v, ok := c.small(in)
	if !ok {
		return false
	}
	var b [8]byte
	le.PutUint64(b[:], v)
	crc := ^crc32.Update(^uint32(c.r[in.reg&31]), castagnoli, b[:1<<in.op])
	c.r[in.reg&31] = uint64(crc)
	return true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
