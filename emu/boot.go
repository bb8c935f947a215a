// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"hash/crc32"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// bootServices are the rows of EFI_BOOT_SERVICES (§4.4), in its order.
var bootServices = Protocol{
	Name: "BootServices",
	Services: []Service{
		Func1("RaiseTPL", raiseTPL, "newTPL"),
		Func1("RestoreTPL", restoreTPL, "oldTPL"),

		Func4("AllocatePages", allocatePages, "type", "memoryType", "pages", "&memory"),
		Func2("FreePages", freePages, "memory", "pages"),
		Func5("GetMemoryMap", getMemoryMap, "&memoryMapSize", "memoryMap", "*mapKey", "*descriptorSize", "*descriptorVersion"),
		Func3("AllocatePool", allocatePool, "poolType", "size", "*buffer"),
		Func1("FreePool", freePool, "buffer"),

		Func5("CreateEvent", createEvent, "type", "notifyTPL", "notifyFunction", "notifyContext", "*event"),
		Func3("SetTimer", setTimer, "event", "type", "triggerTime"),
		Func3("WaitForEvent", waitForEvent, "numberOfEvents", "events", "*index"),
		Func1("SignalEvent", signalEvent, "event"),
		Func1("CloseEvent", closeEvent, "event"),
		Func1("CheckEvent", checkEvent, "event"),

		Func4("InstallProtocolInterface", installProtocolInterface, "&handle", "protocol", "interfaceType", "interface"),
		Func4("ReinstallProtocolInterface", reinstallProtocolInterface, "handle", "protocol", "oldInterface", "newInterface"),
		Func3("UninstallProtocolInterface", uninstallProtocolInterface, "handle", "protocol", "interface"),
		Func3("HandleProtocol", handleProtocol, "handle", "protocol", "*interface"),
		Unserved("Reserved", "reserved by the specification"),
		Func3("RegisterProtocolNotify", registerProtocolNotify, "protocol", "event", "*registration"),
		Func5("LocateHandle", locateHandle, "searchType", "protocol", "searchKey", "&bufferSize", "buffer"),
		Func3("LocateDevicePath", locateDevicePath, "protocol", "&devicePath", "*device"),
		Func2("InstallConfigurationTable", installConfigurationTable, "guid", "table"),

		Func6("LoadImage", loadImage, "bootPolicy", "parentImageHandle", "devicePath", "sourceBuffer", "sourceSize", "*imageHandle"),
		Func3("StartImage", startImage, "imageHandle", "*exitDataSize", "*exitData"),
		Func4("Exit", exitImage, "imageHandle", "exitStatus", "exitDataSize", "exitData"),
		Func1("UnloadImage", unloadImage, "imageHandle"),
		Func2("ExitBootServices", exitBootServices, "imageHandle", "mapKey"),

		Func1("GetNextMonotonicCount", getNextMonotonicCount, "*count"),
		Func1("Stall", stall, "microseconds"),
		Func4("SetWatchdogTimer", setWatchdogTimer, "timeout", "watchdogCode", "dataSize", "watchdogData"),

		Func4("ConnectController", connectController, "controllerHandle", "driverImageHandle", "remainingDevicePath", "recursive").
			Partially("no driver override protocols (§11.3 to §11.5)"),
		Func3("DisconnectController", disconnectController, "controllerHandle", "driverImageHandle", "childHandle"),

		Func6("OpenProtocol", openProtocol, "handle", "protocol", "*interface", "agentHandle", "controllerHandle", "attributes"),
		Func4("CloseProtocol", closeProtocol, "handle", "protocol", "agentHandle", "controllerHandle"),
		Func4("OpenProtocolInformation", openProtocolInformation, "handle", "protocol", "*entryBuffer", "*entryCount"),

		Func3("ProtocolsPerHandle", protocolsPerHandle, "handle", "*protocolBuffer", "*protocolBufferCount"),
		Func5("LocateHandleBuffer", locateHandleBuffer, "searchType", "protocol", "searchKey", "*noHandles", "*buffer"),
		Func3("LocateProtocol", locateProtocol, "protocol", "registration", "*interface"),
		FuncV("InstallMultipleProtocolInterfaces", installMultiple, "&handle"),
		FuncV("UninstallMultipleProtocolInterfaces", uninstallMultiple, "handle"),

		Func3("CalculateCrc32", calculateCrc32, "data", "dataSize", "*crc32"),

		Code("CopyMem"),
		Code("SetMem"),
		Func6("CreateEventEx", createEventEx, "type", "notifyTPL", "notifyFunction", "notifyContext", "eventGroup", "*event").
			Partially("the groups of memory map changes and of resets are never signalled"),
	},
}

// Miscellaneous services (§7.5).

func getNextMonotonicCount(c *Call, count efi.Ptr[uint64]) error {
	c.m.monotonic++
	return mem.Store(c.m.mem, count, c.m.monotonic)
}

func stall(c *Call, microseconds uint64) error {
	d := time.Duration(1<<63 - 1)
	if microseconds < uint64(d/time.Microsecond) {
		d = time.Duration(microseconds) * time.Microsecond
	}
	return c.m.pause(d)
}

// pause lets time pass in which the guest does nothing, up to its limit.
func (m *Machine) pause(d time.Duration) error {
	left := m.limits.Stalled - m.stalled
	m.stalled += min(d, left)
	if d > left {
		return m.limit("stalled", m.limits.Stalled.String())
	}
	m.clock.Sleep(m.ctx, d, nil)
	if err := m.checkTime(); err != nil {
		return err
	}
	return m.checkWatchdog()
}

// setWatchdogTimer arms or, for 0 seconds, disarms the watchdog. Where real
// firmware would reset the system, the boot ends with a LimitError.
func setWatchdogTimer(c *Call, timeout, code, size uint64, data efi.Ptr[efi.Char16]) error {
	c.m.watchdog = time.Time{}
	if timeout > 0 {
		c.m.watchdog = c.m.clock.Now().Add(time.Duration(min(timeout, 1<<31)) * time.Second)
	}
	return nil
}

// checkWatchdog ends the boot when the watchdog has run out.
func (m *Machine) checkWatchdog() error {
	if m.watchdog.IsZero() || m.clock.Now().Before(m.watchdog) {
		return nil
	}
	return m.limit("watchdog", "")
}

func calculateCrc32(c *Call, data efi.Addr, size uint64, out efi.Ptr[uint32]) error {
	if data == 0 || size == 0 || out == 0 {
		return efi.InvalidParameter
	}
	view, err := c.m.mem.Read(data, size)
	if err != nil {
		return err
	}
	return mem.Store(c.m.mem, out, crc32.ChecksumIEEE(view))
}

func installConfigurationTable(c *Call, guid efi.Ptr[efi.GUID], table efi.Addr) error {
	id, err := mem.Load(c.m.mem, guid)
	if err != nil {
		return err
	}
	return c.m.InstallConfigurationTable(id, table)
}
