// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_RNG_PROTOCOL (§37.5).
const (
	slotGetInfo = iota
	slotGetRNG
)

func TestRNGGetInfo(t *testing.T) {
	runGuest(t, install(protocols.RNG()), func(t *testing.T, g *guestProgram) {
		rng := g.locate(t, efi.RNGProtocolGUID)
		ctr, raw := efi.RNGAlgorithmSP80090CTR256GUID.Bytes(), efi.RNGAlgorithmRawGUID.Bytes()
		want := append(ctr[:], raw[:]...)
		for _, test := range []struct {
			room   uint64
			list   uint64
			status efi.Status
		}{
			{0, 0, efi.BufferTooSmall},
			{31, uint64(g.Local(32)), efi.BufferTooSmall},
			{32, 0, efi.InvalidParameter},
			{32, uint64(g.Local(32)), efi.Success},
			{1 << 40, uint64(g.Local(32)), efi.Success},
		} {
			size := g.word(test.room)
			g.want(t, "GetInfo", g.method(rng, slotGetInfo, uint64(size), test.list), test.status)
			if n := puppet.Load(g.Thread, size); n != 32 {
				t.Errorf("room for %d: the size is %d", test.room, n)
			}
			if test.status == efi.Success && !bytes.Equal(g.bytes(test.list, 32), want) {
				t.Errorf("the list is %x", g.bytes(test.list, 32))
			}
		}
	})
}

func TestRNGGetRNG(t *testing.T) {
	runGuest(t, install(protocols.RNG()), func(t *testing.T, g *guestProgram) {
		rng := g.locate(t, efi.RNGProtocolGUID)
		for what, algorithm := range map[string]uint64{
			"the default": 0, "CTR": g.guid(efi.RNGAlgorithmSP80090CTR256GUID), "raw": g.guid(efi.RNGAlgorithmRawGUID),
		} {
			at := uint64(g.Local(40))
			g.want(t, what, g.method(rng, slotGetRNG, algorithm, 32, at), efi.Success)
			got := g.bytes(at, 40)
			if bytes.Equal(got[:32], make([]byte, 32)) || !bytes.Equal(got[32:], make([]byte, 8)) {
				t.Errorf("%s: got %x", what, got)
			}
		}
		at := uint64(g.Local(8))
		g.want(t, "an algorithm of others", g.method(rng, slotGetRNG, g.guid(efi.RNGAlgorithmX931AESGUID), 8, at), efi.Unsupported)
		g.want(t, "no bytes", g.method(rng, slotGetRNG, 0, 0, at), efi.InvalidParameter)
		g.want(t, "no buffer", g.method(rng, slotGetRNG, 0, 8, 0), efi.InvalidParameter)
		g.want(t, "too many bytes", g.method(rng, slotGetRNG, 0, 1<<20+1, at&^0xfff-2<<20), efi.InvalidParameter)
		g.want(t, "far too many bytes", g.method(rng, slotGetRNG, 0, 1<<63, at), efi.InvalidParameter)

		args := []uint64{uint64(rng), uint64(g.word(32)), uint64(g.Local(32))}
		g.wantWild(t, "GetInfo", g.slot(rng, slotGetInfo), args, 0, 1, 2)
		g.wantReadOnly(t, "GetInfo", g.slot(rng, slotGetInfo), args, 1, 2)
		args = []uint64{uint64(rng), g.guid(efi.RNGAlgorithmRawGUID), 8, at}
		g.wantWild(t, "GetRNG", g.slot(rng, slotGetRNG), args, 0, 3)
		g.wantReadOnly(t, "GetRNG", g.slot(rng, slotGetRNG), args, 3)
		for _, wild := range g.wildPointers()[1:] {
			g.want(t, "a wild algorithm", g.method(rng, slotGetRNG, wild, 8, at), efi.InvalidParameter)
		}
	})
}

func TestRNGFails(t *testing.T) {
	cfg := emu.Config{Arch: cpu.AMD64, Random: iotest.ErrReader(errors.New("no entropy"))}
	wantExit(t, bootWith(t, cfg, install(protocols.RNG()), func(t *testing.T, g *guestProgram) {
		status := g.method(g.locate(t, efi.RNGProtocolGUID), slotGetRNG, 0, 8, uint64(g.word(0)))
		g.want(t, "GetRNG", status, efi.DeviceError)
	}))
}
