// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// LoadOptionAttribute is the attributes of a load option (§3.1.3).
type LoadOptionAttribute uint32

// The attributes of §3.1.3. A category is a number, not a set of bits.
const (
	LoadOptionActive         LoadOptionAttribute = 0x0001
	LoadOptionForceReconnect LoadOptionAttribute = 0x0002
	LoadOptionHidden         LoadOptionAttribute = 0x0008
	LoadOptionCategory       LoadOptionAttribute = 0x1f00
	LoadOptionCategoryBoot   LoadOptionAttribute = 0x0000
	LoadOptionCategoryApp    LoadOptionAttribute = 0x0100
)

func (a LoadOptionAttribute) String() string {
	return flagString(uint64(a), []string{0: "ACTIVE", 1: "FORCE_RECONNECT", 3: "HIDDEN", 8: "CATEGORY_APP"})
}

// LoadOption is an EFI_LOAD_OPTION (§3.1.3), the contents of Boot#### and its
// like. The first path of FilePathList says where the image is, OptionalData
// becomes the LoadOptions of the image.
type LoadOption struct {
	Attributes   LoadOptionAttribute
	Description  string
	FilePathList []DevicePath
	OptionalData []byte
}

const loadOptionHeaderSize = 6

// ParseLoadOption reads a load option that fills b. It holds a copy.
//
// A *FormatError is returned when b ends within the header, the description or
// the file paths, or when the file paths are none or do not fill the length that
// the header gives them.
func ParseLoadOption(b []byte) (LoadOption, error) {
	bad := func(offset int, format string, args ...any) (LoadOption, error) {
		return LoadOption{}, &FormatError{"load option", offset, fmt.Sprintf(format, args...)}
	}
	if len(b) < loadOptionHeaderSize {
		return bad(0, "%d bytes are less than a header", len(b))
	}
	o := LoadOption{Attributes: LoadOptionAttribute(binary.LittleEndian.Uint32(b))}
	listLength := int(binary.LittleEndian.Uint16(b[4:]))

	offset, ok := afterString(b, loadOptionHeaderSize)
	if !ok {
		return bad(loadOptionHeaderSize, "the description has no end")
	}
	o.Description = DecodeString(b[loadOptionHeaderSize:offset])
	if listLength == 0 || listLength > len(b)-offset {
		return bad(offset, "%d bytes of file paths in %d bytes", listLength, len(b)-offset)
	}
	for end := offset + listLength; offset < end; {
		path, size, err := ParseDevicePath(b[offset:end])
		if format, ok := errors.AsType[*FormatError](err); ok {
			return bad(offset+format.Offset, "device path: %s", format.Problem)
		}
		o.FilePathList = append(o.FilePathList, path)
		offset += size
	}
	o.OptionalData = bytes.Clone(b[offset:])
	return o, nil
}

// afterString is the offset behind the NUL of the UTF-16 string at offset.
func afterString(b []byte, offset int) (int, bool) {
	for ; offset+2 <= len(b); offset += 2 {
		if b[offset] == 0 && b[offset+1] == 0 {
			return offset + 2, true
		}
	}
	return 0, false
}

// MarshalBinary is the reverse of ParseLoadOption. It fails when the file paths
// are none, or more than 65535 bytes, or when the description holds a NUL.
func (o LoadOption) MarshalBinary() ([]byte, error) {
	var list []byte
	for _, path := range o.FilePathList {
		list = append(list, path.Bytes()...)
	}
	if len(list) == 0 || len(list) > 0xffff {
		return nil, fmt.Errorf("efi: load option: %d bytes of file paths", len(list))
	}
	if strings.ContainsRune(o.Description, 0) {
		return nil, fmt.Errorf("efi: load option: the description %q holds a NUL", o.Description)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(o.Attributes))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(list)))
	b = append(b, EncodeString(o.Description)...)
	b = append(b, list...)
	return append(b, o.OptionalData...), nil
}
