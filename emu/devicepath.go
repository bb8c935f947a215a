// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// maxDevicePath bounds how far a device path is read, in bytes.
const maxDevicePath = 64 << 10

// readDevicePath reads the device path at a.
func (m *Machine) readDevicePath(a efi.Addr) (efi.DevicePath, error) {
	raw, err := m.mem.Tail(a, maxDevicePath)
	if err != nil {
		return nil, err
	}
	path, _, err := efi.ParseDevicePath(raw)
	return path, err
}

// devicePath is the device path of a handle.
func (m *Machine) devicePath(h efi.Handle) (efi.DevicePath, error) {
	at, ok := m.handles.lookup(h, efi.DevicePathProtocolGUID)
	if !ok {
		return nil, fmt.Errorf("%s has no device path: %w", handleText(h), efi.NotFound)
	}
	return m.readDevicePath(at)
}

// locate finds, among the handles with the protocol, the one whose device path
// is the longest prefix of path, and what is left of path behind it. Once Boot's
// context is done it looks no further: a guest can make this take long.
func (m *Machine) locateByPath(guid efi.GUID, path efi.DevicePath) (h efi.Handle, rest efi.DevicePath, ok bool) {
	best := -1
	for _, candidate := range m.handles.with(&guid) {
		if m.ctx != nil && m.ctx.Err() != nil {
			break
		}
		prefix, err := m.devicePath(candidate.id)
		if err == nil && len(prefix) > best && path.HasPrefix(prefix) {
			best, h = len(prefix), candidate.id
		}
	}
	if best < 0 {
		return 0, path, false
	}
	return h, path[best:], true
}

// nearestDevice splits the path of an image as LoadedImage wants it.
func (m *Machine) nearestDevice(path efi.DevicePath) (efi.Handle, efi.DevicePath) {
	if len(path) == 0 {
		return 0, path
	}
	h, rest, _ := m.locateByPath(efi.DevicePathProtocolGUID, path)
	return h, rest
}

// checkNewPath refuses a device path that a handle has already.
func (m *Machine) checkNewPath(at efi.Addr) error {
	path, err := m.readDevicePath(at)
	if err != nil {
		return err
	}
	if h, rest, ok := m.locateByPath(efi.DevicePathProtocolGUID, path); ok && len(rest) == 0 {
		return fmt.Errorf("%s has the device path %v: %w", handleText(h), path, efi.AlreadyStarted)
	}
	return nil
}

// locateDevicePath looks in the first instance of the path alone. It answers
// exactly NotFound when nothing fits: payloads take any other error for fatal.
func locateDevicePath(c *Call, protocol efi.Ptr[efi.GUID], pathAt efi.Ptr[efi.Ptr[efi.DevicePath]], device efi.Ptr[efi.Handle]) error {
	m := c.m
	guid, err := mem.Load(m.mem, protocol)
	if err != nil {
		return err
	}
	at, err := mem.Load(m.mem, pathAt)
	if err != nil {
		return err
	}
	if device == 0 {
		return efi.InvalidParameter
	}
	path, err := m.readDevicePath(at.Addr())
	if err != nil {
		return err
	}
	first := path.Instances()[0]
	h, rest, ok := m.locateByPath(guid, first)
	if !ok {
		return efi.NotFound
	}
	if err := mem.Store(m.mem, device, h); err != nil {
		return err
	}
	skip := 0
	for _, n := range first[:len(first)-len(rest)] {
		skip += 4 + len(n.Data)
	}
	return mem.Store(m.mem, pathAt, at+efi.Ptr[efi.DevicePath](skip))
}
