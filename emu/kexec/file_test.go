// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// bzImage is an image with a setup header, whose first section lies at 0x200.
func bzImage(protocol uint16, loadFlags byte, xloadFlags uint16, cmdlineSize uint32) []byte {
	setup := make([]byte, 0x100)
	copy(setup[2:], "HdrS")
	le := binary.LittleEndian
	le.PutUint16(setup[0x6:], protocol)
	setup[0x11] = loadFlags
	le.PutUint16(setup[0x36:], xloadFlags)
	le.PutUint32(setup[0x38:], cmdlineSize)
	return petest.Image{Sections: []petest.Section{{Name: ".setup", Data: setup}}}.Bytes()
}

// marked is an image with a mark in its DOS header.
func marked(at int, mark string, majorVersion uint16) []byte {
	b := petest.Image{Machine: pecoff.ARM64, MajorImageVersion: majorVersion}.Bytes()
	copy(b[at:], mark)
	return b
}

func TestCheckKernel(t *testing.T) {
	for _, test := range []struct {
		name  string
		image []byte
		limit int
		err   string
	}{
		{"Linux 6", bzImage(0x20f, 1, 0x7f, 2047), 2047, ""},
		{"Linux 3.8", bzImage(0x20c, 1, 3, 2047), 2047, ""},
		{"huge command line", bzImage(0x20f, 1, 3, 1<<31), 1 << 16, ""},
		{"Linux 3.7", bzImage(0x20b, 1, 3, 2047), 0, "no 64-bit Linux"},
		{"loaded low", bzImage(0x20f, 0, 3, 2047), 0, "no 64-bit Linux"},
		{"32 bits", bzImage(0x20f, 1, 2, 2047), 0, "no 64-bit Linux"},
		{"memtest86+", bzImage(0x20c, 1, 9, 255), 0, "no 64-bit Linux"},
		{"cut", bzImage(0x20f, 1, 3, 2047)[:0x210], 0, "beyond the end"},
		{"arm64", marked(0x38, "ARM\x64", 3), 2048, ""},
		{"Xen for arm64", marked(0x38, "ARM\x64", 0), 0, "not Linux"},
		{"zboot", marked(4, "zimg", 3), 0, "kind zboot"},
		{"EFI", marked(0, "", 3), 0, "kind EFI"},
		{"no image", []byte("kernel"), 0, "not a PE image"},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit, err := checkKernel(io.NewSectionReader(bytes.NewReader(test.image), 0, int64(len(test.image))))
			switch {
			case limit != test.limit, test.err == "" && err != nil:
				t.Errorf("limit %d, want %d: %v", limit, test.limit, err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("error %v, want one with %q", err, test.err)
			}
		})
	}
}

// run takes a program to the point where it exits boot services.
func run(t *testing.T, p emutest.Program) *emu.Handoff {
	t.Helper()
	r := emutest.Run(t, p)
	if r.Handoff == nil {
		t.Fatalf("%v\n%s", r.Err, r.Console)
	}
	return r.Handoff
}

func readCorpus(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(emutest.Corpus(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What Debian's kernels and unified kernel images come to is the kernel of the
// package, byte for byte, and what Linux's stub has for initrd and command line.
func TestPlanFile(t *testing.T) {
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		kernel, initrd := readCorpus(t, suite+"/amd64/vmlinuz"), readCorpus(t, suite+"/amd64/initrd.cpio")
		esp := emutest.Corpus(t, suite+"/amd64/esp")
		for _, test := range []struct {
			name    string
			program emutest.Program
			cmdline string
			initrd  bool
		}{
			{"kernel", emutest.Program{Image: kernel, Options: "a=b c"}, "a=b c", false},
			{"kernel with initrd", emutest.Program{Image: kernel, Options: "a\nb", Initrd: initrd}, "a", true},
			{"uki", emutest.Program{Image: readCorpus(t, suite+"/amd64/uki.efi")}, "corpus=uki-" + suite + " console=ttyS0", true},
			{"sidecars", emutest.Program{Image: readCorpus(t, suite+"/amd64/uki.efi"), Path: `\EFI\Linux\uki.efi`, Volume: os.DirFS(esp)}, "corpus=uki-" + suite + " console=ttyS0", true},
		} {
			t.Run(suite+"/"+test.name, func(t *testing.T) {
				test.program.Config = func(cfg *emu.Config) { cfg.KeepKernel = true }
				h := run(t, test.program)
				p, err := planFile(h)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(p.kernel)
				if err != nil || !bytes.Equal(got, kernel) {
					t.Errorf("the kernel has %d bytes, want the %d of the package: %v", len(got), len(kernel), err)
				}
				want := test.cmdline
				if test.name == "sidecars" && suite != "bookworm" { // stub 252 knows no addons
					want += " addon=global addon=local"
				}
				if p.cmdline != want {
					t.Errorf("command line %q, want %q", p.cmdline, want)
				}
				if has := bytes.Contains(p.initrd, []byte("uefiexec corpus")); has != test.initrd || !test.initrd && p.initrd != nil {
					t.Errorf("an initrd of %d bytes; the one from outside is in it: %v", len(p.initrd), has)
				}
				if has := bytes.Contains(p.initrd, []byte("secret-local")); has != (test.name == "sidecars") {
					t.Errorf("the credential is in the initrd: %v", has)
				}
			})
		}
	}
}

func TestPlanFileRefuses(t *testing.T) {
	kernel := readCorpus(t, "trixie/amd64/vmlinuz")
	refuses := func(h *emu.Handoff, want string) {
		t.Helper()
		if _, err := planFile(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	h := run(t, emutest.Program{Image: kernel, Options: strings.Repeat("x", 2046)})
	if p, err := planFile(h); err != nil || len(p.cmdline) != 2046 {
		t.Errorf("a command line of %d bytes: %v", len(p.cmdline), err)
	}
	h.LoadOptions = efi.EncodeString(strings.Repeat("x", 2047))
	refuses(h, "a command line of 2047 bytes, where the kernel takes 2046")
	h.LoadOptions, h.ConfigurationTables = nil, nil
	refuses(h, "older than 6.1")
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	refuses(h, emu.ErrNoKernel.Error())
	refuses(run(t, emutest.Program{Image: readCorpus(t, "trixie/amd64/memtest.efi")}), "no 64-bit Linux")
}

func TestLoadFileWhereNothingIsLoaded(t *testing.T) {
	for _, host := range []*Host{{Xen: true}, {Disabled: true}} {
		if _, err := LoadFile(host, new(emu.Handoff)); !errors.Is(err, ErrRefused) || host.FileMayDo() {
			t.Errorf("%+v: error %v", host, err)
		}
	}
	if _, err := LoadFile(&Host{Lockdown: "integrity"}, new(emu.Handoff)); !errors.Is(err, emu.ErrNoKernel) {
		t.Errorf("locked down: %v", err)
	}
}
