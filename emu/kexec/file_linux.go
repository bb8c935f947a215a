// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	uroot "github.com/u-root/u-root/pkg/boot/kexec"
	"golang.org/x/sys/unix"
)

// load is kexec_file_load(2).
func (p filePlan) load() error {
	kernel, err := memFile("kernel", io.NewSectionReader(p.kernel, 0, p.kernel.Size()))
	if err != nil {
		return err
	}
	defer kernel.Close()
	var initrd *os.File
	if len(p.initrd) > 0 {
		if initrd, err = memFile("initrd", bytes.NewReader(p.initrd)); err != nil {
			return err
		}
		defer initrd.Close()
	}
	err = uroot.FileLoad(kernel, initrd, p.cmdline)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return explainFile(errno) // the text of err has all of the command line
	}
	return err
}

// memFile makes a file in memory that nobody can change any more.
func memFile(name string, r io.Reader) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = io.Copy(f, r); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s in memory: %w", name, err)
	}
	return f, nil
}

// explainFile says what an error of kexec_file_load(2) means.
func explainFile(errno syscall.Errno) error {
	err := os.NewSyscallError("kexec_file_load", errno)
	if text, ok := refusals[errno]; ok {
		return fmt.Errorf("%w: %w: %s", ErrRefused, err, text)
	}
	if text, ok := failures[errno]; ok {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// refusals are errors that are a matter of policy.
var refusals = map[syscall.Errno]string{
	unix.EPERM:        "it needs root with CAP_SYS_BOOT, kernel.kexec_load_limit_reboot not used up, and, where it is locked down, a payload's kernel with a signature by a key that it trusts",
	unix.EACCES:       "its IMA policy, or another security module, does not trust the payload's kernel",
	unix.ENOKEY:       "it trusts no key that has signed the payload's kernel",
	unix.EKEYREJECTED: "the signature of the payload's kernel is bad, or its key is revoked",
	unix.EBADMSG:      "the signature of the payload's kernel cannot be read",
	unix.ELIBBAD:      "the payload's kernel is damaged, or its signature",
	unix.ENODATA:      "the payload's kernel is not signed",
	unix.ENOSYS:       "it was built without kexec_file_load",
}

// failures are the other errors that need words.
var failures = map[syscall.Errno]string{
	unix.ENOEXEC:       "it does not know what the payload's kernel is",
	unix.EINVAL:        "it does not accept the payload's kernel, or the length of its command line",
	unix.ENOMEM:        "there must be as much memory free as is loaded",
	unix.EADDRNOTAVAIL: "it finds no place for what is loaded",
	unix.EBUSY:         "another program loads, or the kernel cannot stop its processors",
}
