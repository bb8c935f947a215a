// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// keyText writes keys so that tables of tests can be read: "a", "C-a", "<1>".
func keyText(keys []efi.KeyData) string {
	var text []string
	for _, k := range keys {
		s := ""
		for _, m := range []struct {
			state uint32
			name  string
		}{{leftControl, "C-"}, {leftAlt, "A-"}, {leftShift, "S-"}} {
			if k.KeyState.KeyShiftState&m.state != 0 {
				s += m.name
			}
		}
		switch c := rune(k.Key.UnicodeChar); {
		case k.Key.ScanCode != 0:
			s += fmt.Sprintf("<%#x>", k.Key.ScanCode)
		case c < ' ':
			s += fmt.Sprintf("%q", c)
		default:
			s += string(c)
		}
		text = append(text, s)
	}
	return strings.Join(text, " ")
}

func TestKeys(t *testing.T) {
	for _, test := range []struct{ name, bytes, keys string }{
		{"printable", "aZ~ ", "a Z ~  "},
		{"control characters", "\r\n\t\b\x7f", `'\r' '\r' '\t' '\b' '\b'`},
		{"Ctrl and a letter", "\x01\x03\x1a", "C-a C-c C-z"},
		{"Ctrl and more", "\x00\x1c\x1d\x1e\x1f", "C-  C-\\ C-] C-^ C-_"},
		{"UTF-8", "äж€\uffff", "ä ж € \uffff"},
		{"no CHAR16", "a😀b", "a b"},
		{"no UTF-8", "a\xff\xe2b\xe2\x82", "a b"},
		{"C1 controls", "\u0085x", "x"},
		{"arrows", "\x1b[A\x1b[B\x1b[C\x1b[D", "<0x1> <0x2> <0x3> <0x4>"},
		{"arrows of the application mode", "\x1bOA\x1bOD", "<0x1> <0x4>"},
		{"Home and End", "\x1b[H\x1b[F\x1bOH\x1bOF\x1b[1~\x1b[4~\x1b[7~\x1b[8~", "<0x5> <0x6> <0x5> <0x6> <0x5> <0x6> <0x5> <0x6>"},
		{"Ins, Del, PgUp, PgDn", "\x1b[2~\x1b[3~\x1b[5~\x1b[6~", "<0x7> <0x8> <0x9> <0xa>"},
		{"F1 to F4", "\x1bOP\x1bOQ\x1bOR\x1bOS", "<0xb> <0xc> <0xd> <0xe>"},
		{"F1 to F5, Linux", "\x1b[[A\x1b[[B\x1b[[C\x1b[[D\x1b[[E", "<0xb> <0xc> <0xd> <0xe> <0xf>"},
		{"F1 to F5, VT400", "\x1b[11~\x1b[12~\x1b[13~\x1b[14~\x1b[15~", "<0xb> <0xc> <0xd> <0xe> <0xf>"},
		{"F6 to F12", "\x1b[17~\x1b[18~\x1b[19~\x1b[20~\x1b[21~\x1b[23~\x1b[24~", "<0x10> <0x11> <0x12> <0x13> <0x14> <0x15> <0x16>"},
		{"F5 to F12, VT100+", "\x1bOT\x1bOU\x1bOV\x1bOW\x1bOX\x1bOY\x1bOZ\x1bO[", "<0xf> <0x10> <0x11> <0x12> <0x13> <0x14> <0x15> <0x16>"},
		{"modifiers", "\x1b[1;5C\x1b[3;2~\x1b[1;8P\x1b[1;3D", "C-<0x3> S-<0x8> C-A-S-<0xb> A-<0x4>"},
		{"Shift and Tab", "\x1b[Z", `S-'\t'`},
		{"Alt", "\x1bx\x1b\r\x1b\x01\x1bä", `A-x A-'\r' C-A-a A-ä`},
		{"escape", "\x1b", "<0x17>"},
		{"escape twice", "\x1b\x1b", "<0x17> <0x17>"},
		{"escape and an arrow", "\x1b\x1b[A", "<0x17> <0x1>"},
		{"half a sequence", "\x1b[1;", "<0x17> [ 1 ;"},
		{"half a function key", "\x1bO", "<0x17> O"},
		{"half a Linux function key", "\x1b[[", "<0x17> [ ["},
		{"Alt and Shift and O, then Enter", "\x1bO\r", `A-O '\r'`},
		{"Alt and [, then Enter", "\x1b[\r", `A-[ '\r'`},
		{"sequences that are no key", "\x1b[200~a\x1b[?1;2cb\x1b[99~\x1b[1;2;3A\x1b[12345678~\x1b[[Xc", "a b X c"},
		{"a sequence that is broken off", "\x1b[12\x1b[A", "<0x1>"},
		{"a sequence without an end", "\x1b[" + strings.Repeat("1", 40) + "a", "1 1 1 1 1 1 1 1 1 1 a"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p keyParser
			got := p.flush(p.feed(nil, []byte(test.bytes)))
			if text := keyText(got); text != test.keys {
				t.Errorf("%q gives %q, want %q", test.bytes, text, test.keys)
			}
			if p.waiting() {
				t.Errorf("%q is left over", p.pending)
			}
			if bytewise := keysOneByOne([]byte(test.bytes)); !slices.Equal(got, bytewise) {
				t.Errorf("%q, byte by byte, gives %q", test.bytes, keyText(bytewise))
			}
		})
	}
}

func keysOneByOne(b []byte) (keys []efi.KeyData) {
	var p keyParser
	for _, c := range b {
		keys = p.feed(keys, []byte{c})
	}
	return p.flush(keys)
}

func TestInputKey(t *testing.T) {
	for _, test := range []struct {
		key  efi.KeyData
		want efi.InputKey
	}{
		{charKey('a', 0), efi.InputKey{UnicodeChar: 'a'}},
		{charKey('a', leftControl), efi.InputKey{UnicodeChar: 1}},
		{charKey('z', leftControl|leftAlt), efi.InputKey{UnicodeChar: 26}},
		{charKey('\\', leftControl), efi.InputKey{UnicodeChar: 0x1c}},
		{charKey(' ', leftControl), efi.InputKey{UnicodeChar: ' '}},
		{charKey('x', leftAlt), efi.InputKey{UnicodeChar: 'x'}},
		{scanKey(scanHome, leftControl), efi.InputKey{ScanCode: scanHome}},
	} {
		if got := inputKey(test.key); got != test.want {
			t.Errorf("%s is %+v, want %+v", keyText([]efi.KeyData{test.key}), got, test.want)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("a\x1b[A\x1bOP\x1b[1;5C"), uint8(3))
	f.Add([]byte("\x1b[[A\xe2\x82\xac\x1b\x1b"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, split uint8) {
		var whole, parts keyParser
		want := whole.feed(nil, b)
		cut := min(int(split), len(b))
		got := parts.feed(parts.feed(nil, b[:cut]), b[cut:])
		if !slices.Equal(got, want) || string(whole.pending) != string(parts.pending) {
			t.Fatalf("%q cut at %d gives %q, not %q", b, cut, keyText(got), keyText(want))
		}
		if len(whole.pending) > maxSequence+2 {
			t.Fatalf("%d bytes are kept", len(whole.pending))
		}
		for _, k := range whole.flush(want) {
			c, code := k.Key.UnicodeChar, k.Key.ScanCode
			switch {
			case (c == 0) == (code == 0), code > scanEscape:
				t.Fatalf("%q gives the key %+v", b, k)
			case code == 0 && c < ' ' && c != charTab && c != charReturn && c != charBackspace:
				t.Fatalf("%q gives the character %#x", b, c)
			}
		}
		if whole.waiting() {
			t.Fatalf("%q is left of %q", whole.pending, b)
		}
	})
}
