// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Offsets in a boot sector, in bytes.
const (
	bootSectorSize     = 11
	bootClusterSectors = 13
	bootReserved       = 14
	bootTables         = 16
	bootRootEntries    = 17
	bootSectors16      = 19
	bootMedia          = 21
	bootTableSectors16 = 22
	bootHidden         = 28
	bootSectors32      = 32
	bootTableSectors32 = 36 // from here on of FAT32
	bootFlags          = 40
	bootRoot           = 44
	bootInfo           = 48
	bootBackup         = 50
	bootDrive          = 64
	bootSignature      = 66
	bootSerial         = 67
	bootLabel          = 71
	bootType           = 82
	bootEnd            = 510
)

// geometry is what a boot sector says. Offsets and sizes are in bytes.
type geometry struct {
	kind             int // bits of an entry of the table
	cluster          int64
	table, tableSize int64 // the table that is in use
	root, rootSize   int64 // of FAT12 and FAT16
	rootCluster      uint32
	data             int64  // where cluster 2 is
	clusters         uint32 // from 2 on
	serial           uint32
}

func formatError(format string, args ...any) error {
	return fmt.Errorf("boot sector: "+format+": %w", append(args, ErrFormat)...)
}

// parseBoot reads the first 512 bytes of a volume of size bytes. Which FAT it is
// follows as EDK2 and Linux take it: FAT32 has no 16 bit size of its table.
func parseBoot(b []byte, size int64) (g geometry, err error) {
	le := binary.LittleEndian
	if b[0] != 0xeb && b[0] != 0xe9 {
		return g, formatError("it starts with %#x", b[0])
	}
	if media := b[bootMedia]; media < 0xf8 && media != 0xf0 {
		return g, formatError("medium %#x", media)
	}
	sector := int64(le.Uint16(b[bootSectorSize:]))
	if sector < 512 || sector > 4096 || sector&(sector-1) != 0 {
		return g, formatError("sectors of %d bytes", sector)
	}
	per := int64(b[bootClusterSectors])
	if per == 0 || per&(per-1) != 0 {
		return g, formatError("clusters of %d sectors", per)
	}
	g.cluster = per * sector
	reserved, tables := int64(le.Uint16(b[bootReserved:])), int64(b[bootTables])
	if reserved == 0 || tables == 0 {
		return g, formatError("%d reserved sectors, %d tables", reserved, tables)
	}
	total := int64(le.Uint16(b[bootSectors16:]))
	if total == 0 {
		total = int64(le.Uint32(b[bootSectors32:]))
	}
	if total*sector > size {
		return g, formatError("%d sectors of %d bytes on %d bytes", total, sector, size)
	}
	rootEntries := int64(le.Uint16(b[bootRootEntries:]))
	tableSectors := int64(le.Uint16(b[bootTableSectors16:]))
	isFAT32 := tableSectors == 0
	active, serial := int64(0), b[39:]
	if isFAT32 {
		tableSectors, serial = int64(le.Uint32(b[bootTableSectors32:])), b[bootSerial:]
		if flags := le.Uint16(b[bootFlags:]); flags&0x80 != 0 {
			active = int64(flags & 0xf)
		}
	}
	g.serial = le.Uint32(serial)
	if tableSectors == 0 || isFAT32 == (rootEntries != 0) || active >= tables {
		return g, formatError("table %d of %d with %d sectors, %d entries in the root", active, tables, tableSectors, rootEntries)
	}
	g.tableSize = tableSectors * sector
	g.table = reserved*sector + active*g.tableSize
	g.root, g.rootSize = reserved*sector+tables*g.tableSize, rootEntries*entrySize
	g.data = g.root + (g.rootSize+sector-1)/sector*sector
	count := (total*sector - g.data) / g.cluster
	if g.data >= total*sector || count == 0 {
		return g, formatError("%d sectors, and the data are from byte %#x on", total, g.data)
	}
	switch {
	case isFAT32:
		g.kind = 32
	case count < 4085:
		g.kind = 12
	default:
		g.kind = 16
	}
	held := g.tableSize*8/int64(g.kind) - 2
	if count = min(count, held, numbers[g.kind]); count <= 0 {
		return g, formatError("a table of %d bytes", g.tableSize)
	}
	g.clusters = uint32(count)
	if g.rootCluster = le.Uint32(b[bootRoot:]); isFAT32 && !g.has(g.rootCluster) {
		return g, formatError("the root is in cluster %d of %d", g.rootCluster, g.clusters)
	}
	return g, nil
}

// numbers is how many numbers there are for clusters.
var numbers = map[int]int64{12: 0xff5, 16: 0xfff5, 32: math.MaxUint32>>4 - 10}

// has reports whether there is such a cluster.
func (g geometry) has(cluster uint32) bool { return cluster >= 2 && cluster-2 < g.clusters }

// at is where a cluster lies.
func (g geometry) at(cluster uint32) int64 { return g.data + int64(cluster-2)*g.cluster }
