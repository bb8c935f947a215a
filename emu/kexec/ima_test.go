// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// imaHost is a host with a device tree, and with a list of IMA's of so many bytes.
func imaHost(t *testing.T, n int, chosen ...any) *Host {
	t.Helper()
	m := smallMachine().MapFS
	m[deviceTreeFile] = &fstest.MapFile{Data: []byte(flat(t, board(chosen...)))}
	if n >= 0 {
		m[IMAFile] = &fstest.MapFile{Data: make([]byte, n)}
	}
	h, err := readHostAs(amd64, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ReadIMA(m); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHandOver(t *testing.T) {
	earlier := property(imaProperty, big(8, 0x1000, 0x1000))
	h := imaHost(t, 1000, earlier)
	handoff := freeze(t, h, func(*emutest.Guest) {})
	room, ok := IMABuffer(handoff)
	if !ok || room.Size() < imaHeader+2000+imaRoom || room.Start == 0x1000 {
		t.Fatalf("room %v, %v", room, ok)
	}
	for _, d := range handoff.MemoryMap {
		if d.Range().Overlaps(room) && d.Type != efi.ACPIReclaimMemory {
			t.Errorf("%v is %v", d.Range(), d.Type)
		}
	}
	for _, list := range []IMAList{{3, []byte(strings.Repeat("entry", 100))}, {1, []byte("one")}} {
		if _, _, err := h.layout(handoff, Options{IMA: &list}); err != nil {
			t.Fatal(err)
		}
		raw, err := handoff.Read(room.Start, uint64(imaHeader+len(list.Bytes)))
		if err != nil {
			t.Fatal(err)
		}
		want := words(8, 1, uint64(imaHeader+len(list.Bytes)), uint64(list.Entries))
		if string(raw) != string(want)+string(list.Bytes) {
			t.Errorf("%q", raw)
		}
	}
	if err := setIMA(handoff, &IMAList{1, make([]byte, room.Size()-imaHeader+1)}); err == nil || !strings.Contains(err.Error(), "run the image again") {
		t.Errorf("too long: %v", err)
	}
}

// Where the next kernel would not look, nothing is put.
func TestNoHandOver(t *testing.T) {
	tree := []byte(flat(t, board(property(imaProperty, big(8, 0x100000, 0x1000)))))
	putTable := func(data []byte) func(*emutest.Guest) {
		return func(g *emutest.Guest) {
			if err := copyTable(g.Machine, efi.DTBTableGUID, efi.BootServicesData, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	no := func(*emutest.Guest) {}
	plain, err := readHostAs(amd64, smallMachine())
	if err != nil {
		t.Fatal(err)
	}
	m := smallMachine().MapFS
	m[deviceTreeFile] = &fstest.MapFile{Data: []byte(flat(t, node("", node("chosen"), node("hypervisor"))))}
	m[IMAFile] = &fstest.MapFile{Data: make([]byte, 10)}
	acpi, err := readHostAs(amd64, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := acpi.ReadIMA(m); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		host *Host
		f    func(*emutest.Guest)
	}{
		"no device tree":              {plain, no},
		"a tree for ACPI":             {acpi, no},
		"no list":                     {imaHost(t, -1), no},
		"an empty list":               {imaHost(t, 0), no},
		"another tree":                {imaHost(t, 10), putTable([]byte(flat(t, board())))},
		"a tree with another address": {imaHost(t, 10), putTable(tree)},
		"no tree":                     {imaHost(t, 10), putTable(make([]byte, 64))},
		"half a tree":                 {imaHost(t, 10), putTable(binary.BigEndian.AppendUint32(tree[:4:4], 1<<31))},
	} {
		handoff := freeze(t, test.host, test.f)
		if r, ok := IMABuffer(handoff); ok {
			t.Errorf("%s: %v", name, r)
		}
		if err := setIMA(handoff, &IMAList{1, []byte("x")}); err == nil {
			t.Errorf("%s: a list is put somewhere", name)
		}
	}
}

// A tree without /chosen gets one.
func TestIMAWithoutChosen(t *testing.T) {
	h := imaHost(t, 10)
	tree, err := parseDeviceTree([]byte(flat(t, node("", property("#address-cells", big(4, 2)), property("#size-cells", big(4, 1))))))
	if err != nil {
		t.Fatal(err)
	}
	if h.DeviceTree, err = tree.flatten(); err != nil {
		t.Fatal(err)
	}
	if _, ok := IMABuffer(freeze(t, h, func(*emutest.Guest) {})); !ok {
		t.Error("no room")
	}
}

func TestLongIMAList(t *testing.T) {
	h := Host{DeviceTree: []byte(flat(t, board()))}
	err := h.ReadIMA(fstest.MapFS{IMAFile: {Data: make([]byte, MaxIMAList+1)}})
	if err == nil || !strings.Contains(err.Error(), "67108864") {
		t.Error(err)
	}
}

// What was run for one architecture is not loaded on another, and there is no
// crash kernel on AArch64 yet.
func TestArchitectures(t *testing.T) {
	h := imaHost(t, 10)
	handoff := freeze(t, h, func(*emutest.Guest) {})
	h.Arch = cpu.ARM64
	if _, _, err := h.layout(handoff, Options{}); err == nil || !strings.Contains(err.Error(), "x86-64") || !strings.Contains(err.Error(), "AArch64") {
		t.Error(err)
	}
	if _, err := h.Crash(fstest.MapFS{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
