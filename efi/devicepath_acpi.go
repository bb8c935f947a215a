// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// ACPINode is an ACPI device (§10.3.3). HID is a compressed EISA identifier.
type ACPINode struct {
	HID uint32
	UID uint32
}

// ACPIExtendedNode is an ACPI device with more names (§10.3.3): the strings
// HID, UID and CID follow, each ended by a NUL.
type ACPIExtendedNode struct {
	HID uint32
	UID uint32
	CID uint32
}

// ACPIADRNode is an ACPI _ADR (§10.3.3.1); more may follow.
type ACPIADRNode struct{ ADR uint32 }

// The kinds of §10.3.3.
func (ACPINode) Kind() (typ, subType uint8)         { return NodeACPI, 1 }
func (ACPIExtendedNode) Kind() (typ, subType uint8) { return NodeACPI, 2 }
func (ACPIADRNode) Kind() (typ, subType uint8)      { return NodeACPI, 3 }

// pnpVendor is "PNP", the lower half of the identifiers that Microsoft gives.
const pnpVendor = 0x41d0

// PNPID is the compressed EISA identifier of "PNP" and number: PNPID(0x0a03) is
// a PCI root bridge.
func PNPID(number uint16) uint32 { return uint32(number)<<16 | pnpVendor }

// ACPI is an ACPINode.
func ACPI(hid, uid uint32) Node { return NewNode(ACPINode{hid, uid}) }

// PCIRoot is the ACPINode of a PCI root bridge.
func PCIRoot(uid uint32) Node { return ACPI(PNPID(0x0a03), uid) }

var pnpNames = map[uint32]string{
	0x0a03: "PciRoot",
	0x0a08: "PcieRoot",
	0x0604: "Floppy",
	0x0301: "Keyboard",
	0x0501: "Serial",
	0x0401: "ParallelPort",
}

var acpiNodes = []nodeEntry{
	on(func(w *nodePrinter, b ACPINode, _ []byte) {
		number := b.HID >> 16
		if b.HID&0xffff != pnpVendor {
			w.printf("Acpi(0x%08X,0x%X)", b.HID, b.UID)
		} else if name, ok := pnpNames[number]; ok {
			w.printf("%s(0x%X)", name, b.UID)
		} else {
			w.printf("Acpi(PNP%04X,0x%X)", number, b.UID)
		}
	}),
	on(printACPIExtended),
	on(func(w *nodePrinter, b ACPIADRNode, tail []byte) {
		w.printf("AcpiAdr(0x%X", b.ADR)
		for ; len(tail) >= 4; tail = tail[4:] {
			w.printf(",0x%X", binary.LittleEndian.Uint32(tail))
		}
		w.printf(")")
	}),
}

func printACPIExtended(w *nodePrinter, b ACPIExtendedNode, tail []byte) {
	hid, uid, cid := acpiStrings(tail)
	if w.displayOnly {
		hidNumber, cidNumber := b.HID>>16, b.CID>>16
		name := ""
		switch {
		case hidNumber == 0x0a03, cidNumber == 0x0a03 && hidNumber != 0x0a08:
			name = "PciRoot"
		case hidNumber == 0x0a08, cidNumber == 0x0a08:
			name = "PcieRoot"
		}
		if name != "" {
			w.printf("%s(%s)", name, uid.or(hexText(b.UID)))
			return
		}
	}
	if hid.isEmpty() && cid.isEmpty() && uid.ok && uid.text != "" {
		cidText := "0"
		if b.CID != 0 {
			cidText = eisaText(b.CID)
		}
		w.printf("AcpiExp(%s,%s,%s)", eisaText(b.HID), cidText, uid.text)
		return
	}
	if w.displayOnly {
		w.printf("AcpiEx(%s,%s,%s)", hid.or(eisaText(b.HID)), cid.or(eisaText(b.CID)), uid.or(hexText(b.UID)))
		return
	}
	const null = "<null string>"
	w.printf("AcpiEx(%s,%s,0x%X,%s,%s,%s)", eisaText(b.HID), eisaText(b.CID), b.UID, hid.or(null), cid.or(null), uid.or(null))
}

// eisaText is the seven letters of a compressed EISA identifier.
func eisaText(id uint32) string {
	letter := func(shift uint) byte { return byte(id>>shift&0x1f) + 'A' - 1 }
	return fmt.Sprintf("%c%c%c%04X", letter(10), letter(5), letter(0), id>>16)
}

// optionalText is a string that may not be there.
type optionalText struct {
	text string
	ok   bool
}

func (t optionalText) isEmpty() bool { return t.ok && t.text == "" }

func (t optionalText) or(other string) string {
	if t.ok {
		return t.text
	}
	return other
}

// acpiStrings takes apart what follows an ACPIExtendedNode. As EDK2 does, it
// looks at the lower byte of the node's length alone.
func acpiStrings(tail []byte) (hid, uid, cid optionalText) {
	size := binary.Size(ACPIExtendedNode{}) + nodeHeaderSize
	left := (size+len(tail))&0xff - size
	for _, t := range []*optionalText{&hid, &uid, &cid} {
		if left <= 0 {
			break
		}
		text, rest, _ := bytes.Cut(tail, []byte{0})
		*t = optionalText{latin1(text), true}
		left -= len(text) + 1
		tail = rest
	}
	return hid, uid, cid
}
