// SPDX-License-Identifier: BSD-3-Clause

// Package interp is the engine that needs nothing of the host: interpreters in
// pure Go for guests of x86-64 and AArch64, on any system and processor. Runs are
// reproducible: the same guest with the same inputs executes the same instructions,
// and its counters are derived from their number.
//
// The interpreters themselves are in packages x86 and a64, for programs that want
// to link only one. The package knows no firmware.
package interp

import (
	"fmt"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
	"github.com/uefiexec/uefiexec/emu/interp/x86"
)

// New makes an engine for the guest's architecture.
func New(cfg cpu.Config) (cpu.Engine, error) {
	switch cfg.Arch {
	case cpu.AMD64:
		return x86.New(cfg)
	case cpu.ARM64:
		return a64.New(cfg)
	}
	return nil, fmt.Errorf("interp: no guest architecture %v: %w", cfg.Arch, cpu.ErrNotSupported)
}
