// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// command is the command, built for the guests.
func command(t *testing.T) string {
	t.Helper()
	return vmtest.Program(t, cpu.AMD64, "github.com/uefiexec/uefiexec/examples/uefiexec")
}

// facts are what a second kernel is asked for.
const facts = `
cat /proc/cmdline
cat /proc/cpuinfo
ls /sys/firmware/efi
ls /sys/firmware/efi/efivars
? ls /sys/firmware/acpi/tables
? ls /sys/firmware/dmi/tables
dmesg
`

// TestKernel boots a kernel with an initrd from each first kernel.
func TestKernel(t *testing.T) {
	for _, test := range []struct {
		first, second string
		firmware      vmtest.Firmware
		la57          bool
		cpus, memory  int
	}{
		{"bookworm", "trixie", vmtest.SeaBIOS, false, 1, 1024},
	} {
		t.Run(test.first+" "+test.second, func(t *testing.T) {
			second := vmtest.Initramfs{
				Scripts: map[string]string{"second": facts},
				Modules: []string{vmtest.Module(t, test.second, cpu.AMD64, "efivarfs")},
			}.Build(t)
			r := vmtest.Run(t, vmtest.Config{
				Kernel: emutest.Corpus(t, test.first+"/amd64/vmlinuz"),
				Initramfs: vmtest.Initramfs{
					Scripts: map[string]string{"first": `
						run uefiexec load -initrd /initrd /vmlinuz ` + vmtest.Cmdline(cpu.AMD64, "second", "payload=kernel") + `
						kexec-exec`},
					Files: map[string]string{
						"/bin/uefiexec": command(t), "/initrd": second,
						"/vmlinuz": emutest.Corpus(t, test.second+"/amd64/vmlinuz"),
					},
				}.Build(t),
				Cmdline:  vmtest.Cmdline(cpu.AMD64, "first"),
				Firmware: test.firmware, LA57: test.la57, CPUs: test.cpus, Memory: test.memory,
			})
			stage := r.Stage(t, "second")
			t.Logf("%s after %v", stage.Release, stage.At.Round(time.Millisecond))
			if out := r.Output(t, "second", "cat /proc/cmdline"); !strings.Contains(out, "payload=kernel") {
				t.Errorf("command line %q", out)
			}
			t.Log(r.String())
		})
	}
}
