// SPDX-License-Identifier: BSD-3-Clause

package emutest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/protocols"
)

// Program is an EFI program to be run in a test. Image alone is enough; without one,
// what firmware would find on the Volume is booted.
type Program struct {
	Image   []byte
	Arch    cpu.Arch // of the guest, without an Image; 0 is AMD64
	Path    string   // on the volume, as \EFI\x.efi; "" is \test.efi
	Options string   // the load options, as text
	Volume  fs.FS    // nil has none
	Disk    efi.DevicePath
	Initrd  []byte
	Keys    string // what is typed

	// Config changes the machine before it is opened: faults to inject, limits,
	// variables. Platform changes the devices, Setup installs what Platform has not.
	Config   func(*emu.Config)
	Platform func(*protocols.Platform)
	Setup    func(*emu.Machine)
}

// Result is what became of a program.
type Result struct {
	Console string // what it printed
	Trace   string // what it called, as TextTrace writes it
	Machine *emu.Machine
	Handoff *emu.Handoff // nil if it did not exit boot services
	Err     error        // of Boot
}

// Run runs a program to its end, on the best engine there is, with a virtual
// clock and fixed randomness. Without an engine, the test skips.
func Run(t testing.TB, p Program) *Result {
	t.Helper()
	return RunOn(t, p, nil)
}

// RunOn is Run on a given engine.
func RunOn(t testing.TB, p Program, engine cpu.New) *Result {
	t.Helper()
	arch := cmp.Or(p.Arch, cpu.AMD64)
	if p.Image != nil {
		var err error
		if arch, err = archOf(p.Image); err != nil {
			return &Result{Err: err}
		}
	}
	if engine == nil {
		engine = Engine(t, arch)
	}
	r := &Result{}
	var console, trace bytes.Buffer
	cfg := emu.Config{
		Arch:   arch,
		Engine: engine,
		Clock:  emu.VirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		Random: &counter{},
		Limits: emu.Limits{Time: time.Minute},
		Trace:  emu.TextTrace(&trace),
	}
	if p.Config != nil {
		p.Config(&cfg)
	}
	m, err := emu.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	platform := protocols.Platform{In: strings.NewReader(p.Keys), Out: &console, Volume: p.Volume, Disk: p.Disk, MakeDisk: p.Volume != nil}
	if p.Initrd != nil {
		platform.Initrd = io.NewSectionReader(bytes.NewReader(p.Initrd), 0, int64(len(p.Initrd)))
	}
	if p.Platform != nil {
		p.Platform(&platform)
	}
	volume, err := platform.Install(m)
	if err != nil {
		t.Fatal(err)
	}
	if p.Setup != nil {
		p.Setup(m)
	}
	path := p.Path
	if path == "" {
		path = `\test.efi`
	}
	r.Machine = m
	if p.Image == nil {
		r.Handoff, r.Err = m.BootManager(t.Context(), emu.BootManagerOptions{})
	} else {
		r.Handoff, r.Err = m.Boot(t.Context(), bytes.NewReader(p.Image), emu.BootOptions{
			Device: volume, Path: efi.DevicePath{efi.FilePath(path)}, LoadOptions: emu.LoadOptions(p.Options),
		})
	}
	if h := r.Handoff; h != nil {
		t.Cleanup(func() { h.Close() })
	}
	r.Console, r.Trace = console.String(), trace.String()
	return r
}

// Status is the status that the program exited with; the test fails if it came
// to another end.
func (r *Result) Status(t testing.TB) efi.Status {
	t.Helper()
	var exit *emu.ExitError
	if !errors.As(r.Err, &exit) {
		t.Fatalf("the program has not exited: %v\n%s%s", r.Err, r.Console, r.Trace)
	}
	return exit.Status
}

// archOf is the guest that an image is for.
func archOf(image []byte) (cpu.Arch, error) {
	im, err := pecoff.Parse(bytes.NewReader(image), int64(len(image)))
	if err == nil {
		err = im.Check()
	}
	if err != nil {
		return 0, err
	}
	if im.Machine == pecoff.ARM64 {
		return cpu.ARM64, nil
	}
	return cpu.AMD64, nil
}

// counter is randomness that is the same each time, and no randomness at all.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		c.n = c.n*167 + 13
		p[i] = c.n
	}
	return len(p), nil
}
