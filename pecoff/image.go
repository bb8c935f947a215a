// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import "io"

// Limits of this package.
const (
	MaxImageSize        uint32 = 2 << 30 // SizeOfImage of an image that can be laid out
	MaxCertificateTable uint32 = 1 << 20 // size of the certificate table; real ones take a few KiB
)

// Values of Image.Magic.
const (
	PE32     = 0x010b
	PE32Plus = 0x020b
)

// Bits of Image.Characteristics and Image.DLLCharacteristics that a loader looks at.
const (
	RelocsStripped = 0x0001 // in Characteristics
	NXCompat       = 0x0100 // in DLLCharacteristics: works with code read-only and data not executable
)

// Indices into Image.Directories.
const (
	DirectoryExport = iota
	DirectoryImport
	DirectoryResource
	DirectoryException
	DirectoryCertificate
	DirectoryBaseRelocation
	DirectoryDebug

	maxDirectories = 16
)

// Directory is one entry of the data directory. VirtualAddress is an RVA, but a file offset in
// the entry DirectoryCertificate.
type Directory struct {
	VirtualAddress uint32
	Size           uint32
}

// Image is a parsed image: its header fields, and the reader they came from. It is not changed by
// its methods, and they can be called concurrently when the reader allows it. Callers do not
// change its fields.
type Image struct {
	Machine         Machine
	TimeDateStamp   uint32
	Characteristics uint16

	Magic              uint16 // PE32 or PE32Plus
	EntryPoint         uint32 // RVA
	ImageBase          uint64
	SectionAlignment   uint32
	FileAlignment      uint32
	MajorImageVersion  uint16
	MinorImageVersion  uint16
	SizeOfImage        uint32
	SizeOfHeaders      uint32
	CheckSum           uint32
	Subsystem          Subsystem
	DLLCharacteristics uint16

	Directories []Directory // as many as the image declares, 16 at most
	Sections    []Section   // in the order of the section table

	r       io.ReaderAt
	size    int64
	header  int64  // file offset of the PE signature
	optSize uint16 // SizeOfOptionalHeader
	kind    Kind
}

// Size is the size of the file in bytes.
func (im *Image) Size() int64 { return im.size }

// Directory returns entry i of the data directory; ok is false when the image does not declare
// it or it is empty.
func (im *Image) Directory(i int) (d Directory, ok bool) {
	if i < 0 || i >= len(im.Directories) {
		return Directory{}, false
	}
	d = im.Directories[i]
	return d, d.Size != 0
}

// File offsets of header fields. The layout is the PE/COFF specification's: a 4-byte signature,
// a 20-byte file header, the optional header, the section table.
const (
	sizeSignature     = 4
	sizeFileHeader    = 20
	sizeSectionHeader = 40
)

func (im *Image) fileHeader() int64     { return im.header + sizeSignature }
func (im *Image) optionalHeader() int64 { return im.header + sizeSignature + sizeFileHeader }
func (im *Image) sectionTable() int64   { return im.optionalHeader() + int64(im.optSize) }
func (im *Image) sectionTableEnd() int64 {
	return im.sectionTable() + sizeSectionHeader*int64(len(im.Sections))
}

// directory is the file offset of entry i of the data directory.
func (im *Image) directory(i int) int64 {
	return im.optionalHeader() + optionalHeaderSize(im.Magic) + 8*int64(i)
}

// optionalHeaderSize is the size of the optional header without the data directory.
func optionalHeaderSize(magic uint16) int64 {
	if magic == PE32Plus {
		return 112
	}
	return 96
}
