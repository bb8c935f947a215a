// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import "golang.org/x/sys/unix"

// pin holds the calling thread, and so the children it makes, on one processor:
// a stop of the child then needs no other processor to wake up, which is ten
// times as fast. Where this is forbidden it only is slow.
type pin struct {
	tid   int
	old   unix.CPUSetDynamic
	fixed bool // by us; else there is nothing to undo
	held  bool // the goroutine is locked to its thread
}

const maxCPUs = 8192 // NR_CPUS of the largest configuration

// fix pins the thread to the processor it is on.
func (p *pin) fix() {
	p.held = true
	p.tid = unix.Gettid()
	p.old = unix.NewCPUSet(maxCPUs)
	if unix.SchedGetaffinityDynamic(p.tid, p.old) != nil {
		return
	}
	n := currentCPU()
	if n < 0 || !p.old.IsSet(n) || p.old.Count() == 1 {
		return
	}
	one := unix.NewCPUSet(maxCPUs)
	one.Set(n)
	p.fixed = unix.SchedSetaffinityDynamic(p.tid, one) == nil
}

// release gives the thread its processors back, and reports whether it was the
// first to do so.
func (p *pin) release() bool {
	if p.fixed {
		unix.SchedSetaffinityDynamic(p.tid, p.old)
	}
	held := p.held
	*p = pin{}
	return held
}
