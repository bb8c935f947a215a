// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// crashHandoff is a payload that was run in the memory of newCrash.
func crashHandoff(c *Crash) *emu.Handoff {
	room := efi.Range{Start: 0x1bb000000, End: 0x1bb000000 + 64*efi.PageSize}
	payload := efi.Range{Start: 0x1b0000000, End: 0x1b0002000}
	h := &emu.Handoff{
		Arch:        cpu.AMD64,
		Segments:    []emu.Segment{{Range: payload, Data: bytes.Repeat([]byte{1}, int(payload.Size()))}, {Range: room}},
		Reserved:    []efi.Range{room},
		MemoryMap:   c.Config(emu.Config{}).MemoryMap,
		LoadOptions: emu.LoadOptions("elfcorehdr=0x1bbff0000 quiet"),
	}
	h.Regs.PC = uint64(payload.Start)
	return h
}

func TestCrashLayout(t *testing.T) {
	c := newCrash(t)
	list, entry, err := c.layout(crashHandoff(c), Options{})
	if err != nil {
		t.Fatal(err)
	}
	header, err := c.core.encode(cpu.AMD64)
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, s := range list {
		if !c.Region.Covers(s.Range) {
			t.Errorf("%v is not in %v", s.Range, c.Region)
		}
		found = found || s.Start == 0x1bbff0000 && bytes.Equal(s.data, header)
	}
	if !found {
		t.Error("no ELF core header")
	}
	for _, s := range list[:len(list)-1] {
		if sum := s.digest(); !bytes.Contains(list[len(list)-1].data, sum[:]) {
			t.Errorf("the trampoline does not verify %v", s.Range)
		}
	}
	if len(list) != 3 || list[0].Start != 0x1b0000000 || !list[2].Contains(entry) {
		t.Errorf("%d segments, entry %v", len(list), entry)
	}
}

// TestCrashLayoutLower loads what has to be in a lower region into the one above.
func TestCrashLayoutLower(t *testing.T) {
	c := newCrash(t)
	h := crashHandoff(c)
	low := efi.Range{Start: 0x3ff00000, End: 0x3ff02000}
	data := bytes.Repeat([]byte{2}, efi.PageSize)
	h.Segments = append([]emu.Segment{{Range: efi.Range{Start: low.Start, End: low.Start + efi.PageSize}, Data: data},
		{Range: efi.Range{Start: low.Start + efi.PageSize, End: low.End}}}, h.Segments...)
	list, _, err := c.layout(h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	packs := 0
	for _, s := range list {
		if !c.Region.Covers(s.Range) {
			t.Errorf("%v is not in %v", s.Range, c.Region)
		}
		if bytes.Equal(s.data, data) {
			packs++
		}
	}
	if packs != 1 {
		t.Errorf("the lower page is loaded %d times", packs)
	}
}

func TestCrashLayoutErrors(t *testing.T) {
	outside := efi.Range{Start: 0x30000000, End: 0x30001000}
	for _, test := range []struct {
		name   string
		change func(*Crash, *emu.Handoff)
		want   string
	}{
		{"not prepared", func(_ *Crash, h *emu.Handoff) { h.Reserved = nil }, "Prepare"},
		{"not told", func(_ *Crash, h *emu.Handoff) { h.LoadOptions = emu.LoadOptions("quiet") }, `without elfcorehdr=0x1bbff0000: it does not take load options ("quiet")`},
		{"told of another", func(_ *Crash, h *emu.Handoff) { h.LoadOptions = emu.LoadOptions("elfcorehdr=0x1bbff00000") }, "without elfcorehdr=0x1bbff0000"},
		{"run elsewhere", func(_ *Crash, h *emu.Handoff) { h.MemoryMap = crashHost().Memory }, "no memory at"},
		{"header not left alone", func(_ *Crash, h *emu.Handoff) { h.MemoryMap = h.MemoryMap[:8] }, "leave [0x1bbff0000, 0x1bc000000) alone"},
		{"outside the region", func(_ *Crash, h *emu.Handoff) {
			h.Segments = append([]emu.Segment{{Range: outside, Data: make([]byte, efi.PageSize)}}, h.Segments...)
		}, "[0x30000000, 0x30001000)"},
		{"half in the region", func(_ *Crash, h *emu.Handoff) {
			h.Segments[0].Range = efi.Range{Start: 0x1aafff000, End: 0x1ab001000}
		}, "only in part"},
		{"room elsewhere", func(_ *Crash, h *emu.Handoff) { h.Reserved = []efi.Range{outside} }, "room"},
		{"more than half", func(c *Crash, _ *emu.Handoff) { c.Total = 64 << 10 }, "no more than half"},
		{"too many processors", func(c *Crash, _ *emu.Handoff) { c.core.notes = make([]efi.Range, 0xffff) }, "65541 entries"},
	} {
		c := newCrash(t)
		h := crashHandoff(c)
		test.change(c, h)
		if _, _, err := c.layout(h, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestLoadCrashRefused(t *testing.T) {
	c := newCrash(t)
	c.Lockdown = "integrity"
	if _, err := LoadCrash(c, crashHandoff(c), Options{}); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}
