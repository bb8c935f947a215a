// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"io"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// simpleTextOutputProtocol are the rows of EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL
// (§12.4).
var simpleTextOutputProtocol = emu.Protocol{
	GUID: efi.SimpleTextOutputProtocolGUID,
	Name: "SimpleTextOutput",
	Services: []emu.Service{
		emu.Func2("Reset", resetOutput, "this", "extendedVerification"),
		emu.Func2("OutputString", outputString, "this", "string"),
		emu.Func2("TestString", testString, "this", "string"),
		emu.Func4("QueryMode", queryMode, "this", "modeNumber", "*columns", "*rows"),
		emu.Func2("SetMode", setMode, "this", "modeNumber"),
		emu.Func2("SetAttribute", setAttribute, "this", "attribute"),
		emu.Func1("ClearScreen", clearScreen, "this"),
		emu.Func3("SetCursorPosition", setCursorPosition, "this", "column", "row"),
		emu.Func2("EnableCursor", enableCursor, "this", "visible"),
		emu.Field("Mode"),
	},
}

// maxString bounds a string that is written at once, in characters.
const maxString = 1 << 20

// textOutput is a SimpleTextOutput interface.
type textOutput struct {
	w      io.Writer
	screen screen
	mode   efi.Ptr[efi.SimpleTextOutputMode] // in guest memory
}

// SimpleTextOutput makes a SimpleTextOutput alone (§12.4), such as for the
// standard error. W is as for Console.
func SimpleTextOutput(w io.Writer, opts ConsoleOptions) emu.Interface {
	if w == nil {
		w = io.Discard
	}
	out := &textOutput{w: w, screen: newScreen(opts)}
	return emu.Interface{Protocol: &simpleTextOutputProtocol, Value: out, Fields: out.fields}
}

// fields puts the Mode structure into guest memory. What the guest writes there
// is not looked at.
func (o *textOutput) fields(m *emu.Machine) ([]uint64, error) {
	const size = 24 // of SIMPLE_TEXT_OUTPUT_MODE
	at, err := m.AllocatePool(efi.BootServicesData, size)
	if err != nil {
		return nil, err
	}
	o.mode = efi.Ptr[efi.SimpleTextOutputMode](at)
	return []uint64{uint64(at)}, mem.Store(m.Memory(), o.mode, o.screen.SimpleTextOutputMode)
}

// draw lets f draw on the screen of this, writes what it has drawn, and brings
// the Mode structure up to date. DeviceError: the host's writer has failed.
func draw(c *emu.Call, this efi.Addr, f func(s *screen, b []byte) ([]byte, error)) error {
	o, err := emu.This[*textOutput](c, this)
	if err != nil {
		return err
	}
	b, err := f(&o.screen, nil)
	if err != nil {
		return err
	}
	if err := mem.Store(c.Memory(), o.mode, o.screen.SimpleTextOutputMode); err != nil {
		return err
	}
	if len(b) == 0 {
		return nil
	}
	if _, err := o.w.Write(b); err != nil {
		return deviceError(err)
	}
	return nil
}

// resetOutput sets the colours and the mode that were there at first, and clears
// the screen.
func resetOutput(c *emu.Call, this efi.Addr, extended efi.Boolean) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) { return s.reset(b), nil })
}

func outputString(c *emu.Call, this efi.Addr, text efi.Ptr[efi.Char16]) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) {
		raw, err := readString(c, text)
		return s.write(b, raw), err
	})
}

// testString returns Unsupported for a string with characters that OutputString
// would not show.
func testString(c *emu.Call, this efi.Addr, text efi.Ptr[efi.Char16]) error {
	if _, err := emu.This[*textOutput](c, this); err != nil {
		return err
	}
	raw, err := readString(c, text)
	if err != nil {
		return err
	}
	if !canShow(raw) {
		return efi.Unsupported
	}
	return nil
}

// readString is the UTF-16 string at p, which must not be NULL.
func readString(c *emu.Call, p efi.Ptr[efi.Char16]) ([]byte, error) {
	if p == 0 {
		return nil, efi.InvalidParameter
	}
	return c.Memory().String16(p.Addr(), maxString)
}

// queryMode returns Unsupported for a mode that does not exist, mode 1 of most
// consoles among them.
func queryMode(c *emu.Call, this efi.Addr, number uint64, columns, rows efi.Ptr[uint64]) error {
	o, err := emu.This[*textOutput](c, this)
	if err != nil {
		return err
	}
	mode, err := o.screen.lookup(number)
	if err != nil {
		return err
	}
	if columns == 0 || rows == 0 {
		return efi.InvalidParameter
	}
	if err := mem.Store(c.Memory(), columns, uint64(mode.columns)); err != nil {
		return err
	}
	return mem.Store(c.Memory(), rows, uint64(mode.rows))
}

func setMode(c *emu.Call, this efi.Addr, number uint64) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) {
		if _, err := s.lookup(number); err != nil {
			return nil, err
		}
		s.Mode = int32(number)
		return s.clear(b), nil
	})
}

// setAttribute returns Unsupported for more than the 7 bits that are defined.
func setAttribute(c *emu.Call, this efi.Addr, attribute uint64) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) {
		if attribute > 0x7f {
			return nil, fmt.Errorf("attribute %#x: %w", attribute, efi.Unsupported)
		}
		return s.setAttribute(b, int32(attribute)), nil
	})
}

func clearScreen(c *emu.Call, this efi.Addr) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) { return s.clear(b), nil })
}

// setCursorPosition returns Unsupported for a place outside of the screen.
func setCursorPosition(c *emu.Call, this efi.Addr, column, row uint64) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) {
		if size := s.size(); column >= uint64(size.columns) || row >= uint64(size.rows) {
			return nil, fmt.Errorf("column %d, row %d of %d, %d: %w", column, row, size.columns, size.rows, efi.Unsupported)
		}
		return s.move(b, int32(column), int32(row)), nil
	})
}

func enableCursor(c *emu.Call, this efi.Addr, visible efi.Boolean) error {
	return draw(c, this, func(s *screen, b []byte) ([]byte, error) { return s.show(b, visible.Bool()), nil })
}
