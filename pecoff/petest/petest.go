// SPDX-License-Identifier: BSD-3-Clause

// Package petest builds small PE images for tests. What it builds is valid unless the fields given
// say otherwise; tests of refusals edit the bytes, whose layout is fixed: the PE signature
// lies at [Signature], the optional header at [OptionalHeader].
package petest

import (
	"cmp"
	"encoding/binary"

	"github.com/uefiexec/uefiexec/pecoff"
)

// File offsets of headers in every image built here.
const (
	Signature      = 0x80
	FileHeader     = Signature + 4
	OptionalHeader = FileHeader + 20
)

// Image describes an image. The zero value of a field means what its comment says.
type Image struct {
	Machine            pecoff.Machine   // AMD64
	Subsystem          pecoff.Subsystem // Application
	Characteristics    uint16           // executable, large addresses, not stripped (0x22)
	DLLCharacteristics uint16
	MajorImageVersion  uint16
	PE32               bool // PE32+
	ImageBase          uint64
	Entry              uint32 // the address of the first section
	SectionAlignment   uint32 // 0x1000
	FileAlignment      uint32 // 0x200
	Directories        int    // 16
	Sections           []Section
	Relocs             []Reloc  // none; otherwise a section .reloc is appended
	Tail               []byte   // bytes behind the last section
	Certificates       [][]byte // PKCS#7 blobs for a certificate table at the end
}

// Section describes a section.
type Section struct {
	Name            string
	Data            []byte
	VirtualAddress  uint32 // the next multiple of SectionAlignment
	VirtualSize     uint32 // len(Data)
	Characteristics uint32 // read, write, execute and code
}

// Reloc describes a base relocation.
type Reloc struct {
	RVA  uint32
	Type uint16 // DIR64 (10)
}

var le = binary.LittleEndian

// SectionHeader is the file offset of section header i.
func (m Image) SectionHeader(i int) int {
	return OptionalHeader + m.optionalHeaderSize() + 40*i
}

// Directory is the file offset of entry i of the data directory.
func (m Image) Directory(i int) int { return OptionalHeader + m.fixed() + 8*i }

func (m Image) fixed() int {
	if m.PE32 {
		return 96
	}
	return 112
}

func (m Image) directories() int        { return cmp.Or(m.Directories, 16) }
func (m Image) optionalHeaderSize() int { return m.fixed() + 8*m.directories() }

// Bytes builds the file.
func (m Image) Bytes() []byte {
	sectionAlign, fileAlign := cmp.Or(m.SectionAlignment, 0x1000), cmp.Or(m.FileAlignment, 0x200)
	sections := append([]Section(nil), m.Sections...)
	if len(m.Relocs) > 0 {
		sections = append(sections, Section{Name: ".reloc", Data: relocTable(m.Relocs), Characteristics: 0x42000040})
	}
	headers := align(uint32(m.SectionHeader(len(sections))), fileAlign)
	b := make([]byte, headers)
	next := align(headers, sectionAlign)
	entry := m.Entry
	for i, s := range sections {
		va := cmp.Or(s.VirtualAddress, next)
		size := cmp.Or(s.VirtualSize, uint32(len(s.Data)))
		raw := align(uint32(len(s.Data)), fileAlign)
		if i == 0 && entry == 0 {
			entry = va
		}
		h := b[m.SectionHeader(i):]
		copy(h[:8], s.Name)
		le.PutUint32(h[8:], size)
		le.PutUint32(h[12:], va)
		le.PutUint32(h[16:], raw)
		if raw > 0 {
			le.PutUint32(h[20:], uint32(len(b)))
		}
		le.PutUint32(h[36:], cmp.Or(s.Characteristics, 0xe0000020))
		if s.Name == ".reloc" && len(m.Relocs) > 0 {
			m.putDirectory(b, pecoff.DirectoryBaseRelocation, va, size)
		}
		b = append(b, s.Data...)
		b = append(b, make([]byte, int(raw)-len(s.Data))...)
		next = align(va+size, sectionAlign)
	}
	m.putHeaders(b, len(sections), entry, next, headers)
	b = append(b, m.Tail...)
	if len(m.Certificates) == 0 {
		return b
	}
	b = append(b, make([]byte, -len(b)&7)...)
	start := len(b)
	for _, c := range m.Certificates {
		h := le.AppendUint32(nil, uint32(8+len(c)))
		h = le.AppendUint16(h, 0x0200)
		h = le.AppendUint16(h, pecoff.CertificatePKCSSignedData)
		b = append(append(b, h...), c...)
		b = append(b, make([]byte, -len(b)&7)...)
	}
	m.putDirectory(b, pecoff.DirectoryCertificate, uint32(start), uint32(len(b)-start))
	return b
}

func (m Image) putHeaders(b []byte, sections int, entry, sizeOfImage, headers uint32) {
	copy(b, "MZ")
	le.PutUint32(b[0x3c:], Signature)
	copy(b[Signature:], "PE\x00\x00")
	f := b[FileHeader:]
	le.PutUint16(f, uint16(cmp.Or(m.Machine, pecoff.AMD64)))
	le.PutUint16(f[2:], uint16(sections))
	le.PutUint16(f[16:], uint16(m.optionalHeaderSize()))
	le.PutUint16(f[18:], cmp.Or(m.Characteristics, 0x22))
	o := b[OptionalHeader:]
	if m.PE32 {
		le.PutUint16(o, pecoff.PE32)
		le.PutUint32(o[28:], uint32(m.ImageBase))
	} else {
		le.PutUint16(o, pecoff.PE32Plus)
		le.PutUint64(o[24:], m.ImageBase)
	}
	le.PutUint32(o[16:], entry)
	le.PutUint32(o[32:], cmp.Or(m.SectionAlignment, 0x1000))
	le.PutUint32(o[36:], cmp.Or(m.FileAlignment, 0x200))
	le.PutUint16(o[44:], m.MajorImageVersion)
	le.PutUint32(o[56:], sizeOfImage)
	le.PutUint32(o[60:], headers)
	le.PutUint16(o[68:], uint16(cmp.Or(m.Subsystem, pecoff.Application)))
	le.PutUint16(o[70:], m.DLLCharacteristics)
	le.PutUint32(o[m.fixed()-4:], uint32(m.directories()))
}

func (m Image) putDirectory(b []byte, i int, address, size uint32) {
	if i < m.directories() {
		le.PutUint32(b[m.Directory(i):], address)
		le.PutUint32(b[m.Directory(i)+4:], size)
	}
}

// relocTable puts runs of relocations of one page into one block each, padded to 4 bytes.
func relocTable(relocs []Reloc) []byte {
	var table []byte
	for len(relocs) > 0 {
		page := relocs[0].RVA &^ 0xfff
		var entries []byte
		for len(relocs) > 0 && relocs[0].RVA&^0xfff == page {
			r := relocs[0]
			entries = le.AppendUint16(entries, cmp.Or(r.Type, 10)<<12|uint16(r.RVA&0xfff))
			relocs = relocs[1:]
		}
		if len(entries)%4 != 0 {
			entries = append(entries, 0, 0)
		}
		table = le.AppendUint32(table, page)
		table = le.AppendUint32(table, uint32(8+len(entries)))
		table = append(table, entries...)
	}
	return table
}

func align(n, a uint32) uint32 { return (n + a - 1) &^ (a - 1) }
