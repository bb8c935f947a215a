// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// TestSystemCalls has the guest try to read from and write to descriptors, in
// every way there is to make a system call.
func TestSystemCalls(t *testing.T) {
	e := open(t)
	for _, nr := range []uint64{unix.SYS_READ, unix.SYS_WRITE, unix.SYS_OPEN, unix.SYS_EXIT_GROUP, unix.SYS_FORK, unix.SYS_MUNMAP, 1 << 40} {
		for fd := range uint64(4) {
			r := e.start(t, sysCall...)
			r.GP[cpu.RAX], r.GP[cpu.RDI], r.GP[cpu.RSI], r.GP[cpu.RDX] = nr, fd, uint64(dataAt), 8
			if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.SystemCall {
				t.Fatalf("exit %+v", x)
			}
			if r.GP[cpu.RAX] != nr || r.PC != uint64(codeAt) {
				t.Fatalf("rax %#x, pc %#x", r.GP[cpu.RAX], r.PC)
			}
		}
	}
}

// TestGadgetIsNoWayOut has the guest use the one instruction that may make
// system calls.
func TestGadgetIsNoWayOut(t *testing.T) {
	e := open(t)
	r := e.start(t, toGate...)
	r.PC = e.gadget + gadgetCode
	r.GP[cpu.RAX] = unix.SYS_EXIT_GROUP
	if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.SystemCall || r.PC != e.gadget+gadgetCode {
		t.Fatalf("exit %+v at %#x", x, r.PC)
	}
	r.PC = e.gadget + gadgetCode + 2
	if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.Trap {
		t.Fatalf("exit %+v", x)
	}
	r = e.start(t, 0xc6, 0x02, 0x90) // movb $0x90, (%rdx)
	r.GP[cpu.RDX] = e.gadget
	if x := e.mustRun(t, r, cpu.Fault); x.Cause != cpu.PageFault {
		t.Fatalf("exit %+v", x)
	}
}

// TestFilter looks at the second line of defence: the child is resumed as if
// its system calls were to be carried out.
func TestFilter(t *testing.T) {
	e := open(t)
	r := e.start(t, sysCall...)
	r.GP[cpu.RAX] = unix.SYS_EXIT_GROUP
	if err := e.load(r); err != nil {
		t.Fatal(err)
	}
	ws, err := e.resume(unix.PTRACE_CONT)
	if err != nil {
		t.Fatal(err)
	}
	if ws.StopSignal() != unix.SIGSYS {
		t.Fatalf("status %#x", ws)
	}
	r = e.start(t, toGate...)
	e.mustRun(t, r, cpu.Gate)
}

func (e *engine) proc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", e.pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNothingInherited looks at the child from outside.
func TestNothingInherited(t *testing.T) {
	// What is not marked close-on-exec is what children inherit.
	leak, err := unix.Dup(int(os.Stdin.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	t.Setenv("UEFIEXEC_SECRET", "1")
	e := open(t)

	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("descriptor %s is open", f.Name())
	}
	for _, name := range []string{"environ", "cmdline"} {
		if text := e.proc(t, name); text != "" {
			t.Errorf("%s is %q", name, text)
		}
	}
	if name := e.proc(t, "comm"); name != "guest\n" {
		t.Errorf("its name is %q", name)
	}
	status := e.proc(t, "status")
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in its status", want)
		}
	}
	if limits := e.proc(t, "limits"); !regexp.MustCompile(`Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("limits:\n%s", limits)
	}

	for line := range strings.Lines(e.proc(t, "maps")) {
		var start, end efi.Addr
		if _, err := fmt.Sscanf(line, "%x-%x", (*uint64)(&start), (*uint64)(&end)); err != nil {
			t.Fatal(err)
		}
		inRAM := false
		for _, r := range e.mem.Ranges() {
			inRAM = inRAM || r.Covers(efi.Range{Start: start, End: end})
		}
		isGadget := uint64(start) == e.gadget && end-start == efi.PageSize && strings.Contains(line, " r-xp ")
		if !inRAM && !isGadget && start != vsyscallPage {
			t.Errorf("mapped: %s", line)
		}
	}
}
