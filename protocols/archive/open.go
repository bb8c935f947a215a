// SPDX-License-Identifier: BSD-3-Clause

// Package archive reads cpio and tar archives as file systems (io/fs), so that
// one can stand for a folder. Nothing is unpacked: Open makes an index, and
// files are read where they lie in the archive.
//
// It reads newc cpio as initramfs images have it (magic 070701, and 070702 with
// its checksums), several of them behind each other with zeros between, and tar
// as archive/tar does (v7, ustar, pax, GNU). What the bytes are is seen from the
// bytes. Archives and parts of an initramfs that are compressed by gzip are
// decompressed into memory; other compressions are refused by name.
//
// Archives are not trusted: sizes are held against that of the file, and the
// number of entries, the length of names and what is decompressed are bounded.
// What is not protected against is an archive that changes while it is read.
package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// ErrFormat is in the error of Open for what is no archive of a known kind, or
// has bytes of no known kind behind a cpio archive.
var ErrFormat = errors.New("neither cpio nor tar")

// limits bound what an archive can take.
type limits struct {
	nodes    int   // files and folders, those that are only implied among them
	depth    int   // folders in each other: names may lead through links
	name     int   // bytes of one name, or of one link's target
	inflated int64 // bytes in memory: decompressed, or of sparse files
	padding  int64 // zeros in one place
}

var defaultLimits = limits{nodes: 1 << 20, depth: 2048, name: 4096, inflated: 1 << 30, padding: 16 << 20}

// Open makes a file system of the archive in the first size bytes of r, which
// is read from whenever a file is. The file system is read-only and may be used
// by many goroutines if r may; its files are io.ReaderAt and io.Seeker.
//
// An archive is read as if it were unpacked, in its order, into an empty root:
// the last of two entries with one name wins, folders that are not in the
// archive but in a name are made, hard links share their contents, and symbolic
// links lead where they would if the archive's root were the root of the
// system, over at most 40 of each other, and never out of it. ReadLink and Lstat
// see the links themselves.
//
// Devices, pipes and sockets are left out, as are names that are not UTF-8,
// which io/fs cannot say. A name with ".." in it is an error, as is an entry
// that is cut off, a cpio archive without its trailer, or anything but zeros
// and further archives behind it. (Linux keeps what it has unpacked up to such
// an error; here nothing is kept.)
func Open(r io.ReaderAt, size int64) (fs.FS, error) {
	return open(r, size, defaultLimits)
}

func open(r io.ReaderAt, size int64, l limits) (fs.FS, error) {
	b := &builder{limits: l, root: newFolder()}
	if err := b.read(r, size, false); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	b.root.seal()
	return &archiveFS{b.root}, nil
}

// read adds all archives in r. Inner is whether r was decompressed.
func (b *builder) read(r io.ReaderAt, size int64, inner bool) error {
	head := make([]byte, tarBlock)
	for at, first := int64(0), true; ; first = false {
		start, err := b.skipZeros(r, at, size)
		if err != nil {
			return err
		}
		if start == size {
			if first && size < 2*tarBlock {
				return fmt.Errorf("%d bytes: %w", size, ErrFormat)
			}
			return nil // an empty tar archive is zeros too
		}
		n, err := r.ReadAt(head[:min(tarBlock, size-start)], start)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		kind := recognise(head[:n])
		switch {
		case kind == kindTar && start == 0:
			return b.readTar(r, size)
		case kind == kindCPIO && start%4 == 0:
			at, err = b.readCPIO(r, start, size)
		case kind == kindGzip && !inner:
			at, err = b.readGzip(r, start, size)
		case kind == kindUnknown, kind == kindTar, kind == kindCPIO:
			return fmt.Errorf("at %#x: %w", start, ErrFormat)
		default:
			return fmt.Errorf("at %#x: %s: %w", start, kind, errors.ErrUnsupported)
		}
		if err != nil {
			return err
		}
	}
}

// skipZeros finds the first byte at or after at that is not zero.
func (b *builder) skipZeros(r io.ReaderAt, at, size int64) (int64, error) {
	buf := make([]byte, 4096)
	for start := at; at < size; at += int64(len(buf)) {
		if at-start > b.limits.padding {
			return 0, fmt.Errorf("at %#x: more than %d zeros: %w", start, b.limits.padding, ErrFormat)
		}
		buf = buf[:min(int64(len(buf)), size-at)]
		if err := readFull(r, buf, at); err != nil {
			return 0, err
		}
		if i := bytes.IndexFunc(buf, func(c rune) bool { return c != 0 }); i >= 0 {
			return at + int64(i), nil
		}
	}
	return size, nil
}

// readFull reads len(buf) bytes at an offset; fewer are io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, buf []byte, at int64) error {
	n, err := r.ReadAt(buf, at)
	switch {
	case n == len(buf):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("at %#x: %w", at, io.ErrUnexpectedEOF)
	}
	return err
}
