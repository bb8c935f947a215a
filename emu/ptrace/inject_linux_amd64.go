// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// call is a system call that the child makes on itself.
type call struct {
	name string
	nr   uint64
	args []uint64
}

// inject has the child make the calls, from the gadget. The child's integer
// registers are lost. The error of a call wraps its errno.
func (c *child) inject(calls []call) error {
	for _, call := range calls {
		if _, err := c.syscall(call); err != nil {
			return unsupported(fmt.Errorf("the child's %s: %w", call.name, err))
		}
	}
	return nil
}

func (c *child) syscall(call call) (uint64, error) {
	args := make([]uint64, 6)
	copy(args, call.args)
	c.regs.Rax, c.regs.Orig_rax = call.nr, noSyscall
	c.regs.Rdi, c.regs.Rsi, c.regs.Rdx = args[0], args[1], args[2]
	c.regs.R10, c.regs.R8, c.regs.R9 = args[3], args[4], args[5]
	c.regs.Rip, c.regs.Cs, c.regs.Eflags = c.gadget+gadgetCode, userCS, 0
	if err := c.put(); err != nil {
		return 0, os.NewSyscallError("ptrace(PTRACE_SETREGSET)", err)
	}
	for {
		ws, err := c.resume(unix.PTRACE_SINGLESTEP)
		if err != nil {
			return 0, err
		}
		if harmless(ws.StopSignal()) {
			continue
		}
		if err := c.getRegs(); err != nil {
			return 0, os.NewSyscallError("ptrace(PTRACE_GETREGS)", err)
		}
		if ws.StopSignal() == unix.SIGTRAP && c.regs.Rip == c.gadget+gadgetCode {
			continue // the end of a system call that was held back counts as a step
		}
		if ws.StopSignal() != unix.SIGTRAP || c.regs.Rip != c.gadget+gadgetCode+2 {
			return 0, fmt.Errorf("stopped by %s at %#x", unix.SignalName(ws.StopSignal()), c.regs.Rip)
		}
		if result := int64(c.regs.Rax); result < 0 && result >= -4095 {
			return 0, unix.Errno(-result)
		}
		return c.regs.Rax, nil
	}
}

// resume lets the child go on, as request says, until it stops again. That it
// has ended instead is an error.
func (c *child) resume(request int) (unix.WaitStatus, error) {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(c.pid), 0, 0, 0, 0); errno != 0 && errno != unix.ESRCH {
		return 0, os.NewSyscallError("ptrace", errno)
	}
	ws, err := c.wait() // tells of a child that was killed while it was stopped, too
	switch {
	case err != nil:
		return 0, os.NewSyscallError("wait4", err)
	case !ws.Stopped():
		return 0, c.ended(ws)
	}
	c.held = ws.StopSignal() == unix.SIGTRAP|syscallStop
	return ws, nil
}

// emulates proves that PTRACE_SYSEMU does what it says: some environments that
// pose as Linux accept it and carry the call out.
func (c *child) emulates() error {
	c.regs.Rax, c.regs.Orig_rax = unix.SYS_GETPID, noSyscall
	c.regs.Rip = c.gadget + gadgetCode
	if err := c.put(); err != nil {
		return unsupported(os.NewSyscallError("ptrace(PTRACE_SETREGSET)", err))
	}
	ws, err := c.resume(unix.PTRACE_SYSEMU)
	if err != nil {
		return unsupported(err)
	}
	if err := c.getRegs(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_GETREGS)", err)
	}
	if ws.StopSignal() != unix.SIGTRAP|syscallStop || c.regs.Orig_rax != unix.SYS_GETPID || c.regs.Rax == uint64(c.pid) {
		return fmt.Errorf("PTRACE_SYSEMU does not hold a system call back: %w", cpu.ErrNotSupported)
	}
	return nil
}

// findVDSO reads the address of the vdso from the auxiliary vector on a new
// program's stack, to recognise later where sysenter returns to.
func (c *child) findVDSO(sp uint64) uint64 {
	const end, sysinfoEHDR = 0, 33 // AT_NULL, AT_SYSINFO_EHDR
	var stack [512]byte
	n, _ := unix.PtracePeekData(c.pid, uintptr(sp), stack[:])
	words := make([]uint64, n/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(stack[8*i:])
	}
	if len(words) == 0 {
		return 0
	}
	// argc, its arguments, 0, an empty environment's 0
	for i := min(words[0], 64) + 3; i+1 < uint64(len(words)) && words[i] != end; i += 2 {
		if words[i] == sysinfoEHDR {
			return words[i+1]
		}
	}
	return 0
}
