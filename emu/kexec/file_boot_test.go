// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestFileBackend boots unified kernel images with their sidecars by
// kexec_file_load, from a kernel that Secure Boot has locked down and from one
// that is locked down later on.
func TestFileBackend(t *testing.T) {
	// said is what a step must have printed; one that names an error must fail so.
	type said struct{ step, err, text string }
	const refused = "exit status 3"
	const load, loadFile = "run uefiexec load -esp /esp /esp/EFI/Linux/uki.efi", "run uefiexec load -backend file -esp /esp /esp/EFI/Linux/uki.efi"
	for _, test := range []struct {
		name, suite string
		secure      bool
		first       string
		want        []said
	}{
		// The stub of trixie starts its kernel by LoadImage.
		{"Secure Boot", "trixie", true, `
			cat /sys/kernel/security/lockdown
			! ` + load + `
			! run uefiexec load -backend file /changed
			cat /sys/kernel/kexec_loaded
			` + loadFile + `
			run uefiexec exec -f`, []said{
			{"cat /sys/kernel/security/lockdown", "", "[integrity]"},
			{load, refused, "locked down (integrity)"},
			{load, refused, "-backend file"},
			{"run uefiexec load -backend file /changed", refused, "the signature of the payload's kernel is bad"},
			{"cat /sys/kernel/kexec_loaded", "", "0"},
			{loadFile, "", "nothing of the EFI variables"},
		}},
		// Sid's does it itself. Without the firmware's keys the kernel trusts none that has signed a kernel.
		{"keys that nobody trusts", "sid", false, `
			` + loadFile + `
			write /sys/kernel/security/lockdown integrity
			! run uefiexec load /vmlinuz
			! run uefiexec load -backend file /vmlinuz
			cat /sys/kernel/kexec_loaded
			run uefiexec exec -f`, []said{
			{loadFile, "", "nothing of the EFI variables"},
			{"run uefiexec load /vmlinuz", refused, "-backend file"},
			{"run uefiexec load -backend file /vmlinuz", refused, "a signature by a key that it trusts"},
			{"cat /sys/kernel/kexec_loaded", "", "1"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			corpus := func(name string) string { return emutest.Corpus(t, test.suite+"/amd64/"+name) }
			cmdline := vmtest.Cmdline(cpu.AMD64, "second", "payload=uki")
			uki := vmtest.UKI{Stub: corpus("linux.efi.stub"), Sections: []vmtest.Section{
				{Name: ".osrel", Data: []byte("ID=test\n")},
				{Name: ".cmdline", Data: []byte(cmdline)},
				{Name: ".initrd", File: vmtest.Initramfs{Scripts: map[string]string{"second": `
					cat /proc/cmdline
					cat /.extra/credentials/my.cred /.extra/global_credentials/glob.cred
					ls /.extra/sysext
					ls /.extra/confext
					ls /sys/firmware`}}.Build(t)},
				{Name: ".linux", File: corpus("vmlinuz")},
			}}.Build(t)
			first := vmtest.Initramfs{
				Scripts: map[string]string{"first": test.first},
				Files: map[string]string{
					"/bin/uefiexec": command(t, cpu.AMD64), "/vmlinuz": corpus("vmlinuz"), "/esp/EFI/Linux/uki.efi": uki,
					"/esp/EFI/Linux/uki.efi.extra.d": corpus("esp/EFI/Linux/uki.efi.extra.d"),
					"/esp/loader":                    corpus("esp/loader"),
				},
				Data: map[string][]byte{"/changed": changed(t, corpus("vmlinuz"))},
			}
			config := vmtest.Config{Kernel: corpus("vmlinuz"), Initramfs: first.Build(t)}
			if test.secure {
				config.Args = secureBoot(t)
			}
			r := vmtest.Run(t, config)
			t.Logf("%s after %v, second kernel after %v", r.Stage(t, "first").Release,
				r.Stage(t, "first").At.Round(time.Millisecond), r.Stage(t, "second").At.Round(time.Millisecond))
			for _, want := range test.want {
				s := r.Step(t, "first", want.step)
				if s.Error != want.err || !strings.Contains(s.Output, want.text) {
					t.Errorf("%s: error %q, want %q; does it say %q?\n%s", s.Command, s.Error, want.err, want.text, s.Output)
				}
			}
			if got, want := strings.TrimSpace(r.Output(t, "second", "cat /proc/cmdline")), cmdline+" addon=global addon=local"; got != want {
				t.Errorf("command line %q, want %q", got, want)
			}
			if got := r.Output(t, "second", "cat /.extra"); got != "secret-localsecret-global\n" {
				t.Errorf("credentials %q", got)
			}
			if got := r.Output(t, "second", "ls /.extra/sysext") + r.Output(t, "second", "ls /.extra/confext"); got != "ext.sysext.raw\nconf.confext.raw\n" {
				t.Errorf("extensions %q", got)
			}
			if got := slices.Contains(strings.Fields(r.Output(t, "second", "ls /sys/firmware")), "efi"); got != test.secure {
				t.Errorf("the second kernel has EFI: %v, the first: %v", got, test.secure)
			}
		})
	}
}

// changed is a kernel with another letter in its version: it runs, and what it is
// signed with is not its own.
func changed(t *testing.T, name string) []byte {
	t.Helper()
	kernel, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const kernelVersion = 0x20e // a pointer, from 0x200, in the setup header
	kernel[0x200+int(binary.LittleEndian.Uint16(kernel[kernelVersion:]))]++
	return kernel
}
