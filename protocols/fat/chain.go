// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
)

const (
	// maxRuns bounds the fragments of all chains of a volume.
	maxRuns = 1 << 21
	// tableWindow is how much of a table is read at once, in bytes.
	tableWindow = 4096
)

// errTooMuch says that a volume goes beyond one of the bounds.
var errTooMuch = errors.New("too much for a FAT volume that is read here")

// run is clusters that follow each other, behind others of the same chain.
type run struct{ before, cluster, count uint32 }

// chains follows the chains of clusters of a volume.
type chains struct {
	geometry
	r      io.ReaderAt
	window []byte // a part of the table, and 2 bytes more for FAT12
	start  int64  // its offset in the table
	used   []uint64
	runs   int
	taken  uint32 // clusters
}

func newChains(r io.ReaderAt, g geometry) *chains {
	return &chains{geometry: g, r: r, window: make([]byte, tableWindow+2), start: -1, used: make([]uint64, g.clusters/64+1)}
}

// entry is the entry of the table for a cluster.
func (c *chains) entry(cluster uint32) (uint32, error) {
	at := int64(cluster) * int64(c.kind) / 8
	if start := at &^ (tableWindow - 1); start != c.start {
		c.start = -1
		clear(c.window)
		part := c.window[:min(tableWindow+2, c.tableSize-start)]
		if err := readFull(c.r, part, c.table+start); err != nil {
			return 0, fmt.Errorf("table at %#x: %w", c.table+start, err)
		}
		c.start = start
	}
	b := c.window[at-c.start:]
	switch c.kind {
	case 12:
		v := uint32(binary.LittleEndian.Uint16(b))
		return v >> (cluster & 1 * 4) & 0xfff, nil
	case 16:
		return uint32(binary.LittleEndian.Uint16(b)), nil
	}
	return binary.LittleEndian.Uint32(b) & 0x0fffffff, nil
}

// isEnd reports whether an entry of the table ends a chain.
func (c *chains) isEnd(entry uint32) bool { return entry >= 1<<min(c.kind, 28)-8 }

// follow follows a chain over at most so many clusters. What it takes is in no
// other chain that is right, even if this one is not.
func (c *chains) follow(cluster, most uint32) (runs []run, err error) {
	for taken := range most {
		if !c.has(cluster) {
			return nil, fmt.Errorf("cluster %#x, where there are %#x", cluster, c.clusters)
		}
		word, bit := (cluster-2)/64, uint64(1)<<((cluster-2)%64)
		if c.used[word]&bit != 0 {
			return nil, twice(runs, cluster)
		}
		c.used[word] |= bit
		c.taken++
		if n := len(runs); n > 0 && runs[n-1].cluster+runs[n-1].count == cluster {
			runs[n-1].count++
		} else {
			runs = append(runs, run{taken, cluster, 1})
			if c.runs++; c.runs > maxRuns {
				return nil, fmt.Errorf("%d fragments: %w", c.runs, errTooMuch)
			}
		}
		next, err := c.entry(cluster)
		if err != nil {
			return nil, err
		}
		if c.isEnd(next) {
			return runs, nil
		}
		if !c.has(next) && taken+1 < most {
			return nil, fmt.Errorf("cluster %#x leads to %#x", cluster, next)
		}
		cluster = next
	}
	return runs, nil
}

// twice says what is wrong with a cluster that is taken.
func twice(runs []run, cluster uint32) error {
	for _, r := range runs {
		if cluster >= r.cluster && cluster-r.cluster < r.count {
			return fmt.Errorf("its clusters go round, at cluster %#x", cluster)
		}
	}
	return fmt.Errorf("cluster %#x is another's, too", cluster)
}

// length is the number of clusters in a chain.
func length(runs []run) uint32 {
	if len(runs) == 0 {
		return 0
	}
	last := runs[len(runs)-1]
	return last.before + last.count
}

// contents are the clusters of a chain, one behind the other.
type contents struct {
	geometry
	r    io.ReaderAt
	runs []run
}

// ReadAt is io.ReaderAt's.
func (c contents) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		index := uint32((at + int64(n)) / c.cluster)
		i := sort.Search(len(c.runs), func(i int) bool { return c.runs[i].before+c.runs[i].count > index })
		if i == len(c.runs) {
			return n, io.EOF
		}
		run := c.runs[i]
		offset := at + int64(n) - int64(run.before)*c.cluster
		part := b[n:min(int64(len(b)), int64(n)+int64(run.count)*c.cluster-offset)]
		err := readFull(c.r, part, c.geometry.at(run.cluster)+offset)
		if err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// readFull reads len(b) bytes; fewer are io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("at %#x: %w", at, io.ErrUnexpectedEOF)
	}
	return err
}
