// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/fat"
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
		require.Equal(t, both, g.handles(t, efi.BlockIO2ProtocolGUID))
		sectors := uint64(2048 + 1<<23 + 2048)
		g.wantMedia(t, both[0], false, 512, sectors-1)
		g.wantMedia(t, volume, true, 512, 1<<23-1)

		table := g.readDisk(t, both[0], 0, 34*512)
		gpt, err := protocols.ReadGPT(bytes.NewReader(table), int64(sectors*512))
		require.NoError(t, err)
		require.Equal(t, []protocols.Partition{esp(t)}, gpt.Partitions)
		require.Equal(t, make([]byte, 1024), g.readDisk(t, volume, 1<<32-1024, 1024))
		for at, h := range map[int64]efi.Handle{0: volume, 2048 * 512: both[0]} {
			f, err := fat.Open(guestDisk{t, g, h, at}, 1<<32)
			require.NoError(t, err)
			require.Equal(t, tree(t, lowerFS()), tree(t, f))
		}
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
			p := protocols.Platform{Volume: lowerFS(), Disk: bus.Append(test.node), WholeDisk: disk, SectorSize: test.sector}
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

// guestDisk is a part of a disk as a guest reads it.
type guestDisk struct {
	t  *testing.T
	g  *guestProgram
	h  efi.Handle
	at int64
}

func (d guestDisk) ReadAt(b []byte, at int64) (int, error) {
	return copy(b, d.g.readDisk(d.t, d.h, uint64(d.at+at), uint64(len(b)))), nil
}

// On a real disk, the volume's partition shows the folder, and others what they
// hold.
func TestPlatformDiskWithFolder(t *testing.T) {
	other, err := fat.NewVolume(fstest.MapFS{"other": {Data: []byte("file")}}, fat.VolumeOptions{Size: 1 << 20})
	require.NoError(t, err)
	data := protocols.Partition{Number: 2, Type: efi.GUID{Data1: 1}, GUID: efi.GUID{Data1: 7}, First: 40, Last: 40 + 2047}
	system := protocols.Partition{Number: 1, Type: efi.PartitionTypeSystemGUID, GUID: efi.GUID{Data1: 8}, First: 4096, Last: 4096 + 8191}
	image := gptImage(t, data, system)
	_, err = other.ReadAt(image[40*512:][:1<<20], 0)
	require.NoError(t, err)
	copy(image[4096*512:], "what was there")
	before := bytes.Clone(image)
	bus := efi.DevicePath{efi.PCIRoot(0), efi.PCI(2, 0)}
	p := protocols.Platform{
		Volume: lowerFS(), MakeDisk: true, Disk: bus.Append(system.Node()),
		WholeDisk: io.NewSectionReader(bytes.NewReader(image), 0, int64(len(image))),
	}
	onPlatform(t, p, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		all := g.handles(t, efi.BlockIOProtocolGUID)
		require.Len(t, all, 3)
		require.Equal(t, []string{bus.String(), p.Disk.String(), bus.Append(data.Node()).String()},
			[]string{g.pathOf(t, all[0]), g.pathOf(t, all[1]), g.pathOf(t, all[2])})
		require.Equal(t, volume, all[1])
		require.Equal(t, all[1:], g.handles(t, efi.SimpleFileSystemProtocolGUID))
		require.Equal(t, image[:34*512], g.readDisk(t, all[0], 0, 34*512))
		g.wantMedia(t, all[2], true, 512, 2047)
		for _, h := range []guestDisk{{t, g, volume, 0}, {t, g, all[0], 4096 * 512}} {
			f, err := fat.Open(h, 4<<20)
			require.NoError(t, err)
			require.Equal(t, tree(t, lowerFS()), tree(t, f))
			boot := make([]byte, 512)
			_, err = h.ReadAt(boot, 0)
			require.NoError(t, err)
			require.EqualValues(t, 4096, binary.LittleEndian.Uint32(boot[28:]), "hidden sectors")
		}
		root, file, size := g.word(0), g.word(0), g.word(10)
		g.want(t, "OpenVolume", g.method(g.protocol(t, all[2], efi.SimpleFileSystemProtocolGUID), slotOpenVolume, uint64(root)), efi.Success)
		g.want(t, "Open", g.method(efi.Addr(puppet.Load(g.Thread, root)), slotFileOpen, uint64(file), g.text("OTHER"), 1, 0), efi.Success)
		buffer := uint64(g.Local(10))
		g.want(t, "Read", g.method(efi.Addr(puppet.Load(g.Thread, file)), slotFileRead, uint64(size), buffer), efi.Success)
		require.Equal(t, "file", string(g.bytes(buffer, puppet.Load(g.Thread, size))))

		// What is written to a partition is written to the disk, in memory.
		word := g.put([]byte("written!"))
		g.want(t, "WriteDisk", g.method(g.protocol(t, volume, efi.DiskIOProtocolGUID), slotWriteDisk, testMedium, 700, 8, word), efi.Success)
		require.Equal(t, "written!", string(g.readDisk(t, all[0], 4096*512+700, 8)))
		g.want(t, "WriteDisk", g.method(g.protocol(t, all[0], efi.DiskIOProtocolGUID), slotWriteDisk, testMedium, 40*512+9, 8, word), efi.Success)
		require.Equal(t, "written!", string(g.readDisk(t, all[2], 9, 8)))
	})
	require.Equal(t, before, image)
}

// A folder that cannot be shown is an error of its sectors alone.
func TestPlatformFolderTooLarge(t *testing.T) {
	p := protocols.Platform{
		Volume:   fstest.MapFS{"large": {Data: make([]byte, 2<<20)}},
		MakeDisk: true, Disk: efi.DevicePath{efi.HardDriveGPT(1, 2048, 2048, efi.GUID{Data1: 1})},
	}
	onPlatform(t, p, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		both, buffer := g.handles(t, efi.DiskIOProtocolGUID), uint64(g.Local(1024))
		g.readDisk(t, both[0], 0, 34*512)
		g.want(t, "ReadDisk", g.method(g.protocol(t, volume, efi.DiskIOProtocolGUID), slotReadDisk, testMedium, 0, 512, buffer), efi.DeviceError)
		g.want(t, "ReadDisk", g.method(g.protocol(t, both[0], efi.DiskIOProtocolGUID), slotReadDisk, testMedium, 2047*512, 1024, buffer), efi.DeviceError)
	})
}

func TestPlatformCD(t *testing.T) {
	image := isoImage(100, isoEntry{bootable: true, platform: 0}, isoEntry{bootable: true, platform: 0xef, first: 40, count: 100})
	bus := efi.DevicePath{efi.PCIRoot(0), efi.PCI(3, 0)}
	r := io.NewSectionReader(bytes.NewReader(image), 0, int64(len(image)))
	layout, err := protocols.ReadDiskLayout(r, r.Size(), 0)
	require.NoError(t, err)
	system, ok := layout.System()
	require.True(t, ok)
	p := protocols.Platform{Volume: lowerFS(), Disk: bus.Append(system.Path...), WholeDisk: r, SectorSize: layout.SectorSize}
	onPlatform(t, p, func(t *testing.T, g *guestProgram, volume efi.Handle) {
		all := g.handles(t, efi.BlockIOProtocolGUID)
		require.Len(t, all, 3)
		require.Equal(t, volume, all[2])
		require.Equal(t, bus.String()+"/CDROM(0x1,0x28,0x64)", g.pathOf(t, volume))
		g.wantMedia(t, all[0], false, 2048, 99)
		g.wantMedia(t, volume, true, 2048, 59) // to the end of the CD
		for _, h := range all {
			media := g.slot(g.protocol(t, h, efi.BlockIOProtocolGUID), slotMedia)
			require.Equal(t, []byte{1, 1}, g.bytes(uint64(media)+4, 2), "removable, present")
			require.Equal(t, []byte{1}, g.bytes(uint64(media)+7, 1), "read-only")
			require.EqualValues(t, efi.WriteProtected, g.method(g.protocol(t, h, efi.DiskIOProtocolGUID), slotWriteDisk, testMedium, 0, 1, uint64(g.Local(1))))
		}
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
