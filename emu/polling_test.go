// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// waiter makes an event whose function signals it when it is asked for the n-th
// time, and counts how often it was.
func waiter(g *guest, n int, asked *int) efi.Ptr[efi.Event] {
	at := efi.Ptr[efi.Event](g.Local(8))
	notify := g.Func(func(g *guest) uint64 {
		if *asked++; *asked == n {
			g.Boot("SignalEvent", g.Arg(0))
		}
		return 0
	})
	g.Boot("CreateEvent", efi.EventNotifyWait, efi.TPLNotify, notify, 0, at)
	return at
}

// WaitForEvent asks a function of the guest's again and again, with no timer and
// no input that would let time pass by itself.
func TestWaitForEventAsksAgain(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		asked := 0
		event := waiter(g, 5, &asked)
		if status := g.Boot("WaitForEvent", 1, event, g.Local(8)); status != efi.Success || asked != 5 {
			g.T.Errorf("%v after %d times", status, asked)
		}
	})
}

// One that never says yes meets the limit of what a guest may spend on waiting.
func TestWaitForEventAsksInVain(t *testing.T) {
	asked := 0
	_, err := emutest.Go(t, emu.Config{
		Clock: emu.VirtualClock(start), Limits: emu.Limits{Stalled: time.Second},
	}, nil, func(g *guest) efi.Status {
		g.Boot("WaitForEvent", 1, waiter(g, -1, &asked), g.Local(8))
		return efi.Success
	})
	var limit *emu.LimitError
	if !errors.As(err, &limit) || limit.What != "stalled" || asked < 50 {
		t.Errorf("%v after %d times", err, asked)
	}
}
