// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strings"
	"sync"
)

// VolumeOptions say what a volume is to be.
type VolumeOptions struct {
	Size       int64  // of the volume, in bytes
	SectorSize uint32 // in bytes, a power of 2 from 512 to 4096; 0 is 512
	Hidden     uint32 // sectors of the disk before the volume
	Serial     uint32
	Label      string // what is no label of FAT becomes one; "" is none
}

// Volume is a FAT32 volume that shows a file system. It is an io.ReaderAt, for
// one or more goroutines.
type Volume struct {
	fsys     fs.FS
	opts     VolumeOptions
	sector   int64
	cluster  int64 // bytes
	sectors  int64
	table    int64 // sectors of one of the two tables
	clusters uint32
	folders  []*item // the root first
	items    []*item // what has clusters, in their order
	next     uint32  // the first cluster that is free
	head     []byte  // the reserved sectors

	mu     sync.Mutex
	opened *item // the file that was read last
	file   fs.File
}

// The layout of a volume, in sectors.
const (
	reservedSectors = 32
	infoSector      = 1
	backupSector    = 6 // of the boot sector, behind which is that of the information
	rootCluster     = 2
)

// maxItems bounds the files and folders of a volume.
const maxItems = 1 << 16

// NewVolume lays a file system out as a FAT32 volume of the size that the options
// say. Nothing of its files is read until the volume is, and then by io.ReaderAt,
// which they must be. The same names, sizes, times and options make the same
// volume.
//
// Of fsys is shown what FAT can have: names that ValidName knows, files, folders,
// and files that links lead to. Where a name is no short one, the short one is
// that of Windows. Times are in UTC.
//
// An error says what is too much: a file of 4 GiB, more than 2^16 files and
// folders, 128 folders in each other, or more than the volume has room for. What
// changes in fsys afterwards is not seen, but that files that are gone or shorter
// are errors of the sectors that they had.
//
// A volume of less than 65525 clusters, some 33 MB with small sectors, is FAT32
// all the same, as one of mkfs.fat -F 32 is.
func NewVolume(fsys fs.FS, opts VolumeOptions) (*Volume, error) {
	v := &Volume{fsys: fsys, opts: opts, sector: int64(cmp.Or(opts.SectorSize, 512)), next: rootCluster}
	err := v.layOut()
	if err == nil {
		err = v.fill()
	}
	if err != nil {
		return nil, fmt.Errorf("fat: volume: %w", err)
	}
	v.head = v.makeHead()
	return v, nil
}

// Size is the size of the volume in bytes.
func (v *Volume) Size() int64 { return v.sectors * v.sector }

// layOut decides where things lie.
func (v *Volume) layOut() error {
	if v.sector < 512 || v.sector > 4096 || v.sector&(v.sector-1) != 0 {
		return fmt.Errorf("sectors of %d bytes", v.sector)
	}
	v.sectors = min(v.opts.Size/v.sector, math.MaxUint32)
	v.cluster = max(clusterSize(v.sectors*v.sector), v.sector)
	per := v.cluster / v.sector
	entries := max(v.sectors-reservedSectors, 0)/per + rootCluster
	v.table = (entries*4 + v.sector - 1) / v.sector
	count := (v.sectors - reservedSectors - 2*v.table) / per
	if count <= 0 {
		return fmt.Errorf("%d bytes are too few", v.opts.Size)
	}
	v.clusters = uint32(count)
	return nil
}

// clusterSize is what Windows takes for a volume of that size.
func clusterSize(volume int64) int64 {
	const mib, gib = 1 << 20, 1 << 30
	switch {
	case volume < 260*mib:
		return 512
	case volume <= 8*gib:
		return 4096
	case volume <= 16*gib:
		return 8192
	case volume <= 32*gib:
		return 16384
	}
	return 32768
}

// allocate gives a file or folder its clusters.
func (v *Volume) allocate(n *item, size int64) error {
	count := (size + v.cluster - 1) / v.cluster
	if free := int64(v.clusters - (v.next - rootCluster)); count > free {
		return fmt.Errorf("%s: %d bytes, where %d are left of %d", n.path, size, free*v.cluster, int64(v.clusters)*v.cluster)
	}
	if count > 0 {
		n.cluster, n.count = v.next, uint32(count)
		v.next += n.count
		v.items = append(v.items, n)
	}
	return nil
}

// holder is the place in items of the first that ends behind a cluster.
func (v *Volume) holder(cluster uint32) int {
	return sort.Search(len(v.items), func(i int) bool { return v.items[i].cluster+v.items[i].count > cluster })
}

// makeHead makes the reserved sectors: the boot sector, the information, and the
// backup of both.
func (v *Volume) makeHead() []byte {
	le := binary.LittleEndian
	head := make([]byte, reservedSectors*v.sector)
	b := head[:v.sector]
	copy(b, "\xeb\x58\x90uefiexec")
	le.PutUint16(b[bootSectorSize:], uint16(v.sector))
	b[bootClusterSectors] = byte(v.cluster / v.sector)
	le.PutUint16(b[bootReserved:], reservedSectors)
	b[bootTables] = 2
	b[bootMedia] = 0xf8
	le.PutUint16(b[24:], 63)  // sectors a track,
	le.PutUint16(b[26:], 255) // and heads, which nobody needs
	le.PutUint32(b[bootHidden:], v.opts.Hidden)
	le.PutUint32(b[bootSectors32:], uint32(v.sectors))
	le.PutUint32(b[bootTableSectors32:], uint32(v.table))
	le.PutUint32(b[bootRoot:], rootCluster)
	le.PutUint16(b[bootInfo:], infoSector)
	le.PutUint16(b[bootBackup:], backupSector)
	b[bootDrive], b[bootSignature] = 0x80, 0x29
	le.PutUint32(b[bootSerial:], v.opts.Serial)
	label := v.label()
	if label == "" {
		label = "NO NAME    "
	}
	copy(b[bootLabel:], label)
	copy(b[bootType:], "FAT32   ")
	copy(b[bootEnd:], "\x55\xaa")

	info := head[infoSector*v.sector:]
	copy(info, "RRaA")
	copy(info[484:], "rrAa")
	le.PutUint32(info[488:], v.clusters-(v.next-rootCluster))
	le.PutUint32(info[492:], v.next)
	copy(info[bootEnd:], "\x55\xaa")
	copy(head[backupSector*v.sector:], head[:2*v.sector])
	return head
}

// label is the volume's label as an entry has it, or "".
func (v *Volume) label() string {
	if v.opts.Label == "" {
		return ""
	}
	return string(padded(strings.ReplaceAll(v.opts.Label, ".", "_"), shortSize))
}
