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
func command(t *testing.T) string {
	t.Helper()
	return vmtest.Program(t, cpu.AMD64, "github.com/uefiexec/uefiexec/examples/uefiexec")
}

// facts are what a second kernel is asked for.
const facts = `
cat /proc/cmdline
cat /proc/cpuinfo
ls /sys/firmware/efi
ls /sys/firmware/acpi/tables
ls /sys/firmware/dmi/tables
dmesg
`

// combination is a first kernel on a machine, and what it boots.
type combination struct {
	first    string // suite
	firmware vmtest.Firmware
	memory   int // MiB
	cpus     int
	la57     bool
	payload  string // "kernel" or "uki"
	second   string // suite
}

func (c combination) String() string {
	firmware := "SeaBIOS"
	if c.firmware == vmtest.OVMF {
		firmware = "OVMF"
	}
	la57 := ""
	if c.la57 {
		la57 = " la57"
	}
	return fmt.Sprintf("%s %s %d MiB %d CPUs%s to %s %s", c.first, firmware, c.memory, c.cpus, la57, c.second, c.payload)
}

// screen reports whether the machine has one, that efifb shows and the second
// kernel is to find.
func (c combination) screen() bool {
	return c.firmware == vmtest.OVMF && c.first == "bookworm" && c.second == "bookworm"
}

// combinations cover every value of every axis.
func combinations() []combination {
	if !*product {
		return []combination{
			{"bookworm", vmtest.SeaBIOS, 512, 1, false, "kernel", "trixie"},
			{"trixie", vmtest.OVMF, 1024, 4, true, "uki", "trixie"},
			{"sid", vmtest.SeaBIOS, 5120, 1, false, "kernel", "sid"},
			{"bookworm", vmtest.OVMF, 2048, 1, true, "uki", "bookworm"},
			{"trixie", vmtest.SeaBIOS, 1024, 1, true, "kernel", "bookworm"},
			{"sid", vmtest.OVMF, 1024, 1, false, "uki", "sid"},
		}
	}
	var all []combination
	for _, first := range []string{"bookworm", "trixie", "sid"} {
		for _, firmware := range []vmtest.Firmware{vmtest.SeaBIOS, vmtest.OVMF} {
			for i, payload := range []string{"kernel", "uki"} {
				for k, second := range []string{"bookworm", "trixie", "sid"} {
					all = append(all, combination{first, firmware, 1024, 1 + 3*(k%2), i == 1, payload, second})
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
				Scripts: map[string]string{"second": facts + secondFacts(c)},
				Modules: []string{vmtest.Module(t, c.second, cpu.AMD64, "efivarfs")},
			}
			files := map[string]string{"/bin/uefiexec": command(t)}
			load := ""
			switch c.payload {
			case "kernel":
				files["/vmlinuz"] = emutest.Corpus(t, c.second+"/amd64/vmlinuz")
				files["/initrd"] = initrd.Build(t)
				load = "run uefiexec load -verify -initrd /initrd /vmlinuz " + vmtest.Cmdline(cpu.AMD64, "second", "payload=kernel")
			case "uki":
				for _, part := range []string{"loader", "EFI/Linux/uki.efi.extra.d"} {
					files["/esp/"+part] = emutest.Corpus(t, c.second+"/amd64/esp/"+part)
				}
				files["/esp/EFI/Linux/uki.efi"] = ukiWith(t, c.second, initrd.Build(t))
				load = "run uefiexec load -verify -esp /esp /esp/EFI/Linux/uki.efi"
			}
			var args []string
			if c.screen() {
				args = []string{"-device", "VGA"}
				load = "cat /proc/fb\n" + load
			}
			r := vmtest.Run(t, vmtest.Config{
				Kernel: emutest.Corpus(t, c.first+"/amd64/vmlinuz"),
				Initramfs: vmtest.Initramfs{
					Scripts: map[string]string{"first": load + "\ncat /sys/kernel/kexec_loaded\nrun uefiexec exec"},
					Files:   files,
				}.Build(t),
				Cmdline:  vmtest.Cmdline(cpu.AMD64, "first"),
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
	contains("ls /sys/firmware/efi", "efivars", "runtime", "systab")
	contains("ls /sys/firmware/acpi/tables", "FACP", "DSDT", "APIC")
	contains("ls /sys/firmware/dmi/tables", "DMI", "smbios_entry_point")
	contains("dmesg", "by uefiexec", "Registered efivars operations", "SMBIOS", "RTPROP=", "MEMATTR=")
	if out := r.Output(t, "second", "dmesg"); strings.Contains(out, "memattr:") {
		t.Errorf("the kernel complains about the memory attributes:\n%s", out)
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
	files := map[string]string{"/bin/uefiexec": command(t), "/vmlinuz": kernel, "/third": third}
	second := vmtest.Initramfs{Scripts: map[string]string{"second": load("/third", "third")}, Files: files}.Build(t)
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, "bookworm/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": load("/second", "second")},
			Files:   map[string]string{"/bin/uefiexec": command(t), "/vmlinuz": kernel, "/second": second},
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
func ukiWith(t *testing.T, suite, initrd string) string {
	t.Helper()
	return vmtest.UKI{Stub: emutest.Corpus(t, suite+"/amd64/linux.efi.stub"), Sections: []vmtest.Section{
		{Name: ".osrel", Data: []byte("ID=test\nPRETTY_NAME=\"Test\"\n")},
		{Name: ".cmdline", Data: []byte(vmtest.Cmdline(cpu.AMD64, "second", "payload=uki"))},
		{Name: ".initrd", File: initrd},
		{Name: ".linux", File: emutest.Corpus(t, suite+"/amd64/vmlinuz")},
	}}.Build(t)
}
