// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

func TestServiceArguments(t *testing.T) {
	for n := range 14 {
		eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
			var got []uint64
			m.services[3] = func(arg func(int) uint64) uint64 {
				for i := range n {
					got = append(got, arg(i))
				}
				return 0x1234
			}
			var want []uint64
			for i := range n {
				want = append(want, 0x8000_0000_0000_0000+uint64(i))
			}
			fn := m.add(t, p, func(th *puppet.Thread) uint64 { return th.Call(efi.Addr(gate(3)), want...) + 1 })
			if r := m.call(t, fn); r != 0x1235 {
				t.Errorf("result %#x", r)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d arguments arrived as %#x", n, got)
			}
		})
	}
}

func TestFunctionArguments(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			sum := uint64(0)
			for i := range 12 {
				sum = sum*10 + th.Arg(i)
			}
			return sum
		})
		digits := []uint64{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2}
		if r := m.call(t, fn, digits...); r != 987654321012 {
			t.Errorf("from the machine: %d", r)
		}
		outer := m.add(t, p, func(th *puppet.Thread) uint64 { return th.Call(fn, digits...) })
		if r := m.call(t, outer); r != 987654321012 {
			t.Errorf("from a function: %d", r)
		}
	})
}

func TestPlace(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		for _, at := range []efi.Addr{ram, code + 3, 0xffff_0000_0000_0000} {
			p.Place(at, func(th *puppet.Thread) uint64 { return uint64(th.Addr()) + th.Arg(0) })
			if r := m.call(t, at, 1); r != uint64(at)+1 {
				t.Errorf("%v: result %#x", at, r)
			}
		}
	})
}

func TestCodeAtSeveralAddresses(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		f := p.Func(func(th *puppet.Thread) uint64 { return uint64(th.Addr()) })
		for _, at := range []efi.Addr{code + 1, code + 0x100, ramEnd - puppet.CodeSize} {
			if err := m.mem.Write(at, f[:]); err != nil {
				t.Fatal(err)
			}
			if r := m.call(t, at); r != uint64(at) {
				t.Errorf("%v: result %#x", at, r)
			}
		}
	})
}

// A service calls back into the guest before it returns, as StartImage does.
func TestServiceThatCallsTheGuest(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(arg func(int) uint64) uint64 { return 2 * arg(0) }
		m.services[2] = func(arg func(int) uint64) uint64 {
			saved := m.regs
			r := m.call(t, efi.Addr(arg(0)), arg(1))
			m.regs = saved
			return r
		}
		double := m.add(t, p, func(th *puppet.Thread) uint64 { return th.Call(efi.Addr(gate(1)), th.Arg(0)) })
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			sum := uint64(0)
			for i := range uint64(10) {
				sum += th.Call(efi.Addr(gate(2)), uint64(double), i)
			}
			return sum
		})
		if r := m.call(t, fn); r != 90 {
			t.Errorf("result %d", r)
		}
	})
}

func TestDeepRecursion(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		sp := m.regs.GP[m.abi.Stack]
		m.services[1] = func(arg func(int) uint64) uint64 { return arg(5) }
		p.Place(code, func(th *puppet.Thread) uint64 {
			n := th.Arg(0)
			if n == 0 {
				return 0
			}
			return th.Call(efi.Addr(gate(1)), 0, 0, 0, 0, 0, th.Call(th.Addr(), n-1)+1)
		})
		if r := m.call(t, code, 5000); r != 5000 {
			t.Errorf("result %d", r)
		}
		if got := m.regs.GP[m.abi.Stack]; sp-got >= 256 {
			t.Errorf("stack pointer went from %#x to %#x", sp, got)
		}
	})
}

func TestStackOverflow(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		bottom := stackTop - 0x4000
		if err := m.mem.Protect(efi.Range{Start: bottom - 0x1000, End: bottom}, 0); err != nil {
			t.Fatal(err)
		}
		depth := 0
		p.Place(code, func(th *puppet.Thread) uint64 {
			depth++
			return th.Call(th.Addr())
		})
		m.enter(t, code)
		x, err := m.run(t.Context(), cpu.Stop{})
		if err != nil || x.Kind != cpu.Fault || x.Cause != cpu.StackOverflow || x.Access != mem.Writable {
			t.Fatalf("Run: %+v, %v", x, err)
		}
		if x.Addr < bottom-0x1000 || x.Addr >= bottom || m.regs.PC != uint64(code)+puppet.CodeSize/2 {
			t.Errorf("fault at pc %#x of address %v", m.regs.PC, x.Addr)
		}
		if depth < 50 {
			t.Errorf("overflow at depth %d", depth)
		}
	})
}

func TestLocal(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(arg func(int) uint64) uint64 {
			old, err := mem.Load(m.mem, efi.Ptr[uint64](arg(0)))
			if err != nil {
				t.Error(err)
			}
			if err := mem.Store(m.mem, efi.Ptr[uint64](arg(0)), old+5); err != nil {
				t.Error(err)
			}
			return 0
		}
		dirty := m.add(t, p, func(th *puppet.Thread) uint64 { // leaves junk on the stack
			return th.Call(efi.Addr(gate(1)), uint64(th.Local(8)), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		})
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			th.Call(dirty)
			a, b := efi.Ptr[uint64](th.Local(8)), efi.Ptr[uint64](th.Local(100))
			th.Call(efi.Addr(gate(1)), uint64(b))
			th.Call(efi.Addr(gate(1)), uint64(a))
			th.Call(efi.Addr(gate(1)), uint64(a))
			if a%16 != 0 || b%16 != 0 || a-b < 100 {
				t.Errorf("Local gave %v and %v", a, b)
			}
			if err := mem.Store(th.Memory(), b+8, 7); err != nil || th.Arch() != m.arch {
				t.Errorf("Store: %v; architecture %v", err, th.Arch())
			}
			return puppet.Load(th, a)*100 + puppet.Load(th, b)*10 + puppet.Load(th, b+8)
		})
		if r := m.call(t, fn); r != 1057 {
			t.Errorf("result %d", r)
		}
	})
}
