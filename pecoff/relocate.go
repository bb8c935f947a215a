// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"fmt"
	"iter"
	"math"
)

// Types of base relocations.
const (
	relAbsolute = 0 // padding
	relHigh     = 1
	relLow      = 2
	relHighLow  = 3
	relDir64    = 10
)

// Relocate fits an image, as LayOut left it, to the address base: it stores base in the mapped
// header's ImageBase and adds base-ImageBase at each base relocation.
//
// Three kinds of images are told apart as EDK2 does: with relocations; without, and
// RELOCS_STRIPPED set, which load at ImageBase alone; without, and RELOCS_STRIPPED clear, which
// need none and load anywhere (Linux kernels for x86 and arm64).
//
// Errors are *FormatError: ErrNoRelocations when the relocations are stripped and base is not
// ImageBase; ErrRelocation when a block or a fixup does not lie in the image or is of another type
// than ABSOLUTE, HIGH, LOW, HIGHLOW or DIR64 (mapped is then undefined). Another error says that
// mapped does not have SizeOfImage bytes, or that base is no multiple of SectionAlignment or too high.
func (im *Image) Relocate(mapped []byte, base uint64) error {
	if uint64(len(mapped)) != uint64(im.SizeOfImage) {
		return fmt.Errorf("pecoff: Relocate of %d bytes, SizeOfImage is %d", len(mapped), im.SizeOfImage)
	}
	if a := uint64(im.SectionAlignment); a != 0 && base%a != 0 {
		return fmt.Errorf("pecoff: base %#x is no multiple of SectionAlignment %#x", base, a)
	}
	top := uint64(math.MaxUint64)
	if im.Magic == PE32 {
		top = math.MaxUint32
	}
	if base > top-uint64(im.SizeOfImage) {
		return fmt.Errorf("pecoff: %#x bytes at base %#x end past %#x", im.SizeOfImage, base, top)
	}
	if base != im.ImageBase && im.Characteristics&RelocsStripped != 0 {
		return bad("FileHeader.Characteristics", im.fileHeader()+18, ErrNoRelocations,
			"the image loads at %#x alone, not at %#x", im.ImageBase, base)
	}
	d, ok := im.Directory(DirectoryBaseRelocation)
	if im.Characteristics&RelocsStripped != 0 {
		return nil
	}
	if ok && uint64(d.VirtualAddress)+uint64(d.Size) > uint64(len(mapped)) {
		return bad("DataDirectory[5] base relocation table", im.directory(DirectoryBaseRelocation), ErrRelocation,
			"%#x bytes at %#x end past SizeOfImage %#x", d.Size, d.VirtualAddress, im.SizeOfImage)
	}
	if base == im.ImageBase {
		return nil
	}
	im.setImageBase(mapped, base)
	if !ok {
		return nil
	}
	return im.fixup(mapped, d, base-im.ImageBase)
}

func (im *Image) setImageBase(mapped []byte, base uint64) {
	at, n := im.optionalHeader()+24, int64(8)
	if im.Magic == PE32 {
		at, n = im.optionalHeader()+28, 4
	}
	if at+n > int64(len(mapped)) {
		return
	}
	if n == 8 {
		le.PutUint64(mapped[at:], base)
	} else {
		le.PutUint32(mapped[at:], uint32(base))
	}
}

// block is a block of a table of base relocations: the fixups of a page, and the RVA that they lie at.
type block struct {
	page   uint32
	rva    uint32
	fixups []byte
}

// blocks walks the blocks of the table of d, each read when its turn comes. Fewer than 8 bytes at the end hold
// no block and are passed over; each block is at least 8 bytes, so the walk ends. An error ends it, too.
func (im *Image) blocks(d Directory, table []byte) iter.Seq2[block, error] {
	const sizeHeader = 8
	return func(yield func(block, error) bool) {
		for at := uint32(0); d.Size-at >= sizeHeader; {
			page, size := le.Uint32(table[at:]), le.Uint32(table[at+4:])
			if size < sizeHeader || size > d.Size-at {
				yield(block{}, im.badBlock(d.VirtualAddress+at+4, "SizeOfBlock", "%#x, want 8 to %#x", size, d.Size-at))
				return
			}
			if !yield(block{page, d.VirtualAddress + at + sizeHeader, table[at+sizeHeader : at+size]}, nil) {
				return
			}
			at += size
		}
	}
}

// fixup applies the fixups of d. The table is read from mapped, so fixups that point into it change what
// follows, as they do in firmware.
func (im *Image) fixup(mapped []byte, d Directory, delta uint64) error {
	for b, err := range im.blocks(d, mapped[d.VirtualAddress:][:d.Size]) {
		if err != nil {
			return err
		}
		for e := 0; e+2 <= len(b.fixups); e += 2 {
			entry := le.Uint16(b.fixups[e:])
			rva := uint64(b.page) + uint64(entry&0xfff)
			if !apply(mapped, entry>>12, rva, delta) {
				return im.badBlock(b.rva+uint32(e), "TypeOffset",
					"type %d at %#x, SizeOfImage is %#x", entry>>12, rva, im.SizeOfImage)
			}
		}
	}
	return nil
}

// apply reports whether the type is known and its field lies in the image.
func apply(mapped []byte, typ uint16, rva, delta uint64) bool {
	var n uint64
	switch typ {
	case relAbsolute:
		return true
	case relHigh, relLow:
		n = 2
	case relHighLow:
		n = 4
	case relDir64:
		n = 8
	default:
		return false
	}
	if rva+n > uint64(len(mapped)) {
		return false
	}
	p := mapped[rva : rva+n]
	switch typ {
	case relHigh:
		le.PutUint16(p, le.Uint16(p)+uint16(delta>>16))
	case relLow:
		le.PutUint16(p, le.Uint16(p)+uint16(delta))
	case relHighLow:
		le.PutUint32(p, le.Uint32(p)+uint32(delta))
	case relDir64:
		le.PutUint64(p, le.Uint64(p)+delta)
	}
	return true
}

// Span is a range of an image in memory.
type Span struct{ VirtualAddress, Size uint32 }

// maxFixups bounds the table that Fixups reads, in bytes.
const maxFixups = 1 << 20

// Fixups returns where Relocate looks in an image: at the table of base relocations and in the pages that
// its blocks are for, which is where it writes. It is for those who lay an image out in parts. What fixups
// that change the table do is not seen.
//
// Errors are LaidOut's, ErrRelocation as Relocate's, and ErrLimit where the table has more than a mebibyte.
func (im *Image) Fixups() ([]Span, error) {
	r, err := im.LaidOut()
	if err != nil {
		return nil, err
	}
	d, ok := im.Directory(DirectoryBaseRelocation)
	if !ok || im.Characteristics&RelocsStripped != 0 {
		return nil, nil
	}
	if d.Size > maxFixups {
		return nil, bad("DataDirectory[5] base relocation table", im.directory(DirectoryBaseRelocation), ErrLimit,
			"%#x bytes, at most %#x", d.Size, maxFixups)
	}
	table := make([]byte, d.Size)
	if n, err := r.ReadAt(table, int64(d.VirtualAddress)); n < len(table) {
		return nil, bad("DataDirectory[5] base relocation table", im.directory(DirectoryBaseRelocation), ErrRelocation,
			"%#x bytes at %#x: %v", d.Size, d.VirtualAddress, err)
	}
	spans := []Span{{d.VirtualAddress, d.Size}}
	for b, err := range im.blocks(d, table) {
		if err != nil {
			return nil, err
		}
		if len(b.fixups) > 0 {
			spans = append(spans, Span{b.page, 0xfff + 8}) // the last fixup may begin with the page's last byte
		}
	}
	return spans, nil
}

func (im *Image) badBlock(rva uint32, field, format string, args ...any) error {
	return bad(fmt.Sprintf("BaseRelocation %s at RVA %#x", field, rva), im.fileOffset(rva), ErrRelocation, format, args...)
}

// fileOffset is where the byte at rva comes from, or -1.
func (im *Image) fileOffset(rva uint32) int64 {
	if rva < im.SizeOfHeaders {
		return int64(rva)
	}
	for _, s := range im.Sections {
		if rva >= s.VirtualAddress && rva-s.VirtualAddress < s.initialised() {
			return int64(s.Offset) + int64(rva-s.VirtualAddress)
		}
	}
	return -1
}
