// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// attempt is a line of a script with the end that it must come to, and what must
// be said then.
type attempt struct {
	line  string
	error string // "" for none
	says  []string
}

func script(list []attempt) string {
	var b strings.Builder
	for _, a := range list {
		if a.error != "" {
			b.WriteString("! ")
		}
		b.WriteString(a.line + "\n")
	}
	return b.String()
}

// TestRefusals has loads refused, on a machine with little memory: for each there
// is a reason, an exit code, and the system goes on, with what was loaded before.
func TestRefusals(t *testing.T) {
	if testing.Short() {
		t.Skip("boots take their time")
	}
	const (
		nobody = "run setpriv --reuid 65534 --regid 65534 --clear-groups "
		loaded = "cat /sys/kernel/kexec_loaded"
		host   = "exit status 5"
		policy = "exit status 3"
	)
	attempts := []attempt{
		{"run uefiexec exec", host, []string{"nothing is loaded"}},
		// The run fits, and what it leaves does not fit beside it.
		{"run uefiexec load /vmlinuz", host, []string{"exited boot services", "too little memory is free: to load takes", "more memory"}},
		// The run takes too much.
		{"run uefiexec load -initrd /big /vmlinuz", host, []string{"too little memory is free: of", "more memory"}},
		// It returns, with success, but to nowhere.
		{"run uefiexec load /return.efi", "exit status 1", []string{"SUCCESS", "there is nothing to load"}},
		{"run uefiexec load /run.core", host, []string{"run the image again, here"}},
		{"run uefiexec load /larger.core", host, []string{"this machine has no memory at", "run the image again, here"}},
		{"run uefiexec load /tables.core", host, []string{"this machine has the table", "run the image again, here"}},
		{nobody + "uefiexec load /ebs.efi", policy, []string{"it needs root"}},
		{loaded, "", []string{"0\n"}},
		{"run uefiexec load -o /tmp/handoff /ebs.efi serial", "", nil},
		{"run uefiexec load /tmp/handoff", "", nil}, // of this machine, so later as well
		{nobody + "uefiexec exec -f", policy, []string{"it needs root"}},
		{"run uefiexec load /vmlinuz", host, []string{"too little memory is free"}},
		{"write /proc/sys/kernel/kexec_load_disabled 1", "", nil},
		{"run uefiexec load /ebs.efi", policy, []string{"kernel.kexec_load_disabled is set, until the next boot"}},
		{loaded, "", []string{"1\n"}},
		{"run uefiexec exec -f", "", nil},
	}
	kernel := emutest.Corpus(t, "trixie/amd64/vmlinuz")
	files := vmtest.Libraries(t, "setpriv")
	maps.Copy(files, map[string]string{
		"/bin/uefiexec": command(t, cpu.AMD64), "/vmlinuz": kernel, "/ebs.efi": payload(t, "ebs"), "/return.efi": payload(t, "return"), "/run.core": plainHandoff(t),
	})
	const gib = 1 << 30
	r := vmtest.Run(t, vmtest.Config{
		Kernel: kernel,
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": script(attempts)},
			Files:   files,
			Data: map[string][]byte{
				"/big": make([]byte, 44<<20),
				// QEMU has its devices below 4 GiB, and this machine nothing above.
				"/larger.core": handoffOf(t, &kexec.Host{Memory: ram(1<<20, 2*gib, 4*gib, 6*gib)}),
				"/tables.core": handoffOf(t, &kexec.Host{Memory: ram(1<<20, 200<<20), Tables: []efi.ConfigurationTable{
					{VendorGUID: efi.ACPITableGUID, VendorTable: 0xe0000}, {VendorGUID: efi.ACPI20TableGUID, VendorTable: 0xe0000},
				}}),
			},
		}.Build(t),
		Memory: 256,
		Until:  "^ebs: done",
	})
	steps := r.Stage(t, "first").Steps
	if len(steps) != len(attempts) {
		t.Fatalf("%d steps, want %d\n%s", len(steps), len(attempts), r)
	}
	for i, a := range attempts {
		s := steps[i]
		t.Logf("%s: %v, %q\n%s", s.Command, s.Took, s.Error, s.Output)
		if s.Error != a.error {
			t.Errorf("%s: %q, want %q", s.Command, s.Error, a.error)
		}
		for _, text := range a.says {
			if !strings.Contains(s.Output, text) {
				t.Errorf("%s does not say %q:\n%s", s.Command, text, s.Output)
			}
		}
	}
	r.Expect(t, "^ebs: alive after ExitBootServices")
}

// ram is a memory map of RAM from each first address to the second.
func ram(edges ...efi.Addr) []efi.MemoryDescriptor {
	var list []efi.MemoryDescriptor
	for i := 0; i+1 < len(edges); i += 2 {
		list = append(list, efi.MemoryDescriptor{
			Type: efi.ConventionalMemory, PhysicalStart: edges[i], NumberOfPages: uint64(edges[i+1]-edges[i]) / efi.PageSize,
			Attribute: efi.MemoryUC | efi.MemoryWC | efi.MemoryWT | efi.MemoryWB,
		})
	}
	return list
}

// payload is a file with one of our programs: ebs prints on the serial port what
// it finds after boot services.
func payload(t *testing.T, name string) string {
	t.Helper()
	image, err := payloads.Image("x64", name)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".efi")
	if err := os.WriteFile(file, image, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// handoffOf is a file of a machine frozen on a host.
func handoffOf(t *testing.T, host *kexec.Host) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := kexec.FrozenOn(t, host).WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// plainHandoff is a file of a machine that was frozen for no host.
func plainHandoff(t *testing.T) string {
	t.Helper()
	emutest.Engine(t, cpu.AMD64)
	name := filepath.Join(t.TempDir(), "run.core")
	if out, err := exec.CommandContext(t.Context(), command(t, cpu.AMD64), "run", "-m", "200M", "-o", name, payload(t, "ebs")).CombinedOutput(); err != nil {
		t.Fatalf("run -o: %v\n%s", err, out)
	}
	return name
}
