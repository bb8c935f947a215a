// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables"
)

// residentFor finds the guest code of an architecture.
func residentFor(arch cpu.Arch) (*resident.Blob, error) {
	name := "x64"
	if arch == cpu.ARM64 {
		name = "aa64"
	}
	return resident.For(name)
}

// layCode lays the resident code, which the guest may read and execute.
func (m *Machine) layCode() error {
	blob, err := residentFor(m.cfg.Arch)
	if err != nil {
		return err
	}
	m.codeRange, err = m.pages(efi.RuntimeServicesCode, efi.Pages(uint64(len(blob.Code))), mem.ReadWriteExec)
	if err != nil {
		return err
	}
	for name, offset := range blob.Functions() {
		m.code[name] = m.codeRange.Start + efi.Addr(offset)
	}
	m.params = m.codeRange.Start + efi.Addr(blob.ParamsOffset())
	if err := m.mem.Write(m.codeRange.Start, blob.Code); err != nil {
		return err
	}
	return m.mem.Protect(m.codeRange, mem.Readable|mem.Executable)
}

// notifyRoom is what of the store is kept for those who are to be told of
// SetVirtualAddressMap.
const notifyRoom = efi.PageSize

// layStore makes room for what the resident runtime services will serve, before
// the payload looks at the memory map, and tells which they are.
func (m *Machine) layStore() error {
	if m.cfg.RuntimeServices != 0 {
		return nil
	}
	info, err := m.vars.Info(efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess)
	if err != nil {
		return err
	}
	pages := efi.Pages(info.MaximumStorage + notifyRoom + efi.PageSize)
	if m.store, err = m.pages(efi.RuntimeServicesData, pages, mem.ReadWriteExec); err != nil {
		return err
	}
	properties, err := binary.Append(nil, binary.LittleEndian, efi.RTPropertiesTable{
		Version: efi.RTPropertiesTableVersion, Length: 8, RuntimeServicesSupported: resident.RuntimeSupported,
	})
	if err != nil {
		return err
	}
	at, err := m.allocate(efi.RuntimeServicesData, properties)
	if err != nil {
		return err
	}
	if err := m.InstallConfigurationTable(efi.RTPropertiesTableGUID, at); err != nil {
		return err
	}
	return m.layMemoryAttributes()
}

// settleRuntime makes the runtime services what they are after ExitBootServices:
// resident code over a copy of the variables. What is behind the gates is gone;
// services that the resident code does not have return Unsupported.
func (m *Machine) settleRuntime() error {
	if m.cfg.RuntimeServices != 0 {
		return m.editSystemTable(func(st *efi.SystemTable) {
			st.RuntimeServices = efi.Ptr[efi.RuntimeServices](m.cfg.RuntimeServices)
		})
	}
	image := m.vars.MarshalImage()
	room := m.store.Size() - notifyRoom
	if uint64(len(image)) > room {
		return fmt.Errorf("%d bytes of variables do not fit into %d", len(image), room)
	}
	if err := m.mem.Write(m.store.Start, image); err != nil {
		return err
	}
	var notify []resident.Notification
	for _, e := range m.events.order {
		if e.group == efi.EventGroupVirtualAddressChangeGUID && e.notify != 0 && len(notify) < notifyRoom/24 {
			notify = append(notify, resident.Notification{
				Function: uint64(e.notify), Event: uint64(e.id), Context: uint64(e.context),
			})
		}
	}
	list, err := binary.Append(nil, binary.LittleEndian, notify)
	if err != nil {
		return err
	}
	if err := m.mem.Write(m.store.End-notifyRoom, list); err != nil {
		return err
	}
	params, err := resident.RuntimeParams{
		Store: uint64(m.store.Start), StoreSize: room,
		SystemTable: uint64(m.systemTable), RuntimeServices: uint64(m.runtimeTable),
		Notify: uint64(m.store.End - notifyRoom), NotifyCount: uint32(len(notify)),
	}.Marshal()
	if err != nil {
		return err
	}
	if err := m.mem.Protect(m.codeRange, mem.ReadWriteExec); err != nil {
		return err
	}
	if err := m.mem.Write(m.params, params); err != nil {
		return err
	}
	if err := m.settleMemoryAttributes(); err != nil {
		return err
	}
	return m.settleTable()
}

// settleTable points the runtime services table at resident code.
func (m *Machine) settleTable() error {
	raw, err := m.mem.Edit(m.runtimeTable.Addr(), tableHeaderSize+8*uint64(len(runtimeServices.Services)))
	if err != nil {
		return err
	}
	for i, s := range runtimeServices.Services {
		code, ok := m.code[s.Name]
		if !ok {
			code = m.code["Unsupported"]
		}
		binary.LittleEndian.PutUint64(raw[tableHeaderSize+8*i:], uint64(code))
	}
	return tables.SetChecksum(raw)
}
