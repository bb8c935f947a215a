// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"errors"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

const amd64 = cpu.AMD64

// noEngine is for machines that run nothing.
func noEngine(cpu.Config) (cpu.Engine, error) { return nil, errors.New("no engine") }
