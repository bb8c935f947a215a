// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/auto"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/protocols"
)

// Kexec has a Loader that will do for most: its Load. The zero value shows
// nothing of what an entry's program prints, and gives it no keys.
type Kexec struct {
	In      io.Reader // keys for the program, see protocols.Console; nil has none
	Out     io.Writer // what it prints; nil discards
	Options kexec.Options
}

// Load runs an entry's program on the memory and with the firmware tables of
// this machine, and hands what it leaves to the running kernel. The program
// finds the entry's volume as the one it was loaded from.
//
// A program that does not exit boot services is an error of emu.Machine.Boot. An
// error that is kexec.ErrRefused is a matter of the running kernel's policy; the
// others are as those of kexec.Load. In each case the system is as it was.
//
// The next kernel sees the EFI variables that the program has set, not the
// firmware's, and what it changes there does not reach the firmware.
func (k Kexec) Load(e Entry) error {
	host, err := kexec.ReadHost(os.DirFS("/"))
	if err != nil {
		return err
	}
	handoff, err := k.run(e, host)
	if err != nil {
		return err
	}
	defer handoff.Close()
	_, err = kexec.Load(host, handoff, k.Options)
	return err
}

// run takes an entry's program to the end of boot services.
func (k Kexec) run(e Entry, host *kexec.Host) (*emu.Handoff, error) {
	file, err := e.Volume.FS.Open(e.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	image, ok := file.(io.ReaderAt)
	if !ok {
		return nil, fmt.Errorf("%s: %w", e.Volume.name(e.Path), ErrReadAt)
	}
	arch, err := guest(hostMachine())
	if err != nil {
		return nil, err
	}
	cfg := emu.Config{Arch: arch, Engine: auto.New}
	if k.In == nil {
		cfg.Clock = emu.VirtualClock(time.Now()) // nobody types: nothing is worth waiting for
	}
	m, err := emu.Open(host.Config(cfg))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := host.Prepare(m); err != nil {
		return nil, err
	}
	volume, err := protocols.Platform{In: k.In, Out: k.Out, Volume: e.Volume.FS, MakeDisk: e.Volume.FS != nil, FrameBuffer: (*protocols.FrameBuffer)(host.FrameBuffer)}.Install(m)
	if err != nil {
		return nil, err
	}
	return m.Boot(context.Background(), image, emu.BootOptions{
		Device: volume, Path: efi.DevicePath{efi.FilePath(e.FilePath())}, LoadOptions: emu.LoadOptions(e.LoadOptions()),
	})
}

// guest is the architecture of the processor that runs programs for a machine.
func guest(m pecoff.Machine) (cpu.Arch, error) {
	switch m {
	case pecoff.AMD64:
		return cpu.AMD64, nil
	case pecoff.ARM64:
		return cpu.ARM64, nil
	}
	return 0, fmt.Errorf("programs for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
}
