// SPDX-License-Identifier: BSD-3-Clause

package efi

import "fmt"

// Handle is an EFI_HANDLE: an opaque number that names a set of protocols
// (§7.3). Zero is no handle.
type Handle uint64

func (h Handle) String() string { return fmt.Sprintf("%#x", uint64(h)) }

// Boolean is a BOOLEAN: zero is false, anything else is true.
type Boolean uint8

// The two values that the specification names.
const (
	False Boolean = 0
	True  Boolean = 1
)

// BooleanOf is True for true.
func BooleanOf(b bool) Boolean {
	if b {
		return True
	}
	return False
}

// Bool reports whether b is not zero.
func (b Boolean) Bool() bool { return b != False }

func (b Boolean) String() string {
	switch b {
	case False:
		return "FALSE"
	case True:
		return "TRUE"
	}
	return fmt.Sprintf("%#x", uint8(b))
}

// Char16 is a CHAR16: one UTF-16 code unit.
type Char16 uint16

// InterfaceType is an EFI_INTERFACE_TYPE (§7.3.2). There is one.
type InterfaceType uint32

// NativeInterface is the only interface type.
const NativeInterface InterfaceType = 0

// LocateSearchType is an EFI_LOCATE_SEARCH_TYPE (§7.3.6).
type LocateSearchType uint32

// The ways to search for handles.
const (
	AllHandles LocateSearchType = iota
	ByRegisterNotify
	ByProtocol
)

func (t LocateSearchType) String() string {
	switch t {
	case AllHandles:
		return "AllHandles"
	case ByRegisterNotify:
		return "ByRegisterNotify"
	case ByProtocol:
		return "ByProtocol"
	}
	return fmt.Sprintf("%d", uint32(t))
}

// OpenProtocolAttribute says how a protocol is opened (§7.3.9).
type OpenProtocolAttribute uint32

// The ways to open a protocol.
const (
	OpenProtocolByHandleProtocol  OpenProtocolAttribute = 1 << 0
	OpenProtocolGetProtocol       OpenProtocolAttribute = 1 << 1
	OpenProtocolTestProtocol      OpenProtocolAttribute = 1 << 2
	OpenProtocolByChildController OpenProtocolAttribute = 1 << 3
	OpenProtocolByDriver          OpenProtocolAttribute = 1 << 4
	OpenProtocolExclusive         OpenProtocolAttribute = 1 << 5
)

func (a OpenProtocolAttribute) String() string {
	return flagString(uint64(a), []string{
		"BY_HANDLE_PROTOCOL", "GET_PROTOCOL", "TEST_PROTOCOL", "BY_CHILD_CONTROLLER", "BY_DRIVER", "EXCLUSIVE",
	})
}

// ResetType is an EFI_RESET_TYPE (§8.5.1).
type ResetType uint32

// The ways to reset the system.
const (
	ResetCold ResetType = iota
	ResetWarm
	ResetShutdown
	ResetPlatformSpecific
)

func (t ResetType) String() string {
	switch t {
	case ResetCold:
		return "Cold"
	case ResetWarm:
		return "Warm"
	case ResetShutdown:
		return "Shutdown"
	case ResetPlatformSpecific:
		return "PlatformSpecific"
	}
	return fmt.Sprintf("%d", uint32(t))
}

// flagString joins the names of the bits set in v, lowest first, by "|". Bits
// that have no name follow as one number. No bits are "0".
func flagString(v uint64, names []string) string {
	text := ""
	for bit, name := range names {
		if flag := uint64(1) << bit; v&flag != 0 && name != "" {
			text += "|" + name
			v &^= flag
		}
	}
	if v != 0 || text == "" {
		text += fmt.Sprintf("|%#x", v)
	}
	return text[1:]
}
