// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"encoding/binary"
	"fmt"
	"path"
	"sort"
	"strings"
	"time"
)

// reader makes the tree of a volume.
type reader struct {
	*chains
	nodes   int
	label   string
	folders []pending
}

// pending is a folder that is not read yet.
type pending struct {
	n     *node
	path  string
	depth int
	raw   func() ([]byte, error)
}

// tree reads all folders, those nearer to the root first. An error is one that
// concerns all of the volume.
func (rd *reader) tree() (*node, error) {
	root := &node{name: ".", attributes: Directory}
	raw := func() ([]byte, error) {
		raw := make([]byte, rd.rootSize)
		return raw, readFull(rd.r, raw, rd.root)
	}
	if rd.kind == 32 {
		raw = rd.folder(rd.rootCluster)
	}
	rd.folders = []pending{{root, ".", 0, raw}}
	for len(rd.folders) > 0 {
		p := rd.folders[0]
		rd.folders = rd.folders[1:]
		raw, err := p.raw()
		if err == nil && p.depth > maxDepth {
			err = fmt.Errorf("more than %d folders in each other: %w", maxDepth, errTooMuch)
		}
		if err == nil {
			err = rd.readEntries(p, raw)
		} else if p.n != root && rd.runs <= maxRuns {
			p.n.err, err = fmt.Errorf("fat: %w", err), nil
		}
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", p.path, err)
		}
	}
	return root, nil
}

// folder follows the chain of a folder and reads it.
func (rd *reader) folder(cluster uint32) func() ([]byte, error) {
	return func() ([]byte, error) {
		most := uint32(max(maxEntries*entrySize/rd.cluster, 1))
		runs, err := rd.follow(cluster, most+1)
		if err != nil {
			return nil, err
		}
		if length(runs) > most {
			return nil, fmt.Errorf("more than %d entries: %w", maxEntries, errTooMuch)
		}
		raw := make([]byte, int64(length(runs))*rd.cluster)
		_, err = contents{rd.geometry, rd.r, runs}.ReadAt(raw, 0)
		return raw, err
	}
}

// readEntries reads the entries of a folder.
func (rd *reader) readEntries(p pending, raw []byte) error {
	var long longParts
	for ; len(raw) >= entrySize && raw[0] != 0; raw = raw[entrySize:] {
		const free = 0xe5
		entry := raw[:entrySize]
		attributes := Attributes(entry[11] & 0x3f)
		if entry[0] != free && attributes == longName {
			long.add(entry)
			continue
		}
		name, ok := long.name(entry[:shortSize])
		if long = (longParts{}); !ok {
			name = shortName(entry[:shortSize], entry[12])
		}
		switch {
		case entry[0] == free:
		case attributes&Label != 0:
			if p.depth == 0 && rd.label == "" {
				rd.label = latin1(entry[:shortSize])
			}
		case ValidName(name): // which "." and ".." are not
			if err := rd.readEntry(p, name, attributes, entry); err != nil {
				return err
			}
		}
	}
	children := p.n.children
	sort.SliceStable(children, func(i, j int) bool { return children[i].name < children[j].name })
	p.n.children = children[:0]
	for i, n := range children {
		if i == 0 || n.name != children[i-1].name {
			p.n.children = append(p.n.children, n)
		}
	}
	return nil
}

// readEntry takes a file or folder.
func (rd *reader) readEntry(p pending, name string, attributes Attributes, entry []byte) error {
	le := binary.LittleEndian
	if rd.nodes++; rd.nodes > maxNodes {
		return fmt.Errorf("more than %d files and folders: %w", maxNodes, errTooMuch)
	}
	cluster := uint32(le.Uint16(entry[26:]))
	if rd.kind == 32 {
		cluster |= uint32(le.Uint16(entry[20:])) << 16
	}
	n := &node{name: name, attributes: attributes, modified: parseTime(le.Uint16(entry[24:]), le.Uint16(entry[22:]))}
	p.n.children = append(p.n.children, n)
	at := path.Join(p.path, name)
	if attributes&Directory != 0 {
		rd.folders = append(rd.folders, pending{n, at, p.depth + 1, rd.folder(cluster)})
		return nil
	}
	n.size = int64(le.Uint32(entry[28:]))
	n.data, n.err = rd.file(n.size, cluster)
	if rd.runs > maxRuns {
		return fmt.Errorf("file %s: %w", at, n.err)
	}
	return nil
}

// file follows the chain of a file.
func (rd *reader) file(size int64, cluster uint32) (contents, error) {
	c := contents{geometry: rd.geometry, r: rd.r}
	need := (size + rd.cluster - 1) / rd.cluster
	if need > int64(rd.clusters) {
		return c, fmt.Errorf("fat: %d bytes, on %d clusters of %d", size, rd.clusters, rd.cluster)
	}
	var err error
	c.runs, err = rd.follow(cluster, uint32(need))
	if has := length(c.runs); err == nil && int64(has) < need {
		err = fmt.Errorf("its chain ends after %d of %d clusters", has, need)
	}
	if err != nil {
		return c, fmt.Errorf("fat: %d bytes from cluster %#x on: %w", size, cluster, err)
	}
	return c, nil
}

// latin1 is a text that is padded with spaces.
func latin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return strings.TrimRight(s.String(), " ")
}

// parseTime is a time of FAT, which is of no zone; the zero time is none. What is
// no time is the one that the sum of its parts makes.
func parseTime(date, clock uint16) time.Time {
	if date == 0 {
		return time.Time{}
	}
	return time.Date(1980+int(date>>9), time.Month(date>>5&0xf), int(date&0x1f),
		int(clock>>11), int(clock>>5&0x3f), int(clock&0x1f)*2, 0, time.UTC)
}
