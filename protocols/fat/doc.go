// SPDX-License-Identifier: BSD-3-Clause

// Package fat reads FAT12, FAT16 and FAT32 as file systems (io/fs), and shows a
// file system as a FAT32 volume, sector by sector. On-disk structures are those
// of Microsoft's "FAT: General Overview of On-Disk Format" 1.03, which
// §13.3 of the UEFI specification takes over.
//
// Volumes are not trusted: what they say is held against their size, each
// cluster is in one chain at most, and names, folders and fragments are bounded.
// What is not protected against is a volume that changes while it is read.
package fat

import "errors"

// ErrFormat is in the error of Open for what is no FAT volume.
var ErrFormat = errors.New("no FAT volume")

const (
	// entrySize is the size of a folder's entry, in bytes.
	entrySize = 32
	// maxEntries is how many of them a folder can have, and maxDepth how many
	// folders can be in each other.
	maxEntries = 1 << 16
	maxDepth   = 128
)

// Attributes are the attributes of a file or folder. The FileInfo of what Open
// opens has them as Sys.
type Attributes uint8

// The attributes.
const (
	ReadOnly Attributes = 1 << iota
	Hidden
	System
	Label // the entry is the volume's label
	Directory
	Archive

	// longName is of an entry that is part of a long name.
	longName = ReadOnly | Hidden | System | Label
)
