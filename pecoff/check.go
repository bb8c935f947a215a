// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"cmp"
	"slices"
	"strings"
)

// Check returns why firmware for one of the given machines would not load the image, or nil.
// With no machine given, AMD64 and ARM64 are meant.
//
// Errors are *FormatError: ErrMachine, ErrSubsystem, ErrNoRelocations (a runtime driver without
// relocations could not be moved by SetVirtualAddressMap), and the reasons of LayOut.
func (im *Image) Check(machines ...Machine) error {
	if len(machines) == 0 {
		machines = []Machine{AMD64, ARM64}
	}
	if !slices.Contains(machines, im.Machine) {
		want := make([]string, len(machines))
		for i, m := range machines {
			want[i] = m.String()
		}
		return bad("FileHeader.Machine", im.fileHeader(), ErrMachine, "%v (0x%04x), want %s",
			im.Machine, uint16(im.Machine), strings.Join(want, " or "))
	}
	if !im.Subsystem.IsEFI() {
		return bad("OptionalHeader.Subsystem", im.optionalHeader()+68, ErrSubsystem, "%v (%d)",
			im.Subsystem, uint16(im.Subsystem))
	}
	if im.Subsystem == RuntimeDriver && im.Characteristics&RelocsStripped != 0 {
		return bad("FileHeader.Characteristics", im.fileHeader()+18, ErrNoRelocations, "%v", im.Subsystem)
	}
	return im.checkLayout()
}

// checkLayout holds the image against EDK2's rules (BasePeCoff.c: PeCoffLoaderGetPeHeader and
// PeCoffLoaderLoadImage) and those of this package's doc comment.
func (im *Image) checkLayout() error {
	if err := im.checkHeaders(); err != nil {
		return err
	}
	var total uint64
	for i, s := range im.Sections {
		if err := im.checkSection(i); err != nil {
			return err
		}
		total += uint64(s.MappedSize())
	}
	if total > maxOverlapFactor*uint64(im.SizeOfImage) {
		return bad("section table", im.sectionTable(), ErrLimit,
			"overlapping sections take %#x bytes of SizeOfImage %#x", total, im.SizeOfImage)
	}
	return nil
}

// maxOverlapFactor bounds the bytes that sections may take together, in multiples of SizeOfImage, so that
// many sections that overlap cannot make LayOut take hours.
const maxOverlapFactor = 2

func (im *Image) checkHeaders() error {
	opt := im.optionalHeader()
	switch want := optionalHeaderSize(im.Magic) + 8*int64(len(im.Directories)); {
	case int64(im.optSize) != want:
		return bad("FileHeader.SizeOfOptionalHeader", im.fileHeader()+16, ErrInvalid,
			"%d, want %d for %d directories", im.optSize, want, len(im.Directories))
	case im.SectionAlignment == 0 || im.SectionAlignment&(im.SectionAlignment-1) != 0:
		return bad("OptionalHeader.SectionAlignment", opt+32, ErrInvalid, "%#x is no power of two", im.SectionAlignment)
	case im.SizeOfImage > MaxImageSize:
		return bad("OptionalHeader.SizeOfImage", opt+56, ErrLimit, "%#x, at most %#x", im.SizeOfImage, MaxImageSize)
	case int64(im.SizeOfHeaders) < im.sectionTableEnd():
		return bad("OptionalHeader.SizeOfHeaders", opt+60, ErrInvalid,
			"%#x, the section table ends at %#x", im.SizeOfHeaders, im.sectionTableEnd())
	case im.SizeOfHeaders >= im.SizeOfImage:
		return bad("OptionalHeader.SizeOfHeaders", opt+60, ErrInvalid,
			"%#x, want less than SizeOfImage %#x", im.SizeOfHeaders, im.SizeOfImage)
	case int64(im.SizeOfHeaders) > im.size:
		return bad("OptionalHeader.SizeOfHeaders", opt+60, ErrTruncated,
			"%#x, the file has %#x bytes", im.SizeOfHeaders, im.size)
	case im.EntryPoint >= im.SizeOfImage:
		return bad("OptionalHeader.AddressOfEntryPoint", opt+16, ErrInvalid,
			"%#x, want less than SizeOfImage %#x", im.EntryPoint, im.SizeOfImage)
	}
	if d, ok := im.Directory(DirectoryCertificate); ok && int64(d.VirtualAddress)+int64(d.Size) > im.size {
		return bad("DataDirectory[4] certificate table", im.directory(DirectoryCertificate), ErrTruncated,
			"%#x bytes at %#x, the file has %#x bytes", d.Size, d.VirtualAddress, im.size)
	}
	return nil
}

func (im *Image) checkSection(i int) error {
	s := im.Sections[i]
	n := s.MappedSize()
	switch {
	case n == 0:
		return nil
	case s.VirtualAddress < im.SizeOfHeaders:
		return im.badSection(i, fieldVirtualAddress, ErrOverlap,
			"%#x lies in the headers, which take %#x bytes", s.VirtualAddress, im.SizeOfHeaders)
	case s.Size > 0 && s.Offset < im.SizeOfHeaders:
		return im.badSection(i, fieldRawPointer, ErrOverlap,
			"%#x lies in the headers, which take %#x bytes", s.Offset, im.SizeOfHeaders)
	case uint64(s.VirtualAddress)+uint64(n) > uint64(im.SizeOfImage):
		f := fieldVirtualSize
		if s.VirtualSize == 0 {
			f = fieldRawSize
		}
		return im.badSection(i, f, ErrInvalid,
			"%#x bytes at %#x end past SizeOfImage %#x", n, s.VirtualAddress, im.SizeOfImage)
	}
	return nil
}

// byAddress is the indices of the sections that take memory, in order of their addresses.
func (im *Image) byAddress() []int {
	var order []int
	for i, s := range im.Sections {
		if s.MappedSize() > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(im.Sections[a].VirtualAddress, im.Sections[b].VirtualAddress)
	})
	return order
}

// Overlap returns a *FormatError with ErrOverlap that names the first section, by address, that overlaps another one
// in memory, or nil. Firmware loads such images, the later entry of the section table winning, and
// so does LayOut: ukify makes them when it lengthens the .sbat of a stub with small alignment.
func (im *Image) Overlap() error {
	end, last := uint64(0), -1
	for _, i := range im.byAddress() {
		s := im.Sections[i]
		if uint64(s.VirtualAddress) < end {
			return im.badSection(i, fieldVirtualAddress, ErrOverlap, "%#x lies in Section[%d] %q, which ends at %#x",
				s.VirtualAddress, last, im.Sections[last].Name, end)
		}
		end, last = uint64(s.VirtualAddress)+uint64(s.MappedSize()), i
	}
	return nil
}
