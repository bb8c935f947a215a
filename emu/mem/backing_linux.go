// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"os"

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

// populate makes the pages of a part of the mapping present in one go, which
// costs a fraction of as many faults. Kernels before 5.14 cannot; the pages then
// come one by one.
func (b *backing) populate(part []byte) {
	_ = unix.Madvise(part, unix.MADV_POPULATE_WRITE)
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
