// SPDX-License-Identifier: BSD-3-Clause

package emutest_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/mem"
)

const baselineDoc = "../../docs/UEFI_BASELINE.md"

// baseline is a column of docs/UEFI_BASELINE.md: a payload, and what it does.
type baseline struct {
	name    string
	run     func(*testing.T, func(*emu.Config), func(*emu.Machine)) *emutest.Result
	moves   bool // it is of a suite that moves
	options string
	initrd  []byte
	cells   map[string]string // by service
}

// Where the lookups of protocols have the GUID, and what they return where it is
// nowhere.
var lookups = map[string]struct {
	arg    int
	absent efi.Status
}{
	"HandleProtocol": {1, efi.Unsupported}, "OpenProtocol": {1, efi.Unsupported}, "LocateHandle": {1, efi.NotFound},
	"LocateHandleBuffer": {1, efi.NotFound}, "LocateProtocol": {0, efi.NotFound}, "LocateDevicePath": {0, efi.NotFound},
}

// lookedUp is the protocol that a call looks for.
func lookedUp(c *emu.Call) (efi.GUID, efi.Status, bool) {
	look, ok := lookups[c.Service()]
	if !ok || c.Protocol() != "BootServices" {
		return efi.GUID{}, 0, false
	}
	guid, err := mem.Load(c.Memory(), efi.Ptr[efi.GUID](c.Arg(look.arg)))
	return guid, look.absent, err == nil
}

// observe runs the payload as it is, and finds the services and protocols that it
// needs something of.
func (b *baseline) observe(t *testing.T) (services []string, protocols []efi.GUID) {
	t.Helper()
	called, found := map[string]bool{}, map[efi.GUID]bool{}
	var last efi.GUID
	r := b.run(t, func(c *emu.Config) {
		c.Intercept = func(c *emu.Call) error {
			last, _, _ = lookedUp(c)
			if c.Protocol() == "BootServices" || c.Protocol() == "RuntimeServices" {
				called[c.Protocol()+"."+c.Service()] = true
			}
			return nil
		}
		c.Trace = func(e *emu.TraceEvent) {
			if _, ok := lookups[e.Service]; ok && e.Kind == emu.TraceCall && e.Status == efi.Success {
				found[last] = true
			}
		}
	}, nil)
	h := frozen(t, r)
	b.options = h.CommandLine()
	b.initrd, _ = h.Initrd()
	delete(found, efi.GUID{})
	return slices.Sorted(maps.Keys(called)), slices.SortedFunc(maps.Keys(found), func(a, b efi.GUID) int {
		return strings.Compare(guidText(a), guidText(b))
	})
}

func guidText(g efi.GUID) string {
	if name, ok := g.Name(); ok {
		return name
	}
	return g.String()
}

// outcome says in a word what has become of a payload that lacks something.
func (b *baseline) outcome(r *emutest.Result) string {
	var exit *emu.ExitError
	var fault *emu.FaultError
	var reset *emu.ResetError
	switch {
	case errors.As(r.Err, &exit):
		return "exit"
	case errors.As(r.Err, &fault):
		return "fault"
	case errors.As(r.Err, &reset):
		return "reset"
	case r.Handoff == nil && strings.Contains(r.Err.Error(), "nothing boots"):
		return "exit"
	case r.Handoff == nil:
		return "hang"
	}
	initrd, _ := r.Handoff.Initrd()
	var lost []string
	if r.Handoff.CommandLine() != b.options {
		lost = append(lost, "options")
	}
	if !bytes.Equal(initrd, b.initrd) {
		lost = append(lost, "initrd")
	}
	if len(lost) > 0 {
		return strings.Join(lost, ", ")
	}
	return "ok"
}

// without runs the payload and refuses what refuse says.
func (b *baseline) without(t *testing.T, refuse func(*emu.Call) error, setup func(*emu.Machine)) string {
	t.Helper()
	return b.outcome(b.run(t, func(c *emu.Config) {
		c.Trace, c.Intercept = nil, refuse
		c.Limits.Time, c.Limits.Calls, c.Limits.Stalled = 2*time.Minute, 200_000, time.Minute
	}, setup))
}

// measure fills the column.
func (b *baseline) measure(t *testing.T) {
	t.Helper()
	b.cells = map[string]string{}
	services, protocols := b.observe(t)
	for _, name := range services {
		b.cells[name] = b.without(t, func(c *emu.Call) error {
			if c.Protocol()+"."+c.Service() == name {
				return efi.Unsupported
			}
			return nil
		}, nil)
	}
	for _, guid := range protocols {
		b.cells[guidText(guid)] = b.without(t, func(c *emu.Call) error {
			if g, absent, ok := lookedUp(c); ok && g == guid {
				return absent
			}
			return nil
		}, nil)
	}
	for _, name := range consoles {
		b.cells["SystemTable."+name] = b.without(t, nil, func(m *emu.Machine) {
			if err := blankConsole(m, name); err != nil {
				t.Fatal(err)
			}
		})
	}
	// These two are code in the guest, whose calls nobody sees.
	for _, name := range []string{"CopyMem", "SetMem"} {
		b.cells["BootServices."+name] = b.without(t, nil, func(m *emu.Machine) {
			if err := blankSlot(m, name); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// consoles are the fields of the system table that a firmware without a console has
// NULL in.
var consoles = []string{"ConIn", "ConOut", "StdErr"}

// blankConsole makes one NULL.
func blankConsole(m *emu.Machine, name string) error {
	st, err := mem.Load(m.Memory(), m.SystemTable())
	if err != nil {
		return err
	}
	reflect.ValueOf(&st).Elem().FieldByName(name).SetZero()
	return mem.Store(m.Memory(), m.SystemTable(), st)
}

// blankSlot makes a slot of the boot services one that is not served.
func blankSlot(m *emu.Machine, name string) error {
	st, err := mem.Load(m.Memory(), m.SystemTable())
	if err != nil {
		return err
	}
	boot, err := mem.Load(m.Memory(), st.BootServices)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(&boot).Elem()
	v.FieldByName(name).Set(v.FieldByName("Reserved"))
	return mem.Store(m.Memory(), st.BootServices, boot)
}

// baselines are the columns.
func baselines(t *testing.T) []*baseline {
	var all []*baseline
	ways := ways(t, newPayloadTable())
	for _, suite := range suites {
		for _, w := range ways {
			if w.name == "interp" && w.folder == "amd64" {
				continue
			}
			arch := ""
			if w.folder == "arm64" {
				arch = " AArch64"
			}
			root := os.DirFS(emutest.Corpus(t, suite.name+"/"+w.folder))
			add := func(name string, p func() emutest.Program) {
				all = append(all, &baseline{name: name + arch, moves: suite.name == "sid", run: func(t *testing.T, config func(*emu.Config), setup func(*emu.Machine)) *emutest.Result {
					program := p()
					program.Arch, program.Config, program.Setup = w.arch, config, setup
					return emutest.RunOn(t, program, w.engine)
				}})
			}
			kernel := emutest.Program{Image: read(t, root, "vmlinuz"), Path: `\vmlinuz`, Options: "console=ttyS0 quiet", Initrd: read(t, root, "initrd.cpio")}
			add(suite.kernel, func() emutest.Program { return kernel })
			esp := newMedium(t, w, suite.name).copies("esp", ".")
			uki := emutest.Program{Image: read(t, root, "uki.efi"), Path: `\EFI\Linux\uki.efi`, Volume: esp.files}
			add(suite.stub, func() emutest.Program { return uki })
			if arch == "" {
				menu := systemdBoot(t, w, suite.name).text("loader/loader.conf", "timeout 1\ndefault uki.efi\n")
				add(strings.Replace(suite.stub, "stub", "boot", 1), func() emutest.Program { return emutest.Program{Volume: menu.files} })
				grub := grubVolume(t, w, suite.name).text("EFI/debian/grub.cfg", strings.Replace(grubMenu, "timeout=5", "timeout=0", 1))
				anyKey := strings.Repeat(keyEnter, 4) // which GRUB asks for, for ten seconds of its own, behind an error
				add(grubs[suite.name], func() emutest.Program { return emutest.Program{Volume: grub.files, Keys: anyKey} })
				if suite.name == "trixie" {
					shim := newMedium(t, w, suite.name).copies("esp-grub", ".")
					add("shim 16.1", func() emutest.Program { return emutest.Program{Volume: shim.files, Keys: anyKey} })
				}
			}
		}
	}
	// What moves comes last.
	slices.SortStableFunc(all, func(a, b *baseline) int { return int(efi.BooleanOf(a.moves)) - int(efi.BooleanOf(b.moves)) })
	return all
}

// TestBaseline takes away, one by one, what payloads that boot Linux call, and prints
// what happens then.
func TestBaseline(t *testing.T) {
	all := baselines(t)
	for _, b := range all {
		if b.moves && !*update {
			continue
		}
		t.Run(b.name, func(t *testing.T) { b.measure(t) })
	}
	if t.Failed() {
		return
	}
	text := baselineText(all)
	if *update {
		if err := os.WriteFile(baselineDoc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(baselineDoc)
	if err != nil {
		t.Fatal(err)
	}
	fixed := 0
	for _, b := range all {
		if !b.moves {
			fixed++
		}
	}
	want := baselineRows(text, fixed)
	for name, cells := range baselineRows(string(have), fixed) {
		if want[name] != cells && strings.Trim(want[name]+cells, " |") != "" {
			t.Errorf("%s: %s has %s, want %s", name, baselineDoc, cells, want[name])
		}
		delete(want, name)
	}
	for name, cells := range want {
		if strings.Trim(cells, " |") != "" {
			t.Errorf("%s: %s has no row, want %s", name, baselineDoc, cells)
		}
	}
}

// baselineRows are the first columns of the rows of the tables.
func baselineRows(text string, columns int) map[string]string {
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		if cells := strings.Split(line, "|"); len(cells) > columns+2 && strings.HasPrefix(cells[1], " `") {
			rows[cells[1]] = strings.Join(cells[2:2+columns], "|")
		}
	}
	return rows
}

func baselineText(all []*baseline) string {
	var b strings.Builder
	b.WriteString(baselineHead)
	table := func(heading string, rows []string, prefix string) {
		fmt.Fprintf(&b, "\n## %s\n\n| |", heading)
		for _, c := range all {
			fmt.Fprintf(&b, " %s |", c.name)
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
		for _, row := range rows {
			var cells []string
			for _, c := range all {
				cells = append(cells, c.cells[prefix+row])
			}
			if strings.Join(cells, "") != "" {
				fmt.Fprintf(&b, "| `%s` | %s |\n", row, strings.Join(cells, " | "))
			}
		}
	}
	table("System table", consoles, "SystemTable.")
	table("Boot services", fields[efi.BootServices](), "BootServices.")
	table("Runtime services", fields[efi.RuntimeServices](), "RuntimeServices.")
	protocols := map[string]bool{}
	for _, c := range all {
		for name := range c.cells {
			if !strings.Contains(name, ".") {
				protocols[name] = true
			}
		}
	}
	table("Protocols", slices.Sorted(maps.Keys(protocols)), "")
	fmt.Fprintf(&b, "\n## What none of them calls\n\nBoot services: %s.\n\nRuntime services, before ExitBootServices: %s.\n",
		strings.Join(uncalled[efi.BootServices](all, "BootServices."), ", "), strings.Join(uncalled[efi.RuntimeServices](all, "RuntimeServices."), ", "))
	return b.String()
}

// uncalled are the services of a table that are in no column.
func uncalled[T any](all []*baseline, prefix string) []string {
	return slices.DeleteFunc(fields[T](), func(name string) bool {
		return name == "TableHeader" || name == "Reserved" || slices.ContainsFunc(all, func(c *baseline) bool { return c.cells[prefix+name] != "" })
	})
}

// fields are the names of a table's slots, in the specification's order.
func fields[T any]() []string {
	var names []string
	for f := range reflect.TypeFor[T]().NumField() {
		names = append(names, reflect.TypeFor[T]().Field(f).Name)
	}
	return names
}

const baselineHead = `# What of UEFI booting Linux needs

Printed by ` + "`go test ./emu/emutest -run TestBaseline -update`" + `, with UEFIEXEC_CORPUS naming the folder that ` + "`.ci/corpus`" + ` has filled
with Debian's kernels, systemd-stub, systemd-boot and boot loaders.

Each column is a payload that was run to ExitBootServices, on emulated boot services, with everything that it asks for
and Debian's kernels do not need a device for: a console, a volume, an initrd by LoadFile2, random numbers. Each row is
a service, or a protocol as a whole. The cell says what happened when the payload was run again and that service
returned EFI_UNSUPPORTED each time, or that protocol was on no handle, or that pointer of the system table was NULL:

- empty: it is not called, or looked up in vain;
- **ok**: the kernel exits boot services with the same command line and initrd;
- **initrd**, **options**: it does, but its initrd or its command line is not the same, or not there;
- **exit**: the payload gives up and returns to the firmware, **reset**: it resets the machine;
- **fault**: it does what the processor cannot do, as a rule with a pointer that nobody gave it;
- **hang**: it goes on for ever, or until a limit of a minute of stalls or 200,000 calls.

A UKI here has addons, credentials, system and configuration extensions beside it. The protocols that a payload installs
itself and looks up again, such as LoadFile2 for the kernel that it starts, are taken away too. CopyMem and SetMem are
code that runs in the guest, so whether they are called is not known: their slots lead to a service that is not there.
`
