// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"errors"
	"fmt"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/kexec"
)

// The values of -backend.
const (
	backendKexec = "kexec"
	backendFile  = "file"
)

// checkBackend looks for flags that do not go with a backend.
func checkBackend(name string, crash bool, opts kexec.Options) error {
	switch {
	case name != backendKexec && name != backendFile:
		return usagef("-backend %s: want %s or %s", name, backendKexec, backendFile)
	case name == backendFile && (crash || opts != kexec.Options{}):
		return usagef("-p, -verify and -console are for -backend %s", backendKexec)
	}
	return nil
}

// loadFile is load -backend file.
func loadFile(s streams, host *kexec.Host, handoff *emu.Handoff) error {
	done, err := kexec.LoadFile(host, handoff)
	if err != nil {
		return err
	}
	initrd := "no initrd"
	if done.Initrd > 0 {
		initrd = fmt.Sprintf("an initrd of %.1f MiB", float64(done.Initrd)/(1<<20))
	}
	fmt.Fprintf(s.err, "uefiexec: loaded the payload's own kernel (%.1f MiB) and %s; the next boot sees nothing of the EFI variables, configuration tables and measurements of the run, and has EFI only if this one has\n",
		float64(done.Kernel)/(1<<20), initrd)
	return nil
}

// adviseFile names the other backend where it may help: it is never chosen
// silently, as less reaches the next boot.
func adviseFile(host *kexec.Host, err error) error {
	if errors.Is(err, kexec.ErrRefused) && host.FileMayDo() {
		return fmt.Errorf("%w; -backend %s loads the payload's signed kernel, initrd and command line in that way", err, backendFile)
	}
	return err
}
