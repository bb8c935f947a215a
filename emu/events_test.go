// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// tplNow is the current task priority.
func tplNow(g *guest) efi.TPL {
	tpl := efi.TPL(g.Boot("RaiseTPL", efi.TPLHighLevel))
	g.Boot("RestoreTPL", tpl)
	return tpl
}

func TestTPL(t *testing.T) { // §7.1.8, §7.1.9
	playAll(t, []scene{
		{"raise and restore", func(g *guest) {
			same(g, "the first TPL", efi.TPL(g.Boot("RaiseTPL", efi.TPLCallback)), efi.TPLApplication)
			same(g, "the next TPL", efi.TPL(g.Boot("RaiseTPL", efi.TPLNotify)), efi.TPLCallback)
			g.Boot("RestoreTPL", efi.TPLCallback)
			same(g, "TPL", tplNow(g), efi.TPLCallback)
			g.Boot("RestoreTPL", efi.TPLApplication)
			same(g, "TPL", tplNow(g), efi.TPLApplication)
		}},
		{"the wrong way", func(g *guest) {
			g.Boot("RaiseTPL", efi.TPLNotify)
			same(g, "TPL", efi.TPL(g.Boot("RaiseTPL", efi.TPLApplication)), efi.TPLNotify)
			same(g, "TPL", tplNow(g), efi.TPLNotify)
			g.Boot("RestoreTPL", efi.TPLHighLevel)
			same(g, "TPL", tplNow(g), efi.TPLNotify)
			same(g, "TPL", efi.TPL(g.Boot("RaiseTPL", 1000)), efi.TPLNotify)
			same(g, "TPL", tplNow(g), efi.TPLNotify)
		}},
		{"notifications wait for it", func(g *guest) {
			var got []string
			note := func(name string) func(*guest) { return func(*guest) { got = append(got, name) } }
			low1 := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, note("low 1"))
			low2 := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, note("low 2"))
			high := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, note("high"))
			g.Boot("RaiseTPL", efi.TPLHighLevel)
			for _, e := range []efi.Event{low1, low2, high, low1} {
				expect(g, efi.Success, "SignalEvent", e)
			}
			same(g, "the number of notifications", len(got), 0)
			g.Boot("RestoreTPL", efi.TPLCallback)
			if !slices.Equal(got, []string{"high"}) {
				g.T.Fatalf("%q at TPL_CALLBACK", got)
			}
			g.Boot("RestoreTPL", efi.TPLApplication)
			if !slices.Equal(got, []string{"high", "low 1", "low 2"}) {
				g.T.Fatalf("%q in the end", got)
			}
		}},
	})
}

func TestEvents(t *testing.T) { // §7.1.1 to §7.1.6
	playAll(t, []scene{
		{"notified at once", func(g *guest) {
			const context = 0x1234_5678_9abc
			var tpl efi.TPL
			var args [2]uint64
			fn := g.Func(func(g *guest) uint64 {
				args, tpl = [2]uint64{g.Arg(0), g.Arg(1)}, tplNow(g)
				return 0
			})
			e := local[efi.Event](g, 0)
			expect(g, efi.Success, "CreateEvent", efi.EventNotifySignal, efi.TPLNotify, fn, context, e)
			expect(g, efi.Success, "SignalEvent", load(g, e))
			same(g, "arguments", args, [2]uint64{uint64(load(g, e)), context})
			same(g, "TPL inside", tpl, efi.TPLNotify)
			same(g, "TPL behind", tplNow(g), efi.TPLApplication)
		}},
		{"a higher one comes between", func(g *guest) {
			var got []string
			high := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, func(*guest) { got = append(got, "high") })
			peer := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) { got = append(got, "peer") })
			low := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
				got = append(got, "low {")
				expect(g, efi.Success, "SignalEvent", peer)
				expect(g, efi.Success, "SignalEvent", high)
				got = append(got, "}")
			})
			expect(g, efi.Success, "SignalEvent", low)
			if want := []string{"low {", "high", "}", "peer"}; !slices.Equal(got, want) {
				g.T.Fatalf("%q, want %q", got, want)
			}
		}},
		{"refused", func(g *guest) {
			fn, out := g.Func(func(*guest) uint64 { return 0 }), local[efi.Event](g, 0)
			for _, c := range []struct {
				t    efi.EventType
				tpl  efi.TPL
				fn   efi.Addr
				out  efi.Addr
				want efi.Status
			}{
				{efi.EventNotifySignal, efi.TPLCallback, 0, out.Addr(), efi.InvalidParameter},
				{efi.EventNotifySignal, efi.TPLApplication, fn, out.Addr(), efi.InvalidParameter},
				{efi.EventNotifyWait, efi.TPLHighLevel, fn, out.Addr(), efi.InvalidParameter},
				{efi.EventNotifyWait | efi.EventNotifySignal, efi.TPLCallback, fn, out.Addr(), efi.InvalidParameter},
				{0x1234, efi.TPLCallback, fn, out.Addr(), efi.InvalidParameter},
				{efi.EventNotifySignal, efi.TPLCallback, fn, 0, efi.InvalidParameter},
				{0, 0, 0, out.Addr(), efi.Success},
				{efi.EventTimer, 0, 0, out.Addr(), efi.Success},
				{efi.EventSignalExitBootServices, efi.TPLNotify, fn, out.Addr(), efi.Success},
				{efi.EventSignalVirtualAddressChange, efi.TPLNotify, fn, out.Addr(), efi.Success},
			} {
				expect(g, c.want, "CreateEvent", c.t, c.tpl, c.fn, 0, c.out)
			}
			expect(g, efi.InvalidParameter, "CreateEventEx", efi.EventSignalExitBootServices, efi.TPLNotify, fn, 0, g.GUID(other), out)
			for _, service := range []string{"SignalEvent", "CloseEvent", "CheckEvent"} {
				expect(g, efi.InvalidParameter, service, load(g, out)+4)
				expect(g, efi.InvalidParameter, service, 0)
			}
		}},
		{"checked", func(g *guest) {
			e := newEvent(g, 0, 0, nil)
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.Success, "SignalEvent", e)
			expect(g, efi.Success, "SignalEvent", e)
			expect(g, efi.Success, "CheckEvent", e)
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.InvalidParameter, "CheckEvent", newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) {}))
		}},
		{"checked by its function", func(g *guest) {
			asked := 0
			e := newEvent(g, efi.EventNotifyWait, efi.TPLNotify, func(g *guest) {
				if asked++; asked == 3 {
					expect(g, efi.Success, "SignalEvent", efi.Event(g.Arg(0)))
				}
			})
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.Success, "CheckEvent", e)
			same(g, "times asked", asked, 3)
		}},
		{"closed", func(g *guest) {
			ran := false
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) { ran = true })
			g.Boot("RaiseTPL", efi.TPLNotify)
			expect(g, efi.Success, "SignalEvent", e)
			expect(g, efi.Success, "CloseEvent", e)
			g.Boot("RestoreTPL", efi.TPLApplication)
			same(g, "notified", ran, false)
			expect(g, efi.InvalidParameter, "CloseEvent", e)
		}},
		{"closed by itself", func(g *guest) {
			ran := 0
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
				ran++
				expect(g, efi.Success, "CloseEvent", efi.Event(g.Arg(0)))
			})
			expect(g, efi.Success, "SignalEvent", e)
			expect(g, efi.InvalidParameter, "SignalEvent", e)
			same(g, "times notified", ran, 1)
		}},
		{"in a group", func(g *guest) { // §7.1.2
			got, out := 0, local[efi.Event](g, 0)
			fn := g.Func(func(*guest) uint64 { got++; return 0 })
			for range 3 {
				expect(g, efi.Success, "CreateEventEx", efi.EventNotifySignal, efi.TPLCallback, fn, 0, g.GUID(other), out)
			}
			expect(g, efi.Success, "CreateEventEx", 0, 0, 0, 0, g.GUID(other), out)
			expect(g, efi.Success, "SignalEvent", load(g, out))
			same(g, "notifications", got, 3)
			expect(g, efi.Success, "InstallConfigurationTable", g.GUID(other), 0x1000) // §7.5.6
			same(g, "notifications after the configuration table", got, 6)
		}},
	})
}

func TestHostEvents(t *testing.T) {
	ready := emu.NotYet
	play(t, emu.Config{}, func(g *guest) {
		e, err := g.Machine.NewEvent(func() emu.Readiness { return ready })
		if err != nil {
			g.T.Fatal(err)
		}
		expect(g, efi.NotReady, "CheckEvent", e)
		expect(g, efi.InvalidParameter, "CloseEvent", e)
		ready = emu.Ready
		expect(g, efi.Success, "CheckEvent", e)
		index := local[uint64](g, 9)
		expect(g, efi.Success, "WaitForEvent", 1, local(g, e), index)
		same(g, "index", load(g, index), 0)
		ready = emu.NotYet
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 3 {
				g.Machine.Wake()
			}
		}()
		timer := newEvent(g, efi.EventTimer, 0, nil)
		expect(g, efi.Success, "SetTimer", timer, efi.TimerRelative, 10_000_000)
		list := local(g, [2]efi.Event{e, timer})
		expect(g, efi.Success, "WaitForEvent", 2, list, index)
		same(g, "index", load(g, index), 1)
		<-done
	})
}
