// SPDX-License-Identifier: BSD-3-Clause

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/kexec/vmtest"
)

// TestMenu starts bootmenu as the uinit of an initramfs that u-root's own tool
// makes, with u-root's init and shell. The menu lists both profiles of a unified
// kernel image; one is edited, chosen, and boots.
func TestMenu(t *testing.T) {
	if testing.Short() {
		t.Skip("a boot, and an initramfs of u-root, take their time")
	}
	kernel := emutest.Corpus(t, "trixie/amd64/vmlinuz")
	second := vmtest.Initramfs{Scripts: map[string]string{"second": "cat /proc/cmdline\ndmesg"}}.Build(t)
	esp := t.TempDir()
	linux := filepath.Join(esp, "EFI", "Linux")
	if err := os.MkdirAll(linux, 0o755); err != nil {
		t.Fatal(err)
	}
	uki := vmtest.UKI{Stub: emutest.Corpus(t, "trixie/amd64/linux.efi.stub"), Sections: []vmtest.Section{
		{Name: ".osrel", Data: []byte("ID=test\nPRETTY_NAME=\"Menu Test 7\"\nVERSION_ID=7\n")},
		{Name: ".initrd", File: second},
		{Name: ".linux", File: kernel},
		{Name: ".profile", Data: []byte("ID=main\n")},
		{Name: ".cmdline", Data: []byte(vmtest.Cmdline(cpu.AMD64, "unwanted"))},
		{Name: ".profile", Data: []byte("ID=other\nTITLE=The other one\n")},
		{Name: ".cmdline", Data: []byte(vmtest.Cmdline(cpu.AMD64, "second", "profile=other"))},
	}}.Build(t)
	if err := os.Rename(uki, filepath.Join(linux, "test.efi")); err != nil {
		t.Fatal(err)
	}

	r := vmtest.Run(t, vmtest.Config{
		Kernel:    kernel,
		Initramfs: urootInitramfs(t, "-files", esp+":esp", "-uinitcmd", "bootmenu -v /esp"),
		Answers: []vmtest.Answer{
			{Question: `Enter an option`, Text: "e\r"},
			{Question: `Select a boot option to edit`, Text: "2\r"},
			{Question: `\(a\)ppend`, Text: "a\r"},
			{Question: `Enter unquoted cmdline to append`, Text: "typed=here\r"},
			{Question: `Returning to main menu(?s:.*)Enter an option`, Text: "2\r"},
		},
	})
	r.Expect(t, `^01\. Menu Test 7$`)
	r.Expect(t, `^02\. Menu Test 7 \(The other one\)$`)
	r.Expect(t, `The current quoted cmdline for option 2 is`)
	stage := r.Stage(t, "second")
	t.Logf("%s after %v, off after %v", stage.Release, stage.At.Round(time.Millisecond), r.Took.Round(time.Millisecond))
	if got := r.Output(t, "second", "cat /proc/cmdline"); !strings.HasSuffix(strings.TrimSpace(got), " profile=other typed=here") {
		t.Errorf("the command line is %q", got)
	}
	if got := r.Output(t, "second", "dmesg"); !strings.Contains(got, "by uefiexec") {
		t.Errorf("the second kernel was not booted by EFI:\n%s", got)
	}
}

// urootInitramfs has u-root's command make an initramfs, with more arguments: its
// init and shell, and the command under test, all in one busybox. Without what
// u-root itself depends on, which is more than what this module needs, the test
// skips.
func urootInitramfs(t *testing.T, args ...string) string {
	t.Helper()
	const uroot = "github.com/u-root/u-root"
	commands := []string{
		uroot + "/cmds/core/init", uroot + "/cmds/core/gosh", uroot + "/cmds/core/dmesg",
		"github.com/uefiexec/uefiexec/examples/bootmenu",
	}
	if _, err := exec.LookPath("go"); err != nil {
		emutest.Skip(t, "%v", err)
	}
	work := t.TempDir()
	in := func(dir, name string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=", "GOWORK=", "TMPDIR="+work)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	modules, err := in(".", "go", "list", "-m", "-f", "use {{.Dir}}", uroot, "github.com/uefiexec/uefiexec")
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, modules)
	}
	if err := os.WriteFile(filepath.Join(work, "go.work"), []byte("go 1.26.0\n"+modules), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := in(work, "go", append([]string{"list", "-deps", uroot}, commands...)...); err != nil {
		emutest.Skip(t, "u-root's dependencies: %v\n%s", err, out)
	}
	tool, image := filepath.Join(work, "u-root"), filepath.Join(work, "initramfs.cpio")
	if out, err := in(work, "go", "build", "-o", tool, uroot); err != nil {
		t.Fatalf("go build %s: %v\n%s", uroot, err, out)
	}
	args = append(append([]string{"-o", image, "-skip-ldd"}, args...), commands...)
	if out, err := in(work, tool, args...); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return image
}
