// SPDX-License-Identifier: BSD-3-Clause

package x86_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/cpu/cputest"
	"github.com/uefiexec/uefiexec/emu/interp/x86"
)

func TestEngine(t *testing.T) { cputest.TestEngine(t, x86.New, cpu.AMD64) }
