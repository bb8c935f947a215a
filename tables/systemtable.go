// SPDX-License-Identifier: BSD-3-Clause

package tables

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

const (
	headerSize       = 24
	headerSizeOffset = 12
	headerCRCOffset  = 16
)

// MarshalTable encodes a structure of fixed size that starts with an
// efi.TableHeader, such as efi.SystemTable, and fills in the header's
// HeaderSize, with the size of it all, and CRC32 (§4.2). What v has there is
// not looked at. It is not checked that a TableHeader is what v starts with.
//
// InvalidParameter: v is of no fixed size, or smaller than a header.
func MarshalTable(v any) ([]byte, error) {
	if v == nil {
		return nil, fmt.Errorf("marshal no table: %w", efi.InvalidParameter)
	}
	raw, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		return nil, fmt.Errorf("marshal table: %w: %w", err, efi.InvalidParameter)
	}
	if len(raw) < headerSize {
		return nil, fmt.Errorf("marshal table of %d bytes: %w", len(raw), efi.InvalidParameter)
	}
	binary.LittleEndian.PutUint32(raw[headerSizeOffset:], uint32(len(raw)))
	return raw, SetChecksum(raw)
}

// Checksum is what the CRC32 field of the table at the start of raw should be.
//
// InvalidParameter: HeaderSize is smaller than a header or larger than raw.
func Checksum(raw []byte) (uint32, error) {
	if len(raw) < headerSize {
		return 0, fmt.Errorf("table of %d bytes: %w", len(raw), efi.InvalidParameter)
	}
	if size := binary.LittleEndian.Uint32(raw[headerSizeOffset:]); size < headerSize || uint64(size) > uint64(len(raw)) {
		return 0, fmt.Errorf("table of %d bytes says it has %d: %w", len(raw), size, efi.InvalidParameter)
	}
	return efi.TableCRC32(raw), nil
}

// SetChecksum puts Checksum into the CRC32 field of the table at the start of
// raw. Errors are those of Checksum, and leave raw as it was.
func SetChecksum(raw []byte) error {
	sum, err := Checksum(raw)
	if err == nil {
		binary.LittleEndian.PutUint32(raw[headerCRCOffset:], sum)
	}
	return err
}
