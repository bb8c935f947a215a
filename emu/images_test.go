// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

func TestLoadImage(t *testing.T) { // §7.4.1
	playAll(t, []scene{
		{"application", func(g *guest) {
			parent := g.Image
			file := newImage(g, pecoff.Application, func(g *guest) efi.Status {
				info := load(g, loadedImage(g, g.Image))
				same(g, "revision", info.Revision, efi.LoadedImageRevision)
				same(g, "parent", info.ParentHandle, parent)
				same(g, "system table", info.SystemTable, g.System)
				same(g, "device", info.DeviceHandle, 0)
				same(g, "code", info.ImageCodeType, efi.LoaderCode)
				same(g, "entry point", info.ImageBase+0x1000, g.Addr())
				same(g, "type", typeAt(g, g.Addr()), efi.LoaderCode)
				same(g, "system table argument", efi.Ptr[efi.SystemTable](g.Arg(1)), g.System)
				return efi.Aborted
			})
			before, _ := memoryMap(g)
			h := loadBuffer(g, file)
			status, data := startImage(g, h)
			same(g, "status", status, efi.Aborted)
			same(g, "length of exit data", len(data), 0)
			if after, _ := memoryMap(g); !slices.Equal(before, after) {
				g.T.Fatalf("it left memory behind: %v, was %v", after, before)
			}
			expect(g, efi.InvalidParameter, "StartImage", h, 0, 0)
			_, status = g.Protocol(h, efi.LoadedImageProtocolGUID)
			same(g, "LoadedImage behind it", status, efi.InvalidParameter)
		}},
		{"kernels do not end where memory does", func(g *guest) {
			// Each is unloaded again, so that the next one would lie in the same place.
			file := newImage(g, pecoff.Application, func(*guest) efi.Status { return 0 })
			end := func() efi.Addr {
				h := loadBuffer(g, file)
				info := load(g, loadedImage(g, h))
				expect(g, efi.Success, "UnloadImage", h)
				return info.ImageBase + efi.Addr(info.ImageSize)
			}
			wall := end()
			if err := g.Memory().Protect(efi.Range{Start: wall, End: wall + efi.PageSize}, 0); err != nil {
				g.T.Fatal(err)
			}
			same(g, "the end of an application", end(), wall)
			copy(file[0x202:], "HdrS")
			kernel := end()
			if _, err := g.Memory().Read(kernel, 32<<10); err != nil || kernel == wall {
				g.T.Errorf("the end of a kernel is %v: %v", kernel, err)
			}
		}},
		{"drivers", func(g *guest) {
			for _, c := range []struct {
				kind       pecoff.Subsystem
				result     efi.Status
				code, data efi.MemoryType
				stays      bool
			}{
				{pecoff.BootServiceDriver, efi.Success, efi.BootServicesCode, efi.BootServicesData, true},
				{pecoff.BootServiceDriver, efi.Unsupported, efi.BootServicesCode, efi.BootServicesData, false},
				{pecoff.RuntimeDriver, efi.Success, efi.RuntimeServicesCode, efi.RuntimeServicesData, true},
			} {
				h := loadBuffer(g, newImage(g, c.kind, func(g *guest) efi.Status { return c.result }))
				info := load(g, loadedImage(g, h))
				same(g, "code", info.ImageCodeType, c.code)
				same(g, "data", info.ImageDataType, c.data)
				same(g, "type", typeAt(g, info.ImageBase), c.code)
				status, _ := startImage(g, h)
				same(g, "status", status, c.result)
				_, status = g.Protocol(h, efi.LoadedImageProtocolGUID)
				same(g, "that it stays", status == efi.Success, c.stays)
			}
		}},
		{"refused", func(g *guest) {
			good := newImage(g, pecoff.Application, func(g *guest) efi.Status { return 0 })
			wrong := slices.Clone(good)
			wrong[0x84] = 0x4c // machine
			wrong[0x85] = 0x01
			h := local[efi.Handle](g, 0)
			for _, c := range []struct {
				want   efi.Status
				parent efi.Handle
				file   []byte
			}{
				{efi.InvalidParameter, 0, good},
				{efi.InvalidParameter, newHandle(g, other, 0), good},
				{efi.Unsupported, g.Image, make([]byte, 4096)},
				{efi.Unsupported, g.Image, wrong},
				{efi.LoadError, g.Image, good[:len(good)-64]},
			} {
				expect(g, c.want, "LoadImage", 0, c.parent, 0, g.Bytes(c.file), len(c.file), h)
			}
			at := g.Bytes(good)
			expect(g, efi.InvalidParameter, "LoadImage", 0, g.Image, 0, at, len(good), 0)
			expect(g, efi.LoadError, "LoadImage", 0, g.Image, 0, at, 0, h)
			expect(g, efi.InvalidParameter, "LoadImage", 0, g.Image, 0, 0, 0, h) // as EDK2
			expect(g, efi.InvalidParameter, "LoadImage", 0, g.Image, 0, 0xffff_0000_0000, len(good), h)
			path := g.Bytes(efi.DevicePath{efi.PCIRoot(0), efi.FilePath(`\x.efi`)}.Bytes())
			expect(g, efi.NotFound, "LoadImage", 0, g.Image, path, 0, 0, h)
			same(g, "handle", load(g, h), 0)
		}},
		{"not started", func(g *guest) {
			file := newImage(g, pecoff.Application, func(g *guest) efi.Status { return 0 })
			before, _ := memoryMap(g)
			expect(g, efi.Success, "UnloadImage", loadBuffer(g, file))
			h := loadBuffer(g, file)
			expect(g, efi.Success, "Exit", h, efi.Success, 0, 0)
			expect(g, efi.InvalidParameter, "UnloadImage", h)
			if after, _ := memoryMap(g); !slices.Equal(before, after) {
				g.T.Fatal("it left memory behind")
			}
		}},
		{"options", func(g *guest) {
			file := newImage(g, pecoff.Application, func(g *guest) efi.Status {
				info := load(g, loadedImage(g, g.Image))
				raw, err := g.Memory().Read(info.LoadOptions, uint64(info.LoadOptionsSize))
				if err != nil || efi.DecodeString(raw) != "quiet splash" {
					g.T.Fatalf("%q, %v", raw, err)
				}
				return 0
			})
			h := loadBuffer(g, file)
			at := loadedImage(g, h)
			info := load(g, at)
			text := efi.EncodeString("quiet splash")
			info.LoadOptions, info.LoadOptionsSize = g.Bytes(text), uint32(len(text))
			puppet.Store(g.Thread, at, info)
			status, _ := startImage(g, h)
			same(g, "status", status, efi.Success)
		}},
	})
}

func TestUnloadImage(t *testing.T) { // §7.4.3
	driver := func(g *guest, unload func(*guest) uint64) efi.Handle {
		h := loadBuffer(g, newImage(g, pecoff.BootServiceDriver, func(g *guest) efi.Status {
			if unload != nil {
				at := loadedImage(g, g.Image)
				info := load(g, at)
				info.Unload = g.Func(unload)
				puppet.Store(g.Thread, at, info)
			}
			return 0
		}))
		startImage(g, h)
		return h
	}
	playAll(t, []scene{
		{"without a function", func(g *guest) { expect(g, efi.Unsupported, "UnloadImage", driver(g, nil)) }},
		{"with one", func(g *guest) {
			var arg efi.Handle
			h := driver(g, func(g *guest) uint64 { arg = efi.Handle(g.Arg(0)); return 0 })
			expect(g, efi.Success, "UnloadImage", h)
			same(g, "its argument", arg, h)
			expect(g, efi.InvalidParameter, "UnloadImage", h)
		}},
		{"with one that refuses", func(g *guest) {
			h := driver(g, func(g *guest) uint64 { return uint64(efi.AccessDenied) })
			expect(g, efi.AccessDenied, "UnloadImage", h)
			loadedImage(g, h)
		}},
		{"in its own function", func(g *guest) {
			depth := 0
			h := driver(g, func(g *guest) uint64 {
				if depth++; depth == 1 {
					expect(g, efi.Success, "UnloadImage", efi.Handle(g.Arg(0)))
				}
				return 0
			})
			out := local[efi.Addr](g, 0)
			expect(g, efi.Success, "UnloadImage", h)
			same(g, "calls", depth, 2)
			expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, out)
		}},
		{"while it runs", func(g *guest) {
			h := loadBuffer(g, newImage(g, pecoff.Application, func(g *guest) efi.Status {
				at := loadedImage(g, g.Image)
				info := load(g, at)
				info.Unload = g.Func(func(*guest) uint64 { return 0 })
				puppet.Store(g.Thread, at, info)
				expect(g, efi.Success, "UnloadImage", g.Image)
				return 0
			}))
			status, _ := startImage(g, h)
			same(g, "status", status, efi.Success)
		}},
	})
}

// policy refuses images by their order.
type policy struct {
	answers []error
	paths   []string
}

func (p *policy) Check(image *pecoff.Image, path efi.DevicePath) error {
	p.paths = append(p.paths, path.String())
	err := p.answers[0]
	p.answers = p.answers[1:]
	return err
}

func TestImagePolicy(t *testing.T) {
	reason := errors.New("nobody knows who signed it")
	p := &policy{answers: []error{
		nil, errors.Join(reason, efi.SecurityViolation), errors.Join(reason, efi.AccessDenied), nil,
	}}
	play(t, emu.Config{Policy: p}, func(g *guest) {
		ran := 0
		file := newImage(g, pecoff.Application, func(g *guest) efi.Status { ran++; return 0 })
		at, h := g.Bytes(file), local[efi.Handle](g, 0)
		expect(g, efi.SecurityViolation, "LoadImage", 0, g.Image, 0, at, len(file), h)
		violator := load(g, h)
		expect(g, efi.SecurityViolation, "StartImage", violator, 0, 0)
		loadedImage(g, violator)
		expect(g, efi.Success, "UnloadImage", violator)
		puppet.Store(g.Thread, h, 0)
		expect(g, efi.AccessDenied, "LoadImage", 0, g.Image, 0, at, len(file), h)
		same(g, "the handle of what was not loaded", load(g, h), 0)
		path := g.Bytes(efi.DevicePath{efi.PCIRoot(0), efi.FilePath(`\good.efi`)}.Bytes())
		expect(g, efi.Success, "LoadImage", 0, g.Image, path, at, len(file), h)
		expect(g, efi.Success, "StartImage", load(g, h), 0, 0)
		same(g, "times run", ran, 1)
	})
	if want := `PciRoot(0x0)/\good.efi`; p.paths[3] != want || p.paths[1] != "" {
		t.Errorf("the policy saw %q", p.paths)
	}

	for _, answer := range []efi.Status{efi.SecurityViolation, efi.AccessDenied} {
		_, err := emutest.Go(t, emu.Config{Policy: &policy{answers: []error{answer}}}, nil, func(g *guest) efi.Status { return 0 })
		if !errors.Is(err, answer) {
			t.Errorf("Boot of an image that the policy answers with %v: %v", answer, err)
		}
	}
}
