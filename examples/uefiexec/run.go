// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/auto"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/protocols"
)

// runFlags are the flags of run.
type runFlags struct {
	esp, initrd, cmdline string
	memory               size
	arch, engine         string
	seed, output         string
	timeout              time.Duration
	trace, json          bool

	image       string
	loadOptions []string
}

func parseRun(args []string, s streams) (*runFlags, error) {
	f := &runFlags{memory: 512 << 20}
	flags := newFlags("run", "[IMAGE [LOADOPTIONS...]]", s)
	flags.StringVar(&f.esp, "esp", "", "`DIR|ARCHIVE` that the image finds as its volume; an IMAGE in it has its path there")
	flags.StringVar(&f.initrd, "initrd", "", "`FILE` to offer as initrd, by LoadFile2")
	flags.StringVar(&f.cmdline, "cmdline", "", "`TEXT` to give as load options, instead of LOADOPTIONS")
	flags.Var(&f.memory, "m", "`SIZE` of the guest's memory, with K, M or G")
	flags.StringVar(&f.arch, "arch", "", "x86-64 or aarch64; the default is the image's")
	flags.StringVar(&f.engine, "engine", "", "`NAME` of the engine; the default is the best that works here")
	flags.StringVar(&f.seed, "seed", "", "`TEXT` that all randomness and time come from")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute, "give up after this time")
	flags.BoolVar(&f.trace, "trace", false, "print every call of a service to stderr")
	flags.BoolVar(&f.json, "json", false, "print one JSON object to stdout; the console goes to stderr")
	flags.StringVar(&f.output, "o", "", "`FILE` to write the frozen machine to, as an ELF core")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		f.image, f.loadOptions = flags.Arg(0), flags.Args()[1:]
	}
	switch {
	case f.cmdline != "" && len(f.loadOptions) > 0:
		return nil, usagef("-cmdline and LOADOPTIONS are two ways to say the same")
	case f.cmdline == "":
		f.cmdline = strings.Join(f.loadOptions, " ")
	}
	return f, nil
}

// run is the command of that name.
func run(ctx context.Context, args []string, s streams) error {
	f, err := parseRun(args, s)
	if err != nil {
		return err
	}
	src, err := openSource(f.image, f.esp)
	if err != nil {
		return err
	}
	defer src.close()

	var picker auto.Picker
	cfg, err := f.config(src, &picker, isTerminal(s.in))
	if err != nil {
		return err
	}
	if f.trace {
		cfg.Trace = emu.TextTrace(s.err)
	}
	m, err := emu.Open(cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	platform := protocols.Platform{In: s.in, Out: s.out, Volume: src.volume, Disk: src.disk}
	if f.json {
		platform.Out = s.err
	}
	if f.initrd != "" {
		initrd, err := os.Open(f.initrd)
		if err != nil {
			return err
		}
		defer initrd.Close()
		if platform.Initrd, err = section(initrd); err != nil {
			return err
		}
	}
	volume, err := platform.Install(m)
	if err != nil {
		return err
	}
	start := time.Now()
	handoff, err := m.Boot(ctx, src.image, emu.BootOptions{
		Device: volume, Path: src.path, LoadOptions: emu.LoadOptions(f.cmdline),
	})
	seconds := time.Since(start).Seconds()
	if handoff != nil {
		defer handoff.Close()
	}
	engine := f.engine
	if engine == "" {
		engine = picker.Name
	}
	r := newReport(m, handoff, err, engine, seconds)
	if f.trace {
		printMissing(s.err, m.Missing())
	}
	if handoff != nil && f.output != "" {
		if err := writeHandoff(f.output, handoff); err != nil {
			return err
		}
	}
	if f.json {
		return errors.Join(r.writeJSON(s.out), err)
	}
	if err == nil {
		fmt.Fprintf(s.err, "uefiexec: %s\n", r.line(src.name))
	}
	return err
}

// isTerminal reports whether a person may be typing: then time is the host's, or
// menus would not wait.
func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// config makes the machine's configuration.
func (f *runFlags) config(src *source, picker *auto.Picker, interactive bool) (emu.Config, error) {
	cfg := emu.Config{
		Engine: picker.New,
		Limits: emu.Limits{Time: f.timeout},
		Clock:  emu.VirtualClock(time.Now()),
	}
	if interactive {
		cfg.Clock = emu.SystemClock()
	}
	if f.engine != "" {
		engine, err := auto.Named(f.engine)
		if err != nil {
			return cfg, usageError{err}
		}
		cfg.Engine = engine.New
	}
	if f.seed != "" {
		cfg.Random, cfg.Clock = seeded(f.seed)
	}
	var err error
	if cfg.Arch, err = f.guest(src); err != nil {
		return cfg, err
	}
	cfg.MemoryMap = emu.Layout(cfg.Arch, uint64(f.memory))
	return cfg, nil
}

// guest is the architecture of the guest: the one that was asked for, or the
// image's.
func (f *runFlags) guest(src *source) (cpu.Arch, error) {
	switch strings.ToLower(f.arch) {
	case "x86-64", "x86_64", "amd64", "x64":
		return cpu.AMD64, nil
	case "aarch64", "arm64", "aa64":
		return cpu.ARM64, nil
	case "":
	default:
		return 0, usagef("-arch %s: want x86-64 or aarch64", f.arch)
	}
	image, err := pecoff.Parse(src.image, src.image.Size())
	if err == nil {
		err = image.Check()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %w", src.name, err, efi.LoadError)
	}
	if image.Machine == pecoff.ARM64 {
		return cpu.ARM64, nil
	}
	return cpu.AMD64, nil
}

// writeHandoff writes the frozen machine to a file that its owner alone can
// read, for it holds secrets.
func writeHandoff(name string, h *emu.Handoff) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := file.Chmod(0o600); err != nil {
		file.Close()
		return err
	}
	_, err = h.WriteTo(file)
	return errors.Join(err, file.Close())
}

// section is all of a file.
func section(file *os.File) (*io.SectionReader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", file.Name())
	}
	return io.NewSectionReader(file, 0, info.Size()), nil
}
