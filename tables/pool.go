// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	// PoolAlignment is that of every pool allocation, in bytes. The
	// specification asks for 8 (§7.2.4).
	PoolAlignment = 16

	// MaxPoolBlocks is how many blocks a Pool holds at most: a block is a page
	// of small allocations, or one large one. A call that would need more fails
	// with OutOfResources.
	MaxPoolBlocks = 65536
)

// Pool allocates parts of pages (§7.2.4). All that it knows of its allocations
// lies in the host: a guest that writes past the end of one harms its
// neighbours, but not the pool. It does not fill or clear memory.
//
// Sizes are rounded up to a power of two from PoolAlignment on. Those up to
// half of the type's granularity share a block, larger ones get pages of their
// own. A block is given back to the memory map when its last allocation is
// freed, so the map's key changes only when a block is taken or given back.
type Pool struct {
	memory  *MemoryMap
	blocks  map[efi.Addr]*poolBlock
	partial map[poolClass][]*poolBlock // with room, the one to use last
}

// poolClass names the blocks that can serve the same allocations.
type poolClass struct {
	mt    efi.MemoryType
	shift uint8 // log2 of the size of a slot
}

// poolBlock is one granule cut into slots of one size, or one large allocation.
type poolBlock struct {
	start efi.Addr
	class poolClass
	pages uint64   // of a large allocation, otherwise zero
	used  []uint64 // a bit for each slot
	live  int
	slots int
	index int // in Pool.partial, or -1
}

// NewPool is an empty pool that takes its pages from m.
func NewPool(m *MemoryMap) *Pool {
	return &Pool{
		memory:  m,
		blocks:  make(map[efi.Addr]*poolBlock),
		partial: make(map[poolClass][]*poolBlock),
	}
}

// Allocate finds size bytes of type mt, aligned to PoolAlignment. For no bytes
// it gives the smallest allocation.
//
// InvalidParameter: mt is one that AllocatePages refuses. OutOfResources: there
// is no memory, or the pool or the map is full.
func (p *Pool) Allocate(mt efi.MemoryType, size uint64) (efi.Addr, error) {
	granule := p.memory.Granularity(mt)
	if size > granule/2 {
		b, err := p.grow(mt, efi.Pages(size))
		if err != nil {
			return 0, err
		}
		b.pages = efi.Pages(size)
		return b.start, nil
	}
	class := poolClass{mt: mt, shift: uint8(bits.Len64(max(size, PoolAlignment) - 1))}
	if len(p.partial[class]) == 0 {
		b, err := p.grow(mt, granule/efi.PageSize)
		if err != nil {
			return 0, err
		}
		b.class = class
		b.slots = int(granule >> class.shift)
		b.used = make([]uint64, (b.slots+63)/64)
		p.addPartial(b)
	}
	blocks := p.partial[class]
	b := blocks[len(blocks)-1]
	slot := b.take()
	if b.live == b.slots {
		p.removePartial(b)
	}
	return b.start + efi.Addr(slot)<<class.shift, nil
}

// Clone is a copy that shares nothing with p and takes its pages from m, which
// is a clone of the memory map that p takes them from.
func (p *Pool) Clone(m *MemoryMap) *Pool {
	c := NewPool(m)
	for start, b := range p.blocks {
		copied := *b
		copied.used = slices.Clone(b.used)
		c.blocks[start] = &copied
	}
	for class, blocks := range p.partial {
		for _, b := range blocks {
			c.partial[class] = append(c.partial[class], c.blocks[b.start])
		}
	}
	return c
}

// grow takes a new block from the memory map.
func (p *Pool) grow(mt efi.MemoryType, pages uint64) (*poolBlock, error) {
	if len(p.blocks) >= MaxPoolBlocks {
		return nil, fmt.Errorf("pool: %d blocks: %w", len(p.blocks), efi.OutOfResources)
	}
	start, err := p.memory.allocate(efi.AllocateAnyPages, mt, pages, 0, OwnerPool)
	if err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	b := &poolBlock{start: start, class: poolClass{mt: mt}, index: -1}
	p.blocks[start] = b
	return b, nil
}

// Free takes back what Allocate gave.
//
// InvalidParameter: addr is no allocation, or is one no more. OutOfResources:
// the memory map is full, and the allocation stays.
func (p *Pool) Free(addr efi.Addr) error {
	b, slot, ok := p.find(addr)
	if !ok {
		return fmt.Errorf("pool: %v was not allocated: %w", addr, efi.InvalidParameter)
	}
	if b.pages == 0 && b.live > 1 {
		b.used[slot/64] &^= 1 << (slot % 64)
		b.live--
		if b.index < 0 {
			p.addPartial(b)
		}
		return nil
	}
	if err := p.memory.free(b.start, max(b.pages, 1), OwnerPool); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	delete(p.blocks, b.start)
	if b.index >= 0 {
		p.removePartial(b)
	}
	return nil
}

// find is the live allocation that begins at addr.
func (p *Pool) find(addr efi.Addr) (b *poolBlock, slot uint64, ok bool) {
	if b = p.blocks[addr]; b != nil && b.pages > 0 {
		return b, 0, true
	}
	unit := uint64(efi.PageSize)
	if d, ok := p.memory.Lookup(addr); ok {
		unit = p.memory.Granularity(d.Type)
	}
	b = p.blocks[addr&^efi.Addr(unit-1)]
	if b == nil || b.pages > 0 {
		return nil, 0, false
	}
	offset := uint64(addr - b.start)
	slot = offset >> b.class.shift
	if slot<<b.class.shift != offset || b.used[slot/64]>>(slot%64)&1 == 0 {
		return nil, 0, false
	}
	return b, slot, true
}

// Live is the number of allocations that are not freed.
func (p *Pool) Live() int {
	live := 0
	for _, b := range p.blocks {
		if b.pages > 0 {
			live++
		}
		live += b.live
	}
	return live
}

// take marks the lowest free slot, of which there is one, as used.
func (b *poolBlock) take() int {
	b.live++
	for i, word := range b.used {
		if word != ^uint64(0) {
			bit := bits.TrailingZeros64(^word)
			b.used[i] |= 1 << bit
			return i*64 + bit
		}
	}
	return 0
}

func (p *Pool) addPartial(b *poolBlock) {
	blocks := p.partial[b.class]
	b.index = len(blocks)
	p.partial[b.class] = append(blocks, b)
}

func (p *Pool) removePartial(b *poolBlock) {
	blocks := p.partial[b.class]
	last := blocks[len(blocks)-1]
	blocks[b.index] = last
	last.index = b.index
	blocks[len(blocks)-1] = nil
	if len(blocks) == 1 {
		delete(p.partial, b.class)
	} else {
		p.partial[b.class] = blocks[:len(blocks)-1]
	}
	b.index = -1
}
