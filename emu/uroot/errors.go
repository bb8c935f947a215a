// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Limits of a scan. What goes beyond is an *EntryError with ErrLimit.
const (
	maxFolder   = 4096     // files in a folder
	maxEntries  = 1024     // entries of a scan
	maxText     = 64 << 10 // bytes of a .conf file, of a section read as text
	maxProfiles = 256      // of an image, as in systemd-boot
	maxLabel    = 200      // characters of a label
)

// Reasons of an *EntryError; others are of the file system, and of package pecoff.
var (
	ErrLimit     = errors.New("beyond the limit of this package")
	ErrProgram   = errors.New("not a program that can be booted")
	ErrSyntax    = errors.New("bad value")
	ErrNoEntry   = errors.New("no linux, efi or uki key")
	ErrReadAt    = errors.New("the file system cannot read files at an offset")
	errElsewhere = errors.New("for another machine") // hides the entry, is not reported
)

// EntryError says what is wrong with a file, so that it gives no entry, or with
// a folder.
type EntryError struct {
	Volume Volume
	File   string // from the volume's root
	Line   int    // 0 where it is no matter of a line
	Err    error
}

func (e *EntryError) Error() string {
	line := ""
	if e.Line > 0 {
		line = fmt.Sprintf(":%d", e.Line)
	}
	return fmt.Sprintf("%s%s: %s", e.Volume.name(e.File), line, clean(e.Err.Error()))
}

func (e *EntryError) Unwrap() error { return e.Err }

// lineError is an error in a line of a file that is yet to be named.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// name is a file's name in messages.
func (v Volume) name(file string) string { return clean(path.Join(v.Dir, file)) }

// printable makes text from a file fit for a line of a menu: clean, and not long.
func printable(s string) string {
	if r := []rune(s); len(r) > maxLabel {
		s = string(r[:maxLabel]) + "…"
	}
	return clean(s)
}

// clean replaces what a terminal might obey, and what is not UTF-8, by U+FFFD.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
