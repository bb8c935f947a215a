// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// mountUsual mounts what programs expect. What a kernel does not have is left
// out.
func mountUsual() {
	for _, m := range [][2]string{
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"tmpfs", "/dev/shm"},
		{"tmpfs", "/tmp"},
		{"tmpfs", "/run"},
		{"securityfs", "/sys/kernel/security"},
	} {
		_ = mount(m[0], m[1])
	}
}

// mountVariables mounts efivarfs, on a kernel that has it and was booted by EFI.
func mountVariables() {
	const dir = "/sys/firmware/efi/efivars"
	if _, err := os.Stat(dir); err == nil {
		_ = mount("efivarfs", dir)
	}
}

func mount(kind, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.NewSyscallError("mount", unix.Mount(kind, dir, kind, 0, ""))
}
