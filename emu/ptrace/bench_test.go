// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

func BenchmarkRaw(b *testing.B) {
	e, m := open(b)
	m.Write(ramBase, []byte{0xcc, 0xeb, 0xfd})
	r := cpu.Regs{PC: ramBase}
	e.load(&r)
	b.ResetTimer()
	for range b.N {
		unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SYSEMU, uintptr(e.pid), 0, 0, 0, 0)
		unix.RawSyscall6(unix.SYS_WAIT4, uintptr(e.pid), 0, unix.WALL, 0, 0, 0)
	}
}
func BenchmarkBlocking(b *testing.B) {
	e, m := open(b)
	m.Write(ramBase, []byte{0xcc, 0xeb, 0xfd})
	r := cpu.Regs{PC: ramBase}
	e.load(&r)
	b.ResetTimer()
	for range b.N {
		unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SYSEMU, uintptr(e.pid), 0, 0, 0, 0)
		unix.Syscall6(unix.SYS_WAIT4, uintptr(e.pid), 0, unix.WALL, 0, 0, 0)
	}
}
