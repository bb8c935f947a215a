// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"fmt"
	"io"
	"io/fs"
	"sort"
	"strings"
	"time"
)

// maxNodes bounds the files and folders of a volume.
const maxNodes = 1 << 18

// FS is the file system of a volume. It is read-only, and may be used by many
// goroutines if what it reads from may; its files are io.ReaderAt and io.Seeker.
// Names are found as they are spelled. Short names of what has a long one, and
// entries with a name that ValidName does not know, are not there.
//
// What is wrong with a file or folder, such as clusters that are another's, is
// the error of opening it.
type FS struct {
	info Info
	root *node
}

// Info is what a volume tells of itself. Sizes are in bytes.
type Info struct {
	Kind        int // 12, 16 or 32
	Label       string
	Serial      uint32
	ClusterSize uint32
	Size, Free  uint64 // of the clusters; free is what is in no file
}

// Info tells of the volume.
func (f *FS) Info() Info { return f.info }

// node is a file or folder.
type node struct {
	name       string
	attributes Attributes
	modified   time.Time
	size       int64
	data       contents
	err        error   // of its clusters
	children   []*node // of a folder, by their names
}

// Open makes a file system of the FAT volume in the first size bytes of r. All
// folders are read, and where their files lie; files are read when they are read
// from.
//
// ErrFormat: it is no FAT volume. Any other error says what is wrong with the
// root, or that there is more than 2^18 files and folders, or 2^21 fragments.
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f, err := open(r, size)
	if err != nil {
		return nil, fmt.Errorf("fat: %w", err)
	}
	return f, nil
}

// IsVolume reports whether the first 512 bytes of something of size bytes are the
// boot sector of a FAT volume.
func IsVolume(boot []byte, size int64) bool {
	if len(boot) < 512 {
		return false
	}
	_, err := parseBoot(boot, size)
	return err == nil
}

func open(r io.ReaderAt, size int64) (*FS, error) {
	boot := make([]byte, 512)
	if err := readFull(r, boot[:min(512, max(size, 0))], 0); err != nil {
		return nil, fmt.Errorf("boot sector: %w", err)
	}
	g, err := parseBoot(boot, size)
	if err != nil {
		return nil, err
	}
	rd := &reader{chains: newChains(r, g)}
	root, err := rd.tree()
	if err != nil {
		return nil, err
	}
	return &FS{root: root, info: Info{
		Kind: g.kind, Label: rd.label, Serial: g.serial, ClusterSize: uint32(g.cluster),
		Size: uint64(g.clusters) * uint64(g.cluster), Free: uint64(g.clusters-rd.taken) * uint64(g.cluster),
	}}, nil
}

// find follows a path.
func (f *FS) find(op, name string) (*node, error) {
	n, err := f.root, fs.ErrInvalid
	if fs.ValidPath(name) {
		if err = nil; name != "." {
			n, err = walk(n, name)
		}
	}
	if err == nil && op != "stat" {
		err = n.err
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

func walk(n *node, name string) (*node, error) {
	for element := range strings.SplitSeq(name, "/") {
		if n.err != nil {
			return nil, n.err
		}
		i := sort.Search(len(n.children), func(i int) bool { return n.children[i].name >= element })
		if i == len(n.children) || n.children[i].name != element {
			return nil, fs.ErrNotExist
		}
		n = n.children[i]
	}
	return n, nil
}
