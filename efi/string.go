// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"unicode/utf16"
)

// EncodeString is s in UTF-16, little endian, with a terminating NUL. Bytes of
// s that are not UTF-8 become U+FFFD. A NUL within s is kept, so that a reader
// stops there.
func EncodeString(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return append(b, 0, 0)
}

// DecodeString reads UTF-16, little endian, up to a NUL or the end of b. A lone
// surrogate becomes U+FFFD, an odd last byte is ignored.
func DecodeString(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		unit := binary.LittleEndian.Uint16(b)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}
