// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// simpleTextInputProtocol are the rows of EFI_SIMPLE_TEXT_INPUT_PROTOCOL (§12.3).
var simpleTextInputProtocol = emu.Protocol{
	GUID: efi.SimpleTextInputProtocolGUID,
	Name: "SimpleTextInput",
	Services: []emu.Service{
		emu.Func2("Reset", resetInput, "this", "extendedVerification"),
		emu.Func2("ReadKeyStroke", readKeyStroke, "this", "*key"),
		emu.Field("WaitForKey"),
	},
}

func simpleTextInput(keys *keySource) emu.Interface {
	return emu.Interface{Protocol: &simpleTextInputProtocol, Value: keys, Fields: waitForKey(keys)}
}

// waitForKey is the event of either input protocol.
func waitForKey(keys *keySource) func(*emu.Machine) ([]uint64, error) {
	return func(m *emu.Machine) ([]uint64, error) {
		event, err := keys.attach(m)
		return []uint64{uint64(event)}, err
	}
}

// resetInput drops the keys that have been read from the host and that nobody
// has asked for.
func resetInput(c *emu.Call, this efi.Addr, extended efi.Boolean) error {
	keys, err := emu.This[*keySource](c, this)
	if err != nil {
		return err
	}
	keys.reset()
	return nil
}

// readKeyStroke returns NotReady if there is no key now, DeviceError if the
// host's reader has failed.
func readKeyStroke(c *emu.Call, this efi.Addr, out efi.Ptr[efi.InputKey]) error {
	keys, err := emu.This[*keySource](c, this)
	if err != nil {
		return err
	}
	if err := checkOut(c, out); err != nil {
		return err
	}
	key, err := keys.next()
	if err != nil {
		return err
	}
	return mem.Store(c.Memory(), out, inputKey(key))
}

// checkOut is InvalidParameter if no T can be stored at p, so that a service can
// refuse before it does what it cannot take back.
func checkOut[T any](c *emu.Call, p efi.Ptr[T]) error {
	if p == 0 {
		return efi.InvalidParameter
	}
	v, err := mem.Load(c.Memory(), p)
	if err != nil {
		return err
	}
	return mem.Store(c.Memory(), p, v)
}
