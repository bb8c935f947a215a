// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
)

// TestFirmware runs the programs that have passed on real firmware (AAVMF) first.
func TestFirmware(t *testing.T) {
	for _, name := range []string{"events", "memory", "protocols", "image", "files", "vars", "random", "wild"} {
		t.Run(name, func(t *testing.T) {
			image, err := payloads.Image("aa64", name)
			if err != nil {
				t.Fatal(err)
			}
			volume, err := payloads.Volume("aa64")
			if err != nil {
				t.Fatal(err)
			}
			r := emutest.RunOn(t, emutest.Program{Image: image, Path: `\` + name + ".efi", Volume: volume}, a64.New)
			if status := r.Status(t); status != efi.Success || !strings.Contains(r.Console, " passed, 0 failed") {
				t.Errorf("%v\n%s", status, r.Console)
			}
		})
	}
}
