// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"github.com/uefiexec/uefiexec/efi"
)

// escapeKey is nextKey for what begins with ESC: the escape key, a sequence, or
// a key that is held down with Alt.
func escapeKey(b []byte, last bool) (efi.KeyData, int) {
	if len(b) == 1 {
		return alone(last)
	}
	switch b[1] {
	case escape:
		return scanKey(scanEscape, 0), 1
	case '[':
		return controlSequence(b, last)
	case 'O':
		switch {
		case len(b) == 2:
			return alone(last)
		case b[2] < ' ':
			return charKey('O', leftAlt), 2
		}
		return scanKey(ss3Keys[b[2]], 0), 3
	}
	key, n := nextKey(b[1:], last)
	if n == 0 {
		return key, 0
	}
	key.KeyState.KeyShiftState |= leftAlt
	return key, n + 1
}

// alone is the escape key if nothing follows the ESC that was read.
func alone(last bool) (efi.KeyData, int) {
	if last {
		return scanKey(scanEscape, 0), 1
	}
	return efi.KeyData{}, 0
}

// ss3Keys are the last bytes of ESC O.
var ss3Keys = [256]uint16{
	'A': scanUp, 'B': scanDown, 'C': scanRight, 'D': scanLeft, 'H': scanHome, 'F': scanEnd,
	'P': scanF1, 'Q': scanF1 + 1, 'R': scanF1 + 2, 'S': scanF1 + 3, 'T': scanF1 + 4, 'U': scanF1 + 5,
	'V': scanF1 + 6, 'W': scanF1 + 7, 'X': scanF1 + 8, 'Y': scanF1 + 9, 'Z': scanF1 + 10, '[': scanF12,
}

// csiKeys are the last bytes of ESC [ with or without parameters.
var csiKeys = [256]uint16{
	'A': scanUp, 'B': scanDown, 'C': scanRight, 'D': scanLeft, 'H': scanHome, 'F': scanEnd,
	'P': scanF1, 'Q': scanF1 + 1, 'R': scanF1 + 2, 'S': scanF1 + 3,
}

// tildeKeys are the first parameters of ESC [ n ~.
var tildeKeys = [...]uint16{
	1: scanHome, 2: scanInsert, 3: scanDelete, 4: scanEnd, 5: scanPageUp, 6: scanPageDown, 7: scanHome, 8: scanEnd,
	11: scanF1, 12: scanF1 + 1, 13: scanF1 + 2, 14: scanF1 + 3, 15: scanF1 + 4,
	17: scanF1 + 5, 18: scanF1 + 6, 19: scanF1 + 7, 20: scanF1 + 8, 21: scanF1 + 9,
	23: scanF1 + 10, 24: scanF12,
}

// controlSequence reads ESC [, parameters of 0x30 to 0x3f, intermediate bytes of
// 0x20 to 0x2f, and a last byte of 0x40 to 0x7e.
func controlSequence(b []byte, last bool) (efi.KeyData, int) {
	if len(b) > 2 && b[2] == '[' { // the Linux console's F1 to F5
		if len(b) == 3 {
			return alone(last)
		}
		if c := b[3]; c >= 'A' && c <= 'E' {
			return scanKey(scanF1+uint16(c-'A'), 0), 4
		}
		return efi.KeyData{}, 3
	}
	for i := 2; i < len(b); i++ {
		switch c := b[i]; {
		case c >= 0x40 && c <= 0x7e:
			return sequenceKey(b[2:i], c), i + 1
		case i == 2 && (c < 0x20 || c > 0x7e):
			return charKey('[', leftAlt), 2
		case c < 0x20 || c > 0x7e || i >= maxSequence:
			return efi.KeyData{}, i
		}
	}
	return alone(last)
}

// sequenceKey is the key of a whole control sequence, or none.
func sequenceKey(params []byte, end byte) efi.KeyData {
	n, shift := 0, uint32(0)
	if len(params) > 0 {
		var modifiers int
		var ok bool
		if n, modifiers, ok = twoNumbers(params); !ok {
			return efi.KeyData{}
		}
		for bit, state := range []uint32{leftShift, leftAlt, leftControl} {
			if max(modifiers-1, 0)&(1<<bit) != 0 {
				shift |= state
			}
		}
	}
	switch {
	case end == '~' && n < len(tildeKeys):
		return scanKey(tildeKeys[n], shift)
	case end == 'Z':
		return charKey(charTab, shift|leftShift)
	}
	return scanKey(csiKeys[end], shift)
}

// twoNumbers reads "n" or "n;m", of few digits.
func twoNumbers(b []byte) (n, m int, ok bool) {
	values, i := [2]int{}, 0
	for _, c := range b {
		switch {
		case c == ';' && i == 0:
			i = 1
		case c >= '0' && c <= '9' && values[i] < 1000:
			values[i] = 10*values[i] + int(c-'0')
		default:
			return 0, 0, false
		}
	}
	return values[0], values[1], true
}
