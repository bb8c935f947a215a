// SPDX-License-Identifier: BSD-3-Clause

package efi

import "encoding/binary"

// The formats and the signature types of a HardDriveNode (§10.3.5.1).
const (
	HardDriveFormatMBR uint8 = 1
	HardDriveFormatGPT uint8 = 2

	HardDriveSignatureNone uint8 = 0
	HardDriveSignatureMBR  uint8 = 1
	HardDriveSignatureGUID uint8 = 2
)

// HardDriveNode is a partition (§10.3.5.1). Start and size are in blocks.
type HardDriveNode struct {
	PartitionNumber uint32
	PartitionStart  uint64
	PartitionSize   uint64
	Signature       [16]byte
	Format          uint8
	SignatureType   uint8
}

// CDROMNode is an El Torito boot entry (§10.3.5.2). Start and size are in
// blocks.
type CDROMNode struct {
	BootEntry      uint32
	PartitionStart uint64
	PartitionSize  uint64
}

// VendorMediaNode is a vendor's medium (§10.3.5.3); data follow.
type VendorMediaNode struct{ GUID GUID }

// FilePathNode is a part of a file's path (§10.3.5.4), which follows in UTF-16.
type FilePathNode struct{}

// MediaProtocolNode is a medium that a protocol names (§10.3.5.5).
type MediaProtocolNode struct{ Protocol GUID }

// FirmwareFileNode is a file of a firmware volume (§10.3.5.6).
type FirmwareFileNode struct{ FileName GUID }

// FirmwareVolumeNode is a firmware volume (§10.3.5.7).
type FirmwareVolumeNode struct{ Name GUID }

// RelativeOffsetNode is a part of a medium (§10.3.5.8). EndingOffset is its
// last byte.
type RelativeOffsetNode struct {
	_              uint32
	StartingOffset uint64
	EndingOffset   uint64
}

// RAMDiskNode is a RAM disk (§10.3.5.9). EndingAddress is its last byte.
type RAMDiskNode struct {
	StartingAddress Addr
	EndingAddress   Addr
	TypeGUID        GUID
	Instance        uint16
}

// BBSNode is a legacy boot device (§10.3.6), whose description follows.
type BBSNode struct {
	DeviceType uint16
	StatusFlag uint16
}

// The kinds of §10.3.5 and §10.3.6.
func (HardDriveNode) Kind() (typ, subType uint8)      { return NodeMedia, 1 }
func (CDROMNode) Kind() (typ, subType uint8)          { return NodeMedia, 2 }
func (VendorMediaNode) Kind() (typ, subType uint8)    { return NodeMedia, 3 }
func (FilePathNode) Kind() (typ, subType uint8)       { return NodeMedia, 4 }
func (MediaProtocolNode) Kind() (typ, subType uint8)  { return NodeMedia, 5 }
func (FirmwareFileNode) Kind() (typ, subType uint8)   { return NodeMedia, 6 }
func (FirmwareVolumeNode) Kind() (typ, subType uint8) { return NodeMedia, 7 }
func (RelativeOffsetNode) Kind() (typ, subType uint8) { return NodeMedia, 8 }
func (RAMDiskNode) Kind() (typ, subType uint8)        { return NodeMedia, 9 }
func (BBSNode) Kind() (typ, subType uint8)            { return NodeBBS, 1 }

// HardDriveGPT is the HardDriveNode of a GPT partition. partition is its unique
// GUID, start and size are in blocks.
func HardDriveGPT(number uint32, start, size uint64, partition GUID) Node {
	return NewNode(HardDriveNode{number, start, size, partition.Bytes(), HardDriveFormatGPT, HardDriveSignatureGUID})
}

// HardDriveMBR is the HardDriveNode of an MBR partition. disk is the signature
// at offset 440 of the MBR, start and size are in blocks.
func HardDriveMBR(number uint32, start, size uint64, disk uint32) Node {
	b := HardDriveNode{number, start, size, [16]byte{}, HardDriveFormatMBR, HardDriveSignatureMBR}
	binary.LittleEndian.PutUint32(b.Signature[:], disk)
	return NewNode(b)
}

// VendorMedia is a VendorMediaNode.
func VendorMedia(g GUID, data ...byte) Node { return NewNode(VendorMediaNode{g}, data...) }

// FirmwareVolume is a FirmwareVolumeNode.
func FirmwareVolume(name GUID) Node { return NewNode(FirmwareVolumeNode{name}) }

// FirmwareFile is a FirmwareFileNode.
func FirmwareFile(name GUID) Node { return NewNode(FirmwareFileNode{name}) }

// RelativeOffset is a RelativeOffsetNode. end is the last byte.
func RelativeOffset(start, end uint64) Node {
	return NewNode(RelativeOffsetNode{StartingOffset: start, EndingOffset: end})
}

// BBS is a BBSNode.
func BBS(deviceType, statusFlag uint16, description string) Node {
	return NewNode(BBSNode{deviceType, statusFlag}, append(toLatin1(description), 0)...)
}

var ramDiskNames = map[GUID]string{
	VirtualDiskGUID:           "VirtualDisk",
	VirtualCDGUID:             "VirtualCD",
	PersistentVirtualDiskGUID: "PersistentVirtualDisk",
	PersistentVirtualCDGUID:   "PersistentVirtualCD",
}

var bbsNames = map[uint16]string{1: "Floppy", 2: "HD", 3: "CDROM", 4: "PCMCIA", 5: "USB", 6: "Network"}

var mediaNodes = []nodeEntry{
	on(func(w *nodePrinter, b HardDriveNode, _ []byte) {
		w.printf("HD(%d,", int32(b.PartitionNumber))
		switch b.SignatureType {
		case HardDriveSignatureMBR:
			w.printf("MBR,0x%08X", binary.LittleEndian.Uint32(b.Signature[:]))
		case HardDriveSignatureGUID:
			w.printf("GPT,%s", upperGUID(GUIDFromBytes(b.Signature)))
		default:
			w.printf("%d,0", b.SignatureType)
		}
		if !w.displayOnly {
			w.printf(",0x%X,0x%X", b.PartitionStart, b.PartitionSize)
		}
		w.printf(")")
	}),
	on(func(w *nodePrinter, b CDROMNode, _ []byte) {
		w.printf("CDROM(0x%X", b.BootEntry)
		if !w.displayOnly {
			w.printf(",0x%X,0x%X", b.PartitionStart, b.PartitionSize)
		}
		w.printf(")")
	}),
	on(func(w *nodePrinter, b VendorMediaNode, tail []byte) {
		printVendor(w, "VenMedia", b.GUID, tail)
	}),
	on(func(w *nodePrinter, _ FilePathNode, tail []byte) {
		w.printf("%s", DecodeString(tail))
	}),
	on(func(w *nodePrinter, b MediaProtocolNode, _ []byte) {
		w.printf("Media(%s)", upperGUID(b.Protocol))
	}),
	on(func(w *nodePrinter, b FirmwareFileNode, _ []byte) {
		w.printf("FvFile(%s)", upperGUID(b.FileName))
	}),
	on(func(w *nodePrinter, b FirmwareVolumeNode, _ []byte) {
		w.printf("Fv(%s)", upperGUID(b.Name))
	}),
	on(func(w *nodePrinter, b RelativeOffsetNode, _ []byte) {
		w.printf("Offset(0x%X,0x%X)", b.StartingOffset, b.EndingOffset)
	}),
	on(func(w *nodePrinter, b RAMDiskNode, _ []byte) {
		name, known := ramDiskNames[b.TypeGUID]
		w.printf("%s(0x%X,0x%X,%d", pick(known, name, "RamDisk"), uint64(b.StartingAddress), uint64(b.EndingAddress), b.Instance)
		if !known {
			w.printf(",%s", upperGUID(b.TypeGUID))
		}
		w.printf(")")
	}),
	on(func(w *nodePrinter, b BBSNode, tail []byte) {
		name, ok := bbsNames[b.DeviceType]
		w.printf("BBS(%s,%s", pick(ok, name, hexText(b.DeviceType)), latin1(tail))
		if !w.displayOnly {
			w.printf(",0x%X", b.StatusFlag)
		}
		w.printf(")")
	}),
}
