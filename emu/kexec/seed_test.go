// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

func TestSeed(t *testing.T) {
	host := readHost(t, smallMachine())
	handoff := freeze(t, host, func(g *emutest.Guest) {
		at := allocate(g, efi.ACPIReclaimMemory, 0, 1)
		if err := g.Memory().Write(at, append(words(4, 32), bytes.Repeat([]byte{0xaa}, 40)...)); err != nil {
			t.Fatal(err)
		}
		if s := g.Boot("InstallConfigurationTable", g.GUID(efi.LinuxRandomSeedTableGUID), at); s != efi.Success {
			t.Fatal(s)
		}
	})
	at, _ := handoff.ConfigurationTable(efi.LinuxRandomSeedTableGUID)
	seen := map[string]bool{}
	for range 3 {
		l, _, err := host.layout(handoff, Options{})
		if err != nil {
			t.Fatal(err)
		}
		raw := l.page(at.PageDown())[at%efi.PageSize:]
		if binary.LittleEndian.Uint32(raw) != 32 || !bytes.Equal(raw[36:44], bytes.Repeat([]byte{0xaa}, 8)) {
			t.Errorf("seed % x", raw[:48])
		}
		seen[string(raw[4:36])] = true
	}
	if len(seen) != 3 || seen[strings.Repeat("\xaa", 32)] {
		t.Errorf("%d seeds in 3 layouts", len(seen))
	}
}

// withSeed is a handoff whose seed table, of a size, is at an address; its memory
// is 2 pages of data at 0x1000, a page of zeros, and a page of data at 0x5000.
func withSeed(at efi.Addr, size uint32) *emu.Handoff {
	data := bytes.Repeat([]byte{0xaa}, 2*efi.PageSize)
	tail := bytes.Repeat([]byte{0xaa}, efi.PageSize)
	h := &emu.Handoff{
		Arch: amd64,
		Segments: []emu.Segment{
			{Range: efi.Range{Start: 0x1000, End: 0x3000}, Data: data},
			{Range: efi.Range{Start: 0x3000, End: 0x4000}},
			{Range: efi.Range{Start: 0x5000, End: 0x6000}, Data: tail},
		},
		ConfigurationTables: []efi.ConfigurationTable{{VendorGUID: efi.LinuxRandomSeedTableGUID, VendorTable: at}},
	}
	for _, s := range h.Segments {
		if s.Data != nil && s.Contains(at) && s.Contains(at+3) {
			binary.LittleEndian.PutUint32(s.Data[at-s.Start:], size)
		}
	}
	return h
}

func TestFreshSeed(t *testing.T) {
	for _, test := range []struct {
		name  string
		at    efi.Addr
		size  uint32
		fresh uint64 // bytes that are new; what is behind stays
		ok    bool
	}{
		{"32 bytes", 0x1010, 32, 32, true},
		{"over two pages", 0x1ff0, 64, 64, true},
		{"the most", 0x1010, maxSeed, maxSeed, true},
		{"more than that", 0x1010, maxSeed + 1, maxSeed, true},
		{"endless", 0x1010, 1<<32 - 1, maxSeed, true},
		{"none", 0x1010, 0, 0, true},
		{"none at the end", 0x2ffc, 0, 0, true},
		{"all up to the end", 0x2fec, 16, 16, true},
		{"over the end", 0x2fec, 17, 0, false},
		{"endless at the end", 0x5ff0, 1<<32 - 1, 0, false},
		{"in zeros", 0x3100, 0, 0, false},
		{"nowhere", 0x4100, 0, 0, false},
		{"half nowhere", 0x5ffe, 0, 0, false},
		{"at 0", 0, 0, 0, false},
		{"at the end of all", 1<<64 - 2, 0, 0, false},
	} {
		h, before := withSeed(test.at, test.size), withSeed(test.at, test.size)
		err := freshSeed(h)
		if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "random seed") {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var changed uint64
		for i, s := range h.Segments {
			for n := range s.Data {
				a := s.Start + efi.Addr(n)
				if s.Data[n] == before.Segments[i].Data[n] {
					continue
				}
				changed++
				if a < test.at+4 || uint64(a-test.at-4) >= test.fresh {
					t.Fatalf("%s: %v has changed", test.name, a)
				}
			}
		}
		if changed < test.fresh*3/4 {
			t.Errorf("%s: %d bytes are new, want about %d", test.name, changed, test.fresh)
		}
	}
	if err := freshSeed(&emu.Handoff{}); err != nil {
		t.Errorf("without a table: %v", err)
	}
}
