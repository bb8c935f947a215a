// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
)

// program is one of our own payloads, with the volume it expects.
func program(t *testing.T, name, options string) emutest.Program {
	t.Helper()
	image, err := payloads.Image("x64", name)
	if err != nil {
		t.Fatal(err)
	}
	volume, err := payloads.Volume("x64")
	if err != nil {
		t.Fatal(err)
	}
	return emutest.Program{Image: image, Path: `\` + name + ".efi", Options: options, Volume: volume}
}

// The programs that have passed on real firmware (OVMF) first pass on ours.
func TestFirmware(t *testing.T) {
	for _, test := range []struct {
		name   string
		checks int // at least so many
	}{
		{"events", 60},
		{"memory", 80},
		{"protocols", 170},
		{"image", 90},
		{"files", 100},
		{"vars", 75},
		{"random", 14},
		{"wild", 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := emutest.Run(t, program(t, test.name, ""))
			if status := r.Status(t); status != efi.Success || strings.Contains(r.Console, "FAIL") {
				t.Errorf("%s: %v\n%s", test.name, status, r.Console)
			}
			if n := strings.Count(r.Console, "PASS"); test.name != "random" && n < test.checks/2 {
				t.Errorf("%d checks are named, want half of %d", n, test.checks)
			}
			if !strings.Contains(r.Console, " passed, 0 failed") {
				t.Errorf("no summary:\n%s", r.Console)
			}
		})
	}
}

func TestExit(t *testing.T) {
	for _, test := range []struct {
		name, options string
		want          efi.Status
		data          string
	}{
		{"return", "", efi.Success, ""},
		{"return", "3", efi.Status(3), ""},
		{"return", "-14", efi.NotFound, ""},
		{"exit", "", efi.Success, "bye"},
		{"exit", "-2", efi.InvalidParameter, "bye"},
	} {
		t.Run(test.name+" "+test.options, func(t *testing.T) {
			r := emutest.Run(t, program(t, test.name, test.options))
			if status := r.Status(t); status != test.want {
				t.Errorf("status %v, want %v", status, test.want)
			}
			if !strings.Contains(r.Err.Error(), test.data) {
				t.Errorf("exit data %q is not in %q", test.data, r.Err)
			}
		})
	}
}

// What ExitBootServices promises, seen by a program that calls it twice wrongly
// and once rightly, with and without notifications.
func TestExitBootServices(t *testing.T) {
	for _, options := range []string{"", "noevent", "early"} {
		t.Run(options, func(t *testing.T) {
			r := emutest.Run(t, program(t, "ebs", options))
			if r.Handoff == nil {
				t.Fatalf("%v\n%s", r.Err, r.Trace)
			}
			if !strings.Contains(r.Trace, ") = INVALID_PARAMETER") {
				t.Errorf("the wrong key was not refused:\n%s", r.Trace)
			}
			if got, want := strings.Contains(r.Trace, "! notify"), options != "noevent"; got != want {
				t.Errorf("notified %v, want %v:\n%s", got, want, r.Trace)
			}
			if r.Handoff.CommandLine() != options {
				t.Errorf("load options %q, want %q", r.Handoff.CommandLine(), options)
			}
		})
	}
}

func TestDemo(t *testing.T) {
	r := emutest.Run(t, program(t, "demo", ""))
	if r.Handoff == nil {
		t.Fatalf("%v\n%s", r.Err, r.Trace)
	}
	for _, want := range []string{"Hello from UEFI.", `\hello.txt says:`, "DemoCount is 1"} {
		if !strings.Contains(r.Console, want) {
			t.Errorf("%q is not in\n%s", want, r.Console)
		}
	}
	found := false
	for _, v := range r.Handoff.Variables {
		found = found || v.Name == "DemoCount"
	}
	if !found {
		t.Error("the variable is not in the handoff")
	}
}
