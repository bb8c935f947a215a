// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// row is an opcode that the decoder knows, in one of its forms.
type row struct {
	table  string // of opcodes: the bytes before the opcode, or the VEX prefix
	prefix byte   // 0x66, 0xf2, 0xf3 or 0
	w      bool   // 64-bit operands
	opcode byte
	ext    int8 // bits 3 to 5 of the ModRM byte where they choose the instruction, or -1
	mem    bool
}

func (r row) String() string {
	var b strings.Builder
	if r.prefix != 0 {
		fmt.Fprintf(&b, "%02x ", r.prefix)
	}
	if r.w {
		b.WriteString("rex.w ")
	}
	fmt.Fprintf(&b, "%s%02x", r.table, r.opcode)
	if r.ext >= 0 {
		fmt.Fprintf(&b, " /%d", r.ext)
	}
	if r.mem {
		b.WriteString(" memory")
	}
	return b.String()
}

// The tables of opcodes.
var (
	legacyTables = map[string][]byte{"": nil, "0f ": {0x0f}, "0f 38 ": {0x0f, 0x38}, "0f 3a ": {0x0f, 0x3a}}
	vexTables    = map[string]byte{"vex 0f ": 1, "vex 0f 38 ": 2, "vex 0f 3a ": 3}
)

// bytes encodes r up to the opcode.
func (r row) bytes() []byte {
	var code []byte
	if m, vex := vexTables[r.table]; vex {
		code = []byte{0xc4, 0xe0 | m, 0x78, r.opcode}
		if r.w {
			code[2] |= 0x80
		}
		code[2] |= byte(slices.Index([]byte{0, 0x66, 0xf3, 0xf2}, r.prefix))
		return code
	}
	if r.prefix != 0 {
		code = append(code, r.prefix)
	}
	if r.w {
		code = append(code, 0x48)
	}
	return append(append(code, legacyTables[r.table]...), r.opcode)
}

// operand is a ModRM byte of the simplest kind.
func (r row) operand() byte {
	m := byte(max(r.ext, 0)) << 3
	if r.mem {
		return m | 3 // (%rbx)
	}
	return m | 0xc1
}

// decode decodes an encoding of r.
func (r row) decode() decoded {
	code := append(r.bytes(), r.operand())
	d, _, _ := decode(append(code, make([]byte, longest-len(code))...), uint64(diffCode))
	return d
}

// form tells what the decoder has made of r. Two rows that differ in a prefix alone
// and have the same form are one.
func (r row) form() (text, handler string) {
	d := r.decode()
	n := name(&d)
	text = fmt.Sprint(n, " ", d.op, " ", d.sz)
	if d.vec != nil || r.table == "" && r.opcode >= 0xa4 && r.opcode < 0xb0 {
		text += fmt.Sprint(" ", r.prefix)
	}
	return text, n
}

// plain is r without prefixes that change nothing.
func (r row) plain() row {
	text, _ := r.form()
	r.mem = r.decode().mem // without a ModRM byte, it depends on the opcode
	for _, without := range []row{{r.table, 0, r.w, r.opcode, r.ext, r.mem}, {r.table, r.prefix, false, r.opcode, r.ext, r.mem}} {
		if same, _ := without.form(); without != r && same == text {
			return without.plain()
		}
	}
	return r
}

// table is all rows that the decoder knows, with the names of their handlers.
func table() map[row]string {
	known := map[row]string{}
	for _, t := range slices.Concat(slices.Collect(maps.Keys(legacyTables)), slices.Collect(maps.Keys(vexTables))) {
		for _, prefix := range []byte{0, 0x66, 0xf2, 0xf3} {
			for i := range 4 * 256 {
				r := row{table: t, prefix: prefix, w: i&256 != 0, opcode: byte(i), mem: i&512 != 0}
				if t == "" && (prefixByte(r.opcode) || r.opcode == 0xcd || r.opcode == 0x0f || r.opcode&^1 == 0xc4) || t == "0f " && r.opcode&^2 == 0x38 {
					continue
				}
				var forms [8]string
				for ext := range forms {
					r.ext = int8(ext)
					forms[ext], _ = r.form()
				}
				group := slices.ContainsFunc(forms[:], func(f string) bool { return f != forms[0] })
				for ext := range forms {
					if r.ext = int8(ext); !group {
						r.ext = -1
					}
					if _, handler := r.form(); handler != "undefined" {
						known[r.plain()] = handler
					}
				}
			}
		}
	}
	return known
}

func prefixByte(b byte) bool {
	return b&0xf0 == 0x40 || b&0xe7 == 0x26 || b >= 0x64 && b <= 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3
}

// rowOf is the row of an encoding that has no more than one prefix before REX, but
// for those of addresses and segments.
func rowOf(code []byte, mem bool) row {
	r := row{ext: -1, mem: mem}
	for ; prefixByte(code[0]); code = code[1:] {
		switch b := code[0]; {
		case b == 0x66 || b == 0xf2 || b == 0xf3:
			r.prefix = b
		case b&0xf0 == 0x40:
			r.w = b&8 != 0
		}
	}
	if code[0] == 0xc4 {
		r.table = [...]string{1: "vex 0f ", 2: "vex 0f 38 ", 3: "vex 0f 3a "}[code[1]&3]
		r.w, r.prefix = code[2]&0x80 != 0, [...]byte{0, 0x66, 0xf3, 0xf2}[code[2]&3]
		code = code[3:]
	} else if code[0] == 0x0f {
		switch code = code[1:]; code[0] {
		case 0x38:
			r.table, code = "0f 38 ", code[1:]
		case 0x3a:
			r.table, code = "0f 3a ", code[1:]
		default:
			r.table = "0f "
		}
	}
	if r.opcode = code[0]; len(code) > 1 {
		r.ext = int8(code[1] >> 3 & 7)
	}
	return r
}

// coverage is which rows of the table were executed.
type coverage struct {
	known map[row]string
	list  []row       // of known, in an order
	next  int         // of list
	plain map[row]row // what rowOf says
	hits  map[row]int
}

func newCoverage() *coverage {
	c := &coverage{known: table(), plain: map[row]row{}, hits: map[row]int{}}
	c.list = slices.SortedFunc(maps.Keys(c.known), func(a, b row) int { return strings.Compare(a.String(), b.String()) })
	return c
}

// find is the row in the table of an encoding.
func (c *coverage) find(code []byte, mem bool) row {
	of := rowOf(code, mem)
	r, seen := c.plain[of]
	if !seen {
		r = of.plain()
		if _, known := c.known[r]; !known {
			r.ext = -1
		}
		c.plain[of] = r
	}
	return r
}

// encode makes an encoding of the next row, with registers and addresses as they
// come.
func (c *coverage) encode(g generator) []byte {
	r := c.list[c.next%len(c.list)]
	c.next++
	code := r.bytes()
	if _, vex := vexTables[r.table]; vex {
		if r.ext >= 0 || r.opcode != 0xf0 {
			code[2] &^= byte(g.IntN(8)) << 3
		}
	} else {
		if g.IntN(16) == 0 {
			code = append([]byte{0x67}, code...)
		}
		if rex := byte(g.IntN(8)); rex > 0 {
			at := len(code) - 1 - len(legacyTables[r.table])
			if r.w {
				code[at-1] |= rex
			} else {
				code = slices.Insert(code, at, 0x40|rex)
			}
		}
	}
	ext := byte(r.ext)
	if r.ext < 0 {
		ext = byte(g.IntN(8))
	}
	operand := g.operand(ext)
	for (operand[0] < 0xc0) != r.mem {
		operand = g.operand(ext)
	}
	return append(code, operand...)
}

// note counts the rows of cases that were executed. Most of those that end in an
// exit have not been.
func (c *coverage) note(cases []diffCase, o outcome) {
	for i, this := range cases {
		at := slices.IndexFunc(o.exits, func(s stopped) bool { return s.in == i })
		if at < 0 || o.exits[at].x.Kind != cpu.Fault || faulting[c.known[this.row]] {
			c.hits[this.row]++
		}
	}
}

// faulting are handlers that do nothing else.
var faulting = map[string]bool{"refused": true, "trapped": true}

// notNative are handlers whose instructions cannot be compared with a processor.
var notNative = map[string]string{
	"cpuid":      "shows another processor",
	"rdtsc":      "reads the processor's time",
	"rdtscp":     "reads the processor's time",
	"systemCall": "the processor has changed registers before anybody looks",
	"storeWord":  "answered by Linux, if at all",
	"storeTable": "answered by Linux, if at all",
	"larLsl":     "reads Linux' descriptors",
	"verify":     "reads Linux' descriptors",
	"rdpid":      "reads Linux' number of the processor",
	"random":     "never the same",
	"loadFar":    "loads descriptors of Linux'",
	"fxsave":     "writes what processors differ in",
	"fxrstor":    "refuses most of what is in memory",
}

// apart says why r, with its handler, cannot be compared, or nothing.
func (r row) apart(handler string) string {
	switch {
	case notNative[handler] != "":
		return notNative[handler]
	case r.table == "0f " && r.opcode&^1 == 0x52:
		return "an approximation"
	case r.table == "" && r.opcode == 0xcd:
		return "what its number says"
	case handler == "bswap" && r.prefix == 0x66 && !r.w:
		return "undefined"
	case r.prefix == 0x66 && slices.Contains([]string{"jcc", "jmp", "call", "loop", "ret", "callE", "jmpE"}, handler):
		return "processors differ"
	case handler == "trapped" && (r.prefix != 0 || r.w):
		return "ptrace does not know where it began"
	case handler == "refused" && r.mem && (r.table == "" || r.opcode >= 0xb2 && r.opcode <= 0xb5):
		return "a far pointer, which may be a good one"
	case handler == "refused" && r.table == "0f " && r.opcode == 0xc7:
		return "refused by what virtualises, unknown to others"
	}
	return ""
}

// check fails the test for each row that no case has executed, but for those apart.
func (c *coverage) check(t *testing.T) {
	t.Helper()
	missed := map[string]int{}
	for _, r := range c.list {
		handler := c.known[r]
		if r.apart(handler) == "" && c.hits[r] == 0 {
			if missed[handler]++; missed[handler] < 4 {
				t.Errorf("%v: %s was never executed", r, handler)
			}
		}
	}
	for handler, n := range missed {
		if n > 3 {
			t.Errorf("%s: %d rows were never executed", handler, n)
		}
	}
}
