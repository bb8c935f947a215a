// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// child is the process that the guest runs in.
type child struct {
	tracee
	gadget uint64 // address of the page
	vdso   uint64 // where the vdso was, 0 if unknown
	narrow bool   // was last seen in a mode other than 64-bit
	held   bool   // last stopped at a system call

	mu    sync.Mutex // guards pidfd, which interrupt uses from elsewhere
	pidfd int
	gone  bool // waited for
}

// start makes a child that stands before its first instruction, traced by the
// calling thread, with ram as its descriptor 0.
func start(gadget uint64, ram *os.File) (*child, error) {
	f, path, err := program(elf(gadget))
	if err != nil {
		return nil, unsupported(err)
	}
	defer f.Close()
	c := &child{gadget: gadget, pidfd: -1}
	c.pid, err = syscall.ForkExec(path, []string{"guest"}, &syscall.ProcAttr{
		Dir:   "/",
		Files: []uintptr{ram.Fd()},
		Sys: &syscall.SysProcAttr{
			Ptrace:    true,
			Pdeathsig: syscall.SIGKILL,
			Setsid:    true, // a terminal's signals are the host's
			PidFD:     &c.pidfd,
		},
	})
	if err != nil {
		return nil, unsupported(fmt.Errorf("execution of a traced child (fork, PTRACE_TRACEME, exec of %s): %w", path, err))
	}
	if err := c.settle(); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

// settle takes the child from its exec to the state in which guest memory can
// be mapped: no limits to trip over, an empty address space, no privileges to
// gain.
func (c *child) settle() error {
	if c.pidfd < 0 {
		return fmt.Errorf("pidfd: Linux 5.9 or later is needed: %w", cpu.ErrNotSupported)
	}
	switch ws, err := c.wait(); {
	case err != nil:
		return os.NewSyscallError("wait4", err)
	case !ws.Stopped() || ws.StopSignal() != unix.SIGTRAP:
		return fmt.Errorf("the child did not stop at its exec but with status %#x: %w", uint32(ws), cpu.ErrNotSupported)
	}
	if err := unix.PtraceSetOptions(c.pid, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACESYSGOOD); err != nil {
		return unsupported(os.NewSyscallError("ptrace(PTRACE_SETOPTIONS)", err))
	}
	for _, resource := range []int{unix.RLIMIT_CORE, unix.RLIMIT_FSIZE, unix.RLIMIT_MEMLOCK, unix.RLIMIT_MSGQUEUE} {
		if err := unix.Prlimit(c.pid, resource, &unix.Rlimit{}, nil); err != nil {
			return unsupported(os.NewSyscallError("prlimit", err))
		}
	}
	if err := c.getRegs(); err != nil {
		return os.NewSyscallError("ptrace(PTRACE_GETREGS)", err)
	}
	c.vdso = c.findVDSO(c.regs.Rsp)
	if err := c.emulates(); err != nil {
		return err
	}
	return c.inject([]call{
		{"munmap", unix.SYS_MUNMAP, []uint64{0, c.gadget}},
		{"munmap", unix.SYS_MUNMAP, []uint64{c.gadget + 4096, taskSize - c.gadget - 4096}},
		{"prctl(PR_SET_NAME)", unix.SYS_PRCTL, []uint64{unix.PR_SET_NAME, c.gadget + gadgetName}},
		{"prctl(PR_SET_NO_NEW_PRIVS)", unix.SYS_PRCTL, []uint64{unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}},
	})
}

// seal takes from the child what it needed while it was built: its descriptors
// and, but for the gadget, system calls.
func (c *child) seal() error {
	return c.inject([]call{
		{"close_range", unix.SYS_CLOSE_RANGE, []uint64{0, 1<<32 - 1, 0}},
		{"seccomp(SECCOMP_SET_MODE_FILTER)", unix.SYS_SECCOMP, []uint64{
			unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, c.gadget + gadgetProg,
		}},
	})
}

// kill ends the child and waits for it. It may be called more than once.
func (c *child) kill() error {
	if c.gone {
		return nil
	}
	if c.pidfd >= 0 {
		unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0)
	} else {
		unix.Kill(c.pid, unix.SIGKILL)
	}
	for {
		switch ws, err := c.wait(); {
		case err == nil && ws.Stopped():
		case err == nil, err == unix.ECHILD:
			c.bury()
			return nil
		default:
			return os.NewSyscallError("wait4", err)
		}
	}
}

// obituary is the error of a request that the child was not there to answer: it
// says what the child died of, if it did.
func (c *child) obituary(err error) error {
	for range 100 {
		var ws unix.WaitStatus
		if n, werr := unix.Wait4(c.pid, &ws, unix.WALL|unix.WNOHANG, nil); werr != nil || n != 0 {
			return c.ended(ws)
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

// ended buries the child and is the error for it.
func (c *child) ended(ws unix.WaitStatus) error {
	c.bury()
	if ws.Signaled() {
		return fmt.Errorf("the guest's process was killed from outside by %s", unix.SignalName(ws.Signal()))
	}
	return errors.New("the guest's process has ended")
}

// bury notes that the child has been waited for.
func (c *child) bury() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
		c.pidfd = -1
	}
}

// interrupt stops the child, now or as soon as it is resumed. It may be called
// from any goroutine at any time.
func (c *child) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pidfd >= 0 {
		unix.PidfdSendSignal(c.pidfd, unix.SIGSTOP, nil, 0)
	}
}

// unsupported adds cpu.ErrNotSupported to an error that says that this system
// does not let us do this.
func unsupported(err error) error {
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, unix.ENOENT, unix.EIO} {
		if errors.Is(err, errno) {
			return fmt.Errorf("%w (%w)", err, cpu.ErrNotSupported)
		}
	}
	return err
}
