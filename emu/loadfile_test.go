// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

// A LoadFile2 of the guest's own, as systemd's stub and Linux's zboot install.
func TestLoadImageByLoadFile(t *testing.T) { // §7.4.1, §13.1, §13.2
	for _, row := range []struct {
		name   string
		guid   efi.GUID
		policy efi.Boolean
		want   efi.Status
	}{
		{"LoadFile2", efi.LoadFile2ProtocolGUID, efi.False, efi.Success},
		{"LoadFile", efi.LoadFileProtocolGUID, efi.False, efi.Success},
		{"LoadFile at boot", efi.LoadFileProtocolGUID, efi.True, efi.Success},
		{"LoadFile2 at boot", efi.LoadFile2ProtocolGUID, efi.True, efi.NotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			play(t, emu.Config{}, func(g *guest) {
				h := device(g, efi.VendorMedia(other))
				file := newImage(g, pecoff.Application, func(g *guest) efi.Status {
					info := load(g, loadedImage(g, g.Image))
					same(g, "device", info.DeviceHandle, h)
					rest, err := g.Memory().Tail(info.FilePath, 64)
					if path, _, perr := efi.ParseDevicePath(rest); err != nil || perr != nil || path.String() != `kernel` {
						g.T.Fatalf("file path %v, %v, %v", path, err, perr)
					}
					return efi.EndOfMedia
				})
				calls := 0
				at := methods(g, 0, func(g *guest) efi.Status {
					calls++
					same(g, "policy", efi.Boolean(g.Arg(2)), row.policy)
					raw, _ := g.Memory().Tail(efi.Addr(g.Arg(1)), 64)
					if path, _, err := efi.ParseDevicePath(raw); err != nil || path.String() != "kernel" {
						g.T.Fatalf("path %v, %v", path, err)
					}
					size := efi.Ptr[uint64](g.Arg(3))
					room := load(g, size)
					puppet.Store(g.Thread, size, uint64(len(file)))
					if g.Arg(4) == 0 || room < uint64(len(file)) {
						return efi.BufferTooSmall
					}
					if err := g.Memory().Write(efi.Addr(g.Arg(4)), file); err != nil {
						g.T.Fatal(err)
					}
					return efi.Success
				})
				addProtocol(g, h, row.guid, at)
				path := pool(g, efi.DevicePath{efi.VendorMedia(other), efi.FilePath("kernel")}.Bytes())
				before, _ := memoryMap(g)
				out := local[efi.Handle](g, 0)
				expect(g, row.want, "LoadImage", row.policy, g.Image, path, 0, 0, out)
				if row.want != efi.Success {
					return
				}
				same(g, "calls", calls, 2)
				expect(g, efi.EndOfMedia, "StartImage", load(g, out), 0, 0)
				if after, _ := memoryMap(g); !slices.Equal(before, after) {
					g.T.Fatal("it left memory behind")
				}
			})
		})
	}
}

func TestLoadFileThatFails(t *testing.T) {
	for _, row := range []struct {
		name string
		f    func(*guest) efi.Status
		want efi.Status
	}{
		{"refuses", func(g *guest) efi.Status { return efi.NoMedia }, efi.NoMedia},
		{"succeeds without a buffer", func(g *guest) efi.Status { return efi.Success }, efi.LoadError},
		{"asks for all memory", func(g *guest) efi.Status {
			puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), 1<<30)
			return efi.BufferTooSmall
		}, efi.OutOfResources},
		{"asks for more than there is", func(g *guest) efi.Status {
			puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), ^uint64(0))
			return efi.BufferTooSmall
		}, efi.OutOfResources},
		{"is never content", func(g *guest) efi.Status {
			puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), 0x10000)
			return efi.BufferTooSmall
		}, efi.BufferTooSmall},
		{"gives more than it said", func(g *guest) efi.Status {
			if g.Arg(4) == 0 {
				puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), 0x1000)
				return efi.BufferTooSmall
			}
			puppet.Store(g.Thread, efi.Ptr[uint64](g.Arg(3)), ^uint64(0))
			return efi.Success
		}, efi.Unsupported},
	} {
		t.Run(row.name, func(t *testing.T) {
			play(t, emu.Config{}, func(g *guest) {
				h := device(g, efi.VendorMedia(other))
				addProtocol(g, h, efi.LoadFile2ProtocolGUID, methods(g, 0, row.f))
				path := pool(g, efi.DevicePath{efi.VendorMedia(other)}.Bytes())
				out := local[efi.Handle](g, 0)
				before, _ := memoryMap(g)
				expect(g, row.want, "LoadImage", efi.False, g.Image, path, 0, 0, out)
				if after, _ := memoryMap(g); !slices.Equal(before, after) {
					g.T.Fatal("it left memory behind")
				}
			})
		})
	}
}

// volume is a file system of the guest's with one file.
type volume struct {
	data        []byte
	size        uint64 // that it says the file has
	opened      []string
	closed      int
	openFails   efi.Status
	closeStatus efi.Status
}

func (v *volume) install(g *guest) efi.Handle {
	at := 0
	file := methods(g, 0x10000, nil,
		func(g *guest) efi.Status { v.closed++; return v.closeStatus },
		nil,
		func(g *guest) efi.Status { // Read
			size := efi.Ptr[uint64](g.Arg(1))
			n := min(load(g, size), uint64(len(v.data)-at))
			if err := g.Memory().Write(efi.Addr(g.Arg(2)), v.data[at:at+int(n)]); err != nil {
				g.T.Fatal(err)
			}
			at += int(n)
			puppet.Store(g.Thread, size, n)
			return 0
		},
		nil, nil, nil,
		func(g *guest) efi.Status { // GetInfo
			same(g, "information", load(g, efi.Ptr[efi.GUID](g.Arg(1))), efi.FileInfoGUID)
			puppet.Store(g.Thread, efi.Ptr[efi.FileInfo](g.Arg(3)), efi.FileInfo{Size: 82, FileSize: v.size})
			return 0
		})
	root := methods(g, 0x10000,
		func(g *guest) efi.Status { // Open
			raw, err := g.Memory().String16(efi.Addr(g.Arg(2)), 100)
			if err != nil {
				g.T.Fatal(err)
			}
			v.opened = append(v.opened, efi.DecodeString(raw))
			same(g, "mode", efi.FileMode(g.Arg(3)), efi.FileModeRead)
			puppet.Store(g.Thread, efi.Ptr[efi.Addr](g.Arg(1)), file)
			return v.openFails
		},
		func(g *guest) efi.Status { v.closed++; return v.closeStatus })
	h := device(g, efi.VendorMedia(other))
	addProtocol(g, h, efi.SimpleFileSystemProtocolGUID, methods(g, 0x10000, func(g *guest) efi.Status {
		puppet.Store(g.Thread, efi.Ptr[efi.Addr](g.Arg(1)), root)
		return 0
	}))
	return h
}

func TestLoadImageFromGuestVolume(t *testing.T) { // §13.4, §13.5
	for _, row := range []struct {
		name   string
		v      volume
		want   efi.Status
		closed int
	}{
		{"", volume{}, efi.Success, 2},
		{"that warns when it closes", volume{closeStatus: efi.WarnDeleteFailure}, efi.Success, 2},
		{"that fails to close", volume{closeStatus: efi.DeviceError}, efi.Success, 2},
		{"without the file", volume{openFails: efi.NotFound}, efi.NotFound, 1},
		{"that says the file is long", volume{size: 1 << 40}, efi.OutOfResources, 2},
		{"that says the file is short", volume{size: 100}, efi.LoadError, 2},
	} {
		t.Run("volume "+row.name, func(t *testing.T) {
			play(t, emu.Config{}, func(g *guest) {
				v := row.v
				v.data = newImage(g, pecoff.Application, func(g *guest) efi.Status { return efi.EndOfFile })
				if v.size == 0 {
					v.size = uint64(len(v.data))
				}
				v.install(g)
				path := pool(g, efi.DevicePath{efi.VendorMedia(other), efi.FilePath(`\EFI`), efi.FilePath(`x.efi`)}.Bytes())
				out := local[efi.Handle](g, 0)
				expect(g, row.want, "LoadImage", efi.False, g.Image, path, 0, 0, out)
				same(g, "files closed", v.closed, row.closed)
				if !slices.Equal(v.opened, []string{`\EFI\x.efi`}) {
					g.T.Fatalf("%q were opened", v.opened)
				}
				if row.want == efi.Success {
					expect(g, efi.EndOfFile, "StartImage", load(g, out), 0, 0)
				}
			})
		})
	}
}

// An image whose volume calls Exit of the image that asked: nothing of the volume
// is called any more, and what is open stays so.
func TestExitFromVolume(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		v := &volume{}
		status, _ := app(g, func(g *guest) efi.Status {
			self := g.Image
			root := methods(g, 0x10000,
				func(g *guest) efi.Status { g.Image = self; exit(g, efi.Aborted); return 0 },
				func(g *guest) efi.Status { v.closed++; return 0 })
			addProtocol(g, device(g, efi.VendorMedia(other)), efi.SimpleFileSystemProtocolGUID, methods(g, 0x10000, func(g *guest) efi.Status {
				puppet.Store(g.Thread, efi.Ptr[efi.Addr](g.Arg(1)), root)
				return 0
			}))
			path := pool(g, efi.DevicePath{efi.VendorMedia(other), efi.FilePath("x")}.Bytes())
			g.T.Fatalf("LoadImage = %v", g.Boot("LoadImage", efi.False, g.Image, path, 0, 0, local[efi.Handle](g, 0)))
			return 0
		})
		same(g, "status", status, efi.Aborted)
		same(g, "files closed", v.closed, 0)
	})
}
