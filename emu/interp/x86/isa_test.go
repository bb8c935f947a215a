// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"testing/iotest"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
	"github.com/uefiexec/uefiexec/emu/ptrace"
)

// rare are instructions that code of any bytes seldom is: prefixes, a place for
// REX, opcode, and how many bytes follow the ModRM byte's operand.
var rare = []struct {
	name   string
	prefix []byte
	opcode []byte
	imm    int
}{
	{"pcmpestrm", []byte{0x66}, []byte{0x0f, 0x3a, 0x60}, 1},
	{"pcmpestri", []byte{0x66}, []byte{0x0f, 0x3a, 0x61}, 1},
	{"pcmpistrm", []byte{0x66}, []byte{0x0f, 0x3a, 0x62}, 1},
	{"pcmpistri", []byte{0x66}, []byte{0x0f, 0x3a, 0x63}, 1},
	{"pcmpgtq", []byte{0x66}, []byte{0x0f, 0x38, 0x37}, 0},
	{"crc32b", []byte{0xf2}, []byte{0x0f, 0x38, 0xf0}, 0},
	{"crc32", []byte{0xf2}, []byte{0x0f, 0x38, 0xf1}, 0},
	{"crc32w", []byte{0x66, 0xf2}, []byte{0x0f, 0x38, 0xf1}, 0},
	{"adcx", []byte{0x66}, []byte{0x0f, 0x38, 0xf6}, 0},
	{"adox", []byte{0xf3}, []byte{0x0f, 0x38, 0xf6}, 0},
	{"movbe load", nil, []byte{0x0f, 0x38, 0xf0}, 0},
	{"movbe load of 16 bits", []byte{0x66}, []byte{0x0f, 0x38, 0xf0}, 0},
	{"movbe store", nil, []byte{0x0f, 0x38, 0xf1}, 0},
	{"popcnt", []byte{0xf3}, []byte{0x0f, 0xb8}, 0},
	{"popcntw", []byte{0x66, 0xf3}, []byte{0x0f, 0xb8}, 0},
	{"tzcnt", []byte{0xf3}, []byte{0x0f, 0xbc}, 0},
	{"lzcnt", []byte{0xf3}, []byte{0x0f, 0xbd}, 0},
	{"lzcntw", []byte{0x66, 0xf3}, []byte{0x0f, 0xbd}, 0},
	{"bsf", nil, []byte{0x0f, 0xbc}, 0},
	{"xadd", nil, []byte{0x0f, 0xc1}, 0},
	{"lock xadd", []byte{0xf0}, []byte{0x0f, 0xc1}, 0},
	{"cmpxchg", nil, []byte{0x0f, 0xb1}, 0},
	{"cmpxchg16b", nil, []byte{0x0f, 0xc7}, 0},
	{"lock cmpxchg16b", []byte{0xf0}, []byte{0x0f, 0xc7}, 0},
	{"bt immediate", nil, []byte{0x0f, 0xba}, 1},
	{"btw immediate", []byte{0x66}, []byte{0x0f, 0xba}, 1},
	{"lock bts", []byte{0xf0}, []byte{0x0f, 0xab}, 0},
	{"shld", nil, []byte{0x0f, 0xa4}, 1},
	{"shldw", []byte{0x66}, []byte{0x0f, 0xa4}, 1},
	{"shrd", nil, []byte{0x0f, 0xad}, 0},
	{"shrdw", []byte{0x66}, []byte{0x0f, 0xad}, 0},
	{"fsgsbase", []byte{0xf3}, []byte{0x0f, 0xae}, 0},
	{"prefetch", nil, []byte{0x0f, 0x18}, 0},
	{"prefetchw", nil, []byte{0x0f, 0x0d}, 0},
	{"nop", []byte{0x66, 0x66}, []byte{0x0f, 0x1f}, 0},
	{"endbr", []byte{0xf3}, []byte{0x0f, 0x1e}, 0},
	{"lahf", nil, []byte{0x9f}, -1},
	{"sahf", nil, []byte{0x9e}, -1},
	{"xlat", nil, []byte{0xd7}, -1},
	{"xlat, 32-bit address", []byte{0x67}, []byte{0xd7}, -1},
	{"rep movs, 32-bit address", []byte{0x67, 0xf3}, []byte{0xa5}, -1},
	{"rep stos, 32-bit address", []byte{0x67, 0xf3}, []byte{0xab}, -1},
	{"repne scas, 32-bit address", []byte{0x67, 0xf2}, []byte{0xae}, -1},
	{"repe cmps, 32-bit address", []byte{0x67, 0xf3}, []byte{0xa6}, -1},
	{"lods, 32-bit address", []byte{0x67}, []byte{0xad}, -1},
	{"mov gs", []byte{0x65}, []byte{0x8b}, 0},
	{"add fs", []byte{0x64}, []byte{0x01}, 0},
	{"bts fs", []byte{0x64}, []byte{0x0f, 0xab}, 0},
	{"movs gs", []byte{0x65}, []byte{0xa4}, -1},
	{"ldmxcsr", nil, []byte{0x0f, 0xae}, 0},
	{"clflush", []byte{0x66}, []byte{0x0f, 0xae}, 0},
	{"ladder of frames", nil, []byte{0xc8}, 3},
}

// rareCase makes a case of row i of rare, or none if what came out is not to be
// compared.
func (g generator) rareCase(i int) (diffCase, bool) {
	row := rare[i]
	code := append([]byte{}, row.prefix...)
	if g.IntN(2) == 0 {
		code = append(code, 0x40|byte(g.IntN(2))<<3|byte(g.IntN(4))&^1)
	}
	code = append(code, row.opcode...)
	switch {
	case row.name == "ladder of frames":
		code = append(code, byte(g.IntN(8)*8), 0, byte(g.IntN(6)))
	case row.imm >= 0:
		reg, rm := byte(g.IntN(8)), byte(g.IntN(8))
		if g.IntN(2) == 0 {
			code = append(code, 0xc0|reg<<3|rm)
		} else {
			code = append(code, 0x43|reg<<3, byte(g.IntN(8)*16))
		}
		for range row.imm {
			code = append(code, byte(g.Uint32()))
		}
	}
	d, n, err := decode(code, uint64(diffCode))
	if err != nil || n != len(code) || d.end {
		return diffCase{}, false
	}
	c := diffCase{code: code}
	var count uint64
	c.setup, count = g.setup()
	switch name(&d) {
	case "undefined", "random", "rdpid", "fxsave", "fxrstor", "ldmxcsr":
		return c, false
	case "compareStrings":
		c.setup = append(c.setup, movImm(cpu.RAX, uint64(g.IntN(40))-18)...)
		c.setup = append(c.setup, movImm(cpu.RDX, uint64(g.IntN(40))-18)...)
	case "enter":
		c.setup = append(c.setup, movImm(cpu.RBP, uint64(diffStack)+0xc00)...)
	case "xlat":
		c.setup = append(c.setup, movImm(cpu.RBX, uint64(diffData)+0x100)...)
	case "segmentBase":
		if !d.mem && d.op >= 2 {
			c.setup = append(c.setup, movImm(int(d.rm&15), g.value()>>g.IntN(64))...)
		}
	}
	if d.seg != regZero { // bases that keep operands where they are
		c.setup = append(c.setup, movImm(cpu.R8, uint64(g.IntN(0x40)))...)
		c.setup = append(c.setup, 0xf3, 0x49, 0x0f, 0xae, 0xd0|(d.seg-regFS)<<3) // wrfsbase, wrgsbase
	}
	if c.undefined = undefinedFlags(&d, c.code, count); c.undefined == all {
		return c, false
	}
	if c.undefined != 0 && (d.reg&31 == cpu.RSP || !d.mem && d.rm&31 == cpu.RSP) {
		return c, false
	}
	return c, true
}

// TestRare compares instructions that TestDifferential seldom makes with the processor.
func TestRare(t *testing.T) {
	native, ours := pair(t)
	seed, rounds := chosen(20, 20)
	g := generator{rand.New(rand.NewPCG(seed, 42))}
	for i, row := range rare {
		total := 0
		for range rounds {
			p := g.program()
			p.cases = p.cases[:0]
			for tries := 0; tries < 400 && len(p.cases) < 40; tries++ {
				if c, ok := g.rareCase(i); ok {
					p.cases = append(p.cases, c)
				}
			}
			n := len(p.cases)
			if total += n; n == 0 {
				continue
			}
			a := native.run(t, p, n)
			if a.other || differs(a, ours.run(t, p, n), p.cases[n-1]) == "" {
				continue
			}
			for n = 1; n <= len(p.cases); n++ {
				last := p.cases[n-1]
				if diff := differs(native.run(t, p, n), ours.run(t, p, n), last); diff != "" {
					t.Errorf("%s: case %d, %s\n%s", row.name, n, disassembled(last.code), diff)
					break
				}
			}
			break
		}
		if total < rounds {
			t.Errorf("%s: %d cases", row.name, total)
		}
	}
}

// TestLock steps over all opcodes with a lock prefix: those that must not have
// one are illegal, as on the processor.
func TestLock(t *testing.T) {
	native, ours := pair(t)
	step := func(m machine, code []byte) cpu.Exit {
		if err := m.mem.Write(diffCode, code); err != nil {
			t.Fatal(err)
		}
		r := cpu.Regs{PC: uint64(diffCode), Flags: 0x202}
		for i := range r.GP[:16] {
			r.GP[i] = uint64(diffData) + 0x800
		}
		r.GP[cpu.RSP] = uint64(diffStack) + 0x800
		x, err := m.engine.Run(t.Context(), &r, cpu.Stop{Steps: 1})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	total := 0
	for _, opcodes := range [][]byte{nil, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}} {
		for op := range 256 {
			for _, modrm := range []byte{0x03, 0xc1} {
				for reg := range byte(8) {
					code := append(append([]byte{0xf0}, opcodes...), byte(op), modrm|reg<<3, 0, 0, 0, 0, 0, 0, 0, 0)
					_, _, err := decode(code, uint64(diffCode))
					if err != nil || len(opcodes) == 1 && (op == 0x05 || op == 0x34) {
						continue // what the other engine calls a system call with any prefix
					}
					total++
					a, b := step(native, code), step(ours, code)
					if a.Kind != b.Kind || a.Cause != b.Cause {
						t.Errorf("%s: %v %v, native %v %v", disassembled(code), b.Kind, b.Cause, a.Kind, a.Cause)
					}
				}
			}
		}
	}
	if total < 10000 {
		t.Errorf("%d instructions", total)
	}
}

// chosen are the seed and the number of rounds of a test: by X86_SEED and X86_ROUNDS,
// or the usual ones.
func chosen(usual, short int) (seed uint64, rounds int) {
	seed, rounds = 1, usual
	if testing.Short() {
		rounds = short
	}
	if s := os.Getenv("X86_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("X86_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	return seed, rounds
}

// pair is the processor and the interpreter.
func pair(t *testing.T) (native, ours machine) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	native, err := newMachine(ptrace.New)
	if errors.Is(err, cpu.ErrNotSupported) {
		if os.Getenv("UEFIEXEC_NOSKIP") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(native.close)
	if ours, err = newMachine(New); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ours.close)
	return native, ours
}

// Random numbers come from the source that the engine was given, which CPUID
// tells; a source that fails is a number that is not there.
func TestRandom(t *testing.T) {
	code := []byte{
		0x31, 0xc9, // xor %ecx, %ecx
		0xb8, 1, 0, 0, 0, // mov $1, %eax
		0x0f, 0xa2, // cpuid
		0x89, 0xce, // mov %ecx, %esi
		0x31, 0xc9, // xor %ecx, %ecx
		0xb8, 7, 0, 0, 0, // mov $7, %eax
		0x0f, 0xa2, // cpuid
		0x89, 0xdf, // mov %ebx, %edi
		0x48, 0x0f, 0xc7, 0xf0, // rdrand %rax
		0x0f, 0xc7, 0xfb, // rdseed %ebx
		0x66, 0x0f, 0xc7, 0xf1, // rdrand %cx
		0x0f, 0x92, 0xc2, // setb %dl
		0xf4, // hlt
	}
	for _, test := range []struct {
		name   string
		random io.Reader
		want   [4]uint64 // rax, rbx, cx, dl
		shown  bool
		cause  cpu.Cause
	}{
		{"source", &numbers{}, [4]uint64{0x0807060504030201, 0x0c0b0a09, 0x0e0d, 1}, true, 0},
		{"no numbers", iotest.ErrReader(errors.New("no entropy")), [4]uint64{}, true, 0},
		{"none", nil, [4]uint64{}, false, cpu.Illegal},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := mem.New(efi.Range{Start: diffCode, End: diffEnd})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			gates := efi.Range{Start: diffGates, End: diffEnd}
			for a := gates.Start; a < gates.End; a++ {
				if err := m.Write(a, []byte{0xcc}); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Write(diffCode, code); err != nil {
				t.Fatal(err)
			}
			e, err := New(cpu.Config{Arch: cpu.AMD64, Memory: m, Gates: gates, Random: test.random})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			r := cpu.Regs{PC: uint64(diffCode), Flags: 0x202}
			x, err := e.Run(t.Context(), &r, cpu.Stop{})
			if err != nil {
				t.Fatal(err)
			}
			rand, seed := r.GP[cpu.RSI]>>30&1 != 0, r.GP[cpu.RDI]>>18&1 != 0
			if rand != test.shown || seed != test.shown {
				t.Errorf("CPUID shows RDRAND %v, RDSEED %v", rand, seed)
			}
			if test.cause != 0 {
				if x.Kind != cpu.Fault || x.Cause != test.cause || x.Inst == "" {
					t.Errorf("%+v", x)
				}
				return
			}
			if got := [4]uint64{r.GP[cpu.RAX], r.GP[cpu.RBX], r.GP[cpu.RCX] & 0xffff, r.GP[cpu.RDX] & 0xff}; x.Kind != cpu.Halt || got != test.want {
				t.Errorf("%+v, %x", x, got)
			}
		})
	}
}

// numbers reads as 1, 2, 3, …
type numbers struct{ n byte }

func (c *numbers) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}

// A far pointer's selector can be null, but for SS.
func TestLoadFar(t *testing.T) {
	for _, test := range []struct {
		code     []byte
		selector uint16
		cause    cpu.Cause
		rax      uint64
	}{
		{[]byte{0x48, 0x0f, 0xb4, 0x03, 0xf4}, 0, 0, 0x1122334455667788},      // lfs (%rbx), %rax
		{[]byte{0x0f, 0xb5, 0x03, 0xf4}, 0x3344, cpu.Protection, 5},           // lgs (%rbx), %eax
		{[]byte{0x48, 0x0f, 0xb2, 0x03, 0xf4}, userSS, 0, 0x1122334455667788}, // lss (%rbx), %rax
		{[]byte{0x48, 0x0f, 0xb2, 0x03, 0xf4}, 0, cpu.Protection, 5},          // lss (%rbx), %rax
		{[]byte{0x66, 0x0f, 0xb4, 0x43, 0x08, 0xf4}, 1, 0, 1},                 // lfs 8(%rbx), %ax
	} {
		m, e, r := start(t, test.code)
		var b [32]byte
		le.PutUint64(b[:], 0x1122334455667788)
		le.PutUint16(b[8:], test.selector)
		if err := m.mem.Write(diffData, b[:]); err != nil {
			t.Fatal(err)
		}
		r.GP[cpu.RBX], r.GP[cpu.RAX] = uint64(diffData), 5
		if x, err := e.Run(t.Context(), &r, cpu.Stop{}); err != nil || x.Cause != test.cause || r.GP[cpu.RAX] != test.rax {
			t.Errorf("% x, selector %#x: %+v, %v, rax %#x", test.code, test.selector, x, err, r.GP[cpu.RAX])
		}
	}
}

// TestFeatures executes an instruction of each feature, which must be legal if
// CPUID shows it, and illegal if not.
func TestFeatures(t *testing.T) {
	const ebx, ecx, edx = 1, 2, 3
	for _, f := range []struct {
		name string
		leaf uint32
		reg  int
		bit  uint
		code []byte
	}{
		{"FPU", 1, edx, 0, []byte{0xd9, 0xe8}},                               // fld1
		{"CX8", 1, edx, 8, []byte{0x0f, 0xc7, 0x0b}},                         // cmpxchg8b (%rbx)
		{"CMOV", 1, edx, 15, []byte{0x0f, 0x44, 0xc1}},                       // cmove %ecx, %eax
		{"CLFLUSH", 1, edx, 19, []byte{0x0f, 0xae, 0x3b}},                    // clflush (%rbx)
		{"MMX", 1, edx, 23, []byte{0x0f, 0xfc, 0xc1}},                        // paddb %mm1, %mm0
		{"FXSR", 1, edx, 24, []byte{0x0f, 0xae, 0x03}},                       // fxsave (%rbx)
		{"SSE", 1, edx, 25, []byte{0x0f, 0x58, 0xc1}},                        // addps %xmm1, %xmm0
		{"SSE2", 1, edx, 26, []byte{0x66, 0x0f, 0x58, 0xc1}},                 // addpd %xmm1, %xmm0
		{"SSE3", 1, ecx, 0, []byte{0xf2, 0x0f, 0xd0, 0xc1}},                  // addsubps %xmm1, %xmm0
		{"SSE3 of the x87", 1, ecx, 0, []byte{0xdd, 0x0b}},                   // fisttpll (%rbx)
		{"PCLMULQDQ", 1, ecx, 1, []byte{0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00}}, // pclmulqdq $0, %xmm1, %xmm0
		{"SSSE3", 1, ecx, 9, []byte{0x66, 0x0f, 0x38, 0x00, 0xc1}},           // pshufb %xmm1, %xmm0
		{"FMA", 1, ecx, 12, []byte{0xc4, 0xe2, 0x71, 0x98, 0xc2}},            // vfmadd132ps %xmm2, %xmm1, %xmm0
		{"CMPXCHG16B", 1, ecx, 13, []byte{0x48, 0x0f, 0xc7, 0x0b}},           // cmpxchg16b (%rbx)
		{"SSE4.1", 1, ecx, 19, []byte{0x66, 0x0f, 0x38, 0x10, 0xc1}},         // pblendvb %xmm0, %xmm1, %xmm0
		{"SSE4.2", 1, ecx, 20, []byte{0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x00}},   // pcmpistri $0, %xmm1, %xmm0
		{"MOVBE", 1, ecx, 22, []byte{0x0f, 0x38, 0xf0, 0x03}},                // movbe (%rbx), %eax
		{"POPCNT", 1, ecx, 23, []byte{0xf3, 0x0f, 0xb8, 0xc1}},               // popcnt %ecx, %eax
		{"AES", 1, ecx, 25, []byte{0x66, 0x0f, 0x38, 0xdc, 0xc1}},            // aesenc %xmm1, %xmm0
		{"XSAVE", 1, ecx, 26, []byte{0x0f, 0xae, 0x23}},                      // xsave (%rbx)
		{"OSXSAVE", 1, ecx, 27, []byte{0x0f, 0x01, 0xd0}},                    // xgetbv
		{"AVX", 1, ecx, 28, []byte{0xc5, 0xf8, 0x58, 0xc1}},                  // vaddps %xmm1, %xmm0, %xmm0
		{"F16C", 1, ecx, 29, []byte{0xc4, 0xe2, 0x79, 0x13, 0xc1}},           // vcvtph2ps %xmm1, %xmm0
		{"RDRAND", 1, ecx, 30, []byte{0x0f, 0xc7, 0xf0}},                     // rdrand %eax
		{"FSGSBASE", 7, ebx, 0, []byte{0xf3, 0x0f, 0xae, 0xc0}},              // rdfsbase %eax
		{"BMI1", 7, ebx, 3, []byte{0xc4, 0xe2, 0x70, 0xf2, 0xc2}},            // andn %edx, %ecx, %eax
		{"HLE", 7, ebx, 4, []byte{0x0f, 0x01, 0xd6}},                         // xtest
		{"AVX2", 7, ebx, 5, []byte{0xc5, 0xf5, 0xfc, 0xc2}},                  // vpaddb %ymm2, %ymm1, %ymm0
		{"BMI2", 7, ebx, 8, []byte{0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 0x05}},      // rorx $5, %ecx, %eax
		{"RTM", 7, ebx, 11, []byte{0xc6, 0xf8, 0x00}},                        // xabort $0
		{"RDSEED", 7, ebx, 18, []byte{0x0f, 0xc7, 0xf8}},                     // rdseed %eax
		{"ADX", 7, ebx, 19, []byte{0x66, 0x0f, 0x38, 0xf6, 0xc1}},            // adcx %ecx, %eax
		{"CLFLUSHOPT", 7, ebx, 23, []byte{0x66, 0x0f, 0xae, 0x3b}},           // clflushopt (%rbx)
		{"CLWB", 7, ebx, 24, []byte{0x66, 0x0f, 0xae, 0x33}},                 // clwb (%rbx)
		{"SHA", 7, ebx, 29, []byte{0x0f, 0x38, 0xc8, 0xc1}},                  // sha1nexte %xmm1, %xmm0
		{"GFNI", 7, ecx, 8, []byte{0x66, 0x0f, 0x38, 0xcf, 0xc1}},            // gf2p8mulb %xmm1, %xmm0
		{"RDPID", 7, ecx, 22, []byte{0xf3, 0x0f, 0xc7, 0xf8}},                // rdpid %rax
		{"MOVDIRI", 7, ecx, 27, []byte{0x0f, 0x38, 0xf9, 0x03}},              // movdiri %eax, (%rbx)
		{"SERIALIZE", 7, edx, 14, []byte{0x0f, 0x01, 0xe8}},                  // serialize
		{"LAHF", 0x80000001, ecx, 0, []byte{0x9f}},                           // lahf
		{"LZCNT", 0x80000001, ecx, 5, []byte{0xf3, 0x0f, 0xbd, 0xc1}},        // lzcnt %ecx, %eax
		{"SSE4A", 0x80000001, ecx, 6, []byte{0x66, 0x0f, 0x79, 0xc1}},        // extrq %xmm1, %xmm0
		{"XOP", 0x80000001, ecx, 11, []byte{0x8f, 0xe9, 0x78, 0x81, 0xc1}},   // vfrczpd %xmm1, %xmm0
		{"TBM", 0x80000001, ecx, 21, []byte{0x8f, 0xe9, 0x78, 0x01, 0xc9}},   // blcfill %ecx, %eax
		{"RDTSCP", 0x80000001, edx, 27, []byte{0x0f, 0x01, 0xf9}},            // rdtscp
		{"3DNow", 0x80000001, edx, 31, []byte{0x0f, 0x0f, 0xc1, 0x9e}},       // pfadd %mm1, %mm0
	} {
		_, e, r := start(t, append([]byte{0x0f, 0xa2, 0xf4}, append(f.code, 0xf4)...))
		e.random = &numbers{}
		r.GP[cpu.RAX], r.GP[cpu.RCX] = uint64(f.leaf), 0
		if x, err := e.Run(t.Context(), &r, cpu.Stop{}); err != nil || x.Kind != cpu.Halt {
			t.Fatalf("%s: cpuid: %+v, %v", f.name, x, err)
		}
		shown := []uint64{r.GP[cpu.RAX], r.GP[cpu.RBX], r.GP[cpu.RCX], r.GP[cpu.RDX]}[f.reg]>>f.bit&1 != 0
		r.GP[cpu.RBX] = uint64(diffData)
		x, err := e.Run(t.Context(), &r, cpu.Stop{})
		switch {
		case err != nil:
			t.Fatal(err)
		case shown && x.Kind != cpu.Halt, !shown && (x.Kind != cpu.Fault || x.Cause != cpu.Illegal):
			t.Errorf("%s is shown: %v; %+v", f.name, shown, x)
		}
	}
}

// What CPUID does not show is an illegal instruction, and a fault names it.
func TestNotThere(t *testing.T) {
	for _, test := range []struct {
		name string
		code []byte
		inst string
	}{
		{"fsin", []byte{0xd9, 0xfe}, "fsin"},
		{"aesenc", []byte{0x66, 0x0f, 0x38, 0xdc, 0xc1}, "aesenc %xmm1,%xmm0"},
		{"pclmulqdq", []byte{0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x11}, "pclmulhqhqdq %xmm1,%xmm0"},
		{"xgetbv", []byte{0x0f, 0x01, 0xd0}, "xgetbv"},
		{"vpxor", []byte{0xc5, 0xf9, 0xef, 0xc0}, "vpxor %xmm0,%xmm0,%xmm0"},
		{"lock on a register", []byte{0xf0, 0x01, 0xc0}, "lock add %eax,%eax"},
		{"lock mov", []byte{0xf0, 0x89, 0x03}, "lock mov %eax,(%rbx)"},
		{"3DNow", []byte{0x0f, 0x0f, 0xc1, 0x9e}, ""},
		{"vmcall", []byte{0x0f, 0x01, 0xc1}, ""},
		{"monitor", []byte{0x0f, 0x01, 0xc8}, "monitor %eax,%ecx,%edx"},
	} {
		_, e, r := start(t, append(test.code, 0xf4))
		x, err := e.Run(t.Context(), &r, cpu.Stop{})
		if err != nil || x.Kind != cpu.Fault || x.Cause != cpu.Illegal || x.Inst == "" || test.inst != "" && test.inst != x.Inst {
			t.Errorf("%s: %+v, %v", test.name, x, err)
		}
	}
}
