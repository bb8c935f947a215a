// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// Values in the child's registers.
const (
	userCS   = 0x33   // __USER_CS, the 64-bit code segment
	userCSPV = 0xe033 // the same under Xen's paravirtual kernels

	flagTF = 1 << 8
	flagRF = 1 << 16

	userFSBase = 21 * 8 // offset of fs_base in struct user; that of gs_base follows

	// noSyscall in orig_rax keeps the kernel from restarting a system call.
	noSyscall = 1<<64 - 1
)

// get reads the child's registers.
func (c *child) get() error {
	if err := c.getRegs(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_GETREGS)", err)
	}
	c.narrow = c.regs.Cs != userCS && c.regs.Cs != userCSPV
	return nil
}

// put writes the child's integer registers, and brings it back to 64-bit mode
// if it is not there.
func (c *child) put() error {
	c.regs.Orig_rax, c.regs.Cs = noSyscall, userCS
	if c.narrow {
		// In this mode the kernel would take a PTRACE_SETREGSET for 32-bit registers.
		if err := c.setRegs(); err != nil {
			return os.NewSyscallError("ptrace(PTRACE_SETREGS)", err)
		}
		c.narrow = false
		return nil
	}
	if err := c.setIntegerRegs(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_SETREGSET)", err)
	}
	return nil
}

// load gives r to the child.
func (c *child) load(r *cpu.Regs) error {
	g := &c.regs
	g.Rax, g.Rcx, g.Rdx, g.Rbx = r.GP[0], r.GP[1], r.GP[2], r.GP[3]
	g.Rsp, g.Rbp, g.Rsi, g.Rdi = r.GP[4], r.GP[5], r.GP[6], r.GP[7]
	g.R8, g.R9, g.R10, g.R11 = r.GP[8], r.GP[9], r.GP[10], r.GP[11]
	g.R12, g.R13, g.R14, g.R15 = r.GP[12], r.GP[13], r.GP[14], r.GP[15]
	g.Rip, g.Eflags = r.PC, r.Flags
	if r.Base != [2]uint64{g.Fs_base, g.Gs_base} {
		return c.loadBase(r.Base)
	}
	return c.put()
}

// loadBase is load for bases that have changed. They are apart because the
// kernel takes no base outside of the user's half, though the guest may have
// made itself one.
func (c *child) loadBase(base [2]uint64) error {
	old := [2]uint64{c.regs.Fs_base, c.regs.Gs_base}
	if err := c.put(); err != nil {
		return err
	}
	for i, b := range base {
		if b == old[i] {
			continue
		}
		if err := c.ptrace(unix.PTRACE_POKEUSR, userFSBase+8*uintptr(i), uintptr(b)); err != nil {
			return fmt.Errorf("base %#x for %cs: %w", b, "fg"[i], os.NewSyscallError("ptrace(PTRACE_POKEUSR)", err))
		}
	}
	c.regs.Fs_base, c.regs.Gs_base = base[0], base[1]
	return nil
}

// store gives the child's registers to r.
func (c *child) store(r *cpu.Regs) {
	g := &c.regs
	r.GP[0], r.GP[1], r.GP[2], r.GP[3] = g.Rax, g.Rcx, g.Rdx, g.Rbx
	r.GP[4], r.GP[5], r.GP[6], r.GP[7] = g.Rsp, g.Rbp, g.Rsi, g.Rdi
	r.GP[8], r.GP[9], r.GP[10], r.GP[11] = g.R8, g.R9, g.R10, g.R11
	r.GP[12], r.GP[13], r.GP[14], r.GP[15] = g.R12, g.R13, g.R14, g.R15
	r.PC, r.Flags = g.Rip, g.Eflags&^flagRF
	r.Base = [2]uint64{g.Fs_base, g.Gs_base}
}

// Where the fields lie in the image that fxsave makes (Intel SDM volume 1,
// table 10-2).
const (
	fxsaveFCW   = 0
	fxsaveMXCSR = 24
	fxsaveXMM   = 160
)

// FP reads xmm0 to xmm15 and the control words.
func (e *engine) FP(s *cpu.FPState) error {
	if err := e.usable(); err != nil {
		return err
	}
	if err := e.getFP(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_GETFPREGS)", err)
	}
	*s = cpu.FPState{
		Ctrl: binary.LittleEndian.Uint32(e.fp[fxsaveMXCSR:]),
		X87:  binary.LittleEndian.Uint16(e.fp[fxsaveFCW:]),
	}
	for i := range 16 {
		copy(s.V[i][:], e.fp[fxsaveXMM+16*i:])
	}
	return nil
}

// SetFP writes xmm0 to xmm15 and the control words; the upper halves of wider
// registers and the x87 stack stay. An MXCSR with bits that the processor does
// not have is an error.
func (e *engine) SetFP(s *cpu.FPState) error {
	if err := e.usable(); err != nil {
		return err
	}
	if err := e.getFP(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_GETFPREGS)", err)
	}
	binary.LittleEndian.PutUint16(e.fp[fxsaveFCW:], s.X87)
	binary.LittleEndian.PutUint32(e.fp[fxsaveMXCSR:], s.Ctrl)
	for i := range 16 {
		copy(e.fp[fxsaveXMM+16*i:], s.V[i][:])
	}
	if err := e.setFP(); err != nil {
		return fmt.Errorf("ptrace: MXCSR %#x, x87 control word %#x: %w", s.Ctrl, s.X87, os.NewSyscallError("ptrace(PTRACE_SETFPREGS)", err))
	}
	return nil
}
