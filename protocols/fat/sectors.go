// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errNoReaderAt says that a file can only be read from its start.
var errNoReaderAt = errors.New("the file is no io.ReaderAt")

// ReadAt is io.ReaderAt's. An error names the file that could not be read.
func (v *Volume) ReadAt(b []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, fmt.Errorf("fat: volume at %d", at)
	}
	table := reservedSectors * v.sector
	data := table + 2*v.table*v.sector
	for n < len(b) && err == nil {
		at, part := at+int64(n), b[n:]
		var got int
		switch {
		case at >= v.Size():
			return n, io.EOF
		case at < table:
			got = copy(part, v.head[at:])
		case at < data:
			size := v.table * v.sector
			at = (at - table) % size
			got = v.readTable(part[:min(int64(len(part)), size-at)], at)
		default:
			got, err = v.readData(part[:min(int64(len(part)), v.Size()-at)], at-data)
		}
		n += got
	}
	return n, err
}

// readTable reads a table.
func (v *Volume) readTable(b []byte, at int64) (n int) {
	for i := v.holder(uint32(at / 4)); n < len(b); {
		cluster := uint32((at + int64(n)) / 4)
		for i < len(v.items) && v.items[i].cluster+v.items[i].count <= cluster {
			i++
		}
		const end = 0x0fffffff
		entry := uint32(0)
		switch {
		case cluster == 0:
			entry = 0x0ffffff8 // the medium
		case cluster == 1:
			entry = end // no errors
		case i == len(v.items):
		case cluster+1 == v.items[i].cluster+v.items[i].count:
			entry = end
		default:
			entry = cluster + 1 // items follow each other without gaps
		}
		var raw [4]byte
		binary.LittleEndian.PutUint32(raw[:], entry)
		n += copy(b[n:], raw[(at+int64(n))%4:])
	}
	return n
}

// readData reads a part of one file or folder, or of the free clusters.
func (v *Volume) readData(b []byte, at int64) (int, error) {
	cluster := uint32(at/v.cluster) + rootCluster
	i := v.holder(cluster)
	if i == len(v.items) {
		clear(b)
		return len(b), nil
	}
	n := v.items[i]
	at -= int64(n.cluster-rootCluster) * v.cluster
	b = b[:min(int64(len(b)), int64(n.count)*v.cluster-at)]
	size := n.size
	if n.attributes&Directory != 0 {
		size = int64(len(n.entries))
	}
	part := b[:min(int64(len(b)), max(size-at, 0))]
	clear(b[len(part):])
	if len(part) == 0 {
		return len(b), nil
	}
	if n.attributes&Directory != 0 {
		copy(part, n.entries[at:])
		return len(b), nil
	}
	if got, err := v.readFile(n, part, at); err != nil {
		return got, fmt.Errorf("fat: %s: %w", n.path, err)
	}
	return len(b), nil
}

// readFile reads all of a part of a file.
func (v *Volume) readFile(n *item, b []byte, at int64) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.opened != n {
		if v.opened != nil {
			_ = v.file.Close() // it was only read
			v.opened, v.file = nil, nil
		}
		file, err := v.fsys.Open(n.path)
		if err != nil {
			return 0, err
		}
		v.opened, v.file = n, file
	}
	r, ok := v.file.(io.ReaderAt)
	if !ok {
		return 0, errNoReaderAt
	}
	got, err := r.ReadAt(b, at)
	switch {
	case got == len(b):
		return got, nil
	case err == nil || errors.Is(err, io.EOF):
		err = fmt.Errorf("%d bytes at %#x of %d: %w", len(b), at, n.size, io.ErrUnexpectedEOF)
	}
	return got, err
}
