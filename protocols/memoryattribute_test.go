// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"errors"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_MEMORY_ATTRIBUTE_PROTOCOL (§37.7).
const (
	slotGetAttributes = iota
	slotSetAttributes
	slotClearAttributes
)

// pages allocates some for the guest.
func (g *guestProgram) pages(t *testing.T, n uint64) uint64 {
	t.Helper()
	out := g.word(0)
	g.want(t, "AllocatePages", g.call(g.bs.AllocatePages, uint64(efi.AllocateAnyPages), uint64(efi.LoaderData), n, uint64(out)), efi.Success)
	return puppet.Load(g.Thread, out)
}

func TestMemoryAttribute(t *testing.T) {
	runGuest(t, install(protocols.MemoryAttribute()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.MemoryAttributeProtocolGUID)
		at, out := g.pages(t, 4), g.word(0)
		const page = efi.PageSize
		get := func(base, length uint64, want efi.Status) efi.MemoryAttribute {
			t.Helper()
			g.want(t, "GetMemoryAttributes", g.method(this, slotGetAttributes, base, length, uint64(out)), want)
			return efi.MemoryAttribute(puppet.Load(g.Thread, out))
		}
		change := func(slot int, base, length uint64, a efi.MemoryAttribute, want efi.Status) {
			t.Helper()
			g.want(t, "change", g.method(this, slot, base, length, uint64(a)), want)
		}
		if a := get(at, 4*page, efi.Success); a != 0 {
			t.Errorf("at first: %v", a)
		}
		change(slotSetAttributes, at+page, 2*page, efi.MemoryRO, efi.Success)
		change(slotSetAttributes, at+2*page, 2*page, efi.MemoryXP, efi.Success)
		get(at, 4*page, efi.NoMapping)
		for i, want := range []efi.MemoryAttribute{0, efi.MemoryRO, efi.MemoryRO | efi.MemoryXP, efi.MemoryXP} {
			if a := get(at+uint64(i)*page, page, efi.Success); a != want {
				t.Errorf("page %d: %v, want %v", i, a, want)
			}
		}
		if err := g.Memory().Write(efi.Addr(at+page), []byte{1}); !errors.As(err, new(*mem.FaultError)) {
			t.Errorf("writing to what is read-only: %v", err)
		}
		change(slotClearAttributes, at, 4*page, efi.MemoryRO, efi.Success)
		if err := g.Memory().Write(efi.Addr(at+page), []byte{1}); err != nil {
			t.Error(err)
		}
		if a := get(at+2*page, 2*page, efi.Success); a != efi.MemoryXP {
			t.Errorf("then %v", a)
		}
		change(slotSetAttributes, at, page, efi.MemoryRP, efi.Success)
		if _, err := g.Memory().Read(efi.Addr(at), 1); !errors.As(err, new(*mem.FaultError)) {
			t.Errorf("reading what may not be read: %v", err)
		}
		change(slotClearAttributes, at, 4*page, efi.MemoryRP|efi.MemoryXP|efi.MemoryRO, efi.Success)
		if a := get(at, 4*page, efi.Success); a != 0 {
			t.Errorf("at last: %v", a)
		}

		for _, r := range [][2]uint64{{at + 1, page}, {at, page - 1}, {at, 0}, {^uint64(page - 1), 2 * page}} {
			get(r[0], r[1], efi.InvalidParameter)
			change(slotSetAttributes, r[0], r[1], efi.MemoryXP, efi.InvalidParameter)
		}
		get(1<<50, page, efi.Unsupported)
		change(slotSetAttributes, 1<<50, page, efi.MemoryXP, efi.Unsupported)
		change(slotSetAttributes, at, page, 0, efi.InvalidParameter)
		change(slotSetAttributes, at, page, efi.MemoryWB, efi.InvalidParameter)
		gates := uint64(g.bs.AllocatePages) &^ (page - 1)
		change(slotClearAttributes, gates, page, efi.MemoryRO, efi.AccessDenied)
		if a := get(gates, page, efi.Success); a != efi.MemoryRO {
			t.Errorf("the gates: %v", a)
		}
		g.wantWild(t, "GetMemoryAttributes", g.slot(this, slotGetAttributes), []uint64{uint64(this), at, page, uint64(out)}, 0, 3)
		g.wantWild(t, "SetMemoryAttributes", g.slot(this, slotSetAttributes), []uint64{uint64(this), at, page, uint64(efi.MemoryXP)}, 0)
	})
}

// A guest that protects every second page comes to an end of it.
func TestMemoryAttributeIsBounded(t *testing.T) {
	wantExit(t, bootWith(t, emu.Config{Arch: cpu.AMD64}, install(protocols.MemoryAttribute()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.MemoryAttributeProtocolGUID)
		const n = 3000
		at := g.pages(t, n)
		for i := uint64(0); i < n; i += 2 {
			switch status := g.method(this, slotSetAttributes, at+i*efi.PageSize, efi.PageSize, uint64(efi.MemoryRO)); status {
			case efi.Success:
			case efi.OutOfResources:
				return
			default:
				t.Fatal(status)
			}
		}
		t.Error("there is no end")
	}))
}
