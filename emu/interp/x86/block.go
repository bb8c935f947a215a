// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"errors"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const (
	maxBlock   = 64      // instructions in a block
	maxCached  = 1 << 18 // instructions decoded; then all blocks are dropped
	recentSize = 4096
	lineShift  = 6 // code in a page is noted by lines of 64 bytes
	longest    = 15

	// dropped is the address of a block that is no more; it is not canonical.
	dropped = 1 << 62
)

// block is a run of instructions that is entered at its first.
type block struct {
	pc   uint64
	n    uint64 // instructions, fused ones counted
	ops  []inst
	link [2]*block // where it went last
}

// codePage is a page from which blocks were decoded.
type codePage struct {
	lines  uint64
	blocks []*block
}

// lookup finds or makes the block at pc, of one instruction if single. A nil
// block is a fault in core.exit.
func (c *core) lookup(pc uint64, single bool) *block {
	all := c.blocks
	if single {
		all = c.singles
	} else if b := c.recent[pc%recentSize]; b != nil && b.pc == pc {
		return b
	}
	b := all[pc]
	if b == nil {
		if c.cached > maxCached {
			c.flush()
			all = c.blocks
			if single {
				all = c.singles
			}
		}
		if b = c.build(pc, single); b == nil {
			return nil
		}
		all[pc] = b
		c.cached += len(b.ops)
	}
	if !single {
		c.recent[pc%recentSize] = b
	}
	return b
}

// fetch copies the code at pc into buf, up to the end of what is executable.
// It is a fault if there is none.
func (c *core) fetch(pc uint64, buf *[longest]byte) int {
	n := 0
	for n < longest {
		a := pc + uint64(n)
		if !canonical(a) {
			break
		}
		p := c.page(a/pageSize, mem.Executable)
		if p == nil {
			break
		}
		n += copy(buf[n:], p[a&pageMask:])
	}
	return n
}

// build decodes the block at pc.
func (c *core) build(pc uint64, single bool) *block {
	limit := maxBlock
	if single {
		limit = 1
	}
	list := c.scratch[:0]
	at, page := pc, pc/pageSize
	count := uint64(0)
	for len(list) < limit && at/pageSize == page {
		if len(list) > 0 && c.gates.Contains(efi.Addr(at)) {
			break
		}
		var buf [longest]byte
		have := c.fetch(at, &buf)
		d, n, err := decode(buf[:have], at)
		if errors.Is(err, errShort) {
			if len(list) > 0 {
				break // it faults when it is reached
			}
			if a := at + uint64(have); !canonical(a) {
				c.fault(cpu.Protection)
			} else {
				c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: efi.Addr(a), Access: mem.Executable}
			}
			return nil
		}
		d.n = uint8(count)
		d.pc, d.next = at, at+uint64(n)
		count++
		at += uint64(n)
		list = append(list, d)
		if d.end {
			break
		}
	}
	if c.cover != nil {
		c.cover(efi.Addr(pc), at-pc)
	}
	c.scratch = list
	if !single {
		list = optimise(list)
	}
	b := &block{pc: pc, n: count, ops: make([]inst, 0, len(list)+1)}
	for i := range list {
		b.ops = append(b.ops, list[i].inst)
	}
	if last := &list[len(list)-1]; !last.end {
		b.ops = append(b.ops, inst{fn: goOn, pc: at, next: at, n: uint8(count)})
	}
	for p := page; p <= (at-1)/pageSize; p++ {
		code := c.pages[p]
		if code == nil {
			code = &codePage{}
			c.pages[p] = code
			c.wt.drop(p)
		}
		from, to := max(pc, p*pageSize), min(at, (p+1)*pageSize)
		code.lines |= lines(from&pageMask, to-from)
		code.blocks = append(code.blocks, b)
	}
	return b
}

// goOn leaves a block whose last instruction is no branch.
func goOn(c *core, in *inst) bool {
	c.pc = in.next
	return true
}

// optimise fuses comparisons with jumps and takes away the work for flags that
// nobody sees.
func optimise(list []decoded) []decoded {
	if n := len(list); n >= 2 {
		if last, before := &list[n-1], &list[n-2]; last.fuse == fuseJump && before.fuse != fuseNone {
			if fn := fused(before.fuse, last.op); fn != nil {
				before.fn, before.disp, before.next, before.end = fn, last.disp, last.next, true
				before.flags, before.quiet = flagsRead, nil
				list = list[:n-1]
			}
		}
	}
	live := true
	for i := len(list) - 1; i >= 0; i-- {
		switch d := &list[i]; d.flags {
		case flagsRead:
			live = true
		case flagsWrites:
			if !live && d.quiet != nil {
				d.fn = d.quiet
			}
			live = false
		case flagsKeep:
			if !live && d.quiet != nil {
				d.fn = d.quiet
			} else {
				live = true
			}
		}
	}
	return list
}

func lines(offset, n uint64) uint64 {
	first, last := offset>>lineShift, (offset+n-1)>>lineShift
	return (1<<64 - 1) << first & (1<<64 - 1) >> (63 - min(last, 63))
}

// wrote drops the blocks of a page if their code is overwritten.
func (c *core) wrote(p *codePage, number, offset, n uint64) {
	if n == 0 || p.lines&lines(offset, n) == 0 {
		return
	}
	for _, b := range p.blocks {
		c.drop(b)
	}
	delete(c.pages, number)
}

// drop makes a block leave at its next instruction, and be found no more.
func (c *core) drop(b *block) {
	if b.pc == dropped {
		return
	}
	if c.blocks[b.pc] == b {
		delete(c.blocks, b.pc)
	} else if c.singles[b.pc] == b {
		delete(c.singles, b.pc)
	}
	if r := &c.recent[b.pc%recentSize]; *r == b {
		*r = nil
	}
	b.pc, b.link = dropped, [2]*block{}
	for i := range b.ops {
		b.ops[i].fn = again
	}
}

func again(c *core, in *inst) bool {
	c.why = whyAgain
	return false
}

// flush drops everything that was decoded or looked up.
func (c *core) flush() {
	for _, b := range c.blocks {
		c.drop(b)
	}
	for _, b := range c.singles {
		c.drop(b)
	}
	c.blocks, c.singles, c.pages = map[uint64]*block{}, map[uint64]*block{}, map[uint64]*codePage{}
	c.recent = [recentSize]*block{}
	c.cached = 0
	c.rt.clear()
	c.wt.clear()
}

// Edited drops code that the host is about to change.
func (c *core) Edited(r efi.Range) {
	first, last := uint64(r.Start)/pageSize, uint64(r.End-1)/pageSize
	if last-first < uint64(len(c.pages)) {
		for n := first; n <= last; n++ {
			if p := c.pages[n]; p != nil {
				c.editedPage(p, n, r)
			}
		}
		return
	}
	for n, p := range c.pages {
		if n >= first && n <= last {
			c.editedPage(p, n, r)
		}
	}
}

func (c *core) editedPage(p *codePage, n uint64, r efi.Range) {
	from, to := max(uint64(r.Start), n*pageSize), min(uint64(r.End), (n+1)*pageSize)
	c.wrote(p, n, from&pageMask, to-from)
}

// Protected forgets what was allowed.
func (c *core) Protected(efi.Range, mem.Perm) { c.flush() }
