// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// asKernel puts the mark of a kernel into an image.
func asKernel(file []byte) []byte {
	copy(file[0x38:], "ARM\x64")
	return file
}

// fakeKernel looks like a kernel and says which.
func fakeKernel(text string) []byte {
	return asKernel(petest.Image{Sections: []petest.Section{{Name: ".text", Data: []byte(text)}}, Certificates: [][]byte{[]byte(text)}}.Bytes())
}

// leaver is the file of an image that exits boot services on its own handle,
// with more sections.
func leaver(g *guest, sections ...petest.Section) []byte {
	g.T.Helper()
	at := g.Func(func(g *guest) uint64 {
		g.Image = efi.Handle(g.Arg(0))
		exitBootServices(g)
		return 0
	})
	code, err := g.Memory().Read(at, puppet.CodeSize)
	if err != nil {
		g.T.Fatal(err)
	}
	machine := pecoff.AMD64
	if g.Arch() == cpu.ARM64 {
		machine = pecoff.ARM64
	}
	text := petest.Section{Name: ".text", VirtualAddress: 0x1000, Data: code}
	return petest.Image{Machine: machine, Entry: 0x1000, Sections: append([]petest.Section{text}, sections...)}.Bytes()
}

// kernelOf reads the kernel of a handoff.
func kernelOf(t *testing.T, h *emu.Handoff) []byte {
	t.Helper()
	r, err := h.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// checkKernel looks for the kernel in the handoff and in its file.
func checkKernel(t *testing.T, h *emu.Handoff, want []byte) {
	t.Helper()
	if got := kernelOf(t, h); !bytes.Equal(got, want) {
		t.Errorf("a kernel of %d bytes, want another of %d", len(got), len(want))
	}
	file := fileOf(t, h)
	again, err := emu.ReadHandoff(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got := kernelOf(t, again); !bytes.Equal(got, want) {
		t.Errorf("in the file a kernel of %d bytes, want another of %d", len(got), len(want))
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := h.Kernel(); !errors.Is(err, emu.ErrNoKernel) {
		t.Errorf("a closed handoff has a kernel: %v", err)
	}
}

func TestKernelFromBuffer(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		for _, change := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v changed %v", arch, change), func(t *testing.T) {
				var kernel []byte
				h := leave(t, emu.Config{Arch: arch, KeepKernel: true}, func(g *guest) {
					kernel = asKernel(leaver(g))
					at, image := g.Bytes(kernel), local[efi.Handle](g, 0)
					expect(g, efi.Success, "LoadImage", efi.False, g.Image, 0, at, len(kernel), image)
					if change {
						if err := g.Memory().Write(at+efi.Addr(len(kernel)-1), []byte{1}); err != nil {
							g.T.Fatal(err)
						}
					}
					g.Boot("StartImage", load(g, image), 0, 0)
				})
				if !change {
					checkKernel(t, h, kernel)
				} else if _, err := h.Kernel(); !errors.Is(err, emu.ErrNoKernel) || !strings.Contains(err.Error(), "has changed since") {
					t.Errorf("of a kernel that has changed: %v", err)
				}
			})
		}
	}
}

func TestKernelFromFile(t *testing.T) {
	var kernel []byte
	h := leave(t, emu.Config{}, func(g *guest) {
		kernel = asKernel(leaver(g))
		(&volume{data: kernel, size: uint64(len(kernel))}).install(g)
		at := pool(g, efi.DevicePath{efi.VendorMedia(other), efi.FilePath(`\EFI`), efi.FilePath(`x.efi`)}.Bytes())
		image := local[efi.Handle](g, 0)
		expect(g, efi.Success, "LoadImage", efi.False, g.Image, at, 0, 0, image)
		g.Boot("StartImage", load(g, image), 0, 0)
	})
	checkKernel(t, h, kernel)
}

// A stub that starts its kernel itself exits boot services as the unified image.
func TestKernelFromSection(t *testing.T) {
	section := func(name string, data []byte) petest.Section { return petest.Section{Name: name, Data: data} }
	one, two := fakeKernel("one"), fakeKernel("two, a longer one")
	plain := []petest.Section{section(".linux", one)}
	profiles := []petest.Section{
		section(".linux", one),
		section(".profile", []byte("ID=main")),
		section(".profile", []byte("ID=other")), section(".linux", two),
	}
	for _, test := range []struct {
		name     string
		sections []petest.Section
		profile  string // StubProfile
		want     []byte
		err      string
	}{
		{"alone", plain, "", one, ""},
		{"alone, profile 0", plain, "0", one, ""},
		{"no such profile", plain, "1", nil, `guest/1 has, and it has no profile "1"`},
		{"no number", plain, "-1", nil, `no profile "-1"`},
		{"base of the first profile", profiles, "", one, ""},
		{"the second profile's own", profiles, "1", two, ""},
		{"beyond the profiles", profiles, "2", nil, `no profile "2"`},
		{"not PE", []petest.Section{section(".linux", []byte("kernel"))}, "", nil, "its .linux: "},
		{"not a kernel", []petest.Section{section(".linux", petest.Image{}.Bytes())}, "", nil, "its .linux is of kind EFI"},
		{"no kernel at all", nil, "", nil, "no Linux kernel has exited boot services: guest/1 has"},
		{"an addon", []petest.Section{section(".cmdline", []byte("a"))}, "", nil, "guest/1 has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := leave(t, emu.Config{}, func(g *guest) {
				if test.profile != "" {
					name, data := g.Text("StubProfile"), efi.EncodeString(test.profile)
					expectRuntime(g, efi.Success, "SetVariable", name, g.GUID(efi.SystemdLoaderGUID), bootAccess, len(data), g.Bytes(data))
				}
				g.Boot("StartImage", loadBuffer(g, leaver(g, test.sections...)), 0, 0)
			})
			if test.err == "" {
				checkKernel(t, h, test.want)
				return
			}
			if _, err := h.Kernel(); !errors.Is(err, emu.ErrNoKernel) || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
		})
	}
}

// The kernel is the image that exits, not the last one that was loaded.
func TestKernelThatDidNotExit(t *testing.T) {
	h := leave(t, emu.Config{}, func(g *guest) {
		loadBuffer(g, asKernel(leaver(g)))
		exitBootServices(g)
	})
	if _, err := h.Kernel(); !errors.Is(err, emu.ErrNoKernel) {
		t.Errorf("error %v", err)
	}
	if _, err := new(emu.Handoff).Kernel(); !errors.Is(err, emu.ErrNoKernel) {
		t.Errorf("of an empty handoff: %v", err)
	}
}
