// SPDX-License-Identifier: BSD-3-Clause

package puppet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// engine is the cpu.Engine of a Puppet.
type engine struct {
	cpu.Config
	puppet  *Puppet
	abi     *cpu.ABI
	fp      cpu.FPState
	threads []*Thread // that have not returned, each inside the one before it
	running *Thread   // whose Go code has the word
	calls   uint64    // made so far: each has its continuation
	lost    error     // why the guest cannot go on

	watch   []efi.Addr
	written []efi.Addr // of watch, by the current Run
}

var (
	errInside = errors.New("puppet: a guest function called its own engine")
	errClosed = errors.New("puppet: engine is closed")
)

func (e *engine) Run(ctx context.Context, r *cpu.Regs, stop cpu.Stop) (cpu.Exit, error) {
	switch {
	case e.running != nil:
		return cpu.Exit{}, errInside
	case e.lost != nil:
		return cpu.Exit{}, e.lost
	}
	e.watch, e.written = stop.Watch, nil
	for steps := uint64(0); ; steps++ {
		pc := efi.Addr(r.PC)
		switch {
		case len(e.written) > 0:
			return cpu.Exit{Kind: cpu.Break, Addr: e.written[0]}, nil
		case steps > 0 && steps == stop.Steps:
			return cpu.Exit{Kind: cpu.Step}, nil
		case e.Gates.Contains(pc):
			return cpu.Exit{Kind: cpu.Gate}, nil
		case ctx.Err() != nil:
			return cpu.Exit{Kind: cpu.Interrupted}, nil
		case steps > 0 && slices.Contains(stop.Break, pc):
			return cpu.Exit{Kind: cpu.Break, Addr: pc}, nil
		}
		th, cause, err := e.threadAt(r)
		switch {
		case err != nil:
			e.lost = err
			return cpu.Exit{}, err
		case cause != 0:
			return cpu.Exit{Kind: cpu.Fault, Cause: cause, Addr: pc, Access: mem.Executable}, nil
		case th.exit != nil:
			x := *th.exit
			th.exit = nil
			return x, nil
		case th.spinning && stop.Steps != 0:
			return cpu.Exit{Kind: cpu.Step}, nil
		case th.spinning:
			<-ctx.Done()
			th.spinning = false
			return cpu.Exit{Kind: cpu.Interrupted}, nil
		}
		e.advance(th, r)
	}
}

// threadAt returns the thread that goes on at r, a new one if a function starts
// there, or why there is none: the guest's cause or the machine's error.
func (e *engine) threadAt(r *cpu.Regs) (*Thread, cpu.Cause, error) {
	pc := efi.Addr(r.PC)
	for i, th := range slices.Backward(e.threads) {
		if th.waitsAt(r) {
			e.abandon(i + 1)
			return th, 0, th.checkReturn(r)
		}
	}
	if n := uint64(pc - Continuations); pc >= Continuations && n%CodeSize == 0 && n/CodeSize < e.calls {
		return nil, 0, fmt.Errorf("puppet: return to %v, where nothing waits: "+
			"that call has returned already, or its caller has ended", pc)
	}
	f, cause := e.find(pc)
	if f == nil {
		return nil, cause, nil
	}
	sp := r.GP[e.abi.Stack]
	if aligned := sp + e.pushed(); aligned%16 != 0 {
		return nil, 0, fmt.Errorf("puppet: function at %v entered with %s = %#x: stack is not aligned",
			pc, e.Arch.RegName(e.abi.Stack), sp)
	}
	th := &Thread{e: e, entry: *r, resume: make(chan bool), yield: make(chan outcome)}
	e.threads = append(e.threads, th)
	go th.main(f)
	return th, 0, nil
}

// pushed is how much of the stack the return address takes, in bytes.
func (e *engine) pushed() uint64 {
	if e.abi.Link < 0 {
		return 8
	}
	return 0
}

func (e *engine) FP(s *cpu.FPState) error {
	*s = e.fp
	return nil
}

func (e *engine) SetFP(s *cpu.FPState) error {
	e.fp = *s
	return nil
}

// Close abandons all functions that wait, the innermost first. It must come
// before the memory's.
func (e *engine) Close() error {
	switch {
	case e.running != nil:
		return errInside
	case errors.Is(e.lost, errClosed):
		return nil
	}
	e.lost = errClosed
	e.Memory.Unwatch(e)
	e.abandon(0)
	return nil
}

// Edited makes engine a mem.Watcher, for Stop.Watch.
func (e *engine) Edited(r efi.Range) {
	if e.running == nil {
		return
	}
	for _, a := range e.watch {
		if word := (efi.Range{Start: a &^ 7, End: a&^7 + 8}); word.Overlaps(r) {
			e.written = append(e.written, a)
		}
	}
}

// Protected makes engine a mem.Watcher.
func (e *engine) Protected(efi.Range, mem.Perm) {}
