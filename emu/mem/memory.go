// SPDX-License-Identifier: BSD-3-Clause

// Package mem is the guest's memory: one owner, one door.
//
// A Memory is a set of ranges of RAM at their guest addresses. Everything that
// touches them from the host's side, firmware services as much as engines that
// interpret, goes through Read and Edit, which check the address, the length
// and the protection and answer a guest's bad pointer with a *FaultError. On
// Linux the RAM lies in a sparse memfd, so that an engine can map it into
// another process and so that the pages a guest touched can be told from those
// it did not.
//
// The package knows no processor, no service and no allocator: what memory is
// used for is the memory map's business.
package mem

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"

	"github.com/uefiexec/uefiexec/efi"
)

// Perm says what may be done with a page.
type Perm uint8

// The permissions, which combine. Memory starts as ReadWriteExec.
const (
	Readable Perm = 1 << iota
	Writable
	Executable

	ReadWriteExec = Readable | Writable | Executable
)

func (p Perm) String() string {
	text := []byte("---")
	for i, c := range "rwx" {
		if p&(1<<i) != 0 {
			text[i] = byte(c)
		}
	}
	return string(text)
}

// FaultError is an access to guest memory that the guest could not make
// either: outside of RAM, over the end of the address space, or against the
// protection of a page. As a service's error it becomes InvalidParameter.
type FaultError struct {
	Addr   efi.Addr
	Size   uint64
	Access Perm // the one permission that was asked for
	Reason string
}

func (e *FaultError) Error() string {
	verb := map[Perm]string{Readable: "read", Writable: "write", Executable: "fetch"}[e.Access]
	return fmt.Sprintf("mem: %s of %d bytes at %v: %s", verb, e.Size, e.Addr, e.Reason)
}

// Is makes a FaultError an InvalidParameter for errors.Is.
func (e *FaultError) Is(target error) bool { return target == efi.InvalidParameter }

// Watcher is told of what the host does to guest memory: an engine that
// caches decoded code or that keeps page tables of its own subscribes one.
// The calls come on the machine's thread, after the change of protection and
// before the bytes of an edit change. Pages whose contents are on their way are
// protected from everything.
type Watcher interface {
	Edited(r efi.Range)
	Protected(r efi.Range, p Perm)
}

// Memory is the guest's RAM. It may be used by one goroutine at a time.
type Memory struct {
	regions  []region
	backing  backing
	guards   []guard // sorted, disjoint; what is in none is ReadWriteExec
	watchers []Watcher

	arrivals []*arrival // sorted, disjoint
	arrived  uint64     // what has been in arrivals
	fillers  sync.WaitGroup
	waited   barrier // before what nobody waits for, while somebody waits for Fill
}

// region is a range of RAM and the bytes behind it.
type region struct {
	efi.Range
	bytes  []byte
	offset int64 // in the backing
}

type guard struct {
	efi.Range
	perm Perm
}

// MaxSize is the most RAM a guest can be given, in bytes: the half of the
// smallest user address space that a guest is mapped into.
const MaxSize = 1 << 46

// New makes guest memory of the given ranges, which must be page-aligned and
// disjoint; order does not matter and ranges that touch become one. All bytes
// are zero. On Linux no memory is used until it is touched.
func New(ranges ...efi.Range) (*Memory, error) {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b efi.Range) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	var joined []efi.Range
	var total uint64
	for _, r := range sorted {
		switch n := len(joined); {
		case r.Size() == 0 || !r.Start.PageAligned() || !r.End.PageAligned():
			return nil, fmt.Errorf("mem: RAM range %v is empty or not page-aligned", r)
		case n > 0 && joined[n-1].Overlaps(r):
			return nil, fmt.Errorf("mem: RAM ranges %v and %v overlap", joined[n-1], r)
		case n > 0 && joined[n-1].End == r.Start:
			joined[n-1].End = r.End
		default:
			joined = append(joined, r)
		}
		if total += r.Size(); total > MaxSize || r.Size() > MaxSize {
			return nil, fmt.Errorf("mem: RAM ranges sum to more than %#x bytes", uint64(MaxSize))
		}
	}
	if total == 0 {
		return nil, errors.New("mem: a guest needs RAM")
	}
	b, err := newBacking(int64(total))
	if err != nil {
		return nil, fmt.Errorf("mem: %d MiB of guest memory: %w", total>>20, err)
	}
	m := &Memory{backing: b}
	m.waited.changed.L = &m.waited.mutex
	var offset int64
	for _, r := range joined {
		size := int64(r.Size())
		m.regions = append(m.regions, region{r, b.bytes[offset : offset+size : offset+size], offset})
		offset += size
	}
	return m, nil
}

// Close gives the memory back. Views that were handed out must not be used
// any more: on Linux they are no longer mapped.
func (m *Memory) Close() error {
	m.fillers.Wait()
	m.regions, m.arrivals = nil, nil
	return m.backing.close()
}

// Watch subscribes w until Unwatch.
func (m *Memory) Watch(w Watcher) { m.watchers = append(m.watchers, w) }

// Unwatch ends a subscription.
func (m *Memory) Unwatch(w Watcher) {
	m.watchers = slices.DeleteFunc(slices.Clone(m.watchers), func(o Watcher) bool { return o == w })
}

// Ranges are the ranges of RAM in ascending order.
func (m *Memory) Ranges() []efi.Range {
	ranges := make([]efi.Range, len(m.regions))
	for i, r := range m.regions {
		ranges[i] = r.Range
	}
	return ranges
}

// Read returns the n bytes at a. They are a view: they must not be written to,
// and they are good until the service returns or the guest runs on. An empty
// read succeeds anywhere. The error is a *FaultError.
func (m *Memory) Read(a efi.Addr, n uint64) ([]byte, error) { return m.view(a, n, Readable) }

// Edit is Read for writing: engines are told, and what is written into the
// view is in the guest at once. The error is a *FaultError.
func (m *Memory) Edit(a efi.Addr, n uint64) ([]byte, error) {
	view, err := m.view(a, n, Writable)
	if err == nil && n > 0 {
		for _, w := range m.watchers {
			w.Edited(efi.Range{Start: a, End: a + efi.Addr(n)})
		}
	}
	return view, err
}

// Fetch is Read of code: the pages must be executable.
func (m *Memory) Fetch(a efi.Addr, n uint64) ([]byte, error) { return m.view(a, n, Executable) }

// Tail returns the bytes from a to the end of the readable RAM there, at most
// limit, for things that carry their length in themselves.
func (m *Memory) Tail(a efi.Addr, limit uint64) ([]byte, error) {
	r, ok := m.find(a)
	if !ok {
		return nil, &FaultError{a, 1, Readable, "no RAM there"}
	}
	n := min(limit, uint64(r.End-a))
	for _, g := range m.guards {
		if g.perm&Readable == 0 && g.End > a && g.Start < a+efi.Addr(n) {
			if g.Contains(a) {
				return nil, &FaultError{a, 1, Readable, "page is " + g.perm.String()}
			}
			n = uint64(g.Start - a)
		}
	}
	if err := m.await(efi.Range{Start: a, End: a + efi.Addr(n)}); err != nil {
		return nil, err
	}
	return r.bytes[a-r.Start:][:n:n], nil
}

func (m *Memory) view(a efi.Addr, n uint64, access Perm) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	r, err := m.check(a, n, access)
	if err == nil {
		err = m.await(efi.Range{Start: a, End: a + efi.Addr(n)})
	}
	if err != nil {
		return nil, err
	}
	return r.bytes[a-r.Start:][:n:n], nil
}

// check finds where the n bytes at a lie, at least one, and whether they may be
// accessed so.
func (m *Memory) check(a efi.Addr, n uint64, access Perm) (*region, error) {
	r, ok := m.find(a)
	switch {
	case !ok:
		return nil, &FaultError{a, n, access, "no RAM there"}
	case n > uint64(r.End-a):
		return nil, &FaultError{a, n, access, "runs over the end of RAM at " + r.End.String()}
	}
	if len(m.guards) > 0 {
		span := efi.Range{Start: a, End: a + efi.Addr(n)}
		for _, g := range m.guards {
			if g.Overlaps(span) && g.perm&access == 0 {
				return nil, &FaultError{a, n, access, "page at " + max(a, g.Start).String() + " is " + g.perm.String()}
			}
		}
	}
	return r, nil
}

// Window is the largest range around a that is RAM with one protection, and its
// bytes, for engines that interpret: they are there until Close, and what may be
// done with them until a Watcher is told otherwise. An engine that writes into
// them tells nobody. The range is empty if there is no RAM at a.
func (m *Memory) Window(a efi.Addr) (r efi.Range, p Perm, bytes []byte) {
	home, ok := m.find(a)
	if !ok {
		return efi.Range{}, 0, nil
	}
	r, p = home.Range, ReadWriteExec
	narrow := func(o efi.Range) bool {
		switch {
		case o.Contains(a):
			r = efi.Range{Start: max(r.Start, o.Start), End: min(r.End, o.End)}
			return true
		case o.End <= a:
			r.Start = max(r.Start, o.End)
		default:
			r.End = min(r.End, o.Start)
		}
		return false
	}
	for _, g := range m.guards {
		if narrow(g.Range) {
			p = g.perm
		}
	}
	next := m.nextArrival(a)
	for _, o := range m.arrivals[max(next-1, 0):min(next+1, len(m.arrivals))] { // its neighbours, or itself
		if narrow(o.Range) {
			p = 0
		}
	}
	return r, p, home.bytes[r.Start-home.Start : r.End-home.Start : r.End-home.Start]
}

func (m *Memory) find(a efi.Addr) (*region, bool) {
	for i := range m.regions {
		if m.regions[i].Contains(a) {
			return &m.regions[i], true
		}
	}
	return nil, false
}

// Protect sets what may be done with the pages of r, which must be page-aligned
// and lie in RAM. It serves read-only gates, W^X, and poisoned pools.
func (m *Memory) Protect(r efi.Range, p Perm) error {
	home, ok := m.find(r.Start)
	if !ok || !home.Covers(r) || !r.Start.PageAligned() || !r.End.PageAligned() || r.Size() == 0 {
		return &FaultError{r.Start, r.Size(), p, "not whole pages of RAM"}
	}
	var kept []guard
	for _, g := range m.guards {
		if !g.Overlaps(r) {
			kept = append(kept, g)
			continue
		}
		if g.Start < r.Start {
			kept = append(kept, guard{efi.Range{Start: g.Start, End: r.Start}, g.perm})
		}
		if g.End > r.End {
			kept = append(kept, guard{efi.Range{Start: r.End, End: g.End}, g.perm})
		}
	}
	if p != ReadWriteExec {
		kept = append(kept, guard{r, p})
	}
	slices.SortFunc(kept, func(a, b guard) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	m.guards = kept
	for _, w := range m.watchers {
		w.Protected(r, p)
	}
	for _, o := range m.arrivals {
		if o.Overlaps(r) {
			m.forbid(o.Range)
		}
	}
	return nil
}

// Protections yields the ranges that are not ReadWriteExec, in ascending order.
func (m *Memory) Protections() iter.Seq2[efi.Range, Perm] {
	return func(yield func(efi.Range, Perm) bool) {
		for _, g := range m.guards {
			if !yield(g.Range, g.perm) {
				return
			}
		}
	}
}

// Touched yields, in ascending order, the page ranges inside r that hold data:
// on Linux those that were ever written (or read through a mapping), elsewhere
// those that are not all zero. What lies between them in RAM is zero.
func (m *Memory) Touched(r efi.Range) iter.Seq[efi.Range] {
	return func(yield func(efi.Range) bool) {
		for i := range m.regions {
			reg := &m.regions[i]
			if !reg.Overlaps(r) {
				continue
			}
			start, end := max(reg.Start, r.Start), min(reg.End, r.End)
			lo, hi := reg.offset+int64(start-reg.Start), reg.offset+int64(end-reg.Start)
			for lo < hi {
				from, to, ok := m.backing.data(lo, hi)
				if !ok {
					break
				}
				data := efi.Range{Start: reg.Start + efi.Addr(from-reg.offset), End: reg.Start + efi.Addr(to-reg.offset)}
				if !yield(data) {
					return
				}
				lo = to
			}
		}
	}
}

// Mapping is where a range of RAM lies in the memory's file.
type Mapping struct {
	efi.Range
	Offset int64
}

// File returns the sparse file that holds the RAM and where each range lies in
// it, for engines that map it elsewhere, or nil where the system has none. The
// file stays the memory's: it must not be closed, written past or resized.
func (m *Memory) File() (*os.File, []Mapping) {
	if m.backing.file == nil {
		return nil, nil
	}
	maps := make([]Mapping, len(m.regions))
	for i, r := range m.regions {
		maps[i] = Mapping{r.Range, r.offset}
	}
	return m.backing.file, maps
}
