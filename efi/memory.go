// SPDX-License-Identifier: BSD-3-Clause

package efi

import "fmt"

// MemoryType is an EFI_MEMORY_TYPE (§7.2.1). Types from OEMMemoryType on are
// the firmware vendor's, those from OSMemoryType on the operating system
// loader's.
type MemoryType uint32

// The memory types of §7.2.1.
const (
	ReservedMemory MemoryType = iota
	LoaderCode
	LoaderData
	BootServicesCode
	BootServicesData
	RuntimeServicesCode
	RuntimeServicesData
	ConventionalMemory
	UnusableMemory
	ACPIReclaimMemory
	ACPIMemoryNVS
	MemoryMappedIO
	MemoryMappedIOPortSpace
	PalCode
	PersistentMemory
	UnacceptedMemory
	MaxMemoryType

	OEMMemoryType MemoryType = 0x70000000
	OSMemoryType  MemoryType = 0x80000000
)

var memoryTypeNames = [MaxMemoryType]string{
	"Reserved", "LoaderCode", "LoaderData", "BootServicesCode", "BootServicesData",
	"RuntimeServicesCode", "RuntimeServicesData", "Conventional", "Unusable",
	"ACPIReclaim", "ACPIMemoryNVS", "MemoryMappedIO", "MemoryMappedIOPortSpace",
	"PalCode", "Persistent", "Unaccepted",
}

func (t MemoryType) String() string {
	if t < MaxMemoryType {
		return memoryTypeNames[t]
	}
	return fmt.Sprintf("%#x", uint32(t))
}

// MemoryAttribute is the capabilities and protections of a range (§7.2.3).
type MemoryAttribute uint64

// The attributes of §7.2.3.
const (
	MemoryUC           MemoryAttribute = 1 << 0
	MemoryWC           MemoryAttribute = 1 << 1
	MemoryWT           MemoryAttribute = 1 << 2
	MemoryWB           MemoryAttribute = 1 << 3
	MemoryUCE          MemoryAttribute = 1 << 4
	MemoryWP           MemoryAttribute = 1 << 12
	MemoryRP           MemoryAttribute = 1 << 13
	MemoryXP           MemoryAttribute = 1 << 14
	MemoryNV           MemoryAttribute = 1 << 15
	MemoryMoreReliable MemoryAttribute = 1 << 16
	MemoryRO           MemoryAttribute = 1 << 17
	MemorySP           MemoryAttribute = 1 << 18
	MemoryCPUCrypto    MemoryAttribute = 1 << 19
	MemoryRuntime      MemoryAttribute = 1 << 63
)

func (a MemoryAttribute) String() string {
	return flagString(uint64(a), []string{
		0: "UC", 1: "WC", 2: "WT", 3: "WB", 4: "UCE", 12: "WP", 13: "RP", 14: "XP", 15: "NV",
		16: "MORE_RELIABLE", 17: "RO", 18: "SP", 19: "CPU_CRYPTO", 63: "RUNTIME",
	})
}

// AllocateType is an EFI_ALLOCATE_TYPE (§7.2.1).
type AllocateType uint32

// The ways to ask for pages.
const (
	AllocateAnyPages AllocateType = iota
	AllocateMaxAddress
	AllocateAddress
)

func (t AllocateType) String() string {
	switch t {
	case AllocateAnyPages:
		return "AnyPages"
	case AllocateMaxAddress:
		return "MaxAddress"
	case AllocateAddress:
		return "Address"
	}
	return fmt.Sprintf("%d", uint32(t))
}

// MemoryDescriptor is an EFI_MEMORY_DESCRIPTOR (§7.2.3).
type MemoryDescriptor struct {
	Type          MemoryType
	_             uint32
	PhysicalStart Addr
	VirtualStart  Addr
	NumberOfPages uint64
	Attribute     MemoryAttribute
}

const (
	// MemoryDescriptorVersion is EFI_MEMORY_DESCRIPTOR_VERSION.
	MemoryDescriptorVersion = 1
	// MemoryDescriptorSize is the stride GetMemoryMap reports: 8 bytes more than
	// the structure, as EDK2 does, so that nobody learns to rely on sizeof.
	MemoryDescriptorSize = 48
)

// Range is the physical range that d describes.
func (d MemoryDescriptor) Range() Range {
	return Range{d.PhysicalStart, d.PhysicalStart + Addr(d.NumberOfPages*PageSize)}
}
