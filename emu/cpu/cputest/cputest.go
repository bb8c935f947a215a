// SPDX-License-Identifier: BSD-3-Clause

// Package cputest is the conformance suite of engines: what cpu.Engine
// promises, as cases that run machine code. An engine's own test is one line
// around TestEngine, and none of its cases may be skipped.
//
// A case carries the rule that it checks and its code for each architecture it
// is about. Code is bytes with the disassembly beside it, so that nothing but Go
// is needed to run it. The code of both architectures uses the registers of the
// same index in cpu.Regs.GP: rax is x0, rcx x1, rdx x2, rbx x3.
package cputest

import (
	"runtime"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// code is the machine code of a case for each architecture; one that has none
// is not what the case is about.
type code struct{ amd64, arm64 []byte }

func (c code) of(arch cpu.Arch) []byte {
	if arch == cpu.ARM64 {
		return c.arm64
	}
	return c.amd64
}

// testCase is one promise. Its code is loaded at codeAt and followed by a jump
// to the gate at endGate.
type testCase struct {
	name string
	rule string
	code code
	test func(g *guest)
}

// cases are the suite.
func cases() []testCase {
	return slices.Concat(
		registerCases(),
		gateCases(),
		memoryCases(),
		faultCases(),
		protectionCases(),
		trapCases(),
		privilegedCases(),
		stepCases(),
		breakCases(),
		interruptCases(),
		lifeCases(),
	)
}

// TestEngine checks that engines made by newEngine for a guest of the given
// architecture keep what cpu.Engine promises. An engine that cannot be made
// fails the test: a caller that knows a good reason skips before.
func TestEngine(t *testing.T, newEngine cpu.New, arch cpu.Arch) {
	for _, c := range cases() {
		text := c.code.of(arch)
		if text == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			g := newGuest(t, newEngine, arch, c.rule)
			g.load(text)
			c.test(g)
		})
	}
}
