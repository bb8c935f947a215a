// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// outcome is what a command line came to.
type outcome struct {
	code     int
	out, err string
}

func invoked(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, err bytes.Buffer
	code := invoke(t.Context(), args, streams{strings.NewReader(""), &out, &err})
	return outcome{code, out.String(), err.String()}
}

// folder writes files into a folder of the test's own.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func payload(t *testing.T, name string) []byte {
	t.Helper()
	image, err := payloads.Image("x64", name)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestExitCodes(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	code := []byte{0xc3}
	text := petest.Section{Name: ".text", Data: code}
	demo := payload(t, "demo")
	dir := folder(t, map[string][]byte{
		"demo.efi":      demo,
		"truncated.efi": demo[:len(demo)/2],
		"headers.efi":   demo[:100],
		"text.efi":      []byte("this is no image, whatever its name says"),
		"empty.efi":     nil,
		"i386.efi":      petest.Image{Machine: 0x14c, PE32: true, Sections: []petest.Section{text}}.Bytes(),
		"riscv.efi":     petest.Image{Machine: 0x5064, Sections: []petest.Section{text}}.Bytes(),
		"windows.efi":   petest.Image{Subsystem: 3, Sections: []petest.Section{text}}.Bytes(),
		"spin.efi":      payload(t, "spin"),
		"exit.efi":      payload(t, "exit"),
		"jump.efi":      payload(t, "jump"),
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name string
		args []string
		code int
		says string // on stderr
	}{
		{"demo", []string{"run"}, exitDone, "exited boot services"},
		{"an image", []string{"run", in("demo.efi")}, exitDone, "exited boot services"},
		{"no command", nil, exitDone, "usage:"},
		{"help", []string{"run", "-h"}, exitDone, "-initrd"},
		{"unknown command", []string{"walk"}, exitUsage, `no command "walk"`},
		{"unknown flag", []string{"run", "-walk"}, exitUsage, "-walk"},
		{"two command lines", []string{"run", "-cmdline", "a", in("demo.efi"), "b"}, exitUsage, "LOADOPTIONS"},
		{"bad size", []string{"run", "-m", "much"}, exitUsage, "much"},
		{"bad architecture", []string{"run", "-arch", "vax"}, exitUsage, "vax"},
		{"bad engine", []string{"run", "-engine", "steam"}, exitUsage, "ptrace"},
		{"exits with success", []string{"run", in("exit.efi")}, exitDone, "SUCCESS"},
		{"exits with an error", []string{"run", in("exit.efi"), "-14"}, exitGaveUp, "NOT_FOUND"},
		{"truncated", []string{"run", in("truncated.efi")}, exitGaveUp, "end of the file"},
		{"headers alone", []string{"run", in("headers.efi")}, exitGaveUp, "Header"},
		{"no image", []string{"run", in("text.efi")}, exitGaveUp, "e_magic"},
		{"empty", []string{"run", in("empty.efi")}, exitGaveUp, "e_magic"},
		{"32 bits", []string{"run", in("i386.efi")}, exitGaveUp, "I386"},
		{"RISC-V", []string{"run", in("riscv.efi")}, exitGaveUp, "RISCV64"},
		{"for Windows", []string{"run", in("windows.efi")}, exitGaveUp, "Subsystem"},
		{"wrong architecture", []string{"run", "-arch", "aarch64", in("demo.efi")}, exitGaveUp, "ARM64"},
		{"fault", []string{"run", in("jump.efi"), "ud2"}, exitFault, "illegal instruction at jump.efi+0x"},
		{"time", []string{"run", "-timeout", "100ms", in("spin.efi")}, exitFault, "time"},
		{"missing image", []string{"run", in("missing.efi")}, exitHost, "missing.efi"},
		{"missing folder", []string{"run", "-esp", in("missing"), in("demo.efi")}, exitHost, "-esp"},
		{"missing initrd", []string{"run", "-initrd", in("missing"), in("demo.efi")}, exitHost, "missing"},
		{"an initrd that nobody reads", []string{"run", "-initrd", in("text.efi"), in("demo.efi")}, exitDone, "has not read the initrd"},
		{"a folder as image", []string{"run", dir}, exitHost, "regular file"},
		{"a folder as initrd", []string{"run", "-initrd", dir, in("demo.efi")}, exitHost, "regular file"},
		{"no archive", []string{"run", "-esp", in("text.efi"), in("demo.efi")}, exitHost, "-esp"},
		{"too little memory", []string{"run", "-m", "64K", in("demo.efi")}, exitGaveUp, "OUT_OF_RESOURCES"},
		{"unwritable output", []string{"run", "-o", in("missing/x"), in("demo.efi")}, exitHost, "missing"},
		{"inspect", []string{"inspect", in("demo.efi")}, exitDone, ""},
		{"inspect nothing", []string{"inspect"}, exitUsage, "IMAGE"},
		{"inspect no image", []string{"inspect", in("text.efi")}, exitHost, "e_magic"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoked(t, test.args...)
			if got.code != test.code || !strings.Contains(got.err, test.says) {
				t.Errorf("exit code %d, want %d; stderr, which should say %q:\n%s", got.code, test.code, test.says, got.err)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	dir := folder(t, map[string][]byte{"jump.efi": payload(t, "jump"), "exit.efi": payload(t, "exit"), "stall.efi": payload(t, "stall")})
	for _, test := range []struct {
		args           []string
		result, status string
	}{
		{nil, "exit-boot-services", "SUCCESS"},
		{[]string{filepath.Join(dir, "exit.efi"), "-2"}, "exited", "INVALID_PARAMETER"},
		{[]string{filepath.Join(dir, "jump.efi"), "ud2"}, "fault", ""},
		{[]string{filepath.Join(dir, "stall.efi")}, "limit", ""},
	} {
		t.Run(test.result, func(t *testing.T) {
			got := invoked(t, append([]string{"run", "-json"}, test.args...)...)
			var r report
			d := json.NewDecoder(strings.NewReader(got.out))
			d.DisallowUnknownFields()
			if err := d.Decode(&r); err != nil {
				t.Fatalf("%v in %q", err, got.out)
			}
			if d.More() {
				t.Errorf("more than one object in %q", got.out)
			}
			if r.Result != test.result || r.Status != test.status || r.Engine == "" || r.Calls == 0 || r.Stops < r.Calls {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The console of the image is stdout, and stderr with -json.
func TestConsole(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	const hello = "Hello from UEFI."
	if got := invoked(t, "run"); !strings.Contains(got.out, hello) || strings.Contains(got.err, hello) {
		t.Errorf("stdout %q, stderr %q", got.out, got.err)
	}
	if got := invoked(t, "run", "-json"); strings.Contains(got.out, hello) || !strings.Contains(got.err, hello) {
		t.Errorf("stdout %q, stderr %q", got.out, got.err)
	}
}

// The image has its path on the ESP if it lies there, by whatever name it is
// called, and a volume of its own if not.
func TestESP(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	files := map[string][]byte{"EFI/Linux/demo.efi": payload(t, "demo"), "hello.txt": []byte("from the ESP")}
	dir := folder(t, files)
	outside := filepath.Join(folder(t, map[string][]byte{"demo.efi": payload(t, "demo")}), "demo.efi")
	archive := filepath.Join(t.TempDir(), "esp.tar")
	writeTar(t, archive, files)
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"inside", []string{"-esp", dir, filepath.Join(dir, "EFI", "Linux", "demo.efi")}, "from the ESP"},
		{"by its name there", []string{"-esp", dir, "EFI/Linux/demo.efi"}, "from the ESP"},
		{"as firmware writes it", []string{"-esp", dir, `\EFI\Linux\demo.efi`}, "from the ESP"},
		{"in an archive", []string{"-esp", archive, "EFI/Linux/demo.efi"}, "from the ESP"},
		{"outside", []string{"-esp", dir, outside}, "from the ESP"},
		{"alone", []string{outside}, "Hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoked(t, append([]string{"run"}, test.args...)...)
			if got.code != exitDone || !strings.Contains(got.out, test.says) {
				t.Errorf("exit code %d, stdout %q\n%s", got.code, got.out, got.err)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	name := filepath.Join(t.TempDir(), "frozen")
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := invoked(t, "run", "-o", name); got.code != exitDone {
		t.Fatal(got.err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: it holds secrets", info.Mode())
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	h, err := emu.ReadHandoff(file, info.Size())
	if err != nil || len(h.Segments) == 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

// With -seed a run prints the same again; without, a program sees other numbers.
func TestSeed(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	name := filepath.Join(folder(t, map[string][]byte{"random.efi": payload(t, "random")}), "random.efi")
	first, second := invoked(t, "run", "-trace", "-seed", "x", name), invoked(t, "run", "-trace", "-seed", "x", name)
	if first.out != second.out || first.err != second.err || first.code != exitDone {
		t.Errorf("%d\n%s\n%s", first.code, first.err, second.err)
	}
	if other := invoked(t, "run", "-trace", "-seed", "y", name); other.err == first.err {
		t.Error("another seed makes no difference")
	}
}

func TestInterrupt(t *testing.T) {
	emutest.Engine(t, cpu.AMD64)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	if code := invoke(ctx, []string{"run"}, streams{strings.NewReader(""), &out, &err}); code != exitFault {
		t.Errorf("exit code %d: %s", code, err.String())
	}
}

func TestInspect(t *testing.T) {
	uki := petest.Image{Sections: []petest.Section{
		{Name: ".text", Data: []byte{0xc3}},
		{Name: ".cmdline", Data: []byte("quiet root=/dev/sda2")},
		{Name: ".linux", Data: payload(t, "demo")},
	}, Certificates: [][]byte{[]byte("a signature, some day")}}.Bytes()
	dir := folder(t, map[string][]byte{"uki.efi": uki})
	got := invoked(t, "inspect", filepath.Join(dir, "uki.efi"))
	for _, want := range []string{"UKI", pecoff.AMD64.String(), ".cmdline", `"quiet root=/dev/sda2"`, "signature 0", "sha256 "} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s%s", want, got.out, got.err)
		}
	}
}
