// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// checkDescribed checks what describe has made of spans, page by page at their
// edges.
func checkDescribed(t *testing.T, spans []span, descs []efi.MemoryDescriptor) {
	t.Helper()
	end := efi.Addr(0)
	for i, d := range descs {
		r := d.Range()
		if r.Size() == 0 || !r.Start.PageAligned() || !r.End.PageAligned() || r.Start < end || r.End > maxAddress {
			t.Fatalf("%v behind %v", r, end)
		}
		if i > 0 && r.Start == end && d.Type == descs[i-1].Type && d.Attribute == descs[i-1].Attribute {
			t.Fatalf("%v and %v are one", descs[i-1].Range(), r)
		}
		end = r.End
	}
	var probes []efi.Addr
	for _, s := range spans {
		for _, a := range []efi.Addr{s.Start, s.End} {
			probes = append(probes, a.PageDown()-efi.PageSize, a.PageDown(), a.PageDown()+efi.PageSize)
		}
	}
	for _, a := range probes {
		page := efi.Range{Start: a, End: a + efi.PageSize}
		if page.Size() == 0 {
			continue
		}
		// Page by page and byte by byte: RAM is whole and nothing else, anything
		// else is what it touches.
		want, described := useRAM, false
		whole := map[use]bool{}
		for _, s := range spans {
			switch {
			case s.use <= useSoftReserved && s.Covers(page):
				whole[s.use] = true
			case s.use > useSoftReserved && s.Overlaps(page):
				want, described = max(want, s.use), true
			}
		}
		if !described {
			described = whole[useRAM] || whole[useSoftReserved]
			if whole[useSoftReserved] {
				want = useSoftReserved
			}
		}
		i := slices.IndexFunc(descs, func(d efi.MemoryDescriptor) bool { return d.Range().Contains(a) })
		switch {
		case i >= 0 != described:
			t.Fatalf("page %v: described %t, want %t", a, i >= 0, described)
		case i >= 0 && (descs[i].Type != uses[want].kind || descs[i].Attribute != want.attribute()):
			t.Fatalf("page %v: %v %#x, want use %d", a, descs[i].Type, uint64(descs[i].Attribute), want)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 0, 6, 8, 0, 1, 2, 3})
	f.Add([]byte{0, 255, 255, 255, 0, 0, 1, 1, 2, 3, 4, 5, 0, 0, 0, 0, 200, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var spans []span
		for ; len(raw) >= 6 && len(spans) < 64; raw = raw[6:] {
			start := efi.Addr(raw[1])<<12 | efi.Addr(raw[2])<<4 | efi.Addr(raw[3]&1)
			if raw[3]&2 != 0 {
				start = maxAddress - 1 - start
			}
			s := span{efi.Range{Start: start, End: start + efi.Addr(raw[4])<<8 + efi.Addr(raw[5]) + 1}, use(raw[0]) % (useReserved + 1)}
			s.End = min(s.End, maxAddress)
			spans = append(spans, s)
		}
		descs, err := describe(slices.Clone(spans))
		if err != nil {
			if slices.ContainsFunc(descs, isRAM) {
				t.Errorf("%v, but RAM", err)
			}
			return
		}
		checkDescribed(t, spans, descs)
	})
}

func FuzzReadIOMem(f *testing.F) {
	f.Add(arm64IOMem)
	f.Add("00000000-ffffffffffffffff : System RAM\n fffffffffffff-1ffffffffffff : reserved\n")
	f.Fuzz(func(t *testing.T, lines string) {
		spans, err := readIOMem(iomem(lines))
		if err != nil {
			return
		}
		if len(spans) == 0 || len(spans) > maxSpans {
			t.Fatalf("%d spans", len(spans))
		}
		if descs, err := describe(slices.Clone(spans)); err == nil {
			checkDescribed(t, spans, descs)
		}
	})
}
