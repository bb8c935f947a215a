// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of the two protocols of §10.6.
const (
	slotNode = iota
	slotPath
)

var diskPath = efi.DevicePath{
	efi.PCIRoot(0), efi.PCI(1, 2), efi.VendorMessaging(efi.VTUTF8GUID), efi.HardDriveGPT(1, 2048, 4096, efi.GUID{Data1: 7}), efi.FilePath(`\EFI\x.efi`),
}

func TestDevicePath(t *testing.T) {
	runGuest(t, install(protocols.DevicePath(diskPath)), func(t *testing.T, g *guestProgram) {
		at, want := g.locate(t, efi.DevicePathProtocolGUID), diskPath.Bytes()
		if got := g.bytes(uint64(at), uint64(len(want))); !bytes.Equal(got, want) {
			t.Errorf("the path is %x", got)
		}
	})
}

func TestDevicePathToText(t *testing.T) {
	runGuest(t, install(protocols.DevicePathToText()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.DevicePathToTextProtocolGUID)
		whole, node := g.path(diskPath), g.path(diskPath[3:4])
		for _, test := range []struct {
			slot        int
			at          uint64
			short, only uint64
			want        string
		}{
			{slotPath, whole, 0, 0, diskPath.Text(false, false)},
			{slotPath, whole, 1, 0, diskPath.Text(false, true)},
			{slotPath, whole, 0, 1, diskPath.Text(true, false)},
			{slotPath, whole, 1, 1, diskPath.Text(true, true)},
			{slotPath, g.path(nil), 0, 0, ""},
			{slotNode, node, 0, 0, diskPath[3].Text(false, false)},
			{slotNode, node, 0, 1, diskPath[3].Text(true, false)},
		} {
			got := g.Call(g.slot(this, test.slot), test.at, test.only, test.short)
			if text := g.string(got); text != test.want {
				t.Errorf("%q, want %q", text, test.want)
			}
			g.want(t, "FreePool", g.call(g.bs.FreePool, got), efi.Success)
		}
		wantNULL(t, g, g.slot(this, slotNode), g.put([]byte{4, 4, 3, 0}))
		wantNULL(t, g, g.slot(this, slotPath), g.put([]byte{4, 4, 3, 0}))
	})
}

func TestDevicePathFromText(t *testing.T) {
	runGuest(t, install(protocols.DevicePathFromText()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.DevicePathFromTextProtocolGUID)
		for _, test := range []struct {
			slot int
			text string
			want []byte
		}{
			{slotPath, diskPath.String(), diskPath.Bytes()},
			{slotPath, "", efi.DevicePath{}.Bytes()},
			{slotNode, "PciRoot(0x0)", diskPath.Bytes()[:12]},
		} {
			got := g.Call(g.slot(this, test.slot), g.text(test.text))
			if raw := g.bytes(got, uint64(len(test.want))); !bytes.Equal(raw, test.want) {
				t.Errorf("%q is %x, want %x", test.text, raw, test.want)
			}
			g.want(t, "FreePool", g.call(g.bs.FreePool, got), efi.Success)
		}
		wantNULL(t, g, g.slot(this, slotNode), g.text("Pci(0x0"))
		wantNULL(t, g, g.slot(this, slotPath), g.text("Pci(,,,,,)"))
	})
}

// wantNULL calls a function that returns a pointer with what it cannot convert.
func wantNULL(t *testing.T, g *guestProgram, fn efi.Addr, bad uint64) {
	t.Helper()
	for _, at := range append(g.wildPointers(), bad) {
		if got := g.Call(fn, at, 0, 0); got != 0 {
			t.Errorf("%#x: %#x is returned", at, got)
		}
	}
}

// The trace says why a pointer is NULL.
func TestDevicePathTextTrace(t *testing.T) {
	var notes []string
	trace := func(e *emu.TraceEvent) {
		if e.Protocol == "DevicePathToText" {
			notes = append(notes, e.Note)
		}
	}
	wantExit(t, bootWith(t, emu.Config{Arch: cpu.AMD64, Trace: trace}, install(protocols.DevicePathToText()), func(t *testing.T, g *guestProgram) {
		g.Call(g.slot(g.locate(t, efi.DevicePathToTextProtocolGUID), slotPath), 0, 0, 0)
	}))
	if len(notes) != 1 || notes[0] == "" {
		t.Errorf("notes are %q", notes)
	}
}
