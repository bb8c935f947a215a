// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// pageTable is what an engine knows of pages by what it is told.
type pageTable struct {
	base  efi.Addr
	perms []Perm
}

func (t *pageTable) Edited(efi.Range) {}

func (t *pageTable) Protected(r efi.Range, p Perm) {
	for a := r.Start; a < r.End; a += efi.PageSize {
		t.perms[(a-t.base)/efi.PageSize] = p
	}
}

// laterModel does with memory what it is told, and compares it with one whose
// contents are all there at once.
type laterModel struct {
	t     *testing.T
	m     *Memory
	table *pageTable
	want  []byte
	perms []Perm
}

const (
	laterBase  = efi.Addr(0x100000)
	laterPages = 512
)

func newLaterModel(t *testing.T) *laterModel {
	m, err := New(efi.Range{Start: 0x1000, End: 0x4000}, efi.Range{Start: laterBase, End: laterBase + laterPages*efi.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	all := slices.Repeat([]Perm{ReadWriteExec}, laterPages)
	table := &pageTable{laterBase, slices.Clone(all)}
	m.Watch(table)
	return &laterModel{t, m, table, make([]byte, laterPages*efi.PageSize), all}
}

// do makes one change or look at n pages from a page on.
func (o *laterModel) do(op byte, page, n int, seed byte) {
	n = max(1, min(n, laterPages-page))
	r := efi.Range{Start: laterBase + efi.Addr(page)*efi.PageSize, End: laterBase + efi.Addr(page+n)*efi.PageSize}
	want, perms := o.want[page*efi.PageSize:][:n*efi.PageSize], o.perms[page:][:n]
	allowed := func(p Perm) bool { return !slices.ContainsFunc(perms, func(have Perm) bool { return have&p == 0 }) }
	var err error
	ok := true
	switch op % 6 {
	case 0:
		source := make([]byte, r.Size())
		rand.NewChaCha8([32]byte{seed}).Read(source)
		if ok = allowed(Writable); ok {
			copy(want, source)
		}
		err = o.m.FillLater(r, bytes.NewReader(source))
	case 1:
		var got []byte
		got, err = o.m.Read(r.Start+7, r.Size()-7)
		if ok = allowed(Readable); ok && !bytes.Equal(got, want[7:]) {
			o.t.Fatalf("Read of %v: wrong bytes", r)
		}
	case 2:
		if ok = perms[0]&Writable != 0; ok {
			copy(want[3:], []byte{seed, seed + 1})
		}
		err = o.m.Write(r.Start+3, []byte{seed, seed + 1})
	case 3:
		p := Perm(seed) & ReadWriteExec
		err = o.m.Protect(r, p)
		for i := range perms {
			perms[i] = p
		}
	case 4:
		var reader io.ReaderAt
		reader, err = o.m.Reader(r.Start+5, r.Size()-5)
		if ok = allowed(Readable); ok && err == nil {
			got := make([]byte, r.Size())
			if n, err := reader.ReadAt(got, 2); n != len(got)-7 || err != io.EOF || !bytes.Equal(got[:n], want[7:]) {
				o.t.Fatalf("Reader of %v: %d bytes, %v", r, n, err)
			}
		}
	case 5:
		err = o.m.Arrive(r.Start + efi.Addr(seed))
	}
	if ok != (err == nil) {
		o.t.Fatalf("operation %d on %v: %v", op%6, r, err)
	}
	o.check()
}

// check holds what an engine may do against what is there: no page that can be
// used is not as it should be, and the host's windows are the engine's.
func (o *laterModel) check() {
	absent := make([]bool, laterPages)
	for r := range o.m.Absent() {
		for a := r.Start; a < r.End; a += efi.PageSize {
			absent[(a-laterBase)/efi.PageSize] = true
		}
	}
	for i, told := range o.table.perms {
		want := o.perms[i]
		if absent[i] {
			want = 0
		}
		a := laterBase + efi.Addr(i)*efi.PageSize
		r, p, view := o.m.Window(a)
		if told != want || p != want || !r.Contains(a) {
			o.t.Fatalf("page %d: an engine was told %v, the window %v is %v, want %v", i, told, r, p, want)
		}
		if !absent[i] && !bytes.Equal(view[a-r.Start:][:efi.PageSize], o.want[i*efi.PageSize:][:efi.PageSize]) {
			o.t.Fatalf("page %d can be used and is not there", i)
		}
	}
}

func (o *laterModel) run(program []byte) {
	for ; len(program) >= 4; program = program[4:] {
		o.do(program[0], int(program[1])*2, int(program[2]), program[3])
	}
	if err := o.m.Settle(); err != nil {
		o.t.Fatal(err)
	}
	for range o.m.Absent() {
		o.t.Fatal("there are absent pages behind Settle")
	}
	o.check()
}

func TestFillLaterRandomly(t *testing.T) {
	random := rand.NewChaCha8([32]byte{2})
	for range 20 {
		program := make([]byte, 4*60)
		random.Read(program)
		newLaterModel(t).run(program)
	}
}

func FuzzFillLater(f *testing.F) {
	f.Add([]byte{0, 0, 255, 1, 3, 10, 20, 5, 1, 0, 1, 0, 4, 0, 255, 0, 0, 20, 200, 9})
	f.Add([]byte{0, 0, 255, 1, 5, 0, 0, 0, 5, 40, 0, 0, 5, 80, 0, 0, 2, 90, 0, 7, 1, 0, 255, 0})
	f.Fuzz(func(t *testing.T, program []byte) { newLaterModel(t).run(program[:min(len(program), 4*100)]) })
}

// Who looks gets what the reader's owner has promised, or its error, and after
// Settle the memory is as any.
func TestFillLaterFails(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // one processor does not wait
	o := newLaterModel(t)
	failure := errors.New("failure")
	r := efi.Range{Start: laterBase, End: laterBase + laterPages*efi.PageSize}
	if err := o.m.FillLater(r, broken{good: arrivalSize, err: failure}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.m.Read(laterBase, 10); err != nil {
		t.Errorf("what can be read: %v", err)
	}
	for range 2 {
		if _, err := o.m.Read(laterBase+arrivalSize, 1); !errors.Is(err, failure) {
			t.Errorf("Read: %v", err)
		}
		if err := o.m.Arrive(laterBase + arrivalSize); !errors.Is(err, failure) {
			t.Errorf("Arrive: %v", err)
		}
		if _, err := o.m.Tail(laterBase+2*arrivalSize, 100); !errors.Is(err, failure) {
			t.Errorf("Tail: %v", err)
		}
	}
	reader, err := o.m.Reader(laterBase, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadAt(make([]byte, r.Size()), 0); !errors.Is(err, failure) {
		t.Errorf("Reader: %v", err)
	}
	if err := o.m.Settle(); !errors.Is(err, failure) {
		t.Errorf("Settle: %v", err)
	}
	if err := o.m.Write(laterBase, make([]byte, r.Size())); err != nil {
		t.Error(err)
	}
	if err := o.m.Settle(); err != nil {
		t.Error(err)
	}
	o.check()
	var fault *FaultError
	if err := o.m.FillLater(efi.Range{Start: r.Start, End: r.End + efi.PageSize}, broken{}); !errors.As(err, &fault) {
		t.Errorf("over the end of RAM: %v", err)
	}
	if err := o.m.FillLater(efi.Range{Start: laterBase + 1, End: laterBase + 3}, bytes.NewReader([]byte("ab"))); err != nil {
		t.Errorf("parts of pages: %v", err)
	} else if got, err := o.m.Read(laterBase, 4); err != nil || string(got) != "\x00ab\x00" {
		t.Errorf("parts of pages: %q, %v", got, err)
	}
}
