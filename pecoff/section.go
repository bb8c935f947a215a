// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"bytes"
	"fmt"
	"io"
)

// Section is one entry of the section table.
type Section struct {
	Name            string // up to the first NUL, at most 8 bytes, as they stand in the file
	VirtualAddress  uint32 // RVA
	VirtualSize     uint32 // bytes in memory
	Offset          uint32 // PointerToRawData
	Size            uint32 // SizeOfRawData
	Characteristics uint32
}

// Bits of Section.Characteristics that a loader looks at.
const (
	SectionCode    = 0x00000020
	SectionExecute = 0x20000000
	SectionRead    = 0x40000000
	SectionWrite   = 0x80000000
)

// MappedSize is the number of bytes the section takes in memory: VirtualSize, or where that is 0,
// as old linkers leave it, SizeOfRawData.
func (s Section) MappedSize() uint32 {
	if s.VirtualSize == 0 {
		return s.Size
	}
	return s.VirtualSize
}

// initialised is the number of bytes that come from the file.
func (s Section) initialised() uint32 { return min(s.MappedSize(), s.Size) }

// Section returns the first section of that name. For the sections of a unified kernel image with
// profiles use Profiles.
func (im *Image) Section(name string) (s Section, ok bool) { return findSection(im.Sections, name) }

func findSection(ss []Section, name string) (Section, bool) {
	for _, s := range ss {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}

// Raw reads the section as it lies in the file: SizeOfRawData bytes, with the padding to
// FileAlignment that linkers append.
func (im *Image) Raw(s Section) *io.SectionReader {
	return io.NewSectionReader(im.r, int64(s.Offset), int64(s.Size))
}

// Mapped reads the section as it lies in memory before relocation: MappedSize bytes, zeros
// behind the end of the raw data. The size is the image's claim and may be up to 4 GiB.
func (im *Image) Mapped(s Section) *io.SectionReader {
	p := zeroPadded{r: im.r, at: int64(s.Offset), n: int64(s.initialised()), size: int64(s.MappedSize())}
	return io.NewSectionReader(p, 0, p.size)
}

// zeroPadded is n bytes of r from offset at, followed by zeros up to size.
type zeroPadded struct {
	r           io.ReaderAt
	at, n, size int64
}

func (z zeroPadded) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= z.size {
		return 0, io.EOF
	}
	var eof error
	if int64(len(p)) > z.size-off {
		p, eof = p[:z.size-off], io.EOF
	}
	read := 0
	if off < z.n {
		want := p[:min(int64(len(p)), z.n-off)]
		n, err := z.r.ReadAt(want, z.at+off)
		if n < len(want) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		read = n
	}
	clear(p[read:])
	return len(p), eof
}

func parseSection(h []byte) Section {
	name, _, _ := bytes.Cut(h[:8], []byte{0})
	return Section{
		Name:            string(name),
		VirtualSize:     le.Uint32(h[8:]),
		VirtualAddress:  le.Uint32(h[12:]),
		Size:            le.Uint32(h[16:]),
		Offset:          le.Uint32(h[20:]),
		Characteristics: le.Uint32(h[36:]),
	}
}

// sectionField is a field of a section header: its name and its offset there.
type sectionField struct {
	name   string
	offset int64
}

var (
	fieldVirtualSize    = sectionField{"VirtualSize", 8}
	fieldVirtualAddress = sectionField{"VirtualAddress", 12}
	fieldRawSize        = sectionField{"SizeOfRawData", 16}
	fieldRawPointer     = sectionField{"PointerToRawData", 20}
)

func (im *Image) badSection(i int, f sectionField, err error, format string, args ...any) error {
	field := fmt.Sprintf("Section[%d] %q %s", i, im.Sections[i].Name, f.name)
	return bad(field, im.sectionTable()+int64(i)*sizeSectionHeader+f.offset, err, format, args...)
}
