// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestFirmwareRuntime has the second kernel call the runtime services of the
// machine's own firmware, which the first was told to leave alone.
func TestFirmwareRuntime(t *testing.T) {
	const global = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
	initrd := vmtest.Initramfs{
		Scripts: map[string]string{"second": "ls /sys/firmware/efi/efivars\nhex /sys/firmware/efi/efivars/BootOrder-" + global + "\ndmesg"},
		Modules: []string{vmtest.Module(t, "trixie", cpu.AMD64, "efivarfs")},
	}.Build(t)
	kernel := emutest.Corpus(t, "trixie/amd64/vmlinuz")
	r := vmtest.Run(t, vmtest.Config{
		Kernel: kernel,
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": "run uefiexec load -firmware-runtime -initrd /initrd /vmlinuz " +
				vmtest.Cmdline(cpu.AMD64, "second") + "\nrun uefiexec exec"},
			Files: map[string]string{"/bin/uefiexec": command(t, cpu.AMD64), "/vmlinuz": kernel, "/initrd": initrd},
		}.Build(t),
		Cmdline:  vmtest.Cmdline(cpu.AMD64, "first", "efi=noruntime", "iomem=relaxed"),
		Firmware: vmtest.OVMF, Memory: 1024, CPUs: 2,
	})
	names := r.Output(t, "second", "ls /sys/firmware/efi/efivars")
	for _, want := range []string{"BootOrder-" + global, "Boot0000-" + global, "PlatformLang-" + global} {
		if !strings.Contains(names, want) {
			t.Errorf("the firmware's %s is not among\n%s", want, names)
		}
	}
	if out := r.Output(t, "second", "hex /sys/firmware/efi/efivars/BootOrder"); !strings.HasPrefix(strings.Join(strings.Fields(out), ""), "07000000") {
		t.Errorf("BootOrder with attributes NV|BS|RT is %q", out)
	}
	log := r.Output(t, "second", "dmesg")
	if !strings.Contains(log, "by uefiexec") || strings.Contains(log, "Firmware Bug") || strings.Contains(log, "[Firmware Bug]") {
		t.Errorf("the second kernel says:\n%s", log)
	}
}
