// SPDX-License-Identifier: BSD-3-Clause

// Command loader runs an EFI image until it exits boot services and says what it
// has left behind: the shortest use of the library.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/auto"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/protocols"
)

func main() {
	image, err := os.Open(os.Args[1])
	check(err)
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: auto.New})
	check(err)
	defer m.Close()
	volume, err := protocols.Platform{Out: os.Stdout, Volume: os.DirFS(".")}.Install(m)
	check(err)
	handoff, err := m.Boot(context.Background(), image, emu.BootOptions{
		Device: volume, Path: efi.DevicePath{efi.FilePath(os.Args[1])},
	})
	check(err)
	defer handoff.Close()
	fmt.Printf("%d KiB in %v, to go on at %#x\n", handoff.Touched()>>10, handoff.Runs(), handoff.Regs.PC)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
