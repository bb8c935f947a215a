// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Protocol handler services (§7.3).

func installProtocolInterface(c *Call, handle efi.Ptr[efi.Handle], protocol efi.Ptr[efi.GUID], t efi.InterfaceType, at efi.Addr) error {
	if t != efi.NativeInterface {
		return efi.InvalidParameter
	}
	guid, err := mem.Load(c.m.mem, protocol)
	if err != nil {
		return err
	}
	return c.installPairs(handle, []Pair{{guid, at}})
}

// installMultiple looks, unlike InstallProtocolInterface, whether another handle
// has the device path already: AlreadyStarted (§7.3.17).
func installMultiple(c *Call, handle efi.Ptr[efi.Handle]) error {
	pairs, err := c.Pairs()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if p.GUID == efi.DevicePathProtocolGUID && p.Interface != 0 {
			if err := c.m.checkNewPath(p.Interface); err != nil {
				return err
			}
		}
	}
	return c.installPairs(handle, pairs)
}

// installPairs installs all or nothing.
func (c *Call) installPairs(handleAt efi.Ptr[efi.Handle], pairs []Pair) error {
	m := c.m
	h, err := mem.Load(m.mem, handleAt)
	if err != nil {
		return err
	}
	for i, p := range pairs {
		if h, err = m.handles.install(h, p.GUID, p.Interface); err != nil {
			m.uninstallPairs(h, pairs[:i])
			return err
		}
	}
	if err := mem.Store(m.mem, handleAt, h); err != nil {
		m.uninstallPairs(h, pairs)
		return err
	}
	for _, p := range pairs {
		m.installed(p.GUID)
	}
	return nil
}

// uninstallPairs takes back what was installed just now, so it cannot fail.
func (m *Machine) uninstallPairs(h efi.Handle, pairs []Pair) {
	for _, p := range pairs {
		_ = m.handles.uninstall(h, p.GUID, p.Interface)
	}
}

// installed tells who has registered for a protocol.
func (m *Machine) installed(guid efi.GUID) {
	for _, w := range m.events.watch {
		if w.guid == guid {
			m.events.signal(w.event)
		}
	}
}

func reinstallProtocolInterface(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], old, now efi.Addr) error {
	m := c.m
	guid, err := mem.Load(m.mem, protocol)
	if err != nil {
		return err
	}
	h, err := m.handles.get(handle)
	if err != nil {
		return err
	}
	p := h.find(guid)
	if p == nil || p.at != old {
		return efi.NotFound
	}
	if err := c.freeFromDrivers(h, p); err != nil {
		return err
	}
	m.handles.count++
	p.at, p.order = now, m.handles.count
	m.installed(guid)
	if err := c.connect(handle, nil, 0, true); err != nil && !isStatus(err) {
		return err
	}
	return nil
}

func uninstallProtocolInterface(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], at efi.Addr) error {
	guid, err := mem.Load(c.m.mem, protocol)
	if err != nil {
		return err
	}
	return c.uninstall(handle, guid, at)
}

// uninstall is the database's, after the drivers have let go.
func (c *Call) uninstall(handle efi.Handle, guid efi.GUID, at efi.Addr) error {
	if h := c.m.handles.byID[handle]; h != nil {
		if p := h.find(guid); p != nil && p.at == at {
			if err := c.freeFromDrivers(h, p); err != nil {
				return err
			}
		}
	}
	return c.m.handles.uninstall(handle, guid, at)
}

func uninstallMultiple(c *Call, handle efi.Handle) error {
	pairs, err := c.Pairs()
	if err != nil {
		return err
	}
	h, err := c.m.handles.get(handle)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		on := h.find(p.GUID)
		if on == nil || on.at != p.Interface {
			return fmt.Errorf("no %s there at %v: %w", guidName(p.GUID), p.Interface, efi.InvalidParameter)
		}
		switch err := c.freeFromDrivers(h, on); {
		case err != nil && isStatus(err):
			return fmt.Errorf("%v: %w", err, efi.InvalidParameter)
		case err != nil:
			return err
		}
	}
	c.m.uninstallPairs(handle, pairs)
	return nil
}

func protocolsPerHandle(c *Call, handle efi.Handle, out efi.Ptr[efi.Addr], count efi.Ptr[uint64]) error {
	h, err := c.m.handles.get(handle)
	if err != nil {
		return err
	}
	// The buffer is one of pointers to GUIDs; the GUIDs follow in it, so that the
	// caller frees all at once.
	n := uint64(len(h.protocols))
	raw := make([]byte, 8*n)
	for _, p := range h.protocols {
		guid := p.guid.Bytes()
		raw = append(raw, guid[:]...)
	}
	if err := c.giveBuffer(raw, out, n, count); err != nil {
		return err
	}
	at, err := mem.Load(c.m.mem, out)
	if err != nil {
		return err
	}
	for i := range n {
		if err := mem.Store(c.m.mem, efi.Ptr[uint64](uint64(at)+8*i), uint64(at)+8*n+16*i); err != nil {
			return err
		}
	}
	return nil
}
