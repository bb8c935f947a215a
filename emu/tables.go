// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/tables"
)

const tableHeaderSize = 24

// layTables makes the system table and the two tables of services. What the
// system keeps after ExitBootServices lies in runtime memory.
func (m *Machine) layTables() error {
	boot, err := m.serviceTable(efi.BootServicesData, efi.BootServicesSignature, &bootServices)
	if err != nil {
		return err
	}
	runtime, err := m.serviceTable(efi.RuntimeServicesData, efi.RuntimeServicesSignature, &runtimeServices)
	if err != nil {
		return err
	}
	m.runtimeTable = efi.Ptr[efi.RuntimeServices](runtime)
	name := m.cfg.Vendor
	if name == "" {
		name = "uefiexec"
	}
	vendor, err := m.allocate(efi.RuntimeServicesData, efi.EncodeString(name))
	if err != nil {
		return err
	}
	configs, err := m.allocate(efi.RuntimeServicesData, make([]byte, configRoom*tables.ConfigurationTableSize))
	if err != nil {
		return err
	}
	m.configSpace = efi.Range{Start: configs, End: configs + configRoom*tables.ConfigurationTableSize}
	raw, err := tables.MarshalTable(efi.SystemTable{
		TableHeader:        efi.TableHeader{Signature: efi.SystemTableSignature, Revision: efi.Revision},
		FirmwareVendor:     efi.Ptr[efi.Char16](vendor),
		FirmwareRevision:   m.cfg.Revision,
		RuntimeServices:    m.runtimeTable,
		BootServices:       efi.Ptr[efi.BootServices](boot),
		ConfigurationTable: efi.Ptr[efi.ConfigurationTable](configs),
	})
	if err != nil {
		return err
	}
	system, err := m.allocate(efi.RuntimeServicesData, raw)
	m.systemTable = efi.Ptr[efi.SystemTable](system)
	return err
}

// serviceTable lays out a table whose rows are p's.
func (m *Machine) serviceTable(t efi.MemoryType, signature uint64, p *Protocol) (efi.Addr, error) {
	raw, err := m.slots(make([]byte, tableHeaderSize), p, nil)
	if err != nil {
		return 0, err
	}
	header := efi.TableHeader{Signature: signature, Revision: efi.Revision, HeaderSize: uint32(len(raw))}
	if _, err := binary.Encode(raw, binary.LittleEndian, header); err != nil {
		return 0, err
	}
	if err := tables.SetChecksum(raw); err != nil {
		return 0, err
	}
	return m.allocate(t, raw)
}

// editSystemTable changes fields of the system table as it stands in guest
// memory, where the guest may have changed others, and renews its checksum.
func (m *Machine) editSystemTable(edit func(*efi.SystemTable)) error {
	st, err := mem.Load(m.mem, m.systemTable)
	if err != nil {
		return err
	}
	edit(&st)
	raw, err := tables.MarshalTable(st)
	if err != nil {
		return err
	}
	return m.mem.Write(m.systemTable.Addr(), raw)
}

// InstallConfigurationTable adds, replaces or (table 0) removes a configuration
// table (§7.5.6), and signals the events of the group with its GUID (§7.1.2).
// NotFound: there is none to remove.
func (m *Machine) InstallConfigurationTable(guid efi.GUID, table efi.Addr) error {
	if err := m.config.Install(guid, table); err != nil {
		return err
	}
	raw := m.config.Marshal()
	space := m.configSpace
	if uint64(len(raw)) > space.Size() {
		at, err := m.pool.Allocate(efi.RuntimeServicesData, 2*uint64(len(raw)))
		if err != nil {
			return err
		}
		m.configSpace = efi.Range{Start: at, End: at + efi.Addr(2*len(raw))}
		defer m.pool.Free(space.Start)
	}
	if err := m.mem.Write(m.configSpace.Start, raw); err != nil {
		return err
	}
	m.events.signalGroup(guid)
	return m.editSystemTable(func(st *efi.SystemTable) {
		st.NumberOfTableEntries = uint64(m.config.Len())
		st.ConfigurationTable = efi.Ptr[efi.ConfigurationTable](m.configSpace.Start)
	})
}

// ConfigurationTable finds a configuration table.
func (m *Machine) ConfigurationTable(guid efi.GUID) (efi.Addr, bool) { return m.config.Get(guid) }

// SetConsole makes the text protocols on a handle the system's console, as far
// as the handle has them: SimpleTextInput for ConIn, SimpleTextOutput for ConOut
// and StdErr.
func (m *Machine) SetConsole(h efi.Handle) error {
	in, hasIn := m.handles.lookup(h, efi.SimpleTextInputProtocolGUID)
	out, hasOut := m.handles.lookup(h, efi.SimpleTextOutputProtocolGUID)
	if !hasIn && !hasOut {
		return fmt.Errorf("emu: handle %v has no text protocol: %w", h, efi.Unsupported)
	}
	return m.editSystemTable(func(st *efi.SystemTable) {
		if hasIn {
			st.ConsoleInHandle, st.ConIn = h, in
		}
		if hasOut {
			st.ConsoleOutHandle, st.ConOut = h, out
			st.StandardErrorHandle, st.StdErr = h, out
		}
	})
}
