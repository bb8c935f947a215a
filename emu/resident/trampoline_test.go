// SPDX-License-Identifier: BSD-3-Clause

package resident

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTrampolineBlocksAreThoseOfTheSource(t *testing.T) {
	checkLayout(t, "src/trampoline.h", "TRAMPOLINE_", map[string]string{
		"REGIONS": "Regions", "COUNT": "Count", "COUNT_CHECK": "CountCheck", "COPIES": "Copies", "COPY_COUNT": "CopyCount",
		"ZEROS": "Zeros", "ZERO_COUNT": "ZeroCount", "CONSOLE": "Console", "CONSOLE_KIND": "Kind", "CONSOLE_SHIFT": "Shift",
		"FLAGS": "Flags", "RESERVED": "_", "STACK": "Stack", "OWN_REGIONS": "", "FLAG_SHA": "", "FLAG_FOUR_LEVELS": "",
		"ROOT4": "Root4", "ROOT5": "Root5", "GP": "GP", "RIP": "RIP", "FLAGS_REGISTER": "RFLAGS", "FX": "FX", "X64_SIZE": "",
		"ROOT": "Root", "NZCV": "NZCV", "X": "X", "SP": "SP", "PC": "PC", "FPCR": "FPCR", "FPSR": "FPSR", "V": "V", "AA64_SIZE": "",
	}, trampolineX64Block{}, trampolineAA64Block{})
	for _, test := range []struct {
		block any
		size  int
	}{{trampolineX64Block{}, trampolineX64Size}, {trampolineAA64Block{}, trampolineAA64Size}, {fxState{}, 512}} {
		if got := binary.Size(test.block); got != test.size {
			t.Errorf("%T has %d bytes, not %d", test.block, got, test.size)
		}
	}
}

// walk translates an address as the processor does, from a root of so many
// levels, and gives the size of the page and whether it is a device's.
func walk(t *testing.T, f *tableFormat, base uint64, raw []byte, root, levels, address uint64) (to, size uint64, device bool) {
	t.Helper()
	for level := levels; ; level-- {
		index := address >> (12 + 9*(level-1)) & 511
		if root < base || root-base+pageSize > uint64(len(raw)) || root%pageSize != 0 {
			t.Fatalf("table of level %d at %#x", level, root)
		}
		entry := binary.LittleEndian.Uint64(raw[root-base+8*index:])
		page := uint64(1) << (12 + 9*(level-1))
		leads := entry&0x80 == 0 // x86-64: PS
		if f == &formatAA64 {
			leads = entry&2 != 0
		}
		const bits = 3<<53 | 0xfff
		switch {
		case entry&1 == 0:
			return 0, 0, false
		case level > 1 && leads:
			if entry&bits != f.table {
				t.Fatalf("entry %#x of level %d", entry, level)
			}
			root = entry &^ bits
			continue
		}
		want := f.page
		if level > 1 {
			want = f.large
		}
		device = entry&f.device == f.device
		if device {
			want |= f.device
		}
		if entry&(bits|(page-1)) != want || level > 3 {
			t.Fatalf("entry %#x of level %d, want the bits %#x", entry, level, want)
		}
		return entry&^(bits|(page-1)) | address&(page-1), page, device
	}
}

func TestPageTables(t *testing.T) {
	const base = 0x7000000
	for _, test := range []struct {
		name         string
		giant        bool
		ram, devices []Range
		tables       int // of four levels
	}{
		{"a page", false, []Range{{0x1000, 0x2000}}, nil, 4},
		{"a page with giant pages", true, []Range{{0x1000, 0x2000}}, nil, 4},
		{"a large page", true, []Range{{mib2, 2 * mib2}}, nil, 3},
		{"a large page that is not aligned", true, []Range{{mib2 + 0x1000, 2*mib2 + 0x1000}}, nil, 5},
		{"4 GiB", false, []Range{{0, 4 * gib}}, nil, 2 + 4},
		{"4 GiB with giant pages", true, []Range{{0, 4 * gib}}, nil, 2},
		{"two halves of a GiB", true, []Range{{gib + gib/2, 2 * gib}, {gib, gib + gib/2}}, nil, 2},
		{"a PC's", true, []Range{{0, 0xa0000}, {0x100000, 3 * gib}, {4 * gib, 5*gib + mib2}}, []Range{{0xa0000, 0x100000}, {0xfee00000, 0xfee01000}}, 2 + 4 + 1},
		{"the last GiB of 47 bits", true, []Range{{1<<47 - gib, 1 << 47}}, nil, 2},
		{"over the edge of a table", true, []Range{{512*gib - mib2, 514 * gib}}, nil, 1 + 1 + 1 + 1},
		{"over the edge of a table with a page", false, []Range{{512*gib - mib2, 512*gib + 0x1000}}, nil, 1 + 2 + 2 + 1},
		{"a device of giant pages", true, []Range{{0, gib}}, []Range{{gib, 3 * gib}}, 2},
	} {
		for _, f := range []*tableFormat{&formatX64, &formatAA64} {
			pt, err := newPageTables(f, base, test.ram, test.devices, test.giant)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			if got, want := len(pt.raw)/pageSize, test.tables+int(f.levels-4); got != want {
				t.Errorf("%s: %d tables, want %d", test.name, got, want)
			}
			var probes []uint64
			for _, r := range append(test.ram, test.devices...) {
				for _, a := range []uint64{r.Start, r.End} {
					probes = append(probes, a-mib2, a-pageSize-1, a-pageSize, a-1, a, a+pageSize-1, a+pageSize, a+mib2, a+gib)
				}
			}
			in := func(ranges []Range, a uint64) bool { return covers(union(ranges), Range{a, a + 1}) }
			for _, a := range probes {
				if a >= f.limit {
					continue
				}
				isRAM, isDevice := in(test.ram, a), in(test.devices, a)
				for levels := uint64(4); levels <= f.levels; levels++ {
					to, size, device := walk(t, f, base, pt.raw, pt.root(levels), levels, a)
					mapped := isRAM || isDevice
					if mapped != (size > 0) || mapped && to != a || device != isDevice || size == gib && !test.giant {
						t.Errorf("%s: %#x with %d levels is %#x, a page of %#x, device %t; want it as RAM %t, device %t", test.name, a, levels, to, size, device, isRAM, isDevice)
					}
				}
			}
		}
	}
	for _, test := range []struct{ ram, devices []Range }{
		{[]Range{{1 << 48, 1<<48 + pageSize}}, nil},
		{[]Range{{0, 1 << 63}}, nil},
		{[]Range{{5, 4096}}, nil},
		{nil, []Range{{4096, 5000}}},
		{[]Range{{8192, 4096}}, nil},
		{[]Range{{0, 8192}}, []Range{{4096, 4096}}},
		{[]Range{{0, 8192}}, []Range{{4096, 12288}}},
		{[]Range{{0, 1 << 47}}, nil}, // too many small pages
	} {
		for _, f := range []*tableFormat{&formatX64, &formatAA64} {
			if _, err := newPageTables(f, base, test.ram, test.devices, false); !errors.Is(err, errTrampoline) {
				t.Errorf("%v and %v: %v, want an error", test.ram, test.devices, err)
			}
		}
	}
}

// The bits of the entries, as the manuals have them.
func TestPageTableEntries(t *testing.T) {
	for _, test := range []struct {
		format              *tableFormat
		page, large, device uint64
		table               uint64 // the bits of each that leads to a table
	}{
		{&formatX64, 0x1063, 0x2000e3, 0x40007b, 0x23},
		{&formatAA64, 0x1703, 0x200701, 0x60000000400707, 0x3},
	} {
		pt, err := newPageTables(test.format, 0, []Range{{0x1000, 0x2000}, {mib2, 2 * mib2}}, []Range{{2 * mib2, 2*mib2 + 0x1000}}, true)
		if err != nil {
			t.Fatal(err)
		}
		var pages []uint64
		tables := 1
		for raw := pt.raw; len(raw) > 0; raw = raw[8:] {
			switch entry := binary.LittleEndian.Uint64(raw); {
			case entry == 0:
			case entry&0xfff == test.table && entry < uint64(len(pt.raw)):
				tables++
			default:
				pages = append(pages, entry)
			}
		}
		slices.Sort(pages)
		if want := []uint64{test.page, test.large, test.device}; !slices.Equal(pages, want) || tables*pageSize != len(pt.raw) {
			t.Errorf("entries %#x, want %#x; %d tables are found of %d", pages, want, tables, len(pt.raw)/pageSize)
		}
	}
}

func goodParams() TrampolineParams {
	return TrampolineParams{
		Base:  0x1000000,
		State: CPUState{PC: 0x200000, Ctrl: 0x1f80, X87: 0x37f},
		RAM:   []Range{{0, gib}},
	}
}

func TestTrampolineRefuses(t *testing.T) {
	tr, err := Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	from := Range{0x300000, 0x304000}
	for name, change := range map[string]func(*TrampolineParams){
		"base not aligned":             func(p *TrampolineParams) { p.Base++ },
		"base at the end":              func(p *TrampolineParams) { p.Base = 1<<64 - pageSize },
		"base too high":                func(p *TrampolineParams) { p.Base = 1 << 47 },
		"MXCSR":                        func(p *TrampolineParams) { p.State.Ctrl |= 1 << 16 },
		"rip not canonical":            func(p *TrampolineParams) { p.State.PC = 1 << 47 },
		"rip not mapped":               func(p *TrampolineParams) { p.State.PC = gib },
		"rsp not canonical":            func(p *TrampolineParams) { p.State.GP[4] = 1 << 63 },
		"four levels above 4 GiB":      func(p *TrampolineParams) { p.FourLevels, p.Base = true, 1<<32-pageSize },
		"copy of no pages":             func(p *TrampolineParams) { p.Copies = []Copy{{Range{0x300000, 0x300000}, 0x400000}} },
		"copy of half a page":          func(p *TrampolineParams) { p.Copies = []Copy{{Range{0x300000, 0x300800}, 0x400000}} },
		"copy to half a page":          func(p *TrampolineParams) { p.Copies = []Copy{{from, 0x400800}} },
		"copy from nowhere":            func(p *TrampolineParams) { p.Copies = []Copy{{Range{gib, gib + pageSize}, 0x400000}} },
		"copy to nowhere":              func(p *TrampolineParams) { p.Copies = []Copy{{from, gib - pageSize}} },
		"copy over itself":             func(p *TrampolineParams) { p.Copies = []Copy{{from, 0x303000}} },
		"copy over what is copied":     func(p *TrampolineParams) { p.Copies = []Copy{{Range{0x500000, 0x501000}, 0x303000}, {from, 0x600000}} },
		"copy over another copy":       func(p *TrampolineParams) { p.Copies = []Copy{{from, 0x600000}, {Range{0x500000, 0x501000}, 0x603000}} },
		"copy over the trampoline":     func(p *TrampolineParams) { p.Copies = []Copy{{from, p.Base - 0x3000}} },
		"copy over its stack":          func(p *TrampolineParams) { p.Copies = []Copy{{from, p.Base + 0x6000}} },
		"copy of the trampoline":       func(p *TrampolineParams) { p.Copies = []Copy{{Range{p.Base, p.Base + 0x1000}, 0x400000}} },
		"zeros in the trampoline":      func(p *TrampolineParams) { p.Zeros = []Range{{p.Base - 0x1000, p.Base + 0x1000}} },
		"zeros in what was copied":     func(p *TrampolineParams) { p.Copies, p.Zeros = []Copy{{from, 0x600000}}, []Range{{0x603000, 0x604000}} },
		"zeros nowhere":                func(p *TrampolineParams) { p.Zeros = []Range{{gib, gib + pageSize}} },
		"zeros in half a page":         func(p *TrampolineParams) { p.Zeros = []Range{{0x300000, 0x300800}} },
		"zeros backwards":              func(p *TrampolineParams) { p.Zeros = []Range{{0x301000, 0x300000}} },
		"region not mapped":            func(p *TrampolineParams) { p.Regions = []Region{{Range: Range{gib - 1, gib + 1}}} },
		"region backwards":             func(p *TrampolineParams) { p.Regions = []Region{{Range: Range{0x300000, 0x200000}}} },
		"console of no kind":           func(p *TrampolineParams) { p.Console.Kind = 5 },
		"console behind the ports":     func(p *TrampolineParams) { p.Console = Console{ConsolePort, 0xfff9, 0} },
		"console of great strides":     func(p *TrampolineParams) { p.Console = Console{Console8250, 0xfe000000, 5} },
		"console not aligned":          func(p *TrampolineParams) { p.Console = Console{Console8250x32, 0xfe000002, 2} },
		"console not in memory":        func(p *TrampolineParams) { p.Console = Console{Console8250, 1 << 63, 2} },
		"mapped what cannot be":        func(p *TrampolineParams) { p.RAM = append(p.RAM, Range{1 << 60, 1<<60 + pageSize}) },
		"mapped more than is sensible": func(p *TrampolineParams) { p.RAM = []Range{{0, 1 << 47}} },
		"half a page":                  func(p *TrampolineParams) { p.RAM = []Range{{0, gib + 1}} },
		"a console in RAM":             func(p *TrampolineParams) { p.Console = Console{Console8250, 0x200000, 0} },
		"copy to a device":             func(p *TrampolineParams) { p.Devices, p.Copies = []Range{{gib, 2 * gib}}, []Copy{{from, gib}} },
	} {
		p := goodParams()
		change(&p)
		if image, err := tr.Build(p); !errors.Is(err, errTrampoline) {
			t.Errorf("%s: %d bytes, %v, want an error", name, len(image), err)
		}
	}
	for name, change := range map[string]func(*TrampolineParams){
		"as it is":                 func(p *TrampolineParams) {},
		"zeros in what was copied": func(p *TrampolineParams) { p.Copies, p.Zeros = []Copy{{from, 0x304000}}, []Range{from} },
		"one source twice":         func(p *TrampolineParams) { p.Copies = []Copy{{from, 0x304000}, {from, 0x308000}} },
		"console beside the map":   func(p *TrampolineParams) { p.Console = Console{Console8250x32, 0xfe000000, 2} },
		"trampoline beside it":     func(p *TrampolineParams) { p.Base = 1 << 40 },
		"console among devices": func(p *TrampolineParams) {
			p.Console, p.Devices = Console{Console8250, 0xfe000000, 0}, []Range{{0xfd000000, 0xff000000}}
		},
		"an empty region": func(p *TrampolineParams) { p.Verify, p.Regions = true, []Region{{}} },
	} {
		p := goodParams()
		change(&p)
		if _, err := tr.Build(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if tr, err := Trampoline("riscv64"); err == nil {
		t.Errorf("Trampoline(riscv64) = %v", tr)
	}
}

// What Build makes, read back as the trampoline reads it.
func TestTrampolineImage(t *testing.T) {
	tr, err := Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tr.blob.Code); n > 4096+trampolineX64Size {
		t.Errorf("the trampoline has %d bytes", n)
	}
	r := rand.New(rand.NewPCG(1, 2))
	p := goodParams()
	p.Verify, p.SHA = true, true
	p.State.Flags = 1<<64 - 1
	for i := range p.State.GP {
		p.State.GP[i] = r.Uint64() >> 20
		p.State.V[i] = [16]byte{byte(i), 15: byte(^i)}
	}
	p.Regions = []Region{{Range{0x100000, 0x180001}, [32]byte{1, 31: 2}}, {Range{0x200000, 0x200000}, [32]byte{3}}}
	p.Copies = []Copy{{Range{0x300000, 0x304000}, 0x400000}, {Range{0x305000, 0x306000}, 0x500000}}
	p.Zeros = []Range{{0x600000, 0x680000}}
	p.Console = Console{Console8250x32, 0xfe001000, 2}
	image, err := tr.Build(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tr.Build(p)
	if err != nil || !bytes.Equal(image, again) {
		t.Errorf("a second Build differs, %v", err)
	}
	end := p.Base + uint64(len(image))
	if len(image)%pageSize != 0 || !bytes.Equal(image[len(image)-pageSize:], make([]byte, pageSize)) {
		t.Errorf("%d bytes, without a page of zeros for the stack", len(image))
	}
	var b trampolineX64Block
	if _, err := binary.Decode(image[tr.blob.params:], binary.LittleEndian, &b); err != nil {
		t.Fatal(err)
	}
	want := trampolineX64Block{
		trampolineCommon: trampolineCommon{
			Regions: b.Regions, Count: 4, CountCheck: ^uint32(4), Copies: b.Copies, CopyCount: 2, Zeros: b.Zeros, ZeroCount: 1,
			Console: 0xfe001000, Kind: uint32(Console8250x32), Shift: 2, Flags: flagSHA, Stack: end,
		},
		Root4: b.Root4, Root5: b.Root5, RIP: p.State.PC, RFLAGS: 0xcd7, GP: [16]uint64(p.State.GP[:]),
		FX: fxState{FCW: 0x37f, MXCSR: 0x1f80, XMM: [16][16]byte(p.State.V[:])},
	}
	if b != want {
		t.Errorf("block %+v, want %+v", b, want)
	}
	at := func(address, size uint64) []byte {
		t.Helper()
		if address < p.Base || address+size > end-pageSize {
			t.Fatalf("%#x is not in the image", address)
		}
		return image[address-p.Base:][:size]
	}
	words := func(raw []byte) (all []uint64) {
		for ; len(raw) > 0; raw = raw[8:] {
			all = append(all, binary.LittleEndian.Uint64(raw))
		}
		return all
	}
	if got, want := words(at(b.Copies, 48)), []uint64{0x300000, 0x400000, 4, 0x305000, 0x500000, 1}; !slices.Equal(got, want) {
		t.Errorf("copies %#x, want %#x", got, want)
	}
	if got, want := words(at(b.Zeros, 16)), []uint64{0x600000, 0x80}; !slices.Equal(got, want) {
		t.Errorf("zeros %#x, want %#x", got, want)
	}
	var own uint64
	for i := range uint64(4) {
		r := at(b.Regions+regionSize*i, regionSize)
		start, size := binary.LittleEndian.Uint64(r), binary.LittleEndian.Uint64(r[8:])
		if i < ownRegions {
			if sha256.Sum256(at(start, size)) != [32]byte(r[16:]) {
				t.Errorf("own region %d is not verified by its digest", i)
			}
			own += size
		} else if w := p.Regions[i-ownRegions]; start != w.Start || size != w.End-w.Start || [32]byte(r[16:]) != w.SHA256 {
			t.Errorf("region %d is % x", i, r)
		}
	}
	if own+4*regionSize != uint64(len(image)-pageSize) {
		t.Errorf("%d bytes of %d are verified", own, len(image))
	}
	tables := Range{b.Root5, end - pageSize}
	for _, a := range []uint64{0, p.State.PC, p.Base, end - 1, 0xfe001000, gib - 1} {
		if to, _, _ := walk(t, &formatX64, tables.Start, at(tables.Start, tables.End-tables.Start), b.Root4, 4, a); to != a {
			t.Errorf("%#x is mapped to %#x", a, to)
		}
	}
	p.Verify = false
	if image, err = tr.Build(p); err != nil {
		t.Fatal(err)
	}
	if _, err := binary.Decode(image[tr.blob.params:], binary.LittleEndian, &b); err != nil || b.Count != 0 || b.CountCheck != 1<<32-1 {
		t.Errorf("without verification: %d regions, %#x, %v", b.Count, b.CountCheck, err)
	}
}
