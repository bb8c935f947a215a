// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package mem

import (
	"bytes"
	"io"
	"os"

	"github.com/uefiexec/uefiexec/efi"
)

// backing is ordinary memory, which the system gives page by page as it is
// touched.
type backing struct {
	bytes []byte
	file  *os.File
}

func newBacking(size int64) (backing, error) { return backing{bytes: make([]byte, size)}, nil }

// data finds the first run of pages in [lo, hi) that are not all zero.
func (b *backing) data(lo, hi int64) (from, to int64, ok bool) {
	var zero [efi.PageSize]byte
	blank := func(at int64) bool { return bytes.Equal(b.bytes[at:at+efi.PageSize], zero[:]) }
	for from = lo &^ (efi.PageSize - 1); from < hi && blank(from); {
		from += efi.PageSize
	}
	for to = from; to < hi && !blank(to); {
		to += efi.PageSize
	}
	return max(from, lo), min(to, hi), from < hi
}

// fill reads r into part.
func (b *backing) fill(part []byte, _ int64, r io.ReaderAt) error { return readFull(part, 0, r) }

// fillMapped reads r from at on into part.
func (b *backing) fillMapped(part []byte, at int64, r io.ReaderAt) error {
	return readFull(part, at, r)
}

func (b *backing) close() error {
	*b = backing{}
	return nil
}
