// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// Each row is a mistake of a machine, made at the end of a service, and what Run
// has to say of it.
func TestMachineIsChecked(t *testing.T) {
	type row struct {
		name    string
		mistake func(m *machine)
		want    string
	}
	rows := []row{
		{"none", func(*machine) {}, ""},
		{"flags", func(m *machine) { m.regs.Flags ^= 1 }, ""},
		{"base", func(m *machine) { m.regs.Base[1] = 5 }, "base register 1"},
		{"frame", func(m *machine) {
			// What lies right above the stack of a call with 3 arguments.
			at := m.regs.GP[m.abi.Stack] + max(m.abi.StackArgs, 8) - 8
			if err := mem.Store(m.mem, efi.Ptr[uint64](at), 0); err != nil {
				panic(err)
			}
		}, "wrote over its caller's stack"},
	}
	for _, arch := range arches {
		rows := rows
		for i := range arch.NumGP() {
			r := row{arch.RegName(i), func(m *machine) { m.regs.GP[i] += 16 }, ""}
			if slices.Contains(arch.ABI().Preserved, i) {
				r.want = ": " + r.name + " is 0x"
			}
			rows = append(rows, r)
		}
		for _, row := range rows {
			t.Run(arch.String()+"/"+row.name, func(t *testing.T) {
				noLeaks(t)
				p := new(puppet.Puppet)
				m := newMachine(t, p, arch)
				m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 { return th.Call(efi.Addr(gate(1)), 1, 2, 3) }))
				if _, err := m.eng.Run(t.Context(), &m.regs, cpu.Stop{}); err != nil {
					t.Fatal(err)
				}
				if err := m.abi.Return(m.mem, &m.regs, 0); err != nil {
					t.Fatal(err)
				}
				row.mistake(m)
				_, err := m.eng.Run(t.Context(), &m.regs, cpu.Stop{})
				switch {
				case row.want == "" && err != nil:
					t.Errorf("Run: %v", err)
				case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
					t.Errorf("Run: %v, want %q", err, row.want)
				}
				if _, again := m.eng.Run(t.Context(), &m.regs, cpu.Stop{}); again != err {
					t.Errorf("Run again: %v, want %v", again, err)
				}
			})
		}
	}
}

func TestMisalignedEntry(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.enter(t, m.add(t, p, func(*puppet.Thread) uint64 { return 0 }))
		m.regs.GP[m.abi.Stack] += 8
		_, err := m.eng.Run(t.Context(), &m.regs, cpu.Stop{})
		if err == nil || !strings.Contains(err.Error(), "not aligned") {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestSecondReturn(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		var after cpu.Regs
		m.services[1] = func(func(int) uint64) uint64 {
			after = m.regs
			return 0
		}
		m.call(t, m.add(t, p, func(th *puppet.Thread) uint64 { return th.Call(efi.Addr(gate(1))) }))
		m.regs = after
		if _, err := m.run(t.Context(), cpu.Stop{}); err == nil || !strings.Contains(err.Error(), "nothing waits") {
			t.Errorf("Run: %v", err)
		}
	})
}

// What a callee and a caller must not rely on differs from call to call.
func TestJunk(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		var seen []cpu.Regs
		var home []uint64
		m.services[1] = func(func(int) uint64) uint64 {
			seen = append(seen, m.regs)
			for at := m.regs.GP[m.abi.Stack] + 8; at < m.regs.GP[m.abi.Stack]+m.abi.StackArgs; at += 8 {
				v, err := mem.Load(m.mem, efi.Ptr[uint64](at))
				if err != nil {
					t.Error(err)
				}
				home = append(home, v)
			}
			return 0
		}
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			th.Call(efi.Addr(gate(1)), 1)
			th.Call(efi.Addr(gate(1)), 1)
			return 77
		})
		m.call(t, fn)
		seen = append(seen, m.regs)
		scratch := func(i int) bool {
			return i != m.abi.Result && i != m.abi.Args[0] && !slices.Contains(m.abi.Preserved, i)
		}
		for i := range m.arch.NumGP() {
			if a, b, c := seen[0].GP[i], seen[1].GP[i], seen[2].GP[i]; scratch(i) && (a == b || b == c || a == c) {
				t.Errorf("%s: %#x, %#x, then %#x", m.arch.RegName(i), a, b, c)
			}
		}
		for i, v := range home {
			if v == 0 {
				t.Errorf("word %d of the home space is 0", i)
			}
		}
	})
}

// A function gives its caller's preserved registers back.
func TestPreserved(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(func(int) uint64) uint64 { return 0 }
		fn := m.add(t, p, func(th *puppet.Thread) uint64 {
			for i := range m.arch.NumGP() {
				th.Regs().GP[i] = uint64(stackTop) - 0x8000 // a new stack too
			}
			th.Call(efi.Addr(gate(1)))
			if sp := th.Regs().GP[m.abi.Stack]; sp != uint64(stackTop)-0x8000 {
				t.Errorf("stack pointer is %#x after a call", sp)
			}
			return 0
		})
		m.enter(t, fn)
		for i := range m.arch.NumGP() {
			if i != m.abi.Stack && i != m.abi.Link {
				m.regs.GP[i] = uint64(i) * 3
			}
		}
		before := m.regs
		if _, err := m.run(t.Context(), cpu.Stop{}); err != nil {
			t.Fatal(err)
		}
		for _, i := range m.abi.Preserved {
			want := before.GP[i]
			if i == m.abi.Stack && m.abi.Link < 0 {
				want += 8
			}
			if m.regs.GP[i] != want {
				t.Errorf("%s is %#x, want %#x", m.arch.RegName(i), m.regs.GP[i], want)
			}
		}
	})
}
