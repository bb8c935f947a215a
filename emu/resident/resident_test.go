// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"bytes"
	"maps"
	"slices"
	"testing"
)

func TestFor(t *testing.T) {
	want := []string{"CopyMem", "SetMem", "Unsupported"}
	for _, test := range []struct {
		arch    string
		landing []byte // the instruction that each function begins with
	}{
		{"x64", []byte{0xf3, 0x0f, 0x1e, 0xfa}},  // endbr64
		{"aa64", []byte{0x5f, 0x24, 0x03, 0xd5}}, // bti c
	} {
		b, err := For(test.arch)
		if err != nil {
			t.Errorf("%s: %v", test.arch, err)
			continue
		}
		functions := b.Functions()
		if got := slices.Sorted(maps.Keys(functions)); !slices.Equal(got, want) {
			t.Errorf("%s: functions %v, want %v", test.arch, got, want)
		}
		for name, offset := range functions {
			if !bytes.HasPrefix(b.Code[offset:], test.landing) {
				t.Errorf("%s: %s at %#x does not begin with % x", test.arch, name, offset, test.landing)
			}
			if test.arch == "aa64" && offset%4 != 0 {
				t.Errorf("%s: %s at %#x is not aligned", test.arch, name, offset)
			}
		}
		if len(b.Code) > 4096 {
			t.Errorf("%s: %d bytes are more than a page", test.arch, len(b.Code))
		}
	}
	if b, err := For("riscv64"); err == nil {
		t.Errorf("For(riscv64) = %v, want an error", b)
	}
}

func TestBlobIsACopy(t *testing.T) {
	b, err := For("x64")
	if err != nil {
		t.Fatal(err)
	}
	b.Code[0], b.Functions()["CopyMem"] = 0, 0
	again, err := For("x64")
	if err != nil || again.Code[0] != 'U' || b.Functions()["CopyMem"] == 0 {
		t.Errorf("a change of a blob is seen by others: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"short", func(b []byte) []byte { return b[:headerSize-1] }},
		{"magic", func(b []byte) []byte { b[0] = 'V'; return b }},
		{"version", func(b []byte) []byte { b[7]++; return b }},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }},
		{"longer", func(b []byte) []byte { return append(b, 0) }},
		{"many functions", func(b []byte) []byte { b[15] = 0xff; return b }},
		{"offset in the header", func(b []byte) []byte { copy(b[headerSize+nameSize:], []byte{8, 0}); return b }},
		{"offset behind the end", func(b []byte) []byte { b[headerSize+nameSize+3] = 1; return b }},
		{"no name", func(b []byte) []byte { clear(b[headerSize : headerSize+nameSize]); return b }},
		{"a name twice", func(b []byte) []byte {
			copy(b[headerSize+entrySize:], b[headerSize:headerSize+nameSize])
			return b
		}},
	} {
		if b, err := parse(string(test.change([]byte(x64)))); err == nil {
			t.Errorf("%s: %v, want an error", test.name, b.functions)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(x64)
	f.Add(aa64)
	f.Add(magic)
	f.Fuzz(func(t *testing.T, blob string) {
		b, err := parse(blob)
		if err != nil {
			return
		}
		for name, offset := range b.functions {
			if name == "" || offset >= uint64(len(b.Code)) {
				t.Errorf("function %q at %#x of %#x bytes", name, offset, len(b.Code))
			}
		}
	})
}
