// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// UKI is a unified kernel image (UAPI group, UKI specification) to be made of a
// stub: what ukify does, as far as tests need it.
type UKI struct {
	Stub     string // path here
	Sections []Section
}

// Section is a section to put behind the stub's own, such as ".cmdline".
type Section struct {
	Name string
	Data []byte
	File string // path here, instead of Data
}

// Build writes the image into a temporary folder of the test and returns its
// path.
func (u UKI) Build(t testing.TB) string {
	t.Helper()
	image, err := u.image()
	if err != nil {
		t.Fatalf("unified kernel image: %v", err)
	}
	name := filepath.Join(t.TempDir(), "uki.efi")
	if err := os.WriteFile(name, image, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func (u UKI) image() ([]byte, error) {
	image, err := os.ReadFile(u.Stub)
	if err != nil {
		return nil, err
	}
	for _, s := range u.Sections {
		if s.File != "" {
			if s.Data, err = os.ReadFile(s.File); err != nil {
				return nil, err
			}
		}
		if image, err = appendSection(image, s.Name, s.Data); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return image, nil
}

// Fields of the PE headers (PE format, "COFF File Header", "Optional Header",
// "Section Table"), from the start of what they are fields of.
const (
	peOffset = 0x3c // in the DOS header

	peSections     = 6 // NumberOfSections, from the signature
	peOptionalSize = 20
	peOptional     = 24

	optSectionAlignment = 32
	optFileAlignment    = 36
	optSizeOfImage      = 56
	optSizeOfHeaders    = 60
	optCheckSum         = 64

	sectionHeader   = 40
	readInitialised = 0x40000040 // IMAGE_SCN_MEM_READ, IMAGE_SCN_CNT_INITIALIZED_DATA
)

// appendSection appends a section to a PE image that is not signed: its header
// into the room behind the others, its data at the end of the file, in memory at
// the end of the image.
func appendSection(image []byte, name string, data []byte) ([]byte, error) {
	le := binary.LittleEndian
	if len(image) < peOffset+4 || len(name) > 8 {
		return nil, fmt.Errorf("%d bytes are no image, or the name is too long", len(image))
	}
	pe := int(le.Uint32(image[peOffset:]))
	opt := pe + peOptional
	if pe < 0 || len(image) < opt+optCheckSum+4 || string(image[pe:pe+4]) != "PE\x00\x00" {
		return nil, fmt.Errorf("no PE image")
	}
	count := int(le.Uint16(image[pe+peSections:]))
	header := opt + int(le.Uint16(image[pe+peOptionalSize:])) + count*sectionHeader
	if end := header + sectionHeader; end > int(le.Uint32(image[opt+optSizeOfHeaders:])) || end > len(image) {
		return nil, fmt.Errorf("no room for the header of section %d", count+1)
	}
	memoryAlign := max(le.Uint32(image[opt+optSectionAlignment:]), 0x1000)
	fileAlign := le.Uint32(image[opt+optFileAlignment:])
	address := alignUp(le.Uint32(image[opt+optSizeOfImage:]), memoryAlign)
	offset := alignUp(uint32(len(image)), fileAlign)
	size := alignUp(uint32(len(data)), fileAlign)

	grown := make([]byte, offset+size)
	copy(grown, image)
	copy(grown[offset:], data)
	h := grown[header : header+sectionHeader]
	clear(h)
	copy(h, name)
	le.PutUint32(h[8:], uint32(len(data))) // VirtualSize
	le.PutUint32(h[12:], address)          // VirtualAddress
	le.PutUint32(h[16:], size)             // SizeOfRawData
	le.PutUint32(h[20:], offset)           // PointerToRawData
	le.PutUint32(h[36:], readInitialised)
	le.PutUint16(grown[pe+peSections:], uint16(count+1))
	le.PutUint32(grown[opt+optSizeOfImage:], alignUp(address+uint32(len(data)), memoryAlign))
	le.PutUint32(grown[opt+optCheckSum:], 0)
	return grown, nil
}

func alignUp(n, unit uint32) uint32 { return (n + unit - 1) / unit * unit }
