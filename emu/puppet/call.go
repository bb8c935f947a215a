// SPDX-License-Identifier: BSD-3-Clause

package puppet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// call is a call that has not returned.
type call struct {
	fn, ret efi.Addr
	frame   efi.Addr // of the caller: where its mark lies
	want    cpu.Regs // on return, as far as they are preserved
}

// Call calls any address of the guest by the calling convention and returns the
// result register: a service, through its gate, or a function. Without enough
// stack it faults.
func (th *Thread) Call(fn efi.Addr, args ...uint64) uint64 {
	th.check()
	abi, before := th.e.abi, th.r
	c := &call{fn: fn, ret: Continuations + efi.Addr(th.e.calls*CodeSize)}
	th.e.calls++
	th.access(cpu.StackOverflow, func() error {
		r := before
		if err := th.enter(c, &r, args); err != nil {
			return err
		}
		th.r = r
		return nil
	})
	c.want = th.r
	c.want.GP[abi.Stack] += th.e.pushed()
	th.call = c
	th.suspend()
	th.call = nil

	result := th.r.GP[abi.Result]
	th.keep(&before)
	return result
}

// enter makes r call c.fn and marks what the call leaves alone and what it must
// not rely on.
func (th *Thread) enter(c *call, r *cpu.Regs, args []uint64) error {
	abi, m := th.e.abi, th.e.Memory
	c.frame = (efi.Addr(r.GP[abi.Stack]) - 16) &^ 15
	if err := m.Write(c.frame, c.mark()); err != nil {
		return err
	}
	r.GP[abi.Stack] = uint64(c.frame)
	c.junk(th.e, r)
	if err := abi.Call(m, r, c.fn, c.ret, args...); err != nil {
		return err
	}
	// Between the return address and the arguments in memory the callee has
	// space of its own (§2.3.4.2); after them comes padding.
	at, used := r.GP[abi.Stack]+th.e.pushed(), max(len(args)-len(abi.Args), 0)
	home := r.GP[abi.Stack] + abi.StackArgs
	if err := th.e.scribble(c, at, home); err != nil {
		return err
	}
	return th.e.scribble(c, home+8*uint64(used), uint64(c.frame))
}

// mark is what lies in the caller's frame during the call.
func (c *call) mark() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(c.ret))
	return binary.LittleEndian.AppendUint64(b, ^uint64(c.ret))
}

// junk overwrites the general-purpose registers but the stack pointer, each with
// a value of its own that is no canonical address.
func (c *call) junk(e *engine, r *cpu.Regs) {
	for i := range e.Arch.NumGP() {
		if i != e.abi.Stack {
			r.GP[i] = c.junkWord(uint64(i))
		}
	}
}

func (c *call) junkWord(i uint64) uint64 {
	return 0xbad0_0000_0000_0000 | uint64(c.ret&0xffff_ffff)<<8 | i
}

// scribble fills the stack from one address to another, in whole words.
func (e *engine) scribble(c *call, from, to uint64) error {
	for at := from; at < to; at += 8 {
		if err := mem.Store(e.Memory, efi.Ptr[uint64](at), c.junkWord(at&0xff)); err != nil {
			return err
		}
	}
	return nil
}

// checkReturn compares what the call has to preserve with r, which is back from
// it. The error is the machine's mistake, or that of another function.
func (th *Thread) checkReturn(r *cpu.Regs) error {
	c, e := th.call, th.e
	if c == nil {
		return nil
	}
	wrong := func(what string, got, want uint64) error {
		return fmt.Errorf("puppet: call of %v by the function at %#x: %s is %#x after it and was %#x",
			c.fn, th.entry.PC, what, got, want)
	}
	for _, i := range e.abi.Preserved {
		if r.GP[i] != c.want.GP[i] {
			return wrong(e.Arch.RegName(i), r.GP[i], c.want.GP[i])
		}
	}
	for i := range r.Base {
		if r.Base[i] != c.want.Base[i] {
			return wrong(fmt.Sprintf("base register %d", i), r.Base[i], c.want.Base[i])
		}
	}
	frame, err := e.Memory.Read(c.frame, 16)
	if err != nil || !bytes.Equal(frame, c.mark()) {
		return fmt.Errorf("puppet: call of %v by the function at %#x: it wrote over its caller's stack at %v",
			c.fn, th.entry.PC, c.frame)
	}
	return nil
}

// keep gives the preserved registers, the stack pointer and the return address
// the values they had in old.
func (th *Thread) keep(old *cpu.Regs) {
	abi := th.e.abi
	for _, i := range slices.Concat(abi.Preserved, []int{abi.Stack, max(abi.Link, abi.Stack)}) {
		th.r.GP[i] = old.GP[i]
	}
}

// leave returns from the function, with junk in the scratch registers.
func (th *Thread) leave(result uint64) {
	c := &call{ret: Continuations + efi.Addr(th.e.calls*CodeSize)}
	th.access(cpu.PageFault, func() error {
		r := th.r
		c.junk(th.e, &th.r)
		th.keep(&th.entry)
		err := th.e.abi.Return(th.e.Memory, &th.r, result)
		if err != nil {
			th.r = r
		}
		return err
	})
}
