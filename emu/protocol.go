// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
)

// Protocol describes a protocol that is implemented in Go: its GUID, its name
// in traces and its slots in the specification's order. It is a constant table:
// nothing changes it.
type Protocol struct {
	GUID     efi.GUID
	Name     string
	Services []Service
}

// Interface is a protocol on a handle, or about to be put on one.
type Interface struct {
	Protocol *Protocol
	// Value is what This finds for the interface structure.
	Value any
	// Fields gives the values of the protocol's Field slots, in order, and is
	// called once, when the interface is installed. It may allocate guest memory.
	Fields func(*Machine) ([]uint64, error)
	// Data replaces the structure by bytes of no fixed layout, such as a device
	// path. A protocol without Services and Data has a NULL interface.
	Data []byte
}

// Install puts interfaces on handle h, or on a new handle if h is 0, and
// returns it. Events that wait for one of the protocols are signalled.
func (m *Machine) Install(h efi.Handle, interfaces ...Interface) (efi.Handle, error) {
	for _, i := range interfaces {
		at, err := m.Place(i)
		if err != nil {
			return h, fmt.Errorf("emu: install %s: %w", i.Protocol.Name, err)
		}
		if h, err = m.handles.install(h, i.Protocol.GUID, at); err != nil {
			return h, fmt.Errorf("emu: install %s: %w", i.Protocol.Name, err)
		}
		m.installed(i.Protocol.GUID)
	}
	return h, nil
}

// Place lays an interface structure out in guest memory and puts it on no
// handle, for interfaces that services hand out, such as files. Remove takes it
// away again.
func (m *Machine) Place(i Interface) (efi.Addr, error) {
	if i.Data != nil {
		return m.allocate(efi.BootServicesData, i.Data)
	}
	if len(i.Protocol.Services) == 0 {
		return 0, nil
	}
	var fields []uint64
	if i.Fields != nil {
		var err error
		if fields, err = i.Fields(m); err != nil {
			return 0, err
		}
	}
	raw, err := m.slots(nil, i.Protocol, fields)
	if err != nil {
		return 0, err
	}
	at, err := m.allocate(efi.BootServicesData, raw)
	if err == nil && i.Value != nil {
		m.instances[at] = i.Value
	}
	return at, err
}

// Remove forgets an interface structure that Place has made.
func (m *Machine) Remove(at efi.Addr) {
	delete(m.instances, at)
	_ = m.pool.Free(at) // the guest may have freed it
}

// slots appends a protocol's slots to raw: gates, fields, addresses of code.
func (m *Machine) slots(raw []byte, p *Protocol, fields []uint64) ([]byte, error) {
	gates, err := m.gatesOf(p)
	if err != nil {
		return nil, err
	}
	for k := range p.Services {
		var v uint64
		switch s := &p.Services[k]; s.kind {
		case slotField:
			if len(fields) == 0 {
				return nil, fmt.Errorf("field %s has no value", s.Name)
			}
			v, fields = fields[0], fields[1:]
		case slotCode:
			if v = uint64(m.code[s.Name]); v == 0 {
				return nil, fmt.Errorf("no resident code %s for %v", s.Name, m.cfg.Arch)
			}
		default:
			v = uint64(gates[k])
		}
		raw = binary.LittleEndian.AppendUint64(raw, v)
	}
	if len(fields) > 0 {
		return nil, fmt.Errorf("%d values for no field", len(fields))
	}
	return raw, nil
}

// gate is what stands behind a gate address: a service, or a place in the
// machine that the guest returns to.
type gate struct {
	table   string
	service *Service
}

// gatesOf gives every gate slot of a protocol its address, once for all its
// interfaces.
func (m *Machine) gatesOf(p *Protocol) ([]efi.Addr, error) {
	if at, ok := m.protocols[p]; ok {
		return at, nil
	}
	at := make([]efi.Addr, len(p.Services))
	for k := range p.Services {
		if p.Services[k].kind != slotGate {
			continue
		}
		var err error
		if at[k], err = m.newGate(gate{p.Name, &p.Services[k]}); err != nil {
			return nil, err
		}
	}
	m.protocols[p] = at
	return at, nil
}

// newGate takes the next free gate.
func (m *Machine) newGate(g gate) (efi.Addr, error) {
	at := m.gateRange.Start + efi.Addr(len(m.gates))*gateSize
	if at >= m.gateRange.End {
		return 0, fmt.Errorf("all %d gates are taken: %w", len(m.gates), efi.OutOfResources)
	}
	m.gates = append(m.gates, g)
	return at, nil
}
