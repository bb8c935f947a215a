// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"io"
	"io/fs"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// Platform is a plain machine's devices: a console, a volume, an initrd, random
// numbers and the conversion of device paths to text. The zero value has a
// console that is silent and no volume. For anything else, install the pieces.
type Platform struct {
	In      io.Reader // of the console, see Console; nil has no keys
	Out     io.Writer // nil discards
	Console ConsoleOptions

	// Volume is what the image finds as the file system that it was loaded from;
	// nil has none. Disk is its device path; empty is DefaultDisk.
	Volume  fs.FS
	Options VolumeOptions
	Disk    efi.DevicePath

	// Overlay lets the image write to a Volume that is no WritableFS: what it
	// writes is kept as Overlay keeps it, with the machine's clock, and lost.
	Overlay bool

	// WholeDisk is the disk that Volume lies on, with sectors of SectorSize bytes
	// (0 is 512; 2048 is a CD's). It is read where the image asks for its blocks, and
	// what the image writes to them is kept as OverlayDisk keeps it; a CD is
	// read-only. ReadDiskLayout finds a disk's Volume, Disk and SectorSize.
	//
	// The disk is on a handle of its own, with the device path of Disk without the
	// partition at its end. The volume's handle has the blocks of its partition, and
	// each other partition that ReadDiskLayout finds is on a handle with its blocks
	// and, if it holds a FAT, a file system. A Disk that does not end in a partition is
	// the whole disk, and the volume's handle has all of it. Blocks are BlockIO,
	// BlockIO2 and DiskIO.
	WholeDisk  *io.SectionReader
	SectorSize uint32

	// MakeDisk makes the blocks of the volume's partition those of a FAT32 volume
	// with the files of Volume, as they are when a block is first read; see
	// fat.NewVolume. If WholeDisk is nil, it makes up a disk around it, with a GPT
	// whose EFI system partition it is. What an image writes to blocks does not come
	// back as files, nor the other way round.
	//
	// Without MakeDisk and WholeDisk no handle has blocks, and what an image looks for
	// there, such as systemd's stub for the random seed, it does not find.
	MakeDisk bool

	// FrameBuffer is shown as a GraphicsOutput; nil has none.
	FrameBuffer *FrameBuffer

	// Initrd is what LoadFile2 on the LINUX_EFI_INITRD_MEDIA device path reads;
	// nil has none. Stubs up to systemd's 257 refuse to start when there is one.
	Initrd *io.SectionReader
}

// DefaultDisk is the device path of a volume that lies on no real disk: the
// first partition of a GPT disk behind the first PCI root bridge. Its GUID and
// size, 4 GiB, are made up.
func DefaultDisk() efi.DevicePath {
	partition := efi.GUID{Data1: 0x75656669, Data2: 0x6578, Data3: 0x4563, Data4: [8]byte{0x80, 'v', 'o', 'l', 'u', 'm', 'e', '1'}}
	return efi.DevicePath{efi.PCIRoot(0), efi.PCI(1, 0), efi.HardDriveGPT(1, 2048, 1<<23, partition)}
}

// Install installs the devices and returns the volume's handle, 0 if there is
// none.
func (p Platform) Install(m *emu.Machine) (volume efi.Handle, err error) {
	if _, err := m.Install(0, DevicePathToText(), DevicePathFromText(), DevicePathUtilities(), RNG(), MemoryAttribute()); err != nil {
		return 0, err
	}
	if _, err := m.Install(0, UnicodeCollation()...); err != nil {
		return 0, err
	}
	console, err := m.Install(0, Console(p.In, p.Out, p.Console)...)
	if err != nil {
		return 0, err
	}
	if err := m.SetConsole(console); err != nil {
		return 0, err
	}
	if p.FrameBuffer != nil {
		if _, err := m.Install(0, GraphicsOutput(*p.FrameBuffer)); err != nil {
			return 0, err
		}
	}
	if p.Initrd != nil {
		if _, err := m.Install(0, Initrd(p.Initrd, p.Initrd.Size())...); err != nil {
			return 0, err
		}
	}
	if p.Volume == nil {
		return 0, nil
	}
	return p.installVolume(m)
}

// installVolume installs the disk, if there is one, its partitions, and among them
// the volume.
func (p Platform) installVolume(m *emu.Machine) (volume efi.Handle, err error) {
	path := p.Disk
	if len(path) == 0 {
		path = DefaultDisk()
	}
	devices, err := p.devices(path)
	if err != nil {
		return 0, err
	}
	for _, d := range devices {
		interfaces := []emu.Interface{DevicePath(d.path)}
		if d.files != nil {
			if _, writable := d.files.(WritableFS); p.Overlay && !writable {
				d.files = newOverlay(d.files, m.Clock().Now)
			}
			interfaces = append(interfaces, SimpleFileSystem(d.files, d.options))
		}
		h, err := m.Install(0, append(interfaces, d.blocks...)...)
		if err != nil {
			return 0, err
		}
		if d.isVolume {
			volume = h
		}
	}
	return volume, nil
}
