// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mapPhysical reads physical memory by a mapping: the kernel refuses to read
// /dev/mem where there is no RAM behind an address, as behind the tables that a
// BIOS leaves at the end of it.
func mapPhysical(file *os.File, a int64, b []byte) error {
	page := int64(os.Getpagesize())
	skip := a % page
	view, err := unix.Mmap(int(file.Fd()), a-skip, int(skip)+len(b), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("%s at %#x: %w", file.Name(), a, err)
	}
	copy(b, view[skip:])
	return unix.Munmap(view)
}
