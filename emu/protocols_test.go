// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// guidN is the n-th of many GUIDs.
func guidN(n uint32) efi.GUID {
	g := other
	g.Data1 += n
	return g
}

// located is what LocateHandle finds by a protocol, after a call for the size.
func located(g *guest, how efi.LocateSearchType, guid, key any) []efi.Handle {
	g.T.Helper()
	defer rewind(g)()
	size := local[uint64](g, 0)
	status := g.Boot("LocateHandle", how, guid, key, size, 0)
	if status == efi.NotFound {
		return nil
	}
	same(g, "LocateHandle for the size", status, efi.BufferTooSmall)
	buffer := g.Local(load(g, size))
	expect(g, efi.Success, "LocateHandle", how, guid, key, size, buffer)
	var list []efi.Handle
	for i := range load(g, size) / 8 {
		list = append(list, efi.Handle(word(g, buffer+efi.Addr(8*i))))
	}
	return list
}

func TestProtocols(t *testing.T) { // §7.3.2 to §7.3.7
	playAll(t, []scene{
		{"installed and gone", func(g *guest) {
			h := newHandle(g, other, 0x1000)
			at, status := g.Protocol(h, other)
			same(g, "status", status, efi.Success)
			same(g, "interface", at, 0x1000)
			on := local(g, h)
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", on, g.GUID(other), efi.NativeInterface, 0x2000)
			expect(g, efi.Success, "InstallProtocolInterface", on, g.GUID(guidN(1)), efi.NativeInterface, 0)
			expect(g, efi.NotFound, "UninstallProtocolInterface", h, g.GUID(other), 0x2000)
			expect(g, efi.Success, "UninstallProtocolInterface", h, g.GUID(other), 0x1000)
			at, status = g.Protocol(h, other)
			same(g, "status", status, efi.Unsupported)
			same(g, "interface", at, 0)
			expect(g, efi.Success, "UninstallProtocolInterface", h, g.GUID(guidN(1)), 0)
			_, status = g.Protocol(h, guidN(1))
			same(g, "status on a handle that is gone", status, efi.InvalidParameter)
		}},
		{"refused", func(g *guest) {
			h, guid := local[efi.Handle](g, 0), g.GUID(other)
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", h, guid, 1, 0)
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", h, 0, efi.NativeInterface, 0)
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", 0, guid, efi.NativeInterface, 0)
			expect(g, efi.InvalidParameter, "InstallProtocolInterface", local[efi.Handle](g, 0x77), guid, efi.NativeInterface, 0)
			expect(g, efi.InvalidParameter, "HandleProtocol", g.Image, guid, 0)
			expect(g, efi.InvalidParameter, "HandleProtocol", 0, guid, h)
			same(g, "handles with it", len(located(g, efi.ByProtocol, guid, 0)), 0)
		}},
		{"reinstalled", func(g *guest) { // §7.3.3
			h := newHandle(g, other, 0x1000)
			expect(g, efi.NotFound, "ReinstallProtocolInterface", h, g.GUID(other), 0x3000, 0x2000)
			expect(g, efi.InvalidParameter, "ReinstallProtocolInterface", 0x70, g.GUID(other), 0x1000, 0x2000)
			expect(g, efi.Success, "ReinstallProtocolInterface", h, g.GUID(other), 0x1000, 0x2000)
			at, _ := g.Protocol(h, other)
			same(g, "interface", at, 0x2000)
		}},
		{"several at once", func(g *guest) { // §7.3.17, §7.3.18
			h := local[efi.Handle](g, 0)
			one, two := g.GUID(guidN(1)), g.GUID(guidN(2))
			expect(g, efi.Success, "InstallMultipleProtocolInterfaces", h, one, 0x1000, two, 0x2000, 0)
			at, _ := g.Protocol(load(g, h), guidN(2))
			same(g, "interface", at, 0x2000)
			three := g.GUID(guidN(3))
			expect(g, efi.InvalidParameter, "InstallMultipleProtocolInterfaces", h, three, 0, one, 0, 0)
			same(g, "handles with what was rolled back", len(located(g, efi.ByProtocol, three, 0)), 0)
			expect(g, efi.InvalidParameter, "UninstallMultipleProtocolInterfaces", load(g, h), one, 0x1000, two, 0x1000, 0)
			same(g, "handles with what stays", len(located(g, efi.ByProtocol, one, 0)), 1)
			expect(g, efi.Success, "UninstallMultipleProtocolInterfaces", load(g, h), one, 0x1000, two, 0x2000, 0)
			expect(g, efi.InvalidParameter, "UninstallMultipleProtocolInterfaces", load(g, h), one, 0x1000, 0)
		}},
		{"two handles, one device path", func(g *guest) {
			path := g.Bytes(efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 2)}.Bytes())
			guid := g.GUID(efi.DevicePathProtocolGUID)
			expect(g, efi.Success, "InstallMultipleProtocolInterfaces", local[efi.Handle](g, 0), guid, path, 0)
			copied := g.Bytes(efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 2)}.Bytes())
			expect(g, efi.AlreadyStarted, "InstallMultipleProtocolInterfaces", local[efi.Handle](g, 0), guid, copied, 0)
			expect(g, efi.InvalidParameter, "InstallMultipleProtocolInterfaces", local[efi.Handle](g, 0), guid, 0x70, 0)
			newHandle(g, efi.DevicePathProtocolGUID, copied)
		}},
		{"located", func(g *guest) { // §7.3.6, §7.3.15, §7.3.16
			guid := g.GUID(other)
			out, n := local[efi.Addr](g, 0x55), local[uint64](g, 0)
			expect(g, efi.NotFound, "LocateProtocol", guid, 0, out)
			same(g, "the interface that is not there", load(g, out), 0)
			expect(g, efi.NotFound, "LocateHandleBuffer", efi.ByProtocol, guid, 0, n, out)
			var want []efi.Handle
			for i := range 5 {
				want = append(want, newHandle(g, other, efi.Addr(0x1000*(i+1))))
			}
			if got := located(g, efi.ByProtocol, guid, 0); !slices.Equal(got, want) {
				g.T.Fatalf("%v, want %v", got, want)
			}
			expect(g, efi.Success, "LocateProtocol", guid, 0, out)
			same(g, "the first interface", load(g, out), 0x1000)
			expect(g, efi.InvalidParameter, "LocateProtocol", guid, 0, 0)
			expect(g, efi.InvalidParameter, "LocateProtocol", 0, 0, out)
			expect(g, efi.Success, "LocateHandleBuffer", efi.ByProtocol, guid, 0, n, out)
			same(g, "the number of handles", load(g, n), 5)
			same(g, "the last", efi.Handle(word(g, load(g, out)+32)), want[4])
			expect(g, efi.Success, "FreePool", load(g, out))
			expect(g, efi.InvalidParameter, "LocateHandleBuffer", efi.ByProtocol, guid, 0, n, 0)
			expect(g, efi.InvalidParameter, "LocateHandle", 3, guid, 0, local[uint64](g, 80), g.Local(80))
			if all := located(g, efi.AllHandles, 0, 0); !slices.Contains(all, g.Image) || !slices.Contains(all, want[2]) {
				g.T.Fatalf("%v are all handles", all)
			}
		}},
		{"listed by handle", func(g *guest) { // §7.3.14
			h := newHandle(g, guidN(0), 1)
			on := local(g, h)
			for i := range uint32(4) {
				expect(g, efi.Success, "InstallProtocolInterface", on, g.GUID(guidN(i+1)), efi.NativeInterface, i)
			}
			out, n := local[efi.Addr](g, 0), local[uint64](g, 0)
			expect(g, efi.Success, "ProtocolsPerHandle", h, out, n)
			same(g, "the number of protocols", load(g, n), 5)
			for i := range uint32(5) {
				at := efi.Ptr[efi.GUID](word(g, load(g, out)+efi.Addr(8*i)))
				same(g, "protocol", load(g, at), guidN(i))
			}
			expect(g, efi.Success, "FreePool", load(g, out))
			expect(g, efi.InvalidParameter, "ProtocolsPerHandle", h, 0, n)
			expect(g, efi.InvalidParameter, "ProtocolsPerHandle", 0, out, n)
		}},
	})
}

func TestRegisterProtocolNotify(t *testing.T) { // §7.3.5
	playAll(t, []scene{
		{"", func(g *guest) {
			guid, key, signals := g.GUID(other), local[efi.Addr](g, 0), 0
			old := newHandle(g, other, 0x1000)
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) { signals++ })
			expect(g, efi.InvalidParameter, "RegisterProtocolNotify", guid, e+8, key)
			expect(g, efi.InvalidParameter, "RegisterProtocolNotify", guid, e, 0)
			expect(g, efi.Success, "RegisterProtocolNotify", guid, e, key)
			next := func() []efi.Handle { return located(g, efi.ByRegisterNotify, 0, load(g, key)) }
			expectHandles := func(want ...efi.Handle) {
				g.T.Helper()
				for _, h := range append(want, 0) {
					if got := next(); h == 0 && len(got) != 0 || h != 0 && !slices.Equal(got, []efi.Handle{h}) {
						g.T.Fatalf("%v, want %v", got, h)
					}
				}
			}
			expectHandles(old)
			a, b := newHandle(g, other, 0x2000), newHandle(g, other, 0x3000)
			newHandle(g, guidN(1), 0)
			same(g, "signals", signals, 2)
			expectHandles(a, b)
			expect(g, efi.Success, "ReinstallProtocolInterface", old, guid, 0x1000, 0x4000)
			same(g, "signals", signals, 3)
			out := local[efi.Addr](g, 0)
			expect(g, efi.Success, "LocateProtocol", guid, load(g, key), out)
			same(g, "interface", load(g, out), 0x4000)
			expect(g, efi.NotFound, "LocateProtocol", guid, load(g, key), out)

			gone := newHandle(g, other, 0x5000)
			expect(g, efi.Success, "UninstallProtocolInterface", gone, guid, 0x5000)
			expectHandles()
			expect(g, efi.Success, "CloseEvent", e)
			size := local[uint64](g, 0)
			expect(g, efi.InvalidParameter, "LocateHandle", efi.ByRegisterNotify, 0, load(g, key), size, 0)
		}},
	})
}

func TestOpenProtocol(t *testing.T) { // §7.3.9 to §7.3.11
	const (
		get, test, byHandle = efi.OpenProtocolGetProtocol, efi.OpenProtocolTestProtocol, efi.OpenProtocolByHandleProtocol
		byChild, byDriver   = efi.OpenProtocolByChildController, efi.OpenProtocolByDriver
		exclusive           = efi.OpenProtocolExclusive
	)
	for _, row := range []struct {
		name        string
		first, then efi.OpenProtocolAttribute
		same        bool // agent and controller
		want        efi.Status
	}{
		{"get and get", get, get, false, efi.Success},
		{"test", 0, test, false, efi.Success},
		{"by handle and driver", byHandle, byDriver, false, efi.Success},
		{"driver and get", byDriver, get, false, efi.Success},
		{"driver and exclusive of another", byDriver | exclusive, byDriver | exclusive, false, efi.AccessDenied},
		{"driver twice", byDriver, byDriver, true, efi.AlreadyStarted},
		{"two drivers", byDriver, byDriver, false, efi.AccessDenied},
		{"driver, exclusive twice", byDriver | exclusive, byDriver | exclusive, true, efi.AlreadyStarted},
		{"exclusive and exclusive", exclusive, exclusive, false, efi.AccessDenied},
		{"exclusive and driver", exclusive, byDriver, false, efi.AccessDenied},
		{"exclusive and get", exclusive, get, false, efi.Success},
		{"child and exclusive", byChild, exclusive, false, efi.Success},
		{"unknown attributes", 0, get | test, false, efi.InvalidParameter},
		{"no attributes", 0, 0, false, efi.InvalidParameter},
		{"child and driver", 0, byChild | byDriver, false, efi.InvalidParameter},
	} {
		t.Run(row.name, func(t *testing.T) {
			play(t, emu.Config{}, func(g *guest) {
				h := newHandle(g, other, 0x1000)
				agents := []efi.Handle{newHandle(g, guidN(1), 0), newHandle(g, guidN(1), 0)}
				controller := newHandle(g, guidN(2), 0)
				out := local[efi.Addr](g, 0)
				if row.first != 0 {
					expect(g, efi.Success, "OpenProtocol", h, g.GUID(other), out, agents[0], controller, row.first)
				}
				agent := agents[1]
				if row.same {
					agent = agents[0]
				}
				expect(g, row.want, "OpenProtocol", h, g.GUID(other), out, agent, controller, row.then)
			})
		})
	}
}

func TestCloseProtocol(t *testing.T) {
	playAll(t, []scene{
		{"", func(g *guest) {
			h, agent := newHandle(g, other, 0x1000), newHandle(g, guidN(1), 0)
			guid, out, n := g.GUID(other), local[efi.Addr](g, 0), local[uint64](g, 0)
			for range 3 {
				expect(g, efi.Success, "OpenProtocol", h, guid, out, agent, h, efi.OpenProtocolGetProtocol)
			}
			same(g, "interface", load(g, out), 0x1000)
			expect(g, efi.Success, "OpenProtocol", h, guid, out, agent, h, efi.OpenProtocolByDriver)
			expect(g, efi.Success, "OpenProtocolInformation", h, guid, out, n)
			same(g, "entries", load(g, n), 2)
			entry := load(g, efi.Ptr[efi.OpenProtocolInformationEntry](load(g, out)))
			same(g, "the first", entry, efi.OpenProtocolInformationEntry{
				AgentHandle: agent, ControllerHandle: h, Attributes: efi.OpenProtocolGetProtocol, OpenCount: 3,
			})
			expect(g, efi.Success, "FreePool", load(g, out))
			expect(g, efi.AccessDenied, "UninstallProtocolInterface", h, guid, 0x1000)
			expect(g, efi.NotFound, "CloseProtocol", h, guid, agent, 0)
			expect(g, efi.InvalidParameter, "CloseProtocol", h, guid, 0, h)
			expect(g, efi.InvalidParameter, "CloseProtocol", h, guid, agent, 8)
			expect(g, efi.NotFound, "CloseProtocol", h, g.GUID(guidN(5)), agent, h)
			expect(g, efi.Success, "CloseProtocol", h, guid, agent, h)
			expect(g, efi.NotFound, "CloseProtocol", h, guid, agent, h)
			expect(g, efi.Success, "UninstallProtocolInterface", h, guid, 0x1000)
			expect(g, efi.Unsupported, "OpenProtocol", g.Image, guid, out, agent, 0, efi.OpenProtocolTestProtocol)
			expect(g, efi.InvalidParameter, "OpenProtocol", h, guid, out, agent, 0, efi.OpenProtocolTestProtocol)
		}},
	})
}
