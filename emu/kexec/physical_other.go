// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package kexec

import (
	"errors"
	"os"
)

func mapPhysical(*os.File, int64, []byte) error { return errors.ErrUnsupported }
