// SPDX-License-Identifier: BSD-3-Clause

package a64

import "github.com/uefiexec/uefiexec/emu/mem"

// decodeExclusive is exclusive and ordered accesses, and compare and swap. With
// one processor order means nothing.
func decodeExclusive(i *inst) {
	raw := i.raw
	i.sz = uint8(raw >> 30)
	i.rm = zr(raw >> 16) // Rs
	rest := raw>>10&31 == 31
	loads := raw>>22&1 != 0
	switch o2, o1 := raw>>23&1, raw>>21&1; {
	case o2 == 0 && o1 == 0, o2 == 0 && o1 == 1 && i.sz >= 2:
		i.ra = zr(raw >> 10)
		if loads {
			i.rd, i.ra = sink(raw), sink(raw>>10)
			i.call(loadExclusive)
		} else {
			i.rm = sink(raw >> 16)
			i.call(storeExclusive)
		}
	case o2 == 1 && o1 == 0 && loads:
		i.rd = sink(raw)
		i.call(loadOrdered)
	case o2 == 1 && o1 == 0:
		i.call(storeOrdered)
	case o2 == 1 && rest:
		i.call(compareAndSwap)
	case o2 == 0 && rest && raw>>16&1 == 0 && raw&1 == 0: // casp
		i.sz += 2
		i.call(compareAndSwapPair)
	}
}

// isPair reports whether an exclusive access is to two registers.
func (i *inst) isPair() bool { return i.raw>>21&1 != 0 }

func loadExclusive(c *core, i *inst) status {
	a, size, span := c.x[i.rn], i.sz, uint64(1)<<i.sz
	if i.isPair() {
		span *= 2
	}
	if a%span != 0 {
		return c.alignmentFault(a, mem.Readable)
	}
	v, st := c.loadSize(a, size)
	if st != next {
		return st
	}
	if i.isPair() {
		w, st := c.loadSize(a+span/2, size)
		if st != next {
			return st
		}
		c.x[i.rd], c.x[i.ra] = v, w
	} else {
		c.x[i.rd] = v
	}
	c.monitor.valid, c.monitor.addr, c.monitor.size = true, a, uint8(span)
	return next
}

func storeExclusive(c *core, i *inst) status {
	a, span := c.x[i.rn], uint64(1)<<i.sz
	if i.isPair() {
		span *= 2
	}
	if a%span != 0 {
		return c.alignmentFault(a, mem.Writable)
	}
	if !c.monitor.valid || c.monitor.addr != a || uint64(c.monitor.size) != span {
		if st := c.canWrite(a, span); st != next {
			return st
		}
		c.monitor.valid = false
		c.x[i.rm] = 1
		return next
	}
	var st status
	switch {
	case !i.isPair():
		st = c.storeSize(a, c.x[i.rd], i.sz)
	case i.sz == 3:
		st = c.store128(a, c.x[i.rd], c.x[i.ra])
	default:
		st = c.store64(a, c.x[i.rd]&0xffffffff|c.x[i.ra]<<32)
	}
	if st != fault {
		c.monitor.valid = false
		c.x[i.rm] = 0
	}
	return st
}

func loadOrdered(c *core, i *inst) status {
	a := c.x[i.rn]
	if a&(1<<i.sz-1) != 0 {
		return c.alignmentFault(a, mem.Readable)
	}
	v, st := c.loadSize(a, i.sz)
	if st == next {
		c.x[i.rd] = v
	}
	return st
}

func storeOrdered(c *core, i *inst) status {
	a := c.x[i.rn]
	if a&(1<<i.sz-1) != 0 {
		return c.alignmentFault(a, mem.Writable)
	}
	return c.storeSize(a, c.x[i.rd], i.sz)
}

// decodeAtomic is the atomic operations of FEAT_LSE, and ldapr.
func decodeAtomic(i *inst) {
	raw := i.raw
	if raw>>26&1 != 0 {
		return
	}
	i.sz = uint8(raw >> 30)
	i.rm, i.rd = zr(raw>>16), sink(raw)
	switch op := raw >> 12 & 15; {
	case op <= 8:
		i.call(atomic)
	case op == 12 && raw>>22&3 == 2 && i.rm == regZR:
		i.call(loadOrdered)
	}
}

func atomic(c *core, i *inst) status {
	a, v := c.x[i.rn], c.x[i.rm]
	if a&(1<<i.sz-1) != 0 {
		return c.alignmentFault(a, mem.Readable)
	}
	old, st := c.loadSize(a, i.sz)
	if st != next {
		return st
	}
	n := uint(8) << i.sz
	if n < 64 {
		v &= 1<<n - 1
	}
	r, less := v, false
	switch i.raw >> 12 & 15 {
	case 0:
		r = old + v
	case 1:
		r = old &^ v
	case 2:
		r = old ^ v
	case 3:
		r = old | v
	case 4, 5:
		less = int64(signExtend(old, n)) < int64(signExtend(v, n))
		if less == (i.raw>>12&1 != 0) {
			r = old
		}
	case 6, 7:
		less = old < v
		if less == (i.raw>>12&1 != 0) {
			r = old
		}
	}
	if st = c.storeSize(a, r, i.sz); st != fault {
		c.x[i.rd] = old
	}
	return st
}

func compareAndSwap(c *core, i *inst) status {
	a, want := c.x[i.rn], c.x[i.rm]
	if a&(1<<i.sz-1) != 0 {
		return c.alignmentFault(a, mem.Readable)
	}
	old, st := c.loadSize(a, i.sz)
	if st != next {
		return st
	}
	if i.sz < 3 {
		want &= 1<<(8<<i.sz) - 1
	}
	if old != want {
		st = c.canWrite(a, 1<<i.sz)
	} else {
		st = c.storeSize(a, c.x[i.rd], i.sz)
	}
	if st != fault && i.rm != regZR {
		c.x[i.rm] = old
	}
	return st
}

func compareAndSwapPair(c *core, i *inst) status {
	a, size := c.x[i.rn], i.sz
	if a&(2<<size-1) != 0 {
		return c.alignmentFault(a, mem.Readable)
	}
	s, t := i.raw>>16&31, i.raw&31
	pair := func(n uint32) vec {
		v := vec{c.x[n], c.x[zr(n+1)]}
		if size == 2 {
			v[0], v[1] = v[0]&0xffffffff, v[1]&0xffffffff
		}
		return v
	}
	lo, st := c.loadSize(a, size)
	if st != next {
		return st
	}
	hi, _ := c.loadSize(a+1<<size, size)
	if pair(s) != (vec{lo, hi}) {
		st = c.canWrite(a, 2<<size)
	} else if v := pair(t); size == 3 {
		st = c.store128(a, v[0], v[1])
	} else {
		st = c.store64(a, v[0]|v[1]<<32)
	}
	if st != fault {
		c.x[s] = lo
		c.x[sink(s+1)] = hi
	}
	return st
}
