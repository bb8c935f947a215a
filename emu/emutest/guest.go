// SPDX-License-Identifier: BSD-3-Clause

package emutest

import (
	"bytes"
	"context"
	"reflect"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// Guest is a guest made of a Go function: it calls services as an image does, by
// the addresses in the tables, with arguments in registers and on the stack and
// pointers into guest memory. The methods of puppet.Thread are its own.
type Guest struct {
	*puppet.Thread
	T       testing.TB
	Machine *emu.Machine
	Image   efi.Handle
	System  efi.Ptr[efi.SystemTable]

	puppet *puppet.Puppet
}

// Go boots a machine whose image is f. What is 0 in cfg is chosen here, the
// engine always; setup, if not nil, composes the machine. It returns what Boot
// does; f's result is the image's status.
func Go(t testing.TB, cfg emu.Config, setup func(*emu.Machine), f func(*Guest) efi.Status) (*emu.Handoff, error) {
	t.Helper()
	var p puppet.Puppet
	if cfg.Arch == 0 {
		cfg.Arch = cpu.AMD64
	}
	if cfg.MemoryMap == nil {
		cfg.MemoryMap = emu.Layout(cfg.Arch, 64<<20)
	}
	cfg.Engine = p.New
	m, err := emu.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	placeResident(&p, m)
	if setup != nil {
		setup(m)
	}
	code := p.Func(func(th *puppet.Thread) uint64 {
		g := &Guest{Thread: th, T: t, Machine: m, puppet: &p}
		g.Image, g.System = efi.Handle(th.Arg(0)), efi.Ptr[efi.SystemTable](th.Arg(1))
		return uint64(f(g))
	})
	return m.Boot(context.Background(), bytes.NewReader(Image(cfg.Arch, code[:])), emu.BootOptions{Name: "guest"})
}

// Image is a small EFI application whose entry point is at the start of code.
func Image(arch cpu.Arch, code []byte) []byte {
	machine := pecoff.AMD64
	if arch == cpu.ARM64 {
		machine = pecoff.ARM64
	}
	return petest.Image{
		Machine: machine, Subsystem: pecoff.Application, Entry: 0x1000,
		Sections: []petest.Section{{Name: ".text", VirtualAddress: 0x1000, Data: code}},
	}.Bytes()
}

// Func makes a Go function something that the guest can hand out the address of:
// a notification function, a protocol's service.
func (g *Guest) Func(f func(*Guest) uint64) efi.Addr {
	g.T.Helper()
	at, err := g.Machine.AllocatePool(efi.LoaderCode, puppet.CodeSize)
	if err != nil {
		g.T.Fatal(err)
	}
	code := g.puppet.Func(func(th *puppet.Thread) uint64 {
		inner := *g
		inner.Thread = th
		return f(&inner)
	})
	if err := g.Memory().Write(at, code[:]); err != nil {
		g.T.Fatal(err)
	}
	return at
}

// Boot calls a boot service by its name.
func (g *Guest) Boot(service string, args ...any) efi.Status {
	g.T.Helper()
	st := puppet.Load(g.Thread, g.System)
	return efi.Status(g.call(st.BootServices.Addr()+offset[efi.BootServices](g.T, service), args))
}

// Runtime calls a runtime service by its name.
func (g *Guest) Runtime(service string, args ...any) efi.Status {
	g.T.Helper()
	st := puppet.Load(g.Thread, g.System)
	return efi.Status(g.call(st.RuntimeServices.Addr()+offset[efi.RuntimeServices](g.T, service), args))
}

// Method calls the function in the 8-byte slot i of an interface structure, with
// the structure's address as its first argument.
func (g *Guest) Method(this efi.Addr, i int, args ...any) efi.Status {
	g.T.Helper()
	return efi.Status(g.call(this+efi.Addr(8*i), append([]any{this}, args...)))
}

// call calls the function whose address lies at slot.
func (g *Guest) call(slot efi.Addr, args []any) uint64 {
	raw := make([]uint64, len(args))
	for i, a := range args {
		switch v := reflect.ValueOf(a); {
		case v.CanUint():
			raw[i] = v.Uint()
		case v.CanInt():
			raw[i] = uint64(v.Int())
		default:
			g.T.Fatalf("argument %d is a %T, no integer", i, a)
		}
	}
	fn := puppet.Load(g.Thread, efi.Ptr[efi.Addr](slot))
	return g.Call(fn, raw...)
}

// offset is where a service's slot lies in a table.
func offset[T any](t testing.TB, service string) efi.Addr {
	t.Helper()
	field, ok := reflect.TypeFor[T]().FieldByName(service)
	if !ok {
		t.Fatalf("%v has no service %s", reflect.TypeFor[T](), service)
	}
	return efi.Addr(field.Offset)
}

// Protocol finds a protocol on a handle, by HandleProtocol.
func (g *Guest) Protocol(h efi.Handle, guid efi.GUID) (efi.Addr, efi.Status) {
	out := g.Local(8)
	status := g.Boot("HandleProtocol", h, g.GUID(guid), out)
	return puppet.Load(g.Thread, efi.Ptr[efi.Addr](out)), status
}

// Bytes puts data on the guest's stack and returns where.
func (g *Guest) Bytes(data []byte) efi.Addr {
	at := g.Local(max(uint64(len(data)), 1))
	if err := g.Memory().Write(at, data); err != nil {
		g.T.Fatal(err)
	}
	return at
}

// GUID puts a GUID on the guest's stack.
func (g *Guest) GUID(guid efi.GUID) efi.Ptr[efi.GUID] {
	b := guid.Bytes()
	return efi.Ptr[efi.GUID](g.Bytes(b[:]))
}

// Text puts a string on the guest's stack, as UTF-16 with a NUL.
func (g *Guest) Text(s string) efi.Ptr[efi.Char16] {
	return efi.Ptr[efi.Char16](g.Bytes(efi.EncodeString(s)))
}

// placeResident gives the puppet, which has no processor to run it, Go in the
// place of the guest code that CopyMem and SetMem point at.
func placeResident(p *puppet.Puppet, m *emu.Machine) {
	st, err := mem.Load(m.Memory(), m.SystemTable())
	if err != nil {
		return
	}
	boot, err := mem.Load(m.Memory(), st.BootServices)
	if err != nil {
		return
	}
	p.Place(boot.CopyMem, func(th *puppet.Thread) uint64 {
		src, err := th.Memory().Read(efi.Addr(th.Arg(1)), th.Arg(2))
		if err != nil {
			th.Fault(efi.Addr(th.Arg(1)), mem.Readable)
		}
		if err := th.Memory().Write(efi.Addr(th.Arg(0)), bytes.Clone(src)); err != nil {
			th.Fault(efi.Addr(th.Arg(0)), mem.Writable)
		}
		return 0
	})
	p.Place(boot.SetMem, func(th *puppet.Thread) uint64 {
		view, err := th.Memory().Edit(efi.Addr(th.Arg(0)), th.Arg(1))
		if err != nil {
			th.Fault(efi.Addr(th.Arg(0)), mem.Writable)
		}
		for i := range view {
			view[i] = byte(th.Arg(2))
		}
		return 0
	})
}
