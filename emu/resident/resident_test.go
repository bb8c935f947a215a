// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"
)

func TestFor(t *testing.T) {
	want := []string{
		"ConvertPointer", "CopyMem", "GetNextVariableName", "GetVariable", "QueryVariableInfo",
		"SetMem", "SetVariable", "SetVirtualAddressMap", "Unsupported",
	}
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
		if len(b.Code) > 8192 {
			t.Errorf("%s: %d bytes are more than two pages", test.arch, len(b.Code))
		}
		if block := b.Code[b.ParamsOffset():]; b.ParamsOffset()%64 != 0 || !bytes.Equal(block, make([]byte, RuntimeParamsSize)) {
			t.Errorf("%s: the parameter block at %#x is % x", test.arch, b.ParamsOffset(), block)
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

// The blob's layouts are those of the headers that its source is compiled with.
func TestRuntimeBlockIsThatOfTheSource(t *testing.T) {
	checkLayout(t, "src/runtime.h", "RUNTIME_", map[string]string{
		"STORE": "Store", "STORE_SIZE": "StoreSize", "SYSTEM_TABLE": "SystemTable", "TABLE": "RuntimeServices",
		"NOTIFY": "Notify", "NOTIFY_COUNT": "NotifyCount", "FLAGS": "Flags", "MAX_SIZE": "MaxSize", "MAX_NAME": "MaxName",
		"MAP": "Map", "MAP_COUNT": "MapCount", "MAP_STRIDE": "MapStride", "VIRTUAL": "Virtual",
		"PARAMS_SIZE": "", "FLAG_ACCEPT_NON_VOLATILE": "",
	}, runtimeBlock{})
	if got := binary.Size(runtimeBlock{}); got != RuntimeParamsSize {
		t.Errorf("the block has %d bytes, not %d", got, RuntimeParamsSize)
	}
}

// checkLayout compares the offsets that a header defines, all of them with a
// prefix, with those of the fields of structures.
func checkLayout(t *testing.T, header, prefix string, fields map[string]string, blocks ...any) {
	t.Helper()
	text, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	defined := regexp.MustCompile(`(?m)^#define `+prefix+`(\w+) (\d+)`).FindAllStringSubmatch(string(text), -1)
	if len(defined) != len(fields) {
		t.Errorf("%s defines %d numbers, want %d", header, len(defined), len(fields))
	}
	for _, d := range defined {
		name, known := fields[d[1]]
		if !known {
			t.Errorf("%s: %s is new", header, d[1])
		}
		if name == "" {
			continue
		}
		var f reflect.StructField
		ok := false
		for i := 0; i < len(blocks) && !ok; i++ {
			f, ok = reflect.TypeOf(blocks[i]).FieldByName(name)
		}
		if want := fmt.Sprint(f.Offset); !ok || d[2] != want {
			t.Errorf("%s: %s is %s, the field %s is at %s", header, d[1], d[2], name, want)
		}
	}
}

func TestRuntimeParamsRefused(t *testing.T) {
	good := RuntimeParams{Store: 0x1000, StoreSize: 0x1000, SystemTable: 0x2000, RuntimeServices: 0x3000}
	if raw, err := good.Marshal(); err != nil || len(raw) != RuntimeParamsSize {
		t.Fatalf("%x, %v", raw, err)
	}
	for name, change := range map[string]func(*RuntimeParams){
		"no store":               func(p *RuntimeParams) { p.Store = 0 },
		"no system table":        func(p *RuntimeParams) { p.SystemTable = 0 },
		"no services":            func(p *RuntimeParams) { p.RuntimeServices = 0 },
		"store not aligned":      func(p *RuntimeParams) { p.Store = 0x1004 },
		"table not aligned":      func(p *RuntimeParams) { p.SystemTable++ },
		"services not aligned":   func(p *RuntimeParams) { p.RuntimeServices |= 4 },
		"notify not aligned":     func(p *RuntimeParams) { p.Notify = 2 },
		"store over the end":     func(p *RuntimeParams) { p.StoreSize = -p.Store },
		"notifications nowhere":  func(p *RuntimeParams) { p.NotifyCount = 1 },
		"store of all but a bit": func(p *RuntimeParams) { p.StoreSize = ^uint64(0) },
	} {
		p := good
		change(&p)
		if raw, err := p.Marshal(); err == nil {
			t.Errorf("%s: %x, want an error", name, raw)
		}
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
		{"parameters in the header", func(b []byte) []byte { copy(b[16:], []byte{8, 0}); return b }},
		{"parameters behind the end", func(b []byte) []byte { b[16]++; return b }},
		{"parameters far behind the end", func(b []byte) []byte { b[19] = 0xff; return b }},
		{"parameters of another size", func(b []byte) []byte { b[20]++; return b }},
		{"no name", func(b []byte) []byte { clear(b[headerSize : headerSize+nameSize]); return b }},
		{"a name twice", func(b []byte) []byte {
			copy(b[headerSize+entrySize:], b[headerSize:headerSize+nameSize])
			return b
		}},
	} {
		if b, err := parse(string(test.change([]byte(x64))), RuntimeParamsSize); err == nil {
			t.Errorf("%s: %v, want an error", test.name, b.functions)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(x64)
	f.Add(aa64)
	f.Add(magic)
	f.Fuzz(func(t *testing.T, blob string) {
		b, err := parse(blob, RuntimeParamsSize)
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
