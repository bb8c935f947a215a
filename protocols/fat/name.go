// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	shortSize = 11  // of a short name, in bytes: 8 and 3
	maxName   = 255 // UTF-16 units
)

// ValidName reports whether a file or folder can have a name: one of 1 to 255
// UTF-16 units that has none of FAT's forbidden characters, does not start with a
// space, and ends in neither a space nor a dot.
func ValidName(name string) bool {
	return name != "" && utf8.ValidString(name) && name[0] != ' ' && !strings.HasSuffix(name, " ") && !strings.HasSuffix(name, ".") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`"*/:<>?\|`, r) }) &&
		len(name) <= maxName*utf8.UTFMax && len(utf16.Encode([]rune(name))) <= maxName
}

// checksum is what the parts of a long name hold of the short one.
func checksum(short []byte) (sum uint8) {
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// shortName is the name in an entry, with its bytes as Latin-1, as EDK2 takes
// them. The flags say what of it is in lower case.
func shortName(short []byte, flags uint8) string {
	const lowerBase, lowerExtension = 0x08, 0x10
	base, extension := latin1(short[:8]), latin1(short[8:shortSize])
	if short[0] == 0x05 {
		base = "å" + base[1:] // 0xe5, which would say that the entry is free
	}
	if flags&lowerBase != 0 {
		base = lower(base)
	}
	if flags&lowerExtension != 0 {
		extension = lower(extension)
	}
	if extension != "" {
		base += "." + extension
	}
	return base
}

// lower is a text with A to Z in lower case.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// longParts collects the parts of a long name, the last of which comes first.
type longParts struct {
	units []uint16
	next  int // number of the next part; 0 is a whole name
	sum   uint8
}

// add takes an entry that is a part. One that does not follow the one before
// starts anew, or there is no name.
func (l *longParts) add(entry []byte) {
	const first, unitsPerPart = 0x40, 13
	number := int(entry[0] &^ first)
	switch {
	case entry[0]&first != 0 && number >= 1 && number <= (maxName+unitsPerPart-1)/unitsPerPart:
		*l = longParts{units: make([]uint16, number*unitsPerPart), sum: entry[13]}
	case len(l.units) == 0 || number != l.next || number == 0 || entry[13] != l.sum:
		*l = longParts{}
		return
	}
	l.next = number - 1
	part := l.units[l.next*unitsPerPart:]
	for i, at := range longOffsets {
		part[i] = uint16(entry[at]) | uint16(entry[at+1])<<8
	}
}

// longOffsets are where an entry has its part of a long name.
var longOffsets = [...]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// name is the long name that goes with a short one, if there is one.
func (l *longParts) name(short []byte) (string, bool) {
	if len(l.units) == 0 || l.next != 0 || l.sum != checksum(short) {
		return "", false
	}
	units := l.units
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	runes := utf16.Decode(units)
	for i, u := range utf16.Encode(runes) {
		if u != units[i] {
			return "", false // half of a pair
		}
	}
	name := string(runes)
	return name, ValidName(name)
}
