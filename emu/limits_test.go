// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
)

// recursive starts an image that starts an image, for ever.
func recursive(g *guest) efi.Status {
	h := loadBuffer(g, newImage(g, pecoff.Application, recursive))
	return g.Boot("StartImage", h, 0, 0)
}

func TestLimits(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits emu.Limits
		what   string
		f      func(*guest)
	}{
		{"calls", emu.Limits{Calls: 100}, "calls", func(g *guest) {
			for {
				g.Boot("Stall", 0)
			}
		}},
		{"calls of a service that waits", emu.Limits{Calls: 1000}, "calls", func(g *guest) {
			e, timer := newEvent(g, 0, 0, nil), newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetTimer", timer, efi.TimerPeriodic, 0)
			g.Boot("WaitForEvent", 1, local(g, e), local[uint64](g, 0))
		}},
		{"nested images", emu.Limits{}, "nesting", func(g *guest) { recursive(g) }},
		{"nested notifications", emu.Limits{}, "nesting", func(g *guest) {
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
				expect(g, efi.Success, "SignalEvent", efi.Event(g.Arg(0)))
				g.Boot("RestoreTPL", efi.TPLApplication)
			})
			g.Boot("SignalEvent", e)
		}},
		{"nested calls of the guest", emu.Limits{Nesting: 5}, "nesting", func(g *guest) {
			connect := func(g *guest) efi.Status {
				return g.Boot("ConnectController", efi.Handle(g.Arg(1)), 0, 0, efi.False)
			}
			install(g, binding{supported: connect})
			g.Boot("ConnectController", g.Image, 0, 0, efi.False)
		}},
		{"stall", emu.Limits{}, "stalled", func(g *guest) { g.Boot("Stall", 1_000_000_000) }},
		{"many stalls", emu.Limits{Stalled: time.Second}, "stalled", func(g *guest) {
			for range 10 {
				expect(g, efi.Success, "Stall", 100_000)
			}
			g.Boot("Stall", 1)
		}},
		{"the longest stall", emu.Limits{}, "stalled", func(g *guest) { g.Boot("Stall", ^uint64(0)) }},
		{"no timer", emu.Limits{}, "waits for ever", func(g *guest) {
			g.Boot("WaitForEvent", 1, local(g, newEvent(g, 0, 0, nil)), local[uint64](g, 0))
		}},
		{"a timer that is not set", emu.Limits{}, "waits for ever", func(g *guest) {
			g.Boot("WaitForEvent", 1, local(g, newEvent(g, efi.EventTimer, 0, nil)), local[uint64](g, 0))
		}},
		{"the watchdog while stalling", emu.Limits{}, "watchdog", func(g *guest) {
			expect(g, efi.Success, "SetWatchdogTimer", 5, 0, 0, 0)
			g.Boot("Stall", 6_000_000)
		}},
		{"the watchdog while waiting", emu.Limits{}, "watchdog", func(g *guest) {
			e := newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetWatchdogTimer", 5, 0, 0, 0)
			expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, 100*second)
			g.Boot("WaitForEvent", 1, local(g, e), local[uint64](g, 0))
		}},
		{"the watchdog while busy", emu.Limits{}, "watchdog", func(g *guest) {
			expect(g, efi.Success, "SetWatchdogTimer", 1, 0, 0, 0)
			for {
				g.Boot("RestoreTPL", efi.TPLApplication)
			}
		}},
		{"time", emu.Limits{Time: 20 * time.Millisecond}, "time", func(g *guest) { g.Spin() }},
		{"time of one who calls", emu.Limits{Time: 20 * time.Millisecond}, "time", func(g *guest) {
			for {
				g.Boot("RestoreTPL", efi.TPLApplication)
			}
		}},
		{"time of one who waits for the host", emu.Limits{Time: 20 * time.Millisecond}, "time", func(g *guest) {
			e, err := g.Machine.NewEvent(func() emu.Readiness { return emu.NotYet })
			if err != nil {
				g.T.Fatal(err)
			}
			g.Boot("WaitForEvent", 1, local(g, e), local[uint64](g, 0))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := emu.Config{Limits: row.limits, Clock: emu.VirtualClock(start)}
			_, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status { row.f(g); return 0 })
			var limit *emu.LimitError
			if !errors.As(err, &limit) || limit.What != row.what {
				t.Fatalf("%v, want the limit %q", err, row.what)
			}
			if row.what != "nesting" && limit.Where == (emu.Location{}) {
				t.Errorf("%v does not say where", limit)
			}
			if row.what == "time" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v has no deadline", err)
			}
		})
	}
}

// What a guest can make is bounded by statuses, not by the end of its boot.
func TestHandleLimit(t *testing.T) {
	play(t, emu.Config{Limits: emu.Limits{Handles: 50}}, func(g *guest) {
		h, guid := local[efi.Handle](g, 0), g.GUID(other)
		n := 0
		for g.Boot("InstallProtocolInterface", h, guid, efi.NativeInterface, 0) == efi.Success {
			if load(g, h) == 0 {
				g.T.Fatal("no handle")
			}
			n++
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", h, guid, efi.NativeInterface, 0)
			h = local[efi.Handle](g, 0)
		}
		if n < 40 || n > 50 {
			g.T.Errorf("%d handles", n)
		}
		events, out := 0, local[efi.Event](g, 0)
		for g.Boot("CreateEvent", 0, 0, 0, 0, out) == efi.Success {
			events++
		}
		same(g, "events", events, 50)
		on, protocols := local(g, g.Image), 0
		for i := range uint32(1000) {
			b := guidN(i).Bytes()
			if err := g.Memory().Write(guid.Addr(), b[:]); err != nil {
				g.T.Fatal(err)
			}
			if g.Boot("InstallProtocolInterface", on, guid, efi.NativeInterface, 0) == efi.OutOfResources {
				break
			}
			protocols++
		}
		if protocols < 50 || protocols > 200 {
			g.T.Errorf("%d protocols", protocols)
		}
		key, registrations := local[efi.Addr](g, 0), 0
		for g.Boot("RegisterProtocolNotify", guid, load(g, out), key) == efi.Success {
			registrations++
		}
		same(g, "registrations", registrations, 50)
	})
}

func TestImageLimit(t *testing.T) {
	play(t, emu.Config{Limits: emu.Limits{Image: 5000}}, func(g *guest) {
		file := newImage(g, pecoff.Application, func(g *guest) efi.Status { return 0 })
		file = append(file, make([]byte, 5000)...)
		expect(g, efi.OutOfResources, "LoadImage", 0, g.Image, 0, g.Bytes(file), len(file), local[efi.Handle](g, 0))
	})
	_, err := emutest.Go(t, emu.Config{Limits: emu.Limits{Image: 100}}, nil, func(g *guest) efi.Status { return 0 })
	if !errors.Is(err, efi.OutOfResources) {
		t.Errorf("Boot of a long image: %v", err)
	}
}

func TestContext(t *testing.T) {
	for _, row := range []struct {
		name  string
		clock emu.Clock
		f     func(*guest)
	}{
		{"spins", nil, func(g *guest) { g.Spin() }},
		{"stalls", emu.SystemClock(), func(g *guest) { g.Boot("Stall", 500_000_000) }},
		{"waits for a timer", emu.SystemClock(), func(g *guest) {
			e := newEvent(g, efi.EventTimer, 0, nil)
			expect(g, efi.Success, "SetTimer", e, efi.TimerRelative, 1000*second)
			g.Boot("WaitForEvent", 1, local(g, e), local[uint64](g, 0))
		}},
		{"calls", nil, func(g *guest) {
			for {
				g.Boot("RestoreTPL", efi.TPLApplication)
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			m, file := bootAgain(t, emu.Config{Clock: row.clock}, row.f)
			reason := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(reason) })
			begin := time.Now()
			_, err := m.Boot(ctx, bytes.NewReader(file), emu.BootOptions{})
			var limit *emu.LimitError
			if !errors.As(err, &limit) || limit.What != "interrupted" || !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if d := time.Since(begin); d > 10*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
	t.Run("cancelled before", func(t *testing.T) {
		ran := false
		m, file := bootAgain(t, emu.Config{}, func(*guest) { ran = true })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := m.Boot(ctx, bytes.NewReader(file), emu.BootOptions{})
		var limit *emu.LimitError
		if !errors.As(err, &limit) || limit.What != "interrupted" || ran {
			t.Errorf("%v, ran %v", err, ran)
		}
	})
}

// bootAgain boots a machine with an image that only returns, and gives the machine
// and another image, f, for a second boot.
func bootAgain(t *testing.T, cfg emu.Config, f func(*guest)) (*emu.Machine, []byte) {
	t.Helper()
	var m *emu.Machine
	var file []byte
	_, err := emutest.Go(t, cfg, func(opened *emu.Machine) { m = opened }, func(g *guest) efi.Status {
		file = newImage(g, pecoff.Application, func(g *guest) efi.Status { f(g); return 0 })
		return 0
	})
	var exit *emu.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return m, file
}
