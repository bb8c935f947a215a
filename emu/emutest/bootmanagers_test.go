// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"encoding/binary"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/tables"
)

// keys that are typed in menus.
const (
	keyDown  = "\x1b[B"
	keyEnter = "\r"
	keyCtrlB = "\x02"
)

// medium is the volume of a test: files of the corpus, by their names on the volume,
// and texts.
type medium struct {
	t     *testing.T
	root  fs.FS
	files fstest.MapFS
}

func newMedium(t *testing.T, w way, suite string) medium {
	t.Helper()
	return medium{t, os.DirFS(emutest.Corpus(t, suite+"/"+w.folder)), fstest.MapFS{}}
}

// copies puts a file of the corpus, or a folder of it, on the volume.
func (m medium) copies(from, to string) medium {
	m.t.Helper()
	err := fs.WalkDir(m.root, from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		m.files[path.Join(to, strings.TrimPrefix(name, from))] = &fstest.MapFile{Data: read(m.t, m.root, name), Mode: 0o644}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return m
}

func (m medium) text(name, text string) medium {
	m.files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	return m
}

// removable is where firmware looks for a boot loader.
func (w way) removable() string {
	return strings.ReplaceAll(strings.TrimPrefix(emu.RemovableMediaFile(w.arch), `\`), `\`, "/")
}

// loaderVariable is one that systemd's programs read.
func loaderVariable(name, value string) tables.Variable {
	return tables.Variable{
		Name: name, GUID: efi.SystemdLoaderGUID, Data: efi.EncodeString(value),
		Attributes: efi.VariableNonVolatile | efi.VariableBootServiceAccess | efi.VariableRuntimeAccess,
	}
}

// boots fails the test unless a kernel has exited boot services with a command line
// in which the given words are.
func boots(t *testing.T, r *emutest.Result, words ...string) *emu.Handoff {
	t.Helper()
	h := frozen(t, r)
	for _, word := range words {
		if !slices.Contains(strings.Fields(h.CommandLine()), word) {
			t.Errorf("command line %q, want %q in it", h.CommandLine(), word)
		}
	}
	return h
}

// systemdBoot is a volume with entries of both types.
func systemdBoot(t *testing.T, w way, suite string) medium {
	m := newMedium(t, w, suite).copies("esp", ".").
		copies("vmlinuz", "vmlinuz").copies("initrd.cpio", "initrd.cpio").
		copies("systemd-boot.efi", w.removable()).
		text("loader/loader.conf", "timeout 3\n").
		text("loader/entries/one.conf", "title Type One\nsort-key aaa\nlinux /vmlinuz\ninitrd /initrd.cpio\noptions console=ttyS0 entry=one\n")
	if suite != "bookworm" {
		m.copies("uki-profiles.efi", "EFI/Linux/profiles.efi")
	}
	return m
}

func testSystemdBoot(t *testing.T, w way, suite, name string) {
	run := func(t *testing.T, m medium, p emutest.Program, vars ...tables.Variable) *emutest.Result {
		t.Helper()
		if p.Volume == nil {
			p.Volume = m.files
		}
		p.Arch = w.arch
		p.Config = func(c *emu.Config) {
			c.Variables = new(tables.Variables)
			for _, v := range vars {
				if err := c.Variables.Define(v); err != nil {
					t.Fatal(err)
				}
			}
		}
		return w.runs(t, name, p)
	}
	t.Run("menu", func(t *testing.T) {
		r := run(t, systemdBoot(t, w, suite), emutest.Program{Keys: keyEnter})
		boots(t, r, "entry=one")
		if !strings.Contains(r.Console, "Type One") {
			t.Errorf("the menu is not in\n%s", r.Console)
		}
		r = run(t, systemdBoot(t, w, suite), emutest.Program{Keys: keyDown + keyEnter})
		if h := boots(t, r); strings.Contains(h.CommandLine(), "entry=one") {
			t.Errorf("the second entry has the command line %q", h.CommandLine())
		}
	})
	t.Run("timeout", func(t *testing.T) {
		r := run(t, systemdBoot(t, w, suite).text("loader/loader.conf", "timeout 2\ndefault one.conf\n"), emutest.Program{})
		boots(t, r, "entry=one")
		if !strings.Contains(r.Console, "Boot in 1") {
			t.Errorf("no countdown in\n%s", r.Console)
		}
	})
	t.Run("by name", func(t *testing.T) {
		r := run(t, systemdBoot(t, w, suite).text("loader/loader.conf", "timeout 0\ndefault uki.efi\n"), emutest.Program{})
		h := boots(t, r, "corpus=uki-"+suite)
		files := initrdFiles(t, h)
		if _, err := fs.Stat(files, ".extra/credentials/my.cred"); err != nil {
			t.Error(err)
		}
	})
	t.Run("one-shot", func(t *testing.T) {
		r := run(t, systemdBoot(t, w, suite).text("loader/loader.conf", "timeout 0\ndefault uki.efi\n"), emutest.Program{}, loaderVariable("LoaderEntryOneShot", "one.conf"))
		h := boots(t, r, "entry=one")
		for _, v := range h.Variables {
			if v.Name == "LoaderEntryOneShot" {
				t.Error("LoaderEntryOneShot is still there")
			}
		}
		if _, err := h.Initrd(); err != nil {
			t.Error(err)
		}
	})
	if suite != "bookworm" {
		t.Run("profiles", func(t *testing.T) {
			r := run(t, systemdBoot(t, w, suite).text("loader/loader.conf", "timeout 0\ndefault profiles.efi@debug\n"), emutest.Program{})
			h := boots(t, r)
			if !strings.Contains(h.CommandLine(), "-debug") {
				t.Errorf("command line %q", h.CommandLine())
			}
		})
	}
	t.Run("boot counting", func(t *testing.T) {
		m := systemdBoot(t, w, suite).text("loader/loader.conf", "timeout 0\ndefault one*\n")
		m.files["loader/entries/one+3.conf"] = m.files["loader/entries/one.conf"]
		delete(m.files, "loader/entries/one.conf")
		volume := protocols.Overlay(m.files)
		boots(t, run(t, m, emutest.Program{Volume: volume}), "entry=one")
		if _, err := fs.Stat(volume, "loader/entries/one+2-1.conf"); err != nil {
			entries, _ := fs.ReadDir(volume, "loader/entries")
			t.Errorf("%v: %v", err, entries)
		}
		// On a volume that is only read it boots all the same.
		boots(t, run(t, m, emutest.Program{}), "entry=one")
	})
	what := "menu, entries of both types by key, time, name and once, boot counting"
	if suite != "bookworm" {
		what = "menu, entries of both types by key, time, name and once, profiles, boot counting"
	}
	w.add(name, what)
}

// testBootGuard boots the kernel that EFI Boot Guard's environment names. Its stub
// loads the kernel by itself, without LoadImage.
func testBootGuard(t *testing.T, w way, suite string) {
	m := newMedium(t, w, suite).copies("efibootguard.efi", w.removable()).copies("uki-bootguard.efi", "linux.efi")
	m.files["BGENV.DAT"] = &fstest.MapFile{Data: bootGuardEnvironment(t, "linux.efi"), Mode: 0o644}
	name := "EFI Boot Guard, " + suite
	r := w.runs(t, name, emutest.Program{Arch: w.arch, Volume: m.files})
	h := boots(t, r, "corpus=bootguard-"+suite)
	if !strings.Contains(r.Console, "Config Revision: 7") {
		t.Errorf("the environment is not in\n%s", r.Console)
	}
	if _, err := fs.Stat(initrdFiles(t, h), "corpus-marker"); err != nil {
		t.Error(err)
	}
	w.add(name, "reads its environment; a unified kernel image of its own stub: command line and initrd arrive")
}

// bootGuardEnvironment is a BGENV.DAT (env_api of efibootguard): what to boot, and
// a checksum.
func bootGuardEnvironment(t *testing.T, kernel string) []byte {
	t.Helper()
	var e struct {
		Kernel, Parameters [255]uint16
		InProgress, State  uint8
		Watchdog           uint16
		Revision           uint32
		UserData           [128 << 10]byte
	}
	copy(e.Kernel[:], utf16.Encode([]rune(kernel)))
	e.Revision = 7
	data, err := binary.Append(nil, binary.LittleEndian, e)
	if err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
}

// tool is one of the corpus that is no kernel, and what it comes to.
type tool struct {
	file, name string
	suites     string // that have it, for the architecture that is named, or for all
	volume     func(medium)
	keys       string
	vars       []tables.Variable
	screen     bool
	says       string // on the console
	exits      bool   // with Status, or it exits boot services
	status     efi.Status
	result     string
}

func globalVariable(name string, value byte) tables.Variable {
	return tables.Variable{
		Name: name, GUID: efi.GlobalVariableGUID, Data: []byte{value},
		Attributes: efi.VariableBootServiceAccess | efi.VariableRuntimeAccess,
	}
}

// script is what iPXE finds on its volume.
const script = "#!ipxe\necho In the script\nkernel file:/vmlinuz console=ttyS0 script=yes\ninitrd file:/initrd.cpio\nboot\n"

var tools = []tool{
	{
		file: "memtest.efi", name: "memtest86+", suites: "amd64", screen: true,
		result: "finds the screen, exits boot services",
	},
	{
		file: "xen.efi", name: "Xen",
		volume: func(m medium) {
			m.text("xen.cfg", "[global]\ndefault=test\n[test]\noptions=console=com1\nkernel=vmlinuz console=hvc0\nramdisk=initrd.cpio\n").
				copies("vmlinuz", "vmlinuz").copies("initrd.cpio", "initrd.cpio")
		},
		says: "Using configuration file 'xen.cfg'", result: "reads its configuration, a kernel and an initrd, exits boot services",
	},
	{
		file: "uki-stubble.efi", name: "stubble UKI", suites: "sid", result: "starts the kernel in it, which exits boot services",
	},
	{
		file: "fwupd.efi", name: "fwupd",
		says: "No updates to process", exits: true, status: efi.InvalidParameter, result: "finds no updates and returns",
	},
	{
		file: "HelloWorld.efi", name: "efitools' HelloWorld", suites: "bookworm", keys: keyEnter,
		says: "Hello", exits: true, result: "draws its box, returns at a key",
	},
	{
		file: "KeyTool.efi", name: "KeyTool", suites: "bookworm", keys: keyDown + keyDown + keyDown + keyEnter,
		vars: []tables.Variable{globalVariable("SetupMode", 1), globalVariable("SecureBoot", 0)},
		says: "Platform is in Setup Mode", exits: true, result: "menus; left by its Exit",
	},
	{
		file: "ipxe.efi", name: "iPXE 2.0", suites: "sid",
		volume: func(m medium) {
			m.text("autoexec.ipxe", script).copies("vmlinuz", "vmlinuz").copies("initrd.cpio", "initrd.cpio")
		},
		says: "In the script", result: "runs autoexec.ipxe from the volume, which boots a kernel with an initrd",
	},
	{
		file: "ipxe.efi", name: "iPXE 1.21.1", suites: "trixie/amd64",
		volume: func(m medium) {
			m.text("autoexec.ipxe", "#!ipxe\necho In the script\nexit\n")
		},
		says: "In the script", exits: true, result: "runs autoexec.ipxe from the volume, and returns",
	},
	{
		file: "ipxe.efi", name: "iPXE 1.21.1, without a volume", suites: "trixie/amd64", keys: keyCtrlB + "exit" + keyEnter,
		says: "iPXE> exit", exits: true, result: "its prompt, by Ctrl-B; left by exit",
	},
	{
		file: "ipxe.efi", name: "iPXE 1.0", suites: "bookworm/amd64", keys: keyCtrlB + "exit" + keyEnter,
		says: "iPXE> exit", exits: true, result: "its prompt, by Ctrl-B; left by exit",
	},
}

// has reports whether a suite has a program for an architecture.
func (p tool) has(w way, suite string) bool {
	if p.suites == "" {
		return true
	}
	for _, s := range strings.Fields(p.suites) {
		if s == suite || s == w.folder || s == suite+"/"+w.folder {
			return true
		}
	}
	return false
}

func (p tool) test(t *testing.T, w way, suite string) {
	m := newMedium(t, w, suite)
	m.text("EFI/x", "")
	if p.volume != nil {
		p.volume(m)
	}
	name := p.name
	if p.suites == "" || p.suites == w.folder {
		name += ", " + suite
	}
	r := w.runs(t, name, emutest.Program{
		Image: read(t, m.root, p.file), Path: `\` + p.file, Volume: m.files, Keys: p.keys,
		Config: func(c *emu.Config) {
			c.Variables = new(tables.Variables)
			for _, v := range p.vars {
				if err := c.Variables.Define(v); err != nil {
					t.Fatal(err)
				}
			}
		},
		Setup: func(m *emu.Machine) {
			if !p.screen {
				return
			}
			screen, err := protocols.NewScreen(m, 1024, 768)
			if err == nil {
				_, err = m.Install(0, protocols.GraphicsOutput(screen))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	})
	switch {
	case p.exits && r.Status(t) != p.status:
		t.Errorf("%v, want %v\n%s", r.Err, p.status, r.Console)
	case !p.exits:
		frozen(t, r)
	}
	if !strings.Contains(r.Console, p.says) {
		t.Errorf("%q is not in\n%s", p.says, r.Console)
	}
	w.add(name, p.result)
}
