// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package kexec

import (
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

func load(efi.Addr, []segment, uint64) error { return fmt.Errorf("kexec: %w", errors.ErrUnsupported) }

// Exec returns errors.ErrUnsupported: only Linux has kexec.
func Exec() error { return fmt.Errorf("kexec: %w", errors.ErrUnsupported) }
