// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
)

// leave boots f, which must exit boot services.
func leave(t *testing.T, cfg emu.Config, f func(*guest)) *emu.Handoff {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = emu.VirtualClock(start)
	}
	h, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
		f(g)
		return efi.Aborted
	})
	if err != nil {
		t.Fatalf("the boot ended with: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func groupEvent(g *guest, group efi.GUID, tpl efi.TPL, notify func(*guest)) {
	g.T.Helper()
	defer rewind(g)()
	fn := g.Func(func(g *guest) uint64 { notify(g); return 0 })
	expect(g, efi.Success, "CreateEventEx", efi.EventNotifySignal, tpl, fn, 0, g.GUID(group), local[efi.Event](g, 0))
}

func TestExitBootServices(t *testing.T) { // §7.4.6
	for _, row := range []struct {
		name string
		f    func(*guest, func(string))
		want []string
	}{
		{"at once", func(g *guest, note func(string)) { exitBootServices(g) }, nil},
		{"with a stale key first", func(g *guest, note func(string)) {
			_, key := memoryMap(g)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, local[efi.Addr](g, 0))
			expect(g, efi.InvalidParameter, "ExitBootServices", g.Image, key)
			expect(g, efi.InvalidParameter, "ExitBootServices", g.Image, key)
			note("stale")
			exitBootServices(g)
		}, []string{"stale"}},
		{"with no handle", func(g *guest, note func(string)) {
			g.Image = 0
			exitBootServices(g)
		}, nil},
		{"telling those before once", func(g *guest, note func(string)) {
			groupEvent(g, efi.EventGroupBeforeExitBootServicesGUID, efi.TPLCallback, func(g *guest) {
				note("before")
				expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, local[efi.Addr](g, 0))
			})
			_, key := memoryMap(g)
			expect(g, efi.InvalidParameter, "ExitBootServices", g.Image, key)
			note("again")
			exitBootServices(g)
		}, []string{"before", "again"}},
		{"telling all", func(g *guest, note func(string)) {
			// What they allocate does not matter any more.
			groupEvent(g, efi.EventGroupExitBootServicesGUID, efi.TPLCallback, func(g *guest) {
				expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, local[efi.Addr](g, 0))
				note("group at TPL_CALLBACK")
			})
			newEvent(g, efi.EventSignalExitBootServices, efi.TPLNotify, func(*guest) { note("type at TPL_NOTIFY") })
			groupEvent(g, efi.EventGroupBeforeExitBootServicesGUID, efi.TPLCallback, func(*guest) { note("before") })
			exitBootServices(g)
		}, []string{"before", "type at TPL_NOTIFY", "group at TPL_CALLBACK"}},
		{"and timers stop", func(g *guest, note func(string)) {
			e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLNotify, func(*guest) { note("tick") })
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
			expect(g, efi.Success, "Stall", 1_500_000)
			newEvent(g, efi.EventSignalExitBootServices, efi.TPLCallback, func(g *guest) {
				note("exit")
				expect(g, efi.Success, "Stall", 5_000_000)
			})
			exitBootServices(g)
		}, []string{"tick", "exit"}},
		{"behind a configuration table", func(g *guest, note func(string)) {
			_, key := memoryMap(g)
			expect(g, efi.Success, "InstallConfigurationTable", g.GUID(other), 0x1000)
			g.T.Fatalf("ExitBootServices = %v", g.Boot("ExitBootServices", g.Image, key).String())
		}, nil},
		{"in a nested image", func(g *guest, note func(string)) {
			app(g, func(g *guest) efi.Status { exitBootServices(g); return 0 })
		}, nil},
		{"inside of a notification", func(g *guest, note func(string)) {
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) { exitBootServices(g) })
			g.Boot("SignalEvent", e)
		}, nil},
		{"and one who is told leaves by Exit", func(g *guest, note func(string)) {
			status, _ := app(g, func(g *guest) efi.Status {
				self := g.Image
				first := true
				groupEvent(g, efi.EventGroupExitBootServicesGUID, efi.TPLNotify, func(g *guest) {
					note("told")
					if first {
						first = false
						g.Image = self
						exit(g, efi.Aborted)
					}
				})
				exitBootServices(g)
				return 0
			})
			same(g, "status", status, efi.Aborted)
			expect(g, efi.InvalidParameter, "ExitBootServices", g.Image, 0)
			exitBootServices(g)
		}, []string{"told", "told"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			h := leave(t, emu.Config{}, func(g *guest) { row.f(g, func(s string) { got = append(got, s) }) })
			if !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
			if len(h.Segments) == 0 {
				t.Error("no segments")
			}
		})
	}
}

// A guest that tries again for ever is not told again that it must.
func TestExitBootServicesOfLinux(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		h := leave(t, emu.Config{Arch: arch}, func(g *guest) {
			// As efi_exit_boot_services does: a buffer with room for 8 more
			// descriptors, and a second round with the same buffer.
			size, key, stride, version := local[uint64](g, 0), local[uint64](g, 0), local[uint64](g, 0), local[uint32](g, 0)
			expect(g, efi.BufferTooSmall, "GetMemoryMap", size, 0, key, stride, version)
			room := load(g, size) + 8*load(g, stride)
			buffer := local[efi.Addr](g, 0)
			expect(g, efi.Success, "AllocatePool", efi.LoaderData, room, buffer)
			size = local(g, room)
			expect(g, efi.Success, "GetMemoryMap", size, load(g, buffer), key, stride, version)
			newEvent(g, efi.EventSignalExitBootServices, efi.TPLNotify, func(g *guest) {
				expect(g, efi.Success, "AllocatePool", efi.LoaderData, 1<<16, local[efi.Addr](g, 0))
			})
			size = local(g, room)
			expect(g, efi.Success, "GetMemoryMap", size, load(g, buffer), key, stride, version)
			g.Boot("ExitBootServices", g.Image, load(g, key))
		})
		if h.Arch != arch {
			t.Errorf("a handoff for %v, want %v", h.Arch, arch)
		}
	}
}

// Drivers stay, and so does what they have asked to be told.
func TestDriverIsToldOfExitBootServices(t *testing.T) {
	told := 0
	leave(t, emu.Config{}, func(g *guest) {
		h := loadBuffer(g, newImage(g, pecoff.RuntimeDriver, func(g *guest) efi.Status {
			newEvent(g, efi.EventSignalExitBootServices, efi.TPLNotify, func(*guest) { told++ })
			return 0
		}))
		startImage(g, h)
		exitBootServices(g)
	})
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
