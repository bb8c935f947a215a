// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/arch/x86/x86asm"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Memory of the differential test.
const (
	diffCode  efi.Addr = 0x100000 // 4 pages
	diffData  efi.Addr = 0x104000 // 2 pages
	diffFlags efi.Addr = 0x106000 // 1 page: the flags after each case
	diffStack efi.Addr = 0x107000 // 1 page
	diffGates efi.Addr = 0x108000 // 1 page
	diffEnd   efi.Addr = 0x109000
)

// machine is an engine with memory of its own.
type machine struct {
	engine cpu.Engine
	mem    *mem.Memory
}

func newMachine(newEngine cpu.New) (machine, error) {
	m, err := mem.New(efi.Range{Start: diffCode, End: diffEnd})
	if err != nil {
		return machine{}, err
	}
	if err := m.Write(diffGates, bytes.Repeat([]byte{0xcc}, pageSize)); err != nil {
		return machine{}, err
	}
	e, err := newEngine(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: efi.Range{Start: diffGates, End: diffEnd}})
	return machine{e, m}, err
}

func (m machine) close() {
	if m.engine != nil {
		m.engine.Close()
	}
	m.mem.Close()
}

// program is what a run of cases starts with.
type program struct {
	r     cpu.Regs
	fp    cpu.FPState
	data  [2 * pageSize]byte
	cases []diffCase
}

// diffCase is one instruction with what is set up before it.
type diffCase struct {
	setup, code []byte
	undefined   uint64 // flags
	row         row
	inst        []byte // the instruction that it is about
}

func (c diffCase) String() string {
	inst, err := x86asm.Decode(c.inst, 64)
	if err != nil {
		return fmt.Sprintf("% x", c.inst)
	}
	return fmt.Sprintf("% x  %s", c.inst, x86asm.GNUSyntax(inst, 0, nil))
}

// stopped is an exit with the registers there.
type stopped struct {
	x  cpu.Exit
	r  cpu.Regs
	in int // which case
}

// outcome is all that a run of cases has changed.
type outcome struct {
	exits []stopped
	r     cpu.Regs
	fp    cpu.FPState
	data  []byte
	flags []uint64
	other bool // the code is not what it was, or has come to no end
}

func (m machine) run(t *testing.T, p *program, n int) outcome {
	t.Helper()
	var code []byte
	var starts []uint64
	for i, c := range p.cases[:n] {
		starts = append(starts, uint64(diffCode)+uint64(len(code)))
		code = append(append(code, c.setup...), c.code...)
		code = append(code, 0x9c)             // pushfq
		code = append(code, 0x8f, 0x04, 0x25) // popq slot
		code = binary.LittleEndian.AppendUint32(code, uint32(diffFlags)+8*uint32(i))
	}
	code = append(code, 0xe9)
	code = binary.LittleEndian.AppendUint32(code, uint32(diffGates)-uint32(diffCode)-uint32(len(code))-4)
	for at, b := range map[efi.Addr][]byte{
		diffCode: code, diffData: p.data[:], diffFlags: make([]byte, 2*pageSize),
	} {
		if err := m.mem.Write(at, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.engine.SetFP(&p.fp); err != nil {
		t.Fatal(err)
	}
	o := outcome{r: p.r}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	for {
		x, err := m.engine.Run(ctx, &o.r, cpu.Stop{})
		if err != nil {
			t.Fatal(err)
		}
		if x.Kind == cpu.Interrupted {
			o.other = true
			return o
		}
		if hexBytes.MatchString(x.Inst) || ambiguous.MatchString(x.Inst) {
			x.Access = 0 // ptrace cannot tell which it was
		}
		x.Inst = ""
		next, _ := slices.BinarySearch(starts, o.r.PC+1)
		o.exits = append(o.exits, stopped{x, o.r, next - 1})
		if x.Kind == cpu.Gate {
			break
		}
		// Go on behind the case that has faulted.
		if next == 0 || next == len(starts) || len(o.exits) > len(starts) {
			break
		}
		o.r.PC = starts[next]
	}
	if err := m.engine.FP(&o.fp); err != nil {
		t.Fatal(err)
	}
	view, err := m.mem.Read(diffData, uint64(diffGates-diffData))
	if err != nil {
		t.Fatal(err)
	}
	o.data = bytes.Clone(view)
	if view, err = m.mem.Read(diffCode, uint64(len(code))); err != nil {
		t.Fatal(err)
	}
	o.other = !bytes.Equal(view, code)
	slots := o.data[diffFlags-diffData:]
	for i, c := range p.cases[:n] {
		f := binary.LittleEndian.Uint64(slots[8*i:])
		o.flags = append(o.flags, f&^c.undefined)
	}
	clear(o.data[diffFlags-diffData : diffStack-diffData])
	clear(o.data[diffStack-diffData : diffStack-diffData+0x800]) // below the stack, where flags were
	return o
}

// Instructions whose operand in memory ptrace takes for written, clwb (which x86asm
// calls xsaveopt) among them.
var ambiguous = regexp.MustCompile(`push|pop|call|movnti|clflush|xsaveopt`)

var hexBytes = regexp.MustCompile(`^[0-9a-f]{2}( [0-9a-f]{2})*$`)

// differs says in what b is not a.
func differs(a, b outcome, last diffCase) string {
	switch {
	case a.other: // any instructions, of which the interpreter has not all
		return ""
	case b.other:
		return "changed its code or came to no end, not so the processor"
	}
	var diff []string
	add := func(format string, args ...any) { diff = append(diff, fmt.Sprintf(format, args...)) }
	if len(a.exits) != len(b.exits) {
		add("%d exits, native %d", len(b.exits), len(a.exits))
	}
	for i := range min(len(a.exits), len(b.exits)) {
		x, y := a.exits[i], b.exits[i]
		x.r.Flags |= arith
		y.r.Flags |= arith
		if x != y {
			add("exit %+v, native %+v", y, x)
		}
	}
	for i := range 16 {
		if a.r.GP[i] != b.r.GP[i] {
			add("%s %#x, native %#x", cpu.AMD64.RegName(i), b.r.GP[i], a.r.GP[i])
		}
		if a.fp.V[i] != b.fp.V[i] {
			add("xmm%d %x, native %x", i, b.fp.V[i], a.fp.V[i])
		}
	}
	if a.r.PC != b.r.PC || a.r.Base != b.r.Base {
		add("pc %#x, native %#x", b.r.PC, a.r.PC)
	}
	if fa, fb := a.r.Flags&^last.undefined, b.r.Flags&^last.undefined; fa != fb {
		add("flags %#x, native %#x", fb, fa)
	}
	if a.fp.Ctrl != b.fp.Ctrl || a.fp.X87 != b.fp.X87 {
		add("mxcsr %#x, native %#x; x87 %#x, native %#x", b.fp.Ctrl, a.fp.Ctrl, b.fp.X87, a.fp.X87)
	}
	for i := range a.flags {
		if a.flags[i] != b.flags[i] {
			add("flags %#x, native %#x", b.flags[i], a.flags[i])
		}
	}
	for i := range a.data {
		if a.data[i] != b.data[i] {
			add("byte at %#x is %#x, native %#x", int(diffData)+i, b.data[i], a.data[i])
			break
		}
	}
	return strings.Join(diff, "\n")
}

// generator makes random cases.
type generator struct{ *rand.Rand }

func (g generator) value() uint64 {
	edges := []uint64{0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	switch g.IntN(3) {
	case 0:
		return edges[g.IntN(len(edges))] + uint64(g.IntN(3)) - 1
	case 1:
		return g.Uint64() >> g.IntN(64)
	}
	return g.Uint64()
}

// float is 8 bytes of one or two floating-point numbers, of which many are
// special or near to each other.
func (g generator) float() uint64 {
	f64 := []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1.5, 2.5, 3, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64, 0x1p-1022, 0x1p31, -0x1p31 - 0.5, 0x1p63, 2147483647.5, 1e-310, 4503599627370497.5}
	f32 := []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 1.5, 2.5, float32(math.Inf(1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 0x1p31, -0x1p31, 1e-40, 8388609.5, 3}
	single := func() uint64 {
		if g.IntN(3) == 0 {
			return uint64(math.Float32bits(f32[g.IntN(len(f32))]) + uint32(g.IntN(3)) - 1)
		}
		if g.IntN(2) == 0 {
			return uint64(g.Uint32())
		}
		return uint64(math.Float32bits(float32(g.NormFloat64() * 100)))
	}
	switch g.IntN(5) {
	case 0:
		return math.Float64bits(f64[g.IntN(len(f64))]) + uint64(g.IntN(3)) - 1
	case 1:
		return g.Uint64()
	case 2:
		return math.Float64bits(g.NormFloat64() * 1000)
	case 3:
		return g.value()
	}
	return single() | single()<<32
}

func movImm(reg int, v uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x48 | byte(reg>>3), 0xb8 | byte(reg&7)}, v)
}

func (g generator) setup() (code []byte, count uint64) {
	data := uint64(diffData)
	set := func(reg int, v uint64) { code = append(code, movImm(reg, v)...) }
	set(cpu.RSP, uint64(diffStack)+0x800)
	set(cpu.RBX, data+0x800+16*uint64(g.IntN(64))+uint64(g.IntN(8)/7*g.IntN(16)))
	if g.IntN(16) > 0 { // rbx and rbp with a REX prefix
		set(11, data+0x800+16*uint64(g.IntN(64)))
		set(13, uint64(g.IntN(8)*16))
	}
	set(cpu.RSI, data+0x400+uint64(g.IntN(0x200)))
	set(cpu.RDI, data+0x300+uint64(g.IntN(0x400)))
	set(cpu.RBP, uint64(g.IntN(8)*16))
	count = uint64(g.IntN(70))
	if g.IntN(3) == 0 {
		count = uint64(g.IntN(4))
	}
	set(cpu.RCX, count)
	set(cpu.RAX, g.value())
	set([]int{cpu.RDX, 8, 9, 10, 12, 14, 15}[g.IntN(7)], g.value())
	if g.IntN(2) == 0 {
		set(cpu.RDX, uint64(g.IntN(2))*0xffffffffffffffff)
	}
	flags := uint32(g.Uint64()) & arith
	if g.IntN(8) == 0 {
		flags |= df
	}
	code = append(code, 0x68) // pushq flags; popfq
	code = binary.LittleEndian.AppendUint32(code, flags|0x202)
	return append(code, 0x9d), count
}

// operand makes a ModRM byte and what belongs to it.
func (g generator) operand(reg byte) []byte {
	m := reg << 3
	switch g.IntN(6) {
	case 0:
		return []byte{m | 3} // (%rbx)
	case 1:
		return []byte{m | 0x43, byte(g.IntN(16) * 16)} // disp8(%rbx)
	case 2:
		return []byte{m | 0x44, 0x2b | byte(g.IntN(4))<<6, byte(g.IntN(256))} // disp8(%rbx,%rbp,scale)
	case 3:
		if g.IntN(4) == 0 {
			return binary.LittleEndian.AppendUint32([]byte{m | 4, 0x25}, uint32(diffData)+0x100+uint32(g.IntN(0x80)*16))
		}
	}
	return []byte{m | 0xc0 | byte(g.IntN(8))}
}

// encode makes bytes of any instruction up to the ModRM byte and what belongs to it.
func (g generator) encode() []byte {
	var code []byte
	if g.IntN(3) == 0 {
		code = append(code, []byte{0x66, 0xf2, 0xf3, 0x66, 0x67, 0x66}[g.IntN(6)])
	}
	vex := g.IntN(40) == 0
	if vex {
		code = append([]byte{0xc4, 0xe2 | byte(g.IntN(2)), byte(g.IntN(32))<<3&^4 | byte(g.IntN(4))}, []byte{0xf2, 0xf3, 0xf5, 0xf6, 0xf7, 0xf0}[g.IntN(6)])
		if code[1]&3 == 3 {
			code[3] = 0xf0
		}
		if code[1]&3 == 2 {
			code[1] = 0xe2
		}
	} else {
		if g.IntN(3) > 0 {
			code = append(code, 0x40|byte(g.IntN(16)))
		}
		switch op := byte(g.IntN(256)); g.IntN(7) {
		case 0, 1, 2:
			code = append(code, op)
		case 3, 4, 5:
			code = append(code, 0x0f, op)
		case 6:
			code = append(code, 0x0f, 0x38|byte(g.IntN(2)*2), op)
		}
	}
	return append(code, g.operand(byte(g.IntN(8)))...)
}

// generate makes a case of any instruction that runs on, of the next row in turn
// or a random one.
func (g generator) generate(rows *coverage) diffCase {
	for {
		var code []byte
		if g.IntN(2) == 0 {
			code = rows.encode(g)
		} else {
			code = g.encode()
		}
		if c, ok := g.complete(code, rows); ok {
			return c
		}
	}
}

// complete makes a case of an encoding, if it is one that can be compared.
func (g generator) complete(code []byte, rows *coverage) (c diffCase, ok bool) {
	code = binary.LittleEndian.AppendUint64(code, g.value()) // immediates
	code = code[:min(len(code), longest)]
	d, n, err := decode(code, uint64(diffCode))
	if err != nil || name(&d) == "undefined" || name(&d) == "tooLong" {
		return c, false
	}
	c.code = code[:n]
	c.row = rows.find(c.code, d.mem)
	c.inst = c.code
	if c.row.apart(name(&d)) != "" {
		return c, false
	}
	if c.row.table == "" && c.row.opcode&^3 == 0xa0 { // an absolute address
		at := slices.Index(c.code, c.row.opcode) + 1
		copy(c.code[at:], binary.LittleEndian.AppendUint64(nil, uint64(diffData)+uint64(g.IntN(0x1800))))
	}
	var count uint64
	c.setup, count = g.setup()
	if c.undefined = undefinedFlags(&d, c.code, count); c.undefined == all {
		return c, false
	}
	vex := c.code[0]&^1 == 0xc4
	if c.undefined != 0 && (d.reg&31 == cpu.RSP || vex && d.op == cpu.RSP || !d.mem && d.rm&31 == cpu.RSP) {
		return c, false // flags would be pushed elsewhere
	}
	if !testable(&d) && !g.arrange(&c, &d) {
		return c, false
	}
	switch g.IntN(4) {
	case 0: // flags that nobody sees
		c.code = append(c.code, 0x4d, 0x39, 0xc8) // cmpq %r9, %r8
		c.undefined = 0
	case 1: // a comparison and a jump over an incq %r10
		compare := []byte{0x40 | byte(g.IntN(16)), []byte{0x39, 0x3b, 0x85}[g.IntN(3)], 0xc0 | byte(g.IntN(64))}
		if g.IntN(2) == 0 {
			compare = []byte{0x48 | byte(g.IntN(2)), 0x83, 0xf8 | byte(g.IntN(8)), byte(g.IntN(3)) - 1}
		}
		c.code = append(append(c.code, compare...), 0x70|byte(g.IntN(16)), 3, 0x49, 0xff, 0xc2)
		c.undefined = arith // of incq and test, AF
	}
	return c, true
}

// name is the name of the function that executes an instruction.
func name(d *decoded) string {
	full := runtime.FuncForPC(reflect.ValueOf(d.fn).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}

// testable leaves out what goes elsewhere and what is not the same on every
// processor.
func testable(d *decoded) bool {
	switch name(d) {
	case "movToSeg", "popSeg", "loadFar", "enter", "leaveFrame", "popf", "rdpid", "random", "fxrstor", "fxsave":
		return false
	}
	if d.seg != regZero || d.a32 && d.mem {
		return d.a32 && d.seg == regZero
	}
	return !d.end
}

const all = arith

// undefinedFlags are the flags that the manual leaves undefined; all if the
// result is, too.
func undefinedFlags(d *decoded, code []byte, count uint64) uint64 {
	if i := slices.IndexFunc(code, func(b byte) bool { return b == 0x0f }); i >= 0 && i+1 < len(code) && code[i+1]&^1 == 0x52 && d.vec != nil {
		return all
	}
	n := d.imm & 31
	width := uint64(8) << d.sz
	if d.sz == 3 {
		n = d.imm & 63
	}
	if strings.HasSuffix(name(d), "CL") {
		if n = count & 31; d.sz == 3 {
			n = count & 63
		}
	}
	switch name(d) {
	case "aluEG", "aluGE", "aluEI":
		if d.op == opAnd || d.op == opOr || d.op == opXor {
			return af
		}
	case "testEG", "testEI":
		return af
	case "shiftE", "shiftCL":
		f := uint64(0)
		if d.op >= 4 {
			f = af
		}
		if n != 1 {
			f |= of
		}
		if n >= width && d.op >= 4 {
			f |= cf
		}
		if n == 0 {
			f = 0
		}
		return f
	case "shiftDouble", "shiftDoubleCL":
		switch {
		case n > width:
			return all
		case n == 0:
			return 0
		case n == 1:
			return af
		}
		return af | of
	case "mulE", "imul2", "imul3":
		return sf | zf | af | pf
	case "divE":
		return arith | 1<<63 // the result is defined
	case "bitScan":
		return arith &^ zf
	case "btEG", "btEI":
		return of | sf | af | pf
	case "zeroCount":
		return of | sf | af | pf
	case "bswap":
		if d.sz == 1 {
			return all
		}
	case "andn", "bls", "bzhi":
		return af | pf
	case "bextr":
		return af | sf | pf
	}
	return 0
}

func TestDifferential(t *testing.T) {
	native, ours := pair(t)
	seed, rounds := chosen(16700, 400)
	g, rows := generator{rand.New(rand.NewPCG(seed, 7))}, newCoverage()
	total, faults, failed := 0, 0, 0
	seen := map[string]int{}
	start := time.Now()
	for range rounds {
		p := g.program()
		for range 60 {
			p.cases = append(p.cases, g.generate(rows))
		}
		n := len(p.cases)
		a, b := native.run(t, p, n), ours.run(t, p, n)
		total += n
		faults += len(a.exits) - 1
		if differs(a, b, p.cases[n-1]) == "" {
			if !a.other {
				rows.note(p.cases, a)
			}
			continue
		}
		for n = 1; n <= len(p.cases); n++ {
			last := p.cases[n-1]
			a, b = native.run(t, p, n), ours.run(t, p, n)
			if diff := differs(a, b, last); diff != "" {
				key := strings.SplitN(last.String()+"   ", "  ", 2)[1]
				key, _, _ = strings.Cut(strings.TrimSpace(key), " ")
				if seen[key]++; seen[key] <= 2 {
					t.Errorf("case %d, %v (after flags %x)\n%s", n, last, last.setup[len(last.setup)-5:], diff)
				}
				failed++
				break
			}
		}
		if failed > 60 {
			break
		}
	}
	if !testing.Short() {
		rows.check(t)
	}
	t.Logf("%d rows, %d cases, %d faults, %d runs differ, in %v", len(rows.list), total, faults, failed, time.Since(start).Round(time.Millisecond))
}

// program is a state to start with, without cases.
func (g generator) program() *program {
	p := &program{fp: cpu.InitialFP(cpu.AMD64)}
	for i := range p.r.GP[:16] {
		p.r.GP[i] = g.value()
	}
	p.r.PC, p.r.Flags = uint64(diffCode), 0x202
	p.r.GP[cpu.RSP] = uint64(diffStack) + 0x800
	for i := 0; i < len(p.data); i += 8 {
		binary.LittleEndian.PutUint64(p.data[i:], g.float())
	}
	for i := range 16 {
		binary.LittleEndian.PutUint64(p.fp.V[i][:], g.float())
		binary.LittleEndian.PutUint64(p.fp.V[i][8:], g.float())
	}
	p.fp.Ctrl = 0x1f80 | uint32(g.IntN(4))<<13
	switch g.IntN(12) {
	case 0:
		p.fp.Ctrl |= 0x40 // denormals are zeros
	case 1:
		p.fp.Ctrl |= 0x8000 // flush to zero
	case 2:
		p.fp.Ctrl |= 0x8040
	case 3:
		p.fp.Ctrl &^= uint32(1) << (7 + g.IntN(6)) // an exception is not masked
	}
	return p
}
