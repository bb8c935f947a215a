// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"path"
	"time"
	"unicode/utf16"
)

// item is a file or folder of a Volume.
type item struct {
	path           string // as in io/fs
	name           string
	short          [shortSize]byte
	attributes     Attributes
	modified       time.Time
	size           int64
	parent         *item
	children       []*item
	depth          int
	cluster, count uint32
	entries        []byte // of a folder
}

// fill walks the file system, one folder after the other, and gives each file and
// folder its place.
func (v *Volume) fill() error {
	v.folders = []*item{{path: ".", attributes: Directory}}
	items := 0
	for i := 0; i < len(v.folders); i++ { // which grows
		dir := v.folders[i]
		if err := v.read(dir); err != nil {
			return err
		}
		if items += len(dir.children); items > maxItems {
			return fmt.Errorf("%s: more than %d files and folders", dir.path, maxItems)
		}
		size := v.entriesSize(dir)
		if size > maxEntries*entrySize {
			return fmt.Errorf("%s: %d entries", dir.path, size/entrySize)
		}
		if err := v.allocate(dir, size); err != nil {
			return err
		}
		for _, n := range dir.children {
			if n.attributes&Directory != 0 {
				v.folders = append(v.folders, n)
			} else if err := v.allocate(n, n.size); err != nil {
				return err
			}
		}
	}
	for _, dir := range v.folders { // all have their clusters now
		v.putEntries(dir)
	}
	return nil
}

// read finds what is in a folder.
func (v *Volume) read(dir *item) error {
	found, err := fs.ReadDir(v.fsys, dir.path)
	if err != nil {
		return err
	}
	for _, d := range found {
		n, err := v.item(dir, d)
		if err != nil {
			return err
		}
		if n != nil {
			dir.children = append(dir.children, n)
		}
	}
	nameShort(dir.children)
	return nil
}

// item makes one of an entry, or none.
func (v *Volume) item(dir *item, d fs.DirEntry) (*item, error) {
	n := &item{path: path.Join(dir.path, d.Name()), name: d.Name(), parent: dir, depth: dir.depth + 1}
	link := d.Type() == fs.ModeSymlink
	if !ValidName(n.name) || !link && !d.IsDir() && !d.Type().IsRegular() {
		return nil, nil
	}
	info, err := d.Info()
	if link {
		if info, err = fs.Stat(v.fsys, n.path); err != nil || !info.Mode().IsRegular() {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	n.modified = info.ModTime()
	switch {
	case info.IsDir():
		n.attributes = Directory
		if n.depth > maxDepth {
			return nil, fmt.Errorf("%s: more than %d folders in each other", n.path, maxDepth)
		}
	case !info.Mode().IsRegular():
		return nil, nil
	default:
		n.attributes, n.size = Archive, max(info.Size(), 0)
		if info.Mode().Perm()&0o222 == 0 {
			n.attributes |= ReadOnly
		}
		if n.size > math.MaxUint32 {
			return nil, fmt.Errorf("%s: %d bytes", n.path, n.size)
		}
	}
	return n, nil
}

// extra is how many entries a folder has beside those of its children: the
// label's, or those of "." and "..".
func (v *Volume) extra(dir *item) int64 {
	switch {
	case dir.parent != nil:
		return 2
	case v.label() != "":
		return 1
	}
	return 0
}

// entriesSize is the size of a folder's entries. Even an empty one has a cluster.
func (v *Volume) entriesSize(dir *item) int64 {
	count := v.extra(dir)
	for _, n := range dir.children {
		count += 1 + int64(n.longParts())
	}
	return max(count, 1) * entrySize
}

// longParts is how many entries the long name takes.
func (n *item) longParts() int {
	if shortName(n.short[:], 0) == n.name {
		return 0
	}
	const units = len(longOffsets)
	return (len(utf16.Encode([]rune(n.name))) + units - 1) / units
}

// putEntries lays out the entries of a folder.
func (v *Volume) putEntries(dir *item) {
	b := make([]byte, 0, v.entriesSize(dir))
	if dir.parent != nil {
		b = dir.append(b, padded(".", shortSize))
		up := *dir.parent
		if up.modified = dir.modified; up.parent == nil {
			up.cluster = 0
		}
		b = up.append(b, padded("..", shortSize))
	} else if label := v.label(); label != "" {
		b = (&item{attributes: Label}).append(b, []byte(label))
	}
	for _, n := range dir.children {
		b = n.appendLong(b)
		b = n.append(b, n.short[:])
	}
	dir.entries = b
}

// append appends an entry with a short name.
func (n *item) append(b, short []byte) []byte {
	le := binary.LittleEndian
	date, clock := putTime(n.modified)
	b = append(b, short...)
	b = append(b, byte(n.attributes), 0, 0)
	b = le.AppendUint16(b, clock) // created,
	b = le.AppendUint16(b, date)
	b = le.AppendUint16(b, date) // accessed
	b = le.AppendUint16(b, uint16(n.cluster>>16))
	b = le.AppendUint16(b, clock)
	b = le.AppendUint16(b, date)
	b = le.AppendUint16(b, uint16(n.cluster))
	return le.AppendUint32(b, uint32(n.size))
}

// appendLong appends the entries of a long name, the last part first.
func (n *item) appendLong(b []byte) []byte {
	parts := n.longParts()
	units := utf16.Encode([]rune(n.name))
	for i := parts - 1; i >= 0; i-- {
		entry := make([]byte, entrySize)
		if entry[0] = byte(i + 1); i == parts-1 {
			entry[0] |= 0x40
		}
		entry[11], entry[13] = byte(longName), checksum(n.short[:])
		for k, at := range longOffsets {
			unit := uint16(0xffff)
			switch u := i*len(longOffsets) + k; {
			case u < len(units):
				unit = units[u]
			case u == len(units):
				unit = 0
			}
			binary.LittleEndian.PutUint16(entry[at:], unit)
		}
		b = append(b, entry...)
	}
	return b
}

// putTime is a time in UTC, within what FAT can say: from 1980 to 2107.
func putTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	first, last := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	if t.Before(first) {
		t = first
	} else if t.After(last) {
		t = last
	}
	date = uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	return date, uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
}
