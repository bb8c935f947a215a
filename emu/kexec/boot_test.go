// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

var product = flag.Bool("product", false, "boot every first kernel on every firmware with every payload, not a choice of pairs")

// command is the command, built for the guests.
func command(t *testing.T, arch cpu.Arch) string {
	t.Helper()
	return vmtest.Program(t, arch, "github.com/uefiexec/uefiexec/examples/uefiexec")
}

// combination is a first kernel on a machine, and what it boots.
type combination struct {
	first    string // suite
	firmware vmtest.Firmware
	memory   int // MiB
	cpus     int
	la57     bool
	payload  string // "kernel" or "uki"
	second   string // suite

	arm64   bool
	machine string // options of QEMU's board
}

func (c combination) arch() cpu.Arch {
	if c.arm64 {
		return cpu.ARM64
	}
	return cpu.AMD64
}

// firmwares are the firmwares' names. AArch64 has a machine without any.
func (c combination) firmwareName() string {
	name := map[vmtest.Firmware]string{vmtest.SeaBIOS: "SeaBIOS", vmtest.OVMF: "OVMF"}[c.firmware]
	if c.arm64 {
		name = map[vmtest.Firmware]string{vmtest.SeaBIOS: "none, a device tree", vmtest.OVMF: "AAVMF"}[c.firmware]
	}
	if c.machine != "" {
		name += ", " + c.machine
	}
	return name
}

func (c combination) String() string {
	la57 := ""
	if c.la57 {
		la57 = " la57"
	}
	return fmt.Sprintf("%v %s %s %d MiB %d CPUs%s to %s %s", c.arch(), c.first, c.firmwareName(), c.memory, c.cpus, la57, c.second, c.payload)
}

// acpi and smbios report whether the machine has such tables.
func (c combination) acpi() bool {
	return !c.arm64 || c.firmware == vmtest.OVMF && !strings.Contains(c.machine, "acpi=off")
}
func (c combination) smbios() bool { return !c.arm64 || c.firmware == vmtest.OVMF }

// facts are what a second kernel is asked for.
func (c combination) facts() string {
	list := []string{"cat /proc/cmdline", "cat /proc/cpuinfo", "ls /sys/firmware/efi", "dmesg"}
	if c.acpi() {
		list = append(list, "ls /sys/firmware/acpi/tables")
	} else {
		list = append(list, "ls /proc/device-tree")
	}
	if c.smbios() {
		list = append(list, "ls /sys/firmware/dmi/tables")
	}
	return strings.Join(list, "\n") + "\n"
}

// screen reports whether the machine has one, that efifb shows and the second
// kernel is to find.
func (c combination) screen() bool {
	return !c.arm64 && c.firmware == vmtest.OVMF && c.first == "bookworm" && c.second == "bookworm"
}

// combinations cover every value of every axis.
func combinations() []combination {
	if !*product {
		return []combination{
			{"bookworm", vmtest.SeaBIOS, 512, 1, false, "kernel", "trixie", false, ""},
			{"trixie", vmtest.OVMF, 1024, 4, true, "uki", "trixie", false, ""},
			{"sid", vmtest.SeaBIOS, 5120, 1, false, "kernel", "sid", false, ""},
			{"bookworm", vmtest.OVMF, 2048, 1, true, "uki", "bookworm", false, ""},
			{"trixie", vmtest.SeaBIOS, 1024, 1, true, "kernel", "bookworm", false, ""},
			{"sid", vmtest.OVMF, 1024, 1, false, "uki", "sid", false, ""},

			{"trixie", vmtest.SeaBIOS, 1024, 2, false, "kernel", "bookworm", true, ""},
			{"bookworm", vmtest.OVMF, 2048, 1, false, "uki", "trixie", true, "virtualization=on,gic-version=3"},
			{"sid", vmtest.OVMF, 5120, 4, false, "kernel", "sid", true, "acpi=off"},
		}
	}
	var all []combination
	for _, first := range []string{"bookworm", "trixie", "sid"} {
		for _, firmware := range []vmtest.Firmware{vmtest.SeaBIOS, vmtest.OVMF} {
			for i, payload := range []string{"kernel", "uki"} {
				for k, second := range []string{"bookworm", "trixie", "sid"} {
					all = append(all, combination{first, firmware, 1024, 1 + 3*(k%2), i == 1, payload, second, false, ""},
						combination{first, firmware, 1024, 1 + 3*(k%2), false, payload, second, true, []string{"", "virtualization=on", "gic-version=3"}[k]})
				}
			}
		}
	}
	return all
}

// TestBoot boots payloads from first kernels, by the command as people use it,
// and asks the second kernel what it finds.
func TestBoot(t *testing.T) {
	for _, c := range combinations() {
		t.Run(c.String(), func(t *testing.T) {
			initrd := vmtest.Initramfs{
				Arch:    c.arch(),
				Scripts: map[string]string{"second": c.facts() + secondFacts(c)},
				Modules: []string{vmtest.Module(t, c.second, c.arch(), "efivarfs")},
			}
			corpus := func(suite, name string) string {
				return emutest.Corpus(t, suite+"/"+map[bool]string{false: "amd64/", true: "arm64/"}[c.arm64]+name)
			}
			files := map[string]string{"/bin/uefiexec": command(t, c.arch())}
			load := ""
			switch c.payload {
			case "kernel":
				files["/vmlinuz"] = corpus(c.second, "vmlinuz")
				files["/initrd"] = initrd.Build(t)
				load = "run uefiexec load -verify -initrd /initrd /vmlinuz " + vmtest.Cmdline(c.arch(), "second", "payload=kernel")
			case "uki":
				for _, part := range []string{"loader", "EFI/Linux/uki.efi.extra.d"} {
					files["/esp/"+part] = corpus(c.second, "esp/"+part)
				}
				files["/esp/EFI/Linux/uki.efi"] = ukiWith(t, c.arch(), c.second, initrd.Build(t))
				load = "run uefiexec load -verify -esp /esp /esp/EFI/Linux/uki.efi"
			}
			var args []string
			if c.screen() {
				args = []string{"-device", "VGA"}
				load = "cat /proc/fb\n" + load
			}
			r := vmtest.Run(t, vmtest.Config{
				Arch:   c.arch(),
				Kernel: corpus(c.first, "vmlinuz"),
				Initramfs: vmtest.Initramfs{
					Arch:    c.arch(),
					Scripts: map[string]string{"first": load + "\ncat /sys/kernel/kexec_loaded\nrun uefiexec exec"},
					Files:   files,
				}.Build(t),
				Cmdline: vmtest.Cmdline(c.arch(), "first"), Board: c.machine,
				Firmware: c.firmware, LA57: c.la57, CPUs: c.cpus, Memory: c.memory, Args: args,
			})
			t.Logf("%s after %v, off after %v", r.Stage(t, "second").Release, r.Stage(t, "second").At.Round(time.Millisecond), r.Took.Round(time.Millisecond))
			checkSecond(t, c, r)
		})
	}
}

// secondFacts are what only some payloads leave.
func secondFacts(c combination) string {
	if c.payload != "uki" {
		return ""
	}
	const loader = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
	return "ls /.extra/credentials\nls /.extra/sysext\n" +
		"hex /sys/firmware/efi/efivars/StubInfo-" + loader + "\n" +
		"hex /sys/firmware/efi/efivars/LoaderDevicePartUUID-" + loader + "\n"
}

func checkSecond(t *testing.T, c combination, r *vmtest.Result) {
	t.Helper()
	contains := func(step string, wants ...string) {
		t.Helper()
		out := r.Output(t, "second", step)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", step, want, out)
			}
		}
	}
	if n := strings.Count("\n"+r.Output(t, "second", "cat /proc/cpuinfo"), "\nprocessor\t:"); n != c.cpus {
		t.Errorf("%d processors, want %d", n, c.cpus)
	}
	contains("ls /sys/firmware/efi", "efivars", "systab")
	contains("dmesg", "by uefiexec", "Registered efivars operations", "RTPROP=", "MEMATTR=")
	if c.acpi() {
		contains("ls /sys/firmware/acpi/tables", "FACP", "DSDT", "APIC")
	} else {
		contains("ls /proc/device-tree", "chosen", "cpus", "psci")
	}
	if c.smbios() {
		contains("ls /sys/firmware/dmi/tables", "DMI", "smbios_entry_point")
		contains("dmesg", "SMBIOS")
	}
	if out := r.Output(t, "second", "dmesg"); strings.Contains(out, "memattr:") {
		t.Errorf("the kernel complains about the memory attributes:\n%s", out)
	}
	if strings.Contains(c.machine, "gic-version=3") {
		// The GIC cannot be told to leave the memory that an earlier kernel has given it.
		contains("dmesg", "using reserved LPI pending table")
	}
	if c.screen() {
		if fb := r.Output(t, "first", "cat /proc/fb"); fb != "0 EFI VGA\n" {
			t.Errorf("/proc/fb of the first kernel is %q", fb)
		}
		contains("dmesg", "efifb: framebuffer at 0x", "fb0: EFI VGA frame buffer device")
	}
	if c.payload == "kernel" {
		contains("cat /proc/cmdline", "payload=kernel")
		return
	}
	cmdline := []string{"payload=uki"}
	if c.second != "bookworm" {
		cmdline = append(cmdline, "addon=global", "addon=local")
	}
	contains("ls /.extra/credentials", "my.cred")
	contains("ls /.extra/sysext", "ext.sysext.raw")
	contains("cat /proc/cmdline", cmdline...)
	// The attributes, BS|RT, are in the first four bytes.
	for _, name := range []string{"StubInfo", "LoaderDevicePartUUID"} {
		out := strings.Join(strings.Fields(r.Output(t, "second", "hex /sys/firmware/efi/efivars/"+name)), "")
		if !strings.Contains(out, "06000000") || len(out) < 40 {
			t.Errorf("%s is %q", name, out)
		}
	}
}

// TestThirdKernel has the second kernel do it again.
func TestThirdKernel(t *testing.T) {
	third := vmtest.Initramfs{Scripts: map[string]string{"third": "cat /proc/cmdline\ndmesg"}}.Build(t)
	kernel := emutest.Corpus(t, "trixie/amd64/vmlinuz")
	load := func(initrd, script string) string {
		return "run uefiexec load -initrd " + initrd + " /vmlinuz " + vmtest.Cmdline(cpu.AMD64, script) + "\nrun uefiexec exec\n"
	}
	files := map[string]string{"/bin/uefiexec": command(t, cpu.AMD64), "/vmlinuz": kernel, "/third": third}
	second := vmtest.Initramfs{Scripts: map[string]string{"second": load("/third", "third")}, Files: files}.Build(t)
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, "bookworm/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": load("/second", "second")},
			Files:   map[string]string{"/bin/uefiexec": command(t, cpu.AMD64), "/vmlinuz": kernel, "/second": second},
		}.Build(t),
		Cmdline: vmtest.Cmdline(cpu.AMD64, "first"), Memory: 1024, CPUs: 2,
	})
	var names []string
	for _, s := range r.Stages {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "first second third" {
		t.Errorf("kernels that ran: %s", got)
	}
	if out := r.Output(t, "third", "dmesg"); !strings.Contains(out, "by uefiexec") {
		t.Errorf("the third kernel was not booted by EFI:\n%s", out)
	}
}

// ukiWith makes a unified kernel image of a suite's stub and kernel, with an
// initrd of the test's own, and returns its path.
func ukiWith(t *testing.T, arch cpu.Arch, suite, initrd string) string {
	t.Helper()
	folder := suite + map[cpu.Arch]string{cpu.AMD64: "/amd64/", cpu.ARM64: "/arm64/"}[arch]
	return vmtest.UKI{Stub: emutest.Corpus(t, folder+"linux.efi.stub"), Sections: []vmtest.Section{
		{Name: ".osrel", Data: []byte("ID=test\nPRETTY_NAME=\"Test\"\n")},
		{Name: ".cmdline", Data: []byte(vmtest.Cmdline(arch, "second", "payload=uki"))},
		{Name: ".initrd", File: initrd},
		{Name: ".linux", File: emutest.Corpus(t, folder+"vmlinuz")},
	}}.Build(t)
}
