// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"hash/crc32"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

func TestSystemTable(t *testing.T) { // §4.3 to §4.5
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		play(t, emu.Config{Arch: arch, Vendor: "Ferro", Revision: 7}, func(g *guest) {
			st := load(g, g.System)
			same(g, "signature", st.Signature, efi.SystemTableSignature)
			same(g, "revision", st.Revision, efi.Revision)
			vendor, err := g.Memory().String16(st.FirmwareVendor.Addr(), 100)
			if err != nil || efi.DecodeString(vendor) != "Ferro" || st.FirmwareRevision != 7 {
				g.T.Fatalf("%q %d, %v", vendor, st.FirmwareRevision, err)
			}
			boot, runtime := load(g, st.BootServices), load(g, st.RuntimeServices)
			same(g, "signature", boot.Signature, efi.BootServicesSignature)
			same(g, "signature", runtime.Signature, efi.RuntimeServicesSignature)
			for _, a := range []efi.Addr{g.System.Addr(), st.BootServices.Addr(), st.RuntimeServices.Addr()} {
				checkTable(g, a)
			}
			same(g, "type", typeAt(g, g.System.Addr()), efi.RuntimeServicesData)
			same(g, "type", typeAt(g, st.RuntimeServices.Addr()), efi.RuntimeServicesData)
			same(g, "type", typeAt(g, st.BootServices.Addr()), efi.BootServicesData)
		})
	}
}

func TestConfigurationTables(t *testing.T) { // §4.6, §7.5.6
	install := func(g *guest, n uint32, at efi.Addr) {
		g.T.Helper()
		defer rewind(g)()
		expect(g, efi.Success, "InstallConfigurationTable", g.GUID(guidN(n)), at)
		checkTable(g, g.System.Addr())
	}
	entries := func(g *guest) map[efi.GUID]efi.Addr {
		st := load(g, g.System)
		list := map[efi.GUID]efi.Addr{}
		for i := range st.NumberOfTableEntries {
			e := load(g, st.ConfigurationTable+efi.Ptr[efi.ConfigurationTable](24*i))
			list[e.VendorGUID] = e.VendorTable
		}
		same(g, "different entries", len(list), int(st.NumberOfTableEntries))
		return list
	}
	playAll(t, []scene{
		{"added, replaced, removed", func(g *guest) {
			expect(g, efi.NotFound, "InstallConfigurationTable", g.GUID(other), 0)
			expect(g, efi.InvalidParameter, "InstallConfigurationTable", 0, 0x1000)
			before := len(entries(g))
			install(g, 0, 0x1000)
			install(g, 1, 0x2000)
			install(g, 0, 0x3000)
			got := entries(g)
			same(g, "table 0", got[guidN(0)], 0x3000)
			same(g, "table 1", got[guidN(1)], 0x2000)
			install(g, 0, 0)
			got = entries(g)
			same(g, "entries", len(got), before+1)
			same(g, "table 1", got[guidN(1)], 0x2000)
		}},
		{"not between the halves of GetMemoryMap", func(g *guest) {
			_, key := memoryMap(g)
			for i := range uint32(60) {
				install(g, i, 0x1000)
			}
			_, now := memoryMap(g)
			same(g, "the key", now, key)
		}},
		{"more than there was room for", func(g *guest) {
			before := len(entries(g))
			for i := range uint32(200) {
				install(g, i, efi.Addr(0x1000+i))
			}
			got := entries(g)
			same(g, "entries", len(got), before+200)
			for i := range uint32(200) {
				same(g, "table", got[guidN(i)], efi.Addr(0x1000+i))
			}
			same(g, "type", typeAt(g, load(g, g.System).ConfigurationTable.Addr()), efi.RuntimeServicesData)
		}},
		{"without end", func(g *guest) {
			guid := g.GUID(other)
			for i := range 2000 {
				b := guidN(uint32(i)).Bytes()
				if err := g.Memory().Write(guid.Addr(), b[:]); err != nil {
					g.T.Fatal(err)
				}
				if status := g.Boot("InstallConfigurationTable", guid, 1); status == efi.OutOfResources {
					return
				}
			}
			g.T.Fatal("2000 tables were installed")
		}},
		{"that the host finds", func(g *guest) {
			install(g, 3, 0x4000)
			if at, ok := g.Machine.ConfigurationTable(guidN(3)); !ok || at != 0x4000 {
				g.T.Fatalf("%v, %v", at, ok)
			}
		}},
	})
}

func TestMisc(t *testing.T) { // §7.5
	playAll(t, []scene{
		{"monotonic count", func(g *guest) {
			count, high := local[uint64](g, 0), local[uint32](g, 0)
			expect(g, efi.Success, "GetNextMonotonicCount", count)
			first := load(g, count)
			expect(g, efi.Success, "GetNextMonotonicCount", count)
			same(g, "the next", load(g, count), first+1)
			expectRuntime(g, efi.Success, "GetNextHighMonotonicCount", high)
			same(g, "the high half", load(g, high), uint32(first>>32)+1)
			expect(g, efi.Success, "GetNextMonotonicCount", count)
			same(g, "the next", load(g, count), (first>>32+1)<<32+1)
			expect(g, efi.InvalidParameter, "GetNextMonotonicCount", 0)
		}},
		{"CRC32", func(g *guest) {
			data := []byte("123456789")
			out := local[uint32](g, 0)
			expect(g, efi.Success, "CalculateCrc32", g.Bytes(data), len(data), out)
			same(g, "CRC32", load(g, out), crc32.ChecksumIEEE(data))
			expect(g, efi.InvalidParameter, "CalculateCrc32", 0, 9, out)
			expect(g, efi.InvalidParameter, "CalculateCrc32", g.Bytes(data), 0, out)
			expect(g, efi.InvalidParameter, "CalculateCrc32", g.Bytes(data), 9, 0)
			expect(g, efi.InvalidParameter, "CalculateCrc32", g.Bytes(data), ^uint64(0), out)
		}},
		{"stall", func(g *guest) {
			about(g, "the stall", after(g, func() { expect(g, efi.Success, "Stall", 1_500_000) }), 1500*time.Millisecond)
		}},
		{"watchdog in time", func(g *guest) {
			expect(g, efi.Success, "SetWatchdogTimer", 5, 0, 0, 0)
			expect(g, efi.Success, "Stall", 4_000_000)
			expect(g, efi.Success, "SetWatchdogTimer", 5, 0, 0, 0)
			expect(g, efi.Success, "Stall", 4_000_000)
			expect(g, efi.Success, "SetWatchdogTimer", 0, 0, 0, 0)
			expect(g, efi.Success, "Stall", 60_000_000)
		}},
		{"time", func(g *guest) { // §8.3.1
			at, caps := local[efi.Time](g, efi.Time{}), local[efi.TimeCapabilities](g, efi.TimeCapabilities{})
			expectRuntime(g, efi.Success, "GetTime", at, caps)
			got := load(g, at)
			if d := got.Std().Sub(start); !got.Valid() || d < 0 || d > time.Second {
				g.T.Fatalf("%v, want about %v", got.Std(), start)
			}
			if load(g, caps).Resolution == 0 {
				g.T.Fatal("no capabilities")
			}
			expectRuntime(g, efi.InvalidParameter, "GetTime", 0, caps)
		}},
		{"what is not there", func(g *guest) {
			for _, service := range []string{"SetTime", "GetWakeupTime", "SetWakeupTime", "SetVirtualAddressMap", "ConvertPointer", "UpdateCapsule", "QueryCapsuleCapabilities"} {
				expectRuntime(g, efi.Unsupported, service, 0, 0, 0, 0)
			}
			expectRuntime(g, efi.Unsupported, "SetTime", 0)
			missing := g.Machine.Missing()
			if len(missing) != 7 || missing[0] != (emu.Missing{Kind: "service", Name: "RuntimeServices.SetTime", Count: 2}) {
				g.T.Fatalf("%+v", missing)
			}
		}},
	})
}

func TestResetSystem(t *testing.T) { // §8.5.1
	_, err := emutest.Go(t, emu.Config{}, nil, func(g *guest) efi.Status {
		data := g.Text("why")
		g.T.Fatalf("ResetSystem = %v", g.Runtime("ResetSystem", efi.ResetShutdown, efi.DeviceError, 8, data))
		return 0
	})
	var reset *emu.ResetError
	if !errors.As(err, &reset) || reset.Type != efi.ResetShutdown || reset.Status != efi.DeviceError || efi.DecodeString(reset.Data) != "why" {
		t.Errorf("%#v", err)
	}
}
