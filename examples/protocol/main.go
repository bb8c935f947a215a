// SPDX-License-Identifier: BSD-3-Clause

// Command protocol gives an EFI image a protocol of its own making: here a random
// number generator that always returns 4. A protocol is a table of rows, one for
// each slot; a row is the prototype of its service.
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

// dice is what stands behind the interface.
type dice struct{ rolled uint64 }

var diceProtocol = emu.Protocol{
	GUID: efi.RNGProtocolGUID,
	Name: "Dice",
	Services: []emu.Service{
		emu.Unserved("GetInfo", "dice have no algorithms", "this", "&size", "list"),
		emu.Func4("GetRNG", roll, "this", "algorithm", "length", "value"),
	},
}

func roll(c *emu.Call, this efi.Addr, _ efi.Ptr[efi.GUID], n uint64, out efi.Addr) error {
	d, err := emu.This[*dice](c, this)
	if err != nil {
		return err
	}
	view, err := c.Memory().Edit(out, n)
	for i := range view {
		view[i] = 4 // chosen by fair dice roll
	}
	d.rolled += uint64(len(view))
	return err
}

func main() {
	image, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: auto.New})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	var d dice
	if _, err := m.Install(0, emu.Interface{Protocol: &diceProtocol, Value: &d}); err != nil {
		log.Fatal(err)
	}
	if _, err := (protocols.Platform{Out: os.Stdout}).Install(m); err != nil {
		log.Fatal(err)
	}
	_, err = m.Boot(context.Background(), image, emu.BootOptions{})
	fmt.Printf("rolled %d times, ended with: %v\n", d.rolled, err)
}
