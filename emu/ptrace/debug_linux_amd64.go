// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Debug registers (Intel SDM volume 3, 19.2) in struct user.
const (
	userDebugReg = 848
	numDebugRegs = 4

	debugStatus  = 6
	debugControl = 7

	onExecution = 0b00_00 // length and access, as they stand in the control register
	onWrite8    = 0b10_01
)

// debugRegs is what the child's debug registers hold.
type debugRegs struct {
	addrs   [numDebugRegs]efi.Addr
	control uint64
	absent  bool // the system has none to give
}

func (d *debugRegs) set() bool { return d.control != 0 }

// checkStop refuses what four debug registers cannot do.
func checkStop(stop *cpu.Stop) error {
	if n := len(stop.Break) + len(stop.Watch); n > numDebugRegs {
		return fmt.Errorf("ptrace: %d addresses to stop at, %d are possible", n, numDebugRegs)
	}
	return nil
}

// runDebug is run with something to stop for.
func (e *engine) runDebug(r *cpu.Regs, stop *cpu.Stop) (cpu.Exit, error) {
	stepping := stop.Steps != 0
	breaks := stop.Break
	if stepping {
		breaks = nil // compared with the program counter at each step
	}
	if err := e.setDebugRegs(breaks, stop.Watch); err != nil {
		if len(stop.Watch) != 0 {
			return cpu.Exit{}, fmt.Errorf("debug registers: %w", err)
		}
		e.debug = debugRegs{absent: true}
		stepping = true
	}
	if err := e.load(r); err != nil {
		return cpu.Exit{}, err
	}
	if stepping {
		return e.step(r, stop)
	}
	if slices.Contains(stop.Break, efi.Addr(r.PC)) {
		e.regs.Eflags |= flagRF // go on from there
		if err := e.put(); err != nil {
			return cpu.Exit{}, err
		}
	}
	sig, err := e.next(unix.PTRACE_SYSEMU, r)
	if err != nil {
		return cpu.Exit{}, err
	}
	if sig == unix.SIGTRAP {
		if x, hit, err := e.hit(r, stop); hit || err != nil {
			return x, err
		}
	}
	return e.exit(sig, r)
}

// step executes instruction by instruction.
func (e *engine) step(r *cpu.Regs, stop *cpu.Stop) (cpu.Exit, error) {
	for n, held := uint64(0), e.held; ; held = false {
		before, own := r.PC, r.Flags&flagTF
		kind := classify(e.code(r.PC))
		sig, err := e.next(unix.PTRACE_SYSEMU_SINGLESTEP, r)
		if err != nil {
			return cpu.Exit{}, err
		}
		if kind != popsFlags || sig != unix.SIGTRAP {
			// After a popf that was stepped over, the kernel takes the trap flag with
			// which it steps for the guest's.
			r.Flags = r.Flags&^flagTF | own
		}
		if sig != unix.SIGTRAP {
			return e.exit(sig, r)
		}
		if err := e.getSiginfo(); err != nil {
			return cpu.Exit{}, os.NewSyscallError("ptrace(PTRACE_GETSIGINFO)", err)
		}
		switch code := e.info.code(); {
		case held && code == trapBrkPt && r.PC == before:
			continue // the end of a system call that was held back
		case code == trapTrace:
		case code == trapBrkPt && kind != breaks:
			// A step too: some hypervisors lose the status register now and then.
		default:
			return e.exit(sig, r)
		}
		if kind == pushesFlags && own == 0 {
			e.hideTrapFlag(r)
		}
		if i, err := e.triggered(); i >= 0 || err != nil {
			return cpu.Exit{Kind: cpu.Break, Addr: e.debug.addrs[max(i, 0)]}, err
		}
		if r.PC == before && kind == repeats {
			continue
		}
		n++
		switch {
		case n == stop.Steps:
			return cpu.Exit{Kind: cpu.Step}, nil
		case slices.Contains(stop.Break, efi.Addr(r.PC)):
			return cpu.Exit{Kind: cpu.Break, Addr: efi.Addr(r.PC)}, nil
		case e.gates.Contains(efi.Addr(r.PC)):
			return cpu.Exit{Kind: cpu.Gate}, nil
		}
	}
}

// hit makes an exit of a SIGTRAP that came from a debug register.
func (e *engine) hit(r *cpu.Regs, stop *cpu.Stop) (cpu.Exit, bool, error) {
	x := cpu.Exit{Kind: cpu.Break}
	switch i, err := e.triggered(); {
	case err != nil:
		return x, false, err
	case i >= 0:
		x.Addr = e.debug.addrs[i]
		return x, true, nil
	}
	// Some hypervisors lose the status register now and then.
	if err := e.getSiginfo(); err != nil {
		return x, false, os.NewSyscallError("ptrace(PTRACE_GETSIGINFO)", err)
	}
	if e.info.code() != trapBrkPt || classify(e.code(r.PC-1)) == breaks {
		return x, false, nil
	}
	switch at := efi.Addr(r.PC); {
	case slices.Contains(stop.Break, at):
		x.Addr = at
		return x, true, nil
	case len(stop.Watch) == 1:
		x.Addr = stop.Watch[0]
	}
	return x, len(stop.Watch) > 0, nil
}

// triggered is the number of the debug register that has caused a stop, or -1.
func (e *engine) triggered() (int, error) {
	if !e.debug.set() {
		return -1, nil
	}
	status, err := e.peekUser(userDebugReg + 8*debugStatus)
	if err != nil {
		return -1, os.NewSyscallError("ptrace(PTRACE_PEEKUSR)", err)
	}
	for i := range e.debug.addrs {
		if status>>i&1 != 0 {
			return i, e.setDebugReg(debugStatus, 0)
		}
	}
	return -1, nil
}

// setDebugRegs makes the child stop at breaks and after writes to watches, and
// nowhere else.
func (e *engine) setDebugRegs(breaks, watches []efi.Addr) error {
	var want debugRegs
	n := 0
	add := func(addrs []efi.Addr, kind uint64) {
		for _, a := range addrs {
			if a >= taskSize {
				continue // nothing can happen there, and the kernel takes no such address
			}
			want.addrs[n] = a
			want.control |= 1<<(2*n) | kind<<(16+4*n)
			n++
		}
	}
	add(breaks, onExecution)
	add(watches, onWrite8)
	want.absent = e.debug.absent
	switch {
	case want == e.debug:
		return nil
	case e.debug.absent && want.set():
		return errNoDebugRegs
	case e.debug.absent:
		return nil
	}
	if err := e.setDebugReg(debugControl, 0); err != nil {
		return err
	}
	e.debug = debugRegs{}
	for i, a := range want.addrs[:n] {
		if want.control>>(16+4*i)&0xf == onWrite8 {
			a &^= 7
		}
		if err := e.setDebugReg(i, uint64(a)); err != nil {
			return err
		}
	}
	if want.set() {
		if err := e.setDebugReg(debugControl, want.control); err != nil {
			return err
		}
	}
	e.debug = want
	return nil
}

var errNoDebugRegs = errors.New("there are none here")

func (e *engine) setDebugReg(i int, value uint64) error {
	err := e.ptrace(unix.PTRACE_POKEUSR, userDebugReg+8*uintptr(i), uintptr(value))
	return os.NewSyscallError("ptrace(PTRACE_POKEUSR)", err)
}

// stepped is what a step has to know of an instruction.
type stepped int

const (
	ordinary    stepped = iota
	pushesFlags         // pushf
	popsFlags           // popf, iret
	repeats             // a repeated string instruction
	breaks              // int1
)

func classify(code []byte) stepped {
	repeated := ordinary
	for _, b := range code {
		switch {
		case b == 0xf2, b == 0xf3:
			repeated = repeats
		case b == 0x66, b == 0x67, b == 0x64, b == 0x65, b&0xf0 == 0x40: // other prefixes
		case b == 0x9c:
			return pushesFlags
		case b == 0x9d, b == 0xcf:
			return popsFlags
		case b == 0xf1:
			return breaks
		case b >= 0x6c && b <= 0x6f, b >= 0xa4 && b <= 0xa7, b >= 0xaa && b <= 0xaf:
			return repeated
		default:
			return ordinary
		}
	}
	return ordinary
}

// hideTrapFlag takes the trap flag, which is how a step is made, out of the
// flags that the guest has just pushed, lest it pop them one day.
func (e *engine) hideTrapFlag(r *cpu.Regs) {
	if pushed, err := e.mem.Edit(efi.Addr(r.GP[cpu.RSP]), 2); err == nil {
		pushed[1] &^= flagTF >> 8
	}
}
