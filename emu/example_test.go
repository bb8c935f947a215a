// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// A machine runs an image up to ExitBootServices and hands over what it is then.
// The guest here is made of Go, so that the example runs anywhere; for real
// images, Engine is auto.New.
func Example() {
	const at = 0x100000 // where the guest wants its memory
	var p puppet.Puppet
	code := p.Func(func(th *puppet.Thread) uint64 {
		image, st := th.Arg(0), puppet.Load(th, efi.Ptr[efi.SystemTable](th.Arg(1)))
		boot, runtime := puppet.Load(th, st.BootServices), puppet.Load(th, st.RuntimeServices)

		address := efi.Ptr[efi.Addr](th.Local(8))
		puppet.Store(th, address, at)
		th.Call(boot.AllocatePages, uint64(efi.AllocateAddress), uint64(efi.LoaderData), 4, uint64(address))
		puppet.Store(th, efi.Ptr[uint64](at), 42)

		name, guid := th.Local(16), th.Local(16)
		if err := th.Memory().Write(name, efi.EncodeString("Answer")); err != nil {
			return uint64(efi.Aborted)
		}
		access := efi.VariableBootServiceAccess | efi.VariableRuntimeAccess
		th.Call(runtime.SetVariable, uint64(name), uint64(guid), uint64(access), 1, at)

		const room = 4096
		size, key, buffer := efi.Ptr[uint64](th.Local(8)), efi.Ptr[uint64](th.Local(8)), th.Local(room)
		puppet.Store(th, size, room)
		th.Call(boot.GetMemoryMap, uint64(size), uint64(buffer), uint64(key), 0, 0)
		return th.Call(boot.ExitBootServices, image, puppet.Load(th, key))
	})

	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: p.New})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	file := emutest.Image(cpu.AMD64, code[:])
	h, err := m.Boot(context.Background(), bytes.NewReader(file), emu.BootOptions{LoadOptions: emu.LoadOptions("quiet")})
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()

	fmt.Printf("command line: %s\n", h.CommandLine())
	for _, v := range h.Variables {
		fmt.Printf("variable %s: % x\n", v.Name, v.Data)
	}
	for _, r := range h.Runs() {
		if r.Contains(at) {
			fmt.Println("memory:", r)
		}
	}
	word, err := h.Read(at, 8)
	fmt.Println(word, err)
	// Output:
	// command line: quiet
	// variable Answer: 2a
	// memory: [0x100000, 0x104000)
	// [42 0 0 0 0 0 0 0] <nil>
}

// What does a program do when it gets no memory? Its second allocation fails.
func ExampleConfig_intercept() {
	var p puppet.Puppet
	code := p.Func(func(th *puppet.Thread) uint64 {
		st := puppet.Load(th, efi.Ptr[efi.SystemTable](th.Arg(1)))
		boot := puppet.Load(th, st.BootServices)
		buffer := th.Local(8)
		for {
			status := th.Call(boot.AllocatePool, uint64(efi.LoaderData), 100, uint64(buffer))
			if status != 0 {
				return status
			}
		}
	})

	allocations := 0
	m, err := emu.Open(emu.Config{
		Arch:   cpu.AMD64,
		Engine: p.New,
		Intercept: func(c *emu.Call) error {
			if c.Service() == "AllocatePool" {
				if allocations++; allocations == 2 {
					return efi.OutOfResources
				}
			}
			return nil
		},
		Trace: func(e *emu.TraceEvent) {
			if e.Kind == emu.TraceCall {
				fmt.Printf("%s = %s, note %q\n", e.Service, e.Status.String(), e.Note)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	_, err = m.Boot(context.Background(), bytes.NewReader(emutest.Image(cpu.AMD64, code[:])), emu.BootOptions{Name: "program"})
	var exit *emu.ExitError
	fmt.Println(errors.As(err, &exit), err)
	// Output:
	// AllocatePool = SUCCESS, note ""
	// AllocatePool = OUT_OF_RESOURCES, note "injected"
	// true emu: program exited with OUT_OF_RESOURCES
}
