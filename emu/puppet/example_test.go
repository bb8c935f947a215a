// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// A guest function calls a service with six arguments and gets a result back
// through a local variable on its stack. The loop at the end is what a machine
// does for any engine.
func Example() {
	const (
		stackTop, gates = 0x180000, 0x1f0000
		finish, add     = gates, gates + cpu.GateSize // two gates
	)
	var p puppet.Puppet
	code := p.Func(func(th *puppet.Thread) uint64 {
		sum := efi.Ptr[uint64](th.Local(8))
		status := th.Call(add, th.Arg(0), 2, 3, 4, 5, uint64(sum))
		fmt.Println("guest: status", status, "sum", puppet.Load(th, sum))
		return status
	})

	m, err := mem.New(efi.Range{Start: 0x100000, End: 0x200000})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	const entry = 0x101000 // in an image, this is where its section is loaded
	if err := m.Write(entry, code[:]); err != nil {
		log.Fatal(err)
	}
	eng, err := p.New(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: efi.Range{Start: gates, End: gates + efi.PageSize}})
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close()

	var r cpu.Regs
	r.GP[cpu.RSP] = stackTop
	abi := cpu.AMD64.ABI()
	if err := abi.Call(m, &r, entry, finish, 1); err != nil {
		log.Fatal(err)
	}
	for {
		x, err := eng.Run(context.Background(), &r, cpu.Stop{})
		if err != nil {
			log.Fatal(err)
		}
		if r.PC != add {
			fmt.Printf("machine: %v, result %d\n", x.Kind, r.GP[abi.Result])
			return
		}
		var args [6]uint64
		var sum uint64
		for i := range args {
			if args[i], err = abi.Arg(m, &r, i); err != nil {
				log.Fatal(err)
			}
			if i < 5 {
				sum += args[i]
			}
		}
		if err := mem.Store(m, efi.Ptr[uint64](args[5]), sum); err != nil {
			log.Fatal(err)
		}
		if err := abi.Return(m, &r, 0); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// guest: status 0 sum 15
	// machine: gate, result 0
}
