// SPDX-License-Identifier: BSD-3-Clause

package kexec_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// replay is the check of the event log against the TPM, in a guest.
const replay = "run tpm.test -guest -test.v -test.run ^TestGuestReplay$"

// tpmTest builds the tests of package tpm for the guest.
func tpmTest(t *testing.T) string {
	t.Helper()
	return guestTest(t, cpu.AMD64, "github.com/uefiexec/uefiexec/emu/kexec/tpm")
}

// replayed are the last words of what replay prints.
var replayed = regexp.MustCompile(`(\d+) banks, (\d+) events, tagged \[([0-9 ]*)\], pcrs ([0-9a-f]+)`)

func replayWords(t *testing.T, text string) []string {
	t.Helper()
	words := replayed.FindStringSubmatch(text)
	if words == nil {
		t.Fatal(text)
	}
	return words[1:]
}

// TestMeasured goes over to a unified kernel image with sidecars on a machine with
// a TPM: the second kernel finds a log that replays to the TPM's PCRs, in which
// the kexec is to be seen.
func TestMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("boots take their time")
	}
	check := tpmTest(t)
	initrd := vmtest.Initramfs{
		Scripts: map[string]string{"second": replay},
		Files:   map[string]string{"/bin/tpm.test": check},
	}
	files := map[string]string{
		"/bin/uefiexec": command(t, cpu.AMD64), "/bin/tpm.test": check,
		"/esp/EFI/Linux/uki.efi": ukiWith(t, cpu.AMD64, "trixie", initrd.Build(t)),
	}
	for _, part := range []string{"loader", "EFI/Linux/uki.efi.extra.d"} {
		files["/esp/"+part] = emutest.Corpus(t, "trixie/amd64/esp/"+part)
	}
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, "trixie/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": strings.Join([]string{
				replay,
				"run uefiexec load -verify -esp /esp /esp/EFI/Linux/uki.efi",
				replay,
				"run uefiexec exec -f",
			}, "\n")},
			Files: files,
		}.Build(t),
		Cmdline:  vmtest.Cmdline(cpu.AMD64, "first"),
		Firmware: vmtest.OVMF, TPM: true, Memory: 2048,
	})
	steps := r.Stage(t, "first").Steps
	before, loaded := replayWords(t, steps[0].Output), replayWords(t, steps[2].Output)
	t.Log(steps[0].Output, steps[1].Output, steps[2].Output)
	if before[3] != loaded[3] || before[1] != loaded[1] {
		t.Errorf("load has changed the PCRs:\n%s\n%s", before, loaded)
	}
	second := r.Stage(t, "second").Steps[0]
	t.Log(second.Output, second.Error)
	after := replayWords(t, second.Output)
	if second.Error != "" || after[2] != "4 5 9 11 12 13" || after[0] != "4" {
		t.Errorf("in the second kernel: %s\n%s", second.Error, second.Output)
	}
	if after[3] == before[3] {
		t.Error("nothing was extended")
	}
}

// TestMeasuredRefused kills loads, and extends a PCR behind the log's back: no
// load and no exec goes on from there, and nothing else is extended.
func TestMeasuredRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("boots take their time")
	}
	const load = "uefiexec load -initrd /vmlinuz /vmlinuz console=ttyS0"
	r := vmtest.Run(t, vmtest.Config{
		Kernel: emutest.Corpus(t, "trixie/amd64/vmlinuz"),
		Initramfs: vmtest.Initramfs{
			Scripts: map[string]string{"first": strings.Join([]string{
				replay,
				"? kill 1500ms " + load,
				"? kill 4000ms " + load,
				replay,
				"run " + load,
				"run tpm.test -guest -test.run ^TestGuestExtend$",
				"! run uefiexec exec -f",
				"! run " + load,
				"run uefiexec load -tpm off -initrd /vmlinuz /vmlinuz console=ttyS0",
				"! " + replay,
			}, "\n")},
			Files: map[string]string{
				"/bin/uefiexec": command(t, cpu.AMD64), "/bin/tpm.test": tpmTest(t), "/vmlinuz": emutest.Corpus(t, "trixie/amd64/vmlinuz"),
			},
		}.Build(t),
		Cmdline:  vmtest.Cmdline(cpu.AMD64, "first"),
		Firmware: vmtest.OVMF, TPM: true, Memory: 2048,
	})
	steps := r.Stage(t, "first").Steps
	for _, s := range steps {
		t.Logf("%s: %q\n%s", s.Command, s.Error, s.Output)
	}
	if a, b := replayWords(t, steps[0].Output), replayWords(t, steps[3].Output); a[3] != b[3] {
		t.Errorf("killed loads have changed the PCRs: %s, %s", a, b)
	}
	for _, i := range []int{6, 7, 9} {
		if !strings.Contains(steps[i].Output, "PCR 14") {
			t.Errorf("%s does not name PCR 14:\n%s", steps[i].Command, steps[i].Output)
		}
	}
}
