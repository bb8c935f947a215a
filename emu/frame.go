// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// frameKind is what the guest is inside of.
type frameKind uint8

const (
	frameImage  frameKind = iota // an image's entry point, under StartImage or Boot
	frameNotify                  // a notification function
	frameCall                    // a function of the guest's that a service waits for
	frameKinds
)

func (k frameKind) String() string {
	return [...]string{"return of an image", "return of a notification", "return of a call"}[k]
}

// frame says who is to be resumed, and with what, when the guest returns from
// something the machine made it enter. Frames are data: nothing of a guest is
// on the Go stack, but under a frameCall.
type frame struct {
	kind   frameKind
	caller cpu.Regs // at the gate of the service, or where the notification came between
	tpl    efi.TPL

	image    *Image
	fp       cpu.FPState       // the caller's: for Exit, which returns for callees that do not, and if inside
	sizeOut  efi.Ptr[uint64]   // StartImage's ExitDataSize
	dataOut  efi.Ptr[efi.Addr] // and ExitData
	result   uint64            // of a frameCall
	finished bool
	inside   bool // the notification came between two instructions, at no call
	waiting  bool // the guest is left at a gate: see errRetry
}

// errRetry leaves the guest at the gate, so that it makes the same call again
// once the notifications that wait have run.
var errRetry = errors.New("retry")

// errSwitched says that the registers are set already.
var errSwitched = errors.New("switched")

// errUnwound says that Exit has left the call that a service was waiting for.
var errUnwound = errors.New("unwound")

// push adds a frame.
func (m *Machine) push(f frame) error {
	if len(m.frames) >= m.limits.Nesting {
		return stop{&LimitError{What: "nesting", Limit: fmt.Sprint(m.limits.Nesting)}}
	}
	m.frames = append(m.frames, f)
	return nil
}

// top is the innermost frame.
func (m *Machine) top() *frame { return &m.frames[len(m.frames)-1] }

// pop removes the innermost frame.
func (m *Machine) pop() frame {
	f := m.frames[len(m.frames)-1]
	m.frames = m.frames[:len(m.frames)-1]
	return f
}

// innermost is the index of the innermost frame of an image, and the image.
func (m *Machine) innermost() (int, *Image) {
	for i := len(m.frames) - 1; i >= 0; i-- {
		if m.frames[i].kind == frameImage {
			return i, m.frames[i].image
		}
	}
	return -1, nil
}

// returned is called when the guest has come back to the gate of a frame kind.
func (m *Machine) returned(kind frameKind) error {
	if len(m.frames) == 0 || m.top().kind != kind {
		return m.faulted(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Unknown}, fmt.Errorf("%v that was not entered", kind))
	}
	result := m.regs.GP[m.abi.Result]
	switch kind {
	case frameImage:
		return m.leaveImage(efi.Status(result), exitData{})
	case frameNotify:
		f := m.pop()
		m.regs = f.caller
		m.events.tpl = f.tpl
		if f.inside {
			if err := m.engine.SetFP(&f.fp); err != nil {
				return stop{fmt.Errorf("emu: engine: %w", err)}
			}
		}
		return m.interrupt(f.inside)
	default:
		f := m.top()
		f.result, f.finished = result, true
		return nil
	}
}

// deliver makes the guest enter the next notification that is due. It is the
// one place where notifications start, at the end of a service.
func (m *Machine) deliver() error { return m.interrupt(false) }

// interrupt is deliver; inside says that the guest is not at a call, after which
// the vector registers may be anything.
func (m *Machine) interrupt(inside bool) error {
	if len(m.events.timed) > 0 {
		m.events.tick(m.clock.Now())
	}
	e := m.events.due()
	if e == nil {
		return nil
	}
	f := frame{kind: frameNotify, caller: m.regs, tpl: m.events.tpl, inside: inside}
	if inside {
		if err := m.engine.FP(&f.fp); err != nil {
			return stop{fmt.Errorf("emu: engine: %w", err)}
		}
	}
	if err := m.push(f); err != nil {
		return err
	}
	m.events.tpl = e.tpl
	m.traceNotify(e)
	if err := m.abi.Call(m.mem, &m.regs, e.notify, m.returns[frameNotify], uint64(e.id), uint64(e.context)); err != nil {
		return m.badStack(err)
	}
	return nil
}

// CallGuest calls a function of the guest's and waits for it, on the stack of
// the call that is being served. It is for the few services that need the guest
// in their middle. Its error is never the guest's: return it as it is.
func (c *Call) CallGuest(fn efi.Addr, args ...uint64) (uint64, error) {
	m := c.m
	if err := m.push(frame{kind: frameCall, caller: m.regs, tpl: m.events.tpl}); err != nil {
		return 0, err
	}
	depth := len(m.frames)
	m.traceGuestCall(fn, args)
	if err := m.abi.Call(m.mem, &m.regs, fn, m.returns[frameCall], args...); err != nil {
		return 0, m.badStack(err)
	}
	if err := m.run(depth); err != nil {
		return 0, err
	}
	f := m.pop()
	m.regs = f.caller
	m.events.tpl = f.tpl
	return f.result, nil
}
