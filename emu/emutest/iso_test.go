// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// TestISO boots the installer's kernel by its shim and GRUB from ISO images. The file
// system they start from is a file on the CD, or a partition behind it, which
// GRUB must not take for the one that it was started from.
func TestISO(t *testing.T) {
	const root, at = "trixie/amd64/installer/", "/debian-installer/amd64/"
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	menu := "set timeout=0\nmenuentry Install {\n\tlinux " + at + "linux iso=yes\n\tinitrd " + at + "initrd.gz\n}\n"
	if err := os.WriteFile(in("grub.cfg"), []byte(menu), 0o644); err != nil {
		t.Fatal(err)
	}
	emutest.Tool(t, "/sbin/mkfs.fat", "-C", in("efi.img"), "8192") // KiB
	emutest.Tool(t, "mmd", "-i", in("efi.img"), "::/EFI", "::/EFI/BOOT")
	emutest.Tool(t, "mcopy", "-i", in("efi.img"), emutest.Corpus(t, root+"shim.efi"), "::/EFI/BOOT/BOOTX64.EFI")
	emutest.Tool(t, "mcopy", "-i", in("efi.img"), emutest.Corpus(t, root+"grub.efi"), "::/EFI/BOOT/grubx64.efi")
	for name, boot := range map[string][]string{
		"a file on the CD": {"-e", "efi.img", "-no-emul-boot", "-graft-points", "/efi.img=" + in("efi.img")},
		"a partition behind it": {"-append_partition", "2", "0xef", in("efi.img"), "-appended_part_as_gpt",
			"-e", "--interval:appended_partition_2:all::", "-no-emul-boot", "-graft-points"},
	} {
		t.Run(name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image.iso")
			args := append([]string{"-as", "mkisofs", "-quiet", "-o", image, "-V", "INSTALLER", "-r", "-J"}, boot...)
			emutest.Tool(t, "xorriso", append(args, at+"grub/grub.cfg="+in("grub.cfg"),
				at+"linux="+emutest.Corpus(t, root+"linux"), at+"initrd.gz="+emutest.Corpus(t, root+"initrd.gz"))...)
			file, err := os.Open(image)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			layout, err := protocols.ReadDiskLayout(file, info.Size(), 0)
			if err != nil {
				t.Fatal(err)
			}
			system, ok := layout.System()
			if !ok {
				t.Fatalf("no system partition: %+v", layout)
			}
			size := int64(system.Sectors) * int64(layout.SectorSize)
			volume, err := fat.Open(io.NewSectionReader(file, int64(system.First)*int64(layout.SectorSize), size), size)
			if err != nil {
				t.Fatal(err)
			}
			r := emutest.Run(t, emutest.Program{Volume: volume, Platform: func(p *protocols.Platform) {
				p.MakeDisk, p.WholeDisk, p.SectorSize = false, io.NewSectionReader(file, 0, info.Size()), layout.SectorSize
				p.Disk = efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0)}.Append(system.Path...)
			}})
			h := boots(t, r, "iso=yes")
			if initrd, err := h.Initrd(); err != nil || len(initrd) == 0 {
				t.Errorf("an initrd of %d bytes: %v", len(initrd), err)
			}
		})
	}
}
