// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

// The variable store image is what code in the guest reads variables from after
// ExitBootServices. All numbers are little endian, all sizes in bytes, and both
// the header and each entry start on a multiple of 8:
//
//	header   0  8  VariableImageMagic
//	         8  8  size of the image, header and padding included
//	        16  4  VariableImageVersion
//	        20  4  number of entries
//
//	entry    0  4  attributes
//	         4  4  size of the name, with its NUL
//	         8  4  size of the data
//	        12  4  zero
//	        16 16  vendor GUID
//	        32     name, UTF-16 with a NUL, then at once the data, then zeros up
//	               to a multiple of 8, where the next entry starts
const (
	// VariableImageMagic is "UEFIVARS".
	VariableImageMagic uint64 = 0x5352415649464555
	// VariableImageVersion changes with the layout.
	VariableImageVersion uint32 = 1

	imageHeader      = 24
	imageEntryHeader = 32
)

// imageEntrySize is the size of an entry whose name and data have size bytes.
func imageEntrySize(size uint64) uint64 { return (imageEntryHeader + size + 7) &^ 7 }

// MarshalImage is the variable store image of the variables with runtime
// access, in the order of their creation. The others must not be seen after
// ExitBootServices, so they are not in it.
func (v *Variables) MarshalImage() []byte {
	b := make([]byte, imageHeader, imageHeader+v.used)
	entries := uint32(0)
	for _, x := range v.vars {
		if x.Attributes&efi.VariableRuntimeAccess == 0 {
			continue
		}
		entries++
		b = appendEntry(b, x)
	}
	binary.LittleEndian.PutUint64(b, VariableImageMagic)
	binary.LittleEndian.PutUint64(b[8:], uint64(len(b)))
	binary.LittleEndian.PutUint32(b[16:], VariableImageVersion)
	binary.LittleEndian.PutUint32(b[20:], entries)
	return b
}

func appendEntry(b []byte, x Variable) []byte {
	name, _ := EncodeVariableName(x.Name) // checked when x was stored
	guid := x.GUID.Bytes()
	b = binary.LittleEndian.AppendUint32(b, uint32(x.Attributes))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(x.Data)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = append(b, guid[:]...)
	b = append(b, name...)
	b = append(b, x.Data...)
	return append(b, make([]byte, -len(b)&7)...)
}

// ParseImage reads a variable store image at the start of b, which may be
// longer. It accepts exactly what MarshalImage makes of variables with runtime
// access: no name twice, padding of zeros.
//
// VolumeCorrupted: it is no such image. IncompatibleVersion: it is of another
// version.
func ParseImage(b []byte) ([]Variable, error) {
	if len(b) < imageHeader || binary.LittleEndian.Uint64(b) != VariableImageMagic {
		return nil, fmt.Errorf("no variable store image: %w", efi.VolumeCorrupted)
	}
	if version := binary.LittleEndian.Uint32(b[16:]); version != VariableImageVersion {
		return nil, fmt.Errorf("variable store image of version %d: %w", version, efi.IncompatibleVersion)
	}
	size := binary.LittleEndian.Uint64(b[8:])
	if size < imageHeader || size > uint64(len(b)) {
		return nil, fmt.Errorf("variable store image of %d bytes: %w", size, efi.VolumeCorrupted)
	}
	var vars []Variable
	seen := make(map[variableKey]bool)
	rest := b[imageHeader:size]
	for i := range binary.LittleEndian.Uint32(b[20:]) {
		x, after, ok := parseEntry(rest)
		if !ok || seen[variableKey{x.Name, x.GUID}] {
			return nil, fmt.Errorf("entry %d of the variable store image: %w", i, efi.VolumeCorrupted)
		}
		seen[variableKey{x.Name, x.GUID}] = true
		vars = append(vars, x)
		rest = after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the last entry of the variable store image: %w", len(rest), efi.VolumeCorrupted)
	}
	return vars, nil
}

// parseEntry reads the entry at the start of b.
func parseEntry(b []byte) (x Variable, rest []byte, ok bool) {
	if len(b) < imageEntryHeader {
		return Variable{}, nil, false
	}
	nameSize := uint64(binary.LittleEndian.Uint32(b[4:]))
	dataSize := uint64(binary.LittleEndian.Uint32(b[8:]))
	size := imageEntrySize(nameSize + dataSize)
	if size > uint64(len(b)) {
		return Variable{}, nil, false
	}
	x = Variable{
		Name:       DecodeVariableName(b[imageEntryHeader : imageEntryHeader+nameSize]),
		GUID:       efi.GUIDFromBytes([16]byte(b[16:32])),
		Attributes: efi.VariableAttribute(binary.LittleEndian.Uint32(b)),
		Data:       b[imageEntryHeader+nameSize : imageEntryHeader+nameSize+dataSize],
	}
	x = x.clone()
	const odd = ^allAttributes | efi.VariableAppendWrite
	ok = nameSize > 2 && dataSize > 0 && x.Attributes&odd == 0 &&
		validAccess(x.Attributes) && x.Attributes&efi.VariableRuntimeAccess != 0 &&
		string(appendEntry(nil, x)) == string(b[:size])
	return x, b[size:], ok
}
