// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"encoding/binary"
	"fmt"
)

// tableFormat is the entries of page tables with 512 entries each, which map
// 4 KiB, 2 MiB and 1 GiB at their lowest levels.
type tableFormat struct {
	levels uint64 // at most
	limit  uint64 // the end of what can be mapped
	table  uint64 // an entry that leads to a table
	page   uint64 // one that maps 4 KiB
	large  uint64 // one that maps more
	device uint64 // is added for what is no RAM
}

// Intel SDM volume 3, 4.5; AMD APM volume 2, 5.3. The accessed and dirty bits
// are set, so that the processor does not write to the tables.
var formatX64 = tableFormat{
	levels: 5,
	limit:  1 << 47,
	table:  0x023, // present, writable, accessed
	page:   0x063, // the same, dirty
	large:  0x0e3,
	device: 0x018, // uncached
}

// Arm ARM, D8.3, for a granule of 4 KiB. MAIR has normal memory first, then
// device memory.
var formatAA64 = tableFormat{
	levels: 4,
	limit:  1 << 48,
	table:  0x003,
	page:   0x703, // accessed, inner shareable
	large:  0x701,
	device: 3<<53 | 1<<2, // never executed
}

const (
	mib2      = 2 << 20
	gib       = 1 << 30
	maxTables = 4096
)

// pageTables maps memory where it is, and none beside, as the processor may look
// ahead into all that is mapped.
type pageTables struct {
	format *tableFormat
	base   uint64 // of raw
	raw    []byte
	tables map[tableKey]int // offsets in raw
}

type tableKey struct{ level, index uint64 }

// newPageTables makes tables that lie at base.
func newPageTables(format *tableFormat, base uint64, ram, devices []Range, giant bool) (*pageTables, error) {
	t := &pageTables{format: format, base: base, tables: map[tableKey]int{}}
	t.table(format.levels, 0)
	for _, r := range append(ram[:len(ram):len(ram)], devices...) {
		if r.End > format.limit || !r.pages() {
			return nil, fmt.Errorf("%w: %v cannot be mapped", errTrampoline, r)
		}
	}
	ram, devices = union(ram), union(devices)
	if err := disjoint(append(ram[:len(ram):len(ram)], devices...)); err != nil {
		return nil, fmt.Errorf("%w: of RAM and devices, %w", errTrampoline, err)
	}
	for _, r := range ram {
		if err := t.add(r, 0, giant); err != nil {
			return nil, err
		}
	}
	for _, r := range devices {
		if err := t.add(r, format.device, giant); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// add maps a range.
func (t *pageTables) add(r Range, bits uint64, giant bool) error {
	for at := r.Start; at < r.End; {
		switch left := r.End - at; {
		case giant && at%gib == 0 && left >= gib:
			t.set(3, at/gib, at|t.format.large|bits)
			at += gib
		case at%mib2 == 0 && left >= mib2:
			t.set(2, at/mib2, at|t.format.large|bits)
			at += mib2
		default:
			t.set(1, at/pageSize, at|t.format.page|bits)
			at += pageSize
		}
		if len(t.tables) > maxTables {
			return fmt.Errorf("%w: more than %d page tables", errTrampoline, maxTables)
		}
	}
	return nil
}

// set makes an entry in the tables of a level: the i-th of all of them.
func (t *pageTables) set(level, i, entry uint64) {
	binary.LittleEndian.PutUint64(t.raw[t.table(level, i/512)+8*int(i%512):], entry)
}

// table finds or makes a table, with its entry in the level above.
func (t *pageTables) table(level, index uint64) int {
	key := tableKey{level, index}
	at, ok := t.tables[key]
	if !ok {
		at = len(t.raw)
		t.tables[key] = at
		t.raw = append(t.raw, make([]byte, pageSize)...)
		if level < t.format.levels {
			t.set(level+1, index, t.base+uint64(at)|t.format.table)
		}
	}
	return at
}

// root is the address of the uppermost table of so many levels.
func (t *pageTables) root(levels uint64) uint64 {
	return t.base + uint64(t.tables[tableKey{levels, 0}])
}
