// SPDX-License-Identifier: BSD-3-Clause

package eventlog

// comparison is a comparison under way.
type comparison struct {
	predicted, real []Event
	cells           int // pairs that may still be looked at
	found           []placed
}

// placed is a difference and where it is in the real log.
type placed struct {
	Difference
	at int
}

// compare compares the events of one PCR.
func (c *comparison) compare(pcr uint32, p, r []item) {
	at := -1 // the last event of the real log that was passed
	for len(p) > 0 && len(r) > 0 {
		if equal, _ := p[0].equal(&r[0]); !equal {
			break
		}
		at = r[0].index
		p, r = p[1:], r[1:]
	}
	for len(p) > 0 && len(r) > 0 {
		if equal, _ := p[len(p)-1].equal(&r[len(r)-1]); !equal {
			break
		}
		p, r = p[:len(p)-1], r[:len(r)-1]
	}
	restP, restR := p, r
	p, r = p[:min(len(p), maxGap)], r[:min(len(r), maxGap)]
	if len(p)*len(r) > c.cells {
		p, r = nil, nil
	}
	c.cells -= len(p) * len(r)
	restP, restR = restP[len(p):], restR[len(r):]
	for i := range p {
		p[i].understand()
	}
	for i := range r {
		r[i].understand()
	}
	c.gaps(pcr, p, r, at)
	if len(restP) > 0 || len(restR) > 0 {
		c.uncompared(pcr, restP, restR)
	}
}

// step is where the best alignment of the events from a pair on begins.
type step uint8

const (
	skipReal step = iota
	skipPredicted
	match
)

// align finds the pairs of events that are equal, as many as there can be in the
// order of both logs: it is the longest common subsequence with weights. It says
// for each event of p which of r it goes with, or -1.
func align(p, r []item) []int {
	with := make([]int, len(p))
	steps := make([]step, len(p)*len(r))
	row, below := make([]int32, len(r)+1), make([]int32, len(r)+1) // best weights from there on
	for i := len(p) - 1; i >= 0; i-- {
		row, below = below, row
		for j := len(r) - 1; j >= 0; j-- {
			best, s := row[j+1], skipReal
			if below[j] > best {
				best, s = below[j], skipPredicted
			}
			if w := weight(&p[i], &r[j]); w > 0 && below[j+1]+w >= best {
				best, s = below[j+1]+w, match
			}
			row[j], steps[i*len(r)+j] = best, s
		}
	}
	for i, j := 0, 0; i < len(p); {
		if j == len(r) {
			with[i] = -1
			i++
			continue
		}
		switch steps[i*len(r)+j] {
		case match:
			with[i] = j
			i, j = i+1, j+1
		case skipPredicted:
			with[i] = -1
			i++
		default:
			j++
		}
	}
	return with
}

// gaps aligns p and r and pairs what is between the events that are equal.
func (c *comparison) gaps(pcr uint32, p, r []item, at int) {
	with := align(p, r)
	var leftP, leftR []int // of p and r
	gapP, gapR := make([]int, len(p)), make([]int, len(r))
	gap, j := 0, 0
	for i := 0; i <= len(p); i++ {
		next := len(r)
		if i < len(p) {
			if next = with[i]; next < 0 {
				gapP[i] = gap
				leftP = append(leftP, i)
				continue
			}
		}
		for ; j < next; j++ {
			gapR[j] = gap
			leftR = append(leftR, j)
		}
		j, gap = next+1, gap+1
	}
	pairs := newPairing(p, r, leftP, leftR)
	moved := pairs.by(func(it *item, _ int) any { return it.identity() }, nil, nil)
	changed := append(
		pairs.by(func(it *item, gap int) any { return subject{gap, it.Type, it.kind, it.name} }, gapP, gapR),
		pairs.by(func(it *item, gap int) any { return it.family(gap) }, gapP, gapR)...)

	for _, m := range moved {
		c.add(Reordered, &p[m.p], &r[m.r], at)
	}
	for _, m := range changed {
		c.add(Changed, &p[m.p], &r[m.r], at)
		with[m.p] = m.r
	}
	for _, j := range pairs.r {
		c.add(Unexpected, nil, &r[j], at)
	}
	last := at
	left := pairs.p
	for i := range p { // what is missing comes behind what is in the real log before it
		if with[i] >= 0 {
			last = max(last, r[with[i]].index)
		} else if len(left) > 0 && left[0] == i {
			c.add(Missing, &p[i], nil, last)
			left = left[1:]
		}
	}
}
