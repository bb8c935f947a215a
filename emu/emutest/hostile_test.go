// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// children counts the processes whose parent is this one.
func children(t *testing.T) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(stats) == 0 {
		t.Skip("no /proc/self/task/*/children: what is left running cannot be counted here")
	}
	n := 0
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err == nil {
			n += len(strings.Fields(string(text)))
		}
	}
	return n
}

// Every way out of its place that a program tries ends in a fault that says what
// it did and where, or does nothing; nothing is left running.
func TestNoEscape(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	before := children(t)
	fault := func(cause cpu.Cause) func(*testing.T, *emutest.Result) {
		return func(t *testing.T, r *emutest.Result) {
			t.Helper()
			var fault *emu.FaultError
			if !errors.As(r.Err, &fault) {
				t.Fatalf("ended with %v, want a fault\n%s", r.Err, r.Console)
			}
			if fault.Exit.Cause != cause {
				t.Errorf("%v: cause %v, want %v", r.Err, fault.Exit.Cause, cause)
			}
		}
	}
	survived := func(t *testing.T, r *emutest.Result) {
		t.Helper()
		if status := r.Status(t); status != efi.Success || !strings.Contains(r.Console, "survived") {
			t.Errorf("%v\n%s", status, r.Console)
		}
	}
	for name, check := range map[string]func(*testing.T, *emutest.Result){
		"null":          fault(cpu.PageFault),
		"nowhere":       fault(cpu.PageFault),
		"noncanonical":  fault(cpu.Protection),
		"pastram":       fault(cpu.PageFault),
		"readkernel":    fault(cpu.PageFault),
		"writenowhere":  fault(cpu.PageFault),
		"writegate":     fault(cpu.PageFault),
		"gatemiddle":    fault(cpu.Trap),
		"stackoverflow": fault(cpu.StackOverflow),
		"stacknull":     fault(cpu.PageFault),
		"syscall":       fault(cpu.SystemCall),
		"sysenter":      fault(cpu.SystemCall),
		"int80":         fault(cpu.SystemCall),
		"vsyscall":      fault(cpu.SystemCall),
		"vsyscall_time": fault(cpu.SystemCall),
		"ud2":           fault(cpu.Illegal),
		"wrmsr":         fault(cpu.Protection),
		"movcr0write":   fault(cpu.Protection),
		"movcr3write":   fault(cpu.Protection),
		"lgdt":          fault(cpu.Protection),
		"int3":          fault(cpu.Trap),
		"div0":          fault(cpu.Arithmetic),
		"hlt":           survived,
		"cli":           survived,
		"in":            survived,
		"outreset":      survived,
		"rdmsr":         survived,
		"movcr0":        survived,
		"writecode":     survived,
		"unaligned":     survived,
	} {
		t.Run(name, func(t *testing.T) { check(t, emutest.Run(t, program(t, "jump", name))) })
	}
	if after := children(t); after != before {
		t.Errorf("%d processes before, %d after", before, after)
	}
}

// A fault names the instruction and the image with the offset.
func TestFaultSaysWhere(t *testing.T) {
	r := emutest.Run(t, program(t, "jump", "ud2"))
	if r.Err == nil || !strings.Contains(r.Err.Error(), "illegal instruction at jump.efi+0x") || !strings.Contains(r.Err.Error(), "ud2") {
		t.Errorf("%v", r.Err)
	}
	if !strings.Contains(r.Trace, "*** ") {
		t.Errorf("the trace does not end with the fault:\n%s", r.Trace)
	}
}

// No system call is carried out and no descriptor of ours can be read.
func TestNoSystemCalls(t *testing.T) {
	for _, options := range []string{"syscall", "int80", "syscall read", "syscall exit_group"} {
		t.Run(options, func(t *testing.T) {
			r := emutest.Run(t, program(t, "fds", options))
			var fault *emu.FaultError
			if !errors.As(r.Err, &fault) || fault.Exit.Cause != cpu.SystemCall {
				t.Errorf("ended with %v\n%s", r.Err, r.Console)
			}
		})
	}
}

func limitOf(t *testing.T, err error) string {
	t.Helper()
	var limit *emu.LimitError
	if !errors.As(err, &limit) {
		t.Fatalf("ended with %v, want a limit", err)
	}
	return limit.What
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits emu.Limits
		want   string
	}{
		{"spin", emu.Limits{Time: 200 * time.Millisecond}, "time"},
		{"calls", emu.Limits{Calls: 1000}, "calls"},
		{"calls", emu.Limits{Time: 200 * time.Millisecond}, "time"},
		{"stall", emu.Limits{}, "stalled"},
		{"stall", emu.Limits{Stalled: 10 * time.Second}, "stalled"},
	} {
		t.Run(test.name+" "+test.want, func(t *testing.T) {
			p := program(t, test.name, "")
			p.Config = func(cfg *emu.Config) { cfg.Limits, cfg.Trace = test.limits, nil }
			if what := limitOf(t, emutest.Run(t, p).Err); what != test.want {
				t.Errorf("limit %q, want %q", what, test.want)
			}
		})
	}
}

// A program that calls nothing is stopped by the context.
func TestCancel(t *testing.T) {
	p := program(t, "spin", "")
	ctx, cancel := context.WithCancel(context.Background())
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: emutest.Engine(t, cpu.AMD64)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = m.Boot(ctx, strings.NewReader(string(p.Image)), emu.BootOptions{Name: "spin"})
	if what := limitOf(t, err); what != "interrupted" || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Two machines run at once in one process and do not see each other.
func TestTwoMachines(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	for range runtime.GOMAXPROCS(0) + 1 {
		for _, name := range []string{"memory", "protocols", "vars"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if r := emutest.Run(t, program(t, name, "")); r.Status(t) != efi.Success {
					t.Errorf("%v\n%s", r.Err, r.Console)
				}
			})
		}
	}
}

func TestTooLittleMemory(t *testing.T) {
	p := program(t, "demo", "")
	arch := cpu.AMD64
	for _, size := range []uint64{efi.PageSize, 64 << 10, 256 << 10, 512 << 10} {
		m, err := emu.Open(emu.Config{Arch: arch, Engine: emutest.Engine(t, arch), MemoryMap: emu.Layout(arch, size)})
		if err != nil {
			if !errors.Is(err, efi.OutOfResources) {
				t.Errorf("%d bytes: %v", size, err)
			}
			continue
		}
		_, err = m.Boot(context.Background(), strings.NewReader(string(p.Image)), emu.BootOptions{})
		if err != nil && !errors.Is(err, efi.OutOfResources) && !errors.As(err, new(*emu.ExitError)) && !errors.As(err, new(*emu.FaultError)) {
			t.Errorf("%d bytes: %v", size, err)
		}
		m.Close()
	}
}
