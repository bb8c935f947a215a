// SPDX-License-Identifier: BSD-3-Clause

// Package ptrace is the engine that executes the guest natively, in a child
// process on Linux, without /dev/kvm and without privileges. It needs Linux 5.9,
// for close_range(2); New says cpu.ErrNotSupported elsewhere.
//
// The child's address space is the guest's physical memory: each range of RAM
// is mapped, shared, at its own address, and nothing else is there but one page
// high up, the gadget, through which the engine has the child make system calls
// on its own address space. The child holds no file descriptor, no stack, no
// vdso and no environment. It is resumed with PTRACE_SYSEMU, so that a system
// call of the guest stops it and is not carried out, and a seccomp filter, which
// allows the gadget alone, stands behind that. It dies with the thread that made
// it.
//
// A gate is a breakpoint instruction. Instructions that the processor refuses
// to user code are decoded and become exits; one table says which.
//
// # What it does not do
//
// The guest sees the processor as it is: CPUID, time stamp counter, random
// numbers. Of Regs.Flags the bits that user code cannot change are not taken
// over. After a syscall instruction rcx and r11, after a call into the vsyscall
// page rax, are lost; sysenter leaves neither the program counter nor the stack
// pointer (all of them are faults that end a guest).
//
// Linux tells the stops of the child to whoever waits for any child: a program
// that calls wait4 with pid -1, as an init does, must not do so while an engine
// runs. Each stop sends the program a SIGCHLD, too.
package ptrace
