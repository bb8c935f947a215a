// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// GUID is an EFI_GUID (Appendix A): 16 bytes, the first three fields little
// endian on the wire. It is comparable and has its guest layout.
type GUID struct {
	Data1 uint32
	Data2 uint16
	Data3 uint16
	Data4 [8]byte
}

// ParseGUID reads the registry form, "8be4df61-93ca-11d2-aa0d-00e098032b8c",
// in either case, with or without braces.
func ParseGUID(s string) (GUID, error) {
	text := s
	if len(text) == 38 && text[0] == '{' && text[37] == '}' {
		text = text[1:37]
	}
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return GUID{}, fmt.Errorf("efi: %q is not a GUID", s)
	}
	raw, err := hex.DecodeString(text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:])
	if err != nil {
		return GUID{}, fmt.Errorf("efi: %q is not a GUID: %w", s, err)
	}
	g := GUID{
		Data1: binary.BigEndian.Uint32(raw),
		Data2: binary.BigEndian.Uint16(raw[4:]),
		Data3: binary.BigEndian.Uint16(raw[6:]),
	}
	copy(g.Data4[:], raw[8:])
	return g, nil
}

// GUIDFromBytes reads the wire form.
func GUIDFromBytes(b [16]byte) GUID {
	g := GUID{
		Data1: binary.LittleEndian.Uint32(b[:]),
		Data2: binary.LittleEndian.Uint16(b[4:]),
		Data3: binary.LittleEndian.Uint16(b[6:]),
	}
	copy(g.Data4[:], b[8:])
	return g
}

// Bytes is the wire form.
func (g GUID) Bytes() [16]byte {
	var b [16]byte
	binary.LittleEndian.PutUint32(b[:], g.Data1)
	binary.LittleEndian.PutUint16(b[4:], g.Data2)
	binary.LittleEndian.PutUint16(b[6:], g.Data3)
	copy(b[8:], g.Data4[:])
	return b
}

// String is the registry form in lower case.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", g.Data1, g.Data2, g.Data3, g.Data4[:2], g.Data4[2:])
}

// MarshalText and UnmarshalText use the registry form.
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the registry form.
func (g *GUID) UnmarshalText(text []byte) error {
	parsed, err := ParseGUID(string(text))
	if err == nil {
		*g = parsed
	}
	return err
}
