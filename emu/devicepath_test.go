// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// pool puts data into pool memory.
func pool(g *guest, data []byte) efi.Addr {
	g.T.Helper()
	defer rewind(g)()
	at := local[efi.Addr](g, 0)
	expect(g, efi.Success, "AllocatePool", efi.LoaderData, len(data), at)
	if err := g.Memory().Write(load(g, at), data); err != nil {
		g.T.Fatal(err)
	}
	return load(g, at)
}

// device makes a handle with a device path.
func device(g *guest, nodes ...efi.Node) efi.Handle {
	g.T.Helper()
	return newHandle(g, efi.DevicePathProtocolGUID, pool(g, efi.DevicePath(nodes).Bytes()))
}

func addProtocol(g *guest, h efi.Handle, guid efi.GUID, at efi.Addr) {
	g.T.Helper()
	defer rewind(g)()
	expect(g, efi.Success, "InstallProtocolInterface", local(g, h), g.GUID(guid), efi.NativeInterface, at)
}

// methods is an interface structure of a revision, if one is given, and
// functions.
func methods(g *guest, revision uint64, fns ...func(*guest) efi.Status) efi.Addr {
	g.T.Helper()
	var slots []byte
	add := func(v uint64) {
		for range 8 {
			slots = append(slots, byte(v))
			v >>= 8
		}
	}
	if revision != 0 {
		add(revision)
	}
	for _, f := range fns {
		if f == nil {
			add(0)
			continue
		}
		add(uint64(g.Func(func(g *guest) uint64 { return uint64(f(g)) })))
	}
	return pool(g, slots)
}

func TestLocateDevicePath(t *testing.T) { // §7.3.8
	playAll(t, []scene{
		{"", func(g *guest) {
			root := device(g, efi.PCIRoot(0))
			disk := device(g, efi.PCIRoot(0), efi.PCI(1, 0))
			for _, h := range []efi.Handle{root, disk} {
				addProtocol(g, h, other, 0)
			}
			device(g, efi.PCIRoot(0), efi.PCI(1, 0), efi.PCI(2, 0)) // without the protocol
			guid, out := g.GUID(other), local[efi.Handle](g, 0)
			for _, c := range []struct {
				path efi.DevicePath
				want efi.Handle
				rest efi.DevicePath
			}{
				{efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), efi.PCI(2, 0), efi.FilePath("x")}, disk, efi.DevicePath{efi.PCI(2, 0), efi.FilePath("x")}},
				{efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0)}, disk, nil},
				{efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 1)}, root, efi.DevicePath{efi.PCI(1, 1)}},
				{efi.JoinInstances(efi.DevicePath{efi.PCIRoot(0), efi.PCI(7, 0)}, efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0)}), root, efi.DevicePath{efi.PCI(7, 0)}},
			} {
				at := pool(g, c.path.Bytes())
				cursor := local(g, at)
				expect(g, efi.Success, "LocateDevicePath", guid, cursor, out)
				same(g, "the handle for "+c.path.String(), load(g, out), c.want)
				raw, err := g.Memory().Tail(load(g, cursor), 256)
				if err != nil {
					g.T.Fatal(err)
				}
				rest, _, err := efi.ParseDevicePath(raw)
				if err != nil || !rest.Instances()[0].Equal(c.rest) {
					g.T.Fatalf("%v is left of %v, want %v; %v", rest, c.path, c.rest, err)
				}
			}
			at := pool(g, efi.DevicePath{efi.PCIRoot(1)}.Bytes())
			cursor := local(g, at)
			expect(g, efi.NotFound, "LocateDevicePath", guid, cursor, out)
			same(g, "the path that was not found", load(g, cursor), at)
			expect(g, efi.NotFound, "LocateDevicePath", g.GUID(guidN(1)), cursor, out)
			expect(g, efi.InvalidParameter, "LocateDevicePath", guid, cursor, 0)
			expect(g, efi.InvalidParameter, "LocateDevicePath", guid, 0, out)
			expect(g, efi.InvalidParameter, "LocateDevicePath", guid, local[efi.Addr](g, 0x10), out)
		}},
	})
}
