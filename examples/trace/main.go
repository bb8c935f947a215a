// SPDX-License-Identifier: BSD-3-Clause

// Command trace counts the services that an EFI image calls. A trace is a
// function that is given typed events; emu.TextTrace makes one that prints.
package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/auto"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/protocols"
)

func main() {
	image, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	calls := map[string]int{}
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: auto.New, Trace: func(e *emu.TraceEvent) {
		if e.Kind == emu.TraceCall {
			calls[fmt.Sprintf("%s.%s = %s", e.Protocol, e.Service, e.Status.String())]++
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := (protocols.Platform{}).Install(m); err != nil {
		log.Fatal(err)
	}
	_, err = m.Boot(context.Background(), image, emu.BootOptions{})
	for _, call := range slices.Sorted(maps.Keys(calls)) {
		fmt.Printf("%4d %s\n", calls[call], call)
	}
	fmt.Println("ended with:", err)
}
