// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
)

// MaxDescriptors is how many regions a MemoryMap holds at most. A call that
// would need more fails with OutOfResources and changes nothing.
const MaxDescriptors = 65536

// top is above all memory: a region can not end in the last page.
const top efi.Addr = math.MaxUint64 &^ (efi.PageSize - 1)

// MemoryMap is the memory map and the page allocator (§7.2). It is data only:
// no guest memory is touched, so neither are freed pages cleared nor
// protections applied; that is for the owner of the memory to do.
type MemoryMap struct {
	regions     []Region // sorted, disjoint, no two neighbours that could be one
	key         uint64
	granularity uint64   // of runtime types, in bytes; 0 is a page
	full        efi.Addr // no memory from here on is free, as far as is known
}

// NewMemoryMap makes a map of what descs say, in any order. Ranges of runtime
// types get MemoryRuntime. VirtualStart is ignored and reported as zero.
//
// InvalidParameter: a descriptor is empty, unaligned, wraps, overlaps another
// or is of a reserved type. OutOfResources: more than MaxDescriptors.
func NewMemoryMap(descs []efi.MemoryDescriptor) (*MemoryMap, error) {
	m := &MemoryMap{key: 1, full: top}
	regions := make([]Region, 0, len(descs))
	for _, d := range descs {
		r, err := regionOf(d)
		if err != nil {
			return nil, err
		}
		regions = append(regions, r)
	}
	slices.SortFunc(regions, func(a, b Region) int { return cmp.Compare(a.Range.Start, b.Range.Start) })
	for i, r := range regions {
		if i > 0 && regions[i-1].Range.Overlaps(r.Range) {
			return nil, fmt.Errorf("memory map: %v overlaps %v: %w", r.Range, regions[i-1].Range, efi.InvalidParameter)
		}
		m.regions = appendMerged(m.regions, r)
	}
	if len(m.regions) > MaxDescriptors {
		return nil, fmt.Errorf("memory map: %d descriptors: %w", len(m.regions), efi.OutOfResources)
	}
	return m, nil
}

// regionOf checks d.
func regionOf(d efi.MemoryDescriptor) (Region, error) {
	size := d.NumberOfPages * efi.PageSize
	r, ok := efi.RangeOf(d.PhysicalStart, size)
	switch {
	case d.NumberOfPages == 0 || size/efi.PageSize != d.NumberOfPages || !ok || !d.PhysicalStart.PageAligned():
		return Region{}, fmt.Errorf("memory map: %d pages at %v: %w", d.NumberOfPages, d.PhysicalStart, efi.InvalidParameter)
	case reservedType(d.Type):
		return Region{}, fmt.Errorf("memory map: type %v at %v: %w", d.Type, d.PhysicalStart, efi.InvalidParameter)
	}
	if runtimeType(d.Type) {
		d.Attribute |= efi.MemoryRuntime
	}
	return Region{Range: r, Type: d.Type, Attribute: d.Attribute}, nil
}

// SetRuntimeGranularity sets the unit, in bytes, in which ranges of the types
// reserved, ACPI NVS and runtime services code and data are allocated and freed
// (§2.3.6: 64 KiB on AArch64). The default is a page. Set it before the first
// allocation: what is allocated already is not moved.
//
// InvalidParameter: it is no power of two, or smaller than a page.
func (m *MemoryMap) SetRuntimeGranularity(bytes uint64) error {
	if bytes < efi.PageSize || bytes&(bytes-1) != 0 {
		return fmt.Errorf("memory map: granularity %#x: %w", bytes, efi.InvalidParameter)
	}
	m.granularity = bytes
	return nil
}

// Granularity is the unit, in bytes, in which pages of type t are allocated.
func (m *MemoryMap) Granularity(t efi.MemoryType) uint64 {
	switch t {
	case efi.ReservedMemory, efi.ACPIMemoryNVS, efi.RuntimeServicesCode, efi.RuntimeServicesData:
		return max(m.granularity, efi.PageSize)
	}
	return efi.PageSize
}

// Key is the map key (§7.2.3). It is never zero. It changes with every change
// of what Descriptors says, and with nothing else.
func (m *MemoryMap) Key() uint64 { return m.key }

// Descriptors is the map as GetMemoryMap tells it: by address, neighbours of
// one type and with equal attributes as one.
func (m *MemoryMap) Descriptors() []efi.MemoryDescriptor {
	descs := make([]efi.MemoryDescriptor, 0, len(m.regions))
	for i := 0; i < len(m.regions); {
		d, next := m.descriptorAt(i)
		descs = append(descs, d)
		i = next
	}
	return descs
}

// descriptorAt is the descriptor that begins with region i, and the index of
// the first region after it.
func (m *MemoryMap) descriptorAt(i int) (efi.MemoryDescriptor, int) {
	first := m.regions[i]
	end := first.Range.End
	for i++; i < len(m.regions) && first.joins(end, m.regions[i]); i++ {
		end = m.regions[i].Range.End
	}
	return efi.MemoryDescriptor{
		Type:          first.Type,
		PhysicalStart: first.Range.Start,
		NumberOfPages: uint64(end-first.Range.Start) / efi.PageSize,
		Attribute:     first.Attribute,
	}, i
}

// Lookup is the descriptor, as in Descriptors, that holds a.
func (m *MemoryMap) Lookup(a efi.Addr) (efi.MemoryDescriptor, bool) {
	i := m.search(a)
	if i == len(m.regions) || !m.regions[i].Range.Contains(a) {
		return efi.MemoryDescriptor{}, false
	}
	for i > 0 && m.regions[i-1].joins(m.regions[i-1].Range.End, m.regions[i]) {
		i--
	}
	d, _ := m.descriptorAt(i)
	return d, true
}

// Marshal is Descriptors as bytes, efi.MemoryDescriptorSize for each.
func (m *MemoryMap) Marshal() []byte {
	b := make([]byte, 0, len(m.regions)*efi.MemoryDescriptorSize)
	for i := 0; i < len(m.regions); {
		d, next := m.descriptorAt(i)
		b = binary.LittleEndian.AppendUint64(b, uint64(d.Type))
		b = binary.LittleEndian.AppendUint64(b, uint64(d.PhysicalStart))
		b = binary.LittleEndian.AppendUint64(b, uint64(d.VirtualStart))
		b = binary.LittleEndian.AppendUint64(b, d.NumberOfPages)
		b = binary.LittleEndian.AppendUint64(b, uint64(d.Attribute))
		b = binary.LittleEndian.AppendUint64(b, 0)
		i = next
	}
	return b
}

// Clone is a copy that shares nothing with m. It has the same key.
func (m *MemoryMap) Clone() *MemoryMap {
	c := *m
	c.regions = slices.Clone(m.regions)
	return &c
}

// search is the index of the first region that ends above a.
func (m *MemoryMap) search(a efi.Addr) int {
	i, _ := slices.BinarySearchFunc(m.regions, a, func(r Region, a efi.Addr) int {
		if r.Range.End <= a {
			return -1
		}
		return 1
	})
	return i
}

// reservedType reports whether the specification keeps t for itself.
func reservedType(t efi.MemoryType) bool {
	return efi.MaxMemoryType <= t && t < efi.OEMMemoryType
}

// runtimeType reports whether memory of type t always has MemoryRuntime.
func runtimeType(t efi.MemoryType) bool {
	return t == efi.RuntimeServicesCode || t == efi.RuntimeServicesData || t == efi.PalCode
}
