// SPDX-License-Identifier: BSD-3-Clause

// Package examples_test runs the examples, so that none of them rots.
package examples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
)

func TestExamples(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	dir := t.TempDir()
	for _, test := range []struct{ example, payload, prints string }{
		{"loader", "demo", `(?s)Hello from UEFI.*KiB in \[.*to go on at 0x`},
		{"trace", "demo", `BootServices.AllocatePages = SUCCESS`},
		{"protocol", "random", `rolled \d+ times, ended with`},
		{"peinfo", "demo", `section +\.text`},
	} {
		t.Run(test.example, func(t *testing.T) {
			t.Parallel()
			image, err := payloads.Image("x64", test.payload)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, test.example+".efi")
			if err := os.WriteFile(name, image, 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "go", "run", "./"+test.example, name).CombinedOutput()
			if err != nil || !regexp.MustCompile(test.prints).Match(out) {
				t.Errorf("%v, and %q is not in\n%s", err, test.prints, out)
			}
		})
	}
}
