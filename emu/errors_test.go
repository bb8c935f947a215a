// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
)

func TestStatusOf(t *testing.T) {
	for _, row := range []struct {
		err  error
		want efi.Status
	}{
		{nil, efi.Success},
		{efi.Timeout, efi.Timeout},
		{efi.WarnStaleData, efi.WarnStaleData},
		{fmt.Errorf("too late: %w", efi.Timeout), efi.Timeout},
		{fmt.Errorf("%w: %w", fs.ErrNotExist, efi.MediaChanged), efi.MediaChanged},
		{&mem.FaultError{Addr: 1, Access: mem.Readable}, efi.InvalidParameter},
		{fs.ErrNotExist, efi.NotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, efi.NotFound},
		{fs.ErrPermission, efi.AccessDenied},
		{fs.ErrExist, efi.AccessDenied},
		{fs.ErrInvalid, efi.InvalidParameter},
		{os.ErrClosed, efi.InvalidParameter},
		{errors.ErrUnsupported, efi.Unsupported},
		{io.ErrUnexpectedEOF, efi.DeviceError},
		{errors.New("anything"), efi.DeviceError},
	} {
		if got := emu.StatusOf(row.err); got != row.want {
			t.Errorf("StatusOf(%v) = %v, want %v", row.err, got.String(), row.want.String())
		}
	}
}

// A service's error is the guest's; one made with Fatal is the host's, whatever
// is in its chain.
func TestFatal(t *testing.T) {
	reason := errors.New("the disk is gone")
	for _, row := range []struct {
		name  string
		err   error
		fatal bool
	}{
		{"plain", reason, false},
		{"status", fmt.Errorf("%w: %w", reason, efi.MediaChanged), false},
		{"fatal", emu.Fatal(reason), true},
		{"fatal with a status in it", emu.Fatal(fmt.Errorf("%w: %w", reason, efi.MediaChanged)), true},
		{"wrapped", fmt.Errorf("while reading: %w", emu.Fatal(reason)), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen efi.Status
			returned := false
			cfg := emu.Config{Intercept: func(c *emu.Call) error {
				if c.Service() == "Stall" {
					return row.err
				}
				return nil
			}}
			_, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
				seen = g.Boot("Stall", 1)
				returned = true
				return 0
			})
			var exit *emu.ExitError
			switch {
			case row.fatal && (returned || !errors.Is(err, reason) || errors.As(err, &exit)):
				t.Errorf("returned %v, Boot: %v", returned, err)
			case !row.fatal && (!errors.As(err, &exit) || seen != emu.StatusOf(row.err)):
				t.Errorf("the guest saw %v, Boot: %v", seen.String(), err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	const bad = 0x1234_5678_9000
	for _, row := range []struct {
		name string
		f    func(*guest)
		want []string // in the error's text
	}{
		{"a load", func(g *guest) { load(g, efi.Ptr[uint64](bad)) }, []string{"page fault at guest+0x1008 (0x", "r--", "0x123456789000"}},
		{"a store", func(g *guest) { puppet.Store(g.Thread, efi.Ptr[uint64](bad), 1) }, []string{"page fault at guest+0x1008", "-w-"}},
		{"a jump", func(g *guest) { g.Call(bad) }, []string{"page fault at 0x123456789000", "--x"}},
		{"an instruction", func(g *guest) {
			g.Exit(cpu.Exit{Kind: cpu.Fault, Cause: cpu.Protection, Inst: "mov cr3, rax"})
		}, []string{"protection fault at guest+0x1008", "mov cr3, rax"}},
		{"a system call", func(g *guest) {
			g.Exit(cpu.Exit{Kind: cpu.Fault, Cause: cpu.SystemCall, Inst: "syscall"})
		}, []string{"system call at guest+0x1008", "syscall"}},
		{"the gates", func(g *guest) {
			gate := load(g, load(g, g.System).BootServices).RaiseTPL
			g.Call(gate + 4)
		}, []string{"breakpoint at 0x"}},
		{"a return that nobody waits for", func(g *guest) {
			gate := load(g, load(g, g.System).BootServices).RaiseTPL
			g.Call(gate.PageDown() + 16)
		}, []string{"return of a notification that was not entered"}},
		{"a notification function that is none", func(g *guest) {
			e := local[efi.Event](g, 0)
			expect(g, efi.Success, "CreateEvent", efi.EventNotifySignal, efi.TPLCallback, bad, 0, e)
			g.Boot("SignalEvent", load(g, e))
		}, []string{"page fault at 0x123456789000", "--x"}},
		{"no stack", func(g *guest) {
			g.Regs().GP[g.Arch().ABI().Stack] = 0x5000
			g.Local(16)
		}, []string{"stack overflow"}},
		{"a volume that faults when it closes", func(g *guest) {
			v := &volume{openFails: efi.NotFound}
			v.install(g)
			root := methods(g, 0x10000,
				func(*guest) efi.Status { return efi.NotFound },
				func(g *guest) efi.Status { load(g, efi.Ptr[uint64](bad)); return 0 })
			addProtocol(g, device(g, efi.VendorMedia(guidN(7))), efi.SimpleFileSystemProtocolGUID, methods(g, 0x10000, func(g *guest) efi.Status {
				puppet.Store(g.Thread, efi.Ptr[efi.Addr](g.Arg(1)), root)
				return 0
			}))
			path := pool(g, efi.DevicePath{efi.VendorMedia(guidN(7)), efi.FilePath("x")}.Bytes())
			g.Boot("LoadImage", efi.False, g.Image, path, 0, 0, local[efi.Handle](g, 0))
		}, []string{"page fault at 0x", "0x123456789000"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			returned := false
			_, err := emutest.Go(t, emu.Config{}, nil, func(g *guest) efi.Status { row.f(g); returned = true; return 0 })
			var fault *emu.FaultError
			if !errors.As(err, &fault) || returned {
				t.Fatalf("returned %v, Boot: %v", returned, err)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q has no %q", err, want)
				}
			}
			if dump := fault.Registers(); !strings.Contains(dump, "rsp") || strings.Count(dump, "\n") != 5 {
				t.Errorf("registers:\n%s", dump)
			}
		})
	}
}

// failing is an engine that cannot run.
type failing struct {
	cpu.Engine
	err error
}

func (f *failing) Run(context.Context, *cpu.Regs, cpu.Stop) (cpu.Exit, error) {
	return cpu.Exit{}, f.err
}

func TestEngineErrors(t *testing.T) {
	broken := errors.New("the child is gone")
	file := emutest.Image(cpu.AMD64, []byte{0xc3})
	boot := func(engine cpu.New) (*emu.Machine, error) {
		m, err := emu.Open(emu.Config{Arch: cpu.AMD64, MemoryMap: emu.Layout(cpu.AMD64, 64<<20), Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		_, err = m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{})
		return m, err
	}
	m, err := boot(func(cpu.Config) (cpu.Engine, error) { return nil, cpu.ErrNotSupported })
	if !errors.Is(err, cpu.ErrNotSupported) {
		t.Errorf("an engine that cannot be made: %v", err)
	}
	if _, err := m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{}); !errors.Is(err, cpu.ErrNotSupported) {
		t.Errorf("and again: %v", err)
	}
	m, err = boot(func(c cpu.Config) (cpu.Engine, error) {
		e, err := new(puppet.Puppet).New(c)
		return &failing{e, broken}, err
	})
	var exit *emu.ExitError
	if !errors.Is(err, broken) || errors.As(err, &exit) {
		t.Errorf("an engine that fails: %v", err)
	}
	if _, err := m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{}); err == nil || errors.Is(err, broken) {
		t.Errorf("behind it: %v", err)
	}
}

func TestBootTwice(t *testing.T) {
	ran := 0
	m, file := bootAgain(t, emu.Config{}, func(g *guest) {
		ran++
		same(g, "TPL", tplNow(g), efi.TPLApplication)
		_, status := g.Protocol(g.Image, efi.LoadedImageProtocolGUID)
		same(g, "status", status, efi.Success)
		if ran == 3 {
			load(g, efi.Ptr[uint64](1<<60))
		}
	})
	boot := func() error {
		_, err := m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{Name: "again"})
		return err
	}
	before := m.MemoryMap()
	var exit *emu.ExitError
	for range 2 {
		if err := boot(); !errors.As(err, &exit) || exit.Image != "again" {
			t.Fatalf("%v", err)
		}
	}
	if _, err := m.Boot(t.Context(), strings.NewReader("no image"), emu.BootOptions{}); !errors.Is(err, efi.Unsupported) {
		t.Errorf("Boot of no image: %v", err)
	}
	if after := m.MemoryMap(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("images leave memory behind: %v, was %v", after, before)
	}
	var fault *emu.FaultError
	if err := boot(); !errors.As(err, &fault) {
		t.Errorf("%v", err)
	}
	if err := boot(); err == nil || errors.As(err, &fault) || ran != 3 {
		t.Errorf("a boot behind a fault: %v", err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := boot(); err == nil {
		t.Error("a closed machine boots")
	}
}

// The notifications of an image that has gone do not stop the next one, nor does
// its watchdog.
func TestBootBehindWatchdog(t *testing.T) {
	var m *emu.Machine
	var file []byte
	_, err := emutest.Go(t, emu.Config{Clock: emu.VirtualClock(start)}, func(opened *emu.Machine) { m = opened }, func(g *guest) efi.Status {
		file = newImage(g, pecoff.Application, func(g *guest) efi.Status { return g.Boot("Stall", 60_000_000) })
		g.Boot("RaiseTPL", efi.TPLNotify)
		return g.Boot("SetWatchdogTimer", 5, 0, 0, 0)
	})
	var exit *emu.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if _, err := m.Boot(t.Context(), bytes.NewReader(file), emu.BootOptions{}); !errors.As(err, &exit) || exit.Status != 0 {
		t.Errorf("%v", err)
	}
}

func TestBootBehindExitBootServices(t *testing.T) {
	var m *emu.Machine
	h, err := emutest.Go(t, emu.Config{}, func(opened *emu.Machine) { m = opened }, func(g *guest) efi.Status {
		exitBootServices(g)
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Boot(t.Context(), bytes.NewReader(nil), emu.BootOptions{}); err == nil {
		t.Error("a spent machine boots")
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if st := frozen[efi.SystemTable](t, h, h.SystemTable); st.Signature != efi.SystemTableSignature {
		t.Error("Close of the machine took the handoff's memory")
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := h.Read(h.SystemTable, 8); err == nil {
		t.Error("a handoff that is closed can be read")
	}
}

func TestOpenRefuses(t *testing.T) {
	engine := new(puppet.Puppet).New
	ram := emu.Layout(cpu.AMD64, 64<<20)
	for _, row := range []struct {
		name string
		cfg  emu.Config
	}{
		{"no architecture", emu.Config{Engine: engine}},
		{"no engine", emu.Config{Arch: cpu.AMD64}},
		{"no memory", emu.Config{Arch: cpu.AMD64, Engine: engine, MemoryMap: []efi.MemoryDescriptor{}}},
		{"little memory", emu.Config{Arch: cpu.AMD64, Engine: engine, MemoryMap: emu.Layout(cpu.AMD64, 200<<10)}},
		{"memory twice", emu.Config{Arch: cpu.AMD64, Engine: engine, MemoryMap: append(ram, ram...)}},
	} {
		if m, err := emu.Open(row.cfg); err == nil || !strings.HasPrefix(err.Error(), "emu: ") {
			t.Errorf("%s: %v, %v", row.name, m, err)
		}
	}
}
