// SPDX-License-Identifier: BSD-3-Clause

// Package auto picks an engine, for programs that do not care which. It links
// every engine there is.
package auto

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

// Engine is an engine and what it is called on a command line.
type Engine struct {
	Name string
	New  cpu.New
}

// Engines lists all engines, the fastest first, whether they can run here or
// not.
func Engines() []Engine {
	return []Engine{{"ptrace", ptrace.New}, {"interp", interp.New}}
}

// Named finds an engine by its name.
func Named(name string) (Engine, error) {
	var names []string
	for _, e := range Engines() {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Engine{}, fmt.Errorf("auto: no engine %q; there are: %s", name, strings.Join(names, ", "))
}

// Picker picks the first engine that runs the guest here, when the machine
// boots.
type Picker struct {
	Name string   // of the engine that was picked
	Why  []string // why those before it were not
}

// New is a cpu.New. Where no engine runs the guest, the error is
// cpu.ErrNotSupported and says what each was missing.
func (p *Picker) New(cfg cpu.Config) (cpu.Engine, error) {
	*p = Picker{}
	for _, candidate := range Engines() {
		engine, err := candidate.New(cfg)
		if err == nil {
			p.Name = candidate.Name
			return engine, nil
		}
		if !errors.Is(err, cpu.ErrNotSupported) {
			return nil, err
		}
		p.Why = append(p.Why, err.Error())
	}
	return nil, fmt.Errorf("auto: %w: %s", cpu.ErrNotSupported, strings.Join(p.Why, "; "))
}

// New is the New of a Picker that nobody asks.
func New(cfg cpu.Config) (cpu.Engine, error) { return new(Picker).New(cfg) }

// Probe says whether any engine runs guests of an architecture here: nil, or an
// error that wraps cpu.ErrNotSupported.
func Probe(arch cpu.Arch) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	page := efi.Range{Start: 1 << 20, End: 1<<20 + efi.PageSize}
	memory, err := mem.New(page)
	if err != nil {
		return err
	}
	defer memory.Close()
	gates, err := memory.Edit(page.Start, page.Size())
	if err != nil {
		return err
	}
	for gate := arch.Gate(); len(gates) > 0; gates = gates[len(gate):] {
		copy(gates, gate)
	}
	engine, err := New(cpu.Config{Arch: arch, Memory: memory, Gates: page})
	if err != nil {
		return err
	}
	return engine.Close()
}
