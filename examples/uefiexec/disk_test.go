// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

func mustRead(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fatImage is a FAT volume of some MiB with files.
func fatImage(t *testing.T, mib int64, files fstest.MapFS) []byte {
	t.Helper()
	v, err := fat.NewVolume(files, fat.VolumeOptions{Size: mib << 20})
	if err != nil {
		t.Fatal(err)
	}
	image := make([]byte, v.Size())
	if _, err := v.ReadAt(image, 0); err != nil {
		t.Fatal(err)
	}
	return image
}

// onGPT puts a volume into an EFI system partition, behind another partition.
func onGPT(t *testing.T, volume []byte) []byte {
	t.Helper()
	disk, err := protocols.GPTDisk(efi.GUID{Data1: 1},
		protocols.Partition{Number: 1, Type: efi.GUID{Data1: 2}, GUID: efi.GUID{Data1: 3}, First: 34, Last: 99},
		protocols.Partition{Number: 2, Type: efi.PartitionTypeSystemGUID, GUID: efi.GUID{Data1: 0xe5f}, First: 2048, Last: 2047 + uint64(len(volume)/512)})
	if err != nil {
		t.Fatal(err)
	}
	image := make([]byte, disk.Size())
	if _, err := disk.ReadAt(image, 0); err != nil {
		t.Fatal(err)
	}
	copy(image[2048*512:], volume)
	return image
}

// onMBR puts it into the first partition of an MBR.
func onMBR(volume []byte) []byte {
	image := append(make([]byte, 2048*512), volume...)
	binary.LittleEndian.PutUint32(image[440:], 0x1234)
	image[450], image[510], image[511] = 0x0c, 0x55, 0xaa
	binary.LittleEndian.PutUint32(image[454:], 2048)
	binary.LittleEndian.PutUint32(image[458:], uint32(len(volume)/512))
	return image
}

// onCD puts it into an image for UEFI of a CD.
func onCD(volume []byte) []byte {
	le := binary.LittleEndian
	image := append(make([]byte, 32*2048), volume...)
	copy(image[16*2048:], "\x01CD001\x01")
	le.PutUint32(image[16*2048+80:], uint32(len(image)/2048))
	copy(image[17*2048:], "\x00CD001\x01EL TORITO SPECIFICATION")
	le.PutUint32(image[17*2048+71:], 20)
	catalog := image[20*2048:]
	copy(catalog, "\x01\xef")
	catalog[30], catalog[31], catalog[32] = 0x55, 0xaa, 0x88
	le.PutUint16(catalog[28:], 0x10000*2-0xef01-0xaa55) // a sum of 0
	le.PutUint32(catalog[40:], 32)
	return image
}

// The volume of a disk image is where the image comes from and what it reads.
func TestDiskImages(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	const greeting = "A greeting from the disk."
	volume := fatImage(t, 3, fstest.MapFS{"EFI/demo.efi": {Data: payload(t, "demo")}, "hello.txt": {Data: []byte(greeting)}})
	dir := folder(t, map[string][]byte{
		"gpt": onGPT(t, volume), "mbr": onMBR(volume), "cd": onCD(volume), "fat": volume,
		"empty.gpt": onGPT(t, make([]byte, 1<<20)), "demo.efi": payload(t, "demo"), "other/hello.txt": []byte("another"),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, node := range map[string]string{
		"gpt": "HD(2,GPT,00000E5F-0000-0000-0000-000000000000,0x800,0x1800)", "mbr": "HD(1,MBR,0x00001234,0x800,0x1800)",
		"cd": "CDROM(0x0,0x20,0x600)", "fat": "",
	} {
		s, err := openSource("EFI/demo.efi", in(name), "", false)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if got, want := s.disk.String(), strings.TrimSuffix("PciRoot(0x0)/Pci(0x1,0x0)/"+node, "/"); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		for _, args := range [][]string{{"-esp", in(name), "EFI/demo.efi"}, {"-disk", in(name), "EFI/demo.efi"}, {"-esp", in(name), in("demo.efi")}} {
			before := mustRead(t, in(name))
			got := invoked(t, append([]string{"run"}, args...)...)
			if got.code != exitDone || !strings.Contains(got.out, greeting) {
				t.Errorf("%s %q: exit code %d: %s\n%s", name, args, got.code, got.out, got.err)
			}
			if !bytes.Equal(before, mustRead(t, in(name))) {
				t.Errorf("%s has changed", name)
			}
		}
	}
	got := invoked(t, "run", "-esp", in("other"), "-disk", in("gpt"), in("demo.efi"))
	if got.code != exitDone || !strings.Contains(got.out, "another") {
		t.Errorf("a folder for the partition of a disk: %+v", got)
	}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-esp", in("gpt"), "-disk", in("fat"), in("demo.efi")}, exitUsage, "another"},
		{[]string{"-esp", in("empty.gpt"), in("demo.efi")}, exitHost, "holds no FAT volume"},
		{[]string{"-esp", in("demo.efi"), in("demo.efi")}, exitHost, "no disk with a FAT volume"},
		{[]string{"-esp", in("other"), "-disk", in("mbr"), in("demo.efi")}, exitHost, "none of its 1 partitions is an EFI system partition"},
		{[]string{"-esp", in("other"), "-disk", in("fat"), in("demo.efi")}, exitHost, "no partitions"},
		{[]string{"-disk", in("empty.gpt"), in("demo.efi")}, exitDone, ""},
	} {
		if got := invoked(t, append([]string{"run"}, test.args...)...); got.code != test.code || !strings.Contains(got.err, test.says) {
			t.Errorf("%q: %+v", test.args, got)
		}
	}
}

// wantGRUB checks that GRUB has read its configuration, kernel and initrd by its
// own driver, and started the kernel.
func wantGRUB(t *testing.T, args ...string) {
	t.Helper()
	got := invoked(t, append([]string{"run", "-trace"}, args...)...)
	if got.code != exitDone || !strings.Contains(got.err, "exited boot services") {
		t.Fatalf("exit code %d: %s\n%s", got.code, got.out, got.err[max(len(got.err)-3000, 0):])
	}
	reads := regexp.MustCompile(`BlockIO\.ReadBlocks.* = (\w+)`).FindAllStringSubmatch(got.err, -1)
	if len(reads) < 100 {
		t.Errorf("%d calls of ReadBlocks", len(reads))
	}
	for _, r := range reads {
		if r[1] != "SUCCESS" {
			t.Errorf("%s", r[0])
		}
	}
}

// GRUB finds its files on a folder, which is a disk to it, and on an image.
func TestGRUBReadsDisk(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			esp := emutest.Corpus(t, suite+"/amd64/esp-grub")
			const image = "EFI/BOOT/grubx64.efi"
			wantGRUB(t, "-esp", esp, filepath.Join(esp, image))
			if suite != "trixie" {
				return
			}
			files := fstest.MapFS{}
			for _, name := range []string{image, "EFI/debian/grub.cfg", "vmlinuz", "initrd.cpio"} {
				files[name] = &fstest.MapFile{Data: mustRead(t, filepath.Join(esp, name))}
			}
			disk := filepath.Join(t.TempDir(), "disk")
			for _, image := range [][]byte{onGPT(t, fatImage(t, 40, files)), onMBR(fatImage(t, 40, files))} {
				if err := os.WriteFile(disk, image, 0o644); err != nil {
					t.Fatal(err)
				}
				wantGRUB(t, "-disk", disk, "EFI/BOOT/grubx64.efi")
			}
		})
	}
}

// The boot of a record, by shim and GRUB, from a folder.
func TestGRUBReadsDiskTruth(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	files := map[string][]byte{}
	for name, from := range map[string]string{
		"EFI/BOOT/BOOTX64.EFI": "trixie__shimx64.efi.signed", "EFI/BOOT/grubx64.efi": "trixie__grubx64.efi.signed",
		"EFI/debian/grub.cfg": "side/grub.cfg", "vmlinuz": "trixie__vmlinuz-6.12.107+deb13-cloud-amd64", "initrd.cpio": "t-amd64.cpio",
	} {
		files[name] = mustRead(t, emutest.Truth(t, from))
	}
	esp := folder(t, files)
	wantGRUB(t, "-esp", esp, filepath.Join(esp, "EFI/BOOT/BOOTX64.EFI"))
}
