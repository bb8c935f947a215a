// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

// The look of a trace is what people read: go test ./emu -run TraceText -update
func TestTraceText(t *testing.T) {
	for _, row := range []struct {
		name string
		arch cpu.Arch
		play func(*guest)
	}{
		{"memory", cpu.AMD64, traceMemory},
		{"protocols", cpu.AMD64, traceProtocols},
		{"images", cpu.ARM64, traceImages},
		{"events", cpu.AMD64, traceEvents},
		{"variables", cpu.AMD64, traceVariables},
		{"exit", cpu.AMD64, func(g *guest) {
			groupEvent(g, efi.EventGroupBeforeExitBootServicesGUID, efi.TPLCallback, func(g *guest) {
				expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, local[efi.Addr](g, 0))
			})
			_, key := memoryMap(g)
			g.Boot("ExitBootServices", g.Image, key)
			exitBootServices(g)
		}},
		{"fault", cpu.AMD64, func(g *guest) { load(g, efi.Ptr[uint64](0x1234_0000_0000)) }},
		{"hostile", cpu.AMD64, traceHostile},
	} {
		t.Run(row.name, func(t *testing.T) {
			var text bytes.Buffer
			cfg := emu.Config{
				Arch: row.arch, Clock: emu.VirtualClock(start), Trace: emu.TextTrace(&text),
				Intercept: func(c *emu.Call) error {
					if c.Service() == "AllocatePool" && c.Arg(1) == 0xfa11 {
						return efi.OutOfResources
					}
					return nil
				},
			}
			h, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status { row.play(g); return 0 })
			var fault *emu.FaultError
			if errors.As(err, &fault) {
				text.WriteString(err.Error() + "\n" + fault.Registers()[:0])
			}
			if h != nil {
				h.Close()
			}
			golden(t, filepath.Join("testdata", "trace-"+row.name+".golden"), text.Bytes())
		})
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *emu.Update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what was traced (-update writes it):\n%s", path, got)
	}
}

func traceMemory(g *guest) {
	at := local[efi.Addr](g, 0)
	g.Boot("AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 16, at)
	g.Boot("FreePages", load(g, at), 16)
	g.Boot("FreePages", load(g, at), 16)
	puppet.Store(g.Thread, at, 0xffff_ffff)
	g.Boot("AllocatePages", efi.AllocateMaxAddress, efi.ACPIReclaimMemory, 1, at)
	g.Boot("AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1<<40, at)
	g.Boot("AllocatePages", efi.AllocateAnyPages, 14, 1, at)
	g.Boot("AllocatePool", efi.BootServicesData, 100, at)
	g.Boot("FreePool", load(g, at))
	g.Boot("FreePool", 0)
	g.Boot("AllocatePool", efi.LoaderData, 0xfa11, at)
	g.Boot("GetMemoryMap", local[uint64](g, 0), 0, local[uint64](g, 0), local[uint64](g, 0), 0)
	memoryMap(g)
}

func traceProtocols(g *guest) {
	h := newHandle(g, efi.SimpleFileSystemProtocolGUID, 0x1000)
	addProtocol(g, h, efi.DevicePathProtocolGUID, pool(g, efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0)}.Bytes()))
	out, n := local[efi.Addr](g, 0), local[uint64](g, 0)
	g.Boot("HandleProtocol", h, g.GUID(efi.SimpleFileSystemProtocolGUID), out)
	g.Boot("HandleProtocol", h, g.GUID(efi.BlockIOProtocolGUID), out)
	g.Boot("HandleProtocol", g.Image, g.GUID(efi.LoadedImageProtocolGUID), out)
	g.Boot("OpenProtocol", h, g.GUID(efi.SimpleFileSystemProtocolGUID), out, g.Image, 0, efi.OpenProtocolGetProtocol)
	g.Boot("OpenProtocol", h, g.GUID(efi.SimpleFileSystemProtocolGUID), out, g.Image, 0, efi.OpenProtocolByDriver)
	g.Boot("LocateProtocol", g.GUID(other), 0, out)
	g.Boot("LocateHandleBuffer", efi.ByProtocol, g.GUID(efi.SimpleFileSystemProtocolGUID), 0, n, out)
	g.Boot("LocateHandle", efi.AllHandles, 0, 0, n, 0)
	path := pool(g, efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), efi.FilePath(`\EFI\BOOT\BOOTX64.EFI`)}.Bytes())
	g.Boot("LocateDevicePath", g.GUID(efi.SimpleFileSystemProtocolGUID), local(g, path), out)
	g.Boot("LocateDevicePath", g.GUID(efi.LoadFile2ProtocolGUID), local(g, path), out)
	on := local[efi.Handle](g, 0)
	g.Boot("InstallMultipleProtocolInterfaces", on, g.GUID(other), 0x2000, g.GUID(efi.LoadFile2ProtocolGUID), 0x3000, 0)
	g.Boot("UninstallMultipleProtocolInterfaces", load(g, on), g.GUID(other), 0x2000, g.GUID(efi.LoadFile2ProtocolGUID), 0x4000, 0)
	g.Boot("ProtocolsPerHandle", load(g, on), out, n)
	g.Boot("CloseProtocol", 0x1234, g.GUID(other), g.Image, 0)
	install(g, binding{start: func(g *guest) efi.Status { return efi.DeviceError }})
	g.Boot("ConnectController", h, 0, 0, efi.True)
	g.Boot("InstallConfigurationTable", g.GUID(efi.LinuxInitrdMediaGUID), 0x5000)
}

func traceImages(g *guest) {
	file := newImage(g, pecoff.Application, func(g *guest) efi.Status {
		g.Boot("Stall", 10)
		inner := newImage(g, pecoff.BootServiceDriver, func(g *guest) efi.Status { return efi.Unsupported })
		at := local[efi.Handle](g, 0)
		g.Boot("LoadImage", efi.False, g.Image, 0, g.Bytes(inner), len(inner), at)
		g.Boot("StartImage", load(g, at), 0, 0)
		g.Boot("Exit", g.Image, efi.NotFound, 10, g.Text("what"))
		return 0
	})
	path := pool(g, efi.DevicePath{efi.PCIRoot(0), efi.FilePath(`\EFI\app.efi`)}.Bytes())
	at := local[efi.Handle](g, 0)
	g.Boot("LoadImage", efi.True, g.Image, path, 0, 0, at)
	g.Boot("LoadImage", efi.True, g.Image, path, g.Bytes(file), len(file), at)
	g.Boot("StartImage", load(g, at), local[uint64](g, 0), local[efi.Addr](g, 0))
	g.Boot("LoadImage", efi.False, g.Image, path, g.Bytes(file[:1000]), 1000, at)
	g.Boot("UnloadImage", load(g, at))
}

func traceEvents(g *guest) {
	high := newEvent(g, efi.EventNotifySignal, efi.TPLNotify, func(g *guest) { g.Boot("Stall", 1) })
	low := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(g *guest) {
		g.Boot("SignalEvent", high)
		g.Boot("Stall", 2)
	})
	g.Boot("SignalEvent", low)
	tpl := g.Boot("RaiseTPL", efi.TPLNotify)
	g.Boot("SignalEvent", low)
	g.Boot("RestoreTPL", uint64(tpl))
	g.Boot("RaiseTPL", 1000)
	timer := newEvent(g, efi.EventTimer, 0, nil)
	g.Boot("SetTimer", timer, efi.TimerRelative, second)
	g.Boot("CheckEvent", timer)
	g.Boot("WaitForEvent", 1, local(g, timer), local[uint64](g, 0))
	g.Boot("CloseEvent", timer)
	g.Boot("CloseEvent", timer)
	groupEvent(g, efi.EventGroupReadyToBootGUID, efi.TPLCallback, func(*guest) {})
	g.Boot("SetWatchdogTimer", 300, 0, 0, 0)
}

func traceVariables(g *guest) {
	g.Runtime("GetTime", local(g, efi.Time{}), 0)
	setVariable(g, efi.Success, "Greeting", bootAccess|efi.VariableRuntimeAccess|efi.VariableNonVolatile, "hello")
	getVariable(g, "Greeting")
	getVariable(g, "SecureBoot")
	g.Runtime("GetVariable", g.Text("Greeting"), g.GUID(other), 0, local[uint64](g, 1), 0)
	name, guid := g.Local(64), g.GUID(efi.GUID{})
	g.Runtime("GetNextVariableName", local[uint64](g, 64), name, guid)
	g.Runtime("GetNextVariableName", local[uint64](g, 64), name, guid)
	g.Runtime("QueryVariableInfo", bootAccess, local[uint64](g, 0), local[uint64](g, 0), local[uint64](g, 0))
	g.Runtime("SetVirtualAddressMap", 0, 0, 0, 0)
	g.Boot("GetNextMonotonicCount", local[uint64](g, 0))
	g.Boot("CalculateCrc32", g.Bytes([]byte("123456789")), 9, local[uint32](g, 0))
	g.Runtime("ResetSystem", efi.ResetWarm, efi.Success, 0, 0)
}

func traceHostile(g *guest) {
	g.Runtime("GetVariable", g.Text("\x1b[2Jevil\n= SUCCESS"), g.GUID(other), 0, local[uint64](g, 1), 0)
	path := pool(g, efi.DevicePath{efi.FilePath("\x1b[31m\r\n.efi")}.Bytes())
	g.Boot("LoadImage", efi.True, g.Image, path, 0, 0, 0)
	g.Boot("LocateDevicePath", g.GUID(other), local(g, path), local[efi.Handle](g, 0))
	file := newImage(g, pecoff.Application, func(g *guest) efi.Status { g.Boot("Stall", 1); return 0 })
	at := local[efi.Handle](g, 0)
	g.Boot("LoadImage", efi.True, g.Image, path, g.Bytes(file), len(file), at)
	g.Boot("StartImage", load(g, at), 0, 0)
	g.Boot("AllocatePages", 77, 77, 77, 77)
	g.Boot("HandleProtocol", ^uint64(0), ^uint64(0), ^uint64(0))
	g.Boot("InstallMultipleProtocolInterfaces", 0, 1, 2, 3, 4)
}
