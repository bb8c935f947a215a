// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"hash/crc32"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

type guest = emutest.Guest

// start is the time at which the tests' virtual clocks start.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// other is a GUID that nothing else uses.
var other = efi.GUID{Data1: 0x0badcafe, Data2: 1, Data3: 2, Data4: [8]byte{3, 4, 5, 6, 7, 8, 9, 10}}

// play boots f as an image of a machine with a virtual clock, which must then
// return from its entry point.
func play(t *testing.T, cfg emu.Config, f func(*guest)) {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = emu.VirtualClock(start)
	}
	_, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
		f(g)
		return efi.Success
	})
	wantSuccess(t, err)
}

// wantSuccess checks what Boot returned: that the image came to its end.
func wantSuccess(t *testing.T, err error) {
	t.Helper()
	var exit *emu.ExitError
	if !errors.As(err, &exit) || exit.Status != efi.Success {
		t.Fatalf("the boot ended with: %v", err)
	}
}

// scene is a row of a table of tests that are guests.
type scene struct {
	name string
	play func(*guest)
}

// playAll plays each scene on a machine of its own, on each architecture.
func playAll(t *testing.T, scenes []scene) {
	t.Helper()
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		for _, s := range scenes {
			t.Run(arch.String()+"/"+s.name, func(t *testing.T) { play(t, emu.Config{Arch: arch}, s.play) })
		}
	}
}

// expect calls a boot service and fails the test unless it returns want.
func expect(g *guest, want efi.Status, service string, args ...any) {
	g.T.Helper()
	if got := g.Boot(service, args...); got != want {
		g.T.Fatalf("%s = %v, want %v", service, got.String(), want.String())
	}
}

// expectRuntime is expect for a runtime service.
func expectRuntime(g *guest, want efi.Status, service string, args ...any) {
	g.T.Helper()
	if got := g.Runtime(service, args...); got != want {
		g.T.Fatalf("%s = %v, want %v", service, got.String(), want.String())
	}
}

// same fails the test unless got is want.
func same[T comparable](g *guest, what string, got, want T) {
	g.T.Helper()
	if got != want {
		g.T.Fatalf("%s is %v, want %v", what, got, want)
	}
}

// local is a variable on the guest's stack.
func local[T any](g *guest, v T) efi.Ptr[T] {
	p := efi.Ptr[T](g.Local(64))
	puppet.Store(g.Thread, p, v)
	return p
}

func load[T any](g *guest, p efi.Ptr[T]) T { return puppet.Load(g.Thread, p) }

// word reads 8 bytes anywhere.
func word(g *guest, a efi.Addr) uint64 { return load(g, efi.Ptr[uint64](a)) }

// rewind notes how much of the stack is in use; what it returns goes back there.
func rewind(g *guest) func() {
	sp := &g.Regs().GP[g.Arch().ABI().Stack]
	before := *sp
	return func() { *sp = before }
}

// newHandle makes a handle with one protocol.
func newHandle(g *guest, guid efi.GUID, at efi.Addr) efi.Handle {
	g.T.Helper()
	defer rewind(g)()
	h := local[efi.Handle](g, 0)
	expect(g, efi.Success, "InstallProtocolInterface", h, g.GUID(guid), efi.NativeInterface, at)
	return load(g, h)
}

// newEvent makes an event with a notification function, or without for nil.
func newEvent(g *guest, t efi.EventType, tpl efi.TPL, notify func(*guest)) efi.Event {
	g.T.Helper()
	defer rewind(g)()
	e, fn := local[efi.Event](g, 0), efi.Addr(0)
	if notify != nil {
		fn = g.Func(func(g *guest) uint64 { notify(g); return 0 })
	}
	expect(g, efi.Success, "CreateEvent", t, tpl, fn, 0, e)
	return load(g, e)
}

// newImage is the file of an image whose entry point is f, which finds its own
// handle in Image.
func newImage(g *guest, kind pecoff.Subsystem, f func(*guest) efi.Status) []byte {
	g.T.Helper()
	at := g.Func(func(g *guest) uint64 {
		g.Image = efi.Handle(g.Arg(0))
		return uint64(f(g))
	})
	code, err := g.Memory().Read(at, puppet.CodeSize)
	if err != nil {
		g.T.Fatal(err)
	}
	machine := pecoff.AMD64
	if g.Arch() == cpu.ARM64 {
		machine = pecoff.ARM64
	}
	return petest.Image{
		Machine: machine, Subsystem: kind, Entry: 0x1000,
		Sections: []petest.Section{{Name: ".text", VirtualAddress: 0x1000, Data: code}},
	}.Bytes()
}

// loadBuffer loads an image from memory.
func loadBuffer(g *guest, file []byte) efi.Handle {
	g.T.Helper()
	defer rewind(g)()
	h := local[efi.Handle](g, 0)
	expect(g, efi.Success, "LoadImage", 0, g.Image, 0, g.Bytes(file), len(file), h)
	return load(g, h)
}

// startImage starts an image and returns its status and exit data.
func startImage(g *guest, h efi.Handle) (efi.Status, []byte) {
	g.T.Helper()
	size, data := local[uint64](g, 0), local[efi.Addr](g, 0)
	status := g.Boot("StartImage", h, size, data)
	raw, err := g.Memory().Read(load(g, data), load(g, size))
	if err != nil {
		g.T.Fatal(err)
	}
	return status, append([]byte(nil), raw...)
}

// loadedImage is an image's LoadedImage structure.
func loadedImage(g *guest, h efi.Handle) efi.Ptr[efi.LoadedImage] {
	g.T.Helper()
	at, status := g.Protocol(h, efi.LoadedImageProtocolGUID)
	same(g, "LoadedImage", status, efi.Success)
	return efi.Ptr[efi.LoadedImage](at)
}

// memoryMap is GetMemoryMap with enough room.
func memoryMap(g *guest) (descs []efi.MemoryDescriptor, key uint64) {
	g.T.Helper()
	defer rewind(g)()
	const room = 0x6000
	size, keyAt := local[uint64](g, room), local[uint64](g, 0)
	stride, version := local[uint64](g, 0), local[uint32](g, 0)
	buffer := g.Local(room)
	expect(g, efi.Success, "GetMemoryMap", size, buffer, keyAt, stride, version)
	same(g, "version", load(g, version), efi.MemoryDescriptorVersion)
	for at := uint64(0); at < load(g, size); at += load(g, stride) {
		descs = append(descs, load(g, efi.Ptr[efi.MemoryDescriptor](uint64(buffer)+at)))
	}
	return descs, load(g, keyAt)
}

// checkTable fails the test unless the CRC of the table at a is right.
func checkTable(g *guest, a efi.Addr) {
	g.T.Helper()
	header := load(g, efi.Ptr[efi.TableHeader](a))
	raw, err := g.Memory().Read(a, uint64(header.HeaderSize))
	if err != nil {
		g.T.Fatal(err)
	}
	raw = append([]byte(nil), raw...)
	clear(raw[16:20])
	same(g, "CRC32", header.CRC32, crc32.ChecksumIEEE(raw))
}

// exitBootServices gets the map and exits.
func exitBootServices(g *guest) {
	g.T.Helper()
	_, key := memoryMap(g)
	g.T.Fatalf("ExitBootServices = %v", g.Boot("ExitBootServices", g.Image, key).String())
}
