// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// children lists the children of this process.
func children(t *testing.T) []string {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err == nil {
			all = append(all, strings.Fields(string(text))...)
		}
	}
	return all
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestNothingLeft makes and closes engines in every state.
func TestNothingLeft(t *testing.T) {
	needPtrace(t)
	config := newConfig(t)
	round := func() {
		e, err := newEngine(config)
		if err != nil {
			t.Fatal(err)
		}
		r := e.start(t, toGate...)
		e.mustRun(t, r, cpu.Gate)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		r = e.start(t, spinning...)
		if x, err := e.Run(ctx, r, cpu.Stop{}); err != nil || x.Kind != cpu.Interrupted {
			t.Fatalf("exit %+v, %v", x, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	for range 20 {
		round()
	}
	if now := children(t); len(now) != 0 {
		t.Errorf("child processes %v are left", now)
	}
	if now := descriptors(t); now != files {
		t.Errorf("%d descriptors became %d", files, now)
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines became %d", goroutines, runtime.NumGoroutine())
		}
	}
}

// TestPinned checks that the thread has one processor while there is an engine
// and gets back what it had.
func TestPinned(t *testing.T) {
	needPtrace(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, with, child, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	if before.Count() < 2 {
		t.Skip("there is one processor only")
	}
	e, err := newEngine(newConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	unix.SchedGetaffinity(0, &with)
	unix.SchedGetaffinity(e.pid, &child)
	if with.Count() != 1 || with != child {
		t.Errorf("the thread may use %d processors, the child %d", with.Count(), child.Count())
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	unix.SchedGetaffinity(0, &after)
	if after != before {
		t.Errorf("%d processors became %d", before.Count(), after.Count())
	}
}

// TestSignals sends the child what it should not get.
func TestSignals(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGTRAP, unix.SIGSEGV} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			e := open(t)
			pid := e.pid
			time.AfterFunc(5*time.Millisecond, func() { unix.Kill(pid, sig) })
			r := e.start(t, spinning...)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			x, err := e.Run(ctx, r, cpu.Stop{})
			if err == nil || !strings.Contains(err.Error(), unix.SignalName(sig)) {
				t.Fatalf("exit %+v, %v", x, err)
			}
			if _, again := e.Run(ctx, r, cpu.Stop{}); !errors.Is(again, err) {
				t.Errorf("the error %v became %v", err, again)
			}
		})
	}
	t.Run("while stopped", func(t *testing.T) {
		e := open(t)
		r := e.start(t, toGate...)
		e.mustRun(t, r, cpu.Gate)
		if err := unix.Kill(e.pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		r.PC = uint64(codeAt)
		if x, err := e.Run(t.Context(), r, cpu.Stop{}); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
			t.Fatalf("exit %+v, %v", x, err)
		}
	})
	t.Run("SIGSTOP", func(t *testing.T) {
		e := open(t)
		pid := e.pid
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		time.AfterFunc(5*time.Millisecond, func() { unix.Kill(pid, unix.SIGSTOP) })
		time.AfterFunc(10*time.Millisecond, func() { unix.Kill(pid, unix.SIGCONT) })
		r := e.start(t, spinning...)
		if x, err := e.Run(ctx, r, cpu.Stop{}); err != nil || x.Kind != cpu.Interrupted || ctx.Err() == nil {
			t.Fatalf("exit %+v, %v", x, err)
		}
	})
}

// helper runs this test binary again as a program of its own that makes an
// engine.
func helper(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "UEFIEXEC_PTRACE_HELPER="+mode)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestHelper is what helper runs; by itself it does nothing.
func TestHelper(t *testing.T) {
	switch os.Getenv("UEFIEXEC_PTRACE_HELPER") {
	case "spin":
		e := open(t)
		fmt.Printf("pid %d\n", e.pid)
		e.Run(context.Background(), e.start(t, spinning...), cpu.Stop{})
	case "forbidden":
		if err := forbidPtrace(); err != nil {
			t.Fatal(err)
		}
		e, err := newEngine(newConfig(t))
		if err == nil {
			e.Close()
		}
		if !errors.Is(err, cpu.ErrNotSupported) {
			t.Fatalf("the error is %v", err)
		}
		fmt.Printf("refused %v\n", err)
	}
}

// TestDiesWithParent kills a process that has a guest running.
func TestDiesWithParent(t *testing.T) {
	needPtrace(t)
	cmd := helper(t, "spin", "-test.run=^TestHelper$")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var guest int
	for lines := bufio.NewScanner(out); guest == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			guest, _ = strconv.Atoi(text)
		}
	}
	time.Sleep(10 * time.Millisecond)
	cmd.Process.Kill()
	cmd.Wait()
	if guest == 0 {
		t.Fatal("the helper has made no guest")
	}
	for end := time.Now().Add(5 * time.Second); alive(guest); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("guest %d outlives its parent", guest)
		}
	}
}

// alive reports whether there is a guest's process that runs or can run.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(text), "(guest)") && !strings.Contains(string(text), ") Z")
}

// TestForbidden makes an engine where a filter forbids ptrace.
func TestForbidden(t *testing.T) {
	cmd := helper(t, "forbidden", "-test.run=^TestHelper$", "-test.v")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "refused ") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestUnprivileged runs the suite as nobody.
func TestUnprivileged(t *testing.T) {
	needPtrace(t)
	if os.Geteuid() != 0 {
		t.Skip("this process is unprivileged itself")
	}
	const nobody = 65534
	cmd := helper(t, "", "-test.run=^(TestEngine|TestLowPages|TestNothingInherited|TestNothingLeft)$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"--- PASS: TestEngine", "--- PASS: TestLowPages", "--- PASS: TestNothingInherited"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
}
