// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// BootOptions say where an image comes from and what it is told.
type BootOptions struct {
	// Device is the handle of the volume or device that the image was loaded from,
	// and Path the rest of its device path, a file path as a rule. systemd's stub
	// insists on a file path.
	Device efi.Handle
	Path   efi.DevicePath
	// LoadOptions are handed to the image as they are: UTF-16 with a NUL for what
	// is a command line. See LoadOptions.
	LoadOptions []byte
	// Name is what traces and errors call the image; "" is the last file name of
	// Path.
	Name string
}

// LoadOptions makes a command line of a text.
func LoadOptions(commandLine string) []byte {
	if commandLine == "" {
		return nil
	}
	return efi.EncodeString(commandLine)
}

// errFrozen ends the run loop when ExitBootServices has succeeded.
var errFrozen = errors.New("frozen")

// Boot loads an image and runs it until it exits boot services; what the
// machine is then is the Handoff, which owns the guest's memory from there on:
// the machine is spent. What else can happen is an error: *ExitError (the image
// came to its end; another Boot may follow), *ResetError, *FaultError,
// *LimitError, the error of an image that cannot be loaded (an efi.Status is in
// its chain), or any other, which is the host's. When ctx ends, the guest is
// stopped wherever it is.
//
// Image is read until Boot returns, in several places at once, and must not change
// until then: what of it is not needed at once is laid out while the guest runs.
func (m *Machine) Boot(ctx context.Context, image io.ReaderAt, opts BootOptions) (*Handoff, error) {
	if m.state != stateOpen {
		return nil, errors.New("emu: the machine has been booted, or closed")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, m.limits.Time)
	defer cancel()
	m.ctx = ctx
	defer func() { m.ctx = nil }()
	defer func() { _ = m.mem.Settle() }() // who looked at what could not be read knows

	cfg := cpu.Config{Arch: m.cfg.Arch, Memory: m.mem, Gates: m.gateRange, Random: m.random}
	if m.cfg.Coverage != nil {
		cfg.Block = func(pc efi.Addr, size uint64) { m.cfg.Coverage(m.locate(pc), size) }
	}
	var err error
	if m.engine, err = m.cfg.Engine(cfg); err != nil {
		return nil, fmt.Errorf("emu: %w", err)
	}
	defer func() { m.engine.Close() }()
	m.counter, _ = m.engine.(cpu.Counter)
	root, err := m.loadRoot(image, opts)
	if err != nil {
		return nil, err
	}

	m.state = stateRunning
	if err = m.start(root); errors.Is(err, errFrozen) {
		var handoff *Handoff
		if handoff, err = m.freeze(); err == nil {
			m.state = stateFrozen
			return handoff, nil
		}
	}
	m.state = stateBroken
	var end stop
	if errors.As(err, &end) {
		err = end.error
	}
	var exit *ExitError
	if errors.As(err, &exit) && m.exiting < exitTerminated {
		m.state, m.watchdog = stateOpen, time.Time{}
	}
	return nil, err
}

// start enters the image that Boot has loaded, in the state that §2.3.4 and
// §2.3.6 describe, and runs until there is an error.
func (m *Machine) start(root *Image) error {
	m.frames = m.frames[:0]
	m.regs = cpu.Regs{Flags: initialFlags(m.cfg.Arch)}
	m.regs.GP[m.abi.Stack] = uint64(m.stack.End)
	fp := cpu.InitialFP(m.cfg.Arch)
	if err := m.engine.SetFP(&fp); err != nil {
		return fmt.Errorf("emu: engine: %w", err)
	}
	if err := m.enterImage(root, frame{}); !errors.Is(err, errSwitched) {
		return err
	}
	return m.run(0)
}

func initialFlags(arch cpu.Arch) uint64 {
	if arch == cpu.AMD64 {
		return 0x202
	}
	return 0
}

// run executes the guest. Depth is the number of frames whose innermost, a
// frameCall, ends the loop when it is finished; 0 runs until there is an error.
func (m *Machine) run(depth int) error {
	for {
		if depth > 0 {
			if len(m.frames) < depth {
				return errUnwound
			}
			if len(m.frames) == depth && m.top().finished {
				return nil
			}
		}
		steps, err := m.steps()
		if err != nil {
			return err
		}
		arrivals := m.mem.Arrivals()
		exit, err := m.engine.Run(m.ctx, &m.regs, cpu.Stop{Steps: steps})
		if err != nil {
			return stop{fmt.Errorf("emu: engine: %w", err)}
		}
		if exit.Kind == cpu.Fault {
			if err := m.mem.Arrive(exit.Addr); err != nil {
				return stop{fmt.Errorf("emu: %w", err)}
			}
			if m.mem.Arrivals() != arrivals {
				continue // the guest was too early
			}
		}
		m.stats.Stops++
		switch exit.Kind {
		case cpu.Gate:
			err = m.dispatch()
		case cpu.Port, cpu.MSR, cpu.Halt, cpu.System:
			err = m.answer(exit)
		case cpu.Interrupted:
			err = m.checkTime()
		case cpu.Step: // the limit is met, as steps says
		default:
			err = m.faulted(exit, nil)
		}
		if err != nil {
			return err
		}
	}
}

// steps is how many instructions the guest may still execute, 0 for any number.
func (m *Machine) steps() (uint64, error) {
	limit := uint64(m.limits.Instructions)
	if m.counter == nil || m.limits.Instructions == math.MaxInt64 {
		return 0, nil
	}
	done := m.counter.Instructions()
	if done >= limit {
		return 0, stop{&LimitError{What: "instructions", Limit: fmt.Sprint(limit), Where: m.locate(efi.Addr(m.regs.PC))}}
	}
	return limit - done, nil
}

// checkTime is a limit error once the context is done.
func (m *Machine) checkTime() error {
	err := m.ctx.Err()
	if err == nil {
		return nil
	}
	what, limit := "interrupted", err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		what, limit = "time", ""
	}
	return stop{&LimitError{What: what, Limit: limit, Where: m.locate(efi.Addr(m.regs.PC)), Err: err}}
}

// dispatch serves what stands behind the gate that the guest has come to:
// decode by the ABI, serve, map the error to a status, trace, return, deliver.
func (m *Machine) dispatch() error {
	offset := efi.Addr(m.regs.PC) - m.gateRange.Start
	index := int(offset / gateSize)
	if offset%gateSize != 0 || index >= len(m.gates) {
		return m.faulted(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Trap, Addr: efi.Addr(m.regs.PC)}, errors.New("a jump into the middle of the gates"))
	}
	g := &m.gates[index]
	if g.service == nil {
		return m.returned(frameKind(index))
	}
	m.system.halts = 0
	if m.stats.Calls++; m.stats.Calls > m.limits.Calls {
		return m.limit("calls", fmt.Sprint(m.limits.Calls))
	}
	if err := m.checkTime(); err != nil {
		return err
	}
	if err := m.checkWatchdog(); err != nil {
		return err
	}
	return m.finish(m.serve(g))
}

// serve makes the call and says what became of it.
func (m *Machine) serve(g *gate) (*Call, error) {
	c := &Call{m: m, gate: g}
	c.raw = c.store[:g.service.numArgs()]
	var err error
	for i := range c.raw {
		if c.raw[i], err = m.abi.Arg(m.mem, &m.regs, i); err != nil {
			break
		}
	}
	m.traceBefore(c)
	if err == nil {
		err = m.intercept(c)
	}
	if err == nil {
		err = g.service.call(c)
	}
	if g.service.Support == Absent {
		m.missing.note(missingService, g.table+"."+g.service.Name)
	}
	return c, err
}

// finish brings a call's result to the guest and delivers events.
func (m *Machine) finish(c *Call, err error) error {
	var end stop
	switch {
	case errors.Is(err, errSwitched), errors.Is(err, errUnwound):
		return m.deliver()
	case errors.Is(err, errRetry):
		m.top().waiting = true
		return m.deliver()
	case errors.Is(err, errFrozen):
		m.traceAfter(c, efi.Success, nil)
		return err
	case errors.As(err, &end):
		return err
	}
	status := StatusOf(err)
	result := uint64(status)
	if err == nil && c.raised {
		result = c.result
	}
	m.traceAfter(c, status, err)
	if err := m.abi.Return(m.mem, &m.regs, result); err != nil {
		return m.badStack(err)
	}
	return m.deliver()
}

// limit ends the boot at a limit, located at the caller of the present service.
func (m *Machine) limit(what, limit string) error {
	return stop{&LimitError{What: what, Limit: limit, Where: m.caller()}}
}

// caller is where the guest called the present service from.
func (m *Machine) caller() Location {
	at, err := m.abi.ReturnAddress(m.mem, &m.regs)
	if err != nil {
		at = efi.Addr(m.regs.PC)
	}
	return m.locate(at)
}
