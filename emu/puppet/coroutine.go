// SPDX-License-Identifier: BSD-3-Clause

package puppet

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// A thread is a goroutine that takes turns with the one that calls Run. It is no
// iter.Pull, because a coroutine of the runtime may only be resumed with
// its maker's thread locks, and breaking that ends the process: Close would have
// to be called under the same number of LockOSThread as Run.

// Panic is what Run panics with when a guest function did.
type Panic struct {
	Func  efi.Addr // the function's address
	Value any      // what it panicked with
	Stack []byte   // of its goroutine, as by debug.Stack
}

func (p *Panic) Error() string {
	return fmt.Sprintf("puppet: panic in the guest function at %v: %v\n\n%s", p.Func, p.Value, p.Stack)
}

// Unwrap is the value, if it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// outcome says why a thread gives up its turn.
type outcome struct {
	ended  bool
	goexit bool // ended by runtime.Goexit
	panic  *Panic
}

// main is the goroutine of a thread.
func (th *Thread) main(f func(*Thread) uint64) {
	end := outcome{ended: true, goexit: true}
	defer func() { th.yield <- end }()
	defer func() {
		if v := recover(); v != nil {
			end.panic = &Panic{efi.Addr(th.entry.PC), v, debug.Stack()}
		}
	}()
	th.await()
	th.leave(f(th))
	end.goexit = false
}

// suspend gives the turn to Run and returns when Run has given it back. In a
// thread that is abandoned meanwhile it does not return.
func (th *Thread) suspend() {
	th.yield <- outcome{}
	th.await()
}

func (th *Thread) await() {
	if !<-th.resume {
		th.abandoned = true
		runtime.Goexit()
	}
}

// turn gives a thread its turn and returns when it is over.
func (e *engine) turn(th *Thread, goOn bool) outcome {
	e.running = th
	th.resume <- goOn
	o := <-th.yield
	e.running = nil
	return o
}

// advance lets a thread, the innermost, use the guest up to its next
// instruction.
func (e *engine) advance(th *Thread, r *cpu.Regs) {
	th.r = *r
	o := e.turn(th, true)
	*r = th.r
	if !o.ended {
		return
	}
	e.threads = e.threads[:len(e.threads)-1]
	if o.panic == nil && !o.goexit {
		return
	}
	e.lost = fmt.Errorf("puppet: the guest function at %#x did not return", th.entry.PC)
	defer func() {
		if o.panic != nil {
			panic(o.panic)
		}
		runtime.Goexit()
	}()
	e.abandon(0)
}

// abandon ends the threads from index i on, the innermost first. A panic in a
// deferred function of theirs is passed on when all have ended.
func (e *engine) abandon(i int) {
	var failed *Panic
	for len(e.threads) > i {
		th := e.threads[len(e.threads)-1]
		e.threads = e.threads[:len(e.threads)-1]
		if o := e.turn(th, false); failed == nil {
			failed = o.panic
		}
	}
	if failed != nil {
		e.lost = failed
		panic(failed)
	}
}
