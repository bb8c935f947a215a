// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux || !amd64

package ptrace

import (
	"fmt"
	"runtime"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// New returns an error that wraps cpu.ErrNotSupported: the engine exists for
// Linux on x86-64 alone.
func New(cpu.Config) (cpu.Engine, error) {
	return nil, fmt.Errorf("ptrace: on %s/%s: %w", runtime.GOOS, runtime.GOARCH, cpu.ErrNotSupported)
}

// Available returns New's error.
func Available() error {
	_, err := New(cpu.Config{})
	return err
}
