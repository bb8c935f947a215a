// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// small is the memory of a machine with 64 MiB.
const small = `
	00000000-0009fbff : System RAM
	0009fc00-000fffff : Reserved
	00100000-01ffffff : System RAM
	02000000-0200ffff : ACPI Non-volatile Storage
	02010000-03eeffff : System RAM
	03ef0000-03efffff : ACPI Tables
	03f00000-03ffffff : Reserved`

// smallMachine is all of it.
func smallMachine() machine {
	return machine{
		with(firmwareMap(small), map[string]string{
			"sys/firmware/efi/systab":                    "ACPI20=0x3ef0010\nACPI=0x3ef0000\n",
			"sys/firmware/dmi/tables/smbios_entry_point": string(smbios3(0x3f00100)),
			"sys/firmware/dmi/tables/DMI":                strings.Repeat("x", 0x123),
			"proc/cpuinfo":                               "flags : pdpe1gb\n",
			"proc/meminfo":                               "MemTotal: 60000 kB\n",
		}),
		map[efi.Addr][]byte{0x3ef0000: bytes.Repeat([]byte{1}, 0x10000)},
	}
}

func readHost(t testing.TB, m machine) *Host {
	t.Helper()
	h, err := readHostAs(amd64, m)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// freeze runs f as a payload on a host, up to the ExitBootServices that follows.
func freeze(t testing.TB, h *Host, f func(*emutest.Guest)) *emu.Handoff {
	t.Helper()
	cfg := h.Config(emu.Config{Arch: amd64, Clock: emu.VirtualClock(time.Unix(1e9, 0))})
	handoff, err := emutest.Go(t, cfg, func(m *emu.Machine) {
		if err := h.Prepare(m); err != nil {
			t.Fatal(err)
		}
	}, func(g *emutest.Guest) efi.Status {
		f(g)
		const room = 0x8000
		size, key := g.Bytes(words(8, room)), g.Local(8)
		if s := g.Boot("GetMemoryMap", size, g.Local(room), key, g.Local(8), g.Local(8)); s != efi.Success {
			t.Errorf("GetMemoryMap: %v", s)
		}
		return g.Boot("ExitBootServices", g.Image, puppet.Load(g.Thread, efi.Ptr[uint64](key)))
	})
	if err != nil {
		t.Fatalf("the boot ended with: %v", err)
	}
	t.Cleanup(func() { handoff.Close() })
	handoff.Regs.PC = uint64(handoff.SystemTable) // a puppet has no code in memory
	return handoff
}

// allocate has a guest allocate pages, at an address unless that is 0, and fill
// every second one.
func allocate(g *emutest.Guest, kind efi.MemoryType, at efi.Addr, pages uint64) efi.Addr {
	g.T.Helper()
	how := efi.AllocateAnyPages
	if at != 0 {
		how = efi.AllocateAddress
	}
	where := efi.Ptr[efi.Addr](g.Bytes(words(8, uint64(at))))
	if s := g.Boot("AllocatePages", how, kind, pages, where); s != efi.Success {
		g.T.Fatalf("%d pages at %v: %v", pages, at, s)
	}
	at = puppet.Load(g.Thread, where)
	for n := uint64(0); n < pages; n += 2 {
		page := bytes.Repeat(words(8, uint64(at)+n*efi.PageSize), efi.PageSize/8)
		if err := g.Memory().Write(at+efi.Addr(n*efi.PageSize), page); err != nil {
			g.T.Fatal(err)
		}
	}
	return at
}

// checkLoaded checks a layout with its trampoline against a handoff, as kexec and
// the trampoline would bring it about.
func checkLoaded(t *testing.T, host *Host, handoff *emu.Handoff, l layout, entry efi.Addr) {
	t.Helper()
	if len(l.segments) > maxSegments {
		t.Errorf("%d segments", len(l.segments))
	}
	if err := disjoint(l.segments); err != nil {
		t.Error(err)
	}
	for _, r := range l.targets() {
		if r.Overlaps(lowMemory) {
			t.Errorf("%v is in low memory", r)
		}
		for _, d := range host.Memory {
			if d.Range().Overlaps(r) && d.Type != efi.ConventionalMemory {
				t.Errorf("%v is in %v", r, d.Type)
			}
		}
	}
	room := handoff.Reserved[0]
	last := l.segments[len(l.segments)-1]
	if last.Range != room || !room.Contains(entry) || uint64(entry-room.Start) >= uint64(len(last.data)) {
		t.Errorf("the trampoline is %v with entry %v, in %v", last.Range, entry, room)
	}
	pages := 0
	for _, s := range handoff.Segments {
		for a := s.Start; a < s.End; a += efi.PageSize {
			if room.Contains(a) {
				continue
			}
			want, err := handoff.Read(a, efi.PageSize)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.page(a); !bytes.Equal(got, want) {
				t.Fatalf("page %v is %.8x, want %.8x", a, got, want)
			}
			pages++
		}
	}
	if pages == 0 {
		t.Error("the handoff is empty")
	}
}

func TestLayout(t *testing.T) {
	host := readHost(t, smallMachine())
	handoff := freeze(t, host, func(g *emutest.Guest) {
		allocate(g, efi.LoaderData, 0, 5)
		allocate(g, efi.ACPIReclaimMemory, 0, 3)
		allocate(g, efi.RuntimeServicesData, 0, 2)
		for at := efi.Addr(0x200000); at < 0x2000000; at += 0x300000 {
			allocate(g, efi.LoaderCode, at, 7)
		}
		allocate(g, efi.ACPIMemoryNVS, 0x1ffe000, 2) // one descriptor with the host's
		low := uint64(lowMemory.End - 1)
		if s := g.Boot("AllocatePages", efi.AllocateMaxAddress, efi.LoaderData, 1, g.Bytes(words(8, low))); s == efi.Success {
			t.Error("low memory was allocated")
		}
		if s := g.Boot("AllocatePages", efi.AllocateAddress, efi.LoaderData, 1, g.Bytes(words(8, 0x9e000))); s == efi.Success {
			t.Error("low memory was allocated by its address")
		}
	})
	l, entry, err := host.layout(handoff, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkLoaded(t, host, handoff, l, entry)

	for guid, want := range map[efi.GUID]efi.Addr{efi.ACPI20TableGUID: 0x3ef0010, efi.ACPITableGUID: 0x3ef0000} {
		if at, ok := handoff.ConfigurationTable(guid); !ok || at != want {
			t.Errorf("table %v at %v, want %v", guid, at, want)
		}
	}
	at, ok := handoff.ConfigurationTable(efi.SMBIOS3TableGUID)
	entryPoint, err := handoff.Read(at, 24)
	if err != nil || !ok || !bytes.Equal(entryPoint, smbios3(0x3f00100)) || sum(entryPoint) != 0 || !bytes.Equal(l.page(at.PageDown())[at%efi.PageSize:][:24], entryPoint) {
		t.Errorf("SMBIOS entry point at %v: % x, %v", at, entryPoint, err)
	}
	in := func(d efi.MemoryDescriptor) bool { return d.Type == efi.RuntimeServicesData && d.Range().Contains(at) }
	if !slices.ContainsFunc(handoff.MemoryMap, in) {
		t.Errorf("the SMBIOS entry point at %v is not kept", at)
	}

	t.Run("from a file", func(t *testing.T) {
		var file bytes.Buffer
		if _, err := handoff.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		again, err := emu.ReadHandoff(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		l2, entry2, err := readHost(t, smallMachine()).layout(again, Options{})
		if err != nil || entry2 != entry || len(l2.segments) != len(l.segments) {
			t.Fatalf("%d segments, entry %v, %v", len(l2.segments), entry2, err)
		}
		for i, s := range l.segments {
			if o := l2.segments[i]; s.Range != o.Range || !bytes.Equal(s.data, o.data) {
				t.Errorf("segment %v is %v", s.Range, o.Range)
			}
		}
	})
	t.Run("without SMBIOS 3", func(t *testing.T) {
		m := smallMachine()
		m.MapFS = with(m.MapFS, map[string]string{"sys/firmware/dmi/tables/smbios_entry_point": string(smbios2(0x3f00100))})
		handoff := freeze(t, readHost(t, m), func(*emutest.Guest) {})
		at, ok := handoff.ConfigurationTable(efi.SMBIOSTableGUID)
		if got, err := handoff.Read(at, 31); !ok || err != nil || !bytes.Equal(got, smbios2(0x3f00100)) {
			t.Errorf("SMBIOS entry point at %v: % x, %v", at, got, err)
		}
	})
}

// On a machine whose memory is in pieces the trampoline puts the payload's pages
// in their places.
func TestLayoutScatters(t *testing.T) {
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "%x-%x : System RAM\n", 0x100000+i<<20, 0x1effff+i<<20)
		fmt.Fprintf(&lines, "%x-%x : ACPI Non-volatile Storage\n", 0x1f0000+i<<20, 0x1fffff+i<<20)
	}
	lines.WriteString("2900000-3ffffff : System RAM\n")
	host := readHost(t, machine{MapFS: firmwareMap(lines.String())})
	handoff := freeze(t, host, func(g *emutest.Guest) {
		for i := range efi.Addr(40) {
			allocate(g, efi.LoaderData, 0x180000+i<<20, 1+uint64(i)%4)
		}
	})
	for _, verify := range []bool{false, true} {
		l, entry, err := host.layout(handoff, Options{Verify: verify})
		if err != nil {
			t.Fatal(err)
		}
		checkLoaded(t, host, handoff, l, entry)
		if len(l.copies) < 40-maxSegments {
			t.Errorf("%d copies", len(l.copies))
		}
		checkVerified(t, l, verify)
	}
}
