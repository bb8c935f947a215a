// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// Slots of EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL (§12.4).
const (
	slotOutReset = iota
	slotOutputString
	slotTestString
	slotQueryMode
	slotSetMode
	slotSetAttribute
	slotClearScreen
	slotSetCursorPosition
	slotEnableCursor
	slotMode
)

func TestTextOutput(t *testing.T) {
	var out bytes.Buffer
	opts := protocols.ConsoleOptions{Terminal: true, Columns: 100, Rows: 31}
	setup := func(t *testing.T, m *emu.Machine) {
		out.Reset()
		install(protocols.SimpleTextOutput(&out, opts))(t, m)
	}
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		con := g.locate(t, efi.SimpleTextOutputProtocolGUID)
		mode := func(want efi.SimpleTextOutputMode) {
			t.Helper()
			got := puppet.Load(g.Thread, efi.Ptr[efi.SimpleTextOutputMode](g.slot(con, slotMode)))
			if got != want {
				t.Errorf("Mode is %+v, want %+v", got, want)
			}
		}
		written := func(want string) {
			t.Helper()
			if got := out.String(); got != want {
				t.Errorf("written is %q, want %q", got, want)
			}
			out.Reset()
		}
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 2, Attribute: 7, CursorVisible: 1})
		written("")

		g.want(t, "OutputString", g.method(con, slotOutputString, g.text("hällo\r\nyou")), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 2, Attribute: 7, CursorColumn: 3, CursorRow: 1, CursorVisible: 1})
		written("hällo\r\nyou")
		g.want(t, "SetAttribute", g.method(con, slotSetAttribute, 0x1f), efi.Success)
		g.want(t, "EnableCursor", g.method(con, slotEnableCursor, 0), efi.Success)
		g.want(t, "SetCursorPosition", g.method(con, slotSetCursorPosition, 99, 30), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 2, Attribute: 0x1f, CursorColumn: 99, CursorRow: 30})
		written("\x1b[0;1;37;44m\x1b[?25l\x1b[31;100H")
		g.want(t, "SetMode", g.method(con, slotSetMode, 0), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 0, Attribute: 0x1f})
		written("\x1b[2J\x1b[H")
		g.want(t, "OutputString", g.method(con, slotOutputString, g.text("x")), efi.Success)
		g.want(t, "ClearScreen", g.method(con, slotClearScreen), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 0, Attribute: 0x1f})
		g.want(t, "Reset", g.method(con, slotOutReset, 1), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 2, Attribute: 7})
		out.Reset()

		for what, call := range map[string][]uint64{
			"a mode that is missing": {slotSetMode, 1}, "a mode too many": {slotSetMode, 3}, "a mode of 64 bits": {slotSetMode, 1 << 32},
			"an attribute of 8 bits": {slotSetAttribute, 0x80}, "an attribute of 64 bits": {slotSetAttribute, 1 << 32},
			"a column too many": {slotSetCursorPosition, 100, 0}, "a row too many": {slotSetCursorPosition, 0, 31},
			"a row of 64 bits":    {slotSetCursorPosition, 0, 1 << 32},
			"an escape sequence":  {slotTestString, g.text("\x1b[1m")},
			"a query of no mode":  {slotQueryMode, 1, uint64(g.word(0)), uint64(g.word(0))},
			"a query of mode 2⁶³": {slotQueryMode, 1 << 63, uint64(g.word(0)), uint64(g.word(0))},
		} {
			g.want(t, what, g.method(con, int(call[0]), call[1:]...), efi.Unsupported)
		}
		g.want(t, "TestString", g.method(con, slotTestString, g.text("äöü\r\n")), efi.Success)
		mode(efi.SimpleTextOutputMode{MaxMode: 3, Mode: 2, Attribute: 7})
		written("")

		columns, rows := g.word(0), g.word(0)
		g.want(t, "QueryMode", g.method(con, slotQueryMode, 2, uint64(columns), uint64(rows)), efi.Success)
		if c, r := puppet.Load(g.Thread, columns), puppet.Load(g.Thread, rows); c != 100 || r != 31 {
			t.Errorf("mode 2 is %d by %d", c, r)
		}
	})
}

// failingWriter is a terminal that is gone.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("nobody there") }

func TestTextOutputFails(t *testing.T) {
	runGuest(t, install(protocols.SimpleTextOutput(failingWriter{}, protocols.ConsoleOptions{})), func(t *testing.T, g *guestProgram) {
		con := g.locate(t, efi.SimpleTextOutputProtocolGUID)
		g.want(t, "OutputString", g.method(con, slotOutputString, g.text("x")), efi.DeviceError)
		g.want(t, "OutputString of nothing", g.method(con, slotOutputString, g.text("")), efi.Success)
	})
}

func TestTextOutputWildPointers(t *testing.T) {
	var out bytes.Buffer
	runGuest(t, install(protocols.SimpleTextOutput(&out, protocols.ConsoleOptions{})), func(t *testing.T, g *guestProgram) {
		con := g.locate(t, efi.SimpleTextOutputProtocolGUID)
		this, text := uint64(con), g.text("x")
		out1, out2 := uint64(g.word(0)), uint64(g.word(0))
		for slot, args := range [][]uint64{
			slotOutReset:          {this, 0},
			slotOutputString:      {this, text},
			slotTestString:        {this, text},
			slotQueryMode:         {this, 0, out1, out2},
			slotSetMode:           {this, 0},
			slotSetAttribute:      {this, 7},
			slotClearScreen:       {this},
			slotSetCursorPosition: {this, 0, 0},
			slotEnableCursor:      {this, 1},
		} {
			g.wantWild(t, fmt.Sprint("this of slot ", slot), g.slot(con, slot), args, 0)
		}
		g.wantWild(t, "OutputString", g.slot(con, slotOutputString), []uint64{this, text}, 1)
		g.wantWild(t, "TestString", g.slot(con, slotTestString), []uint64{this, text}, 1)
		g.wantWild(t, "QueryMode", g.slot(con, slotQueryMode), []uint64{this, 0, out1, out2}, 2, 3)
		g.wantReadOnly(t, "QueryMode", g.slot(con, slotQueryMode), []uint64{this, 0, out1, out2}, 2, 3)
		if out.Len() != 0 {
			t.Errorf("written is %q", out.String())
		}
	})
}

func TestSetConsole(t *testing.T) {
	var out bytes.Buffer
	setup := func(t *testing.T, m *emu.Machine) {
		out.Reset()
		h, err := m.Install(0, protocols.Console(nil, &out, protocols.ConsoleOptions{})...)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetConsole(h); err != nil {
			t.Fatal(err)
		}
	}
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		if g.st.ConIn != g.locate(t, efi.SimpleTextInputProtocolGUID) || g.st.ConsoleInHandle != g.st.ConsoleOutHandle {
			t.Errorf("the system table is %+v", g.st)
		}
		g.want(t, "OutputString", g.method(g.st.ConOut, slotOutputString, g.text("to ConOut\r\n")), efi.Success)
		g.want(t, "OutputString", g.method(g.st.StdErr, slotOutputString, g.text("to StdErr\r\n")), efi.Success)
		if got := out.String(); got != "to ConOut\nto StdErr\n" {
			t.Errorf("written is %q", got)
		}
	})
}
