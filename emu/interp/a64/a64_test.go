// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/cpu/cputest"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
)

func TestEngine(t *testing.T) { cputest.TestEngine(t, a64.New, cpu.ARM64) }
