// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// sample is a handoff with a bit of everything.
func sample(t *testing.T, arch cpu.Arch) *emu.Handoff {
	t.Helper()
	return leave(t, emu.Config{Arch: arch}, func(g *guest) {
		setVariable(g, efi.Success, "V", bootAccess, "\x00\xff")
		expect(g, efi.Success, "InstallConfigurationTable", g.GUID(other), 0x123000)
		at := local[efi.Addr](g, 0)
		expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, 100, at)
		puppet.Store(g.Thread, efi.Ptr[uint64](load(g, at)+50*efi.PageSize), 0x1122334455667788)
		exitBootServices(g)
	})
}

func fileOf(t testing.TB, h *emu.Handoff) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := h.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes: %v", b.Len(), n, err)
	}
	return b.Bytes()
}

func TestHandoffFile(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		t.Run(arch.String(), func(t *testing.T) {
			want := sample(t, arch)
			file := fileOf(t, want)
			got, err := emu.ReadHandoff(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				t.Fatal(err)
			}
			a, b := reflect.ValueOf(*want), reflect.ValueOf(*got)
			for i := range a.NumField() {
				if f := a.Type().Field(i); f.IsExported() && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
					t.Errorf("%s is %.200v, want %.200v", f.Name, b.Field(i), a.Field(i))
				}
			}
			if again := fileOf(t, got); !bytes.Equal(again, file) {
				t.Error("it is written differently when it has been read")
			}
			if err := got.Close(); err != nil {
				t.Error(err)
			}
			if max := want.Touched() + 1<<20; uint64(len(file)) > max {
				t.Errorf("%d bytes for %d of data", len(file), want.Touched())
			}
			core, err := elf.NewFile(bytes.NewReader(file))
			if err != nil || core.Type != elf.ET_CORE {
				t.Fatalf("%v: %v", core, err)
			}
		})
	}
}

func TestReadHandoffRefuses(t *testing.T) {
	file := fileOf(t, sample(t, cpu.AMD64))
	phoff := func(i int) int { return 64 + 56*i }
	edit := func(at int, v uint64, n int) func([]byte) []byte {
		return func(b []byte) []byte {
			var raw [8]byte
			binary.LittleEndian.PutUint64(raw[:], v)
			copy(b[at:], raw[:n])
			return b
		}
	}
	for _, row := range []struct {
		name string
		edit func([]byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }},
		{"cut in its notes", func(b []byte) []byte { return b[:phoff(40)] }},
		{"32 bits", edit(4, 1, 1)},
		{"big endian", edit(5, 2, 1)},
		{"no core", edit(16, uint64(elf.ET_EXEC), 2)},
		{"for RISC-V", edit(18, uint64(elf.EM_RISCV), 2)},
		{"headers nowhere", edit(32, 1<<62, 8)},
		{"headers at the end of numbers", edit(32, ^uint64(0), 8)},
		{"no headers", edit(56, 0, 2)},
		{"no note", edit(phoff(0), uint64(elf.PT_NULL), 4)},
		{"notes beyond the file", edit(phoff(0)+8, 1<<40, 8)},
		{"a segment that wraps", edit(phoff(1)+40, ^uint64(0)&^0xfff, 8)},
		{"an empty segment", edit(phoff(1)+40, 0, 8)},
		{"a segment that is not aligned", edit(phoff(1)+24, 0x1001, 8)},
		{"segments out of order", edit(phoff(2)+24, 0, 8)},
		{"one segment twice", func(b []byte) []byte { copy(b[phoff(2):phoff(3)], b[phoff(1):]); return b }},
		{"an unknown version", func(b []byte) []byte { return bytes.Replace(b, []byte(`{"Version":1,`), []byte(`{"Version":9,`), 1) }},
		{"no JSON", func(b []byte) []byte { return bytes.Replace(b, []byte(`{"Version":1,`), []byte(`x"Version":1,`), 1) }},
		{"someone else's note", func(b []byte) []byte { return bytes.Replace(b, []byte("uefiexec\x00"), []byte("uefiexeC\x00"), 1) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := row.edit(bytes.Clone(file))
			h, err := emu.ReadHandoff(bytes.NewReader(b), int64(len(b)))
			if err == nil {
				t.Errorf("read as %+v", h.Segments)
			} else if !strings.HasPrefix(err.Error(), "emu: handoff file: ") {
				t.Errorf("error %q", err)
			}
		})
	}
}

// Segments that share the bytes of the file are refused before they are read.
func TestReadHandoffAllocation(t *testing.T) {
	const segments, size = 2000, 1 << 20
	le := binary.LittleEndian
	head := make([]byte, 64+56*segments)
	copy(head, "\x7fELF\x02\x01\x01")
	le.PutUint16(head[16:], uint16(elf.ET_CORE))
	le.PutUint16(head[18:], uint16(elf.EM_X86_64))
	le.PutUint64(head[32:], 64)
	le.PutUint16(head[54:], 56)
	le.PutUint16(head[56:], segments)
	for i := range segments {
		p := head[64+56*i:]
		le.PutUint32(p, uint32(elf.PT_LOAD))
		le.PutUint64(p[24:], uint64(i)*size)
		le.PutUint64(p[32:], size)
		le.PutUint64(p[40:], size)
	}
	file := append(head, make([]byte, size)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := emu.ReadHandoff(bytes.NewReader(file), int64(len(file)))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 8<<20 {
		t.Errorf("%d bytes allocated, %v", used, err)
	}
}

func TestHandoffTools(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handoff")
	h := sample(t, cpu.AMD64)
	if err := os.WriteFile(path, fileOf(t, h), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := func(name string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(name); err != nil {
			emutest.Skip(t, "no %s here", name)
		}
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return string(out)
	}
	t.Run("readelf", func(t *testing.T) {
		out := tool("readelf", "-aW", path)
		for _, want := range []string{"CORE (Core file)", "NT_PRSTATUS", "uefiexec", fmt.Sprintf("0x%016x", uint64(h.Segments[0].Start))} {
			if !strings.Contains(out, want) {
				t.Errorf("readelf does not say %q", want)
			}
		}
		if strings.Contains(out, "arning") {
			t.Errorf("readelf warns:\n%s", out)
		}
	})
	t.Run("gdb", func(t *testing.T) {
		out := tool("gdb", "-nx", "-batch", "-ex", "info registers", "-ex", fmt.Sprintf("x/2wx %d", h.SystemTable), "-core", path)
		for _, want := range []string{
			fmt.Sprintf("rip            %#x", h.Regs.PC), fmt.Sprintf("rsp            %#x", h.Regs.GP[cpu.RSP]),
			fmt.Sprintf("rbx            %#x", h.Regs.GP[cpu.RBX]), fmt.Sprintf("r15            %#x", h.Regs.GP[15]),
			"0x20494249\t0x54535953", // "IBI SYST"
		} {
			if !strings.Contains(out, want) {
				t.Errorf("gdb does not say %q:\n%s", want, out)
			}
		}
	})
}

func FuzzReadHandoff(f *testing.F) {
	h := &emu.Handoff{Arch: cpu.AMD64, LoadOptions: []byte("x"), Segments: []emu.Segment{
		{Range: efi.Range{Start: 0x1000, End: 0x2000}, Data: bytes.Repeat([]byte{1}, 0x1000)},
		{Range: efi.Range{Start: 0x2000, End: 0x9000}},
	}}
	f.Add(fileOf(f, h))
	h.Arch, h.Segments = cpu.ARM64, nil
	f.Add(fileOf(f, h))
	f.Fuzz(func(t *testing.T, file []byte) {
		h, err := emu.ReadHandoff(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		if h.Touched() > uint64(len(file)) {
			t.Errorf("%d bytes out of a file of %d", h.Touched(), len(file))
		}
		for _, r := range h.Runs() {
			if _, err := h.Read(r.Start, min(r.Size(), 1<<16)); err != nil {
				t.Errorf("run %v: %v", r, err)
			}
			if _, err := h.Read(r.End-1, 2); err == nil {
				t.Errorf("more than run %v was read", r)
			}
		}
		_, _ = h.Initrd()
		_ = h.CommandLine()
		var b bytes.Buffer
		if _, err := h.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := emu.ReadHandoff(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(again.Segments) != len(h.Segments) || again.Regs != h.Regs || again.CommandLine() != h.CommandLine() {
			t.Error("what was written is something else")
		}
	})
}
