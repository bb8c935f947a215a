// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/cpu/cputest"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

func TestEngine(t *testing.T) { cputest.TestEngine(t, ptrace.New, cpu.AMD64) }
