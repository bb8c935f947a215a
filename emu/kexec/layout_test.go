// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

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
