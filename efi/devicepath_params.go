// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// nodeParams takes the parameters of a node's text, one by one. One that is not
// there is empty, an empty number is zero. The first error stays.
type nodeParams struct {
	rest string
	more bool
	err  error
}

func (p *nodeParams) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *nodeParams) next() string {
	var param string
	param, p.rest, p.more = strings.Cut(p.rest, ",")
	return param
}

// number reads decimal, or hexadecimal behind 0x.
func (p *nodeParams) number(text string, bits int) uint64 {
	digits, base := strings.TrimLeft(text, " "), 10
	if len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X") {
		digits, base = digits[2:], 16
	}
	if digits == "" {
		return 0
	}
	v, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		p.fail("%q is no number of %d bits", text, bits)
	}
	return v
}

func (p *nodeParams) u8() uint8   { return uint8(p.number(p.next(), 8)) }
func (p *nodeParams) u16() uint16 { return uint16(p.number(p.next(), 16)) }
func (p *nodeParams) u32() uint32 { return uint32(p.number(p.next(), 32)) }
func (p *nodeParams) u64() uint64 { return p.number(p.next(), 64) }

// bigEndian is a number in eight bytes, the most significant first.
func (p *nodeParams) bigEndian() (b [8]byte) {
	binary.BigEndian.PutUint64(b[:], p.u64())
	return b
}

// word is a number, or the name of one: its index in names.
func (p *nodeParams) word(bits int, names ...string) uint64 {
	text := p.next()
	if i := slices.Index(names, text); i >= 0 {
		return uint64(i)
	}
	return p.number(text, bits)
}

func (p *nodeParams) guid() GUID {
	g, err := ParseGUID(p.next())
	if err != nil {
		p.fail("%v", err)
	}
	return g
}

func (p *nodeParams) hex() []byte {
	b, err := hex.DecodeString(p.next())
	if err != nil {
		p.fail("%v", err)
	}
	return b
}

// hexInto fills the start of b, which must be long enough.
func (p *nodeParams) hexInto(b []byte) {
	data := p.hex()
	if copy(b, data) < len(data) {
		p.fail("more than %d bytes", len(b))
	}
}

func (p *nodeParams) address() netip.Addr {
	text := p.next()
	if text == "" {
		return netip.IPv4Unspecified()
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		p.fail("%q is no address", text)
		return netip.IPv4Unspecified()
	}
	return a
}

func (p *nodeParams) ipv4() [4]byte {
	a := p.address()
	if !a.Is4() {
		p.fail("%v is no IPv4 address", a)
		return [4]byte{}
	}
	return a.As4()
}

func (p *nodeParams) ipv6() [16]byte {
	if a := p.address(); a.Is6() {
		return a.As16()
	} else if a != netip.IPv4Unspecified() {
		p.fail("%v is no IPv6 address", a)
	}
	return [16]byte{}
}

// eisaID is a compressed EISA identifier, as text like PNP0A03 or as a number.
func (p *nodeParams) eisaID() uint32 {
	text := p.next()
	if text == "" || text == "0" || strings.HasPrefix(text, "0x") {
		return uint32(p.number(text, 32))
	}
	if len(text) != 7 {
		p.fail("%q is no EISA identifier", text)
		return 0
	}
	number, err := strconv.ParseUint(text[3:], 16, 16)
	if err != nil {
		p.fail("%q is no EISA identifier", text)
	}
	letter := func(i int) uint32 { return uint32(text[i]-'A'+1) & 0x1f }
	return letter(0)<<10 | letter(1)<<5 | letter(2) | uint32(number)<<16
}
