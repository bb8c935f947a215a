// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"fmt"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/tables"
)

// runtimeServices are the rows of EFI_RUNTIME_SERVICES (§4.5), in its order, as
// they are until ExitBootServices. What the table holds after that is resident
// code.
var runtimeServices = Protocol{
	Name: "RuntimeServices",
	Services: []Service{
		Func2("GetTime", getTime, "*time", "*capabilities"),
		Unserved("SetTime", "the clock is not the guest's to set", "time"),
		Unserved("GetWakeupTime", "no wake-up timer", "*enabled", "*pending", "*time"),
		Unserved("SetWakeupTime", "no wake-up timer", "enable", "time"),

		Unserved("SetVirtualAddressMap", "not before ExitBootServices", "memoryMapSize", "descriptorSize", "descriptorVersion", "virtualMap"),
		Unserved("ConvertPointer", "not before SetVirtualAddressMap", "debugDisposition", "address"),

		Func5("GetVariable", getVariable, "variableName", "vendorGuid", "*attributes", "&dataSize", "data"),
		Func3("GetNextVariableName", getNextVariableName, "&variableNameSize", "&variableName", "&vendorGuid"),
		Func5("SetVariable", setVariable, "variableName", "vendorGuid", "attributes", "dataSize", "data").
			Partially("writes that are to be authenticated are refused"),

		Func1("GetNextHighMonotonicCount", getNextHighMonotonicCount, "*highCount"),
		Func4("ResetSystem", resetSystem, "resetType", "resetStatus", "dataSize", "resetData"),

		Unserved("UpdateCapsule", "no capsules", "capsuleHeaderArray", "capsuleCount", "scatterGatherList"),
		Unserved("QueryCapsuleCapabilities", "no capsules", "capsuleHeaderArray", "capsuleCount", "*maximumCapsuleSize", "*resetType"),

		Func4("QueryVariableInfo", queryVariableInfo, "attributes", "*maximumVariableStorageSize", "*remainingVariableStorageSize", "*maximumVariableSize"),
	},
}

func getTime(c *Call, out efi.Ptr[efi.Time], capabilities efi.Ptr[efi.TimeCapabilities]) error {
	if out == 0 {
		return efi.InvalidParameter
	}
	if capabilities != 0 {
		if err := mem.Store(c.m.mem, capabilities, efi.TimeCapabilities{Resolution: 1, Accuracy: 50_000_000}); err != nil {
			return err
		}
	}
	return mem.Store(c.m.mem, out, efi.TimeOf(c.m.clock.Now()))
}

// maxVariableName bounds the names that are read from guest memory, in
// characters.
const maxVariableName = 4096

// variableKey reads what names a variable.
func (c *Call) variableKey(name efi.Ptr[efi.Char16], vendor efi.Ptr[efi.GUID]) (string, efi.GUID, error) {
	units, err := c.m.mem.String16(efi.Addr(name), maxVariableName)
	if err != nil {
		return "", efi.GUID{}, err
	}
	guid, err := mem.Load(c.m.mem, vendor)
	return tables.DecodeVariableName(units), guid, err
}

func getVariable(c *Call, name efi.Ptr[efi.Char16], vendor efi.Ptr[efi.GUID], attributes efi.Ptr[efi.VariableAttribute], size efi.Ptr[uint64], data efi.Addr) error {
	m := c.m
	key, guid, err := c.variableKey(name, vendor)
	if err != nil {
		return err
	}
	if key == "" {
		return efi.InvalidParameter
	}
	room, err := mem.Load(m.mem, size)
	if err != nil {
		return err
	}
	v, err := m.vars.Get(key, guid)
	if err != nil {
		m.missing.note(missingVariable, fmt.Sprintf("%s-%s", key, guidName(guid)))
		return StatusOf(err) // the trace has the name
	}
	if attributes != 0 {
		if err := mem.Store(m.mem, attributes, v.Attributes); err != nil {
			return err
		}
	}
	if err := mem.Store(m.mem, size, uint64(len(v.Data))); err != nil {
		return err
	}
	switch {
	case room < uint64(len(v.Data)):
		return efi.BufferTooSmall
	case data == 0:
		return efi.InvalidParameter
	}
	return m.mem.Write(data, v.Data)
}

func getNextVariableName(c *Call, size efi.Ptr[uint64], nameAt efi.Ptr[efi.Char16], vendor efi.Ptr[efi.GUID]) error {
	m := c.m
	room, err := mem.Load(m.mem, size)
	if err != nil {
		return err
	}
	// The old name must end within its buffer.
	raw, err := m.mem.Read(efi.Addr(nameAt), min(room, 2*maxVariableName)&^1)
	if err != nil {
		return err
	}
	old, err := m.mem.String16(efi.Addr(nameAt), len(raw)/2-1)
	if err != nil || len(raw) == 0 {
		return fmt.Errorf("name without an end: %w", efi.InvalidParameter)
	}
	name := tables.DecodeVariableName(old)
	guid, err := mem.Load(m.mem, vendor)
	if err != nil {
		return err
	}
	if name, guid, err = m.vars.Next(name, guid); err != nil {
		return err
	}
	next, err := tables.EncodeVariableName(name)
	if err != nil {
		return Fatal(err) // the store holds it
	}
	if err := mem.Store(m.mem, size, uint64(len(next))); err != nil {
		return err
	}
	if room < uint64(len(next)) {
		return efi.BufferTooSmall
	}
	if err := m.mem.Write(efi.Addr(nameAt), next); err != nil {
		return err
	}
	return mem.Store(m.mem, vendor, guid)
}

func setVariable(c *Call, name efi.Ptr[efi.Char16], vendor efi.Ptr[efi.GUID], attributes efi.VariableAttribute, size uint64, data efi.Addr) error {
	key, guid, err := c.variableKey(name, vendor)
	if err != nil {
		return err
	}
	var value []byte
	if size > 0 {
		view, err := c.m.mem.Read(data, size)
		if err != nil {
			return err
		}
		value = append(value, view...)
	}
	return c.m.vars.Set(key, guid, attributes, value)
}

func queryVariableInfo(c *Call, attributes efi.VariableAttribute, total, left, largest efi.Ptr[uint64]) error {
	info, err := c.m.vars.Info(attributes)
	if err != nil {
		return err
	}
	for _, out := range []struct {
		at efi.Ptr[uint64]
		v  uint64
	}{{total, info.MaximumStorage}, {left, info.RemainingStorage}, {largest, info.MaximumSize}} {
		if err := mem.Store(c.m.mem, out.at, out.v); err != nil {
			return err
		}
	}
	return nil
}

func getNextHighMonotonicCount(c *Call, high efi.Ptr[uint32]) error {
	c.m.monotonic = (c.m.monotonic>>32 + 1) << 32
	return mem.Store(c.m.mem, high, uint32(c.m.monotonic>>32))
}

func resetSystem(c *Call, t efi.ResetType, status efi.Status, size uint64, data efi.Addr) error {
	end := &ResetError{Type: t, Status: status}
	if view, err := c.m.mem.Tail(data, min(size, 4096)); err == nil && data != 0 {
		end.Data = append(end.Data, view...)
	}
	c.m.traceExit(c)
	return stop{end}
}
