// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
)

// The requests that x/sys has no name for on this architecture.
const (
	ptraceGetRegs   = 12
	ptraceSetRegs   = 13
	ptraceGetFPRegs = 14
	ptraceSetFPRegs = 15
)

// tracee is the process that is traced, with the buffers that the kernel reads
// and writes. It must lie on the heap.
type tracee struct {
	pid  int
	regs unix.PtraceRegs
	fp   fxsave
	info siginfo
	iov  unix.Iovec
	ws   uint32
}

// fxsave is struct user_fpregs_struct, the layout of the fxsave instruction.
type fxsave [512]byte

// siginfo is the kernel's siginfo_t.
type siginfo [128]byte

func (s *siginfo) code() int32    { return int32(binary.LittleEndian.Uint32(s[8:])) }
func (s *siginfo) addr() efi.Addr { return efi.Addr(binary.LittleEndian.Uint64(s[16:])) }
func (s *siginfo) sender() uint32 { return binary.LittleEndian.Uint32(s[16:]) }

func (t *tracee) getRegs() error {
	// SAFETY: the kernel writes sizeof(struct user_regs_struct) bytes, the size of
	// t.regs, before the call returns.
	return t.ptrace(ptraceGetRegs, 0, uintptr(unsafe.Pointer(&t.regs)))
}

// setRegs writes all of t.regs. The kernel refuses an FS or GS base that is not
// in the user's half.
func (t *tracee) setRegs() error {
	// SAFETY: the kernel reads sizeof(struct user_regs_struct) bytes, the size of
	// t.regs, before the call returns.
	return t.ptrace(ptraceSetRegs, 0, uintptr(unsafe.Pointer(&t.regs)))
}

// setIntegerRegs writes t.regs up to rsp and leaves the rest of the child's
// alone. It works on a child in 64-bit mode only.
func (t *tracee) setIntegerRegs() error {
	// SAFETY: t lies on the heap, which does not move, and lives longer than the
	// call; the length ends inside of t.regs.
	t.iov.Base = (*byte)(unsafe.Pointer(&t.regs))
	t.iov.Len = uint64(unsafe.Offsetof(t.regs.Ss))
	return t.ptrace(unix.PTRACE_SETREGSET, unix.NT_PRSTATUS, uintptr(unsafe.Pointer(&t.iov)))
}

func (t *tracee) getFP() error {
	// SAFETY: the kernel writes sizeof(struct user_fpregs_struct), 512 bytes, the
	// size of t.fp.
	return t.ptrace(ptraceGetFPRegs, 0, uintptr(unsafe.Pointer(&t.fp)))
}

func (t *tracee) setFP() error {
	// SAFETY: the kernel reads sizeof(struct user_fpregs_struct), 512 bytes, the
	// size of t.fp.
	return t.ptrace(ptraceSetFPRegs, 0, uintptr(unsafe.Pointer(&t.fp)))
}

func (t *tracee) getSiginfo() error {
	// SAFETY: the kernel writes sizeof(siginfo_t), 128 bytes, the size of t.info.
	return t.ptrace(unix.PTRACE_GETSIGINFO, 0, uintptr(unsafe.Pointer(&t.info)))
}

// peekUser reads a word of struct user.
func (t *tracee) peekUser(offset uintptr) (uint64, error) {
	var word uint64
	// SAFETY: the kernel writes one word.
	err := t.ptrace(unix.PTRACE_PEEKUSR, offset, uintptr(unsafe.Pointer(&word)))
	return word, err
}

// ptrace makes a request that returns at once. As data is often a pointer in
// disguise, the compiler must see the conversion in the caller's call.
//
//go:uintptrescapes
func (t *tracee) ptrace(request int, addr, data uintptr) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(t.pid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// wait blocks until the child stops or ends.
func (t *tracee) wait() (unix.WaitStatus, error) {
	for {
		// SAFETY: the kernel writes one int, the size of t.ws; t lies on the heap.
		_, _, errno := unix.Syscall6(unix.SYS_WAIT4, uintptr(t.pid), uintptr(unsafe.Pointer(&t.ws)), unix.WALL, 0, 0, 0)
		switch errno {
		case 0:
			return unix.WaitStatus(t.ws), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

// currentCPU is the processor that the thread is on.
func currentCPU() int {
	var n uint32
	// SAFETY: the kernel writes one unsigned int.
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0)
	if errno != 0 {
		return -1
	}
	return int(n)
}
