// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// devicePathProtocol is EFI_DEVICE_PATH_PROTOCOL (§10.2), which is data.
var devicePathProtocol = emu.Protocol{GUID: efi.DevicePathProtocolGUID, Name: "DevicePath"}

// DevicePath makes the device path of a handle (§10.2).
func DevicePath(p efi.DevicePath) emu.Interface {
	return emu.Interface{Protocol: &devicePathProtocol, Data: p.Bytes()}
}

// maxPath bounds a device path that is read from the guest, in bytes.
const maxPath = 64 << 10

// readPath reads a device path of the guest's.
func readPath(c *emu.Call, at efi.Ptr[efi.DevicePath]) (efi.DevicePath, error) {
	if at == 0 {
		return nil, efi.InvalidParameter
	}
	raw, err := c.Memory().Tail(at.Addr(), maxPath)
	if err != nil {
		return nil, err
	}
	path, _, err := efi.ParseDevicePath(raw)
	return path, err
}

// returnPool makes a service return data in pool memory, which is the guest's to
// free, as services that return a pointer do: NULL if err is not nil, or if there
// is no memory. Why is in the trace.
func returnPool(c *emu.Call, data []byte, err error) error {
	var at efi.Addr
	if err == nil {
		if at, err = c.Machine().AllocatePool(efi.BootServicesData, uint64(len(data))); err == nil {
			err = c.Memory().Write(at, data)
		}
	}
	if err != nil {
		c.Notef("%v", err)
		at = 0
	}
	c.Return(uint64(at))
	return nil
}
