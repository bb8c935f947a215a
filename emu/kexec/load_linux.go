// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	uroot "github.com/u-root/u-root/pkg/boot/kexec"

	"github.com/uefiexec/uefiexec/efi"
)

// load is kexec_load(2). What is loaded for a panic goes to memory that was set
// aside, anything else to copies first.
func load(entry efi.Addr, list []segment, flags uint64) error {
	if err := pageSize(os.Getpagesize()); err != nil {
		return err
	}
	if flags&onCrash == 0 {
		if err := enough(os.DirFS("/"), list); err != nil {
			return err
		}
	}
	var segments uroot.Segments
	var zeros [efi.PageSize]byte
	for _, s := range list {
		data := s.data
		if len(data) == 0 {
			data = zeros[:] // u-root takes no segment without data
		}
		segments = append(segments, uroot.NewSegment(data, uroot.Range{Start: uintptr(s.Start), Size: uint(s.Size())}))
	}
	err := uroot.Load(uintptr(entry), segments, flags)
	if failed := (uroot.ErrKexec{}); errors.As(err, &failed) {
		err = explain(fmt.Errorf("kexec_load: %w", failed.Errno))
	}
	if err != nil {
		return fmt.Errorf("kexec: %w", err)
	}
	return nil
}

// Exec leaves the running kernel for what was loaded, at once: nothing is
// stopped, synced or unmounted before. It returns only if it fails.
func Exec() error {
	switch err := uroot.Reboot(); {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("kexec: %w: %w: it needs root with CAP_SYS_BOOT", ErrRefused, err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("kexec: %w: nothing is loaded", err)
	case err != nil:
		return fmt.Errorf("kexec: %w", err)
	}
	return nil
}
