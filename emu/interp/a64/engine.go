// SPDX-License-Identifier: BSD-3-Clause

package a64

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// engine is a core that follows its memory.
type engine struct {
	core
	closed bool
}

// New makes an engine for AArch64. Any host will do. The error wraps
// cpu.ErrNotSupported for another architecture.
func New(config cpu.Config) (cpu.Engine, error) {
	if config.Arch != cpu.ARM64 {
		return nil, fmt.Errorf("a64: a guest of %v: %w", config.Arch, cpu.ErrNotSupported)
	}
	gates := config.Gates
	if !gates.Start.PageAligned() || !gates.End.PageAligned() || gates.Size() == 0 {
		return nil, fmt.Errorf("a64: gates %v are not whole pages", gates)
	}
	e := &engine{core: core{mem: config.Memory, gates: gates, cover: config.Block}}
	e.flushTLB()
	e.cache.clear()
	fp := cpu.InitialFP(cpu.ARM64)
	e.setFP(&fp)
	e.mem.Watch(e)
	return e, nil
}

var errClosed = errors.New("a64: the engine is closed")

// Close ends the guest. It may be called again.
func (e *engine) Close() error {
	e.mem.Unwatch(e)
	e.closed = true
	e.cache.clear()
	e.flushTLB()
	return nil
}

// Instructions is how many have executed.
func (e *engine) Instructions() uint64 { return e.count }

// Edited drops what was decoded from bytes that the host is about to change.
func (e *engine) Edited(r efi.Range) {
	e.cache.edited(r)
	if e.monitor.valid && r.Overlaps(efi.Range{Start: efi.Addr(e.monitor.addr), End: efi.Addr(e.monitor.addr + uint64(e.monitor.size))}) {
		e.monitor.valid = false
	}
}

// Protected forgets what was allowed.
func (e *engine) Protected(r efi.Range, _ mem.Perm) {
	e.flushTLB()
	for n := range e.cache.pages {
		if r.Contains(efi.Addr(n << pageShift)) {
			e.cache.drop(n)
		}
	}
}

// FP reads the vector and floating-point state.
func (e *engine) FP(fp *cpu.FPState) error {
	if e.closed {
		return errClosed
	}
	*fp = cpu.FPState{Ctrl: e.fpcr, Status: e.fpsr}
	for i, v := range e.v {
		binary.LittleEndian.PutUint64(fp.V[i][:], v[0])
		binary.LittleEndian.PutUint64(fp.V[i][8:], v[1])
	}
	return nil
}

// SetFP writes it.
func (e *engine) SetFP(fp *cpu.FPState) error {
	if e.closed {
		return errClosed
	}
	e.setFP(fp)
	return nil
}

func (e *engine) setFP(fp *cpu.FPState) {
	e.fpcr, e.fpsr = fp.Ctrl&fpcrMask, fp.Status&fpsrMask
	for i := range e.v {
		e.v[i] = vec{binary.LittleEndian.Uint64(fp.V[i][:]), binary.LittleEndian.Uint64(fp.V[i][8:])}
	}
}

// Run executes the guest as cpu.Engine says.
func (e *engine) Run(ctx context.Context, r *cpu.Regs, stop cpu.Stop) (cpu.Exit, error) {
	if e.closed {
		return cpu.Exit{}, errClosed
	}
	if len(stop.Watch)+len(e.watch) > 0 {
		e.watch = append(e.watch[:0], stop.Watch...)
		e.flushTLB()
	}
	e.load(r)
	x := e.run(ctx, &stop)
	e.store(r)
	return x, nil
}
