// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"encoding/binary"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

// argKinds are the services that a fuzzer calls, and a letter for each argument:
// what kind of value makes sense there. What an upper case letter points to is
// learnt, as a value of the kind of the lower case one, when the call succeeds.
var argKinds = []struct{ service, kinds string }{
	{"RaiseTPL", "t"}, {"RestoreTPL", "t"},
	{"AllocatePages", "nmnA"}, {"FreePages", "an"}, {"GetMemoryMap", "zpKpp"}, {"AllocatePool", "mnA"}, {"FreePool", "a"},
	{"CreateEvent", "ytfnE"}, {"CreateEventEx", "ytfngE"}, {"SetTimer", "enn"}, {"WaitForEvent", "nvp"},
	{"SignalEvent", "e"}, {"SignalEvent", "e"}, {"CloseEvent", "e"}, {"CheckEvent", "e"},
	{"InstallProtocolInterface", "Hg0c"}, {"ReinstallProtocolInterface", "hgcc"}, {"UninstallProtocolInterface", "hgc"},
	{"InstallMultipleProtocolInterfaces", "Hgcgc0"}, {"UninstallMultipleProtocolInterfaces", "hgcgc0"},
	{"HandleProtocol", "hgp"}, {"RegisterProtocolNotify", "geR"}, {"LocateHandle", "ngrzp"}, {"LocateHandleBuffer", "ngrpA"},
	{"LocateProtocol", "grp"}, {"LocateDevicePath", "gxp"}, {"ProtocolsPerHandle", "hAp"},
	{"OpenProtocol", "hgphho"}, {"OpenProtocol", "hgphho"}, {"CloseProtocol", "hghh"}, {"OpenProtocolInformation", "hgAp"},
	{"ConnectController", "h0dn"}, {"DisconnectController", "hhh"}, {"InstallConfigurationTable", "gn"},
	{"LoadImage", "nidbbI"}, {"LoadImage", "nid00I"}, {"StartImage", "ipp"}, {"StartImage", "ipp"}, {"Exit", "insp"}, {"UnloadImage", "i"},
	{"ExitBootServices", "ik"}, {"GetNextMonotonicCount", "p"}, {"Stall", "n"}, {"SetWatchdogTimer", "nnnp"}, {"CalculateCrc32", "pnp"},
	{"GetTime", "pp"}, {"GetVariable", "sgpzp"}, {"GetNextVariableName", "zsg"}, {"SetVariable", "sgnnp"},
	{"QueryVariableInfo", "nppp"}, {"GetNextHighMonotonicCount", "p"}, {"ResetSystem", "nnnp"}, {"SetTime", "p"},
}

// slot is the i-th word of the area, for what calls write.
func (f *fuzzer) slot(i int) uint64 { return uint64(f.area) + 0x200*uint64(i%64) }

// arg draws an argument of a kind.
func (f *fuzzer) arg(g *guest, kind byte) uint64 {
	b := int(f.next())
	switch {
	case b >= 0xe0:
		return f.any(g)
	case kind >= 'A' && kind <= 'Z':
		if kind == 'H' && b&1 == 0 { // a handle that is there
			puppet.Store(g.Thread, efi.Ptr[uint64](f.slot(b)), pick(f.values['h'], b))
		}
		return f.slot(b)
	case kind == '0':
		return 0
	case kind == 'n':
		return pick([]uint64{0, 1, 2, 3, 4, 6, 7, 8, 100, 0x1000, 0x10000, 1 << 20}, b)
	case kind == 'p':
		return f.slot(b)
	case kind == 'z':
		puppet.Store(g.Thread, efi.Ptr[uint64](f.slot(b)), pick([]uint64{0, 8, 0x100, 0x4000}, b))
		return f.slot(b)
	case kind == 'v', kind == 'x':
		source := f.values['e']
		if kind == 'x' {
			source = f.values['d']
		}
		puppet.Store(g.Thread, efi.Ptr[[2]uint64](f.slot(b)), [2]uint64{pick(source, b), pick(source, b/3)})
		return f.slot(b)
	}
	return pick(f.values[kind], b)
}

func pick(list []uint64, b int) uint64 {
	if len(list) == 0 {
		return 0
	}
	return list[b%len(list)]
}

// any draws an argument that may be anything.
func (f *fuzzer) any(g *guest) uint64 {
	kind, n := f.next(), f.next()
	switch kind % 5 {
	case 0:
		return pick([]uint64{0, 1, ^uint64(0), 1 << 63, 1<<63 - 1, 1 << 47, uint64(f.area) + areaSize - 4, 1 << 32}, int(n))
	case 1:
		return uint64(n)
	case 2:
		return uint64(f.area) + 8*uint64(n)
	case 3:
		v, err := g.Memory().Read(f.area+efi.Addr(8*uint64(n)), 8)
		if err != nil {
			return 0
		}
		return binary.LittleEndian.Uint64(v)
	}
	return uint64(n) << (f.next() % 64)
}

// learn keeps what a call that succeeded has given.
func (f *fuzzer) learn(g *guest, kinds string, args []any) {
	for i, kind := range []byte(kinds) {
		if kind < 'A' || kind > 'Z' {
			continue
		}
		raw, err := g.Memory().Read(efi.Addr(args[i].(uint64)), 8)
		if err != nil {
			continue
		}
		v := binary.LittleEndian.Uint64(raw)
		f.values[kind+'a'-'A'] = append(f.values[kind+'a'-'A'], v)
		if kind == 'I' {
			f.values['h'] = append(f.values['h'], v)
		}
	}
}

// prepare lays out what arguments are drawn from.
func (f *fuzzer) prepare(g *guest) {
	at := local[efi.Addr](g, 0)
	expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, areaSize/efi.PageSize, at)
	f.area = load(g, at)
	fn := func(n int) uint64 {
		return uint64(g.Func(func(g *guest) uint64 { f.run(g, n); return uint64(f.next() & 1) }))
	}
	addr := func(b []byte) uint64 { return uint64(pool(g, b)) }
	guid := func(id efi.GUID) uint64 { b := id.Bytes(); return addr(b[:]) }
	status := func(g *guest, n int) efi.Status {
		f.run(g, n)
		return efi.Status(f.next()%2) * efi.Unsupported
	}
	driver := install(g, binding{
		supported: func(g *guest) efi.Status { return status(g, 1) },
		start:     func(g *guest) efi.Status { return status(g, 3) },
		stop:      func(g *guest) efi.Status { return status(g, 3) },
	})
	v := &volume{data: newImage(g, pecoff.Application, func(g *guest) efi.Status { return status(g, 5) })}
	v.size = uint64(len(v.data))
	files := v.install(g)
	loader := device(g, efi.VendorMedia(guidN(1)))
	addProtocol(g, loader, efi.LoadFile2ProtocolGUID, methods(g, 0, func(g *guest) efi.Status {
		f.run(g, 2)
		if g.Arg(3) == 0 {
			return efi.InvalidParameter
		}
		puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), uint64(len(v.data)))
		if g.Arg(4) == 0 {
			return efi.BufferTooSmall
		}
		if err := g.Memory().Write(efi.Addr(g.Arg(4)), v.data); err != nil {
			return efi.DeviceError
		}
		return efi.Status(f.next()%2) * efi.DeviceError
	}))
	f.values = map[byte][]uint64{
		't': {uint64(efi.TPLApplication), uint64(efi.TPLCallback), uint64(efi.TPLNotify), uint64(efi.TPLHighLevel)},
		'm': {uint64(efi.LoaderData), uint64(efi.BootServicesData), uint64(efi.RuntimeServicesData), uint64(efi.LoaderCode), uint64(efi.ACPIReclaimMemory)},
		'y': {uint64(efi.EventNotifySignal), uint64(efi.EventTimer | efi.EventNotifySignal), uint64(efi.EventNotifyWait), uint64(efi.EventSignalExitBootServices), 0, uint64(efi.EventTimer)},
		'f': {fn(1), fn(2), fn(5)},
		'g': {
			guid(other), guid(guidN(1)), guid(efi.DevicePathProtocolGUID), guid(efi.LoadedImageProtocolGUID), guid(efi.DriverBindingProtocolGUID),
			guid(efi.LoadFile2ProtocolGUID), guid(efi.SimpleFileSystemProtocolGUID), guid(efi.EventGroupExitBootServicesGUID), guid(efi.EventGroupBeforeExitBootServicesGUID),
		},
		'h': {0, uint64(g.Image), uint64(driver), uint64(files), uint64(loader), uint64(newHandle(g, other, 0))},
		'c': {0, uint64(f.area), addr(efi.DevicePath{efi.PCIRoot(0)}.Bytes())},
		'd': {
			0, addr(efi.DevicePath{efi.VendorMedia(other), efi.FilePath("x")}.Bytes()), addr(efi.DevicePath{efi.VendorMedia(guidN(1)), efi.FilePath("y")}.Bytes()),
			addr(efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0)}.Bytes()),
		},
		's': {addr(efi.EncodeString("Variable")), addr(efi.EncodeString("")), addr(efi.EncodeString("Other"))},
		'o': {
			uint64(efi.OpenProtocolByDriver), uint64(efi.OpenProtocolByChildController), uint64(efi.OpenProtocolExclusive), uint64(efi.OpenProtocolGetProtocol),
			uint64(efi.OpenProtocolByDriver | efi.OpenProtocolExclusive), uint64(efi.OpenProtocolTestProtocol),
		},
		'i': {uint64(g.Image)}, 'a': {0}, 'e': {0}, 'k': {0}, 'r': {0},
	}
	for _, kind := range []pecoff.Subsystem{pecoff.Application, pecoff.BootServiceDriver} {
		file := newImage(g, kind, func(g *guest) efi.Status {
			at := loadedImage(g, g.Image)
			info := load(g, at)
			info.Unload = efi.Addr(f.values['f'][0])
			puppet.Store(g.Thread, at, info)
			return status(g, 8)
		})
		f.files = append(f.files, [2]uint64{addr(file), uint64(len(file))})
	}
}
