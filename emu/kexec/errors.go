// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/uefiexec/uefiexec/efi"
)

// ErrRefused is what errors answer to errors.Is when the running kernel does not
// let anybody load this way, as a matter of policy: lockdown, IMA, Xen, a sysctl.
// The text says what to do.
var ErrRefused = errors.New("refused by the running kernel")

// allowed says beforehand why the kernel would refuse, where that is known. A
// refused try may cost one of kernel.kexec_load_limit_reboot.
func (h *Host) allowed() error {
	switch {
	case h.Xen:
		return fmt.Errorf("kexec: %w: under Xen, kexec is the hypervisor's", ErrRefused)
	case h.Disabled:
		return fmt.Errorf("kexec: %w: kernel.kexec_load_disabled is set, until the next boot", ErrRefused)
	case h.Lockdown == "integrity" || h.Lockdown == "confidentiality":
		return fmt.Errorf("kexec: %w: it is locked down (%s), as under Secure Boot; a locked-down kernel loads only what it can check itself, by kexec_file_load",
			ErrRefused, h.Lockdown)
	}
	return nil
}

// pageSize says whether a kernel with pages of so many bytes can load a handoff.
// It wants whole pages, and what of them is not the payload's may be in use.
func pageSize(n int) error {
	if n != efi.PageSize {
		return fmt.Errorf("kexec: the running kernel has pages of %d KiB, and what UEFI allocates is pages of %d: only a kernel with such can load it: %w",
			n>>10, efi.PageSize>>10, errors.ErrUnsupported)
	}
	return nil
}

// explain says what an error of kexec_load(2) means.
func explain(err error) error {
	refused := func(text string) error { return fmt.Errorf("%w: %w: %s", ErrRefused, err, text) }
	switch {
	case errors.Is(err, syscall.EACCES):
		return refused("its IMA policy, or another security module, wants kexec images that are signed; kexec_file_load can load such")
	case errors.Is(err, fs.ErrPermission):
		return refused("it needs root with CAP_SYS_BOOT, a kernel that is not locked down, an IMA policy that does not appraise kexec images, and kernel.kexec_load_limit_reboot not used up")
	case errors.Is(err, errors.ErrUnsupported):
		return refused("it was built without kexec_load")
	case errors.Is(err, syscall.ENOMEM):
		return fmt.Errorf("%w: there must be as much memory free as is loaded", err)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%w: another program loads, or the kernel cannot stop its processors", err)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: it does not accept the layout", err)
	}
	return err
}
