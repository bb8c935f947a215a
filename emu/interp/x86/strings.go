// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// stringOps are the string instructions by bits 1 to 3 of their opcodes.
var stringOps = [8]handler{2: movs, 3: cmps, 5: stos, 6: lods, 7: scas}

// index is an address register of a string instruction.
func (c *core) index(i uint8, in *inst) uint64 {
	if in.a32 {
		return uint64(uint32(c.r[i&31]))
	}
	return c.r[i&31]
}

// advance moves an address register by n elements.
func (c *core) advance(i uint8, in *inst, n uint64) {
	n <<= in.sz
	if c.flags&df != 0 {
		n = -n
	}
	c.r[i&31] += n
	if in.a32 {
		c.r[i&31] = uint64(uint32(c.r[i&31]))
	}
}

// repeat runs step, which does up to n elements and says how many it has done
// and whether to go on, as often as the prefix asks. Between steps the
// registers are those of an instruction that can be started again.
func (c *core) repeat(in *inst, step func(c *core, in *inst, n uint64) (uint64, bool)) bool {
	if in.rep == 0 {
		n, _ := step(c, in, 1)
		return n != 0
	}
	for {
		left := c.index(cpu.RCX, in)
		if left == 0 {
			return true
		}
		n, on := step(c, in, left)
		if n == 0 {
			return false
		}
		if left -= n; in.a32 {
			c.r[cpu.RCX] = left
		} else {
			c.r[cpu.RCX] -= n
		}
		if !on || left == 0 {
			return true
		}
		if c.budget -= int64(1 + n<<in.sz/64); c.budget <= 0 {
			c.why = whyAgain
			return false
		}
	}
}

func movs(c *core, in *inst) bool { return c.repeat(in, movsStep) }
func stos(c *core, in *inst) bool { return c.repeat(in, stosStep) }
func lods(c *core, in *inst) bool { return c.repeat(in, lodsStep) }
func cmps(c *core, in *inst) bool { return c.repeat(in, cmpsStep) }
func scas(c *core, in *inst) bool { return c.repeat(in, scasStep) }

func movsStep(c *core, in *inst, n uint64) (uint64, bool) {
	from, to := c.index(cpu.RSI, in)+c.r[in.seg&31], c.index(cpu.RDI, in)
	if size := n << in.sz; n > 1 && c.flags&df == 0 && size>>in.sz == n {
		if to > from {
			size = min(size, to-from) // what was written is read again
		}
		if src := c.slice(from, size, mem.Readable); src == nil {
			return 0, false
		} else if dst := c.slice(to, uint64(len(src)), mem.Writable); dst == nil {
			return 0, false
		} else if done := uint64(len(dst)) >> in.sz; done > 0 {
			c.written(to, done<<in.sz)
			copy(dst[:done<<in.sz], src)
			c.advance(cpu.RSI, in, done)
			c.advance(cpu.RDI, in, done)
			return done, true
		}
	}
	v, ok := c.ld(from, in.sz)
	if !ok || !c.st(to, in.sz, v) {
		return 0, false
	}
	c.advance(cpu.RSI, in, 1)
	c.advance(cpu.RDI, in, 1)
	return 1, true
}

func stosStep(c *core, in *inst, n uint64) (uint64, bool) {
	to := c.index(cpu.RDI, in)
	if size := n << in.sz; n > 1 && c.flags&df == 0 && size>>in.sz == n {
		dst := c.slice(to, size, mem.Writable)
		if dst == nil {
			return 0, false
		}
		if done := uint64(len(dst)) >> in.sz; done > 0 {
			dst = dst[:done<<in.sz]
			c.written(to, uint64(len(dst)))
			var b [8]byte
			le.PutUint64(b[:], c.r[0])
			for have := copy(dst, b[:1<<in.sz]); have < len(dst); have *= 2 {
				copy(dst[have:], dst[:have])
			}
			c.advance(cpu.RDI, in, done)
			return done, true
		}
	}
	if !c.st(to, in.sz, c.r[0]) {
		return 0, false
	}
	c.advance(cpu.RDI, in, 1)
	return 1, true
}

func lodsStep(c *core, in *inst, _ uint64) (uint64, bool) {
	v, ok := c.ld(c.index(cpu.RSI, in)+c.r[in.seg&31], in.sz)
	if !ok {
		return 0, false
	}
	c.set(0, in.sz, v)
	c.advance(cpu.RSI, in, 1)
	return 1, true
}

func cmpsStep(c *core, in *inst, _ uint64) (uint64, bool) {
	a, ok := c.ld(c.index(cpu.RSI, in)+c.r[in.seg&31], in.sz)
	if !ok {
		return 0, false
	}
	b, ok := c.ld(c.index(cpu.RDI, in), in.sz)
	if !ok {
		return 0, false
	}
	c.alu(opSub, in.sz, a, b)
	c.advance(cpu.RSI, in, 1)
	c.advance(cpu.RDI, in, 1)
	return 1, (a == b) == (in.rep == 0xf3)
}

func scasStep(c *core, in *inst, _ uint64) (uint64, bool) {
	a := c.get(0, in.sz)
	b, ok := c.ld(c.index(cpu.RDI, in), in.sz)
	if !ok {
		return 0, false
	}
	c.alu(opSub, in.sz, a, b)
	c.advance(cpu.RDI, in, 1)
	return 1, (a == b) == (in.rep == 0xf3)
}
