// SPDX-License-Identifier: BSD-3-Clause

// Package efitest shows a test of an EFI program: go test runs the program, in
// milliseconds, and looks at what it did.
package efitest

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
)

func TestDemo(t *testing.T) {
	image, err := payloads.Demo("x64")
	if err != nil {
		t.Fatal(err)
	}
	r := emutest.Run(t, emutest.Program{
		Image:  image,
		Volume: fstest.MapFS{"hello.txt": {Data: []byte("read by the test")}},
	})
	if r.Handoff == nil {
		t.Fatalf("the demo did not exit boot services: %v\n%s", r.Err, r.Trace)
	}
	if !strings.Contains(r.Console, "read by the test") {
		t.Errorf("the demo did not print its file:\n%s", r.Console)
	}
	if !strings.Contains(r.Trace, `SetVariable(variableName="DemoCount"`) {
		t.Errorf("the demo did not set its variable:\n%s", r.Trace)
	}
}
