// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// command makes QEMU's command line. The console is its standard input and
// output, init's port its descriptor 3. Without QEMU the test skips.
func command(t testing.TB, cfg Config) []string {
	t.Helper()
	b := boardOf(cfg.Arch)
	if _, err := exec.LookPath(b.qemu); err != nil {
		emutest.Skip(t, "%v", err)
	}
	model := b.cpu
	if cfg.Arch != cpu.ARM64 {
		model += ",la57=" + map[bool]string{true: "on", false: "off"}[cfg.LA57]
	}
	cmdline := cfg.Cmdline
	if cmdline == "" {
		cmdline = Cmdline(cfg.Arch, "first")
	}
	// One thread for all processors: a kernel that changes its code while another
	// processor runs it has met its own breakpoint otherwise ("Oops: int3").
	machine := b.machine
	if cfg.Board != "" {
		machine += "," + cfg.Board
	}
	args := []string{
		b.qemu, "-machine", machine, "-accel", "tcg,thread=single", "-cpu", model,
		"-m", strconv.Itoa(or(cfg.Memory, 1024)), "-smp", strconv.Itoa(or(cfg.CPUs, 1)),
		"-nodefaults", "-display", "none", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-chardev", "file,id=port,path=/dev/fd/3", "-device", b.port + ",chardev=port",
		"-kernel", cfg.Kernel, "-append", cmdline,
	}
	if cfg.Initramfs != "" {
		args = append(args, "-initrd", cfg.Initramfs)
	}
	if cfg.Firmware == OVMF {
		args = append(args, pflash(t, b)...)
	}
	if cfg.TPM {
		args = append(args, tpm(t, cfg.Arch)...)
	}
	return append(args, cfg.Args...)
}

// or is n, or what stands for 0.
func or(n, zero int) int {
	if n == 0 {
		return zero
	}
	return n
}

// pflash gives the machine UEFI firmware, with variables of its own.
func pflash(t testing.TB, b board) []string {
	t.Helper()
	fresh, err := os.ReadFile(emutest.Corpus(t, b.vars))
	if err != nil {
		t.Fatal(err)
	}
	vars := filepath.Join(t.TempDir(), "vars.fd")
	if err := os.WriteFile(vars, fresh, 0o644); err != nil {
		t.Fatal(err)
	}
	file := func(name string) string { return "file=" + strings.ReplaceAll(name, ",", ",,") }
	return []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on," + file(emutest.Corpus(t, b.code)),
		"-drive", "if=pflash,unit=1,format=raw," + file(vars),
	}
}

// tpm starts swtpm, which ends with QEMU's connection or with the test.
func tpm(t testing.TB, arch cpu.Arch) []string {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		emutest.Skip(t, "%v", err)
	}
	dir, err := os.MkdirTemp("", "vmtpm") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir, "--ctrl", "type=unixio,path="+socket, "--terminate")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	if err := appears(t.Context(), socket); err != nil {
		t.Fatalf("swtpm: %v", err)
	}
	device := "tpm-crb"
	if arch == cpu.ARM64 {
		device = "tpm-tis-device"
	}
	return []string{"-chardev", "socket,id=tpm,path=" + socket, "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", device + ",tpmdev=tpm0"}
}
