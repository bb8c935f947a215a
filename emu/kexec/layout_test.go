// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
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

func TestLay(t *testing.T) {
	const start = 0x1000000
	for _, test := range []struct {
		parts string
		limit int
		want  string // "": an error
	}{
		{"f4 d4 f4", 2, "4:4+0"},
		{"d4 z3 d2 f1 z2", 3, "0:4+3 7:2+0 10:0+2"},
		{"d4 z3 d2 f1 z2", 2, "0:4+3 7:2+3"}, // what is joined needs no zeros at its end
		{"d4 z3 d2 f1 d2", 2, "0:4+3 7:5+0"},
		{"z3 d4 h1 d1", 2, "0:7+0 8:1+0"},
		{"z3 d4 h1 d1", 3, "0:0+3 3:4+0 8:1+0"},
		{"z3 f1 z4 h1 d1", 2, "0:0+8 9:1+0"},
		{"d1 f9 d1 f2 d1 f5 d1", 3, "0:1+0 10:4+0 19:1+0"},
		{"d1 f9 d1 f2 d1 f5 d1", 2, "0:1+0 10:10+0"},
		{"d9 f1 d9 f2 d1 f2 d1", 3, "0:9+0 10:9+0 21:4+0"}, // to copy costs, too
		{"d1 f1 d1 f1 d1 f1 d1", 2, "0:5+0 6:1+0"},         // the first of equals
		{"d1 h1 d1 f4096 d1", 2, "0:1+0 2:4098+0"},
		{"d1 h1 d1 f4097 d1", 2, "0:1+0 3:2+0 3>2*1 4>4100*1 3*0*2"},
		{"f3 d3 h1 d2 z1 h1 d2", 2, ""},
		{"f4 d3 h1 d2 z1 h1 d2", 2, "4:3+0 0:4+0 0>8*2 2>12*2 10*0*1 0*0*4"},
		{"d3 h1 d2 z1 h1 z2", 2, "0:3+0 4:2+1 8*0*2"}, // for zeros nothing is packed
		{"d3 h1 d2 z1 h1 d1 s9", 2, ""},
		{"d3 h1 d2 z1 h1 d1 r9", 2, ""},
		{"d3 h1 d2 z1 h1 d1 r9 f2", 2, ""},
		{"d3 h1 d2 z1 h1 d1 r9 f3", 2, "0:3+0 18:3+0 18>4*2 20>8*1 6*0*1 18*0*3"},
		{"d3 h1 d2 z1 h1 d1 s9 f2 h1 f3", 2, "0:3+0 21:3+0 21>4*2 23>8*1 6*0*1 21*0*3"},
		{"d9 h1 d1 h1 d3 h1 d2 f3 d1 f8", 3, "0:9+0 16:6+0 22:4+0 22>10*1 23>12*3 22*0*4"},
	} {
		s := situate(start, parse(t, test.parts))
		l, err := s.host.lay(s.list, s.memory, s.room, test.limit)
		if err != nil {
			if test.want != "" {
				t.Errorf("%s: %v", test.parts, err)
			}
			continue
		}
		s.check(t, l, test.limit)
		if got := l.words(start); got != test.want {
			t.Errorf("%s in %d: %s, want %s", test.parts, test.limit, got, test.want)
		}
	}
}

// A gap below 1 MiB is left alone, though the payload is told that it is free.
func TestLayLeavesLowMemoryAlone(t *testing.T) {
	s := situate(lowMemory.End-0x10000, parse(t, "d1 f2 d1 f2 d1 f3 h1 f9 d1"))
	l, err := s.host.lay(s.list, s.memory, s.room, 3)
	if err != nil {
		t.Fatal(err)
	}
	s.check(t, l, 3)
	if len(l.copies) == 0 {
		t.Errorf("laid out as %s", l.words(lowMemory.End-0x10000))
	}
}

// Thousands of pieces are laid out, and in no time to speak of.
func TestLayManyPieces(t *testing.T) {
	for _, test := range []struct {
		name   string
		piece  string
		pieces int
		copies bool
	}{
		{"near each other", "d1 f1", 60000, false},
		{"with the host's between", "d1 h1", 2000, true},
		{"with the host's between, too many", "d1 h1", 3000, false},
		{"far from each other", "d1 f5000", 2000, true},
		{"in groups", "d1 f300 d1 f17 d1 h1", 1000, true},
	} {
		parts := append(slices.Repeat(parse(t, test.piece), test.pieces), part{'f', 1 << 20})
		s := situate(0x1000000, parts)
		l, err := s.host.lay(s.list, s.memory, s.room, 15)
		if err != nil {
			if test.name != "with the host's between, too many" || !strings.Contains(err.Error(), "3000 pieces") {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if test.copies != (len(l.copies) > 0) || len(l.copies) > maxScattered {
			t.Errorf("%s: %d copies", test.name, len(l.copies))
		}
		s.list = s.list[:100]
		s.memory = s.memory[:100]
		if len(l.segments) > 15 {
			t.Errorf("%s: %d segments", test.name, len(l.segments))
		}
		for _, g := range s.list {
			if got := l.page(g.Start); !bytes.Equal(got, g.Data[:efi.PageSize]) {
				t.Fatalf("%s: page %v is %.8x", test.name, g.Start, got)
			}
		}
	}
}

// cost is what joining costs: data that is copied and zeros that are written.
func cost(list []segment, from, to int) uint64 {
	if to-from == 1 {
		return 0
	}
	return uint64(list[to-1].Start-list[from].Start) + uint64(len(list[to-1].data))
}

// join costs no more than twice what the best joining of all does.
func TestJoinIsCheap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var parts []part
		for range 2 + r.IntN(8) {
			parts = append(parts, part{'d', 1 + r.Uint64N(9)}, part{"fz"[r.IntN(2)], 1 + r.Uint64N(9)})
		}
		s := situate(0x1000000, parts)
		list := pieces(s.list)
		limit := 1 + r.IntN(len(list))
		// best[k][i] is the least cost of the first i pieces in k segments.
		best := make([][]uint64, limit+1)
		for k := range best {
			best[k] = slices.Repeat([]uint64{math.MaxUint64 / 2}, len(list)+1)
			best[k][0] = 0
			for i := 1; k > 0 && i <= len(list); i++ {
				for j := range i {
					best[k][i] = min(best[k][i], best[k-1][j]+cost(list, j, i))
				}
			}
		}
		got, at := uint64(0), 0
		joined := join(list, s.memory, limit, maxFill)
		for _, j := range joined {
			end := at
			for end < len(list) && list[end].End <= j.End {
				end++
			}
			got += cost(list, at, end)
			at = end
		}
		if want := best[limit][len(list)]; len(joined) > limit || at != len(list) || got > 2*want {
			t.Fatalf("%v in %d: %d segments for %d bytes, want no more than twice %d", parts, limit, len(joined), got, want)
		}
		s.check(t, layout{segments: joined}, limit)
	}
}

func FuzzLay(f *testing.F) {
	f.Add([]byte{2, 0x10, 0x0a, 0x20, 0x0b, 0x30, 0x0a})
	f.Add([]byte{0, 8, 2, 8, 1, 8, 3, 8, 2, 8, 1, 0x62, 0x7a, 8})
	f.Add(bytes.Repeat([]byte{1, 0, 3, 0x6a}, 20))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 || len(raw) > 200 {
			return
		}
		limit := 2 + int(raw[0])%5
		var parts []part
		room := false
		for _, b := range raw[1:] {
			p := part{"dzfhsrfd"[b&7], 1 << (b >> 3 % 14)}
			switch {
			case p.kind == 'd':
				p.pages = 1 + uint64(b>>3)%6
			case p.kind == 'r' && room:
				continue
			}
			room = room || p.kind == 'r'
			parts = append(parts, p)
		}
		s := situate(0xf0000, parts)
		l, err := s.host.lay(s.list, s.memory, s.room, limit)
		if err == nil {
			s.check(t, l, limit)
			return
		}
		if len(join(pieces(s.list), s.memory, limit, maxFill)) <= limit {
			t.Fatalf("%v, though they can be joined", err)
		}
		var data, room1 uint64
		for _, g := range s.list {
			data += uint64(len(g.Data))
		}
		for _, d := range s.memory {
			if isRAM(d) {
				r := d.Range()
				r.Start = max(r.Start, lowMemory.End)
				room1 = max(room1, r.Size())
			}
		}
		// The gaps that are filled take room, too.
		if room1 >= 2*data+uint64(len(s.list))*smallFill {
			t.Fatalf("%v: %d bytes, and %d are free in one piece", err, data, room1)
		}
	})
}
