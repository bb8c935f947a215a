// SPDX-License-Identifier: BSD-3-Clause

// Package puppet is an engine whose guest is made of Go functions. It executes
// no instruction: it is for tests of boot services, runtime services and
// protocols on any host and for any guest architecture, where the guest's side
// of the test reads best beside the host's.
//
// A function gets an address in the guest from the code that Func returns,
// which a test puts into a section of an image, or from Place. From there on
// everything is as with a processor: arguments and return addresses go through
// guest registers and the guest's stack by the architecture's calling
// convention, a call into a gate is an Exit to the machine, and the machine
// calls functions (an entry point, a notification, a protocol's service) at
// their addresses.
//
// # A check on the machine
//
// A puppet is an unforgiving guest. Registers and stack slots that the calling
// convention leaves undefined hold junk, different each time, at each call and
// after each return. Run fails with an error that names what is wrong
//
//   - when a function is entered with a misaligned stack,
//   - when a call returns with a preserved register, the stack pointer or a
//     segment base changed, or with its caller's stack frame overwritten,
//   - when a call returns a second time, or after its caller was abandoned.
//
// # Abandoned functions
//
// There is one thread of execution. Functions that wait for a call to return
// form a stack, and one that is resumed abandons those above it, as the Exit
// service does with the image it ends (§7.4.5). What the machine never returns
// to ends in Close. A function that is abandoned ends as if by runtime.Goexit:
// its deferred functions run, and a method of its Thread that would need the
// guest does not return to them.
//
// # Failing tests
//
// A function runs on a goroutine of its own, but only while Run waits for it.
// t.FailNow, and so require and t.Fatal, may be used in it: it ends the
// goroutine that called Run too, as iter.Pull does. A panic becomes a *Panic
// in the goroutine that called Run. In both cases the guest is lost and its
// other functions have ended before Run does.
//
// # Steps and breakpoints
//
// What counts as an instruction is what a function does from one use of the
// processor to the next: from its start, or the return of a Call or an Exit, to
// its next Call or Exit or its end. An Exit is an instruction of its own, and
// Spin is any number of them. Breakpoints work on the addresses of functions and
// on Continuations. A write to a watched address is reported at the end of the
// instruction.
//
// # What it cannot do
//
// There are no instructions: resident guest code does not run (Place a function
// over it), a function that computes or blocks without using its Thread is not
// interrupted, and a machine cannot be copied while functions wait. FP and
// SetFP store a state that nothing looks at. A service call costs about a
// microsecond, and tens of them if the goroutine that calls Run is locked to its
// thread, as the system then switches threads.
package puppet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Puppet is a set of guest functions. Its zero value is empty and ready. It may
// serve several engines; functions are added while none of these runs, or by a
// function of the only one that does.
type Puppet struct {
	funcs  []func(*Thread) uint64
	placed map[efi.Addr]func(*Thread) uint64
}

// CodeSize is the size of a function's code, in bytes.
const CodeSize = 16

// magic begins the code of every function: ud2 on x86-64, udf on AArch64, so
// that a real processor stops there as well.
var magic = [8]byte{0x0f, 0x0b, 0x00, 0x00, 'P', 'U', 'P', 'T'}

// Func adds a function and returns its code. Wherever these bytes lie in
// executable guest memory, at any alignment, the function has an address; it may
// have many. They mean nothing to another Puppet.
func (p *Puppet) Func(f func(*Thread) uint64) [CodeSize]byte {
	var code [CodeSize]byte
	copy(code[:], magic[:])
	binary.LittleEndian.PutUint64(code[len(magic):], uint64(len(p.funcs)))
	p.funcs = append(p.funcs, f)
	return code
}

// Place puts a function at CodeSize bytes from a, over whatever is there; there
// need be no memory. In a range of gates it is never reached.
func (p *Puppet) Place(a efi.Addr, f func(*Thread) uint64) {
	if p.placed == nil {
		p.placed = map[efi.Addr]func(*Thread) uint64{}
	}
	p.placed[a] = f
}

// Continuations is the first of the addresses that functions give as return
// addresses of their calls: each call of an engine takes the next CodeSize
// bytes. No RAM and no gates may lie from there to 0x8000_0000_0000.
const Continuations efi.Addr = 0x7f00_0000_0000

// New makes an engine; it is a cpu.New.
func (p *Puppet) New(cfg cpu.Config) (cpu.Engine, error) {
	if cfg.Arch != cpu.AMD64 && cfg.Arch != cpu.ARM64 {
		return nil, fmt.Errorf("puppet: %v: %w", cfg.Arch, cpu.ErrNotSupported)
	}
	if cfg.Memory == nil {
		return nil, errors.New("puppet: no memory")
	}
	returns := efi.Range{Start: Continuations, End: 0x8000_0000_0000}
	for _, r := range append(cfg.Memory.Ranges(), cfg.Gates) {
		if r.Overlaps(returns) {
			return nil, fmt.Errorf("puppet: RAM or gates at %v, where calls return to", r)
		}
	}
	e := &engine{puppet: p, Config: cfg, abi: cfg.Arch.ABI(), fp: cpu.InitialFP(cfg.Arch)}
	cfg.Memory.Watch(e)
	return e, nil
}

// find returns the function at pc, or how a processor fails there.
func (e *engine) find(pc efi.Addr) (func(*Thread) uint64, cpu.Cause) {
	if f := e.puppet.placed[pc]; f != nil {
		return f, 0
	}
	if _, err := e.Memory.Fetch(pc, 1); err != nil {
		return nil, cpu.PageFault
	}
	code, err := e.Memory.Fetch(pc, CodeSize)
	if err != nil || [8]byte(code) != magic {
		return nil, cpu.Illegal
	}
	n := binary.LittleEndian.Uint64(code[len(magic):])
	if n >= uint64(len(e.puppet.funcs)) {
		return nil, cpu.Illegal
	}
	return e.puppet.funcs[n], 0
}
