// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"strings"

	"github.com/uefiexec/uefiexec/protocols/fat"
)

// Limits of names on a volume, in UTF-16 units. Firmware stops at paths of 260.
const (
	fatNameLimit = 255
	fatPathLimit = 1024
)

// fatElement is one element of a path as EDK2's FAT driver understands it:
// without spaces around it and dots behind it. It is false for one that is then
// empty, too long, or has a character that FAT has not.
func fatElement(e string) (string, bool) {
	e = strings.TrimRight(strings.TrimLeft(e, " "), " .")
	return e, fat.ValidName(e)
}

// fatLength is the number of UTF-16 units in s.
func fatLength(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// fatEqual compares names as EDK2 does, whose collation knows the case of the
// letters of Latin-1 and of no others.
func fatEqual(a, b string) bool {
	return len(a) == len(b) && strings.Map(fatUpper, a) == strings.Map(fatUpper, b)
}

func fatUpper(r rune) rune {
	if 'a' <= r && r <= 'z' || 0xe0 <= r && r <= 0xfe && r != 0xf7 {
		return r - 0x20
	}
	return r
}
