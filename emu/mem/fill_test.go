// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

// Fill puts every byte of its reader in its place and leaves those around it, in
// memory that was used before and in memory that was not.
func TestFill(t *testing.T) {
	const base, size = efi.Addr(0x100000), 4 << 20
	source := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(source)
	for _, test := range []struct{ at, n int }{
		{0, 0}, {0, 1}, {5, 3}, {0x1000, 0x1000}, {0xfff, 0x2003}, {0, 256 << 10}, {0, 256<<10 + 1}, {0x777, 3<<20 + 5}, {0, size},
	} {
		for _, used := range []byte{0, 0xa5} {
			m, err := New(efi.Range{Start: 0x1000, End: 0x5000}, efi.Range{Start: base, End: base + size})
			if err != nil {
				t.Fatal(err)
			}
			want := bytes.Repeat([]byte{used}, size)
			if used != 0 {
				if err := m.Write(base, want); err != nil {
					t.Fatal(err)
				}
			}
			copy(want[test.at:], source[:test.n])
			if err := m.Fill(base+efi.Addr(test.at), uint64(test.n), bytes.NewReader(source)); err != nil {
				t.Errorf("%+v: %v", test, err)
			}
			if got, err := m.Read(base, size); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%+v over %#x: wrong bytes (%v)", test, used, err)
			}
			m.Close()
		}
	}
}

// broken is a reader whose bytes end, or cannot be read, from some place on.
type broken struct {
	good int64
	err  error
}

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if n := b.good - at; n < int64(len(p)) {
		return int(max(n, 0)), b.err
	}
	return len(p), nil
}

func TestFillFails(t *testing.T) {
	const base, size = efi.Addr(0x100000), 2 << 20
	m, err := New(efi.Range{Start: base, End: base + size})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	failure := errors.New("failure")
	for _, test := range []struct {
		n      uint64
		reader broken
		want   error
	}{
		{100, broken{99, io.EOF}, io.ErrUnexpectedEOF},
		{size, broken{size - 1, io.EOF}, io.ErrUnexpectedEOF},
		{size, broken{0, failure}, failure},
		{size, broken{size / 2, failure}, failure},
	} {
		if err := m.Fill(base, test.n, test.reader); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
	var fault *FaultError
	if err := m.Fill(base+1, size, broken{}); !errors.As(err, &fault) {
		t.Errorf("over the end of RAM: %v", err)
	}
	if err := m.Protect(efi.Range{Start: base + 0x1000, End: base + 0x2000}, Readable); err != nil {
		t.Fatal(err)
	}
	if err := m.Fill(base, size, broken{}); !errors.As(err, &fault) {
		t.Errorf("over a page that is read-only: %v", err)
	}
}
