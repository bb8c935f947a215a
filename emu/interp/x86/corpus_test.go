// SPDX-License-Identifier: BSD-3-Clause

package x86_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/interp/x86"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

// call is a service that was called, and its result.
type call struct{ name, status string }

// recorded runs p on an engine and notes its calls.
func recorded(t *testing.T, p emutest.Program, engine cpu.New) (*emutest.Result, []call) {
	t.Helper()
	var calls []call
	p.Config = func(cfg *emu.Config) {
		cfg.Limits.Time = 10 * time.Minute
		text := cfg.Trace
		cfg.Trace = func(e *emu.TraceEvent) {
			text(e)
			if e.Kind == emu.TraceCall || e.Kind == emu.TraceExit {
				calls = append(calls, call{e.Protocol + "." + e.Service, e.Status.String()})
			}
		}
	}
	start := time.Now()
	r := emutest.RunOn(t, p, engine)
	t.Logf("%d calls in %v", len(calls), time.Since(start).Round(time.Millisecond))
	return r, calls
}

// sameCalls fails the test unless two runs made the same calls. A kernel on a
// processor that CPUID says can do 57-bit addresses allocates pages for the
// switch; the interpreter's cannot, so one such call may be missing.
func sameCalls(t *testing.T, got, want []call) {
	t.Helper()
	if len(got) == len(want)-1 {
		for i := range want {
			if (i == len(got) || got[i] != want[i]) && want[i] == (call{"BootServices.AllocatePages", "SUCCESS"}) {
				want = slices.Delete(slices.Clone(want), i, i+1)
				break
			}
		}
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("call %d is %v, on ptrace %v", i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls, on ptrace %d", len(got), len(want))
	}
}

// native is the engine to compare with; without it, the test skips.
func native(t *testing.T) cpu.New {
	t.Helper()
	switch err := ptrace.Available(); {
	case errors.Is(err, cpu.ErrNotSupported):
		emutest.Skip(t, "nothing to compare with: %v", err)
	case err != nil:
		t.Fatal(err)
	}
	return ptrace.New
}

// TestPayloads runs the project's own programs, whose calls, output and status
// must be those on ptrace.
func TestPayloads(t *testing.T) {
	for _, name := range []string{"events", "memory", "protocols", "image", "files", "vars", "random", "demo"} {
		t.Run(name, func(t *testing.T) {
			image, err := payloads.Image("x64", name)
			if err != nil {
				t.Fatal(err)
			}
			run := func(engine cpu.New) (*emutest.Result, []call) {
				volume, err := payloads.Volume("x64")
				if err != nil {
					t.Fatal(err)
				}
				return recorded(t, emutest.Program{Image: image, Path: `\` + name + ".efi", Volume: volume}, engine)
			}
			r, calls := run(x86.New)
			other, want := run(native(t))
			sameCalls(t, calls, want)
			if r.Console != other.Console {
				t.Errorf("console\n%s\non ptrace\n%s", r.Console, other.Console)
			}
			if name != "demo" && r.Trace != other.Trace {
				t.Errorf("trace\n%s\non ptrace\n%s", lastLines(r.Trace), lastLines(other.Trace))
			}
			if got, want := fmt.Sprint(r.Err), fmt.Sprint(other.Err); got != want {
				t.Errorf("ended with %s, on ptrace with %s", got, want)
			}
			if name != "demo" {
				if status := r.Status(t); status != 0 {
					t.Errorf("status %v\n%s", status, r.Console)
				}
			}
		})
	}
}

func lastLines(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
