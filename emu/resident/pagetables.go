// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"encoding/binary"
	"fmt"
)

// Page tables of x86-64 (Intel SDM volume 3, 4.5; AMD APM volume 2, 5.3). The
// accessed and dirty bits are set, so that the processor does not write to them.
const (
	tableEntry = 0x023 // present, writable, accessed
	pageEntry  = 0x0e3 // the same, dirty, a large page

	mib2  = 2 << 20
	gib   = 1 << 30
	lower = 1 << 47 // the addresses that four levels have in the lower half

	maxTables = 4096
)

// pageTables maps memory where it is. A page of 1 GiB is used only where all of
// it is to be mapped, as the processor may look ahead into all that is.
type pageTables struct {
	base   uint64 // of raw
	raw    []byte
	tables map[tableKey]int // offsets in raw
}

type tableKey struct{ level, index uint64 }

// newPageTables makes tables that lie at base. Ranges grow to multiples of 2 MiB.
func newPageTables(base uint64, ranges []Range, giant bool) (*pageTables, error) {
	t := &pageTables{base: base, tables: map[tableKey]int{}}
	t.table(5, 0)
	t.table(4, 0)
	var large []Range
	for _, r := range ranges {
		if r.End > lower || r.Start >= r.End {
			return nil, fmt.Errorf("%w: %v cannot be mapped", errTrampoline, r)
		}
		large = append(large, Range{r.Start &^ (mib2 - 1), (r.End + mib2 - 1) &^ (mib2 - 1)})
	}
	for _, r := range union(large) {
		for at := r.Start; at < r.End; {
			if giant && at%gib == 0 && r.End-at >= gib {
				t.set(3, at/gib, at|pageEntry)
				at += gib
			} else {
				t.set(2, at/mib2, at|pageEntry)
				at += mib2
			}
			if len(t.tables) > maxTables {
				return nil, fmt.Errorf("%w: more than %d page tables", errTrampoline, maxTables)
			}
		}
	}
	return t, nil
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
		if level < 5 {
			t.set(level+1, index, t.base+uint64(at)|tableEntry)
		}
	}
	return at
}

// root is the address of the uppermost table of so many levels.
func (t *pageTables) root(levels uint64) uint64 {
	return t.base + uint64(t.tables[tableKey{levels, 0}])
}
