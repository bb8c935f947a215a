// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// utf16Of is text without the NUL.
func utf16Of(text string) []byte {
	b := efi.EncodeString(text)
	return b[:len(b)-2]
}

// The rules are those of §12.4.3 and of EDK2's TerminalDxe.
func TestCursor(t *testing.T) {
	line := strings.Repeat("x", 80)
	for _, test := range []struct {
		name, text  string
		column, row int32
	}{
		{"characters", "abc", 3, 0},
		{"line feed keeps the column", "abc\nd", 4, 1},
		{"carriage return", "abc\rd", 1, 0},
		{"both", "abc\r\nd", 1, 1},
		{"backspace", "abc\b\b", 1, 0},
		{"backspace stops at the left edge", "a\r\n\b\b", 0, 1},
		{"last column", line[:79], 79, 0},
		{"wraps", line, 0, 1},
		{"wraps and goes on", line + "ab", 2, 1},
		{"CR LF behind a full line", line + "\r\n", 0, 2},
		{"scrolls", strings.Repeat("\n", 30), 0, 24},
		{"wraps in the last row", strings.Repeat("\n", 24) + line, 0, 24},
		{"a tab is one column", "a\tb", 3, 0},
		{"control characters are none", "\x1b\x01\u0085\x7fa", 1, 0},
		{"changes of width are none", "\ufff1a\ufff0", 1, 0},
		{"a pair of surrogates is two", "😀", 2, 0},
		{"a pair wraps as a whole", line[:79] + "😀", 0, 1},
	} {
		for _, terminal := range []bool{false, true} {
			s := newScreen(ConsoleOptions{Terminal: terminal})
			s.write(nil, utf16Of(test.text))
			if s.CursorColumn != test.column || s.CursorRow != test.row {
				t.Errorf("%s: cursor at %d, %d, want %d, %d", test.name, s.CursorColumn, s.CursorRow, test.column, test.row)
			}
		}
	}
}

func TestModes(t *testing.T) {
	for _, test := range []struct {
		columns, rows int
		modes         []textMode
	}{
		{0, 0, []textMode{{80, 25}}},
		{80, 25, []textMode{{80, 25}}},
		{80, 50, []textMode{{80, 25}, {80, 50}}},
		{132, 43, []textMode{{80, 25}, {}, {132, 43}}},
		{132, 0, []textMode{{80, 25}}},
		{-1, -1, []textMode{{80, 25}}},
		{1 << 40, 10, []textMode{{80, 25}, {}, {maxScreen, 10}}},
	} {
		s := newScreen(ConsoleOptions{Columns: test.columns, Rows: test.rows})
		last := len(test.modes) - 1
		if int(s.MaxMode) != len(test.modes) || int(s.Mode) != last || s.size() != test.modes[last] {
			t.Errorf("%d by %d: mode %d of %d, %v", test.columns, test.rows, s.Mode, s.MaxMode, s.size())
		}
		for number := range uint64(len(test.modes) + 1) {
			got, err := s.lookup(number)
			if number < uint64(len(test.modes)) && test.modes[number].columns > 0 {
				if err != nil || got != test.modes[number] {
					t.Errorf("%d by %d: mode %d is %v, %v", test.columns, test.rows, number, got, err)
				}
			} else if err == nil {
				t.Errorf("%d by %d: there is a mode %d", test.columns, test.rows, number)
			}
		}
	}
}

// step is something that a guest does to a screen.
type step func(s *screen, b []byte) []byte

func say(text string) step {
	return func(s *screen, b []byte) []byte { return s.write(b, utf16Of(text)) }
}

func goTo(column, row int32) step {
	return func(s *screen, b []byte) []byte { return s.move(b, column, row) }
}

func colour(attribute int32) step {
	return func(s *screen, b []byte) []byte { return s.setAttribute(b, attribute) }
}

func hide(s *screen, b []byte) []byte { return s.show(b, false) }

func TestStyles(t *testing.T) {
	clear, reset := (*screen).clear, (*screen).reset
	for _, test := range []struct {
		name        string
		steps       []step
		plain, ansi string
	}{
		{"lines", []step{say("one\r\ntwo\r\n")}, "one\ntwo\n", "one\r\ntwo\r\n"},
		{"a line in pieces", []step{say("a"), say("b\r"), say("\n"), say("c")}, "ab\nc", "ab\r\nc"},
		{"line feeds alone", []step{say("a\nb\n")}, "a\nb\n", "a\nb\n"},
		{"the other way round", []step{say("a\n\rb")}, "a\nb", "a\n\rb"},
		{"empty lines", []step{say("a\r\n\r\nb")}, "a\n\nb", "a\r\n\r\nb"},
		{"progress", []step{say("10%\r20%\r\n")}, "10%\n20%\n", "10%\r20%\r\n"},
		{"a long line", []step{say(strings.Repeat("x", 81))}, strings.Repeat("x", 81), strings.Repeat("x", 80) + "\r\nx"},
		{"typing with a mistake", []step{say("ab"), say("\b \b"), say("c")}, "abc", "ab\b \bc"},
		{"spaces at the end", []step{say("a  \r\n  b")}, "a\n  b", "a  \r\n  b"},
		{"a menu", []step{clear, goTo(2, 1), say("one"), goTo(2, 2), say("two"), goTo(2, 2)},
			"one\ntwo", "\x1b[2J\x1b[H\x1b[2;3Hone\x1b[3;3Htwo\x1b[3;3H"},
		{"a move to where the cursor is", []step{say("a"), goTo(1, 0), say("b")}, "ab", "a\x1b[1;2Hb"},
		{"colours", []step{colour(0x1f), say("a"), colour(0x1f), colour(0x04), colour(0x07)},
			"a", "\x1b[0;1;37;44ma\x1b[0;31;40m\x1b[0m"},
		{"every colour", []step{colour(0x01), colour(0x23), colour(0x56), colour(0x70)},
			"", "\x1b[0;34;40m\x1b[0;36;42m\x1b[0;33;45m\x1b[0;30;47m"},
		{"cursor", []step{hide, say("a"), reset}, "a", "\x1b[?25la\x1b[0m\x1b[2J\x1b[H"},
		{"tabs", []step{say("a\tb")}, "a\tb", "a b"},
		{"not for the terminal", []step{say("\x1b[31m\x07\u009b2Jok\x7f\ufff1")}, "[31m2Jok", "[31m2Jok"},
		{"characters", []step{say("ä€😀"), func(s *screen, b []byte) []byte { return s.write(b, []byte{0x3d, 0xd8, 'x', 0, 0x00, 0xde}) }},
			"ä€😀\ufffdx\ufffd", "ä€😀\ufffdx\ufffd"},
	} {
		for _, terminal := range []bool{false, true} {
			s := newScreen(ConsoleOptions{Terminal: terminal})
			var got []byte
			for _, step := range test.steps {
				got = step(&s, got)
			}
			want := test.plain
			if terminal {
				want = test.ansi
			}
			if string(got) != want {
				t.Errorf("%s, terminal %v: %q, want %q", test.name, terminal, got, want)
			}
		}
	}
}

func TestCanShow(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "plain, ä and 😀\r\n\t\b": true, "\x1b[m": false, "\x7f": false, "\u0080": false, "\ufffd": false,
	} {
		if got := canShow(utf16Of(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if canShow([]byte{0, 0xd8}) {
		t.Error("a lone surrogate can be shown")
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte("a\x00\r\x00\n\x00\x1b\x00"), int32(3), int32(2), false)
	f.Add([]byte{0x3d, 0xd8, 0x00, 0xde, 0x00, 0xd8, 9}, int32(79), int32(24), true)
	f.Fuzz(func(t *testing.T, raw []byte, column, row int32, terminal bool) {
		s := newScreen(ConsoleOptions{Terminal: terminal})
		s.move(nil, column&63, row&15)
		b := s.write(nil, raw)
		if size := s.size(); s.CursorColumn < 0 || s.CursorColumn >= size.columns || s.CursorRow < 0 || s.CursorRow >= size.rows {
			t.Fatalf("cursor at %d, %d", s.CursorColumn, s.CursorRow)
		}
		if !utf8.Valid(b) {
			t.Fatalf("%q is no UTF-8", b)
		}
		for _, r := range string(b) {
			if (r < ' ' || r >= 0x7f && r < 0xa0) && !strings.ContainsRune("\b\t\r\n", r) {
				t.Fatalf("%q goes to the terminal", r)
			}
		}
	})
}
