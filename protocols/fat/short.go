// SPDX-License-Identifier: BSD-3-Clause

package fat

import (
	"strconv"
	"strings"
)

// IsShort reports whether a short name can have a character: a capital letter, a
// digit or one of some others.
func IsShort(r rune) bool {
	return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'()-@^_`{}~", r)
}

// nameShort gives the files of a folder short names: their own, if it is one;
// else what is left of it, with a number behind ~ if that is not all of it, or
// another's.
func nameShort(items []*item) {
	taken := map[[shortSize]byte]bool{}
	for _, n := range items {
		if base, extension, whole := shortForm(n.name); whole {
			short := joinShort(base, extension)
			if shortName(short[:], 0) == n.name {
				n.short, taken[short] = short, true
			}
		}
	}
	last := map[[shortSize]byte]int{} // number behind ~, by what is before any
	for _, n := range items {
		if n.short[0] != 0 {
			continue
		}
		base, extension, whole := shortForm(n.name)
		plain := joinShort(base, extension)
		short := plain
		for number := last[plain] + 1; !whole || taken[short]; number++ {
			tail := "~" + strconv.Itoa(number)
			short = joinShort(base[:min(len(base), 8-len(tail))]+tail, extension)
			last[plain], whole = number, true
		}
		n.short, taken[short] = short, true
	}
}

// shortForm is what of a name a short one can have, in capitals. It is whole if
// nothing but the case of letters is lost.
func shortForm(name string) (base, extension string, whole bool) {
	before, after, dotted := cutLast(name)
	base, whole = shortPart(before, 8)
	if dotted {
		var all bool
		extension, all = shortPart(after, 3)
		whole = whole && all
	}
	if base == "" {
		base, whole = "_", false
	}
	return base, extension, whole
}

// cutLast cuts a name at its last dot, unless that is the first character.
func cutLast(name string) (before, after string, dotted bool) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// shortPart is what a part of a short name can have of a text.
func shortPart(text string, size int) (part string, whole bool) {
	var s strings.Builder
	whole = true
	for _, r := range text {
		switch {
		case r == ' ' || r == '.':
			whole = false
			continue
		case 'a' <= r && r <= 'z':
			r -= 'a' - 'A'
		case IsShort(r):
		default:
			r, whole = '_', false
		}
		if s.Len() == size {
			return s.String(), false
		}
		s.WriteRune(r)
	}
	return s.String(), whole
}

func joinShort(base, extension string) (short [shortSize]byte) {
	copy(short[:], padded(base, 8))
	copy(short[8:], padded(extension, 3))
	return short
}

// padded is a text in capitals with spaces behind it. What is not in a short name
// is an underscore; dots and spaces stay.
func padded(text string, size int) []byte {
	b := make([]byte, 0, size)
	for _, r := range strings.ToUpper(text) {
		if r >= 0x7f || r < ' ' || strings.ContainsRune(`"*/:<>?\|+,;=[]`, r) {
			r = '_'
		}
		if len(b) < size {
			b = append(b, byte(r))
		}
	}
	for len(b) < size {
		b = append(b, ' ')
	}
	return b
}
