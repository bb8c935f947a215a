// SPDX-License-Identifier: BSD-3-Clause

package mem

import (
	"testing"

	"github.com/uefiexec/uefiexec/efi"
)

func TestWindow(t *testing.T) {
	m, err := New(efi.Range{Start: 0x10000, End: 0x20000}, efi.Range{Start: 0x40000, End: 0x50000})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Protect(efi.Range{Start: 0x14000, End: 0x16000}, Readable); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		a, start, end efi.Addr
		perm          Perm
	}{
		{0x10000, 0x10000, 0x14000, ReadWriteExec},
		{0x13fff, 0x10000, 0x14000, ReadWriteExec},
		{0x14000, 0x14000, 0x16000, Readable},
		{0x15fff, 0x14000, 0x16000, Readable},
		{0x16000, 0x16000, 0x20000, ReadWriteExec},
		{0x48000, 0x40000, 0x50000, ReadWriteExec},
		{0x20000, 0, 0, 0},
		{0xffff, 0, 0, 0},
		{0xffffffffffffffff, 0, 0, 0},
	} {
		r, p, b := m.Window(test.a)
		if want := (efi.Range{Start: test.start, End: test.end}); r != want || p != test.perm || uint64(len(b)) != want.Size() || cap(b) != len(b) {
			t.Errorf("%v: %v %v, %d bytes", test.a, r, p, len(b))
			continue
		}
		if len(b) == 0 {
			continue
		}
		b[test.a-r.Start] = 0xa5
		if got, err := m.Read(test.a, 1); err != nil || got[0] != 0xa5 {
			t.Errorf("%v: %x, %v", test.a, got, err)
		}
	}
}
