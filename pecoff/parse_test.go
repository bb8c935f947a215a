// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestParse(t *testing.T) {
	im := parse(t, plain().Bytes())
	require.Equal(t, pecoff.AMD64, im.Machine)
	require.Equal(t, pecoff.Application, im.Subsystem)
	require.EqualValues(t, pecoff.PE32Plus, im.Magic)
	require.EqualValues(t, 0x1000, im.EntryPoint)
	require.Equal(t, uint64(0x140000000), im.ImageBase)
	require.EqualValues(t, 0x200, im.FileAlignment)
	require.EqualValues(t, 0x200, im.SizeOfHeaders)
	require.EqualValues(t, 0x5000, im.SizeOfImage)
	require.Len(t, im.Directories, 16)
	require.Equal(t, pecoff.Section{
		Name: ".data", VirtualAddress: 0x2000, VirtualSize: 0x1800, Offset: 0x600, Size: 0x200, Characteristics: 0xc0000040,
	}, im.Sections[1])
	for name, m := range samples() {
		b := m.Bytes()
		if im := parse(t, b); im.Machine != pecoff.I386 {
			require.NoError(t, im.Check(), name)
			require.EqualValues(t, len(b), im.Size())
		} else {
			require.EqualValues(t, 0x400000, im.ImageBase)
			require.EqualValues(t, pecoff.PE32, im.Magic)
		}
	}
}

func TestParseWithoutDOSHeader(t *testing.T) {
	b := append(plain().Bytes()[petest.Signature:], make([]byte, petest.Signature)...)
	im := parse(t, b)
	require.EqualValues(t, 0x1000, im.EntryPoint)
}

// A refusal is one edit of a valid image and what comes of it.
var refusals = []struct {
	name  string
	image petest.Image
	edit  func(m petest.Image, b []byte) []byte
	err   error
	text  string // part of the error's text
	parse bool   // Parse refuses; otherwise Check does
}{
	{"empty", plain(), cut(0), pecoff.ErrNotPE, "DOSHeader.e_magic", true},
	{"not MZ", plain(), put16(0, 0x457f), pecoff.ErrNotPE, "DOSHeader.e_magic at file offset 0x0", true},
	{"DOS header cut", plain(), cut(0x3f), pecoff.ErrTruncated, "e_lfanew", true},
	{"e_lfanew past the end", plain(), put32(0x3c, 0xffffffff), pecoff.ErrTruncated, "FileHeader", true},
	{"no signature", plain(), put16(petest.Signature, 0), pecoff.ErrNotPE, "Signature at file offset 0x80", true},
	{"optional header cut", plain(), cut(petest.OptionalHeader + 100), pecoff.ErrTruncated, "OptionalHeader", true},
	{"optional header of 0 bytes", plain(), put16(petest.FileHeader+16, 0), pecoff.ErrNotPE, "SizeOfOptionalHeader", true},
	{"optional header too small", plain(), put16(petest.FileHeader+16, 111), pecoff.ErrInvalid, "SizeOfOptionalHeader", true},
	{"magic", plain(), put16(petest.OptionalHeader, 0x107), pecoff.ErrNotPE, "OptionalHeader.Magic", true},
	{"17 directories", plain(), put32(petest.OptionalHeader+108, 17), pecoff.ErrInvalid, "NumberOfRvaAndSizes", true},
	{"directories do not fit", petest.Image{Directories: 6}, put32(petest.OptionalHeader+108, 7), pecoff.ErrInvalid, "NumberOfRvaAndSizes", true},
	{"section table past the end", plain(), put16(petest.FileHeader+2, 0xffff), pecoff.ErrTruncated, "NumberOfSections", true},
	{
		"raw data past the end", plain(), section(1, 16, 0x100000), pecoff.ErrTruncated,
		`Section[1] ".data" SizeOfRawData at file offset 0x1c0`, true,
	},
	{"raw data wraps", plain(), section(1, 20, 0xffffffff), pecoff.ErrTruncated, `".data"`, true},

	{"machine", petest.Image{Machine: pecoff.I386}, nil, pecoff.ErrMachine, "I386 (0x014c), want AMD64 or ARM64", false},
	{"machine unknown", petest.Image{Machine: 0x1234}, nil, pecoff.ErrMachine, "FileHeader.Machine at file offset 0x84", false},
	{"subsystem", petest.Image{Subsystem: pecoff.WindowsCUI}, nil, pecoff.ErrSubsystem, "Windows console (3)", false},
	{"subsystem ROM", petest.Image{Subsystem: pecoff.ROM}, nil, pecoff.ErrSubsystem, "OptionalHeader.Subsystem", false},
	{
		"runtime driver, stripped", petest.Image{Subsystem: pecoff.RuntimeDriver, Characteristics: 0x23}, nil,
		pecoff.ErrNoRelocations, "FileHeader.Characteristics", false,
	},
	{"optional header too large", plain(), put32(petest.OptionalHeader+108, 15), pecoff.ErrInvalid, "SizeOfOptionalHeader", false},
	{"alignment 0", plain(), put32(petest.OptionalHeader+32, 0), pecoff.ErrInvalid, "SectionAlignment", false},
	{"alignment odd", plain(), put32(petest.OptionalHeader+32, 0x1800), pecoff.ErrInvalid, "SectionAlignment", false},
	{"image over the limit", plain(), put32(petest.OptionalHeader+56, 0x80000001), pecoff.ErrLimit, "SizeOfImage", false},
	{
		"headers smaller than the section table", plain(), put32(petest.OptionalHeader+60, 0x1ff), pecoff.ErrInvalid,
		"OptionalHeader.SizeOfHeaders", false,
	},
	{"headers as large as the image", plain(), put32(petest.OptionalHeader+60, 0x5000), pecoff.ErrInvalid, "SizeOfHeaders", false},
	{"headers past the end", plain(), put32(petest.OptionalHeader+60, 0x4000), pecoff.ErrTruncated, "SizeOfHeaders", false},
	{"entry point outside", plain(), put32(petest.OptionalHeader+16, 0x5000), pecoff.ErrInvalid, "AddressOfEntryPoint", false},
	{"certificates past the end", plain(), directory(4, 0x800, 0x1000), pecoff.ErrTruncated, "DataDirectory[4]", false},
	{"certificates wrap", plain(), directory(4, 0xffffffff, 2), pecoff.ErrTruncated, "DataDirectory[4]", false},
	{"section over the headers", plain(), section(0, 12, 0x1ff), pecoff.ErrOverlap, `Section[0] ".text" VirtualAddress`, false},
	{"raw data in the headers", plain(), section(0, 20, 0x100), pecoff.ErrOverlap, `".text" PointerToRawData`, false},
	{"section past the image", plain(), section(1, 8, 0x3001), pecoff.ErrInvalid, `".data" VirtualSize`, false},
	{"section wraps", plain(), section(1, 8, 0xffffe001), pecoff.ErrInvalid, `".data" VirtualSize`, false},
	{"section far away", plain(), section(1, 12, 0xfffffff0), pecoff.ErrInvalid, `".data"`, false},
	{
		"raw size taken for virtual size", petest.Image{Sections: []petest.Section{{Name: ".a", Data: fill(0x1400, 1)}}},
		both(section(0, 8, 0), put32(petest.OptionalHeader+56, 0x2000)), pecoff.ErrInvalid, `".a" SizeOfRawData`, false,
	},
	{"too much overlap", crowded(12), nil, pecoff.ErrLimit, "section table", false},
}

// crowded is n sections that take the whole of the image each, one on top of another.
func crowded(n int) petest.Image {
	m := petest.Image{Sections: []petest.Section{{Name: ".a", VirtualAddress: 0x1000, VirtualSize: 0x10000}}}
	for range n - 1 {
		m.Sections = append(m.Sections, m.Sections[0])
	}
	return m
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			b := c.image.Bytes()
			if c.edit != nil {
				b = c.edit(c.image, b)
			}
			im, err := pecoff.Parse(bytes.NewReader(b), int64(len(b)))
			if !c.parse {
				require.NoError(t, err)
				err = im.Check()
			}
			require.ErrorIs(t, err, c.err)
			require.ErrorContains(t, err, c.text)
			var f *pecoff.FormatError
			require.ErrorAs(t, err, &f)
		})
	}
}

func TestCheckMachine(t *testing.T) {
	im := parse(t, plain().Bytes())
	require.NoError(t, im.Check(pecoff.AMD64))
	err := im.Check(pecoff.ARM64)
	require.EqualError(t, err, "pecoff: FileHeader.Machine at file offset 0x84: unsupported machine: AMD64 (0x8664), want ARM64")
	riscv := parse(t, petest.Image{Machine: pecoff.RISCV64}.Bytes())
	require.NoError(t, riscv.Check(pecoff.RISCV64))
}

func TestReaderErrors(t *testing.T) {
	b := plain().Bytes()
	gone := errors.New("gone")
	_, err := pecoff.Parse(readerAt{iotest.ErrReader(gone)}, int64(len(b)))
	require.ErrorIs(t, err, gone)
	_, err = pecoff.Parse(bytes.NewReader(b[:0x100]), int64(len(b)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = pecoff.Parse(bytes.NewReader(b), -1)
	require.ErrorIs(t, err, pecoff.ErrTruncated)
}

// readerAt makes a ReaderAt of a Reader that fails.
type readerAt struct{ r io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.r.Read(p) }

func TestNames(t *testing.T) {
	for m, want := range map[pecoff.Machine]string{
		pecoff.I386: "I386", pecoff.ARM: "ARM", pecoff.ARMThumb: "ARMThumb", pecoff.ARMNT: "ARMNT", pecoff.IA64: "IA64",
		pecoff.EBC: "EBC", pecoff.RISCV32: "RISCV32", pecoff.RISCV64: "RISCV64", pecoff.RISCV128: "RISCV128",
		pecoff.LoongArch32: "LoongArch32", pecoff.LoongArch64: "LoongArch64", pecoff.AMD64: "AMD64", pecoff.ARM64: "ARM64", 7: "0x0007",
	} {
		require.Equal(t, want, m.String())
	}
	efi := 0
	for s := range pecoff.Subsystem(20) {
		if s.IsEFI() {
			efi++
			require.True(t, strings.HasPrefix(s.String(), "EFI "), s)
		}
	}
	require.Equal(t, 3, efi)
	require.Equal(t, "0x0014", pecoff.Subsystem(20).String())
}

// Edits of an image's bytes.

type edit = func(m petest.Image, b []byte) []byte

func cut(n int) edit { return func(_ petest.Image, b []byte) []byte { return b[:n] } }

func put16(at int, v uint16) edit {
	return func(_ petest.Image, b []byte) []byte { le.PutUint16(b[at:], v); return b }
}

func put32(at int, v uint32) edit {
	return func(_ petest.Image, b []byte) []byte { le.PutUint32(b[at:], v); return b }
}

func section(i, field int, v uint32) edit {
	return func(m petest.Image, b []byte) []byte { return put32(m.SectionHeader(i)+field, v)(m, b) }
}

func directory(i int, address, size uint32) edit {
	return func(m petest.Image, b []byte) []byte {
		return put32(m.Directory(i)+4, size)(m, put32(m.Directory(i), address)(m, b))
	}
}

func both(a, b edit) edit {
	return func(m petest.Image, bytes []byte) []byte { return b(m, a(m, bytes)) }
}
