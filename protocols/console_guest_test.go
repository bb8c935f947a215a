// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// guestProgram is the guest of a test: an image whose entry point is a Go
// function, and what it needs to call interfaces as compiled code does, through
// the addresses in their structures.
type guestProgram struct {
	*puppet.Thread
	image efi.Handle
	st    efi.SystemTable
	bs    efi.BootServices
}

// runGuest runs body as an image, to its end, on each architecture; setup
// prepares its machine.
func runGuest(t *testing.T, setup func(*testing.T, *emu.Machine), body func(*testing.T, *guestProgram)) {
	t.Helper()
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			wantExit(t, bootWith(t, emu.Config{Arch: arch}, setup, body))
		})
	}
}

// wantExit checks what Boot returned: that the image came to its end.
func wantExit(t *testing.T, err error) {
	t.Helper()
	var exit *emu.ExitError
	if !errors.As(err, &exit) || exit.Status != efi.Success {
		t.Fatalf("Boot: %v", err)
	}
}

// bootWith boots a guest whose entry point is body, and fills in what
// cfg lacks.
func bootWith(t *testing.T, cfg emu.Config, setup func(*testing.T, *emu.Machine), body func(*testing.T, *guestProgram)) error {
	t.Helper()
	var p puppet.Puppet
	code := p.Func(func(th *puppet.Thread) uint64 {
		g := &guestProgram{Thread: th, image: efi.Handle(th.Arg(0))}
		g.st = puppet.Load(th, efi.Ptr[efi.SystemTable](th.Arg(1)))
		g.bs = puppet.Load(th, g.st.BootServices)
		body(t, g)
		return 0
	})
	cfg.Engine, cfg.MemoryMap = p.New, emu.Layout(cfg.Arch, 16<<20)
	m, err := emu.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	setup(t, m)
	_, err = m.Boot(context.Background(), bytes.NewReader(guestImage(cfg.Arch, code)), emu.BootOptions{})
	return err
}

// guestImage is an image whose entry point is a puppet's function.
func guestImage(arch cpu.Arch, code [puppet.CodeSize]byte) []byte {
	machine := pecoff.AMD64
	if arch == cpu.ARM64 {
		machine = pecoff.ARM64
	}
	return petest.Image{Machine: machine, Sections: []petest.Section{{Name: ".text", Data: code[:]}}}.Bytes()
}

// install is a setup that puts interfaces on one handle.
func install(interfaces ...emu.Interface) func(*testing.T, *emu.Machine) {
	return func(t *testing.T, m *emu.Machine) {
		t.Helper()
		if _, err := m.Install(0, interfaces...); err != nil {
			t.Fatal(err)
		}
	}
}

// call calls a function of the machine's.
func (g *guestProgram) call(fn efi.Addr, args ...uint64) efi.Status {
	return efi.Status(g.Call(fn, args...))
}

// method calls the function in a slot of an interface, with the interface as the
// first argument.
func (g *guestProgram) method(this efi.Addr, slot int, args ...uint64) efi.Status {
	return g.call(g.slot(this, slot), append([]uint64{uint64(this)}, args...)...)
}

func (g *guestProgram) slot(this efi.Addr, slot int) efi.Addr {
	return puppet.Load(g.Thread, efi.Ptr[efi.Addr](this)+efi.Ptr[efi.Addr](8*slot))
}

// put puts bytes on the guest's stack.
func (g *guestProgram) put(b []byte) uint64 {
	at := g.Local(uint64(len(b)))
	if err := g.Memory().Write(at, b); err != nil {
		panic(err)
	}
	return uint64(at)
}

func (g *guestProgram) text(s string) uint64 { return g.put(efi.EncodeString(s)) }

func (g *guestProgram) guid(guid efi.GUID) uint64 {
	b := guid.Bytes()
	return g.put(b[:])
}

func (g *guestProgram) path(p efi.DevicePath) uint64 { return g.put(p.Bytes()) }

func (g *guestProgram) word(v uint64) efi.Ptr[uint64] {
	at := efi.Ptr[uint64](g.Local(8))
	puppet.Store(g.Thread, at, v)
	return at
}

// bytes is memory of the guest's, copied.
func (g *guestProgram) bytes(at, n uint64) []byte {
	b, err := g.Memory().Read(efi.Addr(at), n)
	if err != nil {
		panic(err)
	}
	return bytes.Clone(b)
}

// string is the UTF-16 string at at.
func (g *guestProgram) string(at uint64) string {
	b, err := g.Memory().String16(efi.Addr(at), 4096)
	if err != nil {
		panic(err)
	}
	return efi.DecodeString(b)
}

// locate finds an interface by its protocol.
func (g *guestProgram) locate(t *testing.T, guid efi.GUID) efi.Addr {
	t.Helper()
	out := g.word(0)
	g.want(t, "LocateProtocol", g.call(g.bs.LocateProtocol, g.guid(guid), 0, uint64(out)), efi.Success)
	return efi.Addr(puppet.Load(g.Thread, out))
}

func (g *guestProgram) want(t *testing.T, what string, got, want efi.Status) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// wildPointers are addresses at which a guest has no memory: NULL, what runs over
// the end of RAM, what is no address.
func (g *guestProgram) wildPointers() []uint64 {
	ranges := g.Memory().Ranges()
	last := uint64(ranges[len(ranges)-1].End - 1)
	return []uint64{0, 1, last, last + 1, 0x7fff_ffff_f000, 0x8000_0000_0000, 1 << 63, ^uint64(0), ^uint64(7)}
}

// wantWild calls fn with each of the arguments numbered by pointers replaced by
// each of the wild pointers: all of these calls must fail.
func (g *guestProgram) wantWild(t *testing.T, what string, fn efi.Addr, args []uint64, pointers ...int) {
	t.Helper()
	g.wantFailures(t, what, fn, args, g.wildPointers(), pointers)
}

// wantReadOnly does so for arguments that are written to, with an address that
// can only be read: that of the function.
func (g *guestProgram) wantReadOnly(t *testing.T, what string, fn efi.Addr, args []uint64, pointers ...int) {
	t.Helper()
	g.wantFailures(t, what, fn, args, []uint64{uint64(fn)}, pointers)
}

func (g *guestProgram) wantFailures(t *testing.T, what string, fn efi.Addr, args, wild []uint64, pointers []int) {
	t.Helper()
	for _, i := range pointers {
		for _, p := range wild {
			bad := append([]uint64(nil), args...)
			bad[i] = p
			if status := g.call(fn, bad...); !status.IsError() {
				t.Errorf("%s: argument %d is %#x: %v", what, i, p, status)
			}
		}
	}
}
