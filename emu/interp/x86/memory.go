// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"encoding/binary"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const (
	pageSize = efi.PageSize
	pageMask = pageSize - 1
	tlbSize  = 1024
	noPage   = 1<<64 - 1
)

// tlbEntry is a page that can be accessed without asking.
type tlbEntry struct {
	tag  uint64 // page number
	page *[pageSize]byte
}

// tlb finds pages by their number.
type tlb [tlbSize]tlbEntry

// has is whether the n bytes at a are in the page.
func (e *tlbEntry) has(a, n uint64) bool {
	return e.tag == a/pageSize && a&pageMask <= pageSize-n
}

// place is where in a tlb the page of an address is. The upper bits count too, as what is
// used together often lies at round addresses.
func place(a uint64) uint64 { return (a>>12 ^ a>>22) % tlbSize }

func (t *tlb) clear() {
	for i := range t {
		t[i] = tlbEntry{tag: noPage}
	}
}

func (t *tlb) drop(page uint64) {
	if e := &t[place(page*pageSize)]; e.tag == page {
		*e = tlbEntry{tag: noPage}
	}
}

var le = binary.LittleEndian

func canonical(a uint64) bool { return uint64(int64(a<<16)>>16) == a }

// page is the page with a number if access is allowed there. Writes of pages of
// code and of watched pages go through store.
func (c *core) page(number uint64, access mem.Perm) *[pageSize]byte {
	a := efi.Addr(number * pageSize)
	if access == mem.Writable && c.gates.Contains(a) {
		return nil
	}
	r, p, view := c.mem.Window(a)
	if r.Size() == 0 || p&access == 0 {
		return nil
	}
	return (*[pageSize]byte)(view[a-r.Start:])
}

// reach is page with the fault that its absence is.
func (c *core) reach(a uint64, access mem.Perm) *[pageSize]byte {
	t := &c.rt
	if access == mem.Writable {
		t = &c.wt
	}
	number := a / pageSize
	e := &t[place(a)]
	if e.tag == number {
		return e.page
	}
	if !canonical(a) {
		c.fault(cpu.Protection)
		return nil
	}
	p := c.page(number, access)
	if p == nil {
		c.why, c.exit = whyFault, cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: efi.Addr(a), Access: access}
		return nil
	}
	if access != mem.Writable || len(c.watch) == 0 && c.pages[number] == nil {
		*e = tlbEntry{number, p}
	}
	return p
}

// fault makes a fault without an address.
func (c *core) fault(cause cpu.Cause) bool {
	c.why, c.exit = whyFault, cpu.Exit{Kind: cpu.Fault, Cause: cause}
	return false
}

// written is told of writes: it drops code and sees what is watched.
func (c *core) written(a, n uint64) {
	if len(c.watch) > 0 {
		for _, w := range c.watch {
			if w := uint64(w) &^ 7; a < w+8 && w < a+n {
				c.hit, c.hitAt = true, w
			}
		}
	}
	if p := c.pages[a/pageSize]; p != nil {
		c.wrote(p, a/pageSize, a&pageMask, n)
	}
}

// slice is what of the n bytes at a lies in one page, for string instructions.
// After a write its range has to be given to written.
func (c *core) slice(a, n uint64, access mem.Perm) []byte {
	p := c.reach(a, access)
	if p == nil {
		return nil
	}
	o := a & pageMask
	return p[o:min(pageSize, o+n)]
}

func (c *core) ld8(a uint64) (uint64, bool) {
	if e := &c.rt[place(a)]; e.tag == a/pageSize {
		return uint64(e.page[a&pageMask]), true
	}
	return c.ldSlow(a, 1)
}

func (c *core) ld16(a uint64) (uint64, bool) {
	if e, o := &c.rt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-2 {
		return uint64(le.Uint16(e.page[o:])), true
	}
	return c.ldSlow(a, 2)
}

func (c *core) ld32(a uint64) (uint64, bool) {
	if e, o := &c.rt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-4 {
		return uint64(le.Uint32(e.page[o:])), true
	}
	return c.ldSlow(a, 4)
}

func (c *core) ld64(a uint64) (uint64, bool) {
	if e, o := &c.rt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-8 {
		return le.Uint64(e.page[o:]), true
	}
	return c.ldSlow(a, 8)
}

// ldSlow reads n bytes, at most 8.
func (c *core) ldSlow(a, n uint64) (uint64, bool) {
	var b [8]byte
	if !c.readBytes(a, b[:n]) {
		return 0, false
	}
	return le.Uint64(b[:]), true
}

// readBytes reads what may lie in two pages.
func (c *core) readBytes(a uint64, b []byte) bool {
	p := c.reach(a, mem.Readable)
	if p == nil {
		return false
	}
	n := copy(b, p[a&pageMask:])
	if n == len(b) {
		return true
	}
	if p = c.reach(a+uint64(n), mem.Readable); p == nil {
		return false
	}
	copy(b[n:], p[:])
	return true
}

// writeBytes writes what may lie in two pages, or nothing.
func (c *core) writeBytes(a uint64, b []byte) bool {
	p := c.reach(a, mem.Writable)
	if p == nil {
		return false
	}
	o := a & pageMask
	n := min(len(b), int(pageSize-o))
	if n < len(b) {
		q := c.reach(a+uint64(n), mem.Writable)
		if q == nil {
			return false
		}
		c.written(a+uint64(n), uint64(len(b)-n))
		copy(q[:], b[n:])
	}
	c.written(a, uint64(n))
	copy(p[o:], b[:n])
	return true
}

// writable checks that n bytes can be written, for instructions that read first.
func (c *core) writable(a, n uint64) bool {
	if c.reach(a, mem.Writable) == nil {
		return false
	}
	return a&pageMask+n <= pageSize || c.reach((a|pageMask)+1, mem.Writable) != nil
}

func (c *core) st8(a, v uint64) bool {
	if e := &c.wt[place(a)]; e.tag == a/pageSize {
		e.page[a&pageMask] = byte(v)
		return true
	}
	return c.stSlow(a, 1, v)
}

func (c *core) st16(a, v uint64) bool {
	if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-2 {
		le.PutUint16(e.page[o:], uint16(v))
		return true
	}
	return c.stSlow(a, 2, v)
}

func (c *core) st32(a, v uint64) bool {
	if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-4 {
		le.PutUint32(e.page[o:], uint32(v))
		return true
	}
	return c.stSlow(a, 4, v)
}

func (c *core) st64(a, v uint64) bool {
	if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-8 {
		le.PutUint64(e.page[o:], v)
		return true
	}
	return c.stSlow(a, 8, v)
}

func (c *core) stSlow(a, n, v uint64) bool {
	var b [8]byte
	le.PutUint64(b[:], v)
	return c.writeBytes(a, b[:n])
}

// ld reads an operand of size 1<<sz.
func (c *core) ld(a uint64, sz uint8) (uint64, bool) {
	switch sz {
	case 0:
		return c.ld8(a)
	case 1:
		return c.ld16(a)
	case 2:
		return c.ld32(a)
	}
	return c.ld64(a)
}

func (c *core) st(a uint64, sz uint8, v uint64) bool {
	switch sz {
	case 0:
		return c.st8(a, v)
	case 1:
		return c.st16(a, v)
	case 2:
		return c.st32(a, v)
	}
	return c.st64(a, v)
}

// ldx reads 16 bytes.
func (c *core) ldx(a uint64) (xmm, bool) {
	if e, o := &c.rt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-16 {
		b := e.page[o:]
		return xmm{le.Uint64(b), le.Uint64(b[8:])}, true
	}
	var b [16]byte
	ok := c.readBytes(a, b[:])
	return xmm{le.Uint64(b[:]), le.Uint64(b[8:])}, ok
}

func (c *core) stx(a uint64, v xmm) bool {
	if e, o := &c.wt[place(a)], a&pageMask; e.tag == a/pageSize && o <= pageSize-16 {
		b := e.page[o:]
		le.PutUint64(b, v.lo)
		le.PutUint64(b[8:], v.hi)
		return true
	}
	var b [16]byte
	le.PutUint64(b[:], v.lo)
	le.PutUint64(b[8:], v.hi)
	return c.writeBytes(a, b[:])
}

// ea is the address of a plain memory operand, addr that of any.
func (c *core) ea(in *inst) uint64 {
	return c.r[in.base&31] + c.r[in.index&31]<<(in.scale&3) + in.disp
}

func (c *core) addr(in *inst) uint64 {
	a := c.ea(in)
	if in.odd {
		if in.a32 {
			a = uint64(uint32(a))
		}
		a += c.r[in.seg&31]
	}
	return a
}

// get reads a general register.
func (c *core) get(i, sz uint8) uint64 {
	if sz == 0 {
		return c.r[i&31] >> (i >> 5 << 3) & 0xff
	}
	return c.r[i&31] & masks[sz&3]
}

// set writes a general register: 32 bits clear the upper half.
func (c *core) set(i, sz uint8, v uint64) {
	p := &c.r[i&31]
	switch sz {
	case 0:
		sh := i >> 5 << 3
		*p = *p&^(0xff<<sh) | v&0xff<<sh
	case 1:
		*p = *p&^0xffff | v&0xffff
	case 2:
		*p = uint64(uint32(v))
	default:
		*p = v
	}
}

// getE reads the operand that is a register or memory; its address comes back
// for setE.
func (c *core) getE(in *inst) (v, a uint64, ok bool) {
	if !in.mem {
		return c.get(in.rm, in.sz), 0, true
	}
	a = c.addr(in)
	v, ok = c.ld(a, in.sz)
	return v, a, ok
}

// modE is getE of an operand that will be written.
func (c *core) modE(in *inst) (v, a uint64, ok bool) {
	if !in.mem {
		return c.get(in.rm, in.sz), 0, true
	}
	a = c.addr(in)
	if !c.writable(a, 1<<in.sz) {
		return 0, a, false
	}
	v, ok = c.ld(a, in.sz)
	return v, a, ok
}

func (c *core) setE(in *inst, a, v uint64) bool {
	if !in.mem {
		c.set(in.rm, in.sz, v)
		return true
	}
	return c.st(a, in.sz, v)
}
