// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
)

// now is the guest's time.
func now(g *guest) time.Time {
	g.T.Helper()
	defer rewind(g)()
	at := local[efi.Time](g, efi.Time{})
	expectRuntime(g, efi.Success, "GetTime", at, 0)
	return load(g, at).Std()
}

// after is how much of the guest's time f takes.
func after(g *guest, f func()) time.Duration {
	g.T.Helper()
	before := now(g)
	f()
	return now(g).Sub(before)
}

// about fails the test unless got is want, or up to a hundredth more.
func about(g *guest, what string, got, want time.Duration) {
	g.T.Helper()
	if got < want || got > want+want/100+time.Millisecond {
		g.T.Fatalf("%s took %v, want %v", what, got, want)
	}
}

const second = 10_000_000 // in units of 100 ns

func TestTimers(t *testing.T) { // §7.1.7, §7.1.3
	playAll(t, []scene{
		{"once", func(g *guest) {
			e := newEvent(g, efi.EventTimer, 0, nil)
			about(g, "the wait", after(g, func() {
				expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, 5*second)
				expect(g, efi.NotReady, "CheckEvent", e)
				expect(g, efi.Success, "WaitForEvent", 1, local(g, e), local[uint64](g, 0))
			}), 5*time.Second)
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.Success, "Stall", 20_000_000)
			expect(g, efi.NotReady, "CheckEvent", e)
		}},
		{"every second", func(g *guest) {
			e := newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
			about(g, "ten waits", after(g, func() {
				list, index := local(g, e), local[uint64](g, 0)
				for range 10 {
					expect(g, efi.Success, "WaitForEvent", 1, list, index)
				}
			}), 10*time.Second)
			expect(g, efi.Success, "SetTimer", e, efi.TimerCancel, 0)
			expect(g, efi.Success, "Stall", 5_000_000)
			expect(g, efi.NotReady, "CheckEvent", e)
		}},
		{"at every tick", func(g *guest) {
			n := 0
			e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLCallback, func(*guest) { n++ })
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, 0)
			for range 1000 {
				expect(g, efi.Success, "Stall", 1000)
			}
			if n < 99 || n > 102 {
				g.T.Fatalf("%d ticks in a second", n)
			}
		}},
		{"behind a stall", func(g *guest) {
			n := 0
			e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLCallback, func(*guest) { n++ })
			expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, second)
			about(g, "the stall", after(g, func() { expect(g, efi.Success, "Stall", 3_000_000) }), 3*time.Second)
			same(g, "notifications", n, 1)
		}},
		{"two", func(g *guest) {
			late, early := newEvent(g, efi.EventTimer, 0, nil), newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetTimer", late, efi.TimerRelative, 3*second)
			expect(g, efi.Success, "SetTimer", early, efi.TimerRelative, 2*second)
			index := local[uint64](g, 7)
			expect(g, efi.Success, "WaitForEvent", 2, local(g, [2]efi.Event{late, early}), index)
			same(g, "the first", load(g, index), 1)
		}},
		{"set again", func(g *guest) {
			e := newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
			expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, ^uint64(0))
			expect(g, efi.Success, "Stall", 2_000_000)
			expect(g, efi.NotReady, "CheckEvent", e)
			expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, 0)
			expect(g, efi.Success, "CheckEvent", e)
		}},
		{"refused", func(g *guest) {
			plain, timer := newEvent(g, 0, 0, nil), newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.InvalidParameter, "SetTimer", plain, efi.TimerRelative, 1)
			expect(g, efi.InvalidParameter, "SetTimer", timer, 3, 1)
			expect(g, efi.InvalidParameter, "SetTimer", 0, efi.TimerRelative, 1)
		}},
		{"a notification while waiting", func(g *guest) {
			done := newEvent(g, 0, 0, nil)
			n := 0
			e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
				if n++; n == 4 {
					expect(g, efi.Success, "SignalEvent", done)
				}
			})
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
			expect(g, efi.Success, "WaitForEvent", 1, local(g, done), local[uint64](g, 0))
			same(g, "notifications", n, 4)
		}},
	})
}

func TestWaitForEventRefuses(t *testing.T) {
	playAll(t, []scene{
		{"", func(g *guest) {
			good := newEvent(g, 0, 0, nil)
			notified := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) {})
			index := local[uint64](g, 0)
			expect(g, efi.InvalidParameter, "WaitForEvent", 0, local(g, good), index)
			expect(g, efi.InvalidParameter, "WaitForEvent", 1<<40, local(g, good), index)
			expect(g, efi.InvalidParameter, "WaitForEvent", 2, local(g, [2]efi.Event{good, notified}), index)
			same(g, "the index of the bad event", load(g, index), 1)
			g.Boot("RaiseTPL", efi.TPLCallback)
			expect(g, efi.Unsupported, "WaitForEvent", 1, local(g, good), index)
		}},
	})
}
