// SPDX-License-Identifier: BSD-3-Clause

package efi

import "encoding/binary"

// InfiniBandNode is an InfiniBand port (§10.3.4.14).
type InfiniBandNode struct {
	ResourceFlags uint32
	PortGID       [16]byte
	ServiceID     uint64
	TargetPortID  uint64
	DeviceID      uint64
}

// VendorMessagingNode is a vendor's way to speak to a device (§10.3.4.16); data
// follow.
type VendorMessagingNode struct{ GUID GUID }

// MACNode is a network interface (§10.3.4.10). The address is padded with
// zeros; IfType is that of RFC 3232, 1 being Ethernet.
type MACNode struct {
	Address [32]byte
	IfType  uint8
}

// IPv4Node is an IPv4 connection (§10.3.4.11).
type IPv4Node struct {
	LocalAddress   [4]byte
	RemoteAddress  [4]byte
	LocalPort      uint16
	RemotePort     uint16
	Protocol       uint16
	StaticAddress  Boolean
	GatewayAddress [4]byte
	SubnetMask     [4]byte
}

// IPv6Node is an IPv6 connection (§10.3.4.12).
type IPv6Node struct {
	LocalAddress   [16]byte
	RemoteAddress  [16]byte
	LocalPort      uint16
	RemotePort     uint16
	Protocol       uint16
	AddressOrigin  uint8
	PrefixLength   uint8
	GatewayAddress [16]byte
}

// UARTNode is a serial line (§10.3.4.15). Zeros are defaults.
type UARTNode struct {
	_        uint32
	BaudRate uint64
	DataBits uint8
	Parity   uint8
	StopBits uint8
}

// ISCSINode is an iSCSI target (§10.3.4.20), whose name follows. LUN is big
// endian.
type ISCSINode struct {
	NetworkProtocol      uint16
	LoginOption          uint16
	LUN                  [8]byte
	TargetPortalGroupTag uint16
}

// VLANNode is a virtual LAN (§10.3.4.13).
type VLANNode struct{ VLANID uint16 }

// URINode is a URI (§10.3.4.22), which follows. It may be empty.
type URINode struct{}

// BluetoothNode is a Bluetooth device (§10.3.4.25).
type BluetoothNode struct{ Address [6]byte }

// WiFiNode is a wireless network (§10.3.4.26).
type WiFiNode struct{ SSID [32]byte }

// BluetoothLENode is a Bluetooth low energy device (§10.3.4.28).
type BluetoothLENode struct {
	Address     [6]byte
	AddressType uint8
}

// DNSNode is a list of DNS servers (§10.3.4.29), which follow, 16 bytes each.
type DNSNode struct{ IsIPv6 uint8 }

// The kinds of §10.3.4 that are networks and lines.
func (InfiniBandNode) Kind() (typ, subType uint8)      { return NodeMessaging, 9 }
func (VendorMessagingNode) Kind() (typ, subType uint8) { return NodeMessaging, 10 }
func (MACNode) Kind() (typ, subType uint8)             { return NodeMessaging, 11 }
func (IPv4Node) Kind() (typ, subType uint8)            { return NodeMessaging, 12 }
func (IPv6Node) Kind() (typ, subType uint8)            { return NodeMessaging, 13 }
func (UARTNode) Kind() (typ, subType uint8)            { return NodeMessaging, 14 }
func (ISCSINode) Kind() (typ, subType uint8)           { return NodeMessaging, 19 }
func (VLANNode) Kind() (typ, subType uint8)            { return NodeMessaging, 20 }
func (URINode) Kind() (typ, subType uint8)             { return NodeMessaging, 24 }
func (BluetoothNode) Kind() (typ, subType uint8)       { return NodeMessaging, 27 }
func (WiFiNode) Kind() (typ, subType uint8)            { return NodeMessaging, 28 }
func (BluetoothLENode) Kind() (typ, subType uint8)     { return NodeMessaging, 30 }
func (DNSNode) Kind() (typ, subType uint8)             { return NodeMessaging, 31 }

// VendorMessaging is a VendorMessagingNode.
func VendorMessaging(g GUID, data ...byte) Node { return NewNode(VendorMessagingNode{g}, data...) }

// MAC is a MACNode. Only the first 32 bytes of address have a place.
func MAC(address []byte, ifType uint8) Node {
	b := MACNode{IfType: ifType}
	copy(b.Address[:], address)
	return NewNode(b)
}

// URI is a URINode.
func URI(uri string) Node { return NewNode(URINode{}, []byte(uri)...) }

var networkNodes = []nodeEntry{
	on(func(w *nodePrinter, b InfiniBandNode, _ []byte) {
		w.printf("Infiniband(0x%X,%s,0x%X,0x%X,0x%X)", b.ResourceFlags, upperGUID(GUIDFromBytes(b.PortGID)),
			b.ServiceID, b.TargetPortID, b.DeviceID)
	}),
	on(printVendorMessaging),
	on(func(w *nodePrinter, b MACNode, _ []byte) {
		size := len(b.Address)
		if b.IfType <= 1 {
			size = 6
		}
		w.printf("MAC(%X,0x%X)", b.Address[:size], b.IfType)
	}),
	onNode[IPv4Node](printIPv4),
	onNode[IPv6Node](printIPv6),
	on(printUART),
	on(printISCSI),
	on(func(w *nodePrinter, b VLANNode, _ []byte) {
		w.printf("Vlan(%d)", b.VLANID)
	}),
	on(func(w *nodePrinter, _ URINode, tail []byte) {
		w.printf("Uri(%s)", latin1(tail))
	}),
	on(func(w *nodePrinter, b BluetoothNode, _ []byte) {
		w.printf("Bluetooth(%X)", b.Address[:])
	}),
	on(func(w *nodePrinter, b WiFiNode, _ []byte) {
		w.printf("Wi-Fi(%s)", latin1(b.SSID[:]))
	}),
	on(func(w *nodePrinter, b BluetoothLENode, _ []byte) {
		w.printf("BluetoothLE(%X,0x%02X)", b.Address[:], b.AddressType)
	}),
	on(func(w *nodePrinter, b DNSNode, tail []byte) {
		w.printf("Dns(")
		for i := 0; i+16 <= len(tail); i += 16 {
			if i > 0 {
				w.printf(",")
			}
			if b.IsIPv6 == 0 {
				w.printf("%s", ipv4Text([4]byte(tail[i:])))
			} else {
				w.printf("%s", ipv6Text([16]byte(tail[i:])))
			}
		}
		w.printf(")")
	}),
}

// sasInfo is what follows the GUID of a SAS target in a vendor's node
// (§10.3.4.18).
type sasInfo struct {
	Reserved           uint32
	Address            uint64
	LUN                uint64
	DeviceTopology     uint16
	RelativeTargetPort uint16
}

// vendorShortcuts are the vendor nodes that allowShortcuts names.
var vendorShortcuts = map[GUID]string{
	PCAnsiGUID:            "VenPcAnsi()",
	VT100GUID:             "VenVt100()",
	VT100PlusGUID:         "VenVt100Plus()",
	VTUTF8GUID:            "VenUtf8()",
	DebugPortProtocolGUID: "DebugPort()",
}

func printVendorMessaging(w *nodePrinter, b VendorMessagingNode, tail []byte) {
	if w.allowShortcuts && printVendorShortcut(w, b.GUID, tail) {
		return
	}
	printVendor(w, "VenMsg", b.GUID, tail)
}

func printVendorShortcut(w *nodePrinter, g GUID, tail []byte) bool {
	if text, ok := vendorShortcuts[g]; ok {
		w.printf("%s", text)
		return true
	}
	switch {
	case g == UARTFlowControlGUID && len(tail) >= 4:
		// The value 3 has no name, and EDK2 writes nothing at all.
		if flow := tail[0] & 3; flow != 3 {
			w.printf("UartFlowCtrl(%s)", [...]string{"None", "Hardware", "XonXoff"}[flow])
		}
		return true
	case g == SASDevicePathGUID:
		var s sasInfo
		if _, err := binary.Decode(tail, binary.LittleEndian, &s); err != nil {
			return false
		}
		w.printf("SAS(0x%X,0x%X,0x%X,%s,0x%X)", s.Address, s.LUN, s.RelativeTargetPort,
			sasTopology(s.DeviceTopology), s.Reserved)
		return true
	}
	return false
}
