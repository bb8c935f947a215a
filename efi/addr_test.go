// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"math"
	"testing"
)

func TestAddr(t *testing.T) {
	if a, ok := Addr(math.MaxUint64).Add(0); a != math.MaxUint64 || !ok {
		t.Error(a, ok)
	}
	if a, ok := Addr(math.MaxUint64).Add(1); ok {
		t.Error(a)
	}
	if a := Addr(0x1fff); a.PageDown() != 0x1000 || a.PageAligned() || !a.PageDown().PageAligned() || a.String() != "0x1fff" {
		t.Error(a)
	}
}

func TestPages(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 0, 1: 1, 4096: 1, 4097: 2, math.MaxUint64: 1 << 52} {
		if got := Pages(n); got != want {
			t.Errorf("Pages(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestPtr(t *testing.T) {
	p := Ptr[SystemTable](0x1000)
	if _, ok := p.Pointee().(*SystemTable); !ok || p.Addr() != 0x1000 || p.String() != "0x1000" {
		t.Errorf("%v points at %T", p, p.Pointee())
	}
}

func TestRange(t *testing.T) {
	r := Range{0x1000, 0x3000}
	for _, test := range []struct {
		s                Range
		covers, overlaps bool
	}{
		{Range{0x1000, 0x3000}, true, true},
		{Range{0x1000, 0x1001}, true, true},
		{Range{0x0fff, 0x1000}, false, false},
		{Range{0x0fff, 0x1001}, false, true},
		{Range{0x2fff, 0x3001}, false, true},
		{Range{0x3000, 0x3001}, false, false},
		{Range{0x2000, 0x2000}, true, false},
	} {
		if r.Covers(test.s) != test.covers || r.Overlaps(test.s) != test.overlaps || test.s.Overlaps(r) != test.overlaps {
			t.Errorf("%v: covers %v, overlaps %v", test.s, r.Covers(test.s), r.Overlaps(test.s))
		}
	}
	if r.Size() != 0x2000 || (Range{2, 1}).Size() != 0 || r.Contains(0x3000) || !r.Contains(0x2fff) || r.Contains(0xfff) {
		t.Error(r)
	}
	if r.String() != "[0x1000, 0x3000)" {
		t.Error(r)
	}
	if got, ok := RangeOf(0x1000, 0x2000); got != r || !ok {
		t.Error(got, ok)
	}
	if got, ok := RangeOf(0x1000, math.MaxUint64); ok {
		t.Error(got)
	}
}

func TestMemoryDescriptorRange(t *testing.T) {
	d := MemoryDescriptor{PhysicalStart: 0x1000, NumberOfPages: 2}
	if got := d.Range(); got != (Range{0x1000, 0x3000}) {
		t.Error(got)
	}
}
