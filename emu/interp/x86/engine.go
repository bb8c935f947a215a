// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// core is the engine: a processor and what it has decoded.
type core struct {
	r      [256]uint64 // general registers, and those named reg…; a byte is always an index
	pc     uint64
	flags  uint64 // the arithmetic ones as lk says
	fr, fb uint64 // see the lk… constants
	fc     uint64
	lk     uint8

	why    int
	budget int64  // instructions until the context is asked
	count  uint64 // instructions executed, the time stamp counter
	exit   cpu.Exit

	x     [16]xmm
	mxcsr uint32
	fx    uint32 // exceptions of the vector instruction that is executing
	fcw   uint16 // x87 control and status
	fsw   uint16
	seg   [6]uint16
	fpu
	random io.Reader // of rdrand, or nil

	rt, wt tlb // what may be read, written

	mem    *mem.Memory
	gates  efi.Range
	cover  func(pc efi.Addr, size uint64)
	watch  []efi.Addr
	hit    bool // one of watch was written
	hitAt  uint64
	closed bool

	blocks, singles map[uint64]*block
	pages           map[uint64]*codePage
	recent          [recentSize]*block
	cached          int
	scratch         []decoded
	drafts          []draft
}

// New makes an engine for x86-64, on any host.
func New(config cpu.Config) (cpu.Engine, error) {
	if config.Arch != cpu.AMD64 {
		return nil, fmt.Errorf("x86: a guest of %v: %w", config.Arch, cpu.ErrNotSupported)
	}
	gates := config.Gates
	if !gates.Start.PageAligned() || !gates.End.PageAligned() || gates.Size() == 0 {
		return nil, fmt.Errorf("x86: gates %v are not whole pages", gates)
	}
	code, err := config.Memory.Read(gates.Start, gates.Size())
	if err != nil {
		return nil, fmt.Errorf("x86: gates: %w", err)
	}
	gate := config.Arch.Gate()
	if bytes.Count(code, gate)*len(gate) != len(code) {
		return nil, fmt.Errorf("x86: gates %v are not filled with % x", gates, gate)
	}
	c := &core{mem: config.Memory, gates: gates, cover: config.Block, random: config.Random}
	c.seg[segCS], c.seg[segSS] = userCS, userSS
	c.flush()
	fp := cpu.InitialFP(cpu.AMD64)
	if err := c.SetFP(&fp); err != nil {
		return nil, err
	}
	c.mem.Watch(c)
	return c, nil
}

var errClosed = errors.New("x86: the engine is closed")

// Instructions is how many have executed.
func (c *core) Instructions() uint64 { return c.count }

// Close ends the guest. It may be called again.
func (c *core) Close() error {
	if !c.closed {
		c.closed = true
		c.mem.Unwatch(c)
		c.flush()
	}
	return nil
}

// FP reads xmm0 to xmm15 and the control words.
func (c *core) FP(s *cpu.FPState) error {
	if c.closed {
		return errClosed
	}
	*s = cpu.FPState{Ctrl: c.mxcsr, X87: c.fcw}
	for i, v := range c.x {
		le.PutUint64(s.V[i][:], v.lo)
		le.PutUint64(s.V[i][8:], v.hi)
	}
	return nil
}

// SetFP writes xmm0 to xmm15 and the control words.
func (c *core) SetFP(s *cpu.FPState) error {
	switch {
	case c.closed:
		return errClosed
	case s.Ctrl&^mxcsrMask != 0:
		return fmt.Errorf("x86: MXCSR %#x has bits that are none", s.Ctrl)
	}
	for i := range c.x {
		c.x[i] = xmm{le.Uint64(s.V[i][:]), le.Uint64(s.V[i][8:])}
	}
	c.mxcsr, c.fcw = s.Ctrl, s.X87&^x87Reserved|x87Fixed
	return nil
}

// Run executes the guest as cpu.Engine says.
func (c *core) Run(ctx context.Context, r *cpu.Regs, stop cpu.Stop) (cpu.Exit, error) {
	if c.closed {
		return cpu.Exit{}, errClosed
	}
	copy(c.r[:16], r.GP[:16])
	c.r[regFS], c.r[regGS] = r.Base[0], r.Base[1]
	c.pc, c.flags, c.lk = r.PC, r.Flags&^hidden|fixedFlags, lkNone
	if len(c.watch)+len(stop.Watch) > 0 {
		c.watch = slices.Clone(stop.Watch)
		c.wt.clear()
	}
	x := c.run(ctx, &stop)
	copy(r.GP[:16], c.r[:16])
	r.Base = [2]uint64{c.r[regFS], c.r[regGS]}
	r.PC, r.Flags = c.pc, c.sync()
	return c.describe(x), nil
}

// slice is how many instructions run until the context is asked.
const slice = 1 << 17

func (c *core) run(ctx context.Context, stop *cpu.Stop) cpu.Exit {
	left := stop.Steps
	if left == 0 {
		left = math.MaxUint64
	}
	precise := len(stop.Break)+len(stop.Watch) > 0
	done := ctx.Done()
	c.budget = 0
	for {
		if c.budget <= 0 {
			select {
			case <-done:
				return cpu.Exit{Kind: cpu.Interrupted}
			default:
			}
			c.budget = slice
		}
		if c.gates.Contains(efi.Addr(c.pc)) {
			return cpu.Exit{Kind: cpu.Gate}
		}
		if left <= 2*maxBlock || precise || c.flags&tf != 0 {
			was := c.count
			if c.single() {
				return c.exit
			}
			if c.hit {
				c.hit = false
				return cpu.Exit{Kind: cpu.Break, Addr: efi.Addr(c.hitAt)}
			}
			if c.count == was {
				continue // a repeated instruction that goes on
			}
			if left -= c.count - was; left == 0 {
				return cpu.Exit{Kind: cpu.Step}
			}
			if slices.Contains(stop.Break, efi.Addr(c.pc)) {
				return cpu.Exit{Kind: cpu.Break, Addr: efi.Addr(c.pc)}
			}
			continue
		}
		c.budget = min(c.budget, int64(min(left-maxBlock, slice)))
		b, was := c.lookup(c.pc, false), c.count
		exited := b == nil || c.fast(b)
		left -= c.count - was
		if exited {
			return c.exit
		}
	}
}

// single executes one instruction, or a part of a repeated one. It returns true
// if there is an exit.
func (c *core) single() bool {
	trap := c.flags&tf != 0
	b := c.lookup(c.pc, true)
	if b == nil {
		return true
	}
	c.budget--
	for i := range b.insts {
		if in := &b.insts[i]; !in.fn(c, in) {
			if c.leave(in) {
				return true
			}
			trap = trap && c.pc != in.pc
			goto done
		}
	}
	c.count++
done:
	if trap {
		c.exit = cpu.Exit{Kind: cpu.Fault, Cause: cpu.Trap}
	}
	return trap
}

// leave does what c.why says of an instruction. It returns true if there is an
// exit.
func (c *core) leave(in *inst) bool {
	c.count += uint64(in.n)
	switch c.why {
	case whyExit:
		c.count++
		c.exit.Addr = efi.Addr(in.pc)
		c.pc = in.next
		return true
	case whyNext:
		c.count++
		c.pc = in.next
	case whyAgain:
		c.pc = in.pc
	default:
		c.pc = in.pc
		return true
	}
	return false
}
