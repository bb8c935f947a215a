// SPDX-License-Identifier: BSD-3-Clause

package puppet

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Thread is one execution of a guest function, and what the function has of the
// guest. It is good until the function returns, on the function's own goroutine
// and, as there is one thread of execution, while no function that it called
// runs; elsewhere the methods that may stop the guest panic.
type Thread struct {
	e     *engine
	entry cpu.Regs // at the first instruction
	r     cpu.Regs // now

	call     *call     // that the function waits for, or nil
	exit     *cpu.Exit // to be made by Run, or nil
	spinning bool

	resume    chan bool // from Run: whether to go on
	yield     chan outcome
	abandoned bool
}

// Memory is the guest's memory. Errors of its methods are the function's to
// deal with; Load and Store fault as an instruction does.
func (th *Thread) Memory() *mem.Memory { return th.e.Memory }

// Arch is the guest's architecture.
func (th *Thread) Arch() cpu.Arch { return th.e.Arch }

// Addr is where the function was called at.
func (th *Thread) Addr() efi.Addr { return efi.Addr(th.entry.PC) }

// Regs are the registers, to look at and to change: before the first call they
// are those the function was entered with. A Call sets them all but the segment
// bases and Flags for the callee, and gives the preserved ones back after it;
// the function's return sets the same ones. PC has no meaning.
func (th *Thread) Regs() *cpu.Regs { return &th.r }

// Arg is the function's i-th argument, counted from 0.
func (th *Thread) Arg(i int) (v uint64) {
	th.access(cpu.PageFault, func() (err error) {
		v, err = th.e.abi.Arg(th.e.Memory, &th.entry, i)
		return err
	})
	return v
}

// Local reserves n bytes of the guest's stack, zeroed and aligned to 16, until
// the function returns.
func (th *Thread) Local(n uint64) efi.Addr {
	sp := &th.r.GP[th.e.abi.Stack]
	th.access(cpu.StackOverflow, func() error {
		at := (*sp - n) &^ 15
		space, err := th.e.Memory.Edit(efi.Addr(at), *sp-at)
		if err != nil {
			return err
		}
		clear(space)
		*sp = at
		return nil
	})
	return efi.Addr(*sp)
}

// Load reads the T at p as an instruction of the guest would: where that is not
// possible it is a Fault, and tried again if the machine runs the guest on.
func Load[T any](th *Thread, p efi.Ptr[T]) (v T) {
	th.access(cpu.PageFault, func() (err error) {
		v, err = mem.Load(th.e.Memory, p)
		return err
	})
	return v
}

// Store writes v at p, as Load reads.
func Store[T any](th *Thread, p efi.Ptr[T], v T) {
	th.access(cpu.PageFault, func() error { return mem.Store(th.e.Memory, p, v) })
}

// access tries until the machine has made it possible, faulting between.
func (th *Thread) access(cause cpu.Cause, try func() error) {
	th.check()
	for err := try(); err != nil; err = try() {
		var bad *mem.FaultError
		if !errors.As(err, &bad) {
			panic(err)
		}
		th.Exit(cpu.Exit{Kind: cpu.Fault, Cause: cause, Addr: bad.Addr, Access: bad.Access})
	}
}

// Fault makes an Exit for an access that is not possible. It returns if the
// machine runs the guest on.
func (th *Thread) Fault(a efi.Addr, access mem.Perm) {
	th.Exit(cpu.Exit{Kind: cpu.Fault, Cause: cpu.PageFault, Addr: a, Access: access})
}

// Exit makes an Exit of kind Fault, Port, MSR, Halt or System; any other kind
// is a panic. PC is in the second half of the function's code. It returns if
// the machine runs the guest on; what the machine had to answer is in Regs.
func (th *Thread) Exit(x cpu.Exit) {
	switch x.Kind {
	case cpu.Fault, cpu.Port, cpu.MSR, cpu.Halt, cpu.System:
	default:
		panic(fmt.Sprintf("puppet: a guest makes no exit of kind %v", x.Kind))
	}
	th.check()
	th.exit = &x
	th.pause()
}

// Spin executes without an end and without using the guest, until the context
// of Run is done. It returns if the machine then runs the guest on. If Run is to
// stop after a number of steps, Spin uses them up.
func (th *Thread) Spin() {
	th.check()
	th.spinning = true
	th.pause()
}

// pause suspends the thread with PC inside of the function.
func (th *Thread) pause() {
	th.r.PC = th.entry.PC + CodeSize/2
	th.suspend()
}

// waitsAt reports whether r is where the thread was suspended. A continuation
// is the thread's alone; inside of a function several may wait, each with
// a stack of its own.
func (th *Thread) waitsAt(r *cpu.Regs) bool {
	if th.call != nil {
		return r.PC == uint64(th.call.ret)
	}
	return r.PC == th.entry.PC+CodeSize/2 && r.GP[th.e.abi.Stack] == th.r.GP[th.e.abi.Stack]
}

// check refuses what would upset the order of turns.
func (th *Thread) check() {
	if th.abandoned {
		runtime.Goexit()
	}
	if th.e.running != th {
		panic("puppet: Thread used outside of its function, or while a function that it called runs")
	}
}
