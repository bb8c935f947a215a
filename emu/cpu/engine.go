// SPDX-License-Identifier: BSD-3-Clause

package cpu

import (
	"context"
	"errors"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// ErrNotSupported is what errors of New answer to errors.Is when this host,
// this kernel or this sandbox cannot run the engine, or the engine cannot run
// the architecture. Any other error of New is a failure of something that
// should work.
var ErrNotSupported = errors.New("engine not supported here")

// Config is what an engine is made of.
type Config struct {
	Arch   Arch
	Memory *mem.Memory
	// Gates is a page-aligned range of guest memory, filled with Arch.Gate, in
	// which a fetch of any address is an Exit of kind Gate. Gates start at every
	// GateSize bytes.
	Gates efi.Range

	// Random is where an engine that interprets takes from what RDRAND and RDSEED
	// give; nil is a processor without them.
	Random io.Reader

	// Block, if not nil, is told of each run of code, in bytes, before it executes for
	// the first time, and again when it has changed. Only engines that interpret can.
	Block func(pc efi.Addr, size uint64)
}

// GateSize is the distance of one gate to the next, in bytes.
const GateSize = 16

// New makes an engine.
type New func(Config) (Engine, error)

// Engine executes a guest. One goroutine, locked to its thread, makes the engine
// and makes all calls.
type Engine interface {
	// Run executes the guest from r until something happens that only the
	// outside can answer, and brings r up to date. What it returns:
	//
	//	Gate        PC is in Config.Gates: a service was called, or something
	//	            returned to where it was told to. Nothing has executed there.
	//	Fault       PC is at the instruction that could not execute.
	//	Port, MSR,  the instruction is done but for its effect: PC is behind it,
	//	Halt,       the receiver performs it on r.
	//	System
	//	Step        Stop.Steps instructions have executed.
	//	Break       PC is one of Stop.Break (not the one Run started at), or an access
	//	            to one of Stop.Watch has just executed.
	//	Interrupted ctx is done; the guest can be run on.
	//
	// An error means that the engine, not the guest, has failed; the guest's state
	// is lost with it.
	Run(ctx context.Context, r *Regs, stop Stop) (Exit, error)

	// FP and SetFP read and write the vector and floating-point state.
	FP(*FPState) error
	SetFP(*FPState) error

	// Close ends the guest. The memory stays.
	Close() error
}

// Counter is an engine that counts the instructions it has executed. For those, a
// Stop with many Steps costs next to nothing.
type Counter interface {
	Engine
	Instructions() uint64
}

// Stop asks Run to return earlier than it must. The zero Stop asks nothing.
type Stop struct {
	Steps uint64     // after so many instructions, if not 0
	Break []efi.Addr // before an instruction at one of these
	Watch []efi.Addr // after a write to the 8 aligned bytes at one of these
}
