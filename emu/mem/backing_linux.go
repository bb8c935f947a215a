// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"cmp"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// backing is a sparse memfd, mapped whole.
type backing struct {
	bytes []byte
	file  *os.File
}

func newBacking(size int64) (backing, error) {
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return backing{}, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "guest")
	if err := file.Truncate(size); err != nil {
		file.Close()
		return backing{}, err
	}
	// Nobody who holds the descriptor can pull the memory from under us.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		file.Close()
		return backing{}, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	bytes, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		file.Close()
		return backing{}, os.NewSyscallError("mmap", err)
	}
	return backing{bytes, file}, nil
}

// data finds the first run of data in [lo, hi).
func (b *backing) data(lo, hi int64) (from, to int64, ok bool) {
	fd := int(b.file.Fd())
	from, err := unix.Seek(fd, lo, unix.SEEK_DATA)
	if err != nil || from >= hi {
		return 0, 0, false
	}
	to, err = unix.Seek(fd, from, unix.SEEK_HOLE)
	if err != nil {
		to = hi
	}
	return from, min(to, hi), true
}

// fillPiece is what fill reads at once: it stays in a processor's cache on its way.
const fillPiece = 256 << 10

// fill reads r into part, which lies at offset in the file. New pages are most of
// what that costs, and there are two ways to make them. Written to the file they
// need neither be zeroed nor mapped, but only one write to a file goes on at a
// time. Made present in the mapping they cost more, but that can go on beside it:
// one goroutine does the one and, given a processor, a second the other.
func (b *backing) fill(part []byte, offset int64, r io.ReaderAt) error {
	size := int64(len(part))
	var next atomic.Int64
	each := func(fill func(piece []byte, at int64) error) (err error) {
		for at := next.Add(fillPiece) - fillPiece; at < size && err == nil; at = next.Add(fillPiece) - fillPiece {
			if err = fill(part[at:min(at+fillPiece, size)], at); err != nil {
				next.Store(size)
			}
		}
		return err
	}
	mapped := func(piece []byte, at int64) error { return b.fillMapped(piece, at, r) }
	if size <= fillPiece {
		return mapped(part, 0)
	}
	buffer := make([]byte, fillPiece)
	written := func(piece []byte, at int64) error {
		if err := readFull(buffer[:len(piece)], at, r); err != nil {
			return err
		}
		_, err := b.file.WriteAt(buffer[:len(piece)], offset+at)
		return err
	}
	var beside error
	var done sync.WaitGroup
	if runtime.GOMAXPROCS(0) > 1 {
		done.Go(func() { beside = each(mapped) })
	}
	err := each(written)
	done.Wait()
	return cmp.Or(err, beside)
}

// fillMapped reads r from at on into part, whose pages are made present at once.
// Kernels before 5.14 cannot do that, and they come one by one.
func (b *backing) fillMapped(part []byte, at int64, r io.ReaderAt) error {
	_ = unix.Madvise(part, unix.MADV_POPULATE_WRITE)
	return readFull(part, at, r)
}

func (b *backing) close() error {
	if b.file == nil {
		return nil
	}
	err := unix.Munmap(b.bytes)
	if cerr := b.file.Close(); err == nil {
		err = cerr
	}
	*b = backing{}
	return err
}
