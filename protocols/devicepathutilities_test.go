// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_DEVICE_PATH_UTILITIES_PROTOCOL (§10.5).
const (
	slotPathSize = iota
	slotDuplicate
	slotAppendPath
	slotAppendNode
	slotAppendInstance
	slotNextInstance
	slotIsMultiInstance
	slotCreateNode
)

func TestDevicePathUtilities(t *testing.T) {
	a, b := diskPath[:2], diskPath[2:]
	both := efi.JoinInstances(a, b)
	runGuest(t, install(protocols.DevicePathUtilities()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.DevicePathUtilitiesProtocolGUID)
		aAt, bAt, bothAt, node := g.path(a), g.path(b), g.path(both), g.path(b[:1])
		for _, test := range []struct {
			what string
			slot int
			args []uint64
			want []byte // nil is NULL
		}{
			{"duplicate", slotDuplicate, []uint64{bothAt}, both.Bytes()},
			{"duplicate NULL", slotDuplicate, []uint64{0}, nil},
			{"append", slotAppendPath, []uint64{aAt, bAt}, diskPath.Bytes()},
			{"append to NULL", slotAppendPath, []uint64{0, bAt}, b.Bytes()},
			{"append NULL", slotAppendPath, []uint64{aAt, 0}, a.Bytes()},
			{"append NULL to NULL", slotAppendPath, []uint64{0, 0}, efi.DevicePath{}.Bytes()},
			{"node", slotAppendNode, []uint64{aAt, node}, diskPath[:3].Bytes()},
			{"node to NULL", slotAppendNode, []uint64{0, node}, diskPath[2:3].Bytes()},
			{"no node", slotAppendNode, []uint64{aAt, 0}, a.Bytes()},
			{"no node to NULL", slotAppendNode, []uint64{0, 0}, efi.DevicePath{}.Bytes()},
			{"instance", slotAppendInstance, []uint64{aAt, bAt}, both.Bytes()},
			{"instance to NULL", slotAppendInstance, []uint64{0, bAt}, b.Bytes()},
			{"no instance", slotAppendInstance, []uint64{aAt, 0}, nil},
			{"create", slotCreateNode, []uint64{4, 3, 6}, []byte{4, 3, 6, 0, 0, 0}},
			{"create too short", slotCreateNode, []uint64{4, 3, 3}, nil},
		} {
			got := g.Call(g.slot(this, test.slot), test.args...)
			switch {
			case test.want == nil && got != 0:
				t.Errorf("%s: %#x is returned", test.what, got)
			case test.want != nil && !bytes.Equal(g.bytes(got, uint64(len(test.want))), test.want):
				t.Errorf("%s: %x, want %x", test.what, g.bytes(got, uint64(len(test.want))), test.want)
			case test.want != nil:
				g.want(t, "FreePool", g.call(g.bs.FreePool, got), efi.Success)
			}
		}

		size, multi := g.slot(this, slotPathSize), g.slot(this, slotIsMultiInstance)
		for at, want := range map[uint64][2]uint64{aAt: {uint64(len(a.Bytes())), 0}, bothAt: {uint64(len(both.Bytes())), 1}, 0: {}} {
			if got := [2]uint64{g.Call(size, at), g.Call(multi, at)}; got != want {
				t.Errorf("size and instances of %#x are %v, want %v", at, got, want)
			}
		}
	})
}

func TestNextDevicePathInstance(t *testing.T) {
	instances := []efi.DevicePath{diskPath[:2], diskPath[2:], diskPath}
	runGuest(t, install(protocols.DevicePathUtilities()), func(t *testing.T, g *guestProgram) {
		next := g.slot(g.locate(t, efi.DevicePathUtilitiesProtocolGUID), slotNextInstance)
		place, size := g.word(g.path(efi.JoinInstances(instances...))), g.word(0)
		for _, path := range instances {
			want := path.Bytes()
			got := g.Call(next, uint64(place), uint64(size))
			if n := puppet.Load(g.Thread, size); n != uint64(len(want)) || !bytes.Equal(g.bytes(got, n), want) {
				t.Errorf("%d bytes, %x, want %x", n, g.bytes(got, n), want)
			}
		}
		if left := puppet.Load(g.Thread, place); left != 0 {
			t.Errorf("%#x is left", left)
		}
		if got := g.Call(next, uint64(place), uint64(size)); got != 0 {
			t.Errorf("behind the last instance is %#x", got)
		}
	})
}

func TestDevicePathUtilitiesWildPointers(t *testing.T) {
	runGuest(t, install(protocols.DevicePathUtilities()), func(t *testing.T, g *guestProgram) {
		this := g.locate(t, efi.DevicePathUtilitiesProtocolGUID)
		path, place := g.path(diskPath), uint64(g.word(0))
		for _, wild := range g.wildPointers()[1:] {
			for slot, calls := range map[int][][]uint64{
				slotPathSize:        {{wild}},
				slotDuplicate:       {{wild}},
				slotAppendPath:      {{wild, path}, {path, wild}, {wild, 0}, {0, wild}},
				slotAppendNode:      {{wild, path}, {path, wild}},
				slotAppendInstance:  {{wild, path}, {path, wild}},
				slotNextInstance:    {{wild, place}, {uint64(g.word(wild)), place}, {uint64(g.word(path)), wild}},
				slotIsMultiInstance: {{wild}},
			} {
				for _, args := range calls {
					if got := g.Call(g.slot(this, slot), args...); got != 0 {
						t.Errorf("slot %d with %#x returns %#x", slot, args, got)
					}
				}
			}
		}
	})
}
