// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/tables"
)

// frozen reads a structure of the frozen memory.
func frozen[T any](t testing.TB, h *emu.Handoff, a efi.Addr) (v T) {
	t.Helper()
	raw, err := h.Read(a, uint64(binary.Size(v)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := binary.Decode(raw, binary.LittleEndian, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestHandoffTables(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			h := leave(t, emu.Config{Arch: arch}, func(g *guest) {
				setVariable(g, efi.Success, "Kept", bootAccess|efi.VariableRuntimeAccess, "x")
				expect(g, efi.Success, "InstallConfigurationTable", g.GUID(other), 0x123000)
				exitBootServices(g)
			})
			st := frozen[efi.SystemTable](t, h, h.SystemTable)
			for i, v := range []uint64{
				uint64(st.ConsoleInHandle), uint64(st.ConIn), uint64(st.ConsoleOutHandle), uint64(st.ConOut),
				uint64(st.StandardErrorHandle), uint64(st.StdErr), uint64(st.BootServices),
			} {
				if v != 0 {
					t.Errorf("field %d of the system table is %#x", i, v)
				}
			}
			for _, at := range []efi.Addr{h.SystemTable, st.RuntimeServices.Addr()} {
				size := frozen[efi.TableHeader](t, h, at).HeaderSize
				raw, err := h.Read(at, uint64(size))
				if err != nil {
					t.Fatal(err)
				}
				crc := binary.LittleEndian.Uint32(raw[16:])
				clear(raw[16:20])
				if want := crc32.ChecksumIEEE(raw); crc != want {
					t.Errorf("the CRC at %v is %#x, want %#x", at, crc, want)
				}
			}
			typeOf := func(a efi.Addr) efi.MemoryType {
				i := slices.IndexFunc(h.MemoryMap, func(d efi.MemoryDescriptor) bool { return d.Range().Contains(a) })
				if i < 0 {
					t.Fatalf("%v is not in the memory map", a)
				}
				return h.MemoryMap[i].Type
			}
			raw, err := h.Read(st.RuntimeServices.Addr()+24, 14*8)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 14 {
				at := efi.Addr(binary.LittleEndian.Uint64(raw[8*i:]))
				if typ := typeOf(at); typ != efi.RuntimeServicesCode {
					t.Errorf("runtime service %d is at %v in %v", i, at, typ)
				}
				if code, err := h.Read(at, 8); err != nil || bytes.Equal(code, make([]byte, 8)) {
					t.Errorf("the code of runtime service %d is %x, %v", i, code, err)
				}
			}
			if at, ok := h.ConfigurationTable(other); !ok || at != 0x123000 {
				t.Errorf("configuration table at %v, %v", at, ok)
			}
			first := frozen[efi.ConfigurationTable](t, h, st.ConfigurationTable.Addr())
			if int(st.NumberOfTableEntries) != len(h.ConfigurationTables) || first != h.ConfigurationTables[0] {
				t.Errorf("%d tables in the guest, %d in the handoff", st.NumberOfTableEntries, len(h.ConfigurationTables))
			}
			is := func(v tables.Variable) bool { return v.Name == "Kept" && string(v.Data) == "x" }
			if !slices.ContainsFunc(h.Variables, is) {
				t.Errorf("variables %v", h.Variables)
			}
		})
	}
}

func TestHandoffRegisters(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			abi := arch.ABI()
			var atGate cpu.Regs
			h := leave(t, emu.Config{Arch: arch, Intercept: func(c *emu.Call) error {
				if c.Service() == "ExitBootServices" {
					atGate = c.Regs()
				}
				return nil
			}}, func(g *guest) {
				newEvent(g, efi.EventSignalExitBootServices, efi.TPLNotify, func(*guest) {})
				exitBootServices(g)
			})
			if got := h.Regs.GP[abi.Result]; got != 0 {
				t.Errorf("result %#x", got)
			}
			back := efi.Addr(atGate.GP[max(abi.Link, 0)])
			popped := uint64(0)
			if abi.Link < 0 {
				back, popped = frozen[efi.Addr](t, h, efi.Addr(atGate.GP[abi.Stack])), 8
			}
			if h.Regs.PC != uint64(back) {
				t.Errorf("PC %#x, want %v", h.Regs.PC, back)
			}
			for _, r := range abi.Preserved {
				want := atGate.GP[r]
				if r == abi.Stack {
					want += popped
				}
				if got := h.Regs.GP[r]; got != want {
					t.Errorf("%s is %#x, want %#x", arch.RegName(r), got, want)
				}
			}
			if want := cpu.InitialFP(arch); h.FP != want {
				t.Errorf("floating point %+v, want %+v", h.FP, want)
			}
		})
	}
}

func TestHandoffSegments(t *testing.T) {
	const size = 5 * efi.PageSize
	var pages, hidden, options efi.Addr
	h := leave(t, emu.Config{}, func(g *guest) {
		at := local[efi.Addr](g, 0)
		expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 5, at)
		pages = load(g, at)
		for i, mark := range []byte("a\x00b\x00\x00") {
			if mark != 0 {
				puppet.Store(g.Thread, efi.Ptr[byte](pages+efi.Addr(i)*efi.PageSize+7), mark)
			}
		}
		expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 3, at)
		hidden = load(g, at)
		for i := range efi.Addr(3) {
			puppet.Store(g.Thread, efi.Ptr[byte](hidden+i*efi.PageSize), 'h')
		}
		page := efi.Range{Start: hidden + efi.PageSize, End: hidden + 2*efi.PageSize}
		if err := g.Memory().Protect(page, 0); err != nil {
			g.T.Fatal(err)
		}
		// Freed memory is in no segment, whatever lies there.
		expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 2, at)
		puppet.Store(g.Thread, efi.Ptr[uint64](load(g, at)), 1)
		expect(g, efi.Success, "FreePages", load(g, at), 2)
		options = load(g, at)
		exitBootServices(g)
	})
	free, used := map[efi.Addr]bool{}, map[efi.Addr]bool{}
	for _, d := range h.MemoryMap {
		for a := d.Range().Start; a < d.Range().End; a += efi.PageSize {
			if d.Type == efi.ConventionalMemory {
				free[a] = true
			} else {
				used[a] = true
			}
		}
	}
	end := efi.Addr(0)
	for _, s := range h.Segments {
		if s.Start < end || !s.Start.PageAligned() || !s.End.PageAligned() || s.Data != nil && uint64(len(s.Data)) != s.Size() {
			t.Errorf("segment %v with %d bytes behind %v", s.Range, len(s.Data), end)
		}
		end = s.End
		for a := s.Start; a < s.End; a += efi.PageSize {
			if free[a] || !used[a] {
				t.Errorf("%v is free, and in a segment", a)
			}
			delete(used, a)
		}
	}
	if len(used) > 0 {
		t.Errorf("%d pages are not free, and in no segment", len(used))
	}
	data, err := h.Read(pages, size)
	want := make([]byte, size)
	want[7], want[2*efi.PageSize+7] = 'a', 'b'
	if err != nil || !bytes.Equal(data, want) {
		t.Errorf("the pages are not what they were: %v", err)
	}
	data, err = h.Read(hidden, 3*efi.PageSize)
	if err != nil || data[0] != 'h' || data[efi.PageSize] != 'h' || data[2*efi.PageSize] != 'h' {
		t.Errorf("the pages around one that is not readable: %v", err)
	}
	if _, err := h.Read(options, 1); !errors.Is(err, efi.InvalidParameter) {
		t.Errorf("free memory: %v", err)
	}
	runs := h.Runs()
	for i, r := range runs {
		if i > 0 && runs[i-1].End >= r.Start {
			t.Errorf("runs %v and %v", runs[i-1], r)
		}
	}
}

func TestHandoffRead(t *testing.T) {
	page := func(b byte) []byte { return bytes.Repeat([]byte{b}, efi.PageSize) }
	seg := func(start efi.Addr, pages uint64, data []byte) emu.Segment {
		return emu.Segment{Range: efi.Range{Start: start, End: start + efi.Addr(pages*efi.PageSize)}, Data: data}
	}
	h := &emu.Handoff{Segments: []emu.Segment{
		seg(0x1000, 1, page('a')), seg(0x2000, 2, nil), seg(0x4000, 1, page('b')), seg(0x8000, 1, page('c')),
	}}
	for _, row := range []struct {
		at   efi.Addr
		n    uint64
		want []byte // nil: an error
	}{
		{0x1000, 1, []byte("a")},
		{0x1fff, 2, []byte("a\x00")},
		{0x1ffe, 0x2004, append(append([]byte("aa"), make([]byte, 0x2000)...), "bb"...)},
		{0x3fff, 1, []byte("\x00")},
		{0x4fff, 1, []byte("b")},
		{0x4fff, 2, nil},
		{0x8000, 0, []byte{}},
		{0x9000, 0, []byte{}},
		{0xfff, 2, nil},
		{0x0, 1, nil},
		{0x5000, 0x3001, nil},
		{0x1000, 1 << 40, nil},
		{0x1000, ^uint64(0), nil},
		{^efi.Addr(0), 2, nil},
		{^efi.Addr(0), 1, nil},
	} {
		got, err := h.Read(row.at, row.n)
		if row.want == nil && (err == nil || !errors.Is(err, efi.InvalidParameter)) || row.want != nil && (err != nil || !bytes.Equal(got, row.want)) {
			t.Errorf("Read(%v, %#x) = %.20q, %v", row.at, row.n, got, err)
		}
	}
}

func TestHandoffCommandLine(t *testing.T) {
	text := efi.EncodeString("root=/dev/sda1 quiet")
	for _, row := range []struct {
		name string
		set  func(*guest, *efi.LoadedImage)
		want string
	}{
		{"rewritten", func(g *guest, i *efi.LoadedImage) {
			i.LoadOptions, i.LoadOptionsSize = g.Bytes(text), uint32(len(text))
		}, "root=/dev/sda1 quiet"},
		{"cut", func(g *guest, i *efi.LoadedImage) { i.LoadOptions, i.LoadOptionsSize = g.Bytes(text), 8 }, "root"},
		{"none", func(g *guest, i *efi.LoadedImage) { i.LoadOptions, i.LoadOptionsSize = 0, 0 }, ""},
		{"nowhere", func(g *guest, i *efi.LoadedImage) { i.LoadOptions, i.LoadOptionsSize = 1<<60, 100 }, ""},
		{"endless", func(g *guest, i *efi.LoadedImage) { i.LoadOptions, i.LoadOptionsSize = g.Bytes(text), 1<<32-1 }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := leave(t, emu.Config{}, func(g *guest) {
				app(g, func(g *guest) efi.Status {
					at := loadedImage(g, g.Image)
					info := load(g, at)
					row.set(g, &info)
					puppet.Store(g.Thread, at, info)
					exitBootServices(g)
					return 0
				})
			})
			if got := h.CommandLine(); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// A loader that has loaded a kernel by itself gives it a handle of its own, with a
// LoadedImage.
func TestHandoffOfOwnHandle(t *testing.T) {
	for _, row := range []struct {
		name     string
		protocol efi.GUID
		want     string
	}{
		{"a LoadedImage", efi.LoadedImageProtocolGUID, "quiet"},
		{"none", other, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := leave(t, emu.Config{}, func(g *guest) {
				text := efi.EncodeString("quiet")
				info := efi.LoadedImage{Revision: efi.LoadedImageRevision, LoadOptions: pool(g, text), LoadOptionsSize: uint32(len(text))}
				at := local(g, info)
				g.Image = newHandle(g, row.protocol, efi.Addr(at))
				exitBootServices(g)
			})
			if got := h.CommandLine(); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
			if _, err := h.Kernel(); !errors.Is(err, emu.ErrNoKernel) || !strings.Contains(err.Error(), "handle#") {
				t.Errorf("Kernel: %v", err)
			}
		})
	}
}

func TestHandoffInitrd(t *testing.T) {
	initrd := bytes.Repeat([]byte("070701 cpio "), 1000)
	for _, row := range []struct {
		name  string
		table func(g *guest, at efi.Addr) [2]uint64 // nil has none
		want  []byte
	}{
		{"none", nil, nil},
		{"whole", func(g *guest, at efi.Addr) [2]uint64 { return [2]uint64{uint64(at), uint64(len(initrd))} }, initrd},
		{"empty", func(g *guest, at efi.Addr) [2]uint64 { return [2]uint64{uint64(at), 0} }, []byte{}},
		{"nowhere", func(g *guest, at efi.Addr) [2]uint64 { return [2]uint64{1 << 60, 10} }, nil},
		{"endless", func(g *guest, at efi.Addr) [2]uint64 { return [2]uint64{uint64(at), 1 << 62} }, nil},
		{"over the end", func(g *guest, at efi.Addr) [2]uint64 { return [2]uint64{uint64(at), 1 << 29} }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := leave(t, emu.Config{}, func(g *guest) {
				if row.table != nil {
					raw, err := binary.Append(nil, binary.LittleEndian, row.table(g, pool(g, initrd)))
					if err != nil {
						g.T.Fatal(err)
					}
					expect(g, efi.Success, "InstallConfigurationTable", g.GUID(efi.LinuxInitrdMediaGUID), pool(g, raw))
				}
				exitBootServices(g)
			})
			got, err := h.Initrd()
			if !bytes.Equal(got, row.want) || (err == nil) != (row.want != nil) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if (row.table == nil) != errors.Is(err, emu.ErrNoInitrd) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// What the guest's protections hide from itself they hide from no service of the
// host's.
func TestExitBootServicesWithProtectedTables(t *testing.T) {
	h := leave(t, emu.Config{}, func(g *guest) {
		_, key := memoryMap(g)
		page := g.System.Addr().PageDown()
		if err := g.Memory().Protect(efi.Range{Start: page, End: page + efi.PageSize}, mem.Readable); err != nil {
			g.T.Fatal(err)
		}
		g.Boot("ExitBootServices", g.Image, key)
	})
	if st := frozen[efi.SystemTable](t, h, h.SystemTable); st.BootServices != 0 {
		t.Errorf("boot services at %v", st.BootServices)
	}
}

// What the memory map had in use from the start is put in place by nobody.
func TestHandoffOfPlatformMemory(t *testing.T) {
	acpi := efi.MemoryDescriptor{Type: efi.ACPIReclaimMemory, PhysicalStart: 0x800_0000, NumberOfPages: 4, Attribute: efi.MemoryWB}
	h := leave(t, emu.Config{MemoryMap: append(emu.Layout(cpu.AMD64, 64<<20), acpi)}, func(g *guest) {
		puppet.Store(g.Thread, efi.Ptr[uint64](acpi.PhysicalStart), 1)
		exitBootServices(g)
	})
	if !slices.ContainsFunc(h.MemoryMap, func(d efi.MemoryDescriptor) bool { return d.Range() == acpi.Range() }) {
		t.Error("it is not in the memory map")
	}
	for _, s := range h.Segments {
		if s.Overlaps(acpi.Range()) {
			t.Errorf("it is in segment %v", s.Range)
		}
	}
}
