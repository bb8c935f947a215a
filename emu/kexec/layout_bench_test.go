// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// fill has a guest allocate memory and write all of it, but for every n-th page.
func fill(g *emutest.Guest, at efi.Addr, size, n uint64) {
	g.T.Helper()
	pages := size / efi.PageSize
	how := efi.AllocateAnyPages
	if at != 0 {
		how = efi.AllocateAddress
	}
	where := g.Bytes(words(8, uint64(at)))
	if s := g.Boot("AllocatePages", how, efi.LoaderData, pages, where); s != efi.Success {
		g.T.Fatalf("%d pages at %v: %v", pages, at, s)
	}
	raw, err := g.Memory().Read(where, 8)
	if err != nil {
		g.T.Fatal(err)
	}
	at = pointer(raw)
	for i := range pages {
		if i%n == n-1 {
			continue
		}
		view, err := g.Memory().Edit(at+efi.Addr(i*efi.PageSize), efi.PageSize)
		if err != nil {
			g.T.Fatal(err)
		}
		for k := range view {
			view[k] = byte(k) ^ byte(i)
		}
	}
}

// BenchmarkLayout is what load takes beyond the run, but for the kernel's part:
// memcpy is the times that a copy of what the payload has touched would do in it,
// loaded/touched the bytes that the kernel is given against those.
func BenchmarkLayout(b *testing.B) {
	const mib = 1 << 20
	for _, bench := range []struct {
		name string
		run  func(*emutest.Guest)
		opts Options
	}{
		{"kernel", func(g *emutest.Guest) {
			fill(g, 0x1000000, 48*mib, 1<<30)
			fill(g, 0, 24*mib, 1<<30)
			fill(g, 0, mib, 16)
		}, Options{}},
		{"kernel/verified", func(g *emutest.Guest) {
			fill(g, 0x1000000, 48*mib, 1<<30)
			fill(g, 0, 24*mib, 1<<30)
			fill(g, 0, mib, 16)
		}, Options{Verify: true}},
		{"thousands of pieces", func(g *emutest.Guest) { fill(g, 0x1000000, 64*mib, 4) }, Options{}},
		{"far apart", func(g *emutest.Guest) {
			for at := efi.Addr(0x1000000); at < 0x1e000000; at += 20 * mib {
				fill(g, at, mib, 1<<30)
			}
		}, Options{}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			host := readHost(b, machine{MapFS: firmwareMap("100000-1fffffff : System RAM")})
			handoff := freeze(b, host, bench.run)
			touched := handoff.Touched()
			copied := memcpy(handoff)
			var loaded uint64
			start := time.Now()
			for b.Loop() {
				l, _, err := host.layout(handoff, bench.opts)
				if err != nil {
					b.Fatal(err)
				}
				loaded = 0
				for _, s := range l.segments {
					loaded += uint64(len(s.data))
				}
			}
			each := time.Since(start) / time.Duration(b.N)
			b.ReportMetric(float64(loaded)/float64(touched), "loaded/touched")
			b.ReportMetric(each.Seconds()/copied.Seconds(), "memcpy")
			b.ReportMetric(float64(touched)/mib, "touched-MiB")
		})
	}
}

// memcpy is the time in which all data of a handoff is copied once, at best.
func memcpy(h *emu.Handoff) time.Duration {
	to := make([]byte, h.Touched())
	best := time.Duration(1 << 62)
	for range 5 {
		start, at := time.Now(), 0
		for _, s := range h.Segments {
			at += copy(to[at:], s.Data)
		}
		best = min(best, time.Since(start))
	}
	return best
}
