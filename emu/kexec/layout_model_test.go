// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/resident"
)

// part is a part of a map that tests are made of.
type part struct {
	kind  byte // 'd' data and 'z' zeros of the handoff, 'f' free, 'h' the host's alone, 's' special purpose, 'r' the room
	pages uint64
}

// situation is a handoff and its host, laid out part by part.
type situation struct {
	host   *Host
	memory []efi.MemoryDescriptor
	list   []emu.Segment
	room   efi.Range
}

// situate lays parts out from a page on. Each page of data is full of its number.
func situate(start efi.Addr, parts []part) situation {
	s := situation{host: &Host{}}
	for _, p := range parts {
		r := efi.Range{Start: start, End: start + efi.Addr(p.pages*efi.PageSize)}
		start = r.End
		host := efi.MemoryDescriptor{PhysicalStart: r.Start, NumberOfPages: p.pages, Attribute: efi.MemoryWB, Type: efi.ConventionalMemory}
		guest := host
		switch p.kind {
		case 'd', 'z':
			guest.Type = efi.LoaderData
			segment := emu.Segment{Range: r}
			if p.kind == 'd' {
				segment.Data = make([]byte, r.Size())
				for i := 0; i < len(segment.Data); i += 8 {
					binary.LittleEndian.PutUint64(segment.Data[i:], uint64(r.Start)+uint64(i)&^(efi.PageSize-1))
				}
			}
			s.list = append(s.list, segment)
		case 'h':
			host.Type, guest.Type = efi.ACPIMemoryNVS, efi.ACPIMemoryNVS
		case 's':
			host.Attribute |= efi.MemorySP
			guest.Attribute |= efi.MemorySP
		case 'r':
			guest.Type, s.room = efi.BootServicesData, r
		}
		for _, m := range []struct {
			list *[]efi.MemoryDescriptor
			d    efi.MemoryDescriptor
		}{{&s.host.Memory, host}, {&s.memory, guest}} {
			if n := len(*m.list); n > 0 && (*m.list)[n-1].Type == m.d.Type && (*m.list)[n-1].Attribute == m.d.Attribute {
				(*m.list)[n-1].NumberOfPages += m.d.NumberOfPages
			} else {
				*m.list = append(*m.list, m.d)
			}
		}
	}
	return s
}

// parse reads parts like "d4 f1 d2".
func parse(t testing.TB, text string) (parts []part) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		var p part
		if _, err := fmt.Sscanf(word, "%c%d", &p.kind, &p.pages); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	return parts
}

// page is what a page holds when the payload goes on: nil for what the first
// kernel has left there. It is the model of kexec and the trampoline, asked
// backwards.
func (l layout) page(a efi.Addr) []byte { return l.before(a, len(l.copies)+len(l.zeros)) }

// before is page before the n-th operation of the trampoline.
func (l layout) before(a efi.Addr, n int) []byte {
	for n--; n >= 0; n-- {
		if i := n - len(l.copies); i >= 0 {
			if z := l.zeros[i]; z.Start <= uint64(a) && uint64(a) < z.End {
				return make([]byte, efi.PageSize)
			}
			continue
		}
		if c := l.copies[n]; c.To <= uint64(a) && uint64(a)-c.To < c.From.End-c.From.Start {
			return l.before(efi.Addr(c.From.Start+uint64(a)-c.To), n)
		}
	}
	for _, s := range l.segments {
		if s.Contains(a) {
			page := make([]byte, efi.PageSize)
			if from := uint64(a - s.Start); from < uint64(len(s.data)) {
				copy(page, s.data[from:])
			}
			return page
		}
	}
	return nil
}

// check checks a layout against the situation that it is of.
func (s situation) check(t testing.TB, l layout, limit int) {
	t.Helper()
	if len(l.segments) > limit {
		t.Fatalf("%d segments, more than %d", len(l.segments), limit)
	}
	if err := disjoint(l.segments); err != nil {
		t.Fatal(err)
	}
	for _, r := range l.targets() {
		in := func(d efi.MemoryDescriptor) bool { return isRAM(d) && d.Range().Covers(r) }
		if r.Size() == 0 || !r.Start.PageAligned() || !r.End.PageAligned() || r.Overlaps(s.room) || !slices.ContainsFunc(s.host.Memory, in) {
			t.Fatalf("%v is written", r)
		}
	}
	for _, g := range s.list {
		for _, a := range probes(g.Range) {
			want := make([]byte, efi.PageSize)
			if g.Data != nil {
				copy(want, g.Data[a-g.Start:])
			}
			if got := l.page(a); !bytes.Equal(got, want) {
				t.Fatalf("page %v is %.8x, want %.8x", a, got, want)
			}
		}
	}
	for _, d := range s.memory {
		for _, a := range probes(d.Range()) {
			if slices.ContainsFunc(s.list, func(g emu.Segment) bool { return g.Contains(a) }) {
				continue
			}
			page := l.page(a)
			switch {
			case page == nil:
			case !isRAM(d) || a < lowMemory.End:
				t.Fatalf("page %v, which is not free, is written", a)
			case !bytes.Equal(page, make([]byte, efi.PageSize)):
				t.Fatalf("page %v, which is free, has %.8x in it", a, page)
			}
		}
	}
	if len(l.copies)+len(l.zeros) == 0 {
		return
	}
	// The lists are what the trampoline takes.
	tr, err := resident.Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Build(resident.TrampolineParams{
		Base: 0, State: resident.CPUState{Ctrl: 0x1f80}, RAM: []resident.Range{{Start: 0, End: 1 << 38}},
		GiantPages: true, Copies: l.copies, Zeros: l.zeros,
	}); err != nil {
		t.Fatal(err)
	}
}

func disjoint(list []segment) error {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b segment) int { return int(int64(a.Start - b.Start)) })
	for i, s := range list {
		if s.Size() == 0 || uint64(len(s.data)) > s.Size() || s.data != nil && len(s.data) == 0 {
			return fmt.Errorf("segment %v with %d bytes", s.Range, len(s.data))
		}
		if i > 0 && list[i-1].End > s.Start {
			return fmt.Errorf("segments %v and %v overlap", list[i-1].Range, s.Range)
		}
	}
	return nil
}

// probes are some pages of a range: the first and the last, and some between.
func probes(r efi.Range) []efi.Addr {
	var list []efi.Addr
	for n := r.Size() / efi.PageSize; len(list) < 12 && uint64(len(list)) < n; {
		list = append(list, r.Start+efi.Addr(uint64(len(list))*efi.PageSize))
	}
	for n := uint64(1); n < r.Size()/efi.PageSize; n *= 2 {
		list = append(list, r.End-efi.Addr(n*efi.PageSize))
	}
	return list
}

// words is what a layout is, by pages from a start: "4+1" is a segment of 4 pages
// of data and one of zeros behind.
func (l layout) words(start efi.Addr) string {
	var list []string
	pages := func(n uint64) uint64 { return n / efi.PageSize }
	for _, s := range l.segments {
		data := uint64(len(s.data))
		list = append(list, fmt.Sprintf("%d:%d+%d", pages(uint64(s.Start-start)), pages(data), pages(s.Size()-data)))
	}
	for _, c := range l.copies {
		list = append(list, fmt.Sprintf("%d>%d*%d", pages(c.From.Start-uint64(start)), pages(c.To-uint64(start)), pages(c.From.End-c.From.Start)))
	}
	for _, z := range l.zeros {
		list = append(list, fmt.Sprintf("%d*0*%d", pages(z.Start-uint64(start)), pages(z.End-z.Start)))
	}
	return strings.Join(list, " ")
}
