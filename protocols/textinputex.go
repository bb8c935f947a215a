// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// simpleTextInputExProtocol are the rows of EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL
// (§12.2).
var simpleTextInputExProtocol = emu.Protocol{
	GUID: efi.SimpleTextInputExProtocolGUID,
	Name: "SimpleTextInputEx",
	Services: []emu.Service{
		emu.Func2("Reset", resetInputEx, "this", "extendedVerification"),
		emu.Func2("ReadKeyStrokeEx", readKeyStrokeEx, "this", "*keyData"),
		emu.Field("WaitForKeyEx"),
		emu.Func2("SetState", setKeyState, "this", "keyToggleState").
			Partially("the state is told with each key and changes nothing else"),
		emu.Func4("RegisterKeyNotify", registerKeyNotify, "this", "keyData", "keyNotificationFunction", "*notifyHandle").
			Partially("the function is never called"),
		emu.Func2("UnregisterKeyNotify", unregisterKeyNotify, "this", "notificationHandle"),
	},
}

// Toggle states (§12.2.3).
const (
	toggleStateValid = 0x80
	keyStateExposed  = 0x40
	toggleLocks      = 0x07 // Scroll Lock, Num Lock, Caps Lock
)

// textInputEx is the state of a SimpleTextInputEx interface.
type textInputEx struct {
	keys     *keySource
	toggle   uint8
	notifies []keyNotify
	made     int // registrations so far
}

// keyNotify is a registration of RegisterKeyNotify.
type keyNotify struct {
	handle   efi.Addr
	key      efi.InputKey
	function efi.Addr
}

const (
	maxKeyNotifies = 1024
	// keyNotifyBase is the first notification handle, where no memory, handle or
	// event is.
	keyNotifyBase efi.Addr = 0x4_0000_0000_0000
)

func simpleTextInputEx(keys *keySource) emu.Interface {
	return emu.Interface{
		Protocol: &simpleTextInputExProtocol,
		Value:    &textInputEx{keys: keys, toggle: toggleStateValid},
		Fields:   waitForKey(keys),
	}
}

func resetInputEx(c *emu.Call, this efi.Addr, extended efi.Boolean) error {
	in, err := emu.This[*textInputEx](c, this)
	if err != nil {
		return err
	}
	in.keys.reset()
	return nil
}

// readKeyStrokeEx returns what readKeyStroke does. With NotReady it gives the
// toggle state and a zero key (§12.2.3).
func readKeyStrokeEx(c *emu.Call, this efi.Addr, out efi.Ptr[efi.KeyData]) error {
	in, err := emu.This[*textInputEx](c, this)
	if err != nil {
		return err
	}
	if err := checkOut(c, out); err != nil {
		return err
	}
	key, err := in.keys.next()
	if err != nil {
		key.KeyState.KeyShiftState = shiftStateValid
	}
	key.KeyState.KeyToggleState = in.toggle
	if err := mem.Store(c.Memory(), out, key); err != nil {
		return err
	}
	return err
}

// setKeyState returns Unsupported for a state that is not marked valid, or has
// bits that are not defined.
func setKeyState(c *emu.Call, this efi.Addr, state efi.Ptr[uint8]) error {
	in, err := emu.This[*textInputEx](c, this)
	if err != nil {
		return err
	}
	if state == 0 {
		return efi.InvalidParameter
	}
	v, err := mem.Load(c.Memory(), state)
	if err != nil {
		return err
	}
	if v&toggleStateValid == 0 || v&^(toggleStateValid|keyStateExposed|toggleLocks) != 0 {
		return fmt.Errorf("toggle state %#x: %w", v, efi.Unsupported)
	}
	in.toggle = v
	return nil
}

// registerKeyNotify gives the same handle for the same key and function, as EDK2
// does. OutOfResources: there are 1024 already.
func registerKeyNotify(c *emu.Call, this efi.Addr, data efi.Ptr[efi.KeyData], function efi.Addr, out efi.Ptr[efi.Addr]) error {
	in, err := emu.This[*textInputEx](c, this)
	if err != nil {
		return err
	}
	if data == 0 || function == 0 || out == 0 {
		return efi.InvalidParameter
	}
	key, err := mem.Load(c.Memory(), data)
	if err != nil {
		return err
	}
	for _, n := range in.notifies {
		if n.key == key.Key && n.function == function {
			return mem.Store(c.Memory(), out, n.handle)
		}
	}
	if len(in.notifies) >= maxKeyNotifies {
		return efi.OutOfResources
	}
	n := keyNotify{keyNotifyBase + efi.Addr(8*in.made), key.Key, function}
	if err := mem.Store(c.Memory(), out, n.handle); err != nil {
		return err
	}
	in.made++
	in.notifies = append(in.notifies, n)
	return nil
}

func unregisterKeyNotify(c *emu.Call, this efi.Addr, handle efi.Addr) error {
	in, err := emu.This[*textInputEx](c, this)
	if err != nil {
		return err
	}
	for i, n := range in.notifies {
		if n.handle == handle {
			in.notifies = append(in.notifies[:i], in.notifies[i+1:]...)
			return nil
		}
	}
	return fmt.Errorf("%v is no registration: %w", handle, efi.InvalidParameter)
}
