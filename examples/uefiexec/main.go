// SPDX-License-Identifier: BSD-3-Clause

// Command uefiexec runs UEFI images in user space.
//
//	uefiexec run [flags] [IMAGE [LOADOPTIONS...]]
//	uefiexec measure [flags] [IMAGE [LOADOPTIONS...]]
//	uefiexec load [flags] [IMAGE [LOADOPTIONS...]]
//	uefiexec exec [-f]
//	uefiexec inspect [flags] IMAGE
//
// Run takes an image to the point where it exits boot services, returns, faults
// or meets a limit; without an IMAGE it boots what firmware would find by BootNext,
// BootOrder or on the volume that -esp names, or without that runs a small
// demonstration. Measure and load find an image in the same way. Inspect
// prints what an image is made of. Nothing of this machine is given to an image
// that is run or inspected unless a flag names it, and nothing of it is changed.
//
// Measure runs an image with a TPM that is none and prints the event log and the
// PCRs that a boot by firmware would lead to: the same on any machine. What depends
// on random numbers is found by a second run, and marked.
//
// Load and exec are as kexec -l and kexec -e. Load runs the image on the memory
// map and with the firmware tables of this machine and loads what it leaves
// behind; nothing outside has changed until exec. With -p it is for a panic, with
// -backend file the kernel is given what it can check itself. Under a service manager exec
// asks for an orderly shutdown into what was loaded, with -f it goes at once.
//
// The exit code is 0 when all went as the image wanted, 1 when the image gave up
// or cannot be loaded (its status is printed), 2 for a mistake on the command
// line, 3 when policy refuses the image or the
// running kernel refuses to load it, 4 for a fault or a limit, 5 when the
// host failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
)

// The exit codes.
const (
	exitDone = iota
	exitGaveUp
	exitUsage
	exitRefused
	exitFault
	exitHost
)

// streams are what a command talks through.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

type command struct {
	name, args, about string
	run               func(ctx context.Context, args []string, s streams) error
}

var commands = []command{
	{"run", "[IMAGE [LOADOPTIONS...]]", "run an image until it exits boot services", run},
	{"measure", "[IMAGE [LOADOPTIONS...]]", "print what would be measured if firmware booted an image", measure},
	{"load", "[IMAGE [LOADOPTIONS...]]", "run an image on this machine's memory and load what it leaves for kexec", load},
	{"exec", "", "leave the running kernel for what was loaded", execute},
	{"inspect", "IMAGE", "print what an image is made of", inspect},
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := invoke(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	cancel()
	os.Exit(code)
}

// invoke runs a command line and returns its exit code.
func invoke(ctx context.Context, args []string, s streams) int {
	err := dispatch(ctx, args, s)
	if err != nil && !errors.Is(err, flag.ErrHelp) && !errors.Is(err, errReported) {
		fmt.Fprintf(s.err, "uefiexec: %v\n", err)
	}
	return exitCode(err)
}

func dispatch(ctx context.Context, args []string, s streams) error {
	if len(args) > 0 {
		for _, c := range commands {
			if c.name == args[0] {
				return c.run(ctx, args[1:], s)
			}
		}
	}
	fmt.Fprintln(s.err, "usage:")
	for _, c := range commands {
		fmt.Fprintf(s.err, "  uefiexec %-8s [flags] %-26s %s\n", c.name, c.args, c.about)
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		return flag.ErrHelp
	}
	return usagef("no command %q", args[0])
}

// exitCode is the one table from errors to exit codes.
func exitCode(err error) int {
	var usage usageError
	var exit *emu.ExitError
	var reset *emu.ResetError
	var fault *emu.FaultError
	var limit *emu.LimitError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &exit):
		if exit.Status.IsError() {
			return exitGaveUp
		}
		return exitDone
	case errors.As(err, &fault), errors.As(err, &limit):
		return exitFault
	case errors.Is(err, kexec.ErrRefused), errors.Is(err, efi.SecurityViolation), errors.Is(err, efi.AccessDenied):
		return exitRefused
	case errors.As(err, &reset), errors.As(err, new(efi.Status)), errors.Is(err, emu.ErrNoKernel), errors.Is(err, errNothingLeft), errors.Is(err, errUnread):
		return exitGaveUp
	}
	return exitHost
}

// newFlags makes the flag set of a command.
func newFlags(name, args string, s streams) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(s.err)
	flags.Usage = func() {
		fmt.Fprintf(s.err, "usage: uefiexec %s [flags] %s\n", name, args)
		flags.PrintDefaults()
	}
	return flags
}

// parse makes the flag package's errors, which it has printed, usage errors.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return fmt.Errorf("%w%w", usageError{err}, errReported)
}

// errReported marks an error that the user has seen already.
var errReported = errors.New("")
