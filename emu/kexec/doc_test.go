// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

var update = flag.Bool("update", false, "write the table in docs/KEXEC.md")

const (
	docFile    = "../../docs/KEXEC.md"
	docHeading = "## What is tested\n"
)

// TestDoc compares the table in docs/KEXEC.md with what the tests boot.
func TestDoc(t *testing.T) {
	if *product {
		return // these are more
	}
	kernels := map[string]string{"bookworm": "Linux 6.1", "trixie": "Linux 6.12", "sid": "sid's Linux"}
	stubs := map[string]string{"bookworm": "systemd-stub 252", "trixie": "systemd-stub 257", "sid": "sid's systemd-stub"}
	firmwares := map[vmtest.Firmware]string{vmtest.SeaBIOS: "SeaBIOS", vmtest.OVMF: "OVMF"}
	var b strings.Builder
	b.WriteString(docHeading + `
In QEMU, each by the command as people use it: the image is run on the first kernel, what it leaves is loaded, and after the jump the user space of the
second kernel answers. Printed from the tests by ` + "`go test ./emu/kexec -run Doc -update`" + `; they run with what ` + "`.ci/corpus`" + ` has collected.

| machine | first kernel | firmware | image | second kernel |
|---|---|---|---|---|
`)
	row := func(cells ...string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	for _, c := range combinations() {
		image := "the kernel, with an initrd"
		if c.payload == "uki" {
			image = "UKI of " + stubs[c.second] + ", with sidecars"
		}
		row(c.arch().String(), kernels[c.first], c.firmwareName(), image, kernels[c.second])
	}
	for _, l := range loaders {
		row(cpu.AMD64.String(), kernels[loaderKernel], firmwares[l.firmware], l.name+" on a folder, found by the boot manager", kernels[l.suite])
	}
	row(cpu.AMD64.String(), kernels[installerKernel], firmwares[vmtest.SeaBIOS], "Debian's shim and GRUB on an ISO image, found by the boot manager", "the installer's")
	have, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(have), docHeading)
	before = strings.TrimRight(before, "\n") + "\n\n"
	if i := strings.Index(after, "\n## "); i >= 0 {
		after = after[i+1:]
	} else {
		after = ""
	}
	want := before + b.String()
	if after != "" {
		want += "\n" + after
	}
	if *update {
		if err := os.WriteFile(docFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(have) != want {
		t.Errorf("%s is not what the tests boot: go test ./emu/kexec -run Doc -update", docFile)
	}
}
