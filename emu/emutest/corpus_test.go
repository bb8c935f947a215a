// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/protocols/archive"
)

var update = flag.Bool("update", false, "rewrite golden files and docs")

// way is how the payloads of an architecture are run. Ways collect in one table what
// the tests have seen.
type way struct {
	arch   cpu.Arch
	folder string // of the corpus
	name   string // of the engine
	engine cpu.New
	table  *payloadTable
}

// column is the way's column of the table.
func (w way) column() string { return w.name + ", " + w.arch.String() }

// add notes what a payload has come to.
func (w way) add(payload, text string) { w.table.row(payload).results[w.column()] = text }

// runs runs a program, and notes what it asks for.
func (w way) runs(t *testing.T, payload string, p emutest.Program) *emutest.Result {
	t.Helper()
	row, config := w.table.row(payload), p.Config
	p.Config = func(c *emu.Config) {
		if config != nil {
			config(c)
		}
		told := c.Trace
		c.Trace = func(e *emu.TraceEvent) {
			told(e)
			if e.Kind == emu.TraceCall || e.Kind == emu.TraceExit {
				row.note(e.Protocol, e.Service)
			}
		}
	}
	r := emutest.RunOn(t, p, w.engine)
	if r.Machine != nil {
		for _, m := range r.Machine.Missing() {
			row.note("missing "+m.Kind, m.Name)
		}
	}
	return r
}

// run runs a program to ExitBootServices.
func (w way) run(t *testing.T, payload string, p emutest.Program) *emu.Handoff {
	t.Helper()
	return frozen(t, w.runs(t, payload, p))
}

// ways are all that a machine like CI's has. Others skip what they have not.
func ways(t *testing.T, table *payloadTable) []way {
	list := []way{
		{cpu.AMD64, "amd64", "interp", interp.New, table},
		{cpu.ARM64, "arm64", "interp", interp.New, table},
	}
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		list = slices.Insert(list, 0, way{cpu.AMD64, "amd64", "ptrace", emutest.Engine(t, cpu.AMD64), table})
	}
	for _, w := range list {
		table.columns = append(table.columns, w.column())
	}
	return list
}

// suites are Debian's, with the systemd whose stub they have.
var suites = []struct {
	name, kernel, stub string
	sidecars           []string // what of the ESP is in the initrd
	addons             string   // what the addons add to the command line
}{
	{
		"bookworm", "Linux 6.1", "systemd-stub 252",
		[]string{".extra/credentials/my.cred", ".extra/global_credentials/glob.cred", ".extra/sysext/ext.sysext.raw"}, "",
	},
	{
		"trixie", "Linux 6.12", "systemd-stub 257",
		[]string{
			".extra/credentials/my.cred", ".extra/global_credentials/glob.cred",
			".extra/sysext/ext.sysext.raw", ".extra/confext/conf.confext.raw",
		},
		" addon=global addon=local",
	},
	{
		"sid", "Debian sid's Linux", "sid's systemd-stub",
		[]string{
			".extra/credentials/my.cred", ".extra/global_credentials/glob.cred",
			".extra/sysext/ext.sysext.raw", ".extra/confext/conf.confext.raw",
		},
		" addon=global addon=local",
	},
}

func TestRealPayloads(t *testing.T) {
	table := newPayloadTable()
	for _, w := range ways(t, table) {
		t.Run(w.name+" "+w.folder, func(t *testing.T) {
			for _, suite := range suites {
				dir := emutest.Corpus(t, suite.name+"/"+w.folder)
				t.Run(suite.name, func(t *testing.T) {
					root := os.DirFS(dir)
					t.Run("kernel", func(t *testing.T) { testKernel(t, w, root, suite.kernel) })
					t.Run("uki", func(t *testing.T) {
						testUKI(t, w, root, suite.stub+" UKI with sidecars", "corpus=uki-"+suite.name+" console=ttyS0"+suite.addons, suite.sidecars)
					})
					if suite.name != "bookworm" {
						t.Run("profiles", func(t *testing.T) { testProfiles(t, w, root, suite.stub, suite.name) })
					}
					t.Run("EFI Boot Guard", func(t *testing.T) { testBootGuard(t, w, suite.name) })
					t.Run("systemd-boot", func(t *testing.T) {
						testSystemdBoot(t, w, suite.name, strings.Replace(suite.stub, "stub", "boot", 1))
					})
					t.Run("GRUB", func(t *testing.T) { testGRUB(t, w, suite.name) })
					t.Run("rEFInd", func(t *testing.T) { testRefind(t, w, suite.name) })
					for _, tool := range tools {
						if tool.has(w, suite.name) {
							t.Run(tool.file, func(t *testing.T) { tool.test(t, w, suite.name) })
						}
					}
				})
			}
		})
	}
	table.check(t)
}

func read(t *testing.T, fsys fs.FS, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// frozen fails the test unless the program exited boot services.
func frozen(t *testing.T, r *emutest.Result) *emu.Handoff {
	t.Helper()
	if r.Handoff == nil {
		t.Fatalf("%v\n%s\n%s", r.Err, r.Console, r.Trace)
	}
	return r.Handoff
}

func testKernel(t *testing.T, w way, root fs.FS, name string) {
	initrd := read(t, root, "initrd.cpio")
	p := emutest.Program{Image: read(t, root, "vmlinuz"), Path: `\vmlinuz`, Options: "console=ttyS0 quiet"}
	for _, with := range [][]byte{nil, initrd} {
		p.Initrd = with
		h := w.run(t, name, p)
		if h.CommandLine() != p.Options {
			t.Errorf("command line %q, want %q", h.CommandLine(), p.Options)
		}
		got, err := h.Initrd()
		if with == nil && err != emu.ErrNoInitrd {
			t.Errorf("an initrd of %d bytes from nowhere, %v", len(got), err)
		}
		if with != nil && !bytes.Equal(got, initrd) {
			t.Errorf("initrd of %d bytes, want the %d that were given: %v", len(got), len(initrd), err)
		}
		for _, table := range []efi.GUID{efi.LinuxBootMemmapTableGUID} {
			if _, ok := h.ConfigurationTable(table); !ok {
				t.Errorf("no configuration table %v", table)
			}
		}
		if runs := len(h.Runs()); runs > 8 {
			t.Errorf("%d segments", runs)
		}
	}
	w.add(name, "ExitBootServices; command line and initrd arrive")
}

// testUKI runs a unified kernel image from its ESP and looks for everything that
// lies beside it in what the kernel was given.
func testUKI(t *testing.T, w way, root fs.FS, name, commandLine string, sidecars []string) {
	esp, err := fs.Sub(root, "esp")
	if err != nil {
		t.Fatal(err)
	}
	h := w.run(t, name, emutest.Program{Image: read(t, esp, "EFI/Linux/uki.efi"), Path: `\EFI\Linux\uki.efi`, Volume: esp})
	if h.CommandLine() != commandLine {
		t.Errorf("command line %q, want %q", h.CommandLine(), commandLine)
	}
	files := initrdFiles(t, h)
	for _, want := range append([]string{"corpus-marker"}, sidecars...) {
		if _, err := fs.Stat(files, want); err != nil {
			t.Errorf("the initrd has no %s: %v", want, err)
		}
	}
	// What a sidecar holds arrives unchanged.
	for _, pair := range [][2]string{
		{"loader/credentials/glob.cred", ".extra/global_credentials/glob.cred"},
		{"EFI/Linux/uki.efi.extra.d/ext.sysext.raw", ".extra/sysext/ext.sysext.raw"},
	} {
		if got, err := fs.ReadFile(files, pair[1]); err != nil || !bytes.Equal(got, read(t, esp, pair[0])) {
			t.Errorf("%s is not what %s holds: %v", pair[1], pair[0], err)
		}
	}
	var names []string
	for _, v := range h.Variables {
		names = append(names, v.Name)
		if v.GUID == efi.SystemdLoaderGUID && v.Name == "StubInfo" && v.Attributes != efi.VariableBootServiceAccess|efi.VariableRuntimeAccess {
			t.Errorf("StubInfo has attributes %v", v.Attributes)
		}
	}
	for _, want := range []string{"StubInfo", "LoaderDevicePartUUID", "LoaderImageIdentifier"} {
		if !slices.Contains(names, want) {
			t.Errorf("no variable %s among %q", want, names)
		}
	}
	what := "credentials, system extensions"
	if len(sidecars) > 3 {
		what = "addons, credentials, system and configuration extensions"
	}
	w.add(name, "ExitBootServices; "+what+" arrive in command line and initrd")
}

// initrdFiles opens the initrd that the kernel was given.
func initrdFiles(t *testing.T, h *emu.Handoff) fs.FS {
	t.Helper()
	initrd, err := h.Initrd()
	if err != nil {
		t.Fatal(err)
	}
	files, err := archive.Open(bytes.NewReader(initrd), int64(len(initrd)))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func testProfiles(t *testing.T, w way, root fs.FS, stub, suite string) {
	image := read(t, root, "uki-profiles.efi")
	for options, want := range map[string]string{
		"":          "-main console=ttyS0",
		"@1":        "-debug console=ttyS0",
		"@2 ":       "-factory-reset console=ttyS0",
		"@1 single": "single",
	} {
		h := w.run(t, stub+" UKI with profiles", emutest.Program{Image: image, Path: `\uki.efi`, Options: options})
		if got := h.CommandLine(); got != want && got != "corpus=uki-"+suite+want {
			t.Errorf("%q: command line %q, want %q", options, got, want)
		}
	}
	w.add(stub+" UKI with profiles", "ExitBootServices; the profile that the load options name is taken")
}

// A missing folder of sidecars is no error; a volume that cannot be read is none
// of the image's: it starts without.
func TestMissingSidecars(t *testing.T) {
	image := read(t, os.DirFS(emutest.Corpus(t, "trixie/amd64")), "uki.efi")
	for name, volume := range map[string]fs.FS{"none": nil, "unreadable": brokenFS{}} {
		t.Run(name, func(t *testing.T) {
			h := frozen(t, emutest.Run(t, emutest.Program{Image: image, Path: `\uki.efi`, Volume: volume}))
			if want := "corpus=uki-trixie console=ttyS0"; h.CommandLine() != want {
				t.Errorf("command line %q, want %q", h.CommandLine(), want)
			}
		})
	}
}

// brokenFS is a medium that has failed.
type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("the medium has failed")}
}

// The same image with the same files, seed and clock makes the same calls.
func TestSameAgain(t *testing.T) {
	for _, w := range ways(t, newPayloadTable()) {
		t.Run(w.name+" "+w.folder, func(t *testing.T) {
			root := os.DirFS(emutest.Corpus(t, "trixie/"+w.folder))
			esp, err := fs.Sub(root, "esp")
			if err != nil {
				t.Fatal(err)
			}
			p := emutest.Program{Image: read(t, esp, "EFI/Linux/uki.efi"), Path: `\EFI\Linux\uki.efi`, Volume: esp}
			first, second := emutest.RunOn(t, p, w.engine), emutest.RunOn(t, p, w.engine)
			one, two := strings.Split(first.Trace, "\n"), strings.Split(second.Trace, "\n")
			// On the host's processor the kernel picks its place by RDRAND and the time
			// stamp counter as well.
			for i := range one {
				if w.name == "ptrace" && strings.Contains(one[i], "type=Address") {
					one, two = one[:i], two[:i]
					break
				}
			}
			if len(one) < 100 || !slices.Equal(one, two) {
				t.Errorf("%d lines, and they differ", len(one))
			}
			a, b := first.Machine.Stats().Instructions, second.Machine.Stats().Instructions
			if a != b || (a > 10_000_000) != (w.name == "interp") {
				t.Errorf("%d instructions, and %d", a, b)
			}
		})
	}
}
