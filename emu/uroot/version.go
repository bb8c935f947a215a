// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"cmp"
	"strings"
)

// CompareVersions compares version strings as the UAPI group's Version Format
// Specification (UAPI.10, 1.0) says: negative where a is the older one, zero
// where they are equal, positive where a is newer. It is a total preorder:
// distinct strings may be equal ("1_" and "1").
//
// Where the text is silent, or differs from systemd, which it names as its
// implementation, this is systemd's order: what follows a separator that both
// strings have is compared without asking again whether a string has ended or
// goes on with other characters, and a missing number is lower than 0 (the text
// says that it is 0; then "-_a", "-0a" and "-a" were in no order).
func CompareVersions(a, b string) int {
	for {
		a, b = skipOther(a), skipOther(b)
		if c := separator(&a, &b, '~'); c != 0 {
			return c
		}
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		for _, sep := range []byte("-^.") {
			if c := separator(&a, &b, sep); c != 0 {
				return c
			}
		}
		var c int
		if startsDigit(a) || startsDigit(b) {
			c = compareNumbers(cut(&a, isDigit), cut(&b, isDigit))
		} else {
			c = strings.Compare(cut(&a, isLetter), cut(&b, isLetter))
		}
		if c != 0 {
			return c
		}
	}
}

// separator takes sep off both strings, or says which one is lower for it.
func separator(a, b *string, sep byte) int {
	switch inA, inB := startsWith(*a, sep), startsWith(*b, sep); {
	case inA && inB:
		*a, *b = (*a)[1:], (*b)[1:]
	case inA:
		return -1
	case inB:
		return +1
	}
	return 0
}

// compareNumbers compares decimal numbers of any length; "" is lower than 0.
func compareNumbers(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(min(len(a), 1), min(len(b), 1))
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// cut takes the bytes of a kind off the start of s.
func cut(s *string, kind func(byte) bool) string {
	n := 0
	for n < len(*s) && kind((*s)[n]) {
		n++
	}
	head := (*s)[:n]
	*s = (*s)[n:]
	return head
}

func skipOther(s string) string {
	cut(&s, func(c byte) bool { return !isDigit(c) && !isLetter(c) && strings.IndexByte("~-^.", c) < 0 })
	return s
}

func startsWith(s string, c byte) bool { return s != "" && s[0] == c }
func startsDigit(s string) bool        { return s != "" && isDigit(s[0]) }
func isDigit(c byte) bool              { return '0' <= c && c <= '9' }
func isLetter(c byte) bool             { return 'a' <= c|0x20 && c|0x20 <= 'z' }
