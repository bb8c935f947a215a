// SPDX-License-Identifier: BSD-3-Clause

package efi

import "encoding/binary"

var hardwareParsers = map[string]parseNode{
	"Pci": func(p *nodeParams) Node {
		device := p.u8()
		return PCI(device, p.u8())
	},
	"PcCard": func(p *nodeParams) Node { return NewNode(PCCardNode{p.u8()}) },
	"MemoryMapped": func(p *nodeParams) Node {
		return NewNode(MemoryMappedNode{MemoryType(p.u32()), Addr(p.u64()), Addr(p.u64())})
	},
	"VenHw": func(p *nodeParams) Node { return VendorHardware(p.guid(), p.hex()...) },
	"Ctrl":  func(p *nodeParams) Node { return NewNode(ControllerNode{p.u32()}) },
	"BMC":   func(p *nodeParams) Node { return NewNode(BMCNode{p.u8(), p.u64()}) },
}

var acpiParsers = map[string]parseNode{
	"Acpi": func(p *nodeParams) Node { return ACPI(p.eisaID(), p.u32()) },
	"AcpiEx": func(p *nodeParams) Node {
		b := ACPIExtendedNode{HID: p.eisaID(), CID: p.eisaID(), UID: p.u32()}
		hid, cid, uid := p.next(), p.next(), p.next()
		return NewNode(b, acpiTail(hid, uid, cid)...)
	},
	"AcpiExp": func(p *nodeParams) Node {
		b := ACPIExtendedNode{HID: p.eisaID(), CID: p.eisaID()}
		return NewNode(b, acpiTail("", p.next(), "")...)
	},
	"AcpiAdr": func(p *nodeParams) Node {
		b := ACPIADRNode{p.u32()}
		var more []byte
		for p.more {
			more = binary.LittleEndian.AppendUint32(more, p.u32())
		}
		return NewNode(b, more...)
	},
}

// acpiTail is the three strings of an ACPIExtendedNode, as acpiStrings reads
// them.
func acpiTail(texts ...string) []byte {
	var tail []byte
	for _, text := range texts {
		tail = append(append(tail, toLatin1(text)...), 0)
	}
	return tail
}

var storageParsers = map[string]parseNode{
	"Ata": func(p *nodeParams) Node {
		primary, slave := p.word(8, "Primary", "Secondary"), p.word(8, "Master", "Slave")
		return NewNode(ATAPINode{uint8(primary), uint8(slave), p.u16()})
	},
	"Scsi":    func(p *nodeParams) Node { return NewNode(SCSINode{p.u16(), p.u16()}) },
	"Fibre":   func(p *nodeParams) Node { return NewNode(FibreChannelNode{WWN: p.u64(), LUN: p.u64()}) },
	"FibreEx": func(p *nodeParams) Node { return NewNode(FibreChannelExNode{WWN: p.bigEndian(), LUN: p.bigEndian()}) },
	"I1394":   func(p *nodeParams) Node { return NewNode(FireWireNode{GUID: p.number("0x"+p.next(), 64)}) },
	"I2O":     func(p *nodeParams) Node { return NewNode(I2ONode{p.u32()}) },
	"Unit":    func(p *nodeParams) Node { return NewNode(LogicalUnitNode{p.u8()}) },
	"Sata": func(p *nodeParams) Node {
		b := SATANode{HBAPort: p.u16(), PortMultiplierPort: 0xffff}
		if text := p.next(); text != "" {
			b.PortMultiplierPort = uint16(p.number(text, 16))
		}
		b.LUN = p.u16()
		return NewNode(b)
	},
	"SasEx": func(p *nodeParams) Node {
		b := SASExNode{Address: p.bigEndian(), LUN: p.bigEndian(), RelativeTargetPort: p.u16()}
		b.DeviceTopology = parseSASTopology(p)
		return NewNode(b)
	},
	"SAS": func(p *nodeParams) Node {
		s := sasInfo{Address: p.u64(), LUN: p.u64(), RelativeTargetPort: p.u16()}
		s.DeviceTopology = parseSASTopology(p)
		s.Reserved = p.u32()
		return NewNode(sasNode{VendorMessagingNode{SASDevicePathGUID}, s})
	},
	"NVMe":     func(p *nodeParams) Node { return NewNode(NVMeNode{p.u32(), parseEUI64(p)}) },
	"UFS":      func(p *nodeParams) Node { return NewNode(UFSNode{p.u8(), p.u8()}) },
	"SD":       func(p *nodeParams) Node { return NewNode(SDNode{p.u8()}) },
	"eMMC":     func(p *nodeParams) Node { return NewNode(EMMCNode{p.u8()}) },
	"USB":      func(p *nodeParams) Node { return NewNode(USBNode{p.u8(), p.u8()}) },
	"UsbClass": func(p *nodeParams) Node { return parseUSBClass(p, nil, nil) },
	"UsbWwid":  parseUSBWWID,
}

// sasNode is a SAS target in a vendor's node.
type sasNode struct {
	VendorMessagingNode
	Info sasInfo
}
