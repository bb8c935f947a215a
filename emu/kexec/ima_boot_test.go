// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestHandOverIMA goes from kernel to kernel to kernel on a machine with a device
// tree. The second one and the third find the list of the one before where Linux
// looks for it, each its own and no other, and none of the memory is lost on the
// way. Debian's kernels do not read it.
func TestHandOverIMA(t *testing.T) {
	if testing.Short() {
		t.Skip("boots take their time")
	}
	const (
		list = "hex /sys/kernel/security/ima/binary_runtime_measurements"
		look = "run kexec.test -guest -test.v -test.run ^TestGuestIMA$"
	)
	// Only the first kernel measures more than that there was a boot.
	script := func(more string, next string) string {
		lines := []string{"cat /proc/meminfo", more, list}
		if next != "" {
			lines = append(lines, "run uefiexec load -initrd /"+next+" /vmlinuz "+vmtest.Cmdline(cpu.ARM64, next), "run uefiexec exec")
		}
		return strings.Join(lines, "\n")
	}
	kernel := emutest.Corpus(t, "trixie/arm64/vmlinuz")
	program, check := command(t, cpu.ARM64), testBinary(t, cpu.ARM64)
	initrd := func(name, script string, files map[string]string) string {
		return vmtest.Initramfs{Arch: cpu.ARM64, Scripts: map[string]string{name: script}, Files: files}.Build(t)
	}
	third := initrd("third", script(look, ""), map[string]string{"/bin/kexec.test": check})
	second := initrd("second", script(look, "third"), map[string]string{"/bin/kexec.test": check, "/bin/uefiexec": program, "/vmlinuz": kernel, "/third": third})
	r := vmtest.Run(t, vmtest.Config{
		Arch: cpu.ARM64, Kernel: kernel, Memory: 1024,
		Initramfs: initrd("first", script("", "second"), map[string]string{"/bin/uefiexec": program, "/vmlinuz": kernel, "/second": second}),
		Cmdline:   vmtest.Cmdline(cpu.ARM64, "first", "ima_policy=critical_data"),
	})
	handed := regexp.MustCompile(`version 1, ([1-9][0-9]*) entries: ([0-9a-f]+)\n`)
	before := ""
	total := 0
	for i, name := range []string{"first", "second", "third"} {
		var kib int
		if _, err := fmt.Sscanf(r.Output(t, name, "cat /proc/meminfo"), "MemTotal: %d kB", &kib); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			total = kib
		} else {
			words := handed.FindStringSubmatch(r.Output(t, name, look))
			if words == nil {
				t.Fatal(r.Output(t, name, look))
			}
			if words[2] != before {
				t.Errorf("the %s kernel finds\n%s, and the one before it had measured\n%s", name, words[2], before)
			}
		}
		t.Logf("%s: %d KiB, list of %d bytes", name, kib, len(r.Output(t, name, list))/2)
		if kib < total-4096 {
			t.Errorf("the %s kernel has %d KiB, the first had %d", name, kib, total)
		}
		if own := strings.TrimSpace(r.Output(t, name, list)); own != before {
			before = own
		} else if name == "second" {
			t.Error("both kernels have measured the same, so that this shows nothing")
		}
	}
}
