// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/uefiexec/uefiexec/emu/resident"
)

// The memory of the AArch64 machines in QEMU, whose RAM starts at 1 GiB.
const (
	armStubAt    = 0x40100000
	armBaseAt    = 0x40200000
	armPackedAt  = 0x40300000
	armPayloadAt = 0x45000000
	armHighAt    = 0x140000000
	armLowAt     = 0x40600000
	armSP        = 0x47000ff0
	armUART      = 0x09000000
)

// armMachine is what a test in QEMU is made of.
type armMachine struct {
	params  resident.TrampolineParams
	packed  []byte
	e2h     bool
	flip    uint64 // the address of a byte to damage
	machine string
	cpu     string
	more    map[uint64][]byte // what else is loaded, by its address
}

var armDumps = []resident.Range{
	{Start: armPayloadAt + 0x100, End: armPayloadAt + 0x440},
	{Start: armHighAt, End: armHighAt + 0x3000},
	{Start: armLowAt, End: armLowAt + 0x1000},
	{Start: armPackedAt, End: armPackedAt + packedSize},
}

func newARMMachine(t *testing.T, dumps []resident.Range, calls uint64) *armMachine {
	t.Helper()
	m := &armMachine{packed: random(7, packedSize), machine: "virt", cpu: "max", more: map[uint64][]byte{}}
	page := m.packed[:0x1000]
	clear(page)
	payload := readFile(t, "testdata/payload-aa64.bin")
	if copy(page, payload) > 0x800 {
		t.Fatalf("the payload has %d bytes", len(payload))
	}
	binary.LittleEndian.PutUint64(page[8:], armPayloadAt+0x800)
	binary.LittleEndian.PutUint64(page[16:], calls)
	for i, d := range dumps {
		binary.LittleEndian.PutUint64(page[0x800+16*i:], d.Start)
		binary.LittleEndian.PutUint64(page[0x808+16*i:], d.End-d.Start)
	}
	state := resident.CPUState{PC: armPayloadAt, Flags: 0xa<<28 | 0x3c0, Ctrl: 1 << 22, Status: 1}
	for i := range uint64(32) {
		state.GP[i] = 0x0101010101010101 * (i + 1)
		state.V[i] = [16]byte(random(8+i, 16))
	}
	state.GP[0], state.GP[31] = 0, armSP
	m.params = resident.TrampolineParams{
		Base:    armBaseAt,
		State:   state,
		RAM:     []resident.Range{{Start: 0x40000000, End: 0x180000000}},
		Devices: []resident.Range{{Start: 0x08000000, End: 0x0a001000}},
		Verify:  true,
		Regions: []resident.Region{{Range: resident.Range{Start: armPackedAt, End: armPackedAt + packedSize}, SHA256: sha256.Sum256(m.packed)}},
		Console: resident.Console{Kind: resident.ConsolePL011, Address: armUART},
		Copies: []resident.Copy{
			{From: resident.Range{Start: armPackedAt, End: armPackedAt + 0x1000}, To: armPayloadAt},
			{From: resident.Range{Start: armPackedAt + 0x2000, End: armPackedAt + 0x5000}, To: armHighAt},
			{From: resident.Range{Start: armPackedAt + 0x1000, End: armPackedAt + 0x2000}, To: armLowAt},
		},
		Zeros: []resident.Range{{Start: armPackedAt, End: armPackedAt + 0x1000}, {Start: armPackedAt + 0x4000, End: armPackedAt + 0x5000}},
	}
	return m
}

func (m *armMachine) run(t *testing.T, stop string) []byte {
	t.Helper()
	tr, err := resident.Trampoline("aa64")
	if err != nil {
		t.Fatal(err)
	}
	trampoline, err := tr.Build(m.params)
	if err != nil {
		t.Fatal(err)
	}
	stub := readFile(t, "testdata/stub-aa64.bin")
	binary.LittleEndian.PutUint64(stub[8:], armBaseAt+tr.Entry())
	if m.e2h {
		stub[16] = 1
	}
	load := map[uint64][]byte{armStubAt: stub, armBaseAt: trampoline, armPackedAt: bytes.Clone(m.packed)}
	for at, b := range m.more {
		load[at] = b
	}
	args := []string{"-accel", "tcg", "-M", m.machine, "-cpu", m.cpu, "-m", "6G", "-semihosting",
		"-device", fmt.Sprintf("loader,addr=%#x,cpu-num=0", armStubAt)}
	for at, b := range load {
		if m.flip >= at && m.flip < at+uint64(len(b)) {
			b[m.flip-at] ^= 0x10
		}
		args = append(args, "-device", fmt.Sprintf("loader,addr=%#x,force-raw=on,file=%s", at, file(t, b)))
	}
	return runQEMU(t, "qemu-system-aarch64", stop, args...)
}

// armFound is what testdata/src/payload-aa64.S finds.
type armFound struct {
	X                                                   [31]uint64
	SP                                                  uint64
	NZCV, DAIF, CurrentEL, SPSel, FPCR, FPSR, SCTLR, PC uint64
	V                                                   [32][16]byte
}

var armKinds = []struct {
	name   string
	change func(*armMachine)
	el     uint64
}{
	{"EL1", func(m *armMachine) {}, 1},
	{"EL1 of a small processor", func(m *armMachine) { m.cpu = "cortex-a53" }, 1},
	{"EL2", func(m *armMachine) { m.machine = "virt,virtualization=on" }, 2},
	{"EL2 with E2H", func(m *armMachine) { m.machine, m.e2h = "virt,virtualization=on", true }, 2},
}

func TestTrampolineInQEMUOnAArch64(t *testing.T) {
	for _, test := range armKinds {
		t.Run(test.name, func(t *testing.T) {
			m := newARMMachine(t, armDumps, 0)
			test.change(m)
			got := m.run(t, "")
			var f armFound
			if n, err := binary.Decode(got, binary.LittleEndian, &f); err != nil || n != 0x340 {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			s := &m.params.State
			x := f.X
			x[16], x[17] = s.GP[16], s.GP[17]
			if x != [31]uint64(s.GP[:]) || f.SP != s.GP[31] || f.PC != s.PC {
				t.Errorf("registers %#x, sp %#x, pc %#x, want %#x", f.X, f.SP, f.PC, s.GP)
			}
			if f.NZCV != 0xa<<28 || f.DAIF != 0x3c0 || f.SPSel != 1 || f.CurrentEL != test.el<<2 {
				t.Errorf("nzcv %#x, daif %#x, SPSel %d, CurrentEL %d", f.NZCV, f.DAIF, f.SPSel, f.CurrentEL)
			}
			if f.V != s.V || f.FPCR != uint64(s.Ctrl) || f.FPSR != uint64(s.Status) {
				t.Errorf("v %x, fpcr %#x, fpsr %#x", f.V, f.FPCR, f.FPSR)
			}
			const on, off = 1 | 1<<2 | 1<<12, 1<<1 | 1<<19 | 1<<25 // M C I; A WXN EE
			if f.SCTLR&(on|off) != on {
				t.Errorf("sctlr %#x", f.SCTLR)
			}
			zeros := make([]byte, 0x1000)
			want := bytes.Join([][]byte{m.packed[0x2000:0x5000], m.packed[0x1000:0x2000], zeros, m.packed[0x1000:0x4000], zeros, m.packed[0x5000:]}, nil)
			if got = got[0x340:]; len(got) != len(want) {
				t.Fatalf("%#x bytes of memory, want %#x", len(got), len(want))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("memory differs: %s", differences(got, want))
			}
		})
	}
}

func TestTrampolineFindsDamageOnAArch64(t *testing.T) {
	tr, err := resident.Trampoline("aa64")
	if err != nil {
		t.Fatal(err)
	}
	params := tr.Blob().ParamsOffset()
	for _, test := range []struct {
		name     string
		flip, at uint64
	}{
		{"a region", armPackedAt + packedSize - 1, armPackedAt},
		{"the number of regions", armBaseAt + params + 8, armBaseAt + params},
		{"a register", armBaseAt + params + 96, armBaseAt},
	} {
		for _, kind := range armKinds {
			t.Run(test.name+"/"+kind.name, func(t *testing.T) {
				m := newARMMachine(t, armDumps, 0)
				kind.change(m)
				m.flip = test.flip
				want := fmt.Sprintf("\r\nuefiexec: the memory at 0x%016x is not what was loaded; stopped\r\n", test.at)
				if got := m.run(t, "stopped\r\n"); string(got) != want {
					t.Errorf("the console says %q, want %q", got, want)
				}
			})
		}
	}
}
