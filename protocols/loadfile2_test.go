// SPDX-License-Identifier: BSD-3-Clause

package protocols_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/protocols"
)

const slotLoadFile = 0

var initrdPath = efi.DevicePath{efi.VendorMedia(efi.LinuxInitrdMediaGUID)}

// locatePath is LocateDevicePath and HandleProtocol for LoadFile2: the interface
// and what is left of the path.
func (g *guestProgram) locatePath(t *testing.T, path efi.DevicePath) (efi.Addr, uint64) {
	t.Helper()
	guid, at, handle, out := g.guid(efi.LoadFile2ProtocolGUID), g.word(g.path(path)), g.word(0), g.word(0)
	g.want(t, "LocateDevicePath", g.call(g.bs.LocateDevicePath, guid, uint64(at), uint64(handle)), efi.Success)
	g.want(t, "HandleProtocol", g.call(g.bs.HandleProtocol, puppet.Load(g.Thread, handle), guid, uint64(out)), efi.Success)
	return efi.Addr(puppet.Load(g.Thread, out)), puppet.Load(g.Thread, at)
}

// The calls are those of Linux' stub.
func TestInitrd(t *testing.T) {
	for _, size := range []int{1, 3, 70000} {
		data := bytes.Repeat([]byte{0xa5}, size)
		runGuest(t, install(protocols.Initrd(bytes.NewReader(data), int64(size))...), func(t *testing.T, g *guestProgram) {
			lf2, rest := g.locatePath(t, initrdPath)
			n := g.word(0)
			g.want(t, "the size", g.method(lf2, slotLoadFile, rest, 0, uint64(n), 0), efi.BufferTooSmall)
			if got := puppet.Load(g.Thread, n); got != uint64(size) {
				t.Fatalf("the size is %d", got)
			}
			pages := g.word(0)
			const anyPages = 0
			g.want(t, "AllocatePages", g.call(g.bs.AllocatePages, anyPages, uint64(efi.LoaderData), efi.Pages(uint64(size)), uint64(pages)), efi.Success)
			buffer := puppet.Load(g.Thread, pages)
			g.want(t, "the file", g.method(lf2, slotLoadFile, rest, 0, uint64(n), buffer), efi.Success)
			if !bytes.Equal(g.bytes(buffer, uint64(size)), data) {
				t.Error("the file is another")
			}
		})
	}
}

func TestInitrdRefuses(t *testing.T) {
	runGuest(t, install(protocols.Initrd(strings.NewReader("cpio"), 4)...), func(t *testing.T, g *guestProgram) {
		lf2, rest := g.locatePath(t, initrdPath)
		n, buffer := g.word(4), uint64(g.Local(8))
		other := g.path(efi.DevicePath{efi.FilePath(`\initrd`)})
		for _, test := range []struct {
			what               string
			path, policy, size uint64
			buffer             uint64
			status             efi.Status
		}{
			{"a boot policy", rest, 1, uint64(n), buffer, efi.Unsupported},
			{"no path", 0, 0, uint64(n), buffer, efi.InvalidParameter},
			{"no size", rest, 0, 0, buffer, efi.InvalidParameter},
			{"more path", other, 0, uint64(n), buffer, efi.NotFound},
			{"no buffer, though there is room", rest, 0, uint64(n), 0, efi.BufferTooSmall},
			{"no room", rest, 0, uint64(g.word(3)), buffer, efi.BufferTooSmall},
			{"a node of two bytes", g.put([]byte{4, 3, 2, 0}), 0, uint64(n), buffer, efi.InvalidParameter},
		} {
			g.want(t, test.what, g.method(lf2, slotLoadFile, test.path, test.policy, test.size, test.buffer), test.status)
		}
		if got := g.bytes(buffer, 8); !bytes.Equal(got, make([]byte, 8)) {
			t.Errorf("%q was read", got)
		}
		args := []uint64{uint64(lf2), rest, 0, uint64(n), buffer}
		g.wantWild(t, "LoadFile", g.slot(lf2, slotLoadFile), args, 0, 1, 3, 4)
		g.wantReadOnly(t, "LoadFile", g.slot(lf2, slotLoadFile), args, 3, 4)
	})
}

func TestInitrdEmpty(t *testing.T) {
	if got := protocols.Initrd(strings.NewReader(""), 0); got != nil {
		t.Errorf("an empty initrd is %+v", got)
	}
}

func TestLoadFile2(t *testing.T) {
	device := efi.DevicePath{efi.VendorMedia(efi.GUID{Data1: 1})}
	open := func(path efi.DevicePath) (*io.SectionReader, error) {
		switch path.String() {
		case `\a`:
			return io.NewSectionReader(strings.NewReader("contents"), 0, 8), nil
		case `\empty`:
			return io.NewSectionReader(strings.NewReader(""), 0, 0), nil
		case `\cut`:
			return io.NewSectionReader(strings.NewReader("sho"), 0, 8), nil
		case `\broken`:
			return nil, errors.New("cable is out")
		}
		return nil, fs.ErrNotExist
	}
	runGuest(t, install(protocols.DevicePath(device), protocols.LoadFile2(open)), func(t *testing.T, g *guestProgram) {
		for name, want := range map[string]efi.Status{
			`\a`: efi.Success, `\empty`: efi.Success, `\cut`: efi.DeviceError, `\broken`: efi.DeviceError, `\b`: efi.NotFound,
		} {
			lf2, rest := g.locatePath(t, device.Append(efi.FilePath(name)))
			size, buffer := g.word(8), uint64(g.Local(8))
			g.want(t, name, g.method(lf2, slotLoadFile, rest, 0, uint64(size), buffer), want)
			if got := string(g.bytes(buffer, 8)); name == `\a` && got != "contents" {
				t.Errorf("%s holds %q", name, got)
			}
			if want == efi.Success {
				g.want(t, name+" without a buffer", g.method(lf2, slotLoadFile, rest, 0, uint64(size), 0), efi.BufferTooSmall)
			}
		}
	})
}

// LoadImage reads a host's LoadFile2 without a call.
func TestLoadFile2LoadImage(t *testing.T) {
	device := efi.DevicePath{efi.VendorMedia(efi.GUID{Data1: 2})}
	setup := func(t *testing.T, m *emu.Machine) {
		image := guestImage(m.Arch(), [puppet.CodeSize]byte{})
		install(protocols.DevicePath(device), protocols.LoadFile2(func(path efi.DevicePath) (*io.SectionReader, error) {
			if len(path) != 1 {
				return nil, efi.NotFound
			}
			return io.NewSectionReader(bytes.NewReader(image), 0, int64(len(image))), nil
		}))(t, m)
	}
	runGuest(t, setup, func(t *testing.T, g *guestProgram) {
		for _, test := range []struct {
			path   efi.DevicePath
			policy uint64
			status efi.Status
		}{
			{device.Append(efi.FilePath(`\image`)), 0, efi.Success},
			{device.Append(efi.FilePath(`\image`)), 1, efi.NotFound},
			{device, 0, efi.NotFound},
		} {
			out := g.word(0)
			status := g.call(g.bs.LoadImage, test.policy, uint64(g.image), g.path(test.path), 0, 0, uint64(out))
			g.want(t, test.path.String(), status, test.status)
		}
	})
}
