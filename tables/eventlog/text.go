// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/uefiexec/uefiexec/efi"
)

// How much of an event's data is looked at and shown.
const (
	maxLine  = 200  // characters of a description
	maxValue = 96   // characters of a text within it
	maxName  = 64   // characters of a name within it
	maxText  = 2048 // bytes that are decoded as text
	maxPath  = 4096 // bytes of a device path or load option
	maxHex   = 16   // bytes of what is not known
)

// clean makes s printable, on one line: what is not is written as Go writes it
// in a string. At most limit characters of s are kept.
func clean(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if limit--; limit < 0 {
			return b.String() + "…"
		}
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// quote is clean with quotes around it, and with those within escaped.
func quote(s string, limit int) string {
	end := len(s)
	for i := range s {
		if limit--; limit < 0 {
			end = i
			break
		}
	}
	quoted := strconv.Quote(s[:end])
	if end < len(s) {
		quoted += "…"
	}
	return quoted
}

// line cuts a description that is printable already.
func line(format string, args ...any) string { return clean(fmt.Sprintf(format, args...), maxLine) }

// count is "1 byte", "2 bytes".
func count[T int | uint64](n T, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// hexText shows data of which nothing is known.
func hexText(b []byte) string {
	switch {
	case len(b) == 0:
		return "no data"
	case len(b) > maxHex:
		return fmt.Sprintf("%x… (%d bytes)", b[:maxHex], len(b))
	}
	return fmt.Sprintf("%x", b)
}

// isText reports whether s is something to read.
func isText(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
	})
}

// isASCII reports whether b is ASCII without control characters.
func isASCII(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' })
}

// text decodes data that is text in UTF-16, as systemd and firmware write it, or
// in ASCII or UTF-8, as shim and GRUB do, with NULs at its end or without. ok is
// false if it does not look like text.
func text(data []byte) (s string, wide, ok bool) {
	n := len(data)
	even, ended := n >= 2 && n%2 == 0, n >= 2 && data[n-2] == 0 && data[n-1] == 0
	data = data[:min(n, maxText)]
	narrow := bytes.TrimRight(data, "\x00")
	switch {
	case even && ended:
		wide = !isASCII(narrow)
	case even && n > 2:
		wide = data[0] != 0 && data[1] == 0
	}
	if wide {
		s = efi.DecodeString(data)
		return s, true, isText(s)
	}
	for range utf8.UTFMax - 1 { // a character that was cut
		if n <= maxText || len(narrow) == 0 || utf8.Valid(narrow) {
			break
		}
		narrow = narrow[:len(narrow)-1]
	}
	s = string(narrow)
	return s, false, isText(s)
}

// textOrHex shows data that may be text.
func textOrHex(data []byte) string {
	if s, _, ok := text(data); ok {
		return quote(s, maxValue)
	}
	return hexText(data)
}
