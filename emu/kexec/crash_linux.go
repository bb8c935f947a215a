// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"
	"fmt"

	uroot "github.com/u-root/u-root/pkg/boot/kexec"
	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
)

// loadCrash is kexec_load(2) with KEXEC_ON_CRASH.
func loadCrash(entry efi.Addr, list []segment) error {
	var segments uroot.Segments
	var zeros [efi.PageSize]byte
	for _, s := range list {
		data := s.data
		if len(data) == 0 {
			data = zeros[:] // u-root takes no segment without data
		}
		segments = append(segments, uroot.NewSegment(data, uroot.Range{Start: uintptr(s.Start), Size: uint(s.Size())}))
	}
	err := uroot.Load(uintptr(entry), segments, unix.KEXEC_ON_CRASH)
	if failed := (uroot.ErrKexec{}); errors.As(err, &failed) {
		err = explain(fmt.Errorf("kexec_load, for a panic: %w", failed.Errno))
	}
	if err != nil {
		return fmt.Errorf("kexec: crash kernel: %w", err)
	}
	return nil
}
