// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"

	"github.com/uefiexec/uefiexec/efi"
)

// textMode is the size of a text mode. Without columns there is no such mode.
type textMode struct{ columns, rows int32 }

// screen keeps the cursor, the colours and the mode of a text output as EDK2's
// terminal does. Every CHAR16 takes up one column. It draws with a painter, which
// appends to a buffer.
type screen struct {
	efi.SimpleTextOutputMode
	modes   []textMode
	initial int32
	painter painter
}

// painter is a style of showing text.
type painter interface {
	char(b []byte, r rune) []byte
	tab(b []byte) []byte
	backspace(b []byte) []byte
	carriageReturn(b []byte) []byte
	lineFeed(b []byte) []byte
	// wrap comes after the character in the last column.
	wrap(b []byte) []byte
	// move moves the cursor; moved says whether it was elsewhere.
	move(b []byte, column, row int32, moved bool) []byte
	clear(b []byte) []byte
	attribute(b []byte, attribute int32) []byte
	cursor(b []byte, visible bool) []byte
}

// lightGray is the attribute at first: light gray on black.
const lightGray = 0x07

// maxScreen bounds the columns and the rows of a mode.
const maxScreen = 1 << 15

func newScreen(opts ConsoleOptions) screen {
	s := screen{modes: []textMode{{80, 25}}, painter: &plainText{}}
	if opts.Terminal {
		s.painter = ansiText{}
	}
	columns, rows := min(opts.Columns, maxScreen), min(opts.Rows, maxScreen)
	if size := (textMode{int32(columns), int32(rows)}); columns > 0 && rows > 0 && size != s.modes[0] {
		if size != (textMode{80, 50}) {
			s.modes = append(s.modes, textMode{})
		}
		s.modes = append(s.modes, size)
	}
	s.initial = int32(len(s.modes) - 1)
	s.MaxMode, s.Mode = int32(len(s.modes)), s.initial
	s.Attribute, s.CursorVisible = lightGray, efi.True
	return s
}

// lookup finds a mode; Unsupported if there is none of that number.
func (s *screen) lookup(number uint64) (textMode, error) {
	if number >= uint64(len(s.modes)) || s.modes[number].columns == 0 {
		return textMode{}, fmt.Errorf("text mode %d: %w", number, efi.Unsupported)
	}
	return s.modes[number], nil
}

func (s *screen) size() textMode { return s.modes[s.Mode] }

// write shows UTF-16.
func (s *screen) write(b, raw []byte) []byte {
	for len(raw) > 0 {
		r, n := nextChar(raw)
		raw = raw[n:]
		switch {
		case r == charBackspace:
			if s.CursorColumn > 0 {
				s.CursorColumn--
				b = s.painter.backspace(b)
			}
		case r == charReturn:
			s.CursorColumn = 0
			b = s.painter.carriageReturn(b)
		case r == charLineFeed:
			s.down()
			b = s.painter.lineFeed(b)
		case r == charTab:
			b = s.advance(s.painter.tab(b), 1)
		case visible(r):
			b = s.advance(s.painter.char(b, r), int32(n/2))
		}
	}
	return b
}

// advance moves the cursor on by n columns, to the next row behind the last.
func (s *screen) advance(b []byte, n int32) []byte {
	if s.CursorColumn += n; s.CursorColumn < s.size().columns {
		return b
	}
	s.CursorColumn = 0
	s.down()
	return s.painter.wrap(b)
}

// down moves the cursor to the next row; in the last one the screen scrolls.
func (s *screen) down() { s.CursorRow = min(s.CursorRow+1, s.size().rows-1) }

func (s *screen) move(b []byte, column, row int32) []byte {
	moved := column != s.CursorColumn || row != s.CursorRow
	s.CursorColumn, s.CursorRow = column, row
	return s.painter.move(b, column, row, moved)
}

func (s *screen) clear(b []byte) []byte {
	s.CursorColumn, s.CursorRow = 0, 0
	return s.painter.clear(b)
}

func (s *screen) setAttribute(b []byte, attribute int32) []byte {
	if attribute == s.Attribute {
		return b
	}
	s.Attribute = attribute
	return s.painter.attribute(b, attribute)
}

func (s *screen) show(b []byte, visible bool) []byte {
	s.CursorVisible = efi.BooleanOf(visible)
	return s.painter.cursor(b, visible)
}

func (s *screen) reset(b []byte) []byte {
	s.Attribute, s.Mode = lightGray, s.initial
	return s.clear(s.painter.attribute(b, lightGray))
}

// nextChar decodes the first character of raw, which is not empty, and how many
// bytes it takes. A lone surrogate is U+FFFD.
func nextChar(raw []byte) (rune, int) {
	if len(raw) < 2 {
		return utf16.DecodeRune(0, 0), len(raw)
	}
	r := rune(binary.LittleEndian.Uint16(raw))
	if !utf16.IsSurrogate(r) {
		return r, 2
	}
	if len(raw) >= 4 {
		if pair := utf16.DecodeRune(r, rune(binary.LittleEndian.Uint16(raw[2:]))); pair != '\uFFFD' {
			return pair, 4
		}
	}
	return '\uFFFD', 2
}

// The characters that EDK2 takes for a change of width.
const (
	narrowChar = 0xfff0
	wideChar   = 0xfff1
)

// visible reports whether r is shown; control characters and the changes of
// width are not, and take up no column.
func visible(r rune) bool {
	return r >= ' ' && (r < 0x7f || r >= 0xa0) && r != narrowChar && r != wideChar
}

// canShow reports whether all of raw is shown or moves the cursor.
func canShow(raw []byte) bool {
	for len(raw) > 0 {
		r, n := nextChar(raw)
		raw = raw[n:]
		switch r {
		case charBackspace, charTab, charLineFeed, charReturn, narrowChar, wideChar:
		default:
			if !visible(r) || r == '\uFFFD' {
				return false
			}
		}
	}
	return true
}
