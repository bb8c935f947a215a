// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// busDriver is a driver of the guest's that opens a protocol of its controllers
// and, with a child, makes one. It notes in log what it is asked.
type busDriver struct {
	name  string
	child bool
	fails efi.Status // of Start
	stays efi.Status // of Stop
	log   *[]string
	self  efi.Handle
	made  map[efi.Handle]efi.Handle // child of each controller
}

func (d *busDriver) note(format string, args ...any) {
	*d.log = append(*d.log, d.name+" "+fmt.Sprintf(format, args...))
}

func (d *busDriver) install(g *guest, version uint32, image efi.Handle) {
	d.made = map[efi.Handle]efi.Handle{}
	d.self = install(g, binding{
		version: version, image: image,
		supported: func(g *guest) efi.Status {
			out := local[efi.Addr](g, 0)
			h := efi.Handle(g.Arg(1))
			status := g.Boot("OpenProtocol", h, g.GUID(other), out, d.self, h, efi.OpenProtocolByDriver)
			if status == efi.Success {
				expect(g, efi.Success, "CloseProtocol", h, g.GUID(other), d.self, h)
			}
			return status
		},
		start: func(g *guest) efi.Status {
			h, out := efi.Handle(g.Arg(1)), local[efi.Addr](g, 0)
			d.note("starts")
			if d.fails != 0 {
				return d.fails
			}
			expect(g, efi.Success, "OpenProtocol", h, g.GUID(other), out, d.self, h, efi.OpenProtocolByDriver)
			if d.child {
				d.made[h] = newHandle(g, guidN(1), 0)
				expect(g, efi.Success, "OpenProtocol", h, g.GUID(other), out, d.self, d.made[h], efi.OpenProtocolByChildController)
			}
			return 0
		},
		stop: func(g *guest) efi.Status {
			h, n := efi.Handle(g.Arg(1)), g.Arg(2)
			d.note("stops with %d", n)
			if d.stays != 0 {
				return d.stays
			}
			if n == 0 {
				expect(g, efi.Success, "CloseProtocol", h, g.GUID(other), d.self, h)
				return 0
			}
			same(g, "the child to stop", efi.Handle(word(g, efi.Addr(g.Arg(3)))), d.made[h])
			expect(g, efi.Success, "CloseProtocol", h, g.GUID(other), d.self, d.made[h])
			expect(g, efi.Success, "UninstallProtocolInterface", d.made[h], g.GUID(guidN(1)), 0)
			return 0
		},
	})
}

func TestConnectController(t *testing.T) { // §7.3.12
	var log []string
	logged := func(g *guest, want ...string) {
		g.T.Helper()
		if !slices.Equal(log, want) {
			g.T.Fatalf("%q, want %q", log, want)
		}
		log = nil
	}
	playAll(t, []scene{
		{"nobody", func(g *guest) {
			expect(g, efi.NotFound, "ConnectController", newHandle(g, other, 0), 0, 0, efi.True)
			expect(g, efi.InvalidParameter, "ConnectController", 0, 0, 0, efi.True)
			expect(g, efi.InvalidParameter, "ConnectController", newHandle(g, other, 0), 0x10, 0, efi.True)
		}},
		{"the highest version", func(g *guest) {
			a, b := &busDriver{name: "old", log: &log}, &busDriver{name: "new", log: &log}
			a.install(g, 1, 0)
			b.install(g, 2, 0)
			h := newHandle(g, other, 0)
			expect(g, efi.Success, "ConnectController", h, 0, 0, efi.False)
			logged(g, "new starts")
			expect(g, efi.NotFound, "ConnectController", h, 0, 0, efi.False)
			logged(g)
		}},
		{"the caller's choice", func(g *guest) {
			a, b := &busDriver{name: "old", log: &log}, &busDriver{name: "new", log: &log}
			a.install(g, 1, g.Image)
			b.install(g, 2, 0)
			expect(g, efi.Success, "ConnectController", newHandle(g, other, 0), local(g, [2]efi.Handle{g.Image}), 0, efi.False)
			logged(g, "old starts")
		}},
		{"one that fails", func(g *guest) {
			a, b := &busDriver{name: "old", log: &log}, &busDriver{name: "new", log: &log, fails: efi.DeviceError}
			b.install(g, 2, 0)
			h := newHandle(g, other, 0)
			expect(g, efi.NotFound, "ConnectController", h, 0, 0, efi.False)
			a.install(g, 1, 0)
			expect(g, efi.Success, "ConnectController", h, 0, 0, efi.False)
			logged(g, "new starts", "new starts", "old starts")
		}},
		{"the remaining device path", func(g *guest) {
			path := g.Bytes(efi.DevicePath{efi.FilePath("x")}.Bytes())
			var got [2]uint64
			install(g, binding{
				supported: func(g *guest) efi.Status { got[0] = g.Arg(2); return 0 },
				start:     func(g *guest) efi.Status { got[1] = g.Arg(2); return 0 },
			})
			expect(g, efi.Success, "ConnectController", newHandle(g, other, 0), 0, path, efi.False)
			same(g, "what the driver got", got, [2]uint64{uint64(path), uint64(path)})
		}},
		{"children", func(g *guest) {
			bus := &busDriver{name: "bus", child: true, log: &log}
			bus.install(g, 1, 0)
			leaf := install(g, binding{
				supported: func(g *guest) efi.Status {
					_, status := g.Protocol(efi.Handle(g.Arg(1)), guidN(1))
					return status
				},
				start: func(g *guest) efi.Status { log = append(log, "leaf starts"); return 0 },
			})
			_ = leaf
			expect(g, efi.Success, "ConnectController", newHandle(g, other, 0), 0, 0, efi.False)
			logged(g, "bus starts")
			expect(g, efi.Success, "ConnectController", newHandle(g, other, 0), 0, 0, efi.True)
			logged(g, "bus starts", "leaf starts")
		}},
		{"children of each other", func(g *guest) {
			n := 40
			var hs []efi.Handle
			for range n {
				hs = append(hs, newHandle(g, other, 0))
			}
			guid, out := g.GUID(other), local[efi.Addr](g, 0)
			for _, a := range hs {
				for _, b := range hs {
					if a != b {
						expect(g, efi.Success, "OpenProtocol", a, guid, out, hs[0], b, efi.OpenProtocolByChildController)
					}
				}
			}
			asked := 0
			install(g, binding{supported: func(g *guest) efi.Status { asked++; return efi.Unsupported }})
			expect(g, efi.NotFound, "ConnectController", hs[0], 0, 0, efi.True)
			same(g, "times asked", asked, n)
		}},
	})
}

func TestDisconnectController(t *testing.T) { // §7.3.13
	var log []string
	logged := func(g *guest, want ...string) {
		g.T.Helper()
		if !slices.Equal(log, want) {
			g.T.Fatalf("%q, want %q", log, want)
		}
		log = nil
	}
	connected := func(g *guest, d *busDriver) efi.Handle {
		log = nil
		d.install(g, 1, 0)
		h := newHandle(g, other, 0)
		expect(g, efi.Success, "ConnectController", h, 0, 0, efi.False)
		logged(g, d.name+" starts")
		return h
	}
	playAll(t, []scene{
		{"all", func(g *guest) {
			h := connected(g, &busDriver{name: "bus", child: true, log: &log})
			expect(g, efi.Success, "DisconnectController", h, 0, 0)
			logged(g, "bus stops with 1", "bus stops with 0")
			expect(g, efi.Success, "DisconnectController", h, 0, 0)
			logged(g)
			expect(g, efi.Success, "UninstallProtocolInterface", h, g.GUID(other), 0)
		}},
		{"the only child", func(g *guest) {
			bus := &busDriver{name: "bus", child: true, log: &log}
			h := connected(g, bus)
			expect(g, efi.Success, "DisconnectController", h, bus.self, bus.made[h])
			logged(g, "bus stops with 1", "bus stops with 0")
		}},
		{"nobody's child", func(g *guest) {
			bus := &busDriver{name: "bus", child: true, log: &log}
			h := connected(g, bus)
			expect(g, efi.Success, "DisconnectController", h, bus.self, g.Image)
			expect(g, efi.Success, "DisconnectController", h, g.Image, 0)
			expect(g, efi.InvalidParameter, "DisconnectController", h, 8, 0)
			expect(g, efi.InvalidParameter, "DisconnectController", h, 0, 8)
			expect(g, efi.InvalidParameter, "DisconnectController", 0, 0, 0)
			logged(g)
		}},
		{"one that stays", func(g *guest) {
			bus := &busDriver{name: "bus", stays: efi.Unsupported, log: &log}
			h := connected(g, bus)
			expect(g, efi.DeviceError, "DisconnectController", h, 0, 0)
			expect(g, efi.AccessDenied, "UninstallProtocolInterface", h, g.GUID(other), 0)
			expect(g, efi.AccessDenied, "ReinstallProtocolInterface", h, g.GUID(other), 0, 0)
			expect(g, efi.InvalidParameter, "UninstallMultipleProtocolInterfaces", h, g.GUID(other), 0, 0)
			_, status := g.Protocol(h, other)
			same(g, "status", status, efi.Success)
		}},
		{"by uninstalling", func(g *guest) {
			h := connected(g, &busDriver{name: "bus", log: &log})
			expect(g, efi.Success, "UninstallProtocolInterface", h, g.GUID(other), 0)
			logged(g, "bus stops with 0")
		}},
		{"by reinstalling", func(g *guest) {
			h := connected(g, &busDriver{name: "bus", log: &log})
			expect(g, efi.Success, "ReinstallProtocolInterface", h, g.GUID(other), 0, 0x1000)
			logged(g, "bus stops with 0", "bus starts")
		}},
		{"by opening exclusively", func(g *guest) {
			h := connected(g, &busDriver{name: "bus", log: &log})
			out := local[efi.Addr](g, 0)
			expect(g, efi.Success, "OpenProtocol", h, g.GUID(other), out, g.Image, 0, efi.OpenProtocolExclusive)
			logged(g, "bus stops with 0")
			expect(g, efi.NotFound, "ConnectController", h, 0, 0, efi.False)
		}},
	})
}

// A driver takes the protocol with it when it stops: nobody gets what is gone.
func TestProtocolGoesWithItsDriver(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		h := newHandle(g, other, 0x1000)
		var driver efi.Handle
		driver = install(g, binding{
			start: func(g *guest) efi.Status {
				return g.Boot("OpenProtocol", h, g.GUID(other), local[efi.Addr](g, 0), driver, h, efi.OpenProtocolByDriver)
			},
			stop: func(g *guest) efi.Status {
				expect(g, efi.Success, "CloseProtocol", h, g.GUID(other), driver, h)
				return g.Boot("UninstallProtocolInterface", h, g.GUID(other), 0x1000)
			},
		})
		expect(g, efi.Success, "ConnectController", h, 0, 0, efi.False)
		out := local[efi.Addr](g, 0)
		expect(g, efi.Unsupported, "OpenProtocol", h, g.GUID(other), out, g.Image, 0, efi.OpenProtocolExclusive)
		same(g, "interface", load(g, out), 0)
	})
}
