// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/pecoff"
)

// counter is the Go value behind the interfaces of a protocol for tests.
type counter struct {
	n    uint64
	seen []uint64
}

func see(c *emu.Call, this efi.Addr, args ...uint64) error {
	k, err := emu.This[*counter](c, this)
	if err != nil {
		return err
	}
	k.seen = args
	return nil
}

var counterProtocol = emu.Protocol{
	GUID: other,
	Name: "Counter",
	Services: []emu.Service{
		emu.Field("Revision"),
		emu.Func2("Add", func(c *emu.Call, this efi.Addr, n uint64) error {
			k, err := emu.This[*counter](c, this)
			if err != nil {
				return err
			}
			k.n += n
			return nil
		}, "this", "n"),
		emu.Func1("Get", func(c *emu.Call, this efi.Addr) error {
			k, err := emu.This[*counter](c, this)
			if err != nil {
				return err
			}
			c.Return(k.n)
			return nil
		}, "this"),
		emu.Unserved("Reset", "there is no way back", "this"),
		emu.Code("CopyMem"),
		emu.Func7("Seven", func(c *emu.Call, this efi.Addr, b uint8, w uint16, d int32, q uint64, yes efi.Boolean, h efi.Handle) error {
			return see(c, this, uint64(b), uint64(w), uint64(uint32(d)), q, uint64(yes), uint64(h))
		}, "this", "b", "w", "d", "q", "yes", "h"),
		emu.Func0("Fails", func(c *emu.Call) error {
			if c.Machine().Memory() != c.Memory() || c.Context().Err() != nil {
				return efi.Aborted
			}
			c.Return(5) // not what counts when there is an error
			c.Notef("to %s", "see")
			c.Notef("more")
			return fmt.Errorf("no file: %w", fs.ErrNotExist)
		}),
		emu.Field("Limit"),
	},
}

func TestProtocolInGo(t *testing.T) {
	one, two := &counter{}, &counter{n: 100}
	var first, second efi.Handle
	var text bytes.Buffer
	setup := func(m *emu.Machine) {
		fields := func(*emu.Machine) ([]uint64, error) { return []uint64{0x10001, 99}, nil }
		var err error
		if first, err = m.Install(0, emu.Interface{Protocol: &counterProtocol, Value: one, Fields: fields}); err != nil {
			t.Fatal(err)
		}
		if second, err = m.Install(0, emu.Interface{Protocol: &counterProtocol, Value: two, Fields: fields}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := emutest.Go(t, emu.Config{Trace: emu.TextTrace(&text)}, setup, func(g *guest) efi.Status {
		a, _ := g.Protocol(first, other)
		b, _ := g.Protocol(second, other)
		same(g, "revision", word(g, a), 0x10001)
		same(g, "limit", word(g, a+8*7), 99)
		same(g, "CopyMem", efi.Addr(word(g, a+8*4)), load(g, load(g, g.System).BootServices).CopyMem)
		same(g, "one function for both", word(g, a+8), word(g, b+8))
		same(g, "Add", g.Method(a, 1, 7), efi.Success)
		same(g, "Add", g.Method(b, 1, 7), efi.Success)
		same(g, "Get", g.Method(a, 2), 7)
		same(g, "Get", g.Method(b, 2), 107)
		same(g, "Reset", g.Method(a, 3), efi.Unsupported)
		same(g, "Seven", g.Method(a, 5, 0x1ff, 0x2ffff, uint64(0xffff_ffff_8000_0001), ^uint64(0), 0x101, first), efi.Success)
		same(g, "Fails", g.Method(a, 6), efi.NotFound)
		add := efi.Addr(word(g, a+8))
		for _, this := range []efi.Addr{0, a + 8, 1 << 60} {
			same(g, "Add of no counter", efi.Status(g.Call(add, uint64(this), 1)), efi.InvalidParameter)
		}
		return 0
	})
	if !errors.As(err, new(*emu.ExitError)) {
		t.Fatal(err)
	}
	if want := []uint64{0xff, 0xffff, 0x80000001, ^uint64(0), 1, uint64(first)}; !slices.Equal(one.seen, want) {
		t.Errorf("arguments %#x, want %#x", one.seen, want)
	}
	for _, want := range []string{
		"Counter.Get(this=", ") = 0x6b", "= UNSUPPORTED (not served: there is no way back)", "Counter.Fails() = NOT_FOUND (to see; more)",
		"d=-2147483647", "yes=TRUE, h=handle#0)", "is no Counter interface",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the trace has no %q:\n%s", want, text.String())
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		m := g.Machine
		fields := func(n int, err error) func(*emu.Machine) ([]uint64, error) {
			return func(*emu.Machine) ([]uint64, error) { return make([]uint64, n), err }
		}
		broken := errors.New("no ROM")
		code := emu.Protocol{Name: "Code", Services: []emu.Service{emu.Code("Nothing")}}
		for _, i := range []emu.Interface{
			{Protocol: &counterProtocol},
			{Protocol: &counterProtocol, Fields: fields(1, nil)},
			{Protocol: &counterProtocol, Fields: fields(3, nil)},
			{Protocol: &counterProtocol, Fields: fields(2, broken)},
			{Protocol: &code},
		} {
			if _, err := m.Install(0, i); err == nil || !strings.HasPrefix(err.Error(), "emu: install ") {
				g.T.Errorf("%v", err)
			}
		}
		if _, err := m.Install(0x70, emu.Interface{Protocol: &emu.Protocol{GUID: other, Name: "Tag"}}); !errors.Is(err, efi.InvalidParameter) {
			g.T.Errorf("a handle that is not there: %v", err)
		}
	})
}

func TestInterfacesWithoutServices(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		signals := 0
		e := newEvent(g, efi.EventNotifySignal, efi.TPLCallback, func(*guest) { signals++ })
		expect(g, efi.Success, "RegisterProtocolNotify", g.GUID(other), e, local[efi.Addr](g, 0))
		path := emu.Protocol{GUID: efi.DevicePathProtocolGUID, Name: "DevicePath"}
		tag := emu.Protocol{GUID: other, Name: "Tag"}
		raw := efi.DevicePath{efi.PCIRoot(3)}.Bytes()
		h, err := g.Machine.Install(0, emu.Interface{Protocol: &path, Data: raw}, emu.Interface{Protocol: &tag})
		if err != nil {
			g.T.Fatal(err)
		}
		at, _ := g.Protocol(h, other)
		same(g, "a tag", at, 0)
		same(g, "signals", signals, 1)
		at, _ = g.Protocol(h, efi.DevicePathProtocolGUID)
		if got, err := g.Memory().Read(at, uint64(len(raw))); err != nil || !bytes.Equal(got, raw) {
			g.T.Errorf("% x, %v", got, err)
		}
	})
}

func TestPlaceAndRemove(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		k := &counter{}
		fields := func(*emu.Machine) ([]uint64, error) { return []uint64{1, 2}, nil }
		at, err := g.Machine.Place(emu.Interface{Protocol: &counterProtocol, Value: k, Fields: fields})
		if err != nil {
			g.T.Fatal(err)
		}
		add := efi.Addr(word(g, at+8))
		same(g, "Add", g.Method(at, 1, 3), efi.Success)
		g.Machine.Remove(at)
		same(g, "Add to what is gone", efi.Status(g.Call(add, uint64(at), 3)), efi.InvalidParameter)
		expect(g, efi.InvalidParameter, "FreePool", at)
		same(g, "the count", k.n, 3)
		if all := located(g, efi.ByProtocol, g.GUID(other), 0); len(all) != 0 {
			g.T.Errorf("%v", all)
		}
	})
}

func TestSetConsole(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		if err := g.Machine.SetConsole(g.Image); !errors.Is(err, efi.Unsupported) {
			g.T.Errorf("%v", err)
		}
		h := newHandle(g, efi.SimpleTextOutputProtocolGUID, 0x7000)
		if err := g.Machine.SetConsole(h); err != nil {
			g.T.Fatal(err)
		}
		st := load(g, g.System)
		same(g, "ConOut", [4]efi.Addr{efi.Addr(st.ConsoleOutHandle), st.ConOut, efi.Addr(st.StandardErrorHandle), st.StdErr}, [4]efi.Addr{efi.Addr(h), 0x7000, efi.Addr(h), 0x7000})
		same(g, "ConIn", st.ConIn, 0)
		addProtocol(g, h, efi.SimpleTextInputProtocolGUID, 0x8000)
		if err := g.Machine.SetConsole(h); err != nil {
			g.T.Fatal(err)
		}
		same(g, "ConIn", load(g, g.System).ConIn, 0x8000)
		checkTable(g, g.System.Addr())
	})
}

// hostFiles is a volume and a loader in Go.
type hostFiles struct {
	file  []byte
	asked []string
}

func (f *hostFiles) ReadFile(name string, limit int64) ([]byte, error) {
	f.asked = append(f.asked, name)
	if f.file == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.file, nil
}

func (f *hostFiles) LoadFile(path efi.DevicePath, bootPolicy bool) ([]byte, error) {
	f.asked = append(f.asked, path.String())
	return f.file, nil
}

func TestLoadImageFromHost(t *testing.T) {
	files := &hostFiles{}
	fields := func(*emu.Machine) ([]uint64, error) { return []uint64{0x10000}, nil }
	openVolume := emu.Func2("OpenVolume", func(*emu.Call, efi.Addr, efi.Addr) error { return efi.Unsupported }, "this", "*root")
	loadFile := emu.Func5("LoadFile", func(*emu.Call, efi.Addr, efi.Addr, efi.Boolean, efi.Addr, efi.Addr) error { return efi.Unsupported }, "this", "filePath", "bootPolicy", "&bufferSize", "buffer")
	volumes := emu.Protocol{GUID: efi.SimpleFileSystemProtocolGUID, Name: "SimpleFileSystem", Services: []emu.Service{emu.Field("Revision"), openVolume}}
	loaders := emu.Protocol{GUID: efi.LoadFile2ProtocolGUID, Name: "LoadFile2", Services: []emu.Service{loadFile}}
	play(t, emu.Config{}, func(g *guest) {
		for n, i := range []emu.Interface{{Protocol: &volumes, Value: files, Fields: fields}, {Protocol: &loaders, Value: files}} {
			if _, err := g.Machine.Install(device(g, efi.VendorMedia(guidN(uint32(n)))), i); err != nil {
				g.T.Fatal(err)
			}
		}
		path := func(n uint32) efi.Addr {
			return pool(g, efi.DevicePath{efi.VendorMedia(guidN(n)), efi.FilePath(`\a`), efi.FilePath(`b.efi`)}.Bytes())
		}
		out := local[efi.Handle](g, 0)
		expect(g, efi.NotFound, "LoadImage", efi.False, g.Image, path(0), 0, 0, out)
		files.file = newImage(g, pecoff.Application, func(g *guest) efi.Status { return efi.EndOfFile })
		for n := range uint32(2) {
			expect(g, efi.Success, "LoadImage", efi.False, g.Image, path(n), 0, 0, out)
			expect(g, efi.EndOfFile, "StartImage", load(g, out), 0, 0)
		}
	})
	if want := []string{`\a\b.efi`, `\a\b.efi`, `\a/b.efi`}; !slices.Equal(files.asked, want) {
		t.Errorf("asked for %q, want %q", files.asked, want)
	}
}

// What a guest has protected from itself it cannot be made to write by a service.
func TestProtectedOut(t *testing.T) {
	play(t, emu.Config{}, func(g *guest) {
		at := local[efi.Addr](g, 0)
		expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, at)
		page := efi.Range{Start: load(g, at), End: load(g, at) + efi.PageSize}
		if err := g.Memory().Protect(page, mem.Readable); err != nil {
			g.T.Fatal(err)
		}
		before := g.Machine.MemoryMap()
		expect(g, efi.InvalidParameter, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 1, page.Start)
		expect(g, efi.InvalidParameter, "AllocatePool", efi.LoaderData, 5000, page.Start)
		expect(g, efi.InvalidParameter, "CreateEvent", 0, 0, 0, 0, page.Start)
		expect(g, efi.InvalidParameter, "InstallProtocolInterface", page.Start, g.GUID(other), efi.NativeInterface, 0)
		if got := g.Machine.MemoryMap(); !slices.Equal(got, before) {
			g.T.Errorf("calls that failed have kept memory: %v", got)
		}
		same(g, "handles with what was not installed", len(located(g, efi.ByProtocol, g.GUID(other), 0)), 0)
	})
}
