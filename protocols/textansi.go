// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"unicode/utf8"
)

// ansiText is the style of a terminal with ECMA-48's control sequences.
type ansiText struct{}

func (ansiText) char(b []byte, r rune) []byte   { return utf8.AppendRune(b, r) }
func (ansiText) tab(b []byte) []byte            { return append(b, ' ') }
func (ansiText) backspace(b []byte) []byte      { return append(b, '\b') }
func (ansiText) carriageReturn(b []byte) []byte { return append(b, '\r') }
func (ansiText) lineFeed(b []byte) []byte       { return append(b, '\n') }

// wrap is explicit, as the terminal may be wider, and waits with its own wrap
// for the next character.
func (ansiText) wrap(b []byte) []byte { return append(b, '\r', '\n') }

func (ansiText) move(b []byte, column, row int32, _ bool) []byte {
	return fmt.Appendf(b, "\x1b[%d;%dH", row+1, column+1)
}

func (ansiText) clear(b []byte) []byte { return append(b, "\x1b[2J\x1b[H"...) }

// ansiColours are the ANSI numbers of EFI's colours (§12.4.6): black, blue,
// green, cyan, red, magenta, brown, light gray.
var ansiColours = [8]int{0, 4, 2, 6, 1, 5, 3, 7}

// attribute leaves the terminal its own colours where the guest asks for light
// gray on black.
func (ansiText) attribute(b []byte, attribute int32) []byte {
	if attribute == lightGray {
		return append(b, "\x1b[0m"...)
	}
	bold := ""
	if attribute&8 != 0 {
		bold = "1;"
	}
	return fmt.Appendf(b, "\x1b[0;%s3%d;4%dm", bold, ansiColours[attribute&7], ansiColours[attribute>>4&7])
}

func (ansiText) cursor(b []byte, visible bool) []byte {
	if visible {
		return append(b, "\x1b[?25h"...)
	}
	return append(b, "\x1b[?25l"...)
}
