// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	saferwall "github.com/saferwall/pe"
	"github.com/saferwall/pe/log"
	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
)

// saferwall/pe, written by others for other ends, reads the same headers.
func TestSaferwallSamples(t *testing.T) {
	for name, m := range samples() {
		sameAsSaferwall(t, name, m.Bytes())
	}
}

func TestSaferwallPayloads(t *testing.T) {
	for _, file := range payloads(t) {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		sameAsSaferwall(t, file, b)
	}
}

func sameAsSaferwall(t *testing.T, name string, b []byte) {
	t.Helper()
	im := parse(t, b)
	f, err := saferwall.NewBytes(b, &saferwall.Options{Fast: true, Logger: log.NewStdLogger(io.Discard)})
	require.NoError(t, err, name)
	require.NoError(t, f.Parse(), name)

	require.EqualValues(t, f.NtHeader.FileHeader.Machine, im.Machine, name)
	require.EqualValues(t, f.NtHeader.FileHeader.Characteristics, im.Characteristics, name)
	require.Equal(t, f.NtHeader.FileHeader.TimeDateStamp, im.TimeDateStamp, name)
	require.Equal(t, optionalHeader(f), fmt.Sprint(
		im.Magic, im.EntryPoint, im.ImageBase, im.SectionAlignment, im.FileAlignment, im.SizeOfImage, im.SizeOfHeaders, im.CheckSum,
		uint16(im.Subsystem), im.DLLCharacteristics, im.MajorImageVersion, im.MinorImageVersion, len(im.Directories)), name)

	// saferwall/pe sorts by address.
	require.Len(t, f.Sections, len(im.Sections), name)
	theirs := map[string]int{}
	ours := map[string]int{}
	for i, s := range im.Sections {
		h := f.Sections[i].Header
		theirs[fmt.Sprintf("%q %+v", f.Sections[i].String(), pecoff.Section{
			VirtualAddress: h.VirtualAddress, VirtualSize: h.VirtualSize, Offset: h.PointerToRawData, Size: h.SizeOfRawData,
			Characteristics: h.Characteristics,
		})]++
		n := s.Name
		s.Name = ""
		ours[fmt.Sprintf("%q %+v", n, s)]++
	}
	require.Equal(t, theirs, ours, name)
}

func optionalHeader(f *saferwall.File) string {
	switch o := f.NtHeader.OptionalHeader.(type) {
	case saferwall.ImageOptionalHeader64:
		return fmt.Sprint(o.Magic, o.AddressOfEntryPoint, o.ImageBase, o.SectionAlignment, o.FileAlignment, o.SizeOfImage, o.SizeOfHeaders,
			o.CheckSum, uint16(o.Subsystem), uint16(o.DllCharacteristics), o.MajorImageVersion, o.MinorImageVersion, o.NumberOfRvaAndSizes)
	case saferwall.ImageOptionalHeader32:
		return fmt.Sprint(o.Magic, o.AddressOfEntryPoint, o.ImageBase, o.SectionAlignment, o.FileAlignment, o.SizeOfImage, o.SizeOfHeaders,
			o.CheckSum, uint16(o.Subsystem), uint16(o.DllCharacteristics), o.MajorImageVersion, o.MinorImageVersion, o.NumberOfRvaAndSizes)
	}
	return "no optional header"
}
