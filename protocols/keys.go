// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// Scan codes (§12.1.2, table 12-2).
const (
	scanUp       = 0x01
	scanDown     = 0x02
	scanRight    = 0x03
	scanLeft     = 0x04
	scanHome     = 0x05
	scanEnd      = 0x06
	scanInsert   = 0x07
	scanDelete   = 0x08
	scanPageUp   = 0x09
	scanPageDown = 0x0a
	scanF1       = 0x0b // and so on to F12
	scanF12      = 0x16
	scanEscape   = 0x17
)

// Control characters that are keys (§12.1.2, table 12-1).
const (
	charBackspace = 0x08
	charTab       = 0x09
	charLineFeed  = 0x0a
	charReturn    = 0x0d
)

// Shift states (§12.2.3). A terminal does not tell left from right.
const (
	shiftStateValid = 0x80000000
	leftShift       = 0x00000002
	leftControl     = 0x00000008
	leftAlt         = 0x00000020
)

const escape = 0x1b

// maxSequence bounds an escape sequence, in bytes; a longer one is no key.
const maxSequence = 32

// keyParser makes keys of the bytes that a terminal sends: xterm's sequences,
// those of the Linux console where they differ, and the VT100's. Its zero value
// is ready.
type keyParser struct {
	pending []byte // the start of a key
}

// waiting reports whether there are bytes that are no key yet.
func (p *keyParser) waiting() bool { return len(p.pending) > 0 }

// feed appends the keys in b to keys. What may be the start of a key is kept.
func (p *keyParser) feed(keys []efi.KeyData, b []byte) []efi.KeyData {
	return p.parse(keys, append(p.pending, b...), false)
}

// flush makes the best of what was kept, as nothing follows: an ESC is the
// escape key.
func (p *keyParser) flush(keys []efi.KeyData) []efi.KeyData {
	return p.parse(keys, p.pending, true)
}

func (p *keyParser) parse(keys []efi.KeyData, b []byte, last bool) []efi.KeyData {
	for len(b) > 0 {
		key, n := nextKey(b, last)
		if n == 0 {
			break
		}
		b = b[n:]
		if key.Key != (efi.InputKey{}) {
			key.KeyState.KeyShiftState |= shiftStateValid
			keys = append(keys, key)
		}
	}
	p.pending = append([]byte(nil), b...)
	return keys
}

// nextKey takes the first key off b, which is not empty, and says how many bytes
// it took; 0 if more are needed to know. A zero key is none: what no key of EFI
// stands for is skipped. If last, no more bytes come.
func nextKey(b []byte, last bool) (efi.KeyData, int) {
	switch c := b[0]; {
	case c == escape:
		return escapeKey(b, last)
	case c == charTab:
		return charKey(charTab, 0), 1
	case c == charReturn, c == charLineFeed:
		return charKey(charReturn, 0), 1
	case c == charBackspace, c == 0x7f:
		return charKey(charBackspace, 0), 1
	case c == 0:
		return charKey(' ', leftControl), 1
	case c <= 26:
		return charKey(rune('a'+c-1), leftControl), 1
	case c < ' ':
		return charKey(rune('@'+c), leftControl), 1
	case c < utf8.RuneSelf:
		return charKey(rune(c), 0), 1
	}
	if !last && !utf8.FullRune(b) {
		return efi.KeyData{}, 0
	}
	r, n := utf8.DecodeRune(b)
	if (r == utf8.RuneError && n == 1) || r < 0xa0 || r > 0xffff {
		return efi.KeyData{}, n
	}
	return charKey(r, 0), n
}

func charKey(r rune, shift uint32) efi.KeyData {
	return efi.KeyData{
		Key:      efi.InputKey{UnicodeChar: efi.Char16(r)},
		KeyState: efi.KeyState{KeyShiftState: shift},
	}
}

func scanKey(code uint16, shift uint32) efi.KeyData {
	return efi.KeyData{
		Key:      efi.InputKey{ScanCode: code},
		KeyState: efi.KeyState{KeyShiftState: shift},
	}
}

// inputKey is what SimpleTextInput, which has no shift states, makes of a key:
// a letter with Ctrl is the control character.
func inputKey(k efi.KeyData) efi.InputKey {
	key := k.Key
	if c := key.UnicodeChar; k.KeyState.KeyShiftState&leftControl != 0 && c > '@' && c < 0x7f {
		key.UnicodeChar = c & 0x1f
	}
	return key
}
