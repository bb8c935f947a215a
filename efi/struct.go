// SPDX-License-Identifier: BSD-3-Clause

package efi

// LoadedImageRevision is EFI_LOADED_IMAGE_PROTOCOL_REVISION.
const LoadedImageRevision = 0x1000

// LoadedImage is an EFI_LOADED_IMAGE_PROTOCOL (§9.1). Payloads write to theirs.
// FilePath points at device path nodes, LoadOptions at LoadOptionsSize bytes.
type LoadedImage struct {
	Revision        uint32
	_               uint32
	ParentHandle    Handle
	SystemTable     Ptr[SystemTable]
	DeviceHandle    Handle
	FilePath        Addr
	Reserved        Addr
	LoadOptionsSize uint32
	_               uint32
	LoadOptions     Addr
	ImageBase       Addr
	ImageSize       uint64
	ImageCodeType   MemoryType
	ImageDataType   MemoryType
	Unload          Addr
}

// OpenProtocolInformationEntry is an EFI_OPEN_PROTOCOL_INFORMATION_ENTRY
// (§7.3.11).
type OpenProtocolInformationEntry struct {
	AgentHandle      Handle
	ControllerHandle Handle
	Attributes       OpenProtocolAttribute
	OpenCount        uint32
}

// CapsuleHeader is an EFI_CAPSULE_HEADER (§8.5.3).
type CapsuleHeader struct {
	CapsuleGUID      GUID
	HeaderSize       uint32
	Flags            uint32
	CapsuleImageSize uint32
}

// SimpleTextOutputMode is a SIMPLE_TEXT_OUTPUT_MODE (§12.4.1). Mode is -1 while
// no mode is set.
type SimpleTextOutputMode struct {
	MaxMode       int32
	Mode          int32
	Attribute     int32
	CursorColumn  int32
	CursorRow     int32
	CursorVisible Boolean
	_             [3]uint8
}

// InputKey is an EFI_INPUT_KEY (§12.3.3).
type InputKey struct {
	ScanCode    uint16
	UnicodeChar Char16
}

// KeyState is an EFI_KEY_STATE (§12.2.3).
type KeyState struct {
	KeyShiftState  uint32
	KeyToggleState uint8
	_              [3]uint8
}

// KeyData is an EFI_KEY_DATA (§12.2.3).
type KeyData struct {
	Key      InputKey
	KeyState KeyState
}

// FileInfo is the part of an EFI_FILE_INFO before the name (§13.5.16). Size
// counts the structure with its name, FileSize the contents, both in bytes.
type FileInfo struct {
	Size             uint64
	FileSize         uint64
	PhysicalSize     uint64
	CreateTime       Time
	LastAccessTime   Time
	ModificationTime Time
	Attribute        FileAttribute
}

// FileSystemInfo is the part of an EFI_FILE_SYSTEM_INFO before the volume label
// (§13.5.17). The label starts right behind it, at offset 36.
type FileSystemInfo struct {
	Size       uint64
	ReadOnly   Boolean
	_          [7]uint8
	VolumeSize uint64
	FreeSpace  uint64
	BlockSize  uint32
}

// FileAttribute is the attributes of a file (§13.5.2).
type FileAttribute uint64

// The attributes of §13.5.2, and all those that Open accepts.
const (
	FileReadOnly        FileAttribute = 0x01
	FileHidden          FileAttribute = 0x02
	FileSystemFile      FileAttribute = 0x04
	FileReserved        FileAttribute = 0x08
	FileDirectory       FileAttribute = 0x10
	FileArchive         FileAttribute = 0x20
	FileValidAttributes FileAttribute = 0x37
)

func (a FileAttribute) String() string {
	return flagString(uint64(a), []string{"READ_ONLY", "HIDDEN", "SYSTEM", "RESERVED", "DIRECTORY", "ARCHIVE"})
}

// FileMode says how a file is opened (§13.5.2).
type FileMode uint64

// The modes of §13.5.2.
const (
	FileModeRead   FileMode = 1 << 0
	FileModeWrite  FileMode = 1 << 1
	FileModeCreate FileMode = 1 << 63
)

func (m FileMode) String() string {
	return flagString(uint64(m), []string{0: "READ", 1: "WRITE", 63: "CREATE"})
}

// RTPropertiesTableVersion is EFI_RT_PROPERTIES_TABLE_VERSION.
const RTPropertiesTableVersion = 1

// RTPropertiesTable is an EFI_RT_PROPERTIES_TABLE (§4.6.2).
type RTPropertiesTable struct {
	Version                  uint16
	Length                   uint16
	RuntimeServicesSupported RTSupported
}

// RTSupported is the runtime services that are there after ExitBootServices.
type RTSupported uint32

// The bits of RTSupported.
const (
	RTSupportedGetTime                   RTSupported = 1 << 0
	RTSupportedSetTime                   RTSupported = 1 << 1
	RTSupportedGetWakeupTime             RTSupported = 1 << 2
	RTSupportedSetWakeupTime             RTSupported = 1 << 3
	RTSupportedGetVariable               RTSupported = 1 << 4
	RTSupportedGetNextVariableName       RTSupported = 1 << 5
	RTSupportedSetVariable               RTSupported = 1 << 6
	RTSupportedSetVirtualAddressMap      RTSupported = 1 << 7
	RTSupportedConvertPointer            RTSupported = 1 << 8
	RTSupportedGetNextHighMonotonicCount RTSupported = 1 << 9
	RTSupportedResetSystem               RTSupported = 1 << 10
	RTSupportedUpdateCapsule             RTSupported = 1 << 11
	RTSupportedQueryCapsuleCapabilities  RTSupported = 1 << 12
	RTSupportedQueryVariableInfo         RTSupported = 1 << 13
	RTSupportedAll                       RTSupported = 1<<14 - 1
)

// MemoryAttributesTable is the header of an EFI_MEMORY_ATTRIBUTES_TABLE
// (§4.6.3). NumberOfEntries descriptors of DescriptorSize bytes follow.
type MemoryAttributesTable struct {
	Version         uint32
	NumberOfEntries uint32
	DescriptorSize  uint32
	Flags           uint32
}
