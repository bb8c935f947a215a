// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/resident"
)

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
		room.End = room.Start + efi.Addr(host.trampolinePages(amd64)*efi.PageSize)
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
		"no architecture": {Arch: 9, Regs: cpu.Regs{PC: 0x100000}, FP: cpu.InitialFP(amd64)},
		"PC nowhere":      {Arch: amd64, Regs: cpu.Regs{PC: 1 << 60}, FP: cpu.InitialFP(amd64)},
		"MXCSR":           {Arch: amd64, Regs: cpu.Regs{PC: 0x100000}, FP: cpu.FPState{Ctrl: 1 << 31}},
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
		if got := without(ranges{all}, test.console); !slices.Equal(got, test.want) {
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

// The pages that the trampoline may need are enough for any memory.
func TestTrampolinePagesOnAArch64(t *testing.T) {
	const page = efi.PageSize
	h := &Host{Arch: cpu.ARM64}
	add := func(start, end efi.Addr) {
		h.Memory = append(h.Memory, descriptor(efi.ConventionalMemory, start, uint64(end-start)/page, efi.MemoryWB))
	}
	for i := range efi.Addr(30) { // a hole in each GiB
		at := i << 30
		add(at+page, at+300<<20+page)
		add(at+300<<20+3*page, at+1<<30-page)
	}
	add(1<<39-1<<30, 1<<39+5<<30+7*page)
	add(3<<39+page, 5<<39-page)
	room := efi.Range{Start: 1 << 20}
	room.End = room.Start + efi.Addr(h.trampolinePages(cpu.ARM64)*page)
	handoff := &emu.Handoff{Arch: cpu.ARM64, Regs: cpu.Regs{PC: 1<<30 + page}, FP: cpu.InitialFP(cpu.ARM64)}
	image, _, err := h.trampoline(handoff, room, layout{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if room.Size() > 3*uint64(len(image)) {
		t.Errorf("%d bytes are reserved for a trampoline of %d", room.Size(), len(image))
	}
}
