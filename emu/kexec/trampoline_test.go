// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/emu/resident"
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
	h, err := ReadHost(m)
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

// checkVerified checks that the trampoline has the digest of every segment, as it
// will be in memory.
func checkVerified(t *testing.T, l layout, verify bool) {
	t.Helper()
	n := len(l.segments) - 1
	for _, s := range l.segments[:n] {
		whole := append(bytes.Clone(s.data), make([]byte, s.Size()-uint64(len(s.data)))...)
		digest := sha256.Sum256(whole)
		region := append(words(8, uint64(s.Start), s.Size()), digest[:]...)
		if got := bytes.Contains(l.segments[n].data, region); got != verify {
			t.Errorf("%v is verified: %t, want %t", s.Range, got, verify)
		}
	}
}

func TestLayoutVerifies(t *testing.T) {
	host := readHost(t, smallMachine())
	handoff := freeze(t, host, func(g *emutest.Guest) { allocate(g, efi.LoaderData, 0x200000, 50) })
	for _, verify := range []bool{false, true} {
		l, _, err := host.layout(handoff, Options{Verify: verify, Console: resident.Console{Kind: resident.ConsolePort, Address: 0x3f8}})
		if err != nil {
			t.Fatal(err)
		}
		checkVerified(t, l, verify)
	}
}

// What Prepare reserves is enough for the longest lists, on any host.
func TestTrampolinePages(t *testing.T) {
	for _, row := range []struct {
		end   uint64 // of the memory
		giant bool
	}{
		{64 << 20, true}, {64 << 20, false}, {5 << 30, true}, {5 << 30, false}, {5<<30 + 4096, true}, {600<<30 + 8192, true},
		{3 << 40, false}, {1<<46 - 4096, true},
	} {
		host := &Host{Memory: []efi.MemoryDescriptor{
			{Type: efi.ConventionalMemory, NumberOfPages: row.end / efi.PageSize, Attribute: efi.MemoryWB},
		}}
		if row.giant {
			host.Flags = []string{"pdpe1gb"}
		}
		room := efi.Range{Start: 0x1000000}
		room.End = room.Start + efi.Addr(host.trampolinePages()*efi.PageSize)
		var l layout
		for i := range uint64(maxScattered) {
			from := 0x10000000 + i*0x4000
			l.copies = append(l.copies, resident.Copy{From: resident.Range{Start: from, End: from + 0x1000}, To: from + 0x1000})
			l.zeros = append(l.zeros, resident.Range{Start: from + 0x2000, End: from + 0x3000})
		}
		for range maxSegments - 1 {
			l.segments = append(l.segments, segment{Range: efi.Range{Start: 0x100000, End: 0x101000}})
		}
		l.zeros = append(l.zeros, resident.Range{Start: 0xff000, End: 0x100000})
		if row.end < 1<<30 {
			l.copies, l.zeros = nil, nil // they would not be in its memory
		}
		handoff := &emu.Handoff{Arch: amd64, Regs: cpu.Regs{PC: 0x2000000}, FP: cpu.InitialFP(amd64)}
		for _, console := range []resident.Console{
			{}, {Kind: resident.ConsolePort, Address: 0x3f8}, {Kind: resident.Console8250x32, Address: 0xfe030000, Shift: 2},
			{Kind: resident.Console8250, Address: 1 << 46}, {Kind: resident.Console8250, Address: 4<<30 - 4096},
		} {
			image, entry, err := host.trampoline(handoff, room, l, Options{Verify: true, Console: console})
			if err != nil {
				t.Errorf("%#x, giant %t, console %+v: %v", row.end, row.giant, console, err)
				continue
			}
			if !room.Contains(entry) || entry >= room.Start+efi.Addr(len(image)) {
				t.Errorf("entry %v, %d bytes", entry, len(image))
			}
		}
		room.End = room.Start + 4*efi.PageSize
		if _, _, err := host.trampoline(handoff, room, l, Options{}); err == nil || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("in four pages: %v", err)
		}
	}
}

func TestTrampolineErrors(t *testing.T) {
	host := readHost(t, smallMachine())
	room := efi.Range{Start: 0x200000, End: 0x300000}
	for name, handoff := range map[string]*emu.Handoff{
		"another architecture": {Arch: cpu.ARM64, Regs: cpu.Regs{PC: 0x100000}, FP: cpu.InitialFP(cpu.ARM64)},
		"PC nowhere":           {Arch: amd64, Regs: cpu.Regs{PC: 1 << 60}, FP: cpu.InitialFP(amd64)},
		"MXCSR":                {Arch: amd64, Regs: cpu.Regs{PC: 0x100000}, FP: cpu.FPState{Ctrl: 1 << 31}},
	} {
		if _, _, err := host.trampoline(handoff, room, layout{}, Options{}); err == nil || !strings.HasPrefix(err.Error(), "kexec: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithout(t *testing.T) {
	type ranges = []resident.Range
	all := resident.Range{Start: 0x1000, End: 0x9000}
	for _, test := range []struct {
		console resident.Console
		want    ranges
	}{
		{resident.Console{}, ranges{all}},
		{resident.Console{Kind: resident.ConsolePort, Address: 0x3008}, ranges{all}},
		{resident.Console{Kind: resident.Console8250, Address: 0x3008}, ranges{{Start: 0x1000, End: 0x3000}, {Start: 0x4000, End: 0x9000}}},
		{resident.Console{Kind: resident.Console8250, Address: 0x1000}, ranges{{Start: 0x2000, End: 0x9000}}},
		{resident.Console{Kind: resident.Console8250, Address: 0x8ff8}, ranges{{Start: 0x1000, End: 0x8000}}},
		{resident.Console{Kind: resident.Console8250, Address: 0xff8}, ranges{all}},
		{resident.Console{Kind: resident.Console8250, Address: 0x9000}, ranges{all}},
	} {
		if got := without(all, test.console); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.console, got, test.want)
		}
	}
}

func TestCut(t *testing.T) {
	data := make([]byte, 4*efi.PageSize)
	for i := range data {
		data[i] = byte(i / efi.PageSize)
	}
	page := func(n efi.Addr) efi.Addr { return 0x100000 + n*efi.PageSize }
	segments := []emu.Segment{
		{Range: efi.Range{Start: page(2), End: page(6)}, Data: data}, {Range: efi.Range{Start: page(6), End: page(9)}},
	}
	for from := efi.Addr(0); from < 12; from++ {
		for to := from + 1; to < 12; to++ {
			r := efi.Range{Start: page(from), End: page(to)}
			list := cut(segments, r)
			for n := efi.Addr(0); n < 12; n++ {
				want := n >= 2 && n < 9 && (n < from || n >= to)
				i := slices.IndexFunc(list, func(s emu.Segment) bool { return s.Contains(page(n)) })
				if i >= 0 != want {
					t.Fatalf("%v: page %d in %v", r, n, list)
				}
				if i >= 0 && n < 6 && list[i].Data[page(n)-list[i].Start] != byte(n-2) || i >= 0 && n >= 6 && list[i].Data != nil {
					t.Fatalf("%v: page %d of %v", r, n, list[i].Range)
				}
			}
			for i, s := range list {
				if s.Size() == 0 || s.Data != nil && uint64(len(s.Data)) != s.Size() || i > 0 && list[i-1].End > s.Start {
					t.Fatalf("%v: %v", r, list)
				}
			}
		}
	}
}

func TestPrepareErrors(t *testing.T) {
	host := readHost(t, machine{MapFS: firmwareMap("100000-4fffff : System RAM")})
	host.SMBIOS = smbios3(0xf5000)
	m, err := emu.Open(host.Config(emu.Config{Arch: amd64, Engine: noEngine}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for err == nil {
		_, err = m.AllocatePages(efi.LoaderData, 1)
	}
	if err := host.Prepare(m); !errors.Is(err, efi.OutOfResources) || !strings.Contains(err.Error(), "trampoline") {
		t.Errorf("without memory: %v", err)
	}
}
