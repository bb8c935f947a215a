// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

// onPlatform runs body as a guest of a platform, with the volume's handle.
func onPlatform(t *testing.T, p protocols.Platform, body func(t *testing.T, g *guestProgram, volume efi.Handle)) {
	t.Helper()
	var volume efi.Handle
	setup := func(t *testing.T, m *emu.Machine) {
		var err error
		volume, err = p.Install(m)
		require.NoError(t, err)
	}
	runGuest(t, setup, func(t *testing.T, g *guestProgram) { body(t, g, volume) })
}

// handles are those that have a protocol.
func (g *guestProgram) handles(t *testing.T, protocol efi.GUID) []efi.Handle {
	t.Helper()
	const byProtocol = 2
	n, at := g.word(0), g.word(0)
	status := g.call(g.bs.LocateHandleBuffer, byProtocol, g.guid(protocol), 0, uint64(n), uint64(at))
	if status == efi.NotFound {
		return nil
	}
	g.want(t, "LocateHandleBuffer", status, efi.Success)
	var all []efi.Handle
	for i := range puppet.Load(g.Thread, n) {
		all = append(all, puppet.Load(g.Thread, efi.Ptr[efi.Handle](puppet.Load(g.Thread, at)+8*i)))
	}
	return all
}

func (g *guestProgram) protocol(t *testing.T, h efi.Handle, protocol efi.GUID) efi.Addr {
	t.Helper()
	out := g.word(0)
	g.want(t, "HandleProtocol", g.call(g.bs.HandleProtocol, uint64(h), g.guid(protocol), uint64(out)), efi.Success)
	return efi.Addr(puppet.Load(g.Thread, out))
}

// pathOf is the device path of a handle.
func (g *guestProgram) pathOf(t *testing.T, h efi.Handle) string {
	t.Helper()
	raw, err := g.Memory().Tail(g.protocol(t, h, efi.DevicePathProtocolGUID), 4096)
	require.NoError(t, err)
	path, _, err := efi.ParseDevicePath(raw)
	require.NoError(t, err)
	return path.String()
}

// readDisk reads by DiskIO.
func (g *guestProgram) readDisk(t *testing.T, h efi.Handle, offset, n uint64) []byte {
	t.Helper()
	buffer := uint64(g.Local(n))
	g.want(t, "ReadDisk", g.method(g.protocol(t, h, efi.DiskIOProtocolGUID), slotReadDisk, testMedium, offset, n, buffer), efi.Success)
	return g.bytes(buffer, n)
}

// wantMedia checks what a handle's BlockIO says of itself.
func (g *guestProgram) wantMedia(t *testing.T, h efi.Handle, partition bool, sector uint32, last uint64) {
	t.Helper()
	media := g.slot(g.protocol(t, h, efi.BlockIOProtocolGUID), slotMedia)
	require.Equal(t, efi.BooleanOf(partition), puppet.Load(g.Thread, efi.Ptr[efi.Boolean](media+6)))
	require.Equal(t, sector, puppet.Load(g.Thread, efi.Ptr[uint32](media+12)))
	require.Equal(t, last, puppet.Load(g.Thread, efi.Ptr[uint64](media+24)))
}

func TestPlatformHasNoDisk(t *testing.T) {
	onPlatform(t, protocols.Platform{Volume: lowerFS()}, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		require.Empty(t, g.handles(t, efi.BlockIOProtocolGUID))
		require.Empty(t, g.handles(t, efi.DiskIOProtocolGUID))
		require.Equal(t, []efi.Handle{volume}, g.handles(t, efi.SimpleFileSystemProtocolGUID))
		n, at := g.word(0), g.word(0)
		g.want(t, "ProtocolsPerHandle", g.call(g.bs.ProtocolsPerHandle, uint64(volume), uint64(at), uint64(n)), efi.Success)
		require.EqualValues(t, 2, puppet.Load(g.Thread, n))
	})
	onPlatform(t, protocols.Platform{MakeDisk: true}, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		require.Zero(t, volume)
		require.Empty(t, g.handles(t, efi.BlockIOProtocolGUID))
	})
}

func TestPlatformMakesDisk(t *testing.T) {
	onPlatform(t, protocols.Platform{Volume: lowerFS(), MakeDisk: true}, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		both := g.handles(t, efi.BlockIOProtocolGUID)
		require.Len(t, both, 2)
		require.Equal(t, volume, both[1])
		require.Equal(t, both, g.handles(t, efi.DiskIOProtocolGUID))
		require.Equal(t, "PciRoot(0x0)/Pci(0x1,0x0)", g.pathOf(t, both[0]))
		require.Equal(t, protocols.DefaultDisk().String(), g.pathOf(t, volume))
		sectors := uint64(2048 + 1<<20 + 2048)
		g.wantMedia(t, both[0], false, 512, sectors-1)
		g.wantMedia(t, volume, true, 512, 1<<20-1)

		table := g.readDisk(t, both[0], 0, 34*512)
		gpt, err := protocols.ReadGPT(bytes.NewReader(table), int64(sectors*512))
		require.NoError(t, err)
		require.Equal(t, []protocols.Partition{esp(t)}, gpt.Partitions)
		require.Equal(t, make([]byte, 1024), g.readDisk(t, volume, 1<<29-1024, 1024))
	})
}

func TestPlatformWholeDisk(t *testing.T) {
	disk := io.NewSectionReader(bytes.NewReader(pattern), 0, testBlocks*testSector)
	bus := efi.DevicePath{efi.PCIRoot(0), efi.PCI(2, 0)}
	for name, test := range map[string]struct {
		node   efi.Node
		sector uint32
		first  uint64 // byte of the partition
		last   uint64 // sector
	}{
		"GPT":           {efi.HardDriveGPT(3, 2, 4, efi.GUID{Data1: 9}), 0, 1024, 3},
		"MBR":           {efi.HardDriveMBR(1, 8, 1, 0x1234), 0, 4096, 0},
		"large sectors": {efi.HardDriveGPT(1, 1, 3, efi.GUID{Data1: 9}), 1024, 1024, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := protocols.Platform{Volume: lowerFS(), Disk: bus.Append(test.node), WholeDisk: disk, SectorSize: test.sector, MakeDisk: true}
			onPlatform(t, p, func(t *testing.T, g *guestProgram, volume efi.Handle) {
				both := g.handles(t, efi.BlockIOProtocolGUID)
				require.Len(t, both, 2)
				require.Equal(t, bus.String(), g.pathOf(t, both[0]))
				sector := max(test.sector, 512)
				g.wantMedia(t, both[0], false, sector, uint64(testBlocks*testSector/sector-1))
				g.wantMedia(t, volume, true, sector, test.last)
				require.Equal(t, pattern[700:800], g.readDisk(t, both[0], 700, 100))
				n := (test.last + 1) * uint64(sector)
				require.Equal(t, pattern[test.first:][:n], g.readDisk(t, volume, 0, n))
				status := g.method(g.protocol(t, volume, efi.DiskIOProtocolGUID), slotReadDisk, testMedium, n-1, 2, uint64(g.Local(2)))
				g.want(t, "ReadDisk behind the partition", status, efi.InvalidParameter)
			})
		})
	}
	p := protocols.Platform{Volume: lowerFS(), Disk: bus, WholeDisk: disk}
	onPlatform(t, p, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		require.Equal(t, []efi.Handle{volume}, g.handles(t, efi.BlockIOProtocolGUID))
		g.wantMedia(t, volume, false, 512, testBlocks-1)
	})
}

func TestPlatformDiskFails(t *testing.T) {
	disk := io.NewSectionReader(bytes.NewReader(pattern), 0, testBlocks*testSector)
	on := func(start, size uint64) efi.DevicePath {
		return efi.DevicePath{efi.PCIRoot(0), efi.HardDriveGPT(1, start, size, efi.GUID{Data1: 1})}
	}
	for name, p := range map[string]protocols.Platform{
		"partition behind the disk":  {WholeDisk: disk, Disk: on(testBlocks, 1)},
		"partition across its end":   {WholeDisk: disk, Disk: on(1, testBlocks)},
		"partition of all there is":  {WholeDisk: disk, Disk: on(1, ^uint64(0))},
		"partition of nothing":       {WholeDisk: disk, Disk: on(1, 0)},
		"odd sectors":                {WholeDisk: disk, Disk: on(1, 1), SectorSize: 1000},
		"a disk without sectors":     {WholeDisk: io.NewSectionReader(disk, 0, 0), Disk: on(0, 1)},
		"a made up MBR":              {MakeDisk: true, Disk: efi.DevicePath{efi.HardDriveMBR(1, 2048, 100, 7)}},
		"a made up disk of what":     {MakeDisk: true, Disk: efi.DevicePath{efi.PCIRoot(0)}},
		"a made up table in the way": {MakeDisk: true, Disk: on(33, 1)},
		"a made up lack of sectors":  {MakeDisk: true, Disk: on(2048, 0)},
	} {
		m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: new(puppet.Puppet).New, MemoryMap: emu.Layout(cpu.AMD64, 16<<20)})
		require.NoError(t, err)
		defer m.Close()
		p.Volume = lowerFS()
		_, err = p.Install(m)
		require.Error(t, err, name)
	}
}

func TestPlatformOverlay(t *testing.T) {
	lower, host := lowerFS(), writable(t)
	for name, volume := range map[string]fs.FS{"read-only": lower, "writable": host} {
		p := protocols.Platform{Volume: volume, Overlay: true}
		onPlatform(t, p, func(t *testing.T, g *guestProgram, handle efi.Handle) {
			root, file := g.word(0), g.word(0)
			sfs := g.protocol(t, handle, efi.SimpleFileSystemProtocolGUID)
			g.want(t, "OpenVolume", g.method(sfs, slotOpenVolume, uint64(root)), efi.Success)
			this := efi.Addr(puppet.Load(g.Thread, root))
			g.want(t, name, g.method(this, slotFileOpen, uint64(file), g.text("made"), uint64(forMaking), 0), efi.Success)
		})
	}
	require.Equal(t, tree(t, lowerFS()), tree(t, lower))
	_, err := fs.Stat(host, "made")
	require.NoError(t, err)
	require.NotErrorIs(t, err, os.ErrNotExist)
}
