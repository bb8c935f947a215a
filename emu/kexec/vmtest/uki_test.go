// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestUKI(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	stub := write("stub", petest.Image{FileAlignment: 0x400, Sections: []petest.Section{{Name: ".text", Data: []byte("code")}, {Name: ".sdmagic", Data: []byte("magic")}}}.Bytes())
	kernel := bytes.Repeat([]byte("kernel "), 1000)
	image := UKI{stub, []Section{
		{Name: ".cmdline", Data: []byte("a=b")},
		{Name: ".linux", File: write("kernel", kernel)},
		{Name: ".initrd", Data: []byte("initrd")},
	}}.Build(t)
	data := read(t, image)
	im, err := pecoff.Parse(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Check(); err != nil || im.Kind() != pecoff.KindUKI {
		t.Errorf("%v: %v", im.Kind(), err)
	}
	if err := im.Overlap(); err != nil {
		t.Error(err)
	}
	if err := im.LayOut(make([]byte, im.SizeOfImage)); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{".text": "code", ".sdmagic": "magic", ".cmdline": "a=b", ".linux": string(kernel), ".initrd": "initrd"} {
		s, ok := im.Section(name)
		if !ok {
			t.Errorf("no section %s", name)
			continue
		}
		if got, err := io.ReadAll(im.Mapped(s)); err != nil || string(got) != want {
			t.Errorf("%s is %.20q, want %.20q: %v", name, got, want, err)
		}
	}
}

func TestUKIRefuses(t *testing.T) {
	stub := petest.Image{Sections: []petest.Section{{Name: ".text", Data: []byte("code")}}}.Bytes()
	for name, test := range map[string]struct {
		stub    []byte
		section string
		want    string
	}{
		"empty":     {nil, ".linux", "no image"},
		"no PE":     {bytes.Repeat([]byte{1}, 0x1000), ".linux", "no PE image"},
		"long name": {stub, ".toolonganame", "too long"},
	} {
		if _, err := appendSection(test.stub, test.section, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
	var err error
	for n := 0; err == nil; n++ {
		if n == 100 {
			t.Fatal("100 sections fit")
		}
		stub, err = appendSection(stub, ".s", []byte("x"))
	}
	if !strings.Contains(err.Error(), "no room") {
		t.Error(err)
	}
}

// The stubs of Debian run what Build makes, to ExitBootServices.
func TestUKIBoots(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			dir := emutest.Corpus(t, suite+"/amd64")
			image := UKI{filepath.Join(dir, "linux.efi.stub"), []Section{
				{Name: ".osrel", Data: []byte("ID=test\n")},
				{Name: ".cmdline", Data: []byte("a=b c")},
				{Name: ".initrd", File: filepath.Join(dir, "initrd.cpio")},
				{Name: ".linux", File: filepath.Join(dir, "vmlinuz")},
			}}.Build(t)
			r := emutest.Run(t, emutest.Program{Image: []byte(read(t, image)), Path: `\uki.efi`})
			if r.Handoff == nil {
				t.Fatalf("%v\n%s", r.Err, r.Console)
			}
			if got := r.Handoff.CommandLine(); got != "a=b c" {
				t.Errorf("command line %q", got)
			}
			initrd, err := r.Handoff.Initrd()
			if err != nil || !bytes.Contains(initrd, []byte("uefiexec corpus")) {
				t.Errorf("an initrd of %d bytes without the stub's: %v", len(initrd), err)
			}
		})
	}
}
