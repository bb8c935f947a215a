// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"flag"
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
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/protocols"
	"github.com/uefiexec/uefiexec/protocols/tcg2"
	"github.com/uefiexec/uefiexec/tables"
)

// runFlags are the flags of run, and of load.
type runFlags struct {
	*flag.FlagSet

	esp, disk, vars, initrd, cmdline string
	bootNumber                       string
	memory                           size
	arch, engine                     string
	seed, output                     string
	coverage, screenshot             string
	timeout                          time.Duration
	trace, json                      bool

	image         string
	keepKernel    bool         // for -backend file
	measured      bool         // the image finds a TPM
	writable      bool         // the image may write to its volume, and it lies on a disk, if a made-up one; nothing is kept
	firmwareFirst bool         // into which a firmware has measured already, as EDK2 does
	tpm           tcg2.Options // of that
}

func newRunFlags(name string, s streams) *runFlags {
	f := &runFlags{memory: 512 << 20, FlagSet: newFlags(name, "[IMAGE [LOADOPTIONS...]]", s)}
	f.StringVar(&f.esp, "esp", "", "`DIR|ARCHIVE|DISK` that the image finds as its volume; an IMAGE in it has its path there")
	f.StringVar(&f.disk, "disk", "", "`FILE` of the disk that the volume is the EFI system partition of; without -esp, the files of that are the volume's")
	f.StringVar(&f.bootNumber, "boot", "", "`NUMBER` of the Boot#### to boot first, in hexadecimal, where no IMAGE is given: then what boots is found as firmware does, by BootNext, BootOrder and on the volume")
	f.StringVar(&f.initrd, "initrd", "", "`FILE` to offer as initrd, by LoadFile2")
	f.StringVar(&f.cmdline, "cmdline", "", "`TEXT` to give as load options, instead of LOADOPTIONS")
	f.StringVar(&f.engine, "engine", "", "`NAME` of the engine; the default is the best that works here")
	f.StringVar(&f.seed, "seed", "", "`TEXT` that all randomness and time come from")
	f.DurationVar(&f.timeout, "timeout", 10*time.Minute, "give up after this time")
	f.BoolVar(&f.trace, "trace", false, "print every call of a service to stderr")
	f.BoolVar(&f.json, "json", false, "print one JSON object to stdout; the console goes to stderr")
	f.StringVar(&f.output, "o", "", "`FILE` to write the frozen machine to, as an ELF core")
	if name != "load" {
		f.Var(&f.memory, "m", "`SIZE` of the guest's memory, with K, M or G")
		f.StringVar(&f.arch, "arch", "", "x86-64 or aarch64; the default is the image's")
		f.StringVar(&f.vars, "vars", "", "`FILE` of variables, in JSON: a list of name, guid, attributes such as NV|BS|RT, and data in hexadecimal")
	}
	return f
}

// parse parses the command line.
func (f *runFlags) parse(args []string) error {
	if err := parse(f.FlagSet, args); err != nil {
		return err
	}
	var loadOptions []string
	if f.NArg() > 0 {
		f.image, loadOptions = f.Arg(0), f.Args()[1:]
	}
	switch {
	case f.cmdline != "" && len(loadOptions) > 0:
		return usagef("-cmdline and LOADOPTIONS are two ways to say the same")
	case f.cmdline == "":
		f.cmdline = strings.Join(loadOptions, " ")
	}
	switch {
	case f.bootNumber != "" && f.image != "":
		return usagef("-boot and IMAGE are two ways to say what to boot")
	case f.managed() && f.cmdline != "":
		return usagef("-cmdline goes with an IMAGE: a boot option has its own")
	}
	return nil
}

// run is the command of that name.
func run(ctx context.Context, args []string, s streams) error {
	f := newRunFlags("run", s)
	f.StringVar(&f.coverage, "coverage", "", "`FILE` to write what code was executed to, in the format of drcov; the engine is then interp")
	f.StringVar(&f.screenshot, "screenshot", "", "`FILE` to write what is on the screen at the end to, as PNG; the image then finds a screen")
	f.BoolVar(&f.measured, "tpm", false, "give the image a TPM; what it extends reaches no real one")
	if err := f.parse(args); err != nil {
		return err
	}
	f.firmwareFirst = true
	switch {
	case f.coverage != "" && f.engine == "":
		f.engine = "interp"
	case f.coverage != "" && f.engine != "interp":
		return usagef("-coverage: engine %s does not see what code is executed", f.engine)
	}
	b, err := f.boot(ctx, s, nil)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.lost(); err != nil {
		fmt.Fprintf(s.err, "uefiexec: %v\n", err)
	}
	if f.json {
		return errors.Join(writeJSON(s.out, b.report()), b.err)
	}
	if b.err == nil {
		fmt.Fprintf(s.err, "uefiexec: %s\n", b.report().line(b.source.name))
	}
	return b.err
}

// booted is a machine whose image has come to its end, one way or another.
type booted struct {
	source  *source
	machine *emu.Machine
	tpm     *tcg2.TPM // nil if the image found none
	screen  *protocols.FrameBuffer
	initrd  *offered     // nil if none was offered
	handoff *emu.Handoff // nil if it did not exit boot services
	err     error        // of Boot
	engine  string
	seconds float64
	closers []io.Closer
}

func (b *booted) close() {
	for _, c := range b.closers {
		c.Close()
	}
	b.source.close()
}

// offered is what is offered to the image, and whether it has read any of it.
type offered struct {
	file io.ReaderAt
	read bool
}

func (o *offered) ReadAt(p []byte, at int64) (int, error) {
	o.read = true
	return o.file.ReadAt(p, at)
}

// errUnread is for an image that goes on without the initrd that was offered to it.
var errUnread = errors.New("the image has not read the initrd; Linux before 5.7 looks for one on its own volume alone: -esp FOLDER and initrd=\\NAME")

// lost is errUnread if the image has exited boot services and it is so.
func (b *booted) lost() error {
	if b.handoff == nil || b.initrd == nil || b.initrd.read {
		return nil
	}
	return errUnread
}

func (b *booted) report() *report {
	return newReport(b.machine, b.handoff, b.err, b.engine, b.seconds)
}

// boot runs the image that the flags name, on the memory and with the tables of
// host if there is one. An error is one of before the boot, or of -o.
func (f *runFlags) boot(ctx context.Context, s streams, host *kexec.Host) (*booted, error) {
	src, err := openSource(f.image, f.esp, f.disk, f.managed())
	if err != nil {
		return nil, err
	}
	b := &booted{source: src}
	if err := f.bootFrom(ctx, s, host, b); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (f *runFlags) bootFrom(ctx context.Context, s streams, host *kexec.Host, b *booted) error {
	var picker auto.Picker
	cfg, err := f.config(b.source, &picker, isTerminal(s.in))
	if err != nil {
		return err
	}
	if f.measured {
		opts := f.tpm
		if b.source.gpt != nil {
			opts.GPT = b.source.gpt.EventData()
		}
		if b.tpm, err = tcg2.New(opts); err != nil {
			return err
		}
		cfg.Measurer = b.tpm
	}
	if host != nil {
		cfg = host.Config(cfg)
	}
	if f.trace {
		cfg.Trace = emu.TextTrace(s.err)
	}
	seen := coverage{}
	if f.coverage != "" {
		cfg.Coverage = seen.add
	}
	if b.machine, err = emu.Open(cfg); err != nil {
		return err
	}
	b.closers = append(b.closers, b.machine)
	if host != nil {
		if err := host.Prepare(b.machine); err != nil {
			return err
		}
	}
	volume, err := f.install(s, b, host)
	if err != nil {
		return err
	}
	if b.tpm != nil {
		if err := f.installTPM(b); err != nil {
			return err
		}
	}
	start := time.Now()
	if f.managed() {
		b.handoff, b.err = f.manage(ctx, s, b)
	} else {
		b.handoff, b.err = b.machine.Boot(ctx, b.source.image, emu.BootOptions{
			Device: volume, Path: b.source.path, LoadOptions: emu.LoadOptions(f.cmdline),
		})
	}
	b.seconds = time.Since(start).Seconds()
	if b.engine = f.engine; b.engine == "" {
		b.engine = picker.Name
		if len(picker.Why) > 0 && !f.json {
			fmt.Fprintf(s.err, "uefiexec: engine %s: %s\n", picker.Name, strings.Join(picker.Why, "; "))
		}
	}
	if f.trace {
		printMissing(s.err, b.machine.Missing())
	}
	if f.coverage != "" {
		if err := seen.write(f.coverage); err != nil {
			return err
		}
	}
	if b.screen != nil {
		if err := writeScreenshot(f.screenshot, b); err != nil {
			return err
		}
	}
	if b.handoff == nil {
		return nil
	}
	b.closers = append(b.closers, b.handoff)
	if f.output != "" {
		return writeHandoff(f.output, b.handoff)
	}
	return nil
}

// install composes the machine.
func (f *runFlags) install(s streams, b *booted, host *kexec.Host) (volume efi.Handle, err error) {
	src := b.source
	platform := protocols.Platform{
		In: s.in, Out: s.out, Volume: src.volume, Options: src.options, Disk: src.disk, WholeDisk: src.whole, SectorSize: src.sector,
		Overlay: f.writable, MakeDisk: !src.onDisk && (f.writable || f.esp != ""),
	}
	if host != nil {
		platform.FrameBuffer = (*protocols.FrameBuffer)(host.FrameBuffer)
	}
	if f.screenshot != "" {
		screen, err := protocols.NewScreen(b.machine, screenWidth, screenHeight)
		if err != nil {
			return 0, err
		}
		b.screen, platform.FrameBuffer = &screen, &screen
	}
	if f.json {
		platform.Out = s.err
	}
	if f.initrd != "" {
		initrd, err := os.Open(f.initrd)
		if err != nil {
			return 0, err
		}
		b.closers = append(b.closers, initrd)
		file, err := section(initrd)
		if err != nil {
			return 0, err
		}
		if file.Size() > 0 {
			b.initrd = &offered{file: file}
			platform.Initrd = io.NewSectionReader(b.initrd, 0, file.Size())
		}
	}
	return platform.Install(b.machine)
}

// installTPM gives the machine its TPM.
func (f *runFlags) installTPM(b *booted) error {
	if f.firmwareFirst {
		if err := b.tpm.Firmware(b.machine.Variables()); err != nil {
			return err
		}
	}
	return b.tpm.Install(b.machine)
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

		KeepKernel: f.keepKernel || f.output != "",
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
	if f.vars != "" {
		if cfg.Variables, err = readVariables(f.vars); err != nil {
			return cfg, err
		}
	}
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
	if src.image == nil {
		return volumeArch(src.volume), nil
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

// readVariables reads a file of variables.
func readVariables(name string) (*tables.Variables, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	vars := new(tables.Variables)
	if err := vars.UnmarshalJSON(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return vars, nil
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
