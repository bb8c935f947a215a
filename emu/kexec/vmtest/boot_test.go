// SPDX-License-Identifier: BSD-3-Clause

package vmtest_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestFirmware boots a kernel by each firmware.
func TestFirmware(t *testing.T) {
	for _, test := range []struct {
		name     string
		firmware vmtest.Firmware
		la57     bool
		cpus     int
		facts    string // in the script, that hold for it
	}{
		{"SeaBIOS", vmtest.SeaBIOS, false, 2, `
			! ls /sys/firmware/efi
			ls /sys/firmware/memmap`},
		{"OVMF", vmtest.OVMF, true, 1, `
			ls /sys/firmware/efi/runtime-map
			ls /sys/firmware/efi/efivars
			cat /sys/class/tpm/tpm0/tpm_version_major`},
	} {
		t.Run(test.name, func(t *testing.T) {
			kernel := emutest.Corpus(t, "bookworm/amd64/vmlinuz")
			r := vmtest.Run(t, vmtest.Config{
				Kernel: kernel,
				Initramfs: vmtest.Initramfs{
					Scripts: map[string]string{"first": "cat /proc/version /proc/cmdline /proc/cpuinfo\n" + test.facts},
					Modules: []string{vmtest.Module(t, "bookworm", cpu.AMD64, "efivarfs")},
				}.Build(t),
				Cmdline:  vmtest.Cmdline(cpu.AMD64, "first", "some=thing"),
				CPUs:     test.cpus,
				Firmware: test.firmware,
				LA57:     test.la57,
				TPM:      test.firmware == vmtest.OVMF,
			})
			first := r.Stage(t, "first")
			t.Logf("%s: init after %v, off after %v, %d retries", first.Release, first.At.Round(time.Millisecond), r.Took.Round(time.Millisecond), r.Retries)
			out := r.Output(t, "first", "cat /proc/version")
			if !strings.Contains(out, "Linux version "+first.Release+" ") || !strings.Contains(out, "some=thing") {
				t.Errorf("version and command line:\n%s", out)
			}
			if n := strings.Count(out, "\nprocessor\t:"); n != test.cpus {
				t.Errorf("%d processors, want %d", n, test.cpus)
			}
			if got := strings.Contains(out, " la57"); got != test.la57 {
				t.Errorf("la57 is %v, want %v", got, test.la57)
			}
			if test.firmware == vmtest.OVMF {
				if vars := r.Output(t, "first", "ls /sys/firmware/efi/efivars"); !strings.Contains(vars, "BootOrder-") {
					t.Errorf("no BootOrder among the variables:\n%s", vars)
				}
				if v := r.Output(t, "first", "cat /sys/class/tpm"); v != "2\n" {
					t.Errorf("TPM version %q", v)
				}
			}
		})
	}
}

// TestSecondKernel watches a kernel that another one starts.
func TestSecondKernel(t *testing.T) {
	kernel := emutest.Corpus(t, "bookworm/amd64/vmlinuz")
	second := vmtest.Initramfs{
		Scripts: map[string]string{"second": "cat /proc/cmdline /in-second"},
		Data:    map[string][]byte{"/in-second": []byte("carried over\n")},
	}.Build(t)
	files := map[string]string{"/kernel": kernel, "/initrd": second}
	maps.Copy(files, vmtest.Libraries(t, "uname"))
	maps.Copy(files, vmtest.Libraries(t, "sleep"))
	r := vmtest.Run(t, vmtest.Config{
		Kernel: kernel,
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": `
				run uname -r
				! kill 100ms sleep 60
				! kexec-exec
				kexec-load /kernel /initrd ` + vmtest.Quote(vmtest.Cmdline(cpu.AMD64, "second", "extra=it's")) + `
				cat /sys/kernel/kexec_loaded
				kexec-exec`},
			Files: files,
		}.Build(t),
	})
	var names []string
	for _, s := range r.Stages {
		names = append(names, s.Name)
		t.Logf("%s: init after %v", s.Name, s.At.Round(time.Millisecond))
	}
	t.Logf("off after %v, %d retries", r.Took.Round(time.Millisecond), r.Retries)
	if got := strings.Join(names, " "); got != "first second" {
		t.Errorf("kernels that ran: %s", got)
	}
	if got, want := r.Output(t, "first", "run uname"), r.Stage(t, "first").Release+"\n"; got != want {
		t.Errorf("uname -r is %q, want %q", got, want)
	}
	if s := r.Step(t, "first", "kill"); s.Error != "signal: killed" || s.Took > 30*time.Second {
		t.Errorf("kill: %q after %v", s.Error, s.Took)
	}
	if got := r.Output(t, "first", "cat /sys/kernel/kexec_loaded"); got != "1\n" {
		t.Errorf("kexec_loaded is %q", got)
	}
	if jump := r.Step(t, "first", "kexec-exec"); jump.Done {
		t.Error("kexec-exec returned")
	}
	if got := r.Output(t, "second", "cat"); !strings.Contains(got, "extra=it's") || !strings.HasSuffix(got, "\ncarried over\n") {
		t.Errorf("the second kernel says:\n%s", got)
	}
}
