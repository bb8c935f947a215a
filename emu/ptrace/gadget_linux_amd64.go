// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
)

// The gadget is the whole program of the child: one page that holds its own ELF
// header, a system call instruction, and the filter that allows no other.
const (
	gadgetCode   = 0xb0 // offsets in the page
	gadgetName   = 0xb8
	gadgetProg   = 0xc0
	gadgetFilter = 0xd0

	// taskSize is the end of a user address space with four-level page tables,
	// which Linux keeps to unless asked for more.
	taskSize = 0x7ffffffff000
)

// place finds a page for the gadget, high up and away from RAM.
func place(ram []efi.Range) (uint64, error) {
	const room = 1 << 20
	at := efi.Addr(0x7e0000000000)
	for i := len(ram) - 1; i >= 0; i-- {
		r := ram[i]
		if r.End > taskSize {
			return 0, fmt.Errorf("RAM %v ends above the user's half of the address space", r)
		}
		if r.Overlaps(efi.Range{Start: at - room, End: at + room}) {
			if r.Start < 3*room {
				return 0, errors.New("RAM leaves no page free")
			}
			at = r.Start - 2*room
		}
	}
	return uint64(at), nil
}

// elf is the program, linked to run at base.
func elf(base uint64) []byte {
	filter := seccompFilter(base + gadgetCode + 2) // the address after the instruction
	size := uint64(gadgetFilter + 8*len(filter))
	var b bytes.Buffer
	write := func(v ...any) {
		for _, v := range v {
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	const (
		executable, machine = 2, 62 // ET_EXEC, EM_X86_64
		load, stack         = 1, 0x6474e551
		r, w, x             = 4, 2, 1
	)
	write([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	write(uint16(executable), uint16(machine), uint32(1), base+gadgetCode, uint64(64), uint64(0))
	write(uint32(0), uint16(64), uint16(56), uint16(2), uint16(0), uint16(0), uint16(0))
	write(uint32(load), uint32(r|x), uint64(0), base, base, size, size, uint64(efi.PageSize))
	// Without this header older kernels make all readable memory executable.
	write(uint32(stack), uint32(r|w), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(16))
	write([]byte{
		0x0f, 0x05, // syscall
		0xcc, // int3
		0xf4, // hlt
		0, 0, 0, 0,
	})
	write([]byte("guest\x00\x00\x00"))
	write(uint64(len(filter)), base+gadgetFilter) // struct sock_fprog
	write(filter)
	return b.Bytes()
}

// seccompFilter lets system calls from the instruction before pc through and
// makes all others a SIGSYS. Under PTRACE_SYSEMU only the calls that a jump into
// the vsyscall page makes come so far.
func seccompFilter(pc uint64) []unix.SockFilter {
	const (
		archOffset, pcOffset = 4, 8 // in struct seccomp_data
		load                 = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal                = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret                  = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: load, K: archOffset},
		{Code: equal, K: unix.AUDIT_ARCH_X86_64, Jf: 5},
		{Code: load, K: pcOffset},
		{Code: equal, K: uint32(pc), Jf: 3},
		{Code: load, K: pcOffset + 4},
		{Code: equal, K: uint32(pc >> 32), Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		{Code: ret, K: unix.SECCOMP_RET_TRAP},
	}
}

// program makes a file of the ELF image that can be executed by its path.
func program(image []byte) (*os.File, string, error) {
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3 all memfds can be executed
		fd, err = unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, "", os.NewSyscallError("memfd_create of an executable file", err)
	}
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	f := os.NewFile(uintptr(fd), path)
	if _, err := f.Write(image); err != nil {
		f.Close()
		return nil, "", err
	}
	return f, path, nil
}
