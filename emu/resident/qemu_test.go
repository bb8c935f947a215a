// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu/resident"
)

// The memory of the machines in QEMU. What is loaded lies from loadedAt on; the
// rest is RAM, up to 4 GiB less a hole and from there on.
const (
	loadedAt   = 0x100000
	baseAt     = 0x200000
	packedAt   = 0x300000 // payload, then data
	packedSize = 0x6000
	payloadAt  = 0x5000000
	highDataAt = 0x140000000
	lowDataAt  = 0x600000
	payloadSP  = 0x7000ff8
)

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// machine is what a test in QEMU is made of.
type machine struct {
	params resident.TrampolineParams
	packed []byte
	la57   bool
	flip   uint64 // the address of a byte to damage
	cpu    string
}

// dumps are what the payload writes.
var dumps = []resident.Range{
	{Start: payloadAt + 0x100, End: payloadAt + 0x400},
	{Start: highDataAt, End: highDataAt + 0x3000},
	{Start: lowDataAt, End: lowDataAt + 0x1000},
	{Start: packedAt, End: packedAt + packedSize},
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{packed: random(7, packedSize), cpu: "max,cx16=off,la57=off"}
	page := m.packed[:0x1000]
	clear(page)
	payload := readFile(t, "testdata/payload-x64.bin")
	if copy(page, payload) > 0x800 {
		t.Fatalf("the payload has %d bytes", len(payload))
	}
	binary.LittleEndian.PutUint64(page[8:], payloadAt+0x800)
	for i, d := range dumps {
		binary.LittleEndian.PutUint64(page[0x800+16*i:], d.Start)
		binary.LittleEndian.PutUint64(page[0x808+16*i:], d.End-d.Start)
	}
	state := resident.CPUState{PC: payloadAt, Flags: 0x246 | 1<<11, Ctrl: 0x3f80, X87: 0x27f}
	for i := range uint64(16) {
		state.GP[i] = 0x0101010101010101 * (i + 1)
		state.V[i] = [16]byte(random(8+i, 16))
	}
	state.GP[0], state.GP[4] = 0, payloadSP
	m.params = resident.TrampolineParams{
		Base:    baseAt,
		State:   state,
		RAM:     []resident.Range{{Start: 0, End: 0xc0000000}, {Start: 1 << 32, End: 0x180000000}},
		Verify:  true,
		Regions: []resident.Region{{Range: resident.Range{Start: packedAt, End: packedAt + packedSize}, SHA256: sha256.Sum256(m.packed)}},
		Console: resident.Console{Kind: resident.ConsolePort, Address: 0x3f8},
		Copies: []resident.Copy{
			{From: resident.Range{Start: packedAt, End: packedAt + 0x1000}, To: payloadAt},
			{From: resident.Range{Start: packedAt + 0x2000, End: packedAt + 0x5000}, To: highDataAt},
			{From: resident.Range{Start: packedAt + 0x1000, End: packedAt + 0x2000}, To: lowDataAt},
		},
		Zeros:      []resident.Range{{Start: packedAt, End: packedAt + 0x1000}, {Start: packedAt + 0x4000, End: packedAt + 0x5000}},
		GiantPages: true,
	}
	return m
}

// image is what QEMU loads.
func (m *machine) image(t *testing.T) []byte {
	t.Helper()
	tr, err := resident.Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	trampoline, err := tr.Build(m.params)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, packedAt+packedSize-loadedAt)
	copy(b, readFile(t, "testdata/stub-x64.bin"))
	binary.LittleEndian.PutUint64(b[0x40:], baseAt+tr.Entry())
	if m.la57 {
		b[0x48] = 1
	}
	if copy(b[baseAt-loadedAt:], trampoline) > packedAt-baseAt {
		t.Fatalf("the trampoline has %#x bytes", len(trampoline))
	}
	copy(b[packedAt-loadedAt:], m.packed)
	if m.flip != 0 {
		b[m.flip-loadedAt] ^= 0x10
	}
	return b
}

// run runs the machine as runQEMU does.
func (m *machine) run(t *testing.T, stop string) []byte {
	t.Helper()
	return runQEMU(t, "qemu-system-x86_64", stop, "-accel", "tcg", "-cpu", m.cpu, "-m", "6G",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", file(t, m.image(t)))
}

// file makes a file of b.
func file(t *testing.T, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The exit codes of QEMU by which the payloads say that they have come to their
// end.
var payloadExits = map[string]int{"qemu-system-x86_64": 0x2a<<1 | 1, "qemu-system-aarch64": 0x2a}

// runQEMU runs a QEMU until the payload ends it or, if that is not "", the serial
// console has said stop. It returns what the console has said.
func runQEMU(t *testing.T, name, stop string, args ...string) []byte {
	t.Helper()
	qemu, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("UEFIEXEC_NOSKIP") != "1":
		t.Skipf("there is no %s here", name)
	case err != nil:
		t.Fatal(err)
	}
	serial := file(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, qemu, append(args, "-nodefaults", "-display", "none", "-no-reboot", "-serial", "file:"+serial)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			var exit *exec.ExitError
			if stop != "" || !errors.As(err, &exit) || exit.ExitCode() != payloadExits[name] {
				said, _ := os.ReadFile(serial)
				t.Fatalf("QEMU ended: %v\n%s\nserial console: %q", err, out.Bytes(), said[:min(len(said), 500)])
			}
			return readFile(t, serial)
		case <-time.After(20 * time.Millisecond):
			if said, _ := os.ReadFile(serial); stop != "" && strings.Contains(string(said), stop) {
				cancel()
				<-done
				return said
			}
		}
	}
}

// found is what testdata/src/payload-x64.S finds.
type found struct {
	GP                          [16]uint64
	RFLAGS, CR0, CR3, CR4, EFER uint64
	FSBase, GSBase              uint64
	CS, DS, ES, FS, GS, SS      uint16
	GDTLimit, IDTLimit          uint16
	GDTBase, RIP                uint64
	_                           [5]uint64
	FCW, FSW, FTW, FOP          uint16
	FIP, FDP                    uint64
	MXCSR, _                    uint32
	ST                          [8][16]byte
	XMM                         [16][16]byte
	_                           [96]byte
}

func TestTrampolineInQEMU(t *testing.T) {
	const fiveLevels = "max,cx16=off"
	for _, test := range []struct {
		name   string
		change func(*machine)
		la57   bool
	}{
		{"four levels", func(m *machine) {}, false},
		{"small pages", func(m *machine) { m.params.GiantPages = false }, false},
		{"five levels", func(m *machine) { m.cpu, m.la57 = fiveLevels, true }, true},
		{"five levels that are not used", func(m *machine) { m.cpu = fiveLevels }, false},
		{"from five levels to four", func(m *machine) { m.cpu, m.la57, m.params.FourLevels = fiveLevels, true, true }, false},
		{"four levels as they were", func(m *machine) { m.params.FourLevels = true }, false},
		{"no verification", func(m *machine) { m.params.Verify, m.flip = false, packedAt+packedSize-1 }, false},
		{"no console", func(m *machine) { m.params.Console = resident.Console{} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			test.change(m)
			got := m.run(t, "")
			var f found
			if n, err := binary.Decode(got, binary.LittleEndian, &f); err != nil || n != 0x300 {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			m.checkState(t, &f, test.la57)
			zeros := make([]byte, 0x1000)
			packed := bytes.Clone(m.packed)
			if m.flip != 0 {
				packed[m.flip-packedAt] ^= 0x10
			}
			want := bytes.Join([][]byte{packed[0x2000:0x5000], packed[0x1000:0x2000], zeros, packed[0x1000:0x4000], zeros, packed[0x5000:]}, nil)
			if got = got[0x300:]; len(got) != len(want) {
				t.Fatalf("%#x bytes of memory, want %#x", len(got), len(want))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("memory differs: %s", differences(got, want))
			}
		})
	}
}

// checkState compares the registers that the payload has found with those it
// was to find.
func (m *machine) checkState(t *testing.T, f *found, la57 bool) {
	t.Helper()
	s := &m.params.State
	if f.GP != [16]uint64(s.GP[:]) {
		t.Errorf("registers %#x, want %#x", f.GP, s.GP[:16])
	}
	if f.RIP != s.PC || f.RFLAGS != 0x846 { // without IF
		t.Errorf("rip %#x, rflags %#x", f.RIP, f.RFLAGS)
	}
	if f.XMM != [16][16]byte(s.V[:]) || f.MXCSR != s.Ctrl || f.FCW != s.X87 || f.FTW&0xff != 0 || f.FSW != 0 {
		t.Errorf("xmm %x, mxcsr %#x, fcw %#x, fsw %#x, ftw %#x", f.XMM, f.MXCSR, f.FCW, f.FSW, f.FTW)
	}
	if want := uint64(0x80000033); f.CR0 != want {
		t.Errorf("cr0 %#x, want %#x", f.CR0, want)
	}
	want := uint64(0x620)
	if la57 {
		want |= 0x1000
	}
	if f.CR4 != want {
		t.Errorf("cr4 %#x, want %#x", f.CR4, want)
	}
	if f.EFER&0x500 != 0x500 {
		t.Errorf("efer %#x", f.EFER)
	}
	if f.FSBase != 0 || f.GSBase != 0 {
		t.Errorf("fs base %#x, gs base %#x", f.FSBase, f.GSBase)
	}
	if got, want := [6]uint16{f.CS, f.DS, f.ES, f.FS, f.GS, f.SS}, [6]uint16{0x10, 0x18, 0x18, 0x18, 0x18, 0x18}; got != want {
		t.Errorf("segments %#x, want %#x", got, want)
	}
	image := resident.Range{Start: baseAt, End: packedAt}
	if f.GDTLimit != 31 || f.IDTLimit != 0 || f.GDTBase < image.Start || f.GDTBase >= image.End || f.CR3 < image.Start || f.CR3 >= image.End {
		t.Errorf("gdt %#x limit %#x, idt limit %#x, cr3 %#x", f.GDTBase, f.GDTLimit, f.IDTLimit, f.CR3)
	}
}

// One bit that is not as it was loaded is found, wherever it is.
func TestTrampolineFindsDamage(t *testing.T) {
	tr, err := resident.Trampoline("x64")
	if err != nil {
		t.Fatal(err)
	}
	image, err := tr.Build(newMachine(t).params)
	if err != nil {
		t.Fatal(err)
	}
	lists := uint64(len(tr.Blob().Code)+15) &^ 15
	regions := lists + 3*24 + 2*16
	size := uint64(len(image))
	params := tr.Blob().ParamsOffset()
	for _, test := range []struct {
		name     string
		flip, at uint64
	}{
		{"first byte of a region", packedAt, packedAt},
		{"last byte of a region", packedAt + packedSize - 1, packedAt},
		{"the magic number", baseAt, baseAt},
		{"the number of regions", baseAt + params + 8, baseAt + params},
		{"its complement", baseAt + params + 15, baseAt + params},
		{"a register", baseAt + params + 96, baseAt},
		{"a list", baseAt + lists, baseAt},
		{"an address to verify", baseAt + regions + 2*48 + 1, packedAt ^ 0x1000},
		{"a digest", baseAt + regions + 2*48 + 16, packedAt},
		{"a digest of its own", baseAt + regions + 16, baseAt},
		{"a page table", baseAt + size - 0x1000 - 8, baseAt + (regions + 3*48)},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			m.flip = test.flip
			want := fmt.Sprintf("\r\nuefiexec: the memory at 0x%016x is not what was loaded; stopped\r\n", test.at)
			if got := m.run(t, "stopped\r\n"); string(got) != want {
				t.Errorf("the console says %q, want %q", got, want)
			}
		})
	}
}
