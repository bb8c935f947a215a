// SPDX-License-Identifier: BSD-3-Clause

package efi

import "encoding/binary"

var networkParsers = map[string]parseNode{
	"Infiniband": func(p *nodeParams) Node {
		return NewNode(InfiniBandNode{p.u32(), p.guid().Bytes(), p.u64(), p.u64(), p.u64()})
	},
	"VenMsg": func(p *nodeParams) Node { return VendorMessaging(p.guid(), p.hex()...) },
	"UartFlowCtrl": func(p *nodeParams) Node {
		flow := p.word(32, "None", "Hardware", "XonXoff")
		return VendorMessaging(UARTFlowControlGUID, binary.LittleEndian.AppendUint32(nil, uint32(flow))...)
	},
	"MAC": func(p *nodeParams) Node {
		var b MACNode
		p.hexInto(b.Address[:])
		b.IfType = p.u8()
		return NewNode(b)
	},
	"IPv4":  parseIPv4,
	"IPv6":  parseIPv6,
	"Uart":  parseUART,
	"iSCSI": parseISCSI,
	"Vlan":  func(p *nodeParams) Node { return NewNode(VLANNode{p.u16()}) },
	"Dns":   parseDNS,
	"Uri":   func(p *nodeParams) Node { return NewNode(URINode{}, toLatin1(p.next())...) },
	"Bluetooth": func(p *nodeParams) Node {
		var b BluetoothNode
		p.hexInto(b.Address[:])
		return NewNode(b)
	},
	"Wi-Fi": func(p *nodeParams) Node {
		var b WiFiNode
		if ssid := toLatin1(p.next()); copy(b.SSID[:], ssid) < len(ssid) {
			p.fail("more than %d bytes", len(b.SSID))
		}
		return NewNode(b)
	},
	"BluetoothLE": func(p *nodeParams) Node {
		var b BluetoothLENode
		p.hexInto(b.Address[:])
		b.AddressType = p.u8()
		return NewNode(b)
	},
}

var mediaParsers = map[string]parseNode{
	"HD":       parseHardDrive,
	"CDROM":    func(p *nodeParams) Node { return NewNode(CDROMNode{p.u32(), p.u64(), p.u64()}) },
	"VenMedia": func(p *nodeParams) Node { return VendorMedia(p.guid(), p.hex()...) },
	"Media":    func(p *nodeParams) Node { return NewNode(MediaProtocolNode{p.guid()}) },
	"Fv":       func(p *nodeParams) Node { return FirmwareVolume(p.guid()) },
	"FvFile":   func(p *nodeParams) Node { return FirmwareFile(p.guid()) },
	"Offset":   func(p *nodeParams) Node { return RelativeOffset(p.u64(), p.u64()) },
	"RamDisk":  func(p *nodeParams) Node { return parseRAMDisk(p, nil) },
	"BBS": func(p *nodeParams) Node {
		text := p.next()
		b := BBSNode{}
		for number, name := range bbsNames {
			if name == text {
				b.DeviceType = number
			}
		}
		if b.DeviceType == 0 {
			b.DeviceType = uint16(p.number(text, 16))
		}
		description := p.next()
		b.StatusFlag = p.u16()
		return BBS(b.DeviceType, b.StatusFlag, description)
	},
}

func parseHardDrive(p *nodeParams) Node {
	b := HardDriveNode{PartitionNumber: p.u32()}
	switch text := p.next(); text {
	case "MBR":
		b.Format, b.SignatureType = HardDriveFormatMBR, HardDriveSignatureMBR
		binary.LittleEndian.PutUint32(b.Signature[:], p.u32())
	case "GPT":
		b.Format, b.SignatureType = HardDriveFormatGPT, HardDriveSignatureGUID
		b.Signature = p.guid().Bytes()
	default:
		b.SignatureType = uint8(p.number(text, 8))
		p.next()
	}
	b.PartitionStart, b.PartitionSize = p.u64(), p.u64()
	return NewNode(b)
}

// parseRAMDisk reads a RAMDiskNode whose type may be settled by its name.
func parseRAMDisk(p *nodeParams, typ *GUID) Node {
	b := RAMDiskNode{StartingAddress: Addr(p.u64()), EndingAddress: Addr(p.u64()), Instance: p.u16()}
	if typ != nil {
		b.TypeGUID = *typ
	} else {
		b.TypeGUID = p.guid()
	}
	return NewNode(b)
}
