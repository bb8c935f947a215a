// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp/a64"
)

func read(t *testing.T, fsys fs.FS, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// frozen runs a program, which exits boot services or fails the test.
func frozen(t *testing.T, p emutest.Program) *emu.Handoff {
	t.Helper()
	r := emutest.RunOn(t, p, a64.New)
	if r.Handoff == nil {
		trace := r.Trace
		if n := len(trace); n > 4000 {
			trace = trace[n-4000:]
		}
		t.Fatalf("%v\n%s\n%s", r.Err, r.Console, trace)
	}
	return r.Handoff
}

// TestRealPayloads boots Debian's kernels and unified kernel images.
func TestRealPayloads(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		root := os.DirFS(emutest.Corpus(t, suite+"/arm64"))
		t.Run(suite+"/kernel", func(t *testing.T) {
			p := emutest.Program{Image: read(t, root, "vmlinuz"), Path: `\vmlinuz`, Options: "console=ttyS0 quiet"}
			p.Initrd = read(t, root, "initrd.cpio")
			h := frozen(t, p)
			got, err := h.Initrd()
			if h.CommandLine() != p.Options || err != nil || !bytes.Equal(got, p.Initrd) {
				t.Errorf("command line %q, initrd of %d bytes, %v", h.CommandLine(), len(got), err)
			}
		})
		t.Run(suite+"/uki", func(t *testing.T) {
			h := frozen(t, emutest.Program{Image: read(t, root, "uki.efi"), Path: `\uki.efi`})
			if !strings.Contains(h.CommandLine(), "corpus=uki-"+suite) {
				t.Errorf("command line %q", h.CommandLine())
			}
		})
		t.Run(suite+"/esp", func(t *testing.T) {
			esp, err := fs.Sub(root, "esp")
			if err != nil {
				t.Fatal(err)
			}
			h := frozen(t, emutest.Program{
				Image: read(t, esp, "EFI/Linux/uki.efi"), Path: `\EFI\Linux\uki.efi`, Volume: esp,
			})
			if initrd, err := h.Initrd(); err != nil || !bytes.Contains(initrd, []byte(".extra")) {
				t.Errorf("initrd of %d bytes, %v", len(initrd), err)
			}
		})
	}
}
