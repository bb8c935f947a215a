// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// grubs are GRUB's versions, by suite.
var grubs = map[string]string{"bookworm": "GRUB 2.06", "trixie": "GRUB 2.12", "sid": "sid's GRUB"}

// grubMenu is a configuration with a kernel and a unified kernel image.
const grubMenu = `set timeout=5
terminal_input console
terminal_output console
menuentry "A kernel" {
	linux /vmlinuz console=ttyS0 grub=kernel
	initrd /initrd.cpio
}
menuentry "A unified kernel image" {
	chainloader /EFI/Linux/uki.efi
}
`

// grubVolume is a volume from which GRUB starts alone, and reads by its own file
// systems.
func grubVolume(t *testing.T, w way, suite string) medium {
	return newMedium(t, w, suite).copies("esp/EFI/Linux", "EFI/Linux").copies("esp/loader", "loader").
		copies("vmlinuz", "vmlinuz").copies("initrd.cpio", "initrd.cpio").
		copies("grub.efi", w.removable()).text("EFI/debian/grub.cfg", grubMenu)
}

// linux checks that a kernel was booted by GRUB with its options and initrd. On
// x86-64, 2.06 exits boot services itself and hands them over in its own way.
func (w way) linux(t *testing.T, suite string, r *emutest.Result, root fs.FS, words ...string) {
	t.Helper()
	h := frozen(t, r)
	if suite == "bookworm" && w.arch == cpu.AMD64 {
		return
	}
	boots(t, r, words...)
	if suite == "bookworm" {
		return // its initrd goes by the device tree
	}
	if initrd, err := h.Initrd(); err != nil || !bytes.Equal(initrd, read(t, root, "initrd.cpio")) {
		t.Errorf("an initrd of %d bytes: %v", len(initrd), err)
	}
}

func testGRUB(t *testing.T, w way, suite string) {
	name := grubs[suite]
	t.Run("menu", func(t *testing.T) {
		m := grubVolume(t, w, suite)
		r := w.runs(t, name, emutest.Program{Arch: w.arch, Volume: m.files, Keys: keyEnter})
		w.linux(t, suite, r, m.root, "grub=kernel")
		if !strings.Contains(r.Console, "A unified kernel image") {
			t.Errorf("the menu is not in\n%s", r.Console)
		}
	})
	t.Run("chainloader", func(t *testing.T) {
		r := w.runs(t, name, emutest.Program{Arch: w.arch, Volume: grubVolume(t, w, suite).files, Keys: keyDown + keyEnter})
		h := boots(t, r, "corpus=uki-"+suite)
		if _, err := fs.Stat(initrdFiles(t, h), ".extra/credentials/my.cred"); err != nil {
			t.Error(err)
		}
	})
	t.Run("disk image", func(t *testing.T) {
		m := grubVolume(t, w, suite)
		m.text("EFI/debian/grub.cfg", strings.Replace(grubMenu, "timeout=5", "timeout=0", 1))
		disk := m.disk(t)
		r := w.runs(t, name, emutest.Program{Arch: w.arch, Volume: volumeOf(t, disk), Platform: func(p *protocols.Platform) {
			p.MakeDisk, p.WholeDisk = false, disk
			p.Disk = efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), efi.HardDriveGPT(1, imageStart, imageSectors, imageGUID)}
		}})
		w.linux(t, suite, r, m.root, "grub=kernel")
	})
	what := "menu; a kernel with its initrd, a UKI by chainloader, from a folder and from a disk image"
	if suite == "bookworm" && w.arch == cpu.AMD64 {
		what += "; exits boot services itself"
	}
	w.add(name, what)
	t.Run("shim", func(t *testing.T) {
		m := newMedium(t, w, suite).copies("esp-grub", ".")
		w.linux(t, suite, w.runs(t, "shim, and "+name, emutest.Program{Arch: w.arch, Volume: m.files}), m.root, "corpus=grub-"+suite)
		w.add("shim, and "+name, "shim starts GRUB, which boots a kernel with its initrd; Secure Boot is off")
	})
}

// Where the volume of a disk image lies, in sectors.
const imageStart, imageSectors = 2048, 512 << 11

var imageGUID = efi.GUID{Data1: 2}

// disk makes a disk image of a volume, with mkfs.fat and mtools.
func (m medium) disk(t *testing.T) *io.SectionReader {
	t.Helper()
	table, err := protocols.GPTDisk(efi.GUID{Data1: 1}, protocols.Partition{
		Number: 1, Type: efi.PartitionTypeSystemGUID, GUID: imageGUID, First: imageStart, Last: imageStart + imageSectors - 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	image, tree := filepath.Join(dir, "image"), filepath.Join(dir, "tree")
	file, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	head := make([]byte, imageStart*512)
	if _, err := table.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(head); err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(table.Size()); err != nil {
		t.Fatal(err)
	}
	emutest.Tool(t, "/sbin/mkfs.fat", "-F", "32", "-h", fmt.Sprint(imageStart), "--offset", fmt.Sprint(imageStart), image, fmt.Sprint(imageSectors/2))
	if err := os.CopyFS(tree, m.files); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(tree)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		emutest.Tool(t, "mcopy", "-s", "-i", fmt.Sprintf("%s@@%d", image, imageStart*512), filepath.Join(tree, e.Name()), "::/")
	}
	return io.NewSectionReader(file, 0, table.Size())
}

// volumeOf is the volume of a disk image.
func volumeOf(t *testing.T, disk io.ReaderAt) fs.FS {
	t.Helper()
	volume, err := fat.Open(io.NewSectionReader(disk, imageStart*512, imageSectors*512), imageSectors*512)
	if err != nil {
		t.Fatal(err)
	}
	return volume
}

// testRefind boots a kernel by the configuration of rEFInd.
func testRefind(t *testing.T, w way, suite string) {
	const config = "timeout 5\ntextonly\nscanfor manual\nmenuentry \"A kernel\" {\n  loader /vmlinuz\n  initrd /initrd.cpio\n  options \"console=ttyS0 refind=yes\"\n}\n"
	folder := filepath.ToSlash(filepath.Dir(w.removable()))
	m := newMedium(t, w, suite).copies("refind.efi", w.removable()).copies("vmlinuz", "vmlinuz").copies("initrd.cpio", "initrd.cpio").
		text(folder+"/refind.conf", config)
	name := "rEFInd, " + suite
	for _, keys := range []string{"", keyEnter} {
		r := w.runs(t, name, emutest.Program{Arch: w.arch, Volume: m.files, Keys: keys})
		h := boots(t, r, "refind=yes", `initrd=\initrd.cpio`)
		if !strings.Contains(r.Console, "A kernel") {
			t.Errorf("the menu is not in\n%s", r.Console)
		}
		if initrd, err := h.Initrd(); err != nil || !bytes.Equal(initrd, read(t, m.root, "initrd.cpio")) {
			t.Errorf("an initrd of %d bytes: %v", len(initrd), err)
		}
	}
	w.add(name, "menu; a kernel with its initrd, by key and by time")
}
