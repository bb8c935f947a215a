// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"fmt"

	uroot "github.com/u-root/u-root/pkg/boot/kexec"

	"github.com/uefiexec/uefiexec/efi"
)

// load is kexec_load(2).
func load(entry efi.Addr, list []segment) error {
	var segments uroot.Segments
	for _, s := range list {
		segments = append(segments, uroot.NewSegment(s.data, uroot.Range{Start: uintptr(s.Start), Size: uint(s.Size())}))
	}
	if err := uroot.Load(uintptr(entry), segments, 0); err != nil {
		return fmt.Errorf("kexec: %w", explain(err))
	}
	return nil
}

// Exec leaves the running kernel for what was loaded, at once: nothing is
// stopped, synced or unmounted before. It returns only if it fails.
func Exec() error {
	if err := uroot.Reboot(); err != nil {
		return fmt.Errorf("kexec: %w", err)
	}
	return nil
}
