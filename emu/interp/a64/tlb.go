// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"encoding/binary"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const (
	pageSize  = efi.PageSize
	pageShift = 12
	pageMask  = pageSize - 1
	tlbSize   = 256

	nowhere = 1<<64 - 1 // the number of no page
)

type page = [pageSize]byte

// tlbEntry is the bytes of a page.
type tlbEntry struct {
	number uint64
	bytes  *page
}

func (c *core) flushTLB() {
	c.window, c.writable = nil, nil
	for i := range c.rtlb {
		c.rtlb[i] = tlbEntry{number: nowhere}
		c.wtlb[i] = tlbEntry{number: nowhere}
	}
}

// fill finds the page of a for an access, and enters it where that access needs
// no more care. Nil is a page fault.
func (c *core) fill(a uint64, access mem.Perm) *page {
	number := a >> pageShift
	if access == mem.Writable && c.gates.Contains(efi.Addr(a)) {
		return nil
	}
	r, perm, bytes := c.mem.Window(efi.Addr(a))
	if perm&access == 0 {
		return nil
	}
	at := uint64(efi.Addr(number<<pageShift) - r.Start)
	p := (*page)(bytes[at : at+pageSize])
	switch {
	case access == mem.Readable:
		c.rtlb[number%tlbSize] = tlbEntry{number, p}
		c.at, c.window = uint64(r.Start), bytes
	case access == mem.Writable && !c.cache.has(number) && !c.watches(number):
		c.wtlb[number%tlbSize] = tlbEntry{number, p}
		c.writableAt, c.writable = uint64(r.Start), bytes
		if g := c.gates; g.Size() > 0 && g.End > r.Start && g.Start < r.End {
			c.exclude(uint64(g.Start)>>pageShift, uint64(g.End)>>pageShift, number)
		}
		for n, code := range c.cache.pages {
			if code.bytes != nil {
				c.exclude(n, n+1, number)
			}
		}
		for _, w := range c.watch {
			c.exclude(uint64(w)>>pageShift, uint64(w)>>pageShift+1, number)
		}
	}
	return p
}

// exclude takes pages out of writable, with all that the page keep is not on the
// same side as.
func (c *core) exclude(first, end, keep uint64) {
	from, to := first<<pageShift, end<<pageShift
	last := c.writableAt + uint64(len(c.writable))
	if len(c.writable) == 0 || from >= last || to <= c.writableAt {
		return
	}
	if keep < first {
		c.writable = c.writable[:max(from, c.writableAt)-c.writableAt]
		return
	}
	to = min(to, last)
	c.writable = c.writable[to-c.writableAt:]
	c.writableAt = to
}

// find is fill for pages that may have been entered before.
func (c *core) find(a uint64, access mem.Perm) *page {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if access == mem.Writable {
		e = &c.wtlb[a>>pageShift%tlbSize]
	}
	if e.number == a>>pageShift {
		return e.bytes
	}
	return c.fill(a, access)
}

// pageFault makes the fault of an access.
func (c *core) pageFault(a uint64, access mem.Perm) status {
	c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: efi.Addr(a), Access: access}
	return fault
}

func (c *core) alignmentFault(a uint64, access mem.Perm) status {
	c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.Alignment, Addr: efi.Addr(a), Access: access}
	return fault
}

// read copies bytes that may lie in two pages.
func (c *core) read(a uint64, dst []byte) status {
	n := uint64(len(dst))
	p := c.find(a, mem.Readable)
	if p == nil {
		return c.pageFault(a, mem.Readable)
	}
	here := min(n, pageSize-a&pageMask)
	copy(dst, p[a&pageMask:])
	if here < n {
		if p = c.find(a+here, mem.Readable); p == nil {
			return c.pageFault(a+here, mem.Readable)
		}
		copy(dst[here:], p[:])
	}
	return next
}

// write puts bytes into one or two pages, or into none if it faults.
func (c *core) write(a uint64, src []byte) status {
	n := uint64(len(src))
	p := c.find(a, mem.Writable)
	if p == nil {
		return c.pageFault(a, mem.Writable)
	}
	here := min(n, pageSize-a&pageMask)
	var q *page
	if here < n {
		if q = c.find(a+here, mem.Writable); q == nil {
			return c.pageFault(a+here, mem.Writable)
		}
	}
	copy(p[a&pageMask:], src[:here])
	st := c.written(a, here)
	if q != nil {
		copy(q[:], src[here:])
		st = max(st, c.written(a+here, n-here))
	}
	return st
}

// written does what a write to part of a page entails.
func (c *core) written(a, n uint64) status {
	st := next
	if c.cache.written(a, n) {
		st = leave
	}
	for _, w := range c.watch {
		if at := uint64(w) &^ 7; a < at+8 && at < a+n || a <= at && at-a < n {
			c.exit = cpu.Exit{Kind: cpu.Break, Addr: w}
			return hit
		}
	}
	return st
}

func (c *core) watches(number uint64) bool {
	for _, w := range c.watch {
		if uint64(w)>>pageShift == number {
			return true
		}
	}
	return false
}

// load64 and its kin read one value; a slow read that fails leaves the fault in
// core.exit.

func (c *core) loadN(a uint64, size uint8) (uint64, status) {
	var b [8]byte
	st := c.read(a, b[:1<<(size&3)])
	return binary.LittleEndian.Uint64(b[:]), st
}

func (c *core) load64(a uint64) (uint64, status) {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-8 {
		return binary.LittleEndian.Uint64(e.bytes[o : o+8]), next
	}
	return c.loadN(a, 3)
}

func (c *core) load32(a uint64) (uint64, status) {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-4 {
		return uint64(binary.LittleEndian.Uint32(e.bytes[o : o+4])), next
	}
	return c.loadN(a, 2)
}

func (c *core) load16(a uint64) (uint64, status) {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-2 {
		return uint64(binary.LittleEndian.Uint16(e.bytes[o : o+2])), next
	}
	return c.loadN(a, 1)
}

func (c *core) load8(a uint64) (uint64, status) {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if e.number == a>>pageShift {
		return uint64(e.bytes[a&pageMask]), next
	}
	return c.loadN(a, 0)
}

// loadSize is one of these by the logarithm of its size.
func (c *core) loadSize(a uint64, size uint8) (uint64, status) {
	switch size {
	case 0:
		return c.load8(a)
	case 1:
		return c.load16(a)
	case 2:
		return c.load32(a)
	}
	return c.load64(a)
}

func (c *core) storeN(a, v uint64, size uint8) status {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return c.write(a, b[:1<<(size&3)])
}

func (c *core) store64(a, v uint64) status {
	e := &c.wtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-8 {
		binary.LittleEndian.PutUint64(e.bytes[o:o+8], v)
		return next
	}
	return c.storeN(a, v, 3)
}

func (c *core) store32(a, v uint64) status {
	e := &c.wtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-4 {
		binary.LittleEndian.PutUint32(e.bytes[o:o+4], uint32(v))
		return next
	}
	return c.storeN(a, v, 2)
}

func (c *core) store8(a, v uint64) status {
	e := &c.wtlb[a>>pageShift%tlbSize]
	if e.number == a>>pageShift {
		e.bytes[a&pageMask] = byte(v)
		return next
	}
	return c.storeN(a, v, 0)
}

func (c *core) store16(a, v uint64) status {
	e := &c.wtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-2 {
		binary.LittleEndian.PutUint16(e.bytes[o:o+2], uint16(v))
		return next
	}
	return c.storeN(a, v, 1)
}

func (c *core) storeSize(a, v uint64, size uint8) status {
	switch size {
	case 0:
		return c.store8(a, v)
	case 1:
		return c.store16(a, v)
	case 2:
		return c.store32(a, v)
	}
	return c.store64(a, v)
}

// load128 and store128 are two values, or a vector register's.
func (c *core) load128(a uint64) (lo, hi uint64, st status) {
	e := &c.rtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-16 {
		b := e.bytes[o : o+16]
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), next
	}
	return c.load128Slow(a)
}

func (c *core) load128Slow(a uint64) (lo, hi uint64, st status) {
	var b [16]byte
	st = c.read(a, b[:])
	return binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]), st
}

func (c *core) store128(a, lo, hi uint64) status {
	e := &c.wtlb[a>>pageShift%tlbSize]
	if o := a & pageMask; e.number == a>>pageShift && o <= pageSize-16 {
		b := e.bytes[o : o+16]
		binary.LittleEndian.PutUint64(b, lo)
		binary.LittleEndian.PutUint64(b[8:], hi)
		return next
	}
	return c.store128Slow(a, lo, hi)
}

func (c *core) store128Slow(a, lo, hi uint64) status {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], lo)
	binary.LittleEndian.PutUint64(b[8:], hi)
	return c.write(a, b[:])
}

// canWrite checks a whole range of at most a page before any of it is written.
func (c *core) canWrite(a, n uint64) status {
	if c.find(a, mem.Writable) == nil {
		return c.pageFault(a, mem.Writable)
	}
	if rest := pageSize - a&pageMask; rest < n && c.find(a+rest, mem.Writable) == nil {
		return c.pageFault(a+rest, mem.Writable)
	}
	return next
}
