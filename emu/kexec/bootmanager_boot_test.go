// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// loader is a boot loader on a volume, and what it boots.
type loader struct {
	name     string
	suite    string // of the loader and of the second kernel
	firmware vmtest.Firmware
	files    func(cmdline string) map[string]string // texts on the volume, by name
	program  string                                 // of the corpus
}

// loaderKernel is the suite of the first kernel.
const loaderKernel = "bookworm"

const grubConfig = "EFI/debian/grub.cfg"

// loaders start the kernel in their own ways: systemd-boot by LoadImage, GRUB 2.12 by
// a loader of its own, GRUB 2.06 by leaving boot services itself and jumping into the
// kernel by Linux's own boot protocol.
var loaders = []loader{
	{"systemd-boot 257", "trixie", vmtest.SeaBIOS, func(cmdline string) map[string]string {
		return map[string]string{
			"loader/loader.conf":      "timeout 1\n",
			"loader/entries/one.conf": "title One\nlinux /vmlinuz\ninitrd /initrd\noptions " + cmdline + "\n",
		}
	}, "systemd-boot.efi"},
	{"GRUB 2.12", "trixie", vmtest.OVMF, func(cmdline string) map[string]string {
		return map[string]string{grubConfig: grubMenu(cmdline)}
	}, "grub.efi"},
	{"GRUB 2.06", "bookworm", vmtest.SeaBIOS, func(cmdline string) map[string]string {
		return map[string]string{grubConfig: grubMenu(cmdline)}
	}, "grub.efi"},
}

func grubMenu(cmdline string) string {
	return "set timeout=1\nmenuentry Test {\n  linux /vmlinuz " + cmdline + "\n  initrd /initrd\n}\n"
}

// TestBootLoaders boots a second kernel from the frozen state of boot loaders, which
// the boot manager finds on a folder.
func TestBootLoaders(t *testing.T) {
	for _, l := range loaders {
		t.Run(l.name, func(t *testing.T) {
			files := map[string]string{
				"/bin/uefiexec":             command(t, cpu.AMD64),
				"/esp/EFI/BOOT/BOOTX64.EFI": emutest.Corpus(t, l.suite+"/amd64/"+l.program),
				"/esp/vmlinuz":              emutest.Corpus(t, l.suite+"/amd64/vmlinuz"),
				"/esp/initrd":               vmtest.Initramfs{Scripts: map[string]string{"second": combination{}.facts()}}.Build(t),
			}
			for name, text := range l.files(vmtest.Cmdline(cpu.AMD64, "second", "loader=yes")) {
				file := filepath.Join(t.TempDir(), "text")
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				files["/esp/"+name] = file
			}
			r := vmtest.Run(t, vmtest.Config{
				Kernel: emutest.Corpus(t, loaderKernel+"/amd64/vmlinuz"),
				Initramfs: vmtest.Initramfs{
					Scripts: map[string]string{"first": "run uefiexec load -verify -esp /esp\nrun uefiexec exec"},
					Files:   files,
				}.Build(t),
				Cmdline:  vmtest.Cmdline(cpu.AMD64, "first"),
				Firmware: l.firmware, CPUs: 2, Memory: 1024,
			})
			t.Logf("%s, off after %v", r.Stage(t, "second").Release, r.Took.Round(time.Millisecond))
			if out := r.Output(t, "second", "cat /proc/cmdline"); !strings.Contains(out, "loader=yes") {
				t.Errorf("the second kernel's command line is %q", out)
			}
			if out := r.Output(t, "second", "dmesg"); !strings.Contains(out, "by uefiexec") {
				t.Errorf("the second kernel was not booted by EFI:\n%s", out)
			}
		})
	}
}
