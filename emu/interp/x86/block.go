// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"errors"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const (
	maxBlock    = 64      // instructions in a block
	maxBranches = 6       // jumps in a block before its end
	maxCached   = 1 << 18 // instructions decoded; then all blocks are dropped
	recentSize  = 4096
	lineShift   = 6 // code in a page is noted by lines of 64 bytes
	longest     = 15

	// dropped is the address of a block that is no more; it is not canonical.
	dropped = 1 << 62
)

// block is a run of instructions that is entered at its first.
type block struct {
	start [2]*uop // the first two
	pc    uint64
	n     uint64 // instructions
	insts []inst
	ops   []uop // uEnd is the last
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
		c.cached += len(b.insts)
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

// build decodes the block at pc. It goes on behind conditional jumps, and where jumps
// within the page go.
func (c *core) build(pc uint64, single bool) *block {
	limit, branches := maxBlock, maxBranches
	if single {
		limit, branches = 1, 0
	}
	list := c.scratch[:0]
	b := &block{pc: pc}
	from, at, page := pc, pc, pc/pageSize
	var parts []efi.Range
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
		d.n = uint8(len(list))
		d.pc, d.next = at, at+uint64(n)
		at += uint64(n)
		if d.end && !d.odd && branches > 0 {
			switch {
			case d.family == famJcc && d.disp > d.pc:
				d.end = false
				branches--
			case d.family == famJmp && d.disp/pageSize == page && d.disp != pc:
				d.family, d.end = famNop, false
				branches--
				parts = append(parts, efi.Range{Start: efi.Addr(from), End: efi.Addr(at)})
				from, at = d.disp, d.disp
			}
		}
		list = append(list, d)
		if d.end {
			break
		}
	}
	if at > from {
		parts = append(parts, efi.Range{Start: efi.Addr(from), End: efi.Addr(at)})
	}
	c.scratch = list
	b.n = uint64(len(list))
	b.insts = make([]inst, len(list), len(list)+1)
	for i := range list {
		b.insts[i] = list[i].inst
	}
	if last := &list[len(list)-1]; !last.end || !single && last.family == famJcc && !last.odd {
		b.insts = append(b.insts, inst{fn: goOn, pc: at, next: at, n: uint8(len(list))})
	}
	if !single {
		drafts := c.drafts[:0]
		for i := range list {
			drafts = list[i].lower(drafts, &b.insts[i])
		}
		if n := len(list); len(b.insts) > n {
			drafts = append(drafts, draft{uop: uop{op: uGoOn, to: at, n: uint8(n)}, in: &b.insts[n]})
		}
		c.drafts = drafts
		b.ops = optimise(drafts)
		for n := range b.ops[2:] {
			b.ops[n].next2 = &b.ops[n+2]
		}
		b.start = [2]*uop{&b.ops[0], &b.ops[1]}
	}
	for _, r := range parts {
		if c.cover != nil {
			c.cover(r.Start, r.Size())
		}
		c.note(b, uint64(r.Start), uint64(r.End))
	}
	return b
}

// note keeps that a block has code from an address to another.
func (c *core) note(b *block, start, end uint64) {
	for p := start / pageSize; p <= (end-1)/pageSize; p++ {
		code := c.pages[p]
		if code == nil {
			code = &codePage{}
			c.pages[p] = code
			c.wt.drop(p)
		}
		from, to := max(start, p*pageSize), min(end, (p+1)*pageSize)
		code.lines |= lines(from&pageMask, to-from)
		code.blocks = append(code.blocks, b)
	}
}

// goOn leaves a block whose last instruction is no branch.
func goOn(c *core, in *inst) bool {
	c.pc = in.next
	return true
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

// drop makes a block be found no more, and be left behind the instruction that
// executes.
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
	b.pc = dropped
	for i := range b.ops {
		b.ops[i].link = nil
	}
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
