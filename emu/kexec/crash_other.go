// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package kexec

import (
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

func loadCrash(efi.Addr, []segment) error { return fmt.Errorf("kexec: %w", errors.ErrUnsupported) }
