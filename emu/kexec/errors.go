// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"io/fs"
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

// explain says what an error of kexec_load(2) means.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w: it needs CAP_SYS_BOOT, a kernel that is not locked down, an IMA policy that does not appraise kexec images, and kernel.kexec_load_limit_reboot not used up", ErrRefused, err)
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w: %w: it was built without kexec_load", ErrRefused, err)
	}
	return err
}
