// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"encoding/binary"
	"errors"
	"io"
)

var le = binary.LittleEndian

// Parse reads the headers of the image in the first size bytes of r. It reads nothing else, and
// keeps r for the other methods.
//
// Images of every machine and subsystem are parsed, so that they can be looked at; Check says
// which can be loaded. Like EDK2, Parse also takes a file that starts with the PE signature in
// place of a DOS header.
//
// Errors are *FormatError: ErrNotPE when there is no PE signature or the optional header is neither
// PE32 nor PE32+, ErrTruncated when a header or the raw data of a section reaches past size,
// ErrInvalid when the data directory does not fit its header; or else the reader's error.
func Parse(r io.ReaderAt, size int64) (*Image, error) {
	im := &Image{r: r, size: size}
	start := make([]byte, min(max(size, 0), kindBytes))
	if err := im.readAt(start, 0, "DOSHeader"); err != nil {
		return nil, err
	}
	if len(start) < 4 || string(start[:2]) != "MZ" && string(start[:4]) != "PE\x00\x00" {
		return nil, bad("DOSHeader.e_magic", 0, ErrNotPE, "the file starts with %q", start[:min(len(start), 4)])
	}
	if start[0] == 'M' {
		if len(start) < 0x40 {
			return nil, bad("DOSHeader.e_lfanew", 0x3c, ErrTruncated, "the file has %d bytes", size)
		}
		im.header = int64(le.Uint32(start[0x3c:]))
	}
	if err := im.parseFileHeader(); err != nil {
		return nil, err
	}
	im.kind = kindOf(start, im)
	return im, nil
}

func (im *Image) parseFileHeader() error {
	var h [sizeSignature + sizeFileHeader]byte
	if err := im.readAt(h[:], im.header, "FileHeader"); err != nil {
		return err
	}
	if string(h[:4]) != "PE\x00\x00" {
		return bad("Signature", im.header, ErrNotPE, "found %q", h[:4])
	}
	im.Machine = Machine(le.Uint16(h[4:]))
	sections := int(le.Uint16(h[6:]))
	im.TimeDateStamp = le.Uint32(h[8:])
	im.optSize = le.Uint16(h[20:])
	im.Characteristics = le.Uint16(h[22:])
	if err := im.parseOptionalHeader(); err != nil {
		return err
	}
	return im.parseSections(sections)
}

func (im *Image) parseOptionalHeader() error {
	field := "FileHeader.SizeOfOptionalHeader"
	at := im.fileHeader() + 16
	if im.optSize < 2 {
		return bad(field, at, ErrNotPE, "%d bytes hold no optional header", im.optSize)
	}
	h := make([]byte, im.optSize)
	if err := im.readAt(h, im.optionalHeader(), "OptionalHeader"); err != nil {
		return err
	}
	im.Magic = le.Uint16(h)
	if im.Magic != PE32 && im.Magic != PE32Plus {
		return bad("OptionalHeader.Magic", im.optionalHeader(), ErrNotPE, "%#x is neither PE32 nor PE32+", im.Magic)
	}
	fixed := int(optionalHeaderSize(im.Magic))
	if len(h) < fixed {
		return bad(field, at, ErrInvalid, "%d, want at least %d", im.optSize, fixed)
	}
	im.EntryPoint = le.Uint32(h[16:])
	if im.Magic == PE32Plus {
		im.ImageBase = le.Uint64(h[24:])
	} else {
		im.ImageBase = uint64(le.Uint32(h[28:]))
	}
	im.SectionAlignment = le.Uint32(h[32:])
	im.FileAlignment = le.Uint32(h[36:])
	im.MajorImageVersion = le.Uint16(h[44:])
	im.MinorImageVersion = le.Uint16(h[46:])
	im.SizeOfImage = le.Uint32(h[56:])
	im.SizeOfHeaders = le.Uint32(h[60:])
	im.CheckSum = le.Uint32(h[64:])
	im.Subsystem = Subsystem(le.Uint16(h[68:]))
	im.DLLCharacteristics = le.Uint16(h[70:])

	n := le.Uint32(h[fixed-4:])
	at = im.optionalHeader() + int64(fixed) - 4
	if n > maxDirectories {
		return bad("OptionalHeader.NumberOfRvaAndSizes", at, ErrInvalid, "%d, want at most %d", n, maxDirectories)
	}
	if len(h)-fixed < 8*int(n) {
		return bad("OptionalHeader.NumberOfRvaAndSizes", at, ErrInvalid,
			"%d entries do not fit into SizeOfOptionalHeader %d", n, im.optSize)
	}
	for i := range int(n) {
		e := h[fixed+8*i:]
		im.Directories = append(im.Directories, Directory{le.Uint32(e), le.Uint32(e[4:])})
	}
	return nil
}

func (im *Image) parseSections(n int) error {
	at := im.sectionTable()
	if at+int64(n)*sizeSectionHeader > im.size {
		return bad("FileHeader.NumberOfSections", im.fileHeader()+2, ErrTruncated,
			"the table of %d sections at %#x does not fit into %d bytes", n, at, im.size)
	}
	table := make([]byte, n*sizeSectionHeader)
	if err := im.readAt(table, at, "section table"); err != nil {
		return err
	}
	im.Sections = make([]Section, n)
	for i := range im.Sections {
		im.Sections[i] = parseSection(table[i*sizeSectionHeader:])
		s := &im.Sections[i]
		if s.Size > 0 && int64(s.Offset)+int64(s.Size) > im.size {
			return im.badSection(i, fieldRawSize, ErrTruncated,
				"PointerToRawData %#x + SizeOfRawData %#x, the file has %#x bytes", s.Offset, s.Size, im.size)
		}
	}
	return nil
}

// readAt fills p from the file. field names the structure for the error.
func (im *Image) readAt(p []byte, at int64, field string) error {
	if at < 0 || at > im.size || int64(len(p)) > im.size-at {
		return bad(field, at, ErrTruncated, "%d bytes wanted, the file has %d", len(p), im.size)
	}
	n, err := im.r.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return bad(field, at, err, "%d of %d bytes read", n, len(p))
}
