// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// lastWords are in the log of the kernel that panics.
const lastWords = "these are the last words"

// inCrash is what is done in a crash kernel: its own memory and command line, and
// what there is of the kernel before. It has no memory set aside itself.
const inCrash = `
cat /proc/cmdline
cat /proc/iomem
run readelf -a --wide /proc/vmcore
run makedumpfile --dump-dmesg /proc/vmcore /tmp/dmesg
cat /tmp/dmesg
! run uefiexec load -p /bin/uefiexec
dmesg
`

// crashTest is a machine with memory set aside, and what is loaded into it.
type crashTest struct {
	name         string
	first, crash string // suites
	uki          bool
	firmware     vmtest.Firmware
	la57         bool
	memory, cpus int
	region       string
}

// TestCrash loads for a panic, panics, and looks at what is left from the kernel
// that takes over.
func TestCrash(t *testing.T) {
	for _, test := range []crashTest{
		{"kernel", "trixie", "trixie", false, vmtest.SeaBIOS, false, 1536, 2, "256M"},
		{"UKI above 4 GiB", "trixie", "trixie", true, vmtest.OVMF, true, 5120, 1, "320M,high"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("boots take their time")
			}
			r := test.run(t)
			t.Logf("%s after %v, off after %v", r.Stage(t, "crash").Release, r.Stage(t, "crash").At.Round(time.Millisecond), r.Took.Round(time.Millisecond))
			test.check(t, r)
			checkCrashMemory(t, r)
		})
	}
}

func (test crashTest) run(t *testing.T) *vmtest.Result {
	t.Helper()
	tools := map[string]string{"/bin/uefiexec": command(t, cpu.AMD64)}
	files := maps.Clone(tools)
	maps.Copy(tools, vmtest.Libraries(t, "readelf"))
	maps.Copy(tools, vmtest.Libraries(t, "makedumpfile"))
	script := inCrash
	if !test.uki {
		script += "run makedumpfile -l -d 31 /proc/vmcore /tmp/core\n" // all of it takes time
	}
	initrd := vmtest.Initramfs{Scripts: map[string]string{"crash": script}, Files: tools}.Build(t)
	kernel := emutest.Corpus(t, test.crash+"/amd64/vmlinuz")
	options := vmtest.Cmdline(cpu.AMD64, "crash", "nr_cpus=1", "reset_devices", "payload=crash")
	load := "run uefiexec load -p -console ttyS0 "
	if test.uki {
		files["/esp/EFI/Linux/uki.efi"] = vmtest.UKI{
			Stub: emutest.Corpus(t, test.crash+"/amd64/linux.efi.stub"),
			Sections: []vmtest.Section{
				{Name: ".osrel", Data: []byte("ID=crash\n")}, {Name: ".cmdline", Data: []byte(options + " crashkernel=1G")},
				{Name: ".initrd", File: initrd}, {Name: ".linux", File: kernel},
			},
		}.Build(t)
		load += "-esp /esp /esp/EFI/Linux/uki.efi"
	} else {
		files["/vmlinuz"], files["/initrd"] = kernel, initrd
		load += "-initrd /initrd /vmlinuz " + options
	}
	return vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, test.first+"/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": load + `
				cat /sys/kernel/kexec_crash_loaded
				cat /proc/iomem
				write /dev/kmsg '` + lastWords + `'
				write /proc/sysrq-trigger c`},
			Files: files,
		}.Build(t),
		Cmdline:  vmtest.Cmdline(cpu.AMD64, "first", "crashkernel="+test.region),
		Firmware: test.firmware, LA57: test.la57, CPUs: test.cpus, Memory: test.memory,
		Panic: "sysrq triggered crash",
	})
}

// check looks at what the crash kernel was told and finds.
func (test crashTest) check(t *testing.T, r *vmtest.Result) {
	t.Helper()
	if got := r.Output(t, "first", "cat /sys/kernel/kexec_crash_loaded"); got != "1\n" {
		t.Errorf("kexec_crash_loaded is %q", got)
	}
	for _, want := range []struct{ step, expression string }{
		{"cat /proc/cmdline", `\belfcorehdr=0x[0-9a-f]+ .*\bpayload=crash\b`},
		{"run readelf", `Type: +CORE`},
		{"run readelf", `\n +LOAD +\S+ 0xffffffff[89a-f]\S+`}, // the kernel's text
		{"run readelf", `\n +VMCOREINFO `},
		{"run makedumpfile --dump-dmesg", `makedumpfile Completed`},
		{"cat /tmp/dmesg", regexp.QuoteMeta("Linux version " + r.Stage(t, "first").Release)},
		{"cat /tmp/dmesg", `\bcrashkernel=` + test.region},
		{"cat /tmp/dmesg", lastWords},
		{"run uefiexec load -p", `crash kernel: .* crashkernel=`},
		{"dmesg", `efi: EFI v2\.\d+ by uefiexec`},
	} {
		if out := r.Output(t, "crash", want.step); !regexp.MustCompile(want.expression).MatchString(out) {
			t.Errorf("%s: no %s in\n%s", want.step, want.expression, out)
		}
	}
	if out := r.Output(t, "crash", "cat /proc/cmdline"); strings.Contains(out, "crashkernel=") {
		t.Errorf("command line %q", out)
	}
	if n := strings.Count(r.Output(t, "crash", "run readelf"), "NT_PRSTATUS"); n != test.cpus {
		t.Errorf("registers of %d processors, want %d", n, test.cpus)
	}
}

// checkCrashMemory holds the RAM of the crash kernel against what was set aside.
func checkCrashMemory(t *testing.T, r *vmtest.Result) {
	t.Helper()
	ranges := func(stage, name string) []efi.Range {
		var list []efi.Range
		for _, m := range regexp.MustCompile(`(?m)^ *([0-9a-f]+)-([0-9a-f]+) : (.*)$`).FindAllStringSubmatch(r.Output(t, stage, "cat /proc/iomem"), -1) {
			start, err := strconv.ParseUint(m[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			last, err := strconv.ParseUint(m[2], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			if m[3] == name {
				list = append(list, efi.Range{Start: efi.Addr(start), End: efi.Addr(last + 1)})
			}
		}
		return list
	}
	regions := ranges("first", "Crash kernel")
	if len(regions) == 0 {
		t.Error("the first kernel has set nothing aside")
	}
	used := make([]uint64, len(regions))
	for _, ram := range ranges("crash", "System RAM") {
		allowed := ram.End <= 1<<20
		for i, region := range regions {
			if region.Covers(ram) {
				allowed = true
				used[i] += ram.Size()
			}
		}
		if !allowed {
			t.Errorf("the crash kernel uses %v, and what was set aside is %v", ram, regions)
		}
	}
	for i, region := range regions {
		if used[i] < region.Size()*9/10 {
			t.Errorf("the crash kernel has %d MiB of %v", used[i]>>20, region)
		}
	}
}
