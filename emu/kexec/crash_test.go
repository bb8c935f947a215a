// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
)

// crashFiles are those of a kernel that was booted with crashkernel=256M,high.
func crashFiles() fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range map[string]string{
		"sys/kernel/kexec_crash_size": "536870912\n",
		"sys/kernel/vmcoreinfo":       "0x0000000004a1b000 1024\n",
		"proc/iomem": `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
000f0000-000fffff : System ROM
00100000-5ffdffff : System RAM
  12400000-133fffff : Kernel code
  13400000-13ebffff : Kernel rodata
  30000000-3fffffff : Crash kernel
5ffe0000-5fffffff : Reserved
100000000-1bfffffff : System RAM
  1ab000000-1bbffffff : Crash kernel
1c0000000-1c0ffffff : System RAM (kmem)
`,
		"sys/devices/system/cpu/cpu0/crash_notes":       "102341000\n",
		"sys/devices/system/cpu/cpu0/crash_notes_size":  "368\n",
		"sys/devices/system/cpu/cpu10/crash_notes":      "1023410a0\n",
		"sys/devices/system/cpu/cpu10/crash_notes_size": "368\n",
		"sys/devices/system/cpu/cpu2/crash_notes":       "102341050\n",
		"sys/devices/system/cpu/cpu2/crash_notes_size":  "368\n",
		"sys/devices/system/cpu/cpu3/online":            "0\n",
		"sys/devices/system/cpu/cpufreq/boost":          "1\n",
		"sys/devices/system/cpu/possible":               "0-3\n",
	} {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	root["proc/kcore"] = &fstest.MapFile{Data: kcore(
		elf.Prog64{Vaddr: 0xffffffff95800000, Paddr: 0x12400000, Memsz: 0x2c00000},
		elf.Prog64{Vaddr: 0xffffc90000000000, Paddr: ^uint64(0), Memsz: 0x1fffffffffff},
		elf.Prog64{Vaddr: 0xffff888000001000, Paddr: 0x1000, Memsz: 0x9e000},
		elf.Prog64{Vaddr: 0xffff888000100000, Paddr: 0x100000, Memsz: 0x5fee0000},
		elf.Prog64{Vaddr: 0xffff888100000000, Paddr: 0x100000000, Memsz: 0xc0000000},
	)}
	return root
}

// kcore is a header as of /proc/kcore.
func kcore(loads ...elf.Prog64) []byte {
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	put(elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(loads)),
	})
	for _, l := range loads {
		l.Type, l.Filesz = uint32(elf.PT_LOAD), l.Memsz
		put(l)
	}
	return b.Bytes()
}

func ram(start, end efi.Addr) efi.MemoryDescriptor {
	return efi.MemoryDescriptor{Type: efi.ConventionalMemory, PhysicalStart: start, NumberOfPages: uint64(end-start) / efi.PageSize,
		Attribute: cacheability(efi.ConventionalMemory)}
}

// crashHost is the machine of crashFiles.
func crashHost() *Host {
	acpi := ram(0x5ffe0000, 0x60000000)
	acpi.Type = efi.ACPIReclaimMemory
	return &Host{
		Memory: []efi.MemoryDescriptor{ram(0, 0x9f000), ram(0x100000, 0x5ffe0000), acpi, ram(0x100000000, 0x1c0000000)},
		Flags:  []string{"pdpe1gb"},
		Total:  4 << 30,
	}
}

func newCrash(t testing.TB) *Crash {
	t.Helper()
	c, err := crashHost().Crash(crashFiles())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compare holds lines against those wanted.
func compare(t *testing.T, what, got, want string) {
	t.Helper()
	if got, want = strings.TrimSpace(got), strings.TrimSpace(want); got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// TestCrashCore reads the header with another reader of ELF.
func TestCrashCore(t *testing.T) {
	raw, err := newCrash(t).core.encode(cpu.AMD64)
	if err != nil {
		t.Fatal(err)
	}
	file, err := elf.NewFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(file.Class, file.Data, file.Type, file.Machine)
	for _, p := range file.Progs {
		if p.Off != p.Paddr || p.Filesz != p.Memsz {
			t.Errorf("offset %#x at %#x, %#x bytes of %#x", p.Off, p.Paddr, p.Filesz, p.Memsz)
		}
		got += fmt.Sprintf("%v %v %#x %#x+%#x\n", p.Type, p.Flags, p.Vaddr, p.Paddr, p.Memsz)
	}
	compare(t, "header", got, `
ELFCLASS64 ELFDATA2LSB ET_CORE EM_X86_64
PT_NOTE 0x0 0x0 0x102341000+0x170
PT_NOTE 0x0 0x0 0x102341050+0x170
PT_NOTE 0x0 0x0 0x1023410a0+0x170
PT_NOTE 0x0 0x0 0x4a1b000+0x1024
PT_LOAD PF_X+PF_W+PF_R 0xffffffff95800000 0x12400000+0x2c00000
PT_LOAD PF_X+PF_W+PF_R 0xffff888000100000 0x100000+0x2ff00000
PT_LOAD PF_X+PF_W+PF_R 0xffff888040000000 0x40000000+0x1ffe0000
PT_LOAD PF_X+PF_W+PF_R 0xffff888100000000 0x100000000+0xab000000
PT_LOAD PF_X+PF_W+PF_R 0xffff8881bc000000 0x1bc000000+0x4000000
PT_LOAD PF_X+PF_W+PF_R 0x0 0x1c0000000+0x1000000`)
	if n := newCrash(t).core.size(); n != uint64(len(raw)) {
		t.Errorf("size is %d, and there are %d bytes", n, len(raw))
	}
	if _, err := newCrash(t).core.encode(0); err == nil {
		t.Error("a header for no architecture")
	}
}

// TestCrashMemory shows the memory map for the payload, and what is free in it.
func TestCrashMemory(t *testing.T) {
	host := crashHost()
	c, err := host.Crash(crashFiles())
	if err != nil {
		t.Fatal(err)
	}
	if len(host.Memory) != 4 {
		t.Error("the host itself has changed")
	}
	cfg := c.Config(emu.Config{})
	var got strings.Builder
	for _, d := range cfg.MemoryMap {
		fmt.Fprintf(&got, "%v %v %#x\n", d.Range(), d.Type, uint64(d.Attribute))
	}
	compare(t, "memory map", got.String(), `
[0x0, 0x9f000) Conventional 0xf
[0x100000, 0x30000000) Reserved 0x0
[0x30000000, 0x3ff00000) LoaderData 0xf
[0x3ff00000, 0x40000000) Conventional 0xf
[0x40000000, 0x5ffe0000) Reserved 0x0
[0x5ffe0000, 0x60000000) ACPIReclaim 0xf
[0x100000000, 0x1ab000000) Reserved 0x0
[0x1ab000000, 0x1bbff0000) Conventional 0xf
[0x1bbff0000, 0x1bc000000) Reserved 0x0
[0x1bc000000, 0x1c0000000) Reserved 0x0`)
	if got := fmt.Sprint(cfg.Withhold); got != "[[0x0, 0x9f000)]" {
		t.Errorf("withheld: %s", got)
	}
	if got := c.Region.String(); got != "[0x1ab000000, 0x1bc000000)" {
		t.Errorf("region: %s", got)
	}
}

// TestCrashLeftOut does without what can be done without.
func TestCrashLeftOut(t *testing.T) {
	root := crashFiles()
	delete(root, "proc/kcore")
	delete(root, "sys/kernel/vmcoreinfo")
	c, err := crashHost().Crash(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.core.notes) != 3 || len(c.core.loads) != 5 || c.core.loads[0] != (coreLoad{efi.Range{Start: 0x100000, End: 0x30000000}, 0}) {
		t.Errorf("%+v", c.core)
	}
}

// TestCrashErrors says what is wrong with a kernel.
func TestCrashErrors(t *testing.T) {
	const notes, memory = "sys/devices/system/cpu/cpu0/crash_notes", "proc/iomem"
	for _, test := range []struct {
		name       string
		file, text string // "" is none
		want       string
		is         error
	}{
		{"no support", "sys/kernel/kexec_crash_size", "", "CONFIG_CRASH_DUMP", nil},
		{"nothing set aside", "sys/kernel/kexec_crash_size", "0\n", "crashkernel=256M", nil},
		{"no root", memory, "00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n", "shows no addresses", fs.ErrPermission},
		{"no region", memory, "00100000-5ffdffff : System RAM\n", "does not show", nil},
		{"no memory map", memory, "", "proc/iomem", fs.ErrNotExist},
		{"odd memory map", memory, "00100000 System RAM\n", `/proc/iomem: "00100000 System RAM`, nil},
		{"odd address", memory, "00100000-x : System RAM\n", "/proc/iomem", nil},
		{"small", memory, "00100000-5ffdffff : System RAM\n  30000000-3000ffff : Crash kernel\n", "[0x30000000, 0x30010000)", nil},
		{"elsewhere", memory, "00100000-9fffffff : System RAM\n  70000000-7fffffff : Crash kernel\n", "is not all RAM", nil},
		{"half elsewhere", memory, "00100000-9fffffff : System RAM\n  50000000-6fffffff : Crash kernel\n", "is not all RAM", nil},
		{"odd notes", notes, "junk\n", "/" + notes, nil},
		{"notes at 0", notes, "0\n", "/" + notes, nil},
		{"notes that wrap", notes, "ffffffffffffff00\n", "/" + notes, nil},
		{"odd size of notes", notes + "_size", "x\n", "/" + notes, nil},
		{"no size of notes", notes + "_size", "", notes, fs.ErrNotExist},
		{"odd vmcoreinfo", "sys/kernel/vmcoreinfo", "0x1000\n", "/sys/kernel/vmcoreinfo", nil},
	} {
		root := crashFiles()
		root[test.file] = &fstest.MapFile{Data: []byte(test.text)}
		if test.text == "" {
			delete(root, test.file)
		}
		_, err := crashHost().Crash(root)
		if err == nil || !strings.HasPrefix(err.Error(), "kexec: crash kernel: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: %v is no %v", test.name, err, test.is)
		}
	}
	root := crashFiles()
	maps.DeleteFunc(root, func(name string, _ *fstest.MapFile) bool { return strings.Contains(name, "crash_notes") })
	if _, err := crashHost().Crash(root); err == nil || !strings.Contains(err.Error(), "no crash_notes") {
		t.Errorf("no notes: %v", err)
	}
}

// FuzzCrash reads any files: what is to be dumped is never what the crash kernel
// runs in, and the memory map for the payload is the machine's.
func FuzzCrash(f *testing.F) {
	files := crashFiles()
	f.Add(files["proc/iomem"].Data, files["sys/kernel/vmcoreinfo"].Data, files["sys/devices/system/cpu/cpu0/crash_notes"].Data, files["proc/kcore"].Data)
	f.Fuzz(func(t *testing.T, iomem, info, notes, kcore []byte) {
		root := crashFiles()
		for name, data := range map[string][]byte{
			"proc/iomem": iomem, "sys/kernel/vmcoreinfo": info, "sys/devices/system/cpu/cpu0/crash_notes": notes, "proc/kcore": kcore,
		} {
			root[name] = &fstest.MapFile{Data: data}
		}
		host := crashHost()
		c, err := host.Crash(root)
		if err != nil {
			return
		}
		texts := bytes.Count(iomem, []byte("Kernel code")) // which are believed to be elsewhere
		for _, l := range c.core.loads {
			if l.Overlaps(c.Region) {
				texts--
			}
			if l.Size() == 0 || texts < 0 {
				t.Errorf("a dump of %v, where %v is set aside", l.Range, c.Region)
			}
		}
		var had, has uint64
		for _, d := range host.Memory {
			had += d.NumberOfPages
		}
		end := efi.Addr(0)
		for _, d := range c.Memory {
			if d.PhysicalStart < end || d.NumberOfPages == 0 {
				t.Errorf("%v after %v", d.Range(), end)
			}
			has, end = has+d.NumberOfPages, d.Range().End
		}
		if had != has {
			t.Errorf("%d pages of %d", has, had)
		}
	})
}
