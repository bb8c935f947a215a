// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

func TestWithheldMemory(t *testing.T) {
	held := efi.Range{Start: 0x100_0000, End: 0x200_0000}
	play(t, emu.Config{Withhold: []efi.Range{held}}, func(g *guest) {
		same(g, "type", typeAt(g, held.Start), efi.ConventionalMemory)
		at := local(g, held.Start)
		expect(g, efi.NotFound, "AllocatePages", efi.AllocateAddress, efi.LoaderData, 1, at)
		puppet.Store(g.Thread, at, held.End-1)
		expect(g, efi.Success, "AllocatePages", efi.AllocateMaxAddress, efi.LoaderData, 1, at)
		if held.Contains(load(g, at)) {
			g.T.Errorf("%v was allocated", load(g, at))
		}
		expect(g, efi.NotFound, "FreePages", held.Start, 1)
	})
}

func TestContents(t *testing.T) {
	acpi := efi.MemoryDescriptor{Type: efi.ACPIReclaimMemory, PhysicalStart: 0x800_0000, NumberOfPages: 1, Attribute: efi.MemoryWB}
	const outside = 0x9_0000_0ff8 // of the memory map, over the end of a page
	cfg := emu.Config{
		MemoryMap: append(emu.Layout(cpu.AMD64, 64<<20), acpi),
		Contents:  []emu.Content{{Addr: acpi.PhysicalStart + 16, Data: []byte("RSD PTR ")}, {Addr: outside, Data: []byte("outside and long")}},
	}
	h := leave(t, cfg, func(g *guest) {
		same(g, "contents", word(g, acpi.PhysicalStart+16), 0x2052545020445352)
		raw, err := g.Memory().Read(outside, 16)
		if err != nil || string(raw) != "outside and long" {
			g.T.Errorf("%q, %v", raw, err)
		}
		exitBootServices(g)
	})
	for _, s := range h.Segments {
		if s.Contains(outside) || s.Overlaps(acpi.Range()) {
			t.Errorf("segment %v", s.Range)
		}
	}
}

func TestReserve(t *testing.T) {
	var reserved efi.Range
	var machine *emu.Machine
	setup := func(m *emu.Machine) {
		machine = m
		var err error
		if reserved, err = m.Reserve(efi.BootServicesData, 3); err != nil || reserved.Size() != 3*efi.PageSize {
			t.Fatalf("%v, %v", reserved, err)
		}
		if err := m.Memory().Write(reserved.Start, []byte("before")); err != nil {
			t.Fatal(err)
		}
	}
	h, err := emutest.Go(t, emu.Config{}, setup, func(g *guest) efi.Status {
		same(g, "type", typeAt(g, reserved.Start), efi.BootServicesData)
		expect(g, efi.NotFound, "FreePages", reserved.Start, 3)
		exitBootServices(g)
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if !slices.Equal(h.Reserved, []efi.Range{reserved}) {
		t.Errorf("reserved %v, want %v", h.Reserved, reserved)
	}
	if err := h.Write(reserved.Start+2, []byte("hind")); err != nil {
		t.Error(err)
	}
	if got, err := h.Read(reserved.Start, 8); err != nil || string(got) != "behind\x00\x00" {
		t.Errorf("%q, %v", got, err)
	}
	for _, at := range []efi.Addr{reserved.Start - 1<<20, reserved.Start + 2*efi.PageSize, ^efi.Addr(0)} {
		if err := h.Write(at, []byte("xy")); !errors.Is(err, efi.InvalidParameter) {
			t.Errorf("Write at %v: %v", at, err)
		}
	}
	if stats := machine.Stats(); stats.Calls == 0 || stats.Stops < stats.Calls {
		t.Errorf("%+v", stats)
	}
}

func TestMachineIsMadeOf(t *testing.T) {
	m, err := emu.Open(emu.Config{Arch: cpu.ARM64, Engine: new(puppet.Puppet).New})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Arch() != cpu.ARM64 || m.Variables() == nil || m.Clock() != emu.SystemClock() || m.Random() != rand.Reader {
		t.Errorf("%v, %v, %v, %v", m.Arch(), m.Variables(), m.Clock(), m.Random())
	}
	at, err := m.AllocatePool(efi.LoaderData, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.FreePool(at); err != nil {
		t.Error(err)
	}
	if err := m.FreePool(at); !errors.Is(err, efi.InvalidParameter) {
		t.Errorf("freed twice: %v", err)
	}
}

// The path and the options of the image that Boot is given.
func TestBootOptions(t *testing.T) {
	var options []byte
	check := func(g *guest) {
		info := load(g, loadedImage(g, g.Image))
		raw, err := g.Memory().Read(info.LoadOptions, uint64(info.LoadOptionsSize))
		if err != nil || !bytes.Equal(raw, options) {
			g.T.Errorf("options %q, %v", raw, err)
		}
		if info.LoadOptions == 0 {
			g.T.Error("load options at NULL, which memtest86+ reads")
		}
		path, err := g.Memory().Tail(info.FilePath, 100)
		if err != nil {
			g.T.Fatal(err)
		}
		file, _, err := efi.ParseDevicePath(path)
		if err != nil || file.String() != `\EFI\x.efi` {
			g.T.Errorf("file path %v, %v", file, err)
		}
		whole, status := g.Protocol(g.Image, efi.LoadedImageDevicePathProtocolGUID)
		same(g, "status", status, efi.Success)
		if path, err = g.Memory().Tail(whole, 100); err != nil {
			g.T.Fatal(err)
		}
		if file, _, err = efi.ParseDevicePath(path); err != nil || file.String() != `PciRoot(0x7)/\EFI\x.efi` {
			g.T.Errorf("path %v, %v", file, err)
		}
	}
	m, file := bootAgain(t, emu.Config{}, check)
	device, err := m.Install(0, emu.Interface{
		Protocol: &emu.Protocol{GUID: efi.DevicePathProtocolGUID, Name: "DevicePath"}, Data: efi.DevicePath{efi.PCIRoot(7)}.Bytes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "x.efi")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	onDisk, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer onDisk.Close()
	for _, text := range []string{"", "root=/dev/vda ro"} {
		options = emu.LoadOptions(text)
		opts := emu.BootOptions{Device: device, Path: efi.DevicePath{efi.FilePath(`\EFI\x.efi`)}, LoadOptions: options}
		_, err := m.Boot(t.Context(), onDisk, opts)
		var exit *emu.ExitError
		if !errors.As(err, &exit) || exit.Image != "x.efi" || exit.Status != 0 {
			t.Errorf("%v", err)
		}
	}
	if _, err := m.Boot(t.Context(), struct{ io.ReaderAt }{bytes.NewReader(file)}, emu.BootOptions{}); err == nil {
		t.Error("a reader of unknown length boots")
	}
	if _, err := m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{Device: 0x70}); !errors.Is(err, efi.NotFound) {
		t.Errorf("a device without a path: %v", err)
	}
}
