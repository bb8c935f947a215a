// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

// descriptor is an entry of a firmware's memory map.
func descriptor(t efi.MemoryType, start efi.Addr, pages uint64, attribute efi.MemoryAttribute) efi.MemoryDescriptor {
	return efi.MemoryDescriptor{Type: t, PhysicalStart: start, NumberOfPages: pages, Attribute: attribute}
}

// noruntime is a machine whose kernel was booted by EFI and told to leave the
// runtime services alone; the map lies at 0x1000 of physical memory.
func noruntime(t *testing.T, descs ...efi.MemoryDescriptor) fstest.MapFS {
	t.Helper()
	memory := make([]byte, 0x3000)
	at := 0x1000
	for _, d := range descs {
		if _, err := binary.Encode(memory[at:], binary.LittleEndian, d); err != nil {
			t.Fatal(err)
		}
		at += efi.MemoryDescriptorSize
	}
	params := make([]byte, 4096)
	for offset, v := range map[int]int{
		efiInfoDescSize: efi.MemoryDescriptorSize, efiInfoDescVersion: 1, efiInfoMap: 0x1000, efiInfoMapSize: at - 0x1000,
	} {
		binary.LittleEndian.PutUint32(params[efiInfo+offset:], uint32(v))
	}
	return fstest.MapFS{
		"proc/cmdline":                {Data: []byte("root=/dev/sda2 efi=debug,noruntime quiet\n")},
		"sys/firmware/efi/runtime":    {Data: []byte("0x7f00000\n")},
		"sys/kernel/boot_params/data": {Data: params},
		"dev/mem":                     {Data: memory},
	}
}

func TestUseFirmware(t *testing.T) {
	const rt = efi.MemoryRuntime | efi.MemoryWB
	regions := []efi.MemoryDescriptor{
		descriptor(efi.ConventionalMemory, 0x100000, 256, efi.MemoryWB),
		descriptor(efi.RuntimeServicesData, 0x7f00000, 16, rt),
		descriptor(efi.RuntimeServicesCode, 0x7f20000, 16, rt),
		descriptor(efi.MemoryMappedIO, 0xffc00000, 1024, efi.MemoryRuntime|efi.MemoryUC),
	}
	memory := []efi.MemoryDescriptor{
		descriptor(efi.ConventionalMemory, 0, 0x7000, efi.MemoryWB),
		descriptor(efi.ReservedMemory, 0x7e00000, 0x200, 0),
	}
	h := &Host{Memory: slices.Clone(memory)}
	if err := h.UseFirmware(noruntime(t, regions...)); err != nil {
		t.Fatal(err)
	}
	want := []efi.MemoryDescriptor{
		memory[0],
		descriptor(efi.ReservedMemory, 0x7e00000, 0x100, 0),
		regions[1],
		descriptor(efi.ReservedMemory, 0x7f10000, 16, 0),
		regions[2],
		descriptor(efi.ReservedMemory, 0x7f30000, 0xd0, 0),
		regions[3],
	}
	if !slices.Equal(h.Memory, want) {
		t.Errorf("memory map\n%+v, want\n%+v", h.Memory, want)
	}
	if cfg := h.Config(emu.Config{}); cfg.RuntimeServices != 0x7f00000 {
		t.Errorf("runtime services at %v", cfg.RuntimeServices)
	}

	for _, test := range []struct {
		name, says string
		change     func(fstest.MapFS)
	}{
		{"called already", "efi=noruntime", func(f fstest.MapFS) { f["proc/cmdline"].Data = []byte("efi=debug") }},
		{"no EFI", "not exist", func(f fstest.MapFS) { delete(f, "sys/firmware/efi/runtime") }},
		{"table elsewhere", "does not lie", func(f fstest.MapFS) { f["sys/firmware/efi/runtime"].Data = []byte("0x100000") }},
		{"no map", "no memory map", func(f fstest.MapFS) { clear(f["sys/kernel/boot_params/data"].Data) }},
		{"short parameters", "ends early", func(f fstest.MapFS) { f["sys/kernel/boot_params/data"].Data = make([]byte, 100) }},
		{"a map out of reach", "does not show", func(f fstest.MapFS) { delete(f, "dev/mem") }},
		{"a wild entry", "has", func(f fstest.MapFS) { f["dev/mem"].Data[0x1008] = 1 }},
		{"in RAM", "RAM to the kernel", func(f fstest.MapFS) { binary.LittleEndian.PutUint64(f["dev/mem"].Data[0x1000+48+8:], 0x200000) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := noruntime(t, regions...)
			if test.name == "in RAM" {
				files["sys/firmware/efi/runtime"].Data = []byte("0x200000")
			}
			test.change(files)
			h := &Host{Memory: slices.Clone(memory)}
			err := h.UseFirmware(files)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if h.Runtime != 0 || !slices.Equal(h.Memory, memory) {
				t.Error("the host has changed")
			}
		})
	}
}

// Whatever the files hold, a map that is accepted is sorted.
func FuzzUseFirmware(f *testing.F) {
	f.Add(make([]byte, 96), uint32(96))
	f.Fuzz(func(t *testing.T, entries []byte, size uint32) {
		files := noruntime(t)
		files["dev/mem"].Data = append(make([]byte, 0x1000), entries...)
		binary.LittleEndian.PutUint32(files["sys/kernel/boot_params/data"].Data[efiInfo+efiInfoMapSize:], size)
		h := &Host{Memory: []efi.MemoryDescriptor{descriptor(efi.ReservedMemory, 0x1000000, 0x8000, 0)}}
		if h.UseFirmware(files) != nil {
			return
		}
		for i := 1; i < len(h.Memory); i++ {
			if h.Memory[i-1].PhysicalStart > h.Memory[i].PhysicalStart {
				t.Errorf("%v before %v", h.Memory[i-1].Range(), h.Memory[i].Range())
			}
		}
	})
}
