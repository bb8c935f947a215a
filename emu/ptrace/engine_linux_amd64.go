// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// engine is a guest in a child process.
type engine struct {
	*child
	mem   *mem.Memory
	gates efi.Range
	pin   pin

	mapped  []efi.Range  // what of RAM the child has
	pending []protection // of pages, not yet told to the child
	debug   debugRegs

	done   <-chan struct{} // of the context that can interrupt now
	disarm func() bool

	failed error // why the guest is lost
}

// New makes an engine for x86-64. The calling goroutine stays locked to its
// thread, and the thread to one processor, until Close.
//
// The error wraps cpu.ErrNotSupported where the architecture is another, where
// RAM lies outside of the user's half of the address space, and where the
// system forbids what is needed: a child of one's own that is traced (Yama's
// ptrace_scope 3, a container's seccomp filter), an executable memfd, /proc, or
// a kernel from 5.9 on.
func New(config cpu.Config) (cpu.Engine, error) {
	e, err := newEngine(config)
	if err != nil {
		return nil, fmt.Errorf("ptrace: %w", err)
	}
	return e, nil
}

func newEngine(config cpu.Config) (_ *engine, err error) {
	if config.Arch != cpu.AMD64 {
		return nil, fmt.Errorf("a guest of %v on an x86-64: %w", config.Arch, cpu.ErrNotSupported)
	}
	if err := checkGates(config); err != nil {
		return nil, err
	}
	file, mappings := config.Memory.File()
	if file == nil {
		return nil, fmt.Errorf("guest memory has no file to share: %w", cpu.ErrNotSupported)
	}
	gadget, err := place(config.Memory.Ranges())
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", err, cpu.ErrNotSupported)
	}

	e := &engine{mem: config.Memory, gates: config.Gates}
	runtime.LockOSThread()
	e.pin.fix()
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if e.child, err = start(gadget, file); err != nil {
		return nil, err
	}
	if err = e.mapMemory(mappings); err != nil {
		return nil, err
	}
	if err = e.seal(); err != nil {
		return nil, err
	}
	fp := cpu.InitialFP(cpu.AMD64)
	if err = e.SetFP(&fp); err != nil {
		return nil, err
	}
	e.mem.Watch(e)
	return e, nil
}

// checkGates makes sure that the gates are what Config says, for what they are
// not would be executed.
func checkGates(config cpu.Config) error {
	gates := config.Gates
	if !gates.Start.PageAligned() || !gates.End.PageAligned() || gates.Size() == 0 {
		return fmt.Errorf("gates %v are not whole pages", gates)
	}
	code, err := config.Memory.Read(gates.Start, gates.Size())
	if err != nil {
		return fmt.Errorf("gates: %w", err)
	}
	gate := config.Arch.Gate()
	if bytes.Count(code, gate)*len(gate) != len(code) {
		return fmt.Errorf("gates %v are not filled with % x", gates, gate)
	}
	return nil
}

// Run executes the guest as cpu.Engine says.
func (e *engine) Run(ctx context.Context, r *cpu.Regs, stop cpu.Stop) (cpu.Exit, error) {
	if err := e.usable(); err != nil {
		return cpu.Exit{}, err
	}
	if err := checkStop(&stop); err != nil {
		return cpu.Exit{}, err
	}
	x, err := e.run(ctx, r, &stop)
	if err != nil {
		switch {
		case unix.Gettid() != e.pin.tid:
			err = fmt.Errorf("%w (and this is not the thread that made the engine)", err)
		case errors.Is(err, unix.ESRCH) && !e.gone:
			err = e.obituary(err)
		}
		e.failed = fmt.Errorf("ptrace: %w", errors.Join(err, e.kill()))
		return cpu.Exit{}, e.failed
	}
	return x, nil
}

func (e *engine) run(ctx context.Context, r *cpu.Regs, stop *cpu.Stop) (cpu.Exit, error) {
	if len(e.pending) > 0 {
		if err := e.protect(); err != nil {
			return cpu.Exit{}, err
		}
	}
	// From here on a SIGSTOP that has been swallowed shows in the context.
	e.arm(ctx)
	if e.interrupted() {
		return cpu.Exit{Kind: cpu.Interrupted}, nil
	}
	if e.gates.Contains(efi.Addr(r.PC)) {
		return cpu.Exit{Kind: cpu.Gate}, nil
	}
	if stop.Steps != 0 || len(stop.Break)+len(stop.Watch) != 0 {
		return e.runDebug(r, stop)
	}
	if e.debug.set() {
		if err := e.setDebugRegs(nil, nil); err != nil {
			return cpu.Exit{}, err
		}
	}
	if err := e.load(r); err != nil {
		return cpu.Exit{}, err
	}
	sig, err := e.next(unix.PTRACE_SYSEMU, r)
	if err != nil {
		return cpu.Exit{}, err
	}
	if sig == unix.SIGTRAP && e.atGate() {
		r.PC--
		return cpu.Exit{Kind: cpu.Gate}, nil
	}
	return e.exit(sig, r)
}

// next resumes the child until it stops for a reason and reads its registers.
func (e *engine) next(request int, r *cpu.Regs) (unix.Signal, error) {
	for {
		ws, err := e.resume(request)
		if err != nil {
			return 0, err
		}
		if harmless(ws.StopSignal()) && !e.interrupted() {
			continue // meant for an earlier Run
		}
		if err := e.get(); err != nil {
			return 0, err
		}
		e.store(r)
		return ws.StopSignal(), nil
	}
}

// harmless reports whether sig says nothing but that the child was stopped, or
// allowed to go on.
func harmless(sig unix.Signal) bool { return sig == unix.SIGSTOP || sig == unix.SIGCONT }

// atGate reports whether a SIGTRAP is a gate's. One that follows the trap flag
// has to be looked at more closely.
func (e *engine) atGate() bool {
	return e.gates.Contains(efi.Addr(e.regs.Rip-1)) && e.regs.Eflags&flagTF == 0 && !e.narrow
}

// arm makes ctx the one that interrupts.
func (e *engine) arm(ctx context.Context) {
	done := ctx.Done()
	if done == e.done {
		return
	}
	if e.disarm != nil {
		e.disarm()
		e.disarm = nil
	}
	if e.done = done; done != nil {
		e.disarm = context.AfterFunc(ctx, e.interrupt)
	}
}

func (e *engine) interrupted() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

func (e *engine) usable() error {
	switch {
	case e.failed != nil:
		return e.failed
	case e.child == nil || e.gone:
		return errClosed
	}
	return nil
}

var errClosed = errors.New("ptrace: the engine is closed")

// Close ends the guest. It may be called again.
func (e *engine) Close() error {
	if e.disarm != nil {
		e.disarm()
		e.disarm = nil
	}
	e.mem.Unwatch(e)
	var err error
	if e.child != nil {
		err = e.kill()
	}
	if e.pin.release() {
		runtime.UnlockOSThread()
	}
	return err
}

// Available makes an engine and closes it again. Its error is New's.
func Available() error {
	gates := efi.Range{Start: 1 << 20, End: 1<<20 + efi.PageSize}
	m, err := mem.New(gates)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Write(gates.Start, bytes.Repeat(cpu.AMD64.Gate(), int(gates.Size()))); err != nil {
		return err
	}
	e, err := New(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: gates})
	if err != nil {
		return err
	}
	return e.Close()
}
