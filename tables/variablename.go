// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// DecodeVariableName reads a name as a guest gives it: UTF-16, little endian,
// up to a NUL or the end of b. Nothing is lost: a lone surrogate, which is not
// text but is a name to the specification, becomes the three bytes that UTF-8
// would have for it (the form is called WTF-8). An odd last byte is ignored.
func DecodeVariableName(b []byte) string {
	var name []byte
	for len(b) >= 2 {
		unit := rune(binary.LittleEndian.Uint16(b))
		b = b[2:]
		if unit == 0 {
			break
		}
		if utf16.IsSurrogate(unit) {
			if len(b) >= 2 {
				if pair := utf16.DecodeRune(unit, rune(binary.LittleEndian.Uint16(b))); pair != utf8.RuneError {
					name = utf8.AppendRune(name, pair)
					b = b[2:]
					continue
				}
			}
			name = append(name, 0xe0|byte(unit>>12), 0x80|byte(unit>>6&0x3f), 0x80|byte(unit&0x3f))
			continue
		}
		name = utf8.AppendRune(name, unit)
	}
	return string(name)
}

// EncodeVariableName is the inverse of DecodeVariableName, with a terminating
// NUL. InvalidParameter: name has a NUL, or is nothing that DecodeVariableName
// returns.
func EncodeVariableName(name string) ([]byte, error) {
	var b []byte
	half := false // b ends with the first half of a pair, as a lone surrogate
	for rest := name; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		lone := r == utf8.RuneError && n == 1
		if lone {
			r, n = loneSurrogate(rest)
		}
		second := lone && r >= 0xdc00
		if n == 0 || r == 0 || second && half {
			return nil, fmt.Errorf("%q is no variable name: %w", name, efi.InvalidParameter)
		}
		half = lone && !second
		if r > 0xffff {
			first, second := utf16.EncodeRune(r)
			b = binary.LittleEndian.AppendUint16(b, uint16(first))
			r = second
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(r))
		rest = rest[n:]
	}
	return append(b, 0, 0), nil
}

// loneSurrogate is the surrogate that s begins with and its length, or zeros.
func loneSurrogate(s string) (rune, int) {
	if len(s) < 3 || s[0] != 0xed || s[1]&0xe0 != 0xa0 || s[2]&0xc0 != 0x80 {
		return 0, 0
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
}
