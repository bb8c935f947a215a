// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// installerKernel is the suite of the first kernel.
const installerKernel = "trixie"

// TestInstaller boots Debian's installer from an ISO image: shim and GRUB come from
// its El Torito image, all else from its ISO 9660 file system, which GRUB reads by
// BlockIO. The installer's own initrd gets to user space.
func TestInstaller(t *testing.T) {
	initrd := vmtest.Initramfs{Scripts: map[string]string{"second": combination{}.facts() + `
run /bin/busybox echo the marker
cat /etc/lsb-release
ls /lib/debian-installer
`}}
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, installerKernel+"/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": "run uefiexec load -verify -disk /installer.iso\nrun uefiexec exec"},
			Files: map[string]string{
				"/bin/uefiexec":  command(t, cpu.AMD64),
				"/installer.iso": installerISO(t, initrd.Build(t), vmtest.Cmdline(cpu.AMD64, "second", "installer=yes")),
			},
		}.Build(t),
		Cmdline: vmtest.Cmdline(cpu.AMD64, "first"), CPUs: 2, Memory: 1024,
	})
	t.Logf("%s, off after %v", r.Stage(t, "second").Release, r.Took.Round(time.Millisecond))
	for _, want := range []struct{ stage, step, text string }{
		{"first", "run uefiexec load", "CDROM("},
		{"second", "run /bin/busybox echo", "the marker\n"},
		{"second", "cat /etc/lsb-release", "Debian GNU/Linux installer"},
		{"second", "ls /lib/debian-installer", "menu"},
		{"second", "cat /proc/cmdline", "BOOT_IMAGE=/debian-installer/amd64/linux "},
		{"second", "cat /proc/cmdline", " installer=yes ---"},
		{"second", "dmesg", "by uefiexec"},
	} {
		if out := r.Output(t, want.stage, want.step); !strings.Contains(out, want.text) {
			t.Errorf("%s, %s: %q is not in\n%s", want.stage, want.step, want.text, out)
		}
	}
}

// installerISO makes an ISO image of the corpus' installer, whose menu boots its first
// entry with a command line, and whose initrd is followed by another. The paths are
// those of the installer's package, which its GRUB has built in. As Debian's own images
// are, it is a disk with a GPT, too.
func installerISO(t *testing.T, initrd, cmdline string) string {
	t.Helper()
	const root, at = "trixie/amd64/installer/", "/debian-installer/amd64/"
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }

	config, err := os.ReadFile(emutest.Corpus(t, root+"grub.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`linux +` + at + `linux .*`).Find(config)
	if first == nil {
		t.Fatalf("no kernel in the installer's grub.cfg:\n%s", config)
	}
	menu := "set timeout=1\n" + strings.Replace(string(config), string(first), "linux "+at+"linux "+cmdline+" ---", 1)
	if err := os.WriteFile(in("grub.cfg"), []byte(menu), 0o644); err != nil {
		t.Fatal(err)
	}
	concatenate(t, in("initrd.gz"), emutest.Corpus(t, root+"initrd.gz"), initrd)

	if err := os.WriteFile(in("mbr"), make([]byte, 432), 0o644); err != nil { // its code, for a BIOS
		t.Fatal(err)
	}
	// 512-byte sectors of El Torito's image are counted in 16 bits.
	emutest.Tool(t, "/sbin/mkfs.fat", "-C", in("efi.img"), "8192") // KiB
	emutest.Tool(t, "mmd", "-i", in("efi.img"), "::/EFI", "::/EFI/BOOT")
	emutest.Tool(t, "mcopy", "-i", in("efi.img"), emutest.Corpus(t, root+"shim.efi"), "::/EFI/BOOT/BOOTX64.EFI")
	emutest.Tool(t, "mcopy", "-i", in("efi.img"), emutest.Corpus(t, root+"grub.efi"), "::/EFI/BOOT/grubx64.efi")
	emutest.Tool(t, "xorriso", "-as", "mkisofs", "-quiet", "-o", in("installer.iso"), "-V", "INSTALLER", "-r", "-J",
		"-isohybrid-mbr", in("mbr"), "-e", "efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat",
		"-graft-points", "/efi.img="+in("efi.img"), at+"grub/grub.cfg="+in("grub.cfg"),
		at+"linux="+emutest.Corpus(t, root+"linux"), at+"initrd.gz="+in("initrd.gz"))
	return in("installer.iso")
}

// concatenate writes archives one behind another, each from a multiple of four bytes
// on, as the kernel wants one that is not compressed (Linux, "initramfs buffer
// format").
func concatenate(t *testing.T, name string, archives ...string) {
	t.Helper()
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, archive := range archives {
		in, err := os.Open(archive)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		n, err := io.Copy(out, in)
		if err == nil {
			_, err = out.Write(make([]byte, -n&3))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
