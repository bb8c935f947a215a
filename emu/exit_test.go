// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

// app loads and starts an application.
func app(g *guest, f func(*guest) efi.Status) (efi.Status, []byte) {
	g.T.Helper()
	return startImage(g, loadBuffer(g, newImage(g, pecoff.Application, f)))
}

// exit calls Exit, which must not return.
func exit(g *guest, status efi.Status) {
	g.T.Helper()
	g.T.Fatalf("Exit = %v", g.Boot("Exit", g.Image, status, 0, 0).String())
}

func TestExit(t *testing.T) { // §7.4.5
	playAll(t, []scene{
		{"with data", func(g *guest) {
			status, data := app(g, func(g *guest) efi.Status {
				text := efi.EncodeString("out of cheese")
				at := local[efi.Addr](g, 0)
				expect(g, efi.Success, "AllocatePool", efi.BootServicesData, len(text), at)
				if err := g.Memory().Write(load(g, at), text); err != nil {
					g.T.Fatal(err)
				}
				g.T.Fatalf("Exit = %v", g.Boot("Exit", g.Image, efi.DeviceError, len(text), load(g, at)))
				return 0
			})
			same(g, "status", status, efi.DeviceError)
			same(g, "exit data", efi.DecodeString(data), "out of cheese")
		}},
		{"with a warning", func(g *guest) {
			status, _ := app(g, func(g *guest) efi.Status {
				exit(g, efi.WarnStaleData)
				return 0
			})
			same(g, "status", status, efi.WarnStaleData)
		}},
		{"nested", func(g *guest) {
			var got []string
			status, _ := app(g, func(g *guest) efi.Status {
				status, _ := app(g, func(g *guest) efi.Status {
					outer := load(g, loadedImage(g, g.Image)).ParentHandle
					expect(g, efi.InvalidParameter, "Exit", outer, 0, 0, 0)
					status, _ := app(g, func(g *guest) efi.Status {
						exit(g, efi.Timeout)
						return 0
					})
					got = append(got, status.String())
					exit(g, efi.NoMedia)
					return 0
				})
				got = append(got, status.String())
				return efi.Aborted
			})
			got = append(got, status.String())
			if want := []string{"TIMEOUT", "NO_MEDIA", "ABORTED"}; !slices.Equal(got, want) {
				g.T.Fatalf("%q, want %q", got, want)
			}
		}},
		{"inside of a notification", func(g *guest) {
			after := false
			status, _ := app(g, func(g *guest) efi.Status {
				self := g.Image
				e := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, func(g *guest) {
					g.Image = self
					exit(g, efi.EndOfFile)
				})
				g.Boot("SignalEvent", e)
				after = true
				return 0
			})
			same(g, "status", status, efi.EndOfFile)
			same(g, "that SignalEvent returned", after, false)
			same(g, "TPL", tplNow(g), efi.TPLApplication)
		}},
		{"inside of a service that waits for the guest", func(g *guest) {
			status, _ := app(g, func(g *guest) efi.Status {
				self := g.Image
				install(g, binding{start: func(g *guest) efi.Status {
					g.Image = self
					exit(g, efi.NoMapping)
					return 0
				}})
				g.T.Fatalf("ConnectController = %v", g.Boot("ConnectController", newHandle(g, other, 0), 0, 0, efi.False))
				return 0
			})
			same(g, "status", status, efi.NoMapping)
			expect(g, efi.Success, "Stall", 1)
		}},
		{"under a notification under a service", func(g *guest) {
			ends := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, func(*guest) {})
			same(g, "TPL", tplNow(g), efi.TPLApplication)
			var self efi.Handle
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
				expect(g, efi.Success, "SignalEvent", ends)
				g.Image = self
				exit(g, efi.ProtocolError)
			})
			status, _ := app(g, func(g *guest) efi.Status {
				self = g.Image
				install(g, binding{start: func(g *guest) efi.Status {
					g.T.Fatalf("SignalEvent = %v", g.Boot("SignalEvent", e))
					return 0
				}})
				g.T.Fatalf("ConnectController = %v", g.Boot("ConnectController", newHandle(g, other, 0), 0, 0, efi.False))
				return 0
			})
			same(g, "status", status, efi.ProtocolError)
			same(g, "TPL", tplNow(g), efi.TPLApplication)
		}},
		{"what waits is delivered behind it", func(g *guest) {
			var got []string
			e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) { got = append(got, "notified") })
			app(g, func(g *guest) efi.Status {
				g.Boot("RaiseTPL", efi.TPLNotify)
				expect(g, efi.Success, "SignalEvent", e)
				got = append(got, "exits")
				exit(g, 0)
				return 0
			})
			if !slices.Equal(got, []string{"exits", "notified"}) {
				g.T.Fatalf("%q", got)
			}
		}},
	})
}

// An image that returns to a bad ExitDataSize has run all the same.
func TestExitDataNowhere(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		ran := false
		h := loadBuffer(g, newImage(g, pecoff.Application, func(g *guest) efi.Status { ran = true; return 0 }))
		expect(g, efi.InvalidParameter, "StartImage", h, uint64(1)<<60, 0)
		same(g, "that it ran", ran, true)
	})
}

func TestRootImage(t *testing.T) {
	for _, row := range []struct {
		name string
		f    func(*guest) efi.Status
		want emu.ExitError
	}{
		{"returns", func(g *guest) efi.Status { return efi.NotFound }, emu.ExitError{Image: "guest", Status: efi.NotFound}},
		{"exits", func(g *guest) efi.Status { exit(g, efi.Success); return 0 }, emu.ExitError{Image: "guest"}},
		{"exits with data", func(g *guest) efi.Status {
			at := g.Text("no\nluck")
			g.Boot("Exit", g.Image, efi.Aborted, 16, at)
			return 0
		}, emu.ExitError{Image: "guest", Status: efi.Aborted, Data: "no\nluck"}},
		{"exits with data nowhere", func(g *guest) efi.Status {
			g.Boot("Exit", g.Image, efi.Aborted, ^uint64(0), efi.Addr(1)<<60)
			return 0
		}, emu.ExitError{Image: "guest", Status: efi.Aborted}},
		{"exits inside of a notification", func(g *guest) efi.Status {
			e := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, func(g *guest) { exit(g, efi.CRCError) })
			g.Boot("SignalEvent", e)
			return 0
		}, emu.ExitError{Image: "guest", Status: efi.CRCError}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := emutest.Go(t, emu.Config{}, nil, row.f)
			if got, ok := err.(*emu.ExitError); !ok || *got != row.want {
				t.Errorf("%#v, want %#v", err, row.want)
			}
		})
	}
}

// binding is a driver of the guest's (§11.1). Functions that are nil succeed.
type binding struct {
	version                uint32
	image                  efi.Handle
	supported, start, stop func(*guest) efi.Status
}

// install puts a driver binding on a handle of its own.
func install(g *guest, b binding) (driver efi.Handle) {
	g.T.Helper()
	fn := func(f func(*guest) efi.Status) uint64 {
		return uint64(g.Func(func(g *guest) uint64 {
			if f == nil {
				return 0
			}
			return uint64(f(g))
		}))
	}
	at := local[efi.Addr](g, 0)
	expect(g, efi.Success, "AllocatePool", efi.BootServicesData, 48, at)
	this := load(g, at)
	driver = newHandle(g, efi.DriverBindingProtocolGUID, this)
	words := [6]uint64{fn(b.supported), fn(b.start), fn(b.stop), uint64(b.version), uint64(b.image), uint64(driver)}
	puppet.Store(g.Thread, efi.Ptr[[6]uint64](this), words)
	return driver
}
