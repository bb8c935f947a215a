// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
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
	d, n, err := decodePlain(code, uint64(diffCode))
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
	seed, rounds := uint64(1), 20
	if s := os.Getenv("X86_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("X86_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
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
			if total += n; n == 0 || differs(native.run(t, p, n), ours.run(t, p, n), p.cases[n-1]) == "" {
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
