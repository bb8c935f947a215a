// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
)

// Describe says in one line, for people, what the event measured, as far as its
// data tells: data is what the log says, and most often not what was hashed. The
// line is printable and short, whatever the data is.
func (e *Event) Describe() string { return e.meaning().line }

// image is UEFI_IMAGE_LOAD_EVENT (§10.2): address, length, link address and
// length of the device path in 8 bytes each, and the path.
func (e *Event) image() meaning {
	what := map[EventType]string{EFIBootServicesDriver: "boot driver", EFIRuntimeServicesDriver: "runtime driver"}[e.Type]
	if what == "" {
		what = "image"
	}
	const header = 32
	if len(e.Data) < header {
		return meaning{kindImage, "", "", line("%s, not described: %s", what, hexText(e.Data))}
	}
	value := count(le.Uint64(e.Data[8:]), "byte")
	size := le.Uint64(e.Data[24:])
	raw := e.Data[header:]
	if size < uint64(len(raw)) {
		raw = raw[:size]
	}
	path, err := devicePath(raw)
	if err != nil {
		return meaning{kindImage, "", value, line("%s (%s), of which the device path is wrong: %v", what, value, err)}
	}
	device, file := path.SplitFile()
	switch {
	case len(path) == 0:
		return meaning{kindImage, "from memory", value, line("%s from memory (%s)", what, value)}
	case file == "" && isStubPayload(path):
		return meaning{kindImage, innerKernel, value, line("%s (%s)", innerKernel, value)}
	case file == "":
		name := clean(path.String(), maxValue)
		return meaning{kindImage, name, value, line("%s %s (%s)", what, name, value)}
	}
	name := clean(file, maxValue)
	on := ""
	if len(device) > 0 {
		on = " on " + clean(device.String(), maxLine)
	}
	return meaning{kindImage, name, value, line("%s %s (%s)%s", what, name, value, on)}
}

// devicePath reads a path of bounded size. None at all is an empty path.
func devicePath(raw []byte) (efi.DevicePath, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) > maxPath {
		return nil, fmt.Errorf("it has %d bytes", len(raw))
	}
	path, _, err := efi.ParseDevicePath(raw)
	return path, err
}

// innerKernel is what the image is called that systemd-stub loads from itself.
const innerKernel = "the kernel inside the unified kernel image"

func isStubPayload(path efi.DevicePath) bool {
	node, _, ok := efi.DecodeNode[efi.VendorMediaNode](path[0])
	return ok && node.GUID == efi.SystemdStubPayloadGUID
}

// firmwareBlob is UEFI_PLATFORM_FIRMWARE_BLOB, address and length in 8 bytes
// each, or UEFI_PLATFORM_FIRMWARE_BLOB2, which has a description before them
// (§10.2). Of EV_POST_CODE the data may be a text instead.
func (e *Event) firmwareBlob() meaning {
	name, rest := "firmware", e.Data
	if e.Type == EFIPlatformFirmwareBlob2 || e.Type == PostCode2 {
		if described, tail, ok := description(e.Data); ok && len(tail) == 16 {
			name, rest = "firmware "+described, tail
		}
	}
	if len(rest) != 16 {
		value := textOrHex(rest)
		return meaning{kindFirmware, "firmware", value, line("firmware: %s", value)}
	}
	value := fmt.Sprintf("%s at %#x", count(le.Uint64(rest[8:]), "byte"), le.Uint64(rest))
	return meaning{kindFirmware, name, value, line("%s, %s", name, value)}
}

// description takes a text behind the byte that holds its length off the start
// of b.
func description(b []byte) (quoted string, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return "", b, false
	}
	return textOrHex(b[1 : 1+b[0]]), b[1+b[0]:], true
}

// handoffTables is UEFI_HANDOFF_TABLE_POINTERS, a number and as many GUIDs and
// addresses, or UEFI_HANDOFF_TABLE_POINTERS2, which has a description before them
// (§10.2).
func (e *Event) handoffTables() meaning {
	name, rest := "tables of the firmware", e.Data
	if e.Type == EFIHandoffTables2 {
		if described, tail, ok := description(e.Data); ok {
			name, rest = name+" "+described, tail
		}
	}
	if len(rest) < 8 {
		value := hexText(rest)
		return meaning{kindTables, name, value, line("%s: %s", name, value)}
	}
	n := le.Uint64(rest)
	var names []string
	for b := rest[8:]; len(b) >= 24 && len(names) < 3; b = b[24:] {
		names = append(names, guidName([16]byte(b)))
	}
	value := count(n, "table")
	if len(names) > 0 {
		value += ", " + strings.Join(names, ", ")
	}
	return meaning{kindTables, name, value, line("%s: %s", name, value)}
}

// guidName is a GUID by the name that people know, or as it is.
func guidName(b [16]byte) string {
	g := efi.GUIDFromBytes(b)
	if name, ok := g.Name(); ok {
		return name
	}
	return g.String()
}

// partitionTable is UEFI_GPT_DATA (§10.2): the header of the GPT (UEFI
// specification 2.10, §5.3.2), the number of its used entries, and these (§5.3.3).
func (e *Event) partitionTable() meaning {
	const (
		header, diskGUID, entrySize = 92, 56, 84
		entryName, entryEnd         = 56, 128
		shown                       = 4
	)
	if len(e.Data) < header+8 {
		return meaning{kindGPT, "", "", line("partition table: %s", hexText(e.Data))}
	}
	disk := efi.GUIDFromBytes([16]byte(e.Data[diskGUID:]))
	size := max(entryEnd, int(le.Uint32(e.Data[entrySize:])))
	value := count(le.Uint64(e.Data[header:]), "partition")
	var names []string
	for b := e.Data[header+8:]; len(b) >= size; b = b[size:] {
		if len(names) == shown {
			names = append(names, "…")
			break
		}
		names = append(names, quote(efi.DecodeString(b[entryName:entryEnd]), 36))
	}
	if len(names) > 0 && !slices.Equal(names, []string{`""`}) {
		value += ", " + strings.Join(names, ", ")
	}
	return meaning{kindGPT, disk.String(), value, line("partition table of disk %v: %s", disk, value)}
}
