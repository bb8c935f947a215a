// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Opening and closing protocols (§7.3).

func handleProtocol(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], out efi.Ptr[efi.Addr]) error {
	if out == 0 {
		return efi.InvalidParameter
	}
	agent := efi.Handle(0)
	if _, image := c.m.innermost(); image != nil {
		agent = image.handle
	}
	return openProtocol(c, handle, protocol, out, agent, 0, efi.OpenProtocolByHandleProtocol)
}

func openProtocol(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], out efi.Ptr[efi.Addr], agent, controller efi.Handle, how efi.OpenProtocolAttribute) error {
	m := c.m
	guid, err := mem.Load(m.mem, protocol)
	if err != nil {
		return err
	}
	h, err := m.handles.get(handle)
	if err != nil {
		return err
	}
	if out == 0 && how != efi.OpenProtocolTestProtocol {
		return efi.InvalidParameter
	}
	if err := m.checkOpen(handle, agent, controller, how); err != nil {
		return err
	}
	p := h.find(guid)
	if p == nil {
		if how != efi.OpenProtocolTestProtocol {
			m.missing.note(missingProtocol, guidName(guid))
			if out != 0 {
				if err := mem.Store(m.mem, out, 0); err != nil {
					return err
				}
			}
		}
		return fmt.Errorf("no %s there: %w", guidName(guid), efi.Unsupported)
	}
	if how&efi.OpenProtocolExclusive != 0 {
		if err := c.stopOthers(h, p); err != nil {
			return err
		}
		if p = h.find(guid); p == nil {
			return fmt.Errorf("%s went with its driver: %w", guidName(guid), efi.Unsupported)
		}
	}
	if err := p.open(agent, controller, how, m.limits.Handles); err != nil {
		return err
	}
	if how == efi.OpenProtocolTestProtocol {
		return nil
	}
	return mem.Store(m.mem, out, p.at)
}

// stopOthers makes drivers let go of a protocol that is about to be opened
// exclusively (§7.3.9). Those that do not are in open's way.
func (c *Call) stopOthers(h *handle, p *installed) error {
	for _, o := range slices.Clone(p.opens) {
		if o.Attributes&efi.OpenProtocolExclusive != 0 {
			return nil // open says what becomes of it
		}
		if o.Attributes&efi.OpenProtocolByDriver == 0 {
			continue
		}
		if err := c.disconnect(h, o.AgentHandle, 0); err != nil && !isStatus(err) {
			return err
		}
	}
	return nil
}

// checkOpen holds the agents against the attributes (§7.3.9).
func (m *Machine) checkOpen(handle, agent, controller efi.Handle, how efi.OpenProtocolAttribute) error {
	is := func(h efi.Handle) bool { return m.handles.byID[h] != nil }
	ok := true
	switch how {
	case efi.OpenProtocolByHandleProtocol, efi.OpenProtocolGetProtocol, efi.OpenProtocolTestProtocol:
	case efi.OpenProtocolByChildController:
		ok = is(agent) && is(controller) && controller != handle
	case efi.OpenProtocolByDriver, efi.OpenProtocolByDriver | efi.OpenProtocolExclusive:
		ok = is(agent) && is(controller)
	case efi.OpenProtocolExclusive:
		ok = is(agent)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("agent and controller do not go with %v: %w", how, efi.InvalidParameter)
	}
	return nil
}

func closeProtocol(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], agent, controller efi.Handle) error {
	p, err := c.protocolOn(handle, protocol)
	if err != nil {
		return err
	}
	if _, err := c.m.handles.get(agent); err != nil {
		return err
	}
	if controller != 0 {
		if _, err := c.m.handles.get(controller); err != nil {
			return err
		}
	}
	return p.close(agent, controller)
}

// protocolOn finds a protocol on a handle: InvalidParameter for no handle,
// NotFound for no such protocol on it.
func (c *Call) protocolOn(handle efi.Handle, protocol efi.Ptr[efi.GUID]) (*installed, error) {
	guid, err := mem.Load(c.m.mem, protocol)
	if err != nil {
		return nil, err
	}
	h, err := c.m.handles.get(handle)
	if err != nil {
		return nil, err
	}
	p := h.find(guid)
	if p == nil {
		return nil, fmt.Errorf("no %s there: %w", guidName(guid), efi.NotFound)
	}
	return p, nil
}

func openProtocolInformation(c *Call, handle efi.Handle, protocol efi.Ptr[efi.GUID], out efi.Ptr[efi.Addr], count efi.Ptr[uint64]) error {
	p, err := c.protocolOn(handle, protocol)
	if err != nil {
		return err
	}
	var raw []byte
	for _, o := range p.opens {
		if raw, err = binary.Append(raw, binary.LittleEndian, o); err != nil {
			return err
		}
	}
	return c.giveBuffer(raw, out, uint64(len(p.opens)), count)
}

// giveBuffer allocates pool memory for data, which the caller will free, and
// tells how many things are in it.
func (c *Call) giveBuffer(data []byte, out efi.Ptr[efi.Addr], n uint64, count efi.Ptr[uint64]) error {
	if out == 0 || count == 0 {
		return efi.InvalidParameter
	}
	at, err := c.m.allocate(efi.BootServicesData, data)
	if err != nil {
		return err
	}
	err = mem.Store(c.m.mem, count, n)
	if err == nil {
		err = mem.Store(c.m.mem, out, at)
	}
	if err != nil {
		_ = c.m.pool.Free(at) // it was allocated just now
	}
	return err
}
