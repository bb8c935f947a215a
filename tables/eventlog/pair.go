// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"fmt"
	"slices"
	"strings"
)

// understand reads the data of the event.
func (it *item) understand() {
	if !it.read {
		it.meaning, it.read = it.Event.meaning(), true
	}
}

// subject is what events have in common that measure the same thing, at one gap
// of an alignment.
type subject struct {
	gap  int
	typ  EventType
	kind kind
	name string
}

// same reports whether two events, of which the meaning is known, measure the
// same thing.
func (it *item) same(o *item) bool {
	return it.Type == o.Type && it.kind == o.kind && it.name == o.name
}

// identity is equal for events that are, if they have digests of the same banks.
func (it *item) identity() any {
	if len(it.sums) == 0 {
		return nil
	}
	var b strings.Builder
	for _, s := range it.sums {
		fmt.Fprintf(&b, "%d %d,", s.Algorithm, s.number)
	}
	return fmt.Sprint(uint32(it.Type), " ", b.String())
}

// family is equal for events that take the place of each other: another image
// was loaded, another disk started from. It is nil for those that do not.
func (it *item) family(gap int) any {
	switch it.kind {
	case kindImage, kindAuthority, kindGPT, kindFirmware, kindTables, kindFile:
		return subject{gap, it.Type, it.kind, ""}
	}
	return nil
}

// pairing pairs events that are left over.
type pairing struct {
	items [2][]item
	p, r  []int // those not paired
}

type pair struct{ p, r int }

func newPairing(p, r []item, leftP, leftR []int) *pairing {
	return &pairing{[2][]item{p, r}, leftP, leftR}
}

// by pairs the events of equal keys, first come, first served, and takes them
// off the rest. Those of key nil are not paired. gapP and gapR are the gaps of
// the events, and may be nil.
func (k *pairing) by(key func(it *item, gap int) any, gapP, gapR []int) []pair {
	of := func(it *item, i int, gaps []int) any {
		if gaps == nil {
			return key(it, 0)
		}
		return key(it, gaps[i])
	}
	waiting := map[any][]int{}
	for _, j := range k.r {
		if id := of(&k.items[1][j], j, gapR); id != nil {
			waiting[id] = append(waiting[id], j)
		}
	}
	var pairs []pair
	taken := map[int]bool{}
	k.p = slices.DeleteFunc(slices.Clone(k.p), func(i int) bool {
		id := of(&k.items[0][i], i, gapP)
		if id == nil || len(waiting[id]) == 0 {
			return false
		}
		j := waiting[id][0]
		waiting[id] = waiting[id][1:]
		taken[j] = true
		pairs = append(pairs, pair{i, j})
		return true
	})
	k.r = slices.DeleteFunc(slices.Clone(k.r), func(j int) bool { return taken[j] })
	return pairs
}
