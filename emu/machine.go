// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/tables"
)

// Machine is firmware and its memory: what a payload finds when it starts. Any
// number of machines live side by side. A machine is used by one goroutine at a
// time; only Wake may be called from others.
type Machine struct {
	cfg    Config
	limits Limits
	abi    *cpu.ABI
	clock  Clock
	random io.Reader
	trace  func(*TraceEvent)

	mem  *mem.Memory
	mmap *tables.MemoryMap
	pool *tables.Pool
	vars *tables.Variables

	gateRange efi.Range
	gates     []gate
	protocols map[*Protocol][]efi.Addr
	instances map[efi.Addr]any
	code      map[string]efi.Addr
	codeRange efi.Range
	params    efi.Addr // of the resident runtime services
	// memAttributes is the memory attributes table.
	memAttributes efi.Addr
	reserved      []efi.Range
	store         efi.Range // for the variables, after ExitBootServices
	returns       [frameKinds]efi.Addr

	stack        efi.Range
	systemTable  efi.Ptr[efi.SystemTable]
	runtimeTable efi.Ptr[efi.RuntimeServices]
	config       tables.ConfigurationTables
	configSpace  efi.Range

	handles  handleDB
	images   map[efi.Handle]*Image
	events   events
	exiting  exitStage
	exitedBy efi.Handle
	missing  missingList

	monotonic uint64
	stalled   time.Duration
	watchdog  time.Time
	wake      chan struct{}

	ctx     context.Context
	engine  cpu.Engine
	counter cpu.Counter // the engine, if it is one
	regs    cpu.Regs
	frames  []frame
	system  systemState
	stats   Stats
	state   machineState
}

type machineState uint8

const (
	stateOpen machineState = iota
	stateRunning
	stateBroken // the engine failed or the guest faulted: memory may be read, nothing may run
	stateFrozen // the Handoff owns the memory
	stateClosed
)

// Stats counts what a boot took.
type Stats struct {
	Calls int64 // services the guest called
	Stops int64 // times the engine returned

	// Instructions that were executed, where the engine counts them (cpu.Counter).
	Instructions int64
}

const (
	gateSize   = cpu.GateSize
	gatePages  = 16
	stackPages = 64 // §2.3.4 asks for 128 KiB at least
	// configRoom is how many configuration tables fit without moving the array:
	// installing one between the two halves of a GetMemoryMap must not change the map.
	configRoom = 64
)

// Open makes a machine: memory, tables, an empty handle database. No code runs
// and no engine is made before Boot.
func Open(cfg Config) (*Machine, error) {
	if cfg.Arch != cpu.AMD64 && cfg.Arch != cpu.ARM64 {
		return nil, fmt.Errorf("emu: no such guest architecture: %v", cfg.Arch)
	}
	if cfg.Engine == nil {
		return nil, errors.New("emu: Config.Engine is nil")
	}
	if cfg.MemoryMap == nil {
		cfg.MemoryMap = Layout(cfg.Arch, 512<<20)
	}
	m := &Machine{
		cfg:       cfg,
		limits:    cfg.Limits.withDefaults(),
		abi:       cfg.Arch.ABI(),
		clock:     cfg.Clock,
		random:    cfg.Random,
		trace:     cfg.Trace,
		vars:      cfg.Variables,
		protocols: map[*Protocol][]efi.Addr{},
		instances: map[efi.Addr]any{},
		code:      map[string]efi.Addr{},
		images:    map[efi.Handle]*Image{},
		wake:      make(chan struct{}, 1),
	}
	m.handles.limit = m.limits.Handles
	m.events.tpl = efi.TPLApplication
	if m.clock == nil {
		m.clock = SystemClock()
	}
	if m.random == nil {
		m.random = rand.Reader
	}
	if m.vars == nil {
		m.vars = new(tables.Variables)
	}
	if err := m.lay(); err != nil {
		if m.mem != nil {
			m.mem.Close()
		}
		return nil, fmt.Errorf("emu: %w", err)
	}
	return m, nil
}

// lay makes the memory and everything of the firmware's that lies in it.
func (m *Machine) lay() error {
	var err error
	if m.mmap, err = tables.NewMemoryMap(m.cfg.MemoryMap); err != nil {
		return err
	}
	if m.cfg.Arch == cpu.ARM64 {
		if err := m.mmap.SetRuntimeGranularity(64 << 10); err != nil {
			return err
		}
	}
	for _, r := range m.cfg.Withhold {
		if err := m.mmap.Withhold(r); err != nil {
			return err
		}
	}
	if m.mem, err = mem.New(backed(m.cfg.MemoryMap, m.cfg.Contents)...); err != nil {
		return err
	}
	for _, c := range m.cfg.Contents {
		if err := m.mem.Write(c.Addr, c.Data); err != nil {
			return err
		}
	}
	m.pool = tables.NewPool(m.mmap)
	for _, step := range []func() error{m.layGates, m.layCode, m.layStack, m.layTables, m.layStore} {
		if err := step(); err != nil {
			return fmt.Errorf("not enough memory for the firmware itself: %w", err)
		}
	}
	return nil
}

// ramOf picks the ranges that are RAM.
func ramOf(descs []efi.MemoryDescriptor) []efi.Range {
	var ram []efi.Range
	for _, d := range descs {
		switch d.Type {
		case efi.ReservedMemory, efi.UnusableMemory, efi.MemoryMappedIO, efi.MemoryMappedIOPortSpace,
			efi.PersistentMemory, efi.UnacceptedMemory, efi.PalCode:
		default:
			ram = append(ram, d.Range())
		}
	}
	return ram
}

// backed is the ranges that the guest finds memory at: RAM, and the pages of
// contents.
func backed(descs []efi.MemoryDescriptor, contents []Content) []efi.Range {
	ranges := ramOf(descs)
	for _, c := range contents {
		end := c.Addr + efi.Addr(efi.Pages(uint64(c.Addr)%efi.PageSize+uint64(len(c.Data)))*efi.PageSize)
		ranges = append(ranges, efi.Range{Start: c.Addr.PageDown(), End: end.PageDown()})
	}
	slices.SortFunc(ranges, func(a, b efi.Range) int { return cmp.Compare(a.Start, b.Start) })
	var disjoint []efi.Range
	for _, r := range ranges {
		if n := len(disjoint); n > 0 && r.Start <= disjoint[n-1].End {
			disjoint[n-1].End = max(disjoint[n-1].End, r.End)
		} else {
			disjoint = append(disjoint, r)
		}
	}
	return disjoint
}

// pages takes n pages of the given type for the firmware, protected by p.
func (m *Machine) pages(t efi.MemoryType, n uint64, p mem.Perm) (efi.Range, error) {
	at, err := m.mmap.AllocatePages(efi.AllocateAnyPages, t, n, 0)
	if err != nil {
		return efi.Range{}, err
	}
	r := efi.Range{Start: at, End: at + efi.Addr(n*efi.PageSize)}
	if err := m.mmap.Convert(r, t); err != nil { // the guest cannot free it
		return efi.Range{}, err
	}
	if p == mem.ReadWriteExec {
		return r, nil
	}
	return r, m.mem.Protect(r, p)
}

func (m *Machine) layGates() (err error) {
	if m.gateRange, err = m.pages(efi.BootServicesCode, gatePages, mem.ReadWriteExec); err != nil {
		return err
	}
	view, err := m.mem.Edit(m.gateRange.Start, m.gateRange.Size())
	if err != nil {
		return err
	}
	for gate := m.cfg.Arch.Gate(); len(view) > 0; view = view[len(gate):] {
		copy(view, gate)
	}
	for kind := range m.returns {
		if m.returns[kind], err = m.newGate(gate{table: frameKind(kind).String()}); err != nil {
			return err
		}
	}
	return m.mem.Protect(m.gateRange, mem.Readable|mem.Executable)
}

// layStack makes the stack, with a page below it that faults.
func (m *Machine) layStack() error {
	r, err := m.pages(efi.BootServicesData, 1+stackPages, mem.ReadWriteExec)
	if err != nil {
		return err
	}
	m.stack = efi.Range{Start: r.Start + efi.PageSize, End: r.End}
	return m.mem.Protect(efi.Range{Start: r.Start, End: m.stack.Start}, 0)
}

// allocate puts data into pool memory.
func (m *Machine) allocate(t efi.MemoryType, data []byte) (efi.Addr, error) {
	at, err := m.pool.Allocate(t, uint64(len(data)))
	if err != nil {
		return 0, err
	}
	return at, m.mem.Write(at, data)
}

// Memory is the guest's memory.
func (m *Machine) Memory() *mem.Memory { return m.mem }

// Arch is the guest's architecture.
func (m *Machine) Arch() cpu.Arch { return m.cfg.Arch }

// MemoryMap is the guest's memory map as it is now.
func (m *Machine) MemoryMap() []efi.MemoryDescriptor { return m.mmap.Descriptors() }

// Variables is the variable store.
func (m *Machine) Variables() *tables.Variables { return m.vars }

// Clock is the guest's time.
func (m *Machine) Clock() Clock { return m.clock }

// Random is the guest's randomness.
func (m *Machine) Random() io.Reader { return m.random }

// Stats counts what has happened so far.
func (m *Machine) Stats() Stats {
	s := m.stats
	if m.counter != nil {
		s.Instructions = int64(m.counter.Instructions())
	}
	return s
}

// SystemTable is where the system table lies.
func (m *Machine) SystemTable() efi.Ptr[efi.SystemTable] { return m.systemTable }

// AllocatePool allocates guest memory, as the service does, for protocols that
// hand buffers to the guest.
func (m *Machine) AllocatePool(t efi.MemoryType, size uint64) (efi.Addr, error) {
	return m.pool.Allocate(t, size)
}

// AllocatePages allocates whole pages for the firmware, as high as they can be
// had.
func (m *Machine) AllocatePages(t efi.MemoryType, pages uint64) (efi.Addr, error) {
	return m.mmap.AllocatePages(efi.AllocateAnyPages, t, pages, 0)
}

// Reserve takes pages of the given type that the payload will find in use and leave
// alone, for whoever puts the machine in place later. They are in Handoff.Reserved.
func (m *Machine) Reserve(t efi.MemoryType, pages uint64) (efi.Range, error) {
	r, err := m.pages(t, pages, mem.ReadWriteExec)
	if err == nil {
		m.reserved = append(m.reserved, r)
	}
	return r, err
}

// FreePool gives back what AllocatePool gave.
func (m *Machine) FreePool(a efi.Addr) error { return m.pool.Free(a) }

// Wake makes a guest that waits for an event look again. Any goroutine may call
// it, at any time.
func (m *Machine) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Close gives everything back but what a Handoff owns.
func (m *Machine) Close() error {
	if m.state == stateFrozen || m.state == stateClosed {
		return nil
	}
	m.state = stateClosed
	return m.mem.Close()
}
