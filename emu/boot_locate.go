// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Finding handles and interfaces (§7.3).

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
