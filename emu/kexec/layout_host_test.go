// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// A handoff is laid out on the machine that it was made on, and on no other.
func TestSameMachine(t *testing.T) {
	own := efi.Addr(0)
	handoff := freeze(t, readHost(t, smallMachine()), func(g *emutest.Guest) {
		own = allocate(g, efi.ACPIReclaimMemory, 0, 1)
	})
	replaced := freeze(t, readHost(t, smallMachine()), func(g *emutest.Guest) {
		at := allocate(g, efi.ACPIReclaimMemory, 0, 1)
		if s := g.Boot("InstallConfigurationTable", g.GUID(efi.ACPI20TableGUID), at); s != efi.Success {
			t.Fatal(s)
		}
	})
	for _, test := range []struct {
		name     string
		old, new string // in the memory map
		systab   string
		want     string // "": it is the same
	}{
		{name: "the same"},
		{name: "more memory", new: "\n100000000-13fffffff : System RAM"},
		{name: "what was reserved is RAM", old: "03f00000-03ffffff : Reserved", new: "03f00000-03ffffff : System RAM"},
		{name: "a reserved range more", new: "\nfe000000-fe00ffff : Reserved"},
		{name: "less memory", old: "02010000-03eeffff : System RAM", new: "02010000-02ffffff : System RAM", want: "0x3000000"},
		{name: "a hole", new: "\n01000000-0100ffff : Reserved", want: "[0x1000000, 0x2000000)"},
		{name: "NVS where RAM was", new: "\n01000000-0100ffff : ACPI Non-volatile Storage", want: "[0x1000000, 0x2000000)"},
		{name: "special memory where RAM was", new: "\n01000000-0100ffff : Soft Reserved", want: "[0x1000000, 0x2000000)"},
		{name: "NVS that has moved", old: "02000000-0200ffff : ACPI Non-volatile Storage", new: "02000000-0200ffff : ACPI Tables", want: "ACPI"},
		{name: "low memory that has shrunk", old: "0009fbff", new: "00093fff", want: "0x94000"},
		{name: "other ACPI tables", systab: "ACPI20=0x3ef0020\n", want: "0x3ef0020"},
		{name: "no ACPI tables", systab: "\n"},
	} {
		m := smallMachine()
		lines := small
		if test.old != "" {
			lines = strings.Replace(small, test.old, test.new, 1)
			if lines == small {
				t.Fatalf("%s: nothing has changed", test.name)
			}
		} else {
			lines += test.new
		}
		files := map[string]string{}
		for name, file := range m.MapFS {
			if !strings.HasPrefix(name, "sys/firmware/memmap") {
				files[name] = string(file.Data)
			}
		}
		if test.systab != "" {
			files["sys/firmware/efi/systab"] = test.systab
		}
		m.MapFS = with(firmwareMap(lines), files)
		host := readHost(t, m)
		_, _, err := host.layout(handoff, Options{})
		switch {
		case (err == nil) != (test.want == ""):
			t.Errorf("%s: %v", test.name, err)
		case err != nil && (!errors.Is(err, errOtherMachine) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "run the image again")):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		if test.systab != "" {
			if _, _, err := host.layout(replaced, Options{}); err != nil {
				t.Errorf("%s, where the payload has its own: %v", test.name, err)
			}
		}
	}
	if own == 0 {
		t.Error("nothing was allocated")
	}
}

func TestCheck(t *testing.T) {
	host := readHost(t, machine{MapFS: firmwareMap(laptop)})
	host.Total = 1 << 30
	seg := func(start, size uint64) segment {
		return segment{Range: efi.Range{Start: efi.Addr(start), End: efi.Addr(start + size)}}
	}
	for _, test := range []struct {
		name string
		list []segment
		want string
	}{
		{"nothing", nil, ""},
		{"half of the RAM", []segment{seg(1<<32, 1<<28), seg(2<<32, 1<<28)}, ""},
		{"more", []segment{seg(1<<32, 1<<28), seg(2<<32, 1<<28+1<<12)}, "more than half of the RAM, 512.0 MiB"},
		{"one of more than half", []segment{seg(1<<32, 1<<29+1<<12)}, "more memory"},
		{"in ACPI's", []segment{seg(0x100000, 0x1000), seg(0x8c7cc000, 0x1000)}, "[0x8c7cc000, 0x8c7cd000) is no RAM"},
		{"partly reserved", []segment{seg(0x8bcb2000, 0x2000)}, "is no RAM"},
		{"in nothing", []segment{seg(0xa0000000, 0x1000)}, "is no RAM"},
		{"in special memory", []segment{seg(0x860000000, 0x1000)}, "is no RAM"},
		{"over the end", []segment{seg(0x85e2ff000, 0x2000)}, "is no RAM"},
	} {
		err := host.check(layout{segments: test.list})
		want := strings.Replace(test.want, "more than half of the RAM, 512.0 MiB", "takes 512.0 MiB", 1)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", test.name, err, want)
		}
	}
	host.Total = 0 // then it is all the RAM that the firmware has described
	if err := host.check(layout{segments: []segment{seg(1<<32, 15<<30)}}); err != nil {
		t.Error(err)
	}
	if err := host.check(layout{segments: []segment{seg(1<<32, 16<<30)}}); err == nil {
		t.Error("more than half of all RAM")
	}
	// What the trampoline writes has to be RAM, too.
	s := situate(0x100000, parse(t, "d1 h1 d1 h1 d1 f4"))
	l, err := s.host.lay(s.list, s.memory, s.room, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.host.check(l); err != nil {
		t.Error(err)
	}
	l.copies[0].To = 0x101000
	if err := s.host.check(l); err == nil {
		t.Error("a copy to what is no RAM")
	}
}

// Handoff files that nobody has written so are errors.
func TestHostileHandoffs(t *testing.T) {
	host := readHost(t, smallMachine())
	good := func() *emu.Handoff {
		page := bytes.Repeat([]byte{1}, efi.PageSize)
		h := &emu.Handoff{
			Arch: amd64, Reserved: []efi.Range{{Start: 0x300000, End: 0x300000 + efi.Addr(host.trampolinePages(amd64)*efi.PageSize)}},
			MemoryMap: []efi.MemoryDescriptor{{Type: efi.LoaderData, PhysicalStart: 0x200000, NumberOfPages: 1}},
			Segments:  []emu.Segment{{Range: efi.Range{Start: 0x200000, End: 0x201000}, Data: page}},
		}
		h.Regs.PC = 0x200000
		return h
	}
	for name, change := range map[string]func(*emu.Handoff){
		"":                    func(*emu.Handoff) {},
		"no room":             func(h *emu.Handoff) { h.Reserved = nil },
		"empty room":          func(h *emu.Handoff) { h.Reserved[0].End = h.Reserved[0].Start },
		"room backwards":      func(h *emu.Handoff) { h.Reserved[0].End = 0 },
		"small room":          func(h *emu.Handoff) { h.Reserved[0].End = h.Reserved[0].Start + efi.PageSize },
		"half a page of room": func(h *emu.Handoff) { h.Reserved[0].Start += 8 },
		"room in reserved":    func(h *emu.Handoff) { h.Reserved[0] = efi.Range{Start: 0x3f00000, End: 0x4000000} },
		"room nowhere":        func(h *emu.Handoff) { h.Reserved[0] = efi.Range{Start: 1 << 50, End: 1<<50 + 1<<20} },
		"segment nowhere":     func(h *emu.Handoff) { h.Segments[0].Range = efi.Range{Start: 1 << 50, End: 1<<50 + efi.PageSize} },
		"segment of ACPI's":   func(h *emu.Handoff) { h.Segments[0].Range = efi.Range{Start: 0x2000000, End: 0x2001000} },
		"too large": func(h *emu.Handoff) {
			h.Segments = append(h.Segments, emu.Segment{Range: efi.Range{Start: 0x2010000, End: 0x3ee0000}})
		},
		"memory nowhere":       func(h *emu.Handoff) { h.MemoryMap[0].PhysicalStart = 1 << 50 },
		"of pages without end": func(h *emu.Handoff) { h.MemoryMap[0].NumberOfPages = 1 << 40 },
		"another architecture": func(h *emu.Handoff) { h.Arch++ },
		"a program counter":    func(h *emu.Handoff) { h.Regs.PC = 1<<64 - 1 },
		"another machine's RSDP": func(h *emu.Handoff) {
			h.ConfigurationTables = []efi.ConfigurationTable{{VendorGUID: efi.ACPI20TableGUID, VendorTable: 0x7000000}}
		},
	} {
		h := good()
		change(h)
		l, _, err := host.layout(h, Options{})
		if (err == nil) != (name == "") {
			t.Errorf("%s: %d segments, %v", name, len(l.segments), err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "kexec: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
