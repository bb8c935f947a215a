// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Tries is the boot counting of an entry, which its file's name ends in: "+3" or
// "+3-1" before the suffix (UAPI.1, "Boot counting").
type Tries struct {
	Counted    bool
	Left, Done int
}

// Bad reports that no try is left. Such an entry can be booted, but should not
// be the first choice.
func (t Tries) Bad() bool { return t.Counted && t.Left == 0 }

// parseTries takes the counters off a file's name, and returns them as numbers
// and as they stand there.
func parseTries(name string) (stripped string, t Tries, left, done string) {
	suffix := path.Ext(name)
	stem := strings.TrimSuffix(name, suffix)
	plus := strings.LastIndexByte(stem, '+')
	if plus < 0 {
		return name, Tries{}, "", ""
	}
	left, done, both := strings.Cut(stem[plus+1:], "-")
	l, okLeft := parseNumber(left)
	d, okDone := parseNumber(done)
	if !okLeft || both && !okDone {
		return name, Tries{}, "", ""
	}
	return stem[:plus] + suffix, Tries{Counted: true, Left: l, Done: d}, left, done
}

// parseNumber reads up to nine digits.
func parseNumber(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// Counted says what the entry's file is to be renamed to before a try: one try
// less left, one more done, and no digit more or less. It is false where nothing
// is counted or no try is left. Scan and Load rename nothing.
//
// For an entry of EFI/Linux the file is the program: Path changes with it.
func (im *Image) Counted() (file string, ok bool) {
	dir, name := path.Split(im.File)
	stripped, t, left, done := parseTries(name)
	if !t.Counted || t.Left == 0 {
		return "", false
	}
	next := fmt.Sprintf("%0*d", len(done), t.Done+1)
	if done != "" && len(next) > len(done) {
		next = strings.Repeat("9", len(done))
	}
	suffix := path.Ext(name)
	return fmt.Sprintf("%s%s+%0*d-%s%s", dir, strings.TrimSuffix(stripped, suffix), len(left), t.Left-1, next, suffix), true
}
