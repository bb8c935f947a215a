// SPDX-License-Identifier: BSD-3-Clause

package puppet_test

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/puppet"
)

// An Exit service returns from the StartImage that its image was started by;
// the functions between are abandoned at once, the innermost first.
func TestUnwinding(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		const startImage, exit = 1, 2
		var started []cpu.Regs
		var ended []string
		image := m.add(t, p, func(th *puppet.Thread) uint64 {
			defer func() {
				ended = append(ended, "image")
				th.Call(efi.Addr(gate(startImage))) // does not return, and calls nothing
				t.Error("an abandoned function has made a call")
			}()
			p.Place(0x1000, func(th *puppet.Thread) uint64 {
				defer func() { ended = append(ended, "inner") }()
				th.Call(efi.Addr(gate(exit)), 42)
				t.Error("Exit has returned")
				return 0
			})
			th.Call(0x1000)
			return 0
		})
		loader := m.add(t, p, func(th *puppet.Thread) uint64 {
			status := th.Call(efi.Addr(gate(startImage)), uint64(image))
			if !slices.Equal(ended, []string{"inner", "image"}) {
				t.Errorf("ended when StartImage returns: %v", ended)
			}
			return status
		})
		m.enter(t, loader)
		for {
			x, err := m.eng.Run(t.Context(), &m.regs, cpu.Stop{})
			if err != nil || x.Kind != cpu.Gate {
				t.Fatalf("Run: %+v, %v", x, err)
			}
			arg, err := m.abi.Arg(m.mem, &m.regs, 0)
			if err != nil {
				t.Fatal(err)
			}
			switch m.regs.PC {
			case gate(startImage):
				started = append(started, m.regs)
				m.enter(t, efi.Addr(arg))
			case gate(exit):
				m.regs = started[len(started)-1]
				if err := m.abi.Return(m.mem, &m.regs, arg); err != nil {
					t.Fatal(err)
				}
			default:
				if r := m.regs.GP[m.abi.Result]; r != 42 {
					t.Errorf("result %d", r)
				}
				return
			}
		}
	})
}

// Close ends what waits, however it does; eachArch looks for leaks.
func TestCloseEnds(t *testing.T) {
	waits := map[string]func(*puppet.Thread){
		"call":  func(th *puppet.Thread) { th.Call(efi.Addr(gate(0))) },
		"exit":  func(th *puppet.Thread) { th.Exit(cpu.Exit{Kind: cpu.Halt}) },
		"fault": func(th *puppet.Thread) { puppet.Load(th, efi.Ptr[uint8](0)) },
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
				ended := 0
				p.Place(code, func(th *puppet.Thread) uint64 {
					defer func() { ended++ }()
					if th.Arg(0) > 0 {
						return th.Call(code, th.Arg(0)-1)
					}
					wait(th)
					return 0
				})
				m.enter(t, code, 9)
				if _, err := m.run(t.Context(), cpu.Stop{}); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := m.eng.Close(); err != nil || ended != 10 {
						t.Errorf("Close: %v, %d functions ended", err, ended)
					}
				}
				if _, err := m.run(t.Context(), cpu.Stop{}); err == nil {
					t.Error("Run after Close succeeds")
				}
			})
		})
	}
}

// recovered runs f and returns what it panics with.
func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestPanic(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		ended := false
		inner := m.add(t, p, func(*puppet.Thread) uint64 { panic(io.ErrUnexpectedEOF) })
		outer := m.add(t, p, func(th *puppet.Thread) uint64 {
			defer func() { ended = true }()
			return th.Call(inner)
		})
		m.enter(t, outer)
		v := recovered(func() { m.run(t.Context(), cpu.Stop{}) })
		got, ok := v.(*puppet.Panic)
		if !ok || got.Func != inner || !errors.Is(got, io.ErrUnexpectedEOF) || !ended {
			t.Fatalf("Run panics with %v, caller ended: %v", v, ended)
		}
		if !strings.Contains(got.Error(), "coroutine_test.go") || !strings.Contains(got.Error(), "unexpected EOF") {
			t.Errorf("Error: %s", got)
		}
		if _, err := m.run(t.Context(), cpu.Stop{}); err == nil {
			t.Error("Run after a panic succeeds")
		}
	})
}

func TestPanicWhileAbandoned(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 {
			defer panic("late")
			return th.Call(efi.Addr(gate(0)))
		}))
		if _, err := m.run(t.Context(), cpu.Stop{}); err != nil {
			t.Fatal(err)
		}
		got, ok := recovered(func() { m.eng.Close() }).(*puppet.Panic)
		if !ok || got.Value != "late" {
			t.Errorf("Close panics with %v", got)
		}
	})
}

// What would upset the order of turns panics instead of hanging.
func TestMisuse(t *testing.T) {
	misuses := map[string]func(p *puppet.Puppet, th *puppet.Thread){
		"thread of the caller": func(p *puppet.Puppet, th *puppet.Thread) {
			p.Place(0x1000, func(*puppet.Thread) uint64 { return th.Arg(0) })
			th.Call(0x1000)
		},
		"kind of exit":        func(_ *puppet.Puppet, th *puppet.Thread) { th.Exit(cpu.Exit{Kind: cpu.Gate}) },
		"type without a size": func(_ *puppet.Puppet, th *puppet.Thread) { puppet.Load(th, efi.Ptr[string](code)) },
	}
	for name, misuse := range misuses {
		t.Run(name, func(t *testing.T) {
			eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
				m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 {
					misuse(p, th)
					return 0
				}))
				if v := recovered(func() { m.run(t.Context(), cpu.Stop{}) }); v == nil {
					t.Error("no panic")
				}
			})
		})
	}
}

// A function that calls the host's side of its own engine gets errors.
func TestReentry(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		r := m.call(t, m.add(t, p, func(*puppet.Thread) uint64 {
			if _, err := m.eng.Run(t.Context(), new(cpu.Regs), cpu.Stop{}); err == nil {
				t.Error("Run succeeds")
			}
			if err := m.eng.Close(); err == nil {
				t.Error("Close succeeds")
			}
			return 6
		}))
		if r != 6 {
			t.Errorf("result %d", r)
		}
	})
}

// What t.FailNow does, without the failure.
func TestGoexit(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		outerEnded := false
		inner := m.add(t, p, func(*puppet.Thread) uint64 {
			runtime.Goexit()
			return 0
		})
		m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 {
			defer func() { outerEnded = true }()
			return th.Call(inner)
		}))
		returned, panicked := false, any(nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { panicked = recover() }()
			m.run(t.Context(), cpu.Stop{})
			returned = true
		})
		wg.Wait()
		if returned || panicked != nil || !outerEnded {
			t.Errorf("Run returned: %v, panicked with %v; caller ended: %v", returned, panicked, outerEnded)
		}
		if _, err := m.run(t.Context(), cpu.Stop{}); err == nil {
			t.Error("Run after Goexit succeeds")
		}
	})
}

// The machine's thread is locked; who closes the engine need not have it so.
func TestLockedThread(t *testing.T) {
	eachArch(t, func(t *testing.T, p *puppet.Puppet, m *machine) {
		m.services[1] = func(func(int) uint64) uint64 { return 3 }
		runtime.LockOSThread()
		m.enter(t, m.add(t, p, func(th *puppet.Thread) uint64 {
			r := th.Call(efi.Addr(gate(1)))
			return th.Call(efi.Addr(gate(0)), r)
		}))
		_, err := m.run(t.Context(), cpu.Stop{})
		runtime.UnlockOSThread()
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Two machines of one puppet, and two of their own, at once.
func TestParallel(t *testing.T) {
	noLeaks(t)
	fib := func(th *puppet.Thread) uint64 {
		n := th.Arg(0)
		if n < 2 {
			return th.Call(efi.Addr(gate(1)), n)
		}
		return th.Call(th.Addr(), n-1) + th.Call(th.Addr(), n-2)
	}
	shared, own := new(puppet.Puppet), new(puppet.Puppet)
	shared.Place(0x1000, fib)
	own.Place(0x1000, fib)
	var wg sync.WaitGroup
	for i, p := range []*puppet.Puppet{shared, shared, own} {
		m := newMachine(t, p, arches[i%2])
		m.services[1] = func(arg func(int) uint64) uint64 { return arg(0) }
		wg.Go(func() {
			m.enter(t, 0x1000, 12)
			x, err := m.run(t.Context(), cpu.Stop{})
			if err != nil || x.Kind != cpu.Gate || m.regs.GP[m.abi.Result] != 144 {
				t.Errorf("Run: %+v, %v, result %d", x, err, m.regs.GP[m.abi.Result])
			}
		})
	}
	wg.Wait()
}

func BenchmarkCall(b *testing.B) {
	for _, locked := range []bool{false, true} {
		name := "free"
		if locked {
			name = "locked"
		}
		b.Run(name, func(b *testing.B) {
			p := new(puppet.Puppet)
			m := newMachine(b, p, cpu.AMD64)
			m.services[1] = func(func(int) uint64) uint64 { return 0 }
			if locked {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			m.call(b, m.add(b, p, func(th *puppet.Thread) uint64 {
				for b.Loop() {
					th.Call(efi.Addr(gate(1)), 1, 2, 3, 4, 5)
				}
				return 0
			}))
		})
	}
}
