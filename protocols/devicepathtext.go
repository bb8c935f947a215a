// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// devicePathToTextProtocol are the rows of EFI_DEVICE_PATH_TO_TEXT_PROTOCOL
// (§10.6.2).
var devicePathToTextProtocol = emu.Protocol{
	GUID: efi.DevicePathToTextProtocolGUID,
	Name: "DevicePathToText",
	Services: []emu.Service{
		emu.Func3("ConvertDeviceNodeToText", nodeToText, "deviceNode", "displayOnly", "allowShortcuts"),
		emu.Func3("ConvertDevicePathToText", pathToText, "devicePath", "displayOnly", "allowShortcuts"),
	},
}

// devicePathFromTextProtocol are the rows of EFI_DEVICE_PATH_FROM_TEXT_PROTOCOL
// (§10.6.3).
var devicePathFromTextProtocol = emu.Protocol{
	GUID: efi.DevicePathFromTextProtocolGUID,
	Name: "DevicePathFromText",
	Services: []emu.Service{
		emu.Func1("ConvertTextToDeviceNode", textToNode, "textDeviceNode"),
		emu.Func1("ConvertTextToDevicePath", textToPath, "textDevicePath"),
	},
}

// DevicePathToText makes a DevicePathToText (§10.6.2). What it cannot read is
// NULL.
func DevicePathToText() emu.Interface {
	return emu.Interface{Protocol: &devicePathToTextProtocol}
}

// DevicePathFromText makes a DevicePathFromText (§10.6.3). Text that does not
// follow the grammar is NULL, where EDK2 makes the best of it.
func DevicePathFromText() emu.Interface {
	return emu.Interface{Protocol: &devicePathFromTextProtocol}
}

func nodeToText(c *emu.Call, at efi.Addr, displayOnly, allowShortcuts efi.Boolean) error {
	node, err := readNode(c, at)
	if err != nil {
		return returnPool(c, nil, err)
	}
	return returnPool(c, efi.EncodeString(node.Text(displayOnly.Bool(), allowShortcuts.Bool())), nil)
}

func pathToText(c *emu.Call, at efi.Ptr[efi.DevicePath], displayOnly, allowShortcuts efi.Boolean) error {
	path, err := readPath(c, at)
	if err != nil {
		return returnPool(c, nil, err)
	}
	return returnPool(c, efi.EncodeString(path.Text(displayOnly.Bool(), allowShortcuts.Bool())), nil)
}

func textToNode(c *emu.Call, text efi.Ptr[efi.Char16]) error {
	raw, err := readString(c, text)
	if err != nil {
		return returnPool(c, nil, err)
	}
	node, err := efi.ParseNodeText(efi.DecodeString(raw))
	if err != nil {
		return returnPool(c, nil, err)
	}
	const end = 4 // the end node that Bytes adds
	b := efi.DevicePath{node}.Bytes()
	return returnPool(c, b[:len(b)-end], nil)
}

func textToPath(c *emu.Call, text efi.Ptr[efi.Char16]) error {
	raw, err := readString(c, text)
	if err != nil {
		return returnPool(c, nil, err)
	}
	path, err := efi.ParseDevicePathText(efi.DecodeString(raw))
	return returnPool(c, path.Bytes(), err)
}

// readNode reads one device path node of the guest's.
func readNode(c *emu.Call, at efi.Addr) (efi.Node, error) {
	if at == 0 {
		return efi.Node{}, efi.InvalidParameter
	}
	const header = 4
	h, err := c.Memory().Read(at, header)
	if err != nil {
		return efi.Node{}, err
	}
	size := binary.LittleEndian.Uint16(h[2:])
	if size < header {
		return efi.Node{}, fmt.Errorf("a node of %d bytes: %w", size, efi.InvalidParameter)
	}
	raw, err := c.Memory().Read(at, uint64(size))
	if err != nil {
		return efi.Node{}, err
	}
	return efi.Node{Type: raw[0], SubType: raw[1], Data: raw[header:]}, nil
}
