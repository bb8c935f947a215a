// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/uefiexec/uefiexec/efi"
)

// arrival is a range of pages whose contents are still on their way. Nobody gets
// at them before they have arrived: neither the host, who waits, nor the guest, to
// whom they are protected.
type arrival struct {
	efi.Range
	source io.ReaderAt // its first byte is Start's
	part   []byte
	ahead  *int // how many more somebody is let at who looks at one; of all that came together
	once   sync.Once
	done   atomic.Bool
	err    error // once done
}

func (a *arrival) failure() error {
	return fmt.Errorf("mem: what belongs into %v: %w", a.Range, a.err)
}

// arrive puts the contents in place, or waits until somebody who does has done so.
func (a *arrival) arrive(b *backing) error {
	a.once.Do(func() {
		a.err = b.fillMapped(a.part, 0, a.source)
		a.done.Store(true)
	})
	return a.err
}

// arrivalSize is how much is waited for at a time, in bytes.
const arrivalSize = 256 << 10

// Fill writes the first n bytes of r to a, at little cost where no page is there
// yet. It may call ReadAt more than once at the same time. The error is a
// *FaultError, or r's; what lies there is undefined then.
func (m *Memory) Fill(a efi.Addr, n uint64, r io.ReaderAt) error {
	view, err := m.Edit(a, n)
	if err != nil || n == 0 {
		return err
	}
	m.waited.set(true)
	defer m.waited.set(false)
	home, _ := m.find(a)
	return m.backing.fill(view, home.offset+int64(a-home.Start), r)
}

// FillLater is Fill for whole pages, and returns before they are read: whoever
// looks at them first waits. What r reads must not change until Settle, and
// ReadAt may be called at any time until then, from several goroutines. That r
// fails is the error of whoever looks. For parts of pages, and where there is one
// processor, it is Fill.
func (m *Memory) FillLater(pages efi.Range, r io.ReaderAt) error {
	if runtime.GOMAXPROCS(0) == 1 || !pages.Start.PageAligned() || !pages.End.PageAligned() {
		return m.Fill(pages.Start, pages.Size(), r)
	}
	view, err := m.Edit(pages.Start, pages.Size())
	if err != nil {
		return err
	}
	ahead := new(int)
	first := len(m.arrivals)
	for at := pages.Start; at < pages.End; at += arrivalSize {
		from, size := int64(at-pages.Start), int64(min(arrivalSize, pages.End-at))
		m.arrivals = append(m.arrivals, &arrival{
			Range:  efi.Range{Start: at, End: at + efi.Addr(size)},
			source: io.NewSectionReader(r, from, size),
			part:   view[from:][:size],
			ahead:  ahead,
		})
	}
	list := slices.Clone(m.arrivals[first:])
	slices.SortFunc(m.arrivals, func(a, b *arrival) int { return cmp.Compare(a.Start, b.Start) })
	m.forbid(pages)
	m.fillers.Go(func() {
		for _, a := range list {
			m.waited.pass()
			_ = a.arrive(&m.backing) // for who looks
		}
	})
	return nil
}

// barrier holds those back who pass while it is set.
type barrier struct {
	mutex   sync.Mutex
	changed sync.Cond
	up      bool
}

func (b *barrier) set(up bool) {
	b.mutex.Lock()
	b.up = up
	b.mutex.Unlock()
	b.changed.Broadcast()
}

func (b *barrier) pass() {
	b.mutex.Lock()
	for b.up {
		b.changed.Wait()
	}
	b.mutex.Unlock()
}

// Absent yields the ranges whose contents have not arrived, in ascending order.
func (m *Memory) Absent() iter.Seq[efi.Range] {
	return func(yield func(efi.Range) bool) {
		for _, a := range m.arrivals {
			if !yield(a.Range) {
				return
			}
		}
	}
}

// Arrive waits for the contents of the page at a.
func (m *Memory) Arrive(a efi.Addr) error { return m.await(efi.Range{Start: a, End: a + 1}) }

// Arrivals is a number that grows with each arrival that somebody has been let at.
// Where it is another than before the guest ran, an access that was refused is to
// be made again.
func (m *Memory) Arrivals() uint64 { return m.arrived }

// Settle waits for all that FillLater has been given. What could not be read is
// undefined from then on.
func (m *Memory) Settle() error {
	var err error
	for _, a := range m.arrivals {
		if e := a.arrive(&m.backing); e != nil && err == nil {
			err = a.failure()
		}
	}
	m.admit(0, len(m.arrivals))
	m.fillers.Wait()
	return err
}

// await waits for what is to arrive in r, and lets everybody at that and at what
// has arrived behind it, more each time, as each stops the guest. What nobody looks
// at stays absent, and so does what has failed.
func (m *Memory) await(r efi.Range) error {
	first := m.nextArrival(r.Start)
	end := first
	for ; end < len(m.arrivals) && m.arrivals[end].Overlaps(r); end++ {
		if m.arrivals[end].arrive(&m.backing) != nil {
			return m.arrivals[end].failure()
		}
	}
	if end == first {
		return nil
	}
	ahead := m.arrivals[first].ahead
	for n := *ahead; n > 0 && end < len(m.arrivals); n, end = n-1, end+1 {
		if a := m.arrivals[end]; a.ahead != ahead || !a.done.Load() || a.err != nil {
			break
		}
	}
	*ahead = min(2**ahead+1, len(m.arrivals))
	m.admit(first, end)
	return nil
}

// nextArrival is the index of the first arrival that ends behind a.
func (m *Memory) nextArrival(a efi.Addr) int {
	i, _ := slices.BinarySearchFunc(m.arrivals, a, func(o *arrival, a efi.Addr) int {
		if o.End <= a {
			return -1
		}
		return 1
	})
	return i
}

// admit lets everybody at some of what was absent.
func (m *Memory) admit(first, end int) {
	for _, a := range m.arrivals[first:end] {
		m.permit(a.Range)
	}
	m.arrived += uint64(end - first)
	m.arrivals = slices.Delete(m.arrivals, first, end)
}

// forbid tells the watchers that nothing may be done with the pages of r.
func (m *Memory) forbid(r efi.Range) {
	for _, w := range m.watchers {
		w.Protected(r, 0)
	}
}

// permit tells the watchers what may be done with the pages of r.
func (m *Memory) permit(r efi.Range) {
	part := func(start, end efi.Addr, p Perm) {
		if start < end {
			for _, w := range m.watchers {
				w.Protected(efi.Range{Start: start, End: end}, p)
			}
		}
	}
	at := r.Start
	for _, g := range m.guards {
		if g.Overlaps(r) {
			part(at, g.Start, ReadWriteExec)
			part(max(at, g.Start), min(g.End, r.End), g.perm)
			at = g.End
		}
	}
	part(at, r.End, ReadWriteExec)
}

// Reader reads the n bytes at a, as Read does, but waits for nothing: what is
// absent is read where it comes from. It is good until the service returns or the
// guest runs on. The error is a *FaultError.
func (m *Memory) Reader(a efi.Addr, n uint64) (io.ReaderAt, error) {
	if n == 0 {
		return pieces(nil), nil
	}
	home, err := m.check(a, n, Readable)
	if err != nil {
		return nil, err
	}
	var list pieces
	at, end := a, a+efi.Addr(n)
	add := func(to efi.Addr, r io.ReaderAt) {
		if at < to {
			list = append(list, piece{int64(at - a), int64(to - at), r})
			at = to
		}
	}
	view := func(to efi.Addr) { add(to, bytes.NewReader(home.bytes[at-home.Start:max(at, to)-home.Start])) }
	for _, o := range m.arrivals[m.nextArrival(a):] {
		if o.Start >= end {
			break
		}
		view(o.Start)
		add(min(o.End, end), io.NewSectionReader(o.source, int64(at-o.Start), int64(o.End-at)))
	}
	view(end)
	return list, nil
}

// pieces are read one behind the other.
type pieces []piece

type piece struct {
	start, size int64
	r           io.ReaderAt
}

func (list pieces) ReadAt(p []byte, at int64) (int, error) {
	done := 0
	for _, o := range list {
		if skip := at + int64(done) - o.start; skip >= 0 && skip < o.size && done < len(p) {
			n := min(int64(len(p)-done), o.size-skip)
			if err := readFull(p[done:][:n], skip, o.r); err != nil {
				return done, err
			}
			done += int(n)
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readFull reads r from at on into all of b.
func readFull(b []byte, at int64, r io.ReaderAt) error {
	n, err := r.ReadAt(b, at)
	switch {
	case n == len(b):
		return nil
	case err == nil || err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
