// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"cmp"
	"fmt"
	"slices"
)

// DifferenceKind says how two logs differ at a place.
type DifferenceKind uint8

// The kinds of differences.
const (
	Missing    DifferenceKind = iota // predicted, not in the real log
	Unexpected                       // in the real log, not predicted
	Changed                          // the same thing was measured, with another digest
	Reordered                        // the same event is at another place of its PCR
	Uncompared                       // from here on, the logs differ in more than is compared
)

func (k DifferenceKind) String() string {
	if names := []string{"missing", "unexpected", "changed", "reordered", "uncompared"}; int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("DifferenceKind(%d)", uint8(k))
}

// Difference is one difference of two logs.
type Difference struct {
	Kind      DifferenceKind
	Predicted int // index of the event, or -1
	Real      int // index of the event, or -1
	PCR       uint32
	// Text is a sentence for people, on one line: what differs, what the cause
	// most often is, and what can be done.
	Text string
}

func (d Difference) String() string { return d.Text }

// The most that is compared of what is left of a PCR without the events that are
// equal at its start and end.
const (
	maxGap   = 4000    // events of either log
	maxCells = 1 << 25 // pairs of events, of all PCRs
)

// Compare says how the events of a real boot differ from those predicted. None
// means that all PCRs are equal, in the banks that both logs have, apart from
// what is unpredictable.
//
// Two events are equal if PCR, type, and the digests of the banks that both have
// are, of which there must be one: the data of events is only told, not compared,
// as paths and addresses in it are the machine's. An event of which unpredictable
// (which may be nil) says so, by its index in predicted, is also equal to any of
// the same PCR and type.
//
// The order of events counts within a PCR, and not between PCRs, as their values
// depend on the one alone. EV_NO_ACTION events are left out, as they are not
// extended, but for the one of the startup locality, and so are events without
// digests.
//
// Events that are left between equal ones are paired as Changed if they measure
// the same thing. The differences are in the order of the real log. Of a PCR in
// which very many events differ, Uncompared tells where the comparison ends.
func Compare(predicted, real []Event, unpredictable func(i int) bool) []Difference {
	c := comparison{predicted: predicted, real: real, cells: maxCells}
	sums := map[string]int{}
	p, r := byPCR(predicted, sums), byPCR(real, sums)
	for _, items := range p {
		for i := range items {
			items[i].any = unpredictable != nil && unpredictable(items[i].index)
		}
	}
	var pcrs []uint32
	for pcr := range p {
		pcrs = append(pcrs, pcr)
	}
	for pcr := range r {
		if _, both := p[pcr]; !both {
			pcrs = append(pcrs, pcr)
		}
	}
	slices.Sort(pcrs)
	for _, pcr := range pcrs {
		c.compare(pcr, p[pcr], r[pcr])
	}
	slices.SortStableFunc(c.found, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	var list []Difference
	for _, f := range c.found {
		list = append(list, f.Difference)
	}
	return list
}

// item is an event of a log.
type item struct {
	*Event
	meaning
	index int
	any   bool  // is unpredictable
	sums  []sum // by algorithm
	read  bool  // meaning has been set
}

// sum is a digest; equal ones have the same number.
type sum struct {
	Algorithm
	number int
}

// byPCR sorts the events that count into lists. sums numbers the digests.
func byPCR(events []Event, sums map[string]int) map[uint32][]item {
	pcrs := map[uint32][]item{}
	for i := range events {
		e := &events[i]
		if !e.Extends() && !e.startupLocality() {
			continue
		}
		it := item{Event: e, index: i}
		for _, d := range e.Digests[:min(len(e.Digests), maxBanks)] {
			if e.startupLocality() {
				break // all zero, whatever is in the data
			}
			it.sums = append(it.sums, sum{d.Algorithm, number(sums, string(d.Sum))})
		}
		if e.startupLocality() {
			it.sums = []sum{{0, number(sums, string(e.Data[len(startupLocality)]))}}
		}
		if len(it.sums) == 0 {
			continue // it changes no PCR
		}
		slices.SortStableFunc(it.sums, func(a, b sum) int { return cmp.Compare(a.Algorithm, b.Algorithm) })
		pcrs[e.PCR] = append(pcrs[e.PCR], it)
	}
	return pcrs
}

func number(numbers map[string]int, key string) int {
	n, ok := numbers[key]
	if !ok {
		n = len(numbers)
		numbers[key] = n
	}
	return n
}

// equal reports whether type and digests are equal. The PCR is, as only events
// of one are compared. shared is false if there is no bank to tell by.
func (p *item) equal(r *item) (equal, shared bool) {
	equal = p.Type == r.Type
	for i, j := 0, 0; i < len(p.sums) && j < len(r.sums); {
		switch a, b := p.sums[i], r.sums[j]; {
		case a.Algorithm < b.Algorithm:
			i++
		case a.Algorithm > b.Algorithm:
			j++
		default:
			shared = true
			equal = equal && a.number == b.number
			i, j = i+1, j+1
		}
	}
	return equal && shared, shared
}

// weight is how well two events go together, 0 for not at all.
func weight(p, r *item) int32 {
	equal, _ := p.equal(r)
	switch {
	case equal:
		return 4
	case !p.any || p.Type != r.Type:
		return 0
	case p.same(r):
		return 3
	}
	return 1
}
