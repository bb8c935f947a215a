// SPDX-License-Identifier: BSD-3-Clause

package efi

// ATAPINode is a drive behind an IDE channel (§10.3.4.1).
type ATAPINode struct {
	PrimarySecondary uint8
	SlaveMaster      uint8
	LUN              uint16
}

// SCSINode is a SCSI target (§10.3.4.2).
type SCSINode struct {
	PUN uint16
	LUN uint16
}

// FibreChannelNode is a Fibre Channel target (§10.3.4.3).
type FibreChannelNode struct {
	_   uint32
	WWN uint64
	LUN uint64
}

// FibreChannelExNode is a Fibre Channel target (§10.3.4.3), its numbers big
// endian.
type FibreChannelExNode struct {
	_   uint32
	WWN [8]byte
	LUN [8]byte
}

// FireWireNode is an IEEE 1394 device (§10.3.4.4).
type FireWireNode struct {
	_    uint32
	GUID uint64
}

// I2ONode is an I2O target (§10.3.4.9).
type I2ONode struct{ TID uint32 }

// LogicalUnitNode is a logical unit (§10.3.4.8).
type LogicalUnitNode struct{ LUN uint8 }

// SATANode is a SATA port (§10.3.4.6). PortMultiplierPort is 0xffff without one.
type SATANode struct {
	HBAPort            uint16
	PortMultiplierPort uint16
	LUN                uint16
}

// SASExNode is a SAS target (§10.3.4.19), its numbers big endian.
type SASExNode struct {
	Address            [8]byte
	LUN                [8]byte
	DeviceTopology     uint16
	RelativeTargetPort uint16
}

// NVMeNode is an NVM Express name space (§10.3.4.21). EUI64 is as the controller
// reports it, its most significant byte last.
type NVMeNode struct {
	NamespaceID uint32
	EUI64       [8]byte
}

// UFSNode is a unit of Universal Flash Storage (§10.3.4.23).
type UFSNode struct {
	PUN uint8
	LUN uint8
}

// SDNode is a Secure Digital card (§10.3.4.24).
type SDNode struct{ Slot uint8 }

// EMMCNode is an embedded multimedia card (§10.3.4.27).
type EMMCNode struct{ Slot uint8 }

// The kinds of §10.3.4 that store.
func (ATAPINode) Kind() (typ, subType uint8)          { return NodeMessaging, 1 }
func (SCSINode) Kind() (typ, subType uint8)           { return NodeMessaging, 2 }
func (FibreChannelNode) Kind() (typ, subType uint8)   { return NodeMessaging, 3 }
func (FireWireNode) Kind() (typ, subType uint8)       { return NodeMessaging, 4 }
func (I2ONode) Kind() (typ, subType uint8)            { return NodeMessaging, 6 }
func (LogicalUnitNode) Kind() (typ, subType uint8)    { return NodeMessaging, 17 }
func (SATANode) Kind() (typ, subType uint8)           { return NodeMessaging, 18 }
func (FibreChannelExNode) Kind() (typ, subType uint8) { return NodeMessaging, 21 }
func (SASExNode) Kind() (typ, subType uint8)          { return NodeMessaging, 22 }
func (NVMeNode) Kind() (typ, subType uint8)           { return NodeMessaging, 23 }
func (UFSNode) Kind() (typ, subType uint8)            { return NodeMessaging, 25 }
func (SDNode) Kind() (typ, subType uint8)             { return NodeMessaging, 26 }
func (EMMCNode) Kind() (typ, subType uint8)           { return NodeMessaging, 29 }

var storageNodes = []nodeEntry{
	on(func(w *nodePrinter, b ATAPINode, _ []byte) {
		if w.displayOnly {
			w.printf("Ata(0x%X)", b.LUN)
			return
		}
		w.printf("Ata(%s,%s,0x%X)", pick(b.PrimarySecondary == 1, "Secondary", "Primary"),
			pick(b.SlaveMaster == 1, "Slave", "Master"), b.LUN)
	}),
	on(func(w *nodePrinter, b SCSINode, _ []byte) {
		w.printf("Scsi(0x%X,0x%X)", b.PUN, b.LUN)
	}),
	on(func(w *nodePrinter, b FibreChannelNode, _ []byte) {
		w.printf("Fibre(0x%X,0x%X)", b.WWN, b.LUN)
	}),
	on(func(w *nodePrinter, b FibreChannelExNode, _ []byte) {
		w.printf("FibreEx(0x%X,0x%X)", b.WWN[:], b.LUN[:])
	}),
	on(func(w *nodePrinter, b FireWireNode, _ []byte) {
		w.printf("I1394(%016X)", b.GUID)
	}),
	on(func(w *nodePrinter, b I2ONode, _ []byte) {
		w.printf("I2O(0x%X)", b.TID)
	}),
	on(func(w *nodePrinter, b LogicalUnitNode, _ []byte) {
		w.printf("Unit(0x%X)", b.LUN)
	}),
	on(func(w *nodePrinter, b SATANode, _ []byte) {
		w.printf("Sata(0x%X,0x%X,0x%X)", b.HBAPort, b.PortMultiplierPort, b.LUN)
	}),
	on(func(w *nodePrinter, b SASExNode, _ []byte) {
		w.printf("SasEx(0x%X,0x%X,0x%X,%s)", b.Address[:], b.LUN[:], b.RelativeTargetPort, sasTopology(b.DeviceTopology))
	}),
	on(func(w *nodePrinter, b NVMeNode, _ []byte) {
		e := b.EUI64
		w.printf("NVMe(0x%X,%02X-%02X-%02X-%02X-%02X-%02X-%02X-%02X)", b.NamespaceID,
			e[7], e[6], e[5], e[4], e[3], e[2], e[1], e[0])
	}),
	on(func(w *nodePrinter, b UFSNode, _ []byte) {
		w.printf("UFS(0x%X,0x%X)", b.PUN, b.LUN)
	}),
	on(func(w *nodePrinter, b SDNode, _ []byte) {
		w.printf("SD(0x%X)", b.Slot)
	}),
	on(func(w *nodePrinter, b EMMCNode, _ []byte) {
		w.printf("eMMC(0x%X)", b.Slot)
	}),
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// sasTopology is the four parameters that the device and topology information
// of a SAS target stands for.
func sasTopology(info uint16) string {
	more, extended := info&0x0f, info&0x80 != 0
	switch {
	case more == 0 && !extended:
		return "NoTopology,0,0,0"
	case more <= 2 && !extended:
		bay := "0"
		if more == 2 {
			bay = hexText(info>>8 + 1)
		}
		return pick(info&0x10 != 0, "SATA", "SAS") + "," + pick(info&0x20 != 0, "External", "Internal") + "," +
			pick(info&0x40 != 0, "Expanded", "Direct") + "," + bay
	}
	return hexText(info) + ",0,0,0"
}
