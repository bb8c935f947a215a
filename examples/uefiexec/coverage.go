// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"

	"github.com/uefiexec/uefiexec/emu"
)

// coverage is the code that was executed: of each image, by offset, how many bytes.
type coverage map[string]map[uint64]uint64

// elsewhere is code that lies in no image, such as a kernel that was decompressed.
const elsewhere = "elsewhere"

func (c coverage) add(at emu.Location, size uint64) {
	name, offset := at.Image, at.Offset
	if name == "" {
		name, offset = elsewhere, uint64(at.Addr)
	}
	if c[name] == nil {
		c[name] = map[uint64]uint64{}
	}
	c[name][offset] = max(c[name][offset], size)
}

// write writes a file as DynamoRIO's drcov does, version 2: a table of modules and
// one of blocks, each an offset of 32 bits, a size and a module of 16 bits.
// Offsets beyond 4 GiB have no place there.
func (c coverage) write(name string) error {
	var table, blocks bytes.Buffer
	count := 0
	for id, module := range slices.Sorted(maps.Keys(c)) {
		end := uint64(0)
		for _, offset := range slices.Sorted(maps.Keys(c[module])) {
			size := c[module][offset]
			end = max(end, offset+size)
			if offset > math.MaxUint32 || size > math.MaxUint16 || id > math.MaxUint16 {
				continue
			}
			raw := binary.LittleEndian.AppendUint32(nil, uint32(offset))
			raw = binary.LittleEndian.AppendUint16(raw, uint16(size))
			blocks.Write(binary.LittleEndian.AppendUint16(raw, uint16(id)))
			count++
		}
		fmt.Fprintf(&table, "%3d, %#016x, %#016x, %#016x, %s\n", id, 0, end, 0, module)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "DRCOV VERSION: 2\nDRCOV FLAVOR: uefiexec\nModule Table: version 2, count %d\nColumns: id, base, end, entry, path\n", len(c))
	b.Write(table.Bytes())
	fmt.Fprintf(&b, "BB Table: %d bbs\n", count)
	b.Write(blocks.Bytes())
	return os.WriteFile(name, b.Bytes(), 0o644)
}
