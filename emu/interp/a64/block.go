// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"

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

// block is a straight run of instructions, in one page.
type block struct {
	pc    uint64
	insts []inst
	links [2]*block // where it goes on: the branch taken, and not
	epoch uint64    // of the links
}

// codePage is the blocks that start in a page.
type codePage struct {
	number uint64
	bytes  *page
	lines  uint64 // which parts of it have been decoded
	blocks [pageSize / 4]*block
}

// blockCache is what has been decoded. A page that is written to where there was
// code loses all its blocks; links between blocks hold in one epoch.
type blockCache struct {
	pages map[uint64]*codePage
	fetch [fetchTLB]*codePage
	size  int // instructions
	epoch uint64
}

func (b *blockCache) clear() {
	b.pages = map[uint64]*codePage{}
	b.fetch = [fetchTLB]*codePage{}
	b.size = 0
	b.epoch++
}

func (b *blockCache) has(number uint64) bool { return b.pages[number] != nil }

func (b *blockCache) drop(number uint64) {
	if p := b.pages[number]; p != nil {
		for _, blk := range p.blocks {
			if blk != nil {
				b.size -= len(blk.insts)
			}
		}
		delete(b.pages, number)
		b.fetch[number%fetchTLB] = nil
		b.epoch++
	}
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
	if b := p.blocks[pc&pageMask>>2]; b != nil {
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
	if p == nil {
		code, err := c.mem.Fetch(efi.Addr(number<<pageShift), pageSize)
		if err != nil {
			return nil
		}
		if len(c.cache.pages) >= maxPages {
			c.cache.clear()
		}
		c.work += pageWork
		p = &codePage{number: number, bytes: (*page)(code)}
		c.cache.pages[number] = p
		if e := &c.wtlb[number%tlbSize]; e.number == number {
			*e = tlbEntry{number: nowhere}
		}
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
	b := &block{pc: pc, insts: append([]inst(nil), insts[:n]...), epoch: c.cache.epoch}
	fuse(b.insts)
	p.blocks[pc&pageMask>>2] = b
	c.cache.size += n
	c.work += decodeWork + uint64(n)*4
	if c.cover != nil {
		c.cover(efi.Addr(pc), 4*uint64(n))
	}
	return b
}

// link enters to as where from goes on.
func (c *core) link(from *block, slot int, to *block) {
	if from.epoch != c.cache.epoch {
		from.links = [2]*block{}
		from.epoch = c.cache.epoch
	}
	from.links[slot] = to
}
