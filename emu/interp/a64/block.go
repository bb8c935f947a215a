// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	maxBlock = 64      // instructions in a block
	maxCode  = 1 << 19 // decoded instructions in the cache
	maxPages = 4096    // of them
	fetchTLB = 64

	// What decoding a block, and dropping and making a page, costs in
	// instructions.
	decodeWork = 100
	pageWork   = 1000

	lineSize = 64 // what a bit of codePage.lines stands for
)

// block is a straight run of instructions, in one page. It has none until it is
// decoded, and again when they may have changed: links to it hold all the same.
type block struct {
	pc    uint64
	insts []inst
	size  int       // how many there are
	start [2]*uop   // the first two of what does them; an opEnd is the last
	links [2]*block // where it goes on: the branch taken, and not
}

// codePage is the blocks that start in a page. It has no bytes when nothing of it
// is decoded.
type codePage struct {
	number uint64
	bytes  *page
	lines  uint64 // which parts of it have been decoded
	blocks [pageSize / 4]*block
}

// blockCache is what has been decoded. In a page that is written to where there was
// code all blocks become empty.
type blockCache struct {
	pages map[uint64]*codePage
	fetch [fetchTLB]*codePage
	size  int // instructions
}

func (b *blockCache) clear() {
	b.pages = map[uint64]*codePage{}
	b.fetch = [fetchTLB]*codePage{}
	b.size = 0
}

func (b *blockCache) has(number uint64) bool {
	p := b.pages[number]
	return p != nil && p.bytes != nil
}

func (b *blockCache) drop(number uint64) {
	p := b.pages[number]
	if p == nil || p.bytes == nil {
		return
	}
	for _, blk := range p.blocks {
		if blk != nil {
			b.size -= len(blk.insts)
			blk.fill(nil)
			blk.links = [2]*block{}
		}
	}
	p.bytes, p.lines = nil, 0
	b.fetch[number%fetchTLB] = nil
}

// written drops what was decoded from n bytes in one page and reports whether
// there was something.
func (b *blockCache) written(a, n uint64) bool {
	p := b.pages[a>>pageShift]
	if p == nil {
		return false
	}
	first, last := a&pageMask/lineSize, (a+n-1)&pageMask/lineSize
	if p.lines>>first<<first<<(63-last)>>(63-last) == 0 {
		return false
	}
	b.drop(a >> pageShift)
	return true
}

// edited is written for any range.
func (b *blockCache) edited(r efi.Range) {
	if len(b.pages) == 0 || r.Size() == 0 {
		return
	}
	first, last := uint64(r.Start)>>pageShift, (uint64(r.End)-1)>>pageShift
	if last-first < uint64(len(b.pages)) {
		for n := first; n <= last; n++ {
			from, to := max(uint64(r.Start), n<<pageShift), min(uint64(r.End)-1, n<<pageShift|pageMask)
			b.written(from, to-from+1)
		}
		return
	}
	for n := range b.pages {
		if n >= first && n <= last {
			b.drop(n)
		}
	}
}

// block finds or decodes the block at pc, which is no gate. Nil is a page fault.
func (c *core) block(pc uint64) *block {
	number := pc >> pageShift
	p := c.cache.fetch[number%fetchTLB]
	if p == nil || p.number != number {
		if p = c.codePage(number); p == nil {
			return nil
		}
	}
	if b := p.blocks[pc&pageMask>>2]; b != nil && len(b.insts) > 0 {
		return b
	}
	if c.cache.size > maxCode {
		c.cache.clear()
		if p = c.codePage(number); p == nil {
			return nil
		}
	}
	return c.decodeBlock(p, pc)
}

func (c *core) codePage(number uint64) *codePage {
	p := c.cache.pages[number]
	if p == nil || p.bytes == nil {
		code, err := c.mem.Fetch(efi.Addr(number<<pageShift), pageSize)
		if err != nil {
			return nil
		}
		c.work += pageWork
		if p == nil {
			if len(c.cache.pages) >= maxPages {
				c.cache.clear()
			}
			p = &codePage{number: number}
			c.cache.pages[number] = p
		}
		p.bytes = (*page)(code)
		if e := &c.wtlb[number%tlbSize]; e.number == number {
			*e = tlbEntry{number: nowhere}
		}
		c.exclude(number, number+1, (c.writableAt+uint64(len(c.writable))/2)>>pageShift)
	}
	c.cache.fetch[number%fetchTLB] = p
	return p
}

func (c *core) decodeBlock(p *codePage, pc uint64) *block {
	var insts [maxBlock]inst
	n := 0
	for at := pc & pageMask; n < maxBlock && at < pageSize; at += 4 {
		i, last := decode(binary.LittleEndian.Uint32(p.bytes[at:at+4]), pc+uint64(4*n), n)
		insts[n] = i
		n++
		p.lines |= 1 << (at / lineSize)
		if last || c.gates.Contains(efi.Addr(pc+uint64(4*n))) {
			break
		}
	}
	b := p.blocks[pc&pageMask>>2]
	if b == nil {
		b = &block{pc: pc}
		p.blocks[pc&pageMask>>2] = b
	}
	b.fill(slices.Clone(insts[:n]))
	c.cache.size += n
	c.work += decodeWork + uint64(n)*4
	if c.cover != nil {
		c.cover(efi.Addr(pc), 4*uint64(n))
	}
	return b
}

// link enters to as where from goes on. A block that has become empty goes on
// to itself, once.
func (c *core) link(from *block, slot int, to *block) {
	if len(from.insts) > 0 && (from != to || slot == 0) {
		from.links[slot] = to
	}
}
