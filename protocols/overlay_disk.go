// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/uefiexec/uefiexec/efi"
)

// ReadWriterAt is a disk that can be written to.
type ReadWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// overlayBlock is what of a disk is kept at once, in bytes.
const overlayBlock = 4096

// OverlayDisk makes a disk that can be written to of one that is only read: what
// is written is kept in memory, and gone with the result. r is never changed.
//
// What is kept is bounded to 64 MiB, in blocks of 4 KiB; more is an error with
// efi.VolumeFull in its chain, of which nothing is written. It may be used from
// several goroutines.
func OverlayDisk(r io.ReaderAt) ReadWriterAt { return &overlayDisk{r: r, blocks: map[int64][]byte{}} }

type overlayDisk struct {
	r      io.ReaderAt
	mu     sync.Mutex
	blocks map[int64][]byte // that were written to, by their number
}

// ReadAt is io.ReaderAt's.
func (o *overlayDisk) ReadAt(b []byte, at int64) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.blocks) == 0 || at < 0 {
		return o.r.ReadAt(b, at)
	}
	for n < len(b) && err == nil {
		start := at + int64(n)
		part := b[n:min(int64(len(b)), int64(n)+overlayBlock-start%overlayBlock)]
		got := 0
		if block, ok := o.blocks[start/overlayBlock]; !ok {
			got, err = o.r.ReadAt(part, start)
		} else if got = copy(part, block[min(start%overlayBlock, int64(len(block))):]); got < len(part) {
			err = io.EOF
		}
		if n += got; got == len(part) {
			err = nil
		}
	}
	return n, err
}

// WriteAt is io.WriterAt's. Behind the end nothing can be written.
func (o *overlayDisk) WriteAt(b []byte, at int64) (int, error) {
	switch {
	case at < 0:
		return 0, fs.ErrInvalid
	case len(b) == 0:
		return 0, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	first, last := at/overlayBlock, (at+int64(len(b))-1)/overlayBlock
	if last-first+1+int64(len(o.blocks)) > maxChanges/overlayBlock {
		return 0, fmt.Errorf("%d bytes at %#x of a disk, with %d blocks of it changed: %w", len(b), at, len(o.blocks), efi.VolumeFull)
	}
	fresh := map[int64][]byte{}
	for i := first; i <= last; i++ {
		block := o.blocks[i]
		if block == nil {
			block = make([]byte, overlayBlock)
			n, err := o.r.ReadAt(block, i*overlayBlock)
			if n < len(block) && err != io.EOF {
				return 0, err
			}
			block = block[:n:n]
			fresh[i] = block
		}
		if end := min(at+int64(len(b))-i*overlayBlock, overlayBlock); int64(len(block)) < end {
			return 0, fmt.Errorf("%d bytes at %#x of a disk of %#x: %w", len(b), at, i*overlayBlock+int64(len(block)), efi.InvalidParameter)
		}
	}
	for i, block := range fresh {
		o.blocks[i] = block
	}
	n := 0
	for i := first; i <= last; i++ {
		n += copy(o.blocks[i][(at+int64(n))%overlayBlock:], b[n:])
	}
	return n, nil
}

// diskPart is a part of a disk: a partition.
type diskPart struct {
	*io.SectionReader
	*io.OffsetWriter
}

// partOf is a part of a disk. Whoever writes to it has looked at the size.
func partOf(r io.ReaderAt, at, size int64) io.ReaderAt {
	part := io.NewSectionReader(r, at, size)
	if w, ok := r.(io.WriterAt); ok {
		return diskPart{part, io.NewOffsetWriter(w, at)}
	}
	return part
}
