// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/emu/kexec/tpm"
)

// loadFlags are the flags of load.
type loadFlags struct {
	*runFlags

	reuse, firmware, crash bool
	console, backend       string
	tpmUse, pcrs           string
	explained              []tpm.Explained
	opts                   kexec.Options
}

func parseLoad(args []string, s streams) (*loadFlags, error) {
	f := &loadFlags{runFlags: newRunFlags("load", s)}
	f.BoolVar(&f.opts.Verify, "verify", false, "have the trampoline compare all that is loaded with its SHA-256 before it jumps")
	f.StringVar(&f.console, "console", "", "`CONSOLE` for the trampoline's message: ttyS0 to ttyS3, or the number of an I/O port")
	f.BoolVar(&f.reuse, "reuse-cmdline", false, "put the running kernel's command line before the load options")
	f.BoolVar(&f.firmware, "firmware-runtime", false, "give the next boot this firmware's own runtime services; the running kernel must have been booted with efi=noruntime")
	f.BoolVar(&f.crash, "p", false, "load for a panic of the running kernel, into the memory that crashkernel= has set aside; implies -verify")
	f.StringVar(&f.backend, "backend", backendKexec, "`BACKEND`, kexec: the frozen machine; file: its signed kernel, initrd and command line alone, where the running kernel refuses the other")
	f.StringVar(&f.tpmUse, "tpm", tpmAuto, "`USE` of this machine's TPM: extend: the image finds one, and exec extends what it has measured; view: the same, but nothing is extended; off: it finds none; auto: extend where the kernel shows an event log, else off")
	f.StringVar(&f.pcrs, "pcrs", "real", "`VALUES` that the image's view of the TPM starts with: real or zero")
	err := f.parse(args)
	if err == nil {
		f.opts.Console, err = parseConsole(f.console)
	}
	if err == nil {
		err = checkBackend(f.backend, f.crash, f.opts)
	}
	switch {
	case err != nil:
		return nil, err
	case f.image == "" && (f.crash || !f.managed()):
		return nil, usagef("load takes an IMAGE, or without -p an -esp to find one on")
	case f.tpmUse != tpmAuto && f.tpmUse != tpmExtend && f.tpmUse != tpmView && f.tpmUse != tpmOff:
		return nil, usagef("-tpm %s: want extend, view, off or auto", f.tpmUse)
	case f.pcrs != "real" && f.pcrs != "zero":
		return nil, usagef("-pcrs %s: want real or zero", f.pcrs)
	case (f.tpmUse == tpmExtend || f.tpmUse == tpmView) && (f.crash || f.backend != backendKexec):
		return nil, usagef("-tpm %s goes with -backend %s, and not with -p: a crash kernel never extends", f.tpmUse, backendKexec)
	case f.firmware && (f.crash || f.backend != backendKexec):
		return nil, usagef("-firmware-runtime goes with -backend %s, and not with -p", backendKexec)
	}
	f.keepKernel = f.backend == backendFile
	return f, nil
}

// load is the command of that name.
func load(ctx context.Context, args []string, s streams) error {
	f, err := parseLoad(args, s)
	if err != nil {
		return err
	}
	if f.reuse {
		running, err := os.ReadFile("/proc/cmdline")
		if err != nil {
			return err
		}
		f.cmdline = strings.TrimSpace(strings.TrimSpace(string(running)) + " " + f.cmdline)
	}
	host, err := kexec.ReadHost(os.DirFS("/"))
	if err != nil {
		return err
	}
	if f.firmware {
		if err := host.UseFirmware(os.DirFS("/")); err != nil {
			return err
		}
	}
	if f.crash {
		return f.loadCrash(ctx, s, host)
	}
	measured, err := f.readMeasured(s, host)
	if err != nil {
		return err
	}
	if f.measured = measured; measured {
		f.tpm.Tag, f.tpm.Banks = tpm.Tag, host.EventLog.Algorithms()
		if f.pcrs == "real" {
			f.tpm.Log = host.EventLog
		}
	}
	if f.backend == backendKexec {
		if err := host.ReadIMA(os.DirFS("/")); err != nil {
			return err
		}
	}
	handoff, closeAll, err := f.frozen(ctx, s, host)
	if err != nil {
		return err
	}
	defer closeAll()
	if f.backend == backendFile {
		return loadFile(s, host, handoff)
	}
	var done kexec.Loaded
	if measured && len(handoff.Measurements) > 0 {
		done, err = f.loadMeasured(s, host, handoff)
	} else if err = dropState(); err == nil {
		if done, err = kexec.Load(host, handoff, f.opts); err == nil {
			err = f.leave(s, handoff, false)
		}
	}
	if err != nil {
		return adviseFile(host, err)
	}
	if _, list := kexec.IMABuffer(handoff); host.IMARoom > 0 && !list {
		fmt.Fprintln(s.err, "uefiexec: the image has brought a device tree of its own: IMA's list ends with this kernel")
	}
	what := "; the next boot sees a copy of the variables, and what it changes there does not reach the firmware"
	if f.firmware {
		what = "; the next boot has the firmware's own variables"
	}
	printLoaded(s, done, what)
	return nil
}

func printLoaded(s streams, done kexec.Loaded, what string) {
	fmt.Fprintf(s.err, "uefiexec: loaded %.1f MiB in %d segments%s\n", float64(done.Bytes)/(1<<20), done.Segments, what)
}

// loadCrash is load -p. The load options name the ELF core header; a UKI gets its
// own command line with it, unless others are given.
func (f *loadFlags) loadCrash(ctx context.Context, s streams, host *kexec.Host) error {
	crash, err := host.Crash(os.DirFS("/"))
	if err != nil {
		return err
	}
	src, err := openSource(f.image, f.esp, "", false)
	if err != nil {
		return err
	}
	f.cmdline, err = crash.LoadOptions(src.image, src.image.Size(), f.cmdline)
	src.close()
	if err != nil {
		return err
	}
	handoff, closeAll, err := f.frozen(ctx, s, crash.Host)
	if errors.Is(err, efi.OutOfResources) {
		return fmt.Errorf("%w: the running kernel has set aside %d MiB, by crashkernel=", err, crash.Region.Size()>>20)
	}
	if err != nil {
		return err
	}
	defer closeAll()
	done, err := kexec.LoadCrash(crash, handoff, f.opts)
	if err != nil {
		return err
	}
	printLoaded(s, done, ", for a panic")
	return nil
}

// errNothingLeft is for an image that came to its end, well or not, without
// ExitBootServices.
var errNothingLeft = errors.New("there is nothing to load")

// frozen runs the image, or reads the frozen machine that it is.
func (f *runFlags) frozen(ctx context.Context, s streams, host *kexec.Host) (*emu.Handoff, func(), error) {
	if h, err := readHandoff(f.image); h != nil || err != nil {
		return h, func() {}, err
	}
	watched, stop := kexec.Watch(ctx, os.DirFS("/"))
	defer stop()
	b, err := f.boot(watched, s, host)
	if err != nil {
		return nil, nil, err
	}
	if cause := context.Cause(watched); b.err != nil && errors.Is(cause, kexec.ErrMemory) {
		b.err = cause
	}
	if b.err == nil {
		b.err = b.lost()
	}
	var exit *emu.ExitError
	switch {
	case errors.As(b.err, &exit):
		b.close()
		return nil, nil, fmt.Errorf("%v: %w", exit, errNothingLeft)
	case b.err != nil:
		b.close()
		return nil, nil, b.err
	}
	fmt.Fprintf(s.err, "uefiexec: %s\n", b.report().line(b.source.name))
	return b.handoff, b.close, nil
}

// readHandoff reads a file that -o has written, nil if it is none.
func readHandoff(name string) (*emu.Handoff, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil // the image may lie on the -esp
	}
	defer file.Close()
	magic := make([]byte, 4)
	if _, err := file.ReadAt(magic, 0); err != nil || !bytes.Equal(magic, []byte("\x7fELF")) {
		return nil, nil
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return emu.ReadHandoff(file, info.Size())
}

// execute is the command exec.
func execute(ctx context.Context, args []string, s streams) error {
	flags := newFlags("exec", "", s)
	force := flags.Bool("f", false, "at once, without stopping anything")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return usagef("exec takes no arguments")
	}
	if loaded, err := os.ReadFile("/sys/kernel/kexec_loaded"); err == nil && strings.TrimSpace(string(loaded)) != "1" {
		return errors.New("nothing is loaded")
	}
	st, handoff, err := readState()
	if err != nil {
		return err
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil && !*force {
		if err := beforeShutdown(ctx, s, st, handoff); err != nil {
			return err
		}
		cmd := exec.Command("systemctl", "kexec")
		cmd.Stdout, cmd.Stderr = s.out, s.err
		return cmd.Run()
	}
	if st != nil {
		if err := commit(ctx, s, st, handoff); err != nil {
			return err
		}
	}
	return kexec.Exec()
}

// beforeShutdown sees to what an orderly shutdown would leave out, without a
// program at its end that does it.
func beforeShutdown(ctx context.Context, s streams, st *state, handoff *emu.Handoff) error {
	if _, err := os.Stat(shutdownHook); err == nil || st == nil {
		return nil
	}
	if st.Measured {
		return fmt.Errorf("what is loaded is to be measured at the end of the shutdown, and there is no %s that would: see docs/KEXEC.md, or use -f", shutdownHook)
	}
	fmt.Fprintf(s.err, "uefiexec: IMA's list is taken now, without what the shutdown adds to it, as there is no %s\n", shutdownHook)
	return commit(ctx, s, st, handoff)
}
