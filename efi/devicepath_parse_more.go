// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
)

// parseSASTopology is the reverse of sasTopology.
func parseSASTopology(p *nodeParams) uint16 {
	text := p.next()
	location := p.word(16, "Internal", "External")
	connect := p.word(16, "Direct", "Expanded")
	bay := p.u16()
	switch text {
	case "NoTopology":
		return 0
	case "SAS", "SATA":
	default:
		return uint16(p.number(text, 16))
	}
	info := uint16(1)
	if bay != 0 {
		info = 2 | (bay-1)<<8
	}
	if text == "SATA" {
		info |= 0x10
	}
	return info | uint16(location&1)<<5 | uint16(connect&3)<<6
}

// parseEUI64 reads eight bytes divided by hyphens, the last byte first.
func parseEUI64(p *nodeParams) (eui [8]byte) {
	text := p.next()
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != len(eui) {
		p.fail("%q is no EUI-64", text)
		return eui
	}
	slices.Reverse(b)
	return [8]byte(b)
}

// parseUSBClass reads a USBClassNode whose class and subclass may be settled by
// its name. A parameter that is left out is all ones.
func parseUSBClass(p *nodeParams, class, subClass *uint8) Node {
	number := func(bits int) uint64 {
		if text := p.next(); text != "" {
			return p.number(text, bits)
		}
		return 1<<bits - 1
	}
	b := USBClassNode{VendorID: uint16(number(16)), ProductID: uint16(number(16))}
	if class != nil {
		b.DeviceClass = *class
	} else {
		b.DeviceClass = uint8(number(8))
	}
	if subClass != nil {
		b.DeviceSubClass = *subClass
	} else {
		b.DeviceSubClass = uint8(number(8))
	}
	b.DeviceProtocol = uint8(number(8))
	return NewNode(b)
}

// parseUSBWWID reads a USBWWIDNode; its serial number may be quoted.
func parseUSBWWID(p *nodeParams) Node {
	b := USBWWIDNode{VendorID: p.u16(), ProductID: p.u16(), Interface: p.u16()}
	serial := p.next()
	if len(serial) >= 2 && serial[0] == '"' && serial[len(serial)-1] == '"' {
		serial = serial[1 : len(serial)-1]
	}
	var tail []byte
	for _, unit := range utf16.Encode([]rune(serial)) {
		tail = binary.LittleEndian.AppendUint16(tail, unit)
	}
	return NewNode(b, tail...)
}

func parseProtocol(p *nodeParams) uint16 {
	switch text := p.next(); text {
	case "TCP":
		return protocolTCP
	case "UDP":
		return protocolUDP
	default:
		return uint16(p.number(text, 16))
	}
}

func parseIPv4(p *nodeParams) Node {
	b := IPv4Node{RemoteAddress: p.ipv4(), Protocol: parseProtocol(p)}
	b.StaticAddress = BooleanOf(p.next() == "Static")
	b.LocalAddress, b.GatewayAddress, b.SubnetMask = p.ipv4(), p.ipv4(), p.ipv4()
	return NewNode(b)
}

func parseIPv6(p *nodeParams) Node {
	b := IPv6Node{RemoteAddress: p.ipv6(), Protocol: parseProtocol(p), AddressOrigin: 2}
	if i := slices.Index([]string{"Static", "StatelessAutoConfigure"}, p.next()); i >= 0 {
		b.AddressOrigin = uint8(i)
	}
	b.LocalAddress, b.PrefixLength, b.GatewayAddress = p.ipv6(), p.u8(), p.ipv6()
	return NewNode(b)
}

// parseUART reads a UARTNode. DEFAULT is 115200 baud and 8 bits.
func parseUART(p *nodeParams) Node {
	b := UARTNode{BaudRate: 115200, DataBits: 8}
	if text := p.next(); text != "DEFAULT" {
		b.BaudRate = p.number(text, 64)
	}
	if text := p.next(); text != "DEFAULT" {
		b.DataBits = uint8(p.number(text, 8))
	}
	b.Parity = uint8(p.word(8, strings.Split(uartParities, "")...))
	b.StopBits = uint8(p.word(8, uartStopBits[:]...))
	return NewNode(b)
}

func parseISCSI(p *nodeParams) Node {
	name := p.next()
	b := ISCSINode{TargetPortalGroupTag: p.u16(), LUN: p.bigEndian()}
	if p.next() == "CRC32C" {
		b.LoginOption |= iscsiHeaderDigest
	}
	if p.next() == "CRC32C" {
		b.LoginOption |= iscsiDataDigest
	}
	switch p.next() {
	case "None":
		b.LoginOption |= iscsiNoAuth
	case "CHAP_UNI":
		b.LoginOption |= iscsiCHAPUni
	}
	if protocol := p.next(); protocol != "" && protocol != "TCP" {
		b.NetworkProtocol = 1
	}
	return NewNode(b, append(toLatin1(name), 0)...)
}

// parseDNS reads a list of addresses, all of one family.
func parseDNS(p *nodeParams) Node {
	if !p.more {
		p.fail("no address")
	}
	var tail []byte
	first := p.address()
	for a := first; ; a = p.address() {
		if a.Is4() != first.Is4() {
			p.fail("addresses of both families")
		}
		tail = append(tail, a.AsSlice()...)
		if a.Is4() {
			tail = append(tail, make([]byte, 12)...)
		}
		if !p.more {
			break
		}
	}
	b := DNSNode{}
	if first.Is6() {
		b.IsIPv6 = 1
	}
	return NewNode(b, tail...)
}
