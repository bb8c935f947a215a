// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package kexec

import "errors"

func (filePlan) load() error { return errors.ErrUnsupported }
