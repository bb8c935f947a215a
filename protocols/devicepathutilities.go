// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// devicePathUtilitiesProtocol are the rows of EFI_DEVICE_PATH_UTILITIES_PROTOCOL
// (§10.5).
var devicePathUtilitiesProtocol = emu.Protocol{
	GUID: efi.DevicePathUtilitiesProtocolGUID,
	Name: "DevicePathUtilities",
	Services: []emu.Service{
		emu.Func1("GetDevicePathSize", pathSize, "devicePath"),
		emu.Func1("DuplicateDevicePath", duplicatePath, "devicePath"),
		emu.Func2("AppendDevicePath", appendPath, "src1", "src2"),
		emu.Func2("AppendDeviceNode", appendNode, "devicePath", "deviceNode"),
		emu.Func2("AppendDevicePathInstance", appendInstance, "devicePath", "devicePathInstance"),
		emu.Func2("GetNextDevicePathInstance", nextInstance, "&devicePathInstance", "*devicePathInstanceSize"),
		emu.Func1("IsDevicePathMultiInstance", isMultiInstance, "devicePath"),
		emu.Func3("CreateDeviceNode", createNode, "nodeType", "nodeSubType", "nodeLength"),
	},
}

// DevicePathUtilities makes a DevicePathUtilities (§10.5). A path that cannot be
// read is NULL, of size 0 and of one instance.
func DevicePathUtilities() emu.Interface {
	return emu.Interface{Protocol: &devicePathUtilitiesProtocol}
}

// optionalPath is readPath for a path that may be NULL, which is empty.
func optionalPath(c *emu.Call, at efi.Ptr[efi.DevicePath]) (efi.DevicePath, error) {
	if at == 0 {
		return nil, nil
	}
	return readPath(c, at)
}

func pathSize(c *emu.Call, at efi.Ptr[efi.DevicePath]) error {
	size := 0
	if path, err := readPath(c, at); err != nil {
		c.Notef("%v", err)
	} else {
		size = len(path.Bytes())
	}
	c.Return(uint64(size))
	return nil
}

func duplicatePath(c *emu.Call, at efi.Ptr[efi.DevicePath]) error {
	path, err := readPath(c, at)
	return returnPool(c, path.Bytes(), err)
}

func appendPath(c *emu.Call, first, second efi.Ptr[efi.DevicePath]) error {
	a, err := optionalPath(c, first)
	if err != nil {
		return returnPool(c, nil, err)
	}
	b, err := optionalPath(c, second)
	return returnPool(c, a.Append(b...).Bytes(), err)
}

func appendNode(c *emu.Call, at efi.Ptr[efi.DevicePath], nodeAt efi.Addr) error {
	path, err := optionalPath(c, at)
	if err == nil && nodeAt != 0 {
		var node efi.Node
		if node, err = readNode(c, nodeAt); err == nil {
			path = path.Append(node)
		}
	}
	return returnPool(c, path.Bytes(), err)
}

func appendInstance(c *emu.Call, at, instanceAt efi.Ptr[efi.DevicePath]) error {
	instance, err := readPath(c, instanceAt)
	if err != nil {
		return returnPool(c, nil, err)
	}
	if at == 0 {
		return returnPool(c, instance.Bytes(), nil)
	}
	path, err := readPath(c, at)
	return returnPool(c, efi.JoinInstances(path, instance).Bytes(), err)
}

// nextInstance moves the pointer at place to the next instance, or to NULL
// behind the last.
func nextInstance(c *emu.Call, place efi.Ptr[efi.Ptr[efi.DevicePath]], sizeAt efi.Ptr[uint64]) error {
	fail := func(err error) error { return returnPool(c, nil, err) }
	if place == 0 {
		return fail(efi.InvalidParameter)
	}
	at, err := mem.Load(c.Memory(), place)
	if err != nil {
		return fail(err)
	}
	path, err := readPath(c, at)
	if err != nil {
		return fail(err)
	}
	instances := path.Instances()
	first := instances[0].Bytes()
	next := efi.Ptr[efi.DevicePath](0)
	if len(instances) > 1 {
		next = at + efi.Ptr[efi.DevicePath](len(first)) // an end node of either kind is as long
	}
	if sizeAt != 0 {
		if err := mem.Store(c.Memory(), sizeAt, uint64(len(first))); err != nil {
			return fail(err)
		}
	}
	if err := mem.Store(c.Memory(), place, next); err != nil {
		return fail(err)
	}
	return returnPool(c, first, nil)
}

func isMultiInstance(c *emu.Call, at efi.Ptr[efi.DevicePath]) error {
	path, err := readPath(c, at)
	if err != nil {
		c.Notef("%v", err)
	}
	c.Return(uint64(efi.BooleanOf(len(path.Instances()) > 1)))
	return nil
}

// createNode makes a node whose data is zero.
func createNode(c *emu.Call, typ, subType uint8, length uint16) error {
	const header = 4
	if length < header {
		return returnPool(c, nil, fmt.Errorf("a node of %d bytes: %w", length, efi.InvalidParameter))
	}
	node := make([]byte, length)
	node[0], node[1], node[2], node[3] = typ, subType, byte(length), byte(length>>8)
	return returnPool(c, node, nil)
}
