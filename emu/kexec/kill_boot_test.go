// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestKillAndFlip kills loads at many moments; after each there is nothing left
// but what was loaded before, or all of it. In the end, one bit of what was loaded
// is not as it was: the trampoline says where, and nothing is booted.
func TestKillAndFlip(t *testing.T) {
	if testing.Short() {
		t.Skip("boots take their time")
	}
	const (
		load   = "uefiexec load -verify /ebs.efi serial"
		kernel = "uefiexec load -verify /vmlinuz console=ttyS0"
		alone  = "run kexec.test -guest -test.run ^TestGuestAlone$\n"
	)
	var script strings.Builder
	kill := func(load string, millis ...int) {
		for _, ms := range millis {
			fmt.Fprintf(&script, "? kill %dms %s\ncat /sys/kernel/kexec_loaded\n%s", ms, load, alone)
		}
	}
	kill(kernel, 1000, 4000)
	kill(load, 30, 100, 200, 300, 400, 600, 800, 1000)
	script.WriteString("run " + load + "\n")
	kill(load, 200, 500, 700)
	kill(kernel, 500, 2000, 3500, 5000, 6500)
	script.WriteString("run kexec.test -guest -test.v -test.run ^TestGuestFlippedBit$\ncat /sys/kernel/kexec_loaded\nrun uefiexec exec -f\n")
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, "trixie/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": script.String()},
			Files: map[string]string{
				"/bin/uefiexec": command(t, cpu.AMD64), "/bin/kexec.test": testBinary(t, cpu.AMD64), "/ebs.efi": payload(t, "ebs"),
				"/vmlinuz": emutest.Corpus(t, "trixie/amd64/vmlinuz"),
			},
		}.Build(t),
		Until: `uefiexec: the memory at .* stopped|^ebs: done`,
	})
	checkKills(t, r.Stage(t, "first").Steps)
	flipped := r.Output(t, "first", "run kexec.test -guest -test.v")
	_, at, ok := strings.Cut(flipped, "flipped at ")
	if !ok {
		t.Fatal(flipped)
	}
	r.Expect(t, "^uefiexec: the memory at "+strings.Fields(at)[0]+" is not what was loaded; stopped$")
	for _, line := range r.Lines {
		if strings.HasPrefix(line.Text, "ebs: alive") {
			t.Errorf("it was booted:\n%s", r)
		}
	}
}

// checkKills looks at what is loaded after each load, whether killed or not.
func checkKills(t *testing.T, steps []vmtest.Step) {
	t.Helper()
	before, killed := "0\n", 0
	last := vmtest.Step{}
	for _, s := range steps {
		if s.Command != "cat /sys/kernel/kexec_loaded" {
			if !strings.Contains(s.Command, "TestGuestAlone") {
				last = s
			}
			continue
		}
		t.Logf("%s: %q after %v, loaded: %s%s", last.Command, last.Error, last.Took, s.Output, last.Output)
		switch {
		case last.Error == "signal: killed":
			killed++
			if s.Output != before && s.Output != "1\n" {
				t.Errorf("%s: kexec_loaded is %q, and was %q", last.Command, s.Output, before)
			}
		case last.Error != "" || s.Output != "1\n":
			t.Errorf("%s: %q, kexec_loaded is %q", last.Command, last.Error, s.Output)
		}
		before = s.Output
	}
	if killed < 5 {
		t.Errorf("%d loads were killed", killed)
	}
}

// testBinary builds the tests of this package for the guest.
func testBinary(t *testing.T, arch cpu.Arch) string {
	t.Helper()
	return guestTest(t, arch, "github.com/uefiexec/uefiexec/emu/kexec")
}

// guestTest builds the tests of a package for the guest.
func guestTest(t *testing.T, arch cpu.Arch, pkg string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "guest.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-trimpath", "-ldflags=-s -w", "-o", name, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+map[cpu.Arch]string{cpu.AMD64: "amd64", cpu.ARM64: "arm64"}[arch], "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	return name
}
