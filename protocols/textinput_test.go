// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_SIMPLE_TEXT_INPUT_PROTOCOL (§12.3) and of its Ex (§12.2).
const (
	slotInReset = iota
	slotReadKeyStroke
	slotWaitForKey
	slotSetState
	slotRegisterKeyNotify
	slotUnregisterKeyNotify
)

// keyboard is a setup with a console that reads keys from what in returns.
func keyboard(in func() io.Reader) func(*testing.T, *emu.Machine) {
	return func(t *testing.T, m *emu.Machine) {
		install(protocols.Console(in(), nil, protocols.ConsoleOptions{})...)(t, m)
	}
}

func typed(keys string) func(*testing.T, *emu.Machine) {
	return keyboard(func() io.Reader { return strings.NewReader(keys) })
}

// readKey calls ReadKeyStroke.
func (g *guestProgram) readKey(in efi.Addr) (efi.InputKey, efi.Status) {
	at := efi.Ptr[efi.InputKey](g.Local(4))
	status := g.method(in, slotReadKeyStroke, uint64(at))
	return puppet.Load(g.Thread, at), status
}

// readKeyEx calls ReadKeyStrokeEx.
func (g *guestProgram) readKeyEx(in efi.Addr) (efi.KeyData, efi.Status) {
	at := efi.Ptr[efi.KeyData](g.Local(12))
	status := g.method(in, slotReadKeyStroke, uint64(at))
	return puppet.Load(g.Thread, at), status
}

// waitKey waits for the interface's event.
func (g *guestProgram) waitKey(in efi.Addr) efi.Status {
	index := g.word(99)
	list := g.word(uint64(g.slot(in, slotWaitForKey)))
	return g.call(g.bs.WaitForEvent, 1, uint64(list), uint64(index))
}

func TestTextInput(t *testing.T) {
	runGuest(t, typed("a\x1b[A\x01\x1b"), func(t *testing.T, g *guestProgram) {
		in := g.locate(t, efi.SimpleTextInputProtocolGUID)
		for _, want := range []efi.InputKey{{UnicodeChar: 'a'}, {ScanCode: 1}, {UnicodeChar: 1}, {ScanCode: 0x17}} {
			g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, uint64(g.slot(in, slotWaitForKey))), efi.Success)
			g.want(t, "WaitForEvent", g.waitKey(in), efi.Success)
			if key, status := g.readKey(in); key != want || status != efi.Success {
				t.Errorf("key is %+v, %v, want %+v", key, status, want)
			}
		}
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, uint64(g.slot(in, slotWaitForKey))), efi.NotReady)
		if _, status := g.readKey(in); status != efi.NotReady {
			t.Errorf("ReadKeyStroke without a key: %v", status)
		}
	})
}

func TestTextInputReset(t *testing.T) {
	runGuest(t, typed("abc"), func(t *testing.T, g *guestProgram) {
		in, ex := g.locate(t, efi.SimpleTextInputProtocolGUID), g.locate(t, efi.SimpleTextInputExProtocolGUID)
		g.want(t, "Reset", g.method(in, slotInReset, 1), efi.Success)
		if key, status := g.readKey(in); key.UnicodeChar != 'a' || status != efi.Success {
			t.Errorf("a key that was not read yet is lost: %+v, %v", key, status)
		}
		g.want(t, "Reset", g.method(ex, slotInReset, 0), efi.Success)
		if _, status := g.readKey(in); status != efi.NotReady {
			t.Errorf("ReadKeyStroke behind Reset: %v", status)
		}
	})
}

func TestTextInputEx(t *testing.T) {
	const shiftValid, leftControl, leftShift = 0x80000000, 8, 2
	runGuest(t, typed("\x01\x1b[1;2Bz"), func(t *testing.T, g *guestProgram) {
		in, ex := g.locate(t, efi.SimpleTextInputProtocolGUID), g.locate(t, efi.SimpleTextInputExProtocolGUID)
		state := efi.Ptr[uint8](g.Local(1))
		key := func(want efi.KeyData, wantStatus efi.Status) {
			t.Helper()
			if got, status := g.readKeyEx(ex); got != want || status != wantStatus {
				t.Errorf("key is %+v, %v, want %+v, %v", got, status, want, wantStatus)
			}
		}
		g.want(t, "CheckEvent", g.call(g.bs.CheckEvent, uint64(g.slot(ex, slotWaitForKey))), efi.Success)
		key(efi.KeyData{Key: efi.InputKey{UnicodeChar: 'a'}, KeyState: efi.KeyState{KeyShiftState: shiftValid | leftControl, KeyToggleState: 0x80}}, efi.Success)
		puppet.Store(g.Thread, state, 0xc4)
		g.want(t, "SetState", g.method(ex, slotSetState, uint64(state)), efi.Success)
		key(efi.KeyData{Key: efi.InputKey{ScanCode: 2}, KeyState: efi.KeyState{KeyShiftState: shiftValid | leftShift, KeyToggleState: 0xc4}}, efi.Success)
		for _, bad := range []uint8{0, 0x04, 0x88, 0xff} {
			puppet.Store(g.Thread, state, bad)
			g.want(t, "SetState", g.method(ex, slotSetState, uint64(state)), efi.Unsupported)
		}
		if k, status := g.readKey(in); k.UnicodeChar != 'z' || status != efi.Success {
			t.Errorf("the other interface reads %+v, %v", k, status)
		}
		key(efi.KeyData{KeyState: efi.KeyState{KeyShiftState: shiftValid, KeyToggleState: 0xc4}}, efi.NotReady)
	})
}

func TestKeyNotify(t *testing.T) {
	runGuest(t, typed(""), func(t *testing.T, g *guestProgram) {
		ex := g.locate(t, efi.SimpleTextInputExProtocolGUID)
		data := efi.Ptr[efi.KeyData](g.Local(12))
		register := func(char efi.Char16, function uint64) uint64 {
			t.Helper()
			puppet.Store(g.Thread, data, efi.KeyData{Key: efi.InputKey{UnicodeChar: char}})
			out := g.word(0)
			g.want(t, "RegisterKeyNotify", g.method(ex, slotRegisterKeyNotify, uint64(data), function, uint64(out)), efi.Success)
			return puppet.Load(g.Thread, out)
		}
		first, second, third := register('a', 0x1000), register('b', 0x1000), register('a', 0x2000)
		if first == 0 || first == second || first == third || second == third {
			t.Errorf("handles are %#x, %#x, %#x", first, second, third)
		}
		if again := register('a', 0x1000); again != first {
			t.Errorf("the same registration is %#x, and was %#x", again, first)
		}
		g.want(t, "UnregisterKeyNotify", g.method(ex, slotUnregisterKeyNotify, first), efi.Success)
		g.want(t, "UnregisterKeyNotify again", g.method(ex, slotUnregisterKeyNotify, first), efi.InvalidParameter)
		if again := register('a', 0x1000); again == first || again == second || again == third {
			t.Errorf("a new registration has the handle %#x of an old one", again)
		}
		for i := range 1021 {
			register(efi.Char16(i), 0x3000)
		}
		puppet.Store(g.Thread, data, efi.KeyData{Key: efi.InputKey{UnicodeChar: 'x'}})
		g.want(t, "RegisterKeyNotify, too many", g.method(ex, slotRegisterKeyNotify, uint64(data), 1, uint64(g.word(0))), efi.OutOfResources)
	})
}

func TestTextInputBroken(t *testing.T) {
	broken := iotest.ErrReader(errors.New("unplugged"))
	setup := keyboard(func() io.Reader { return broken })
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		in, ex := g.locate(t, efi.SimpleTextInputProtocolGUID), g.locate(t, efi.SimpleTextInputExProtocolGUID)
		status := efi.NotReady
		for start := time.Now(); status == efi.NotReady && time.Since(start) < 10*time.Second; {
			_, status = g.readKey(in)
		}
		g.want(t, "ReadKeyStroke", status, efi.DeviceError)
		_, status = g.readKeyEx(ex)
		g.want(t, "ReadKeyStrokeEx", status, efi.DeviceError)
	})
}

// A guest waits while the host types.
func TestTextInputWaits(t *testing.T) {
	var keys *io.PipeWriter
	setup := keyboard(func() io.Reader {
		r, w := io.Pipe()
		keys = w
		return r
	})
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		defer keys.Close()
		in := g.locate(t, efi.SimpleTextInputProtocolGUID)
		for _, test := range []struct {
			bytes string
			want  efi.InputKey
		}{{"a", efi.InputKey{UnicodeChar: 'a'}}, {"\x1b", efi.InputKey{ScanCode: 0x17}}, {"\x1b[24~", efi.InputKey{ScanCode: 0x16}}} {
			go io.WriteString(keys, test.bytes)
			g.want(t, "WaitForEvent", g.waitKey(in), efi.Success)
			if key, status := g.readKey(in); key != test.want || status != efi.Success {
				t.Errorf("%q: key is %+v, %v", test.bytes, key, status)
			}
		}
	})
}

// A guest that waits for a key that cannot come ends the boot.
func TestTextInputNever(t *testing.T) {
	for name, in := range map[string]func() io.Reader{
		"nil":        func() io.Reader { return nil },
		"at its end": func() io.Reader { return iotest.DataErrReader(strings.NewReader("")) },
	} {
		t.Run(name, func(t *testing.T) {
			err := bootWith(t, emu.Config{Arch: cpu.AMD64}, keyboard(in), func(t *testing.T, g *guestProgram) {
				t.Errorf("WaitForEvent: %v", g.waitKey(g.locate(t, efi.SimpleTextInputProtocolGUID)))
			})
			var limit *emu.LimitError
			if !errors.As(err, &limit) {
				t.Errorf("Boot: %v", err)
			}
		})
	}
}

func TestTextInputWildPointers(t *testing.T) {
	setup := func(t *testing.T, m *emu.Machine) {
		install(protocols.Console(strings.NewReader("k"), nil, protocols.ConsoleOptions{})...)(t, m)
	}
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		in, ex := g.locate(t, efi.SimpleTextInputProtocolGUID), g.locate(t, efi.SimpleTextInputExProtocolGUID)
		data := uint64(g.Local(16))
		state := g.put([]byte{0x80})
		for what, args := range map[int][]uint64{
			slotInReset: {0}, slotReadKeyStroke: {0, data}, slotSetState: {0, state},
			slotRegisterKeyNotify: {0, data, 1, data}, slotUnregisterKeyNotify: {0, data},
		} {
			for _, this := range []efi.Addr{in, ex} {
				if this == in && what > slotWaitForKey {
					continue
				}
				args[0] = uint64(this)
				g.wantWild(t, "this", g.slot(this, what), args, 0)
			}
		}
		g.want(t, "Reset with another protocol", g.call(g.slot(in, slotInReset), uint64(ex), 0), efi.InvalidParameter)
		for _, this := range []efi.Addr{in, ex} {
			args := []uint64{uint64(this), data}
			g.wantWild(t, "ReadKeyStroke", g.slot(this, slotReadKeyStroke), args, 1)
			g.wantReadOnly(t, "ReadKeyStroke", g.slot(this, slotReadKeyStroke), args, 1)
		}
		g.wantWild(t, "SetState", g.slot(ex, slotSetState), []uint64{uint64(ex), state}, 1)
		args := []uint64{uint64(ex), data, 1, data}
		g.wantWild(t, "RegisterKeyNotify", g.slot(ex, slotRegisterKeyNotify), args, 1, 3)
		g.wantReadOnly(t, "RegisterKeyNotify", g.slot(ex, slotRegisterKeyNotify), args, 3)
		g.want(t, "RegisterKeyNotify without a function", g.method(ex, slotRegisterKeyNotify, data, 0, data), efi.InvalidParameter)
		g.wantWild(t, "UnregisterKeyNotify", g.slot(ex, slotUnregisterKeyNotify), []uint64{uint64(ex), data}, 1)
		if key, status := g.readKey(in); key.UnicodeChar != 'k' || status != efi.Success {
			t.Errorf("the calls that failed took the key: %+v, %v", key, status)
		}
	})
}
