// SPDX-License-Identifier: BSD-3-Clause

package payloads_test

import (
	"bytes"
	"debug/pe"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
)

var machines = map[string]uint16{
	"x64":  pe.IMAGE_FILE_MACHINE_AMD64,
	"aa64": pe.IMAGE_FILE_MACHINE_ARM64,
}

func TestNamesAreTheSources(t *testing.T) {
	sources, err := filepath.Glob("src/*.c")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range sources {
		want = append(want, strings.TrimSuffix(filepath.Base(s), ".c"))
	}
	slices.Sort(want)
	if got := payloads.Names(); !slices.Equal(got, want) {
		t.Errorf("names %v, sources %v", got, want)
	}
}

func TestImage(t *testing.T) {
	for arch, machine := range machines {
		for _, name := range payloads.Names() {
			b, err := payloads.Image(arch, name)
			if err != nil {
				t.Error(err)
				continue
			}
			f, err := pe.NewFile(bytes.NewReader(b))
			if err != nil {
				t.Errorf("%s/%s: %v", arch, name, err)
				continue
			}
			if f.Machine != machine {
				t.Errorf("%s/%s: machine %#x, want %#x", arch, name, f.Machine, machine)
			}
			want := uint16(pe.IMAGE_SUBSYSTEM_EFI_APPLICATION)
			if name == "driver" {
				want = pe.IMAGE_SUBSYSTEM_EFI_BOOT_SERVICE_DRIVER
			}
			header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
			if !ok {
				t.Errorf("%s/%s: no PE32+ header", arch, name)
				continue
			}
			if header.Subsystem != want {
				t.Errorf("%s/%s: subsystem %d, want %d", arch, name, header.Subsystem, want)
			}
		}
	}
}

func TestImageIsACopy(t *testing.T) {
	a, err := payloads.Image("x64", "spin")
	if err != nil {
		t.Fatal(err)
	}
	a[0] = 0
	if b, _ := payloads.Image("x64", "spin"); b[0] != 'M' {
		t.Error("a change of the returned bytes is seen by the next caller")
	}
}

func TestDemo(t *testing.T) {
	for arch := range machines {
		want, err := payloads.Image(arch, "demo")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := payloads.Demo(arch); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Demo(%q) is not Image(%q, \"demo\"): %v", arch, arch, err)
		}
	}
}

func TestMissing(t *testing.T) {
	for _, test := range []struct{ arch, name string }{
		{"x64", "missing"}, {"riscv64", "demo"}, {"..", "payloads"}, {"", ""},
	} {
		if _, err := payloads.Image(test.arch, test.name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Image(%q, %q): %v, want fs.ErrNotExist", test.arch, test.name, err)
		}
	}
	if _, err := payloads.Demo("riscv64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Demo: %v, want fs.ErrNotExist", err)
	}
	if _, err := payloads.Volume("riscv64"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Volume: %v, want fs.ErrNotExist", err)
	}
}

func TestVolume(t *testing.T) {
	for arch := range machines {
		v, err := payloads.Volume(arch)
		if err != nil {
			t.Fatal(err)
		}
		if err := fstest.TestFS(v, "hello.txt", "empty.txt", "child.efi", "driver.efi",
			"dir/A long file name.text", "dir/lines.txt", "dir/sub/deep.txt"); err != nil {
			t.Errorf("%s: %v", arch, err)
		}
	}
}
