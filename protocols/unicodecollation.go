// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/protocols/fat"
)

// unicodeCollationProtocol are the rows of EFI_UNICODE_COLLATION_PROTOCOL (§21.1).
var unicodeCollationProtocol = emu.Protocol{
	GUID: efi.UnicodeCollation2ProtocolGUID,
	Name: "UnicodeCollation",
	Services: []emu.Service{
		emu.Func3("StriColl", striColl, "this", "s1", "s2"),
		emu.Func3("MetaiMatch", metaiMatch, "this", "string", "pattern"),
		emu.Func2("StrLwr", strLwr, "this", "&string"),
		emu.Func2("StrUpr", strUpr, "this", "&string"),
		emu.Func4("FatToStr", fatToStr, "this", "fatSize", "fat", "*string"),
		emu.Func4("StrToFat", strToFat, "this", "string", "fatSize", "*fat"),
		emu.Field("SupportedLanguages"),
	},
}

// maxCollation bounds the strings that are compared with a pattern, in UTF-16 units.
const maxCollation = 4096

// UnicodeCollation makes an EFI_UNICODE_COLLATION_PROTOCOL (§21.1) for English,
// under the GUID that names languages by RFC 4646 and under the older one that
// names them by ISO 639-2. It knows the case of the letters of Latin-1, as EDK2's
// does. A string that cannot be read is left alone, and equal to all others.
func UnicodeCollation() []emu.Interface {
	older := unicodeCollationProtocol
	older.GUID = efi.UnicodeCollationProtocolGUID
	return []emu.Interface{collation(&unicodeCollationProtocol, "en"), collation(&older, "eng")}
}

func collation(rows *emu.Protocol, languages string) emu.Interface {
	return emu.Interface{
		Protocol: rows,
		Fields: func(m *emu.Machine) ([]uint64, error) {
			text := append([]byte(languages), 0)
			at, err := m.AllocatePool(efi.BootServicesData, uint64(len(text)))
			if err == nil {
				err = m.Memory().Write(at, text)
			}
			return []uint64{uint64(at)}, err
		},
	}
}

// collated reads strings, in capitals, for services that have no status to tell a
// failure by: it is in the trace.
func collated(c *emu.Call, at ...efi.Ptr[efi.Char16]) ([][]rune, bool) {
	var all [][]rune
	for _, p := range at {
		raw, err := c.Memory().String16(p.Addr(), maxCollation)
		if err != nil {
			c.Notef("%v", err)
			return nil, false
		}
		all = append(all, upper(raw))
	}
	return all, true
}

func upper(raw []byte) []rune {
	units := make([]rune, 0, len(raw)/2)
	for ; len(raw) >= 2; raw = raw[2:] {
		units = append(units, fatUpper(rune(binary.LittleEndian.Uint16(raw))))
	}
	return units
}

// striColl returns the difference at the first unit that differs, 0 for none.
func striColl(c *emu.Call, _ efi.Addr, s1, s2 efi.Ptr[efi.Char16]) error {
	difference := int64(0)
	if s, ok := collated(c, s1, s2); ok {
		a, b := append(s[0], 0), append(s[1], 0)
		for i := 0; i < min(len(a), len(b)) && difference == 0; i++ {
			difference = int64(a[i]) - int64(b[i])
		}
	}
	c.Return(uint64(difference))
	return nil
}

func metaiMatch(c *emu.Call, _ efi.Addr, text, pattern efi.Ptr[efi.Char16]) error {
	s, ok := collated(c, text, pattern)
	c.Return(uint64(efi.BooleanOf(ok && wildMatch(s[0], s[1]))))
	return nil
}

// wildMatch matches all of a text against a pattern: * is any text, ? any unit,
// and [a-z] one of a set, which ends with the pattern if nothing else ends it.
func wildMatch(text, pattern []rune) bool {
	starAt, starText := -1, 0
	p := 0
	for t := 0; t < len(text); {
		if p < len(pattern) && pattern[p] == '*' {
			starAt, starText = p, t
			p++
			continue
		}
		if ok, next := matchOne(text[t], pattern, p); ok {
			t, p = t+1, next
			continue
		}
		if starAt < 0 {
			return false
		}
		starText++
		t, p = starText, starAt+1
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches a unit with the pattern at p, and says where that goes on.
func matchOne(r rune, pattern []rune, p int) (bool, int) {
	if p == len(pattern) {
		return false, p
	}
	switch pattern[p] {
	case '?':
		return true, p + 1
	case '[':
		in := false
		for p++; p < len(pattern) && pattern[p] != ']'; p++ {
			low, high := pattern[p], pattern[p]
			if p+2 < len(pattern) && pattern[p+1] == '-' && pattern[p+2] != ']' {
				p += 2
				high = pattern[p]
			}
			in = in || low <= r && r <= high
		}
		return in, min(p+1, len(pattern))
	}
	return r == pattern[p], p + 1
}

func strLwr(c *emu.Call, _ efi.Addr, text efi.Ptr[efi.Char16]) error {
	return mapString(c, text, fatLower)
}

func strUpr(c *emu.Call, _ efi.Addr, text efi.Ptr[efi.Char16]) error {
	return mapString(c, text, fatUpper)
}

// mapString changes a string in place.
func mapString(c *emu.Call, text efi.Ptr[efi.Char16], f func(rune) rune) error {
	raw, err := readString(c, text)
	if err != nil {
		return err
	}
	raw = bytes.Clone(raw)
	for i := 0; i < len(raw); i += 2 {
		unit := raw[i : i+2]
		binary.LittleEndian.PutUint16(unit, uint16(f(rune(binary.LittleEndian.Uint16(unit)))))
	}
	return c.Memory().Write(text.Addr(), raw)
}

func fatLower(r rune) rune {
	if 'A' <= r && r <= 'Z' || 0xc0 <= r && r <= 0xde && r != 0xd7 {
		return r + 0x20
	}
	return r
}

// fatToStr makes a string of at most size characters of a code page that is
// taken for Latin-1.
func fatToStr(c *emu.Call, _ efi.Addr, size uint64, short efi.Ptr[byte], text efi.Ptr[efi.Char16]) error {
	size = min(size, maxString)
	raw, err := c.Memory().Tail(short.Addr(), size)
	if err != nil && size > 0 {
		return err
	}
	if n := bytes.IndexByte(raw, 0); n >= 0 {
		raw = raw[:n]
	} else if uint64(len(raw)) < size {
		return fmt.Errorf("the name has no end: %w", efi.InvalidParameter)
	}
	units := make([]byte, 0, 2*len(raw)+2)
	for _, b := range raw {
		units = append(units, b, 0)
	}
	return c.Memory().Write(text.Addr(), append(units, 0, 0))
}

// strToFat makes at most size characters of a short name, without dots and
// spaces, and with _ for what a short name cannot have. It is True if there was
// any, and then the name has to be kept as a long one too.
func strToFat(c *emu.Call, _ efi.Addr, text efi.Ptr[efi.Char16], size uint64, short efi.Ptr[byte]) error {
	raw, err := readString(c, text)
	if err != nil {
		return err
	}
	var name []byte
	long := false
	for ; len(raw) > 0 && uint64(len(name)) < size; raw = raw[2:] {
		switch r := fatUpper(rune(binary.LittleEndian.Uint16(raw))); {
		case r == '.' || r == ' ':
		case fat.IsShort(r):
			name = append(name, byte(r))
		default:
			name, long = append(name, '_'), true
		}
	}
	c.Return(uint64(efi.BooleanOf(long)))
	return c.Memory().Write(short.Addr(), name)
}
