// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

// services lists the services of a table but those that a bad guest cannot call
// wrongly: what is code in the guest, and what does not return.
func services[T any]() (names []string) {
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		switch f := t.Field(i); f.Name {
		case "CopyMem", "SetMem", "ResetSystem":
		default:
			if !f.Anonymous {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// arena is a hostile guest's memory: pages whose first word is their own address.
func arena(g *guest) efi.Addr {
	at := local[efi.Addr](g, 0)
	expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 32, at)
	puppet.Store(g.Thread, efi.Ptr[efi.Addr](load(g, at)), load(g, at))
	return load(g, at)
}

// wild are arguments that no guest should pass.
func wild(g *guest, arena efi.Addr) []uint64 {
	ram := g.Memory().Ranges()
	last := ram[len(ram)-1]
	boot := load(g, load(g, g.System).BootServices)
	return []uint64{
		0, 1, 2, 7, 0xfff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, 1 << 47, 1<<63 - 1, 1 << 63, 1<<64 - 4096, 1<<64 - 8, 1<<64 - 1,
		0x8000_0000_0000_0000 | 0x1234, // not canonical
		uint64(last.End), uint64(last.End) - 1, uint64(last.End) - 8, uint64(last.End) - 4096, uint64(ram[0].Start),
		uint64(boot.RaiseTPL), uint64(boot.RaiseTPL) + 3, uint64(boot.CopyMem), uint64(boot.CopyMem.PageDown()), // only to be read
		uint64(arena), uint64(arena) + 1, uint64(arena) + 0x1ffff, // itself, unaligned, its last byte
	}
}

// good are arguments with which a service gets far. Those not named take none
// that can be right.
func good(g *guest, a efi.Addr) map[string][]uint64 {
	scratch := func(i int) uint64 { return uint64(a) + 0x1000*uint64(i) }
	at := func(p interface{ Addr() efi.Addr }) uint64 { return uint64(p.Addr()) }
	h := newHandle(g, guidN(1), 0x1000)
	img := uint64(g.Image)
	e := uint64(newEvent(g, efi.EventTimer, 0, nil))
	expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
	fn := uint64(g.Func(func(*guest) uint64 { return 0 }))
	guid := at(g.GUID(guidN(1)))
	name := at(g.Text("V"))
	path := uint64(pool(g, efi.DevicePath{efi.PCIRoot(0), efi.FilePath("x")}.Bytes()))
	file := newImage(g, pecoff.Application, func(*guest) efi.Status { return 0 })
	source := uint64(pool(g, file))
	puppet.Store(g.Thread, efi.Ptr[uint64](scratch(7)), path)
	puppet.Store(g.Thread, efi.Ptr[uint64](scratch(8)), 0x1000)
	return map[string][]uint64{
		"RaiseTPL": {31}, "RestoreTPL": {4},
		"AllocatePages": {0, 2, 1, scratch(1)}, "FreePages": {scratch(20), 1}, "GetMemoryMap": {scratch(8), scratch(1), scratch(2), scratch(3), scratch(4)},
		"AllocatePool": {2, 8, scratch(1)}, "FreePool": {0},
		"CreateEvent": {uint64(efi.EventNotifySignal), 8, fn, 0, scratch(1)}, "SetTimer": {e, 1, 1000}, "WaitForEvent": {1, at(local(g, e)), scratch(1)},
		"SignalEvent": {e}, "CloseEvent": {0}, "CheckEvent": {e},
		"InstallProtocolInterface": {scratch(9), guid, 0, 0}, "ReinstallProtocolInterface": {uint64(h), guid, 0x1000, 0x1000},
		"UninstallProtocolInterface": {uint64(h), guid, 1}, "HandleProtocol": {uint64(h), guid, scratch(1)}, "RegisterProtocolNotify": {guid, e, scratch(1)},
		"LocateHandle": {2, guid, 0, scratch(8), scratch(1)}, "LocateDevicePath": {guid, scratch(7), scratch(1)}, "InstallConfigurationTable": {at(g.GUID(guidN(9))), 1},
		"LoadImage": {0, img, path, source, uint64(len(file)), scratch(1)}, "StartImage": {0, scratch(1), scratch(2)}, "Exit": {0, 0, 0, 0},
		"UnloadImage": {img}, "ExitBootServices": {img, 0},
		"GetNextMonotonicCount": {scratch(1)}, "Stall": {1}, "SetWatchdogTimer": {100, 0, 0, 0},
		"ConnectController": {uint64(h), 0, path, 1}, "DisconnectController": {uint64(h), 0, 0},
		"OpenProtocol": {uint64(h), guid, scratch(1), img, uint64(h), 2}, "CloseProtocol": {uint64(h), guid, img, 0}, "OpenProtocolInformation": {uint64(h), guid, scratch(1), scratch(2)},
		"ProtocolsPerHandle": {uint64(h), scratch(1), scratch(2)}, "LocateHandleBuffer": {2, guid, 0, scratch(1), scratch(2)}, "LocateProtocol": {guid, 0, scratch(1)},
		"InstallMultipleProtocolInterfaces": {scratch(9), guid, 0, 0}, "UninstallMultipleProtocolInterfaces": {uint64(h), guid, 0x1000, 0},
		"CalculateCrc32": {scratch(0), 100, scratch(1)}, "CreateEventEx": {uint64(efi.EventNotifySignal), 8, fn, 0, at(g.GUID(guidN(8))), scratch(1)},
		"GetTime": {scratch(1), scratch(2)}, "GetVariable": {name, guid, scratch(1), scratch(8), scratch(2)},
		"GetNextVariableName": {scratch(8), name, guid}, "SetVariable": {name, guid, 2, 8, scratch(0)},
		"GetNextHighMonotonicCount": {scratch(1)}, "QueryVariableInfo": {2, scratch(1), scratch(2), scratch(3)},
	}
}

// sound fails the test unless the machine is in order and of use.
func sound(g *guest, systemTable bool) {
	g.T.Helper()
	end := efi.Addr(0)
	for _, d := range g.Machine.MemoryMap() {
		if d.NumberOfPages == 0 || d.PhysicalStart < end || d.Range().End <= d.PhysicalStart {
			g.T.Fatalf("the memory map has %v behind %v", d.Range(), end)
		}
		end = d.Range().End
	}
	if systemTable {
		checkTable(g, g.System.Addr())
	}
}

func TestWildArguments(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			wildArguments(t, arch, services[efi.BootServices](), (*guest).Boot)
			wildArguments(t, arch, services[efi.RuntimeServices](), (*guest).Runtime)
		})
	}
}

func wildArguments(t *testing.T, arch cpu.Arch, names []string, call func(g *guest, service string, args ...any) efi.Status) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			play(t, emu.Config{Arch: arch, Limits: emu.Limits{Stalled: -1}}, func(g *guest) {
				area := arena(g)
				base := good(g, area)[name]
				try := func(args []uint64) {
					defer rewind(g)()
					list := make([]any, len(args))
					for i, a := range args {
						list[i] = a
					}
					begin := time.Now()
					call(g, name, list...)
					if d := time.Since(begin); d > 5*time.Second {
						g.T.Fatalf("%s(%#x) took %v", name, args, d)
					}
					g.Boot("RestoreTPL", efi.TPLApplication)
					g.Boot("SetWatchdogTimer", 0, 0, 0, 0)
					sound(g, true)
				}
				try(base)
				values := wild(g, area)
				for _, v := range values {
					if name == "Stall" && v > 1<<40 {
						continue // to the end of time, and no further
					}
					all := make([]uint64, 10)
					for i := range all {
						all[i] = v
					}
					try(all)
					for i := range base {
						args := append([]uint64(nil), base...)
						args[i] = v
						try(args)
					}
				}
				out := local[efi.Addr](g, 0)
				expect(g, efi.Success, "AllocatePool", efi.LoaderData, 100, out)
				expect(g, efi.Success, "FreePool", load(g, out))
				same(g, "handles", len(located(g, efi.AllHandles, 0, 0)) > 0, true)
			})
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("%d bytes stay in the host", grown)
			}
		})
	}
}

// A reset ends the boot, whatever comes with it.
func TestWildReset(t *testing.T) {
	for i := range 27 {
		_, err := emutest.Go(t, emu.Config{}, nil, func(g *guest) efi.Status {
			v := wild(g, arena(g))[i]
			g.Runtime("ResetSystem", v, v, v, v)
			return 0
		})
		var reset *emu.ResetError
		if !errors.As(err, &reset) || len(reset.Data) > 4096 {
			t.Errorf("%v", err)
		}
		if text := err.Error(); !strings.HasPrefix(text, "emu: ") {
			t.Errorf("error %q", text)
		}
	}
}

// A guest with many long device paths cannot keep the host busy beyond its time.
func TestManyDevicePaths(t *testing.T) {
	begin := time.Now()
	cfg := emu.Config{Limits: emu.Limits{Time: 200 * time.Millisecond}, Clock: emu.VirtualClock(start)}
	_, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
		var path efi.DevicePath
		for range 16000 {
			path = append(path, efi.Node{Type: efi.NodeHardware, SubType: 1})
		}
		at := pool(g, path.Bytes())
		guid, h := g.GUID(efi.DevicePathProtocolGUID), local[efi.Handle](g, 0)
		for range 2000 {
			puppet.Store(g.Thread, h, 0)
			g.Boot("InstallProtocolInterface", h, guid, efi.NativeInterface, at)
		}
		for {
			g.Boot("InstallMultipleProtocolInterfaces", h, guid, at, guid, at, guid, at, guid, at, 0)
		}
	})
	var limit *emu.LimitError
	if !errors.As(err, &limit) || limit.What != "time" {
		t.Errorf("%v", err)
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}

// Many notifications at once, and many timers that run out together, take the
// host no longer than the guest.
func TestManyEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	play(t, emu.Config{}, func(g *guest) {
		const n = 20000
		fired := 0
		fn, out := g.Func(func(*guest) uint64 { fired++; return 0 }), local[efi.Event](g, 0)
		g.Boot("RaiseTPL", efi.TPLNotify)
		for range n {
			expect(g, efi.Success, "CreateEvent", efi.EventTimer|efi.EventNotifySignal, efi.TPLCallback, fn, 0, out)
			expect(g, efi.Success, "SetTimer", load(g, out), efi.TimerPeriodic, second)
		}
		begin := time.Now()
		expect(g, efi.Success, "Stall", 10_000_000)
		g.Boot("RestoreTPL", efi.TPLApplication)
		if fired < n {
			g.T.Errorf("%d of %d fired", fired, n)
		}
		g.T.Logf("%d timers took %v", n, time.Since(begin))
	})
}
