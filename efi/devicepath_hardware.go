// SPDX-License-Identifier: BSD-3-Clause

package efi

// PCINode is a PCI function (§10.3.2.1).
type PCINode struct {
	Function uint8
	Device   uint8
}

// PCCardNode is a PC Card (§10.3.2.2).
type PCCardNode struct{ Function uint8 }

// MemoryMappedNode is a range of memory (§10.3.2.3). EndingAddress is its last
// byte.
type MemoryMappedNode struct {
	MemoryType      MemoryType
	StartingAddress Addr
	EndingAddress   Addr
}

// VendorHardwareNode is a vendor's hardware (§10.3.2.4); data follow.
type VendorHardwareNode struct{ GUID GUID }

// ControllerNode is one of several controllers (§10.3.2.5).
type ControllerNode struct{ Number uint32 }

// BMCNode is a baseboard management controller (§10.3.2.6).
type BMCNode struct {
	InterfaceType uint8
	BaseAddress   uint64
}

// The kinds of §10.3.2.
func (PCINode) Kind() (typ, subType uint8)            { return NodeHardware, 1 }
func (PCCardNode) Kind() (typ, subType uint8)         { return NodeHardware, 2 }
func (MemoryMappedNode) Kind() (typ, subType uint8)   { return NodeHardware, 3 }
func (VendorHardwareNode) Kind() (typ, subType uint8) { return NodeHardware, 4 }
func (ControllerNode) Kind() (typ, subType uint8)     { return NodeHardware, 5 }
func (BMCNode) Kind() (typ, subType uint8)            { return NodeHardware, 6 }

// PCI is a PCINode.
func PCI(device, function uint8) Node {
	return NewNode(PCINode{Function: function, Device: device})
}

// MemoryMapped is a MemoryMappedNode. end is the last byte.
func MemoryMapped(t MemoryType, start, end Addr) Node {
	return NewNode(MemoryMappedNode{t, start, end})
}

// VendorHardware is a VendorHardwareNode.
func VendorHardware(g GUID, data ...byte) Node { return NewNode(VendorHardwareNode{g}, data...) }

var hardwareNodes = []nodeEntry{
	on(func(w *nodePrinter, b PCINode, _ []byte) {
		w.printf("Pci(0x%X,0x%X)", b.Device, b.Function)
	}),
	on(func(w *nodePrinter, b PCCardNode, _ []byte) {
		w.printf("PcCard(0x%X)", b.Function)
	}),
	on(func(w *nodePrinter, b MemoryMappedNode, _ []byte) {
		w.printf("MemoryMapped(0x%X,0x%X,0x%X)", uint32(b.MemoryType), uint64(b.StartingAddress), uint64(b.EndingAddress))
	}),
	on(func(w *nodePrinter, b VendorHardwareNode, tail []byte) {
		printVendor(w, "VenHw", b.GUID, tail)
	}),
	on(func(w *nodePrinter, b ControllerNode, _ []byte) {
		w.printf("Ctrl(0x%X)", b.Number)
	}),
	on(func(w *nodePrinter, b BMCNode, _ []byte) {
		w.printf("BMC(0x%X,0x%X)", b.InterfaceType, b.BaseAddress)
	}),
}

func printVendor(w *nodePrinter, name string, g GUID, data []byte) {
	w.printf("%s(%s", name, upperGUID(g))
	if len(data) > 0 {
		w.printf(",%X", data)
	}
	w.printf(")")
}
