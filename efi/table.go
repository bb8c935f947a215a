// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"hash/crc32"
)

// The signatures of the tables (§4.3 to §4.5).
const (
	SystemTableSignature     uint64 = 0x5453595320494249 // "IBI SYST"
	BootServicesSignature    uint64 = 0x56524553544f4f42 // "BOOTSERV"
	RuntimeServicesSignature uint64 = 0x56524553544e5552 // "RUNTSERV"
)

// Revision is that of UEFI 2.10: the major number in the upper 16 bits, ten
// times the minor one in the lower (§4.2).
const Revision uint32 = 2<<16 | 100

// TableHeader is an EFI_TABLE_HEADER (§4.2). HeaderSize counts the whole table.
type TableHeader struct {
	Signature  uint64
	Revision   uint32
	HeaderSize uint32
	CRC32      uint32
	Reserved   uint32
}

const (
	tableHeaderSizeOffset = 12
	tableCRC32Offset      = 16
)

// TableCRC32 is the CRC32 of the table at the start of raw: over HeaderSize
// bytes, with the CRC32 field taken as zero (§4.2). Where raw is shorter than
// HeaderSize, or than a header, it is over what there is.
func TableCRC32(raw []byte) uint32 {
	if len(raw) >= tableHeaderSizeOffset+4 {
		size := binary.LittleEndian.Uint32(raw[tableHeaderSizeOffset:])
		raw = raw[:min(uint64(size), uint64(len(raw)))]
	}
	head := raw[:min(tableCRC32Offset, len(raw))]
	field := raw[len(head):min(tableCRC32Offset+4, len(raw))]
	sum := crc32.ChecksumIEEE(head)
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, len(field)))
	return crc32.Update(sum, crc32.IEEETable, raw[len(head)+len(field):])
}

// SystemTable is an EFI_SYSTEM_TABLE (§4.3).
type SystemTable struct {
	TableHeader
	FirmwareVendor       Ptr[Char16]
	FirmwareRevision     uint32
	_                    uint32
	ConsoleInHandle      Handle
	ConIn                Addr
	ConsoleOutHandle     Handle
	ConOut               Addr
	StandardErrorHandle  Handle
	StdErr               Addr
	RuntimeServices      Ptr[RuntimeServices]
	BootServices         Ptr[BootServices]
	NumberOfTableEntries uint64
	ConfigurationTable   Ptr[ConfigurationTable]
}

// ConfigurationTable is an EFI_CONFIGURATION_TABLE (§4.6), one entry of the
// array that the system table points at.
type ConfigurationTable struct {
	VendorGUID  GUID
	VendorTable Addr
}

// BootServices is an EFI_BOOT_SERVICES table (§4.4).
type BootServices struct {
	TableHeader

	RaiseTPL   Addr
	RestoreTPL Addr

	AllocatePages Addr
	FreePages     Addr
	GetMemoryMap  Addr
	AllocatePool  Addr
	FreePool      Addr

	CreateEvent  Addr
	SetTimer     Addr
	WaitForEvent Addr
	SignalEvent  Addr
	CloseEvent   Addr
	CheckEvent   Addr

	InstallProtocolInterface   Addr
	ReinstallProtocolInterface Addr
	UninstallProtocolInterface Addr
	HandleProtocol             Addr
	Reserved                   Addr
	RegisterProtocolNotify     Addr
	LocateHandle               Addr
	LocateDevicePath           Addr
	InstallConfigurationTable  Addr

	LoadImage        Addr
	StartImage       Addr
	Exit             Addr
	UnloadImage      Addr
	ExitBootServices Addr

	GetNextMonotonicCount Addr
	Stall                 Addr
	SetWatchdogTimer      Addr

	ConnectController    Addr
	DisconnectController Addr

	OpenProtocol            Addr
	CloseProtocol           Addr
	OpenProtocolInformation Addr

	ProtocolsPerHandle                  Addr
	LocateHandleBuffer                  Addr
	LocateProtocol                      Addr
	InstallMultipleProtocolInterfaces   Addr
	UninstallMultipleProtocolInterfaces Addr

	CalculateCrc32 Addr

	CopyMem       Addr
	SetMem        Addr
	CreateEventEx Addr
}

// RuntimeServices is an EFI_RUNTIME_SERVICES table (§4.5).
type RuntimeServices struct {
	TableHeader

	GetTime       Addr
	SetTime       Addr
	GetWakeupTime Addr
	SetWakeupTime Addr

	SetVirtualAddressMap Addr
	ConvertPointer       Addr

	GetVariable         Addr
	GetNextVariableName Addr
	SetVariable         Addr

	GetNextHighMonotonicCount Addr
	ResetSystem               Addr

	UpdateCapsule            Addr
	QueryCapsuleCapabilities Addr

	QueryVariableInfo Addr
}
