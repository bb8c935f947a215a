// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"fmt"
	"slices"

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

// search finds the handles of LocateHandle and its kin.
func (c *Call) search(how efi.LocateSearchType, protocol efi.Ptr[efi.GUID], key efi.Addr) ([]efi.Handle, error) {
	m := c.m
	var guid *efi.GUID
	switch how {
	case efi.AllHandles:
	case efi.ByProtocol:
		id, err := mem.Load(m.mem, protocol)
		if err != nil {
			return nil, err
		}
		guid = &id
	case efi.ByRegisterNotify:
		w := m.events.watchOf(key)
		if w == nil {
			return nil, efi.InvalidParameter
		}
		h, _ := m.handles.after(w.guid, w.shown)
		if h == 0 {
			return nil, efi.NotFound
		}
		return []efi.Handle{h}, nil
	default:
		return nil, efi.InvalidParameter
	}
	var ids []efi.Handle
	for _, h := range m.handles.with(guid) {
		ids = append(ids, h.id)
	}
	if len(ids) == 0 {
		if guid != nil {
			m.missing.note(missingProtocol, guidName(*guid))
		}
		return nil, efi.NotFound
	}
	return ids, nil
}

// shown makes the next search by a registration go on behind what was found. A
// caller that could not be given the handle is given it again.
func (m *Machine) shown(how efi.LocateSearchType, key efi.Addr) {
	if w := m.events.watchOf(key); how == efi.ByRegisterNotify && w != nil {
		_, w.shown = m.handles.after(w.guid, w.shown)
	}
}

func handleBytes(ids []efi.Handle) []byte {
	var raw []byte
	for _, id := range ids {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(id))
	}
	return raw
}

func locateHandle(c *Call, how efi.LocateSearchType, protocol efi.Ptr[efi.GUID], key efi.Addr, size efi.Ptr[uint64], buffer efi.Addr) error {
	room, err := mem.Load(c.m.mem, size)
	if err != nil {
		return err
	}
	ids, err := c.search(how, protocol, key)
	if err != nil {
		return err
	}
	raw := handleBytes(ids)
	if err := mem.Store(c.m.mem, size, uint64(len(raw))); err != nil {
		return err
	}
	switch {
	case room < uint64(len(raw)):
		return efi.BufferTooSmall
	case buffer == 0:
		return efi.InvalidParameter
	}
	if err := c.m.mem.Write(buffer, raw); err != nil {
		return err
	}
	c.m.shown(how, key)
	return nil
}

func locateHandleBuffer(c *Call, how efi.LocateSearchType, protocol efi.Ptr[efi.GUID], key efi.Addr, count efi.Ptr[uint64], out efi.Ptr[efi.Addr]) error {
	ids, err := c.search(how, protocol, key)
	if err != nil {
		return err
	}
	if err := c.giveBuffer(handleBytes(ids), out, uint64(len(ids)), count); err != nil {
		return err
	}
	c.m.shown(how, key)
	return nil
}

func locateProtocol(c *Call, protocol efi.Ptr[efi.GUID], registration efi.Addr, out efi.Ptr[efi.Addr]) error {
	m := c.m
	guid, err := mem.Load(m.mem, protocol)
	if err != nil {
		return err
	}
	if out == 0 {
		return efi.InvalidParameter
	}
	how := efi.ByProtocol
	if registration != 0 {
		how = efi.ByRegisterNotify
	}
	var at efi.Addr
	ids, err := c.search(how, protocol, registration)
	if err == nil {
		if w := m.events.watchOf(registration); how == efi.ByRegisterNotify {
			guid = w.guid
		}
		at, _ = m.handles.lookup(ids[0], guid)
		m.shown(how, registration)
	}
	if serr := mem.Store(m.mem, out, at); serr != nil {
		return serr
	}
	return err
}

func registerProtocolNotify(c *Call, protocol efi.Ptr[efi.GUID], id efi.Event, out efi.Ptr[efi.Addr]) error {
	m := c.m
	guid, err := mem.Load(m.mem, protocol)
	if err != nil {
		return err
	}
	e, err := m.events.get(id)
	if err != nil {
		return err
	}
	if len(m.events.watch) >= m.limits.Handles {
		return efi.OutOfResources
	}
	w := protocolWatch{key: registrationBase + efi.Addr(m.events.registrations)*8, guid: guid, event: e}
	if err := mem.Store(m.mem, out, w.key); err != nil {
		return err
	}
	m.events.registrations++
	m.events.watch = append(m.events.watch, w)
	return nil
}

// registrationBase is the first registration key, far from handles and events.
const registrationBase = 0x3_0000_0000_0000
