// SPDX-License-Identifier: BSD-3-Clause

package protocols

import "unicode/utf8"

// plainText is the style of a log. Lines end with a line feed alone, and are as
// long as they come. Colours and the cursor are dropped; text that comes after a
// move of the cursor begins a new line. Spaces are held back until something
// follows them, so that what is painted with spaces leaves no trace, nor what is
// taken back with "\b \b".
type plainText struct {
	filled bool // there is something in the line
	moved  bool // what comes next belongs elsewhere
	spaces int  // held back
}

func (p *plainText) char(b []byte, r rune) []byte {
	if p.moved && p.filled {
		b = append(b, '\n')
		p.filled = false
	}
	p.moved = false
	if r == ' ' {
		p.spaces++
		return b
	}
	for ; p.spaces > 0; p.spaces-- {
		b = append(b, ' ')
	}
	p.filled = true
	return utf8.AppendRune(b, r)
}

func (p *plainText) tab(b []byte) []byte { return p.char(b, '\t') }

func (p *plainText) backspace(b []byte) []byte {
	p.spaces = max(p.spaces-1, 0)
	return b
}

func (p *plainText) carriageReturn(b []byte) []byte { return p.elsewhere(b) }

func (p *plainText) lineFeed(b []byte) []byte {
	*p = plainText{}
	return append(b, '\n')
}

func (p *plainText) wrap(b []byte) []byte { return b }

func (p *plainText) move(b []byte, _, _ int32, moved bool) []byte {
	if moved {
		return p.elsewhere(b)
	}
	return b
}

func (p *plainText) clear(b []byte) []byte              { return p.elsewhere(b) }
func (p *plainText) attribute(b []byte, _ int32) []byte { return b }
func (p *plainText) cursor(b []byte, _ bool) []byte     { return b }

func (p *plainText) elsewhere(b []byte) []byte {
	p.moved, p.spaces = true, 0
	return b
}
