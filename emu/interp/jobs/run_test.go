// SPDX-License-Identifier: BSD-3-Clause

package jobs_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// Memory of a guest. The ELF files are linked for its start.
const (
	ramAt    efi.Addr = 0x1000000
	gatesAt  efi.Addr = 0x1800000
	stackTop efi.Addr = 0x2000000
	memoryAt efi.Addr = 0x2000000
	inputAt           = memoryAt + 128<<20
	ramEnd            = inputAt + 32<<20
)

// address is where the function of a job begins.
func (g guest) address(t testing.TB, name string) uint64 {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(g.elf))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name == "job_"+name {
			return s.Value
		}
	}
	t.Fatalf("no job %s", name)
	return 0
}

// load makes the memory of a guest.
func (g guest) load(t testing.TB, in []byte) *mem.Memory {
	t.Helper()
	m, err := mem.New(efi.Range{Start: ramAt, End: ramEnd})
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(g.elf))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[efi.Addr][]byte{inputAt: in, gatesAt: bytes.Repeat(g.arch.Gate(), efi.PageSize/len(g.arch.Gate()))}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			parts[efi.Addr(p.Vaddr)] = g.elf[p.Off:][:p.Filesz]
		}
	}
	for at, bytes := range parts {
		if err := m.Write(at, bytes); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// interpret runs a job in the interpreter. It returns the result and how many
// instructions that took.
func (g guest) interpret(t testing.TB, name string, in []byte) (result, instructions uint64) {
	t.Helper()
	m := g.load(t, in)
	defer m.Close()
	e, err := interp.New(cpu.Config{Arch: g.arch, Memory: m, Gates: efi.Range{Start: gatesAt, End: gatesAt + efi.PageSize}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := cpu.Regs{PC: g.address(t, name)}
	switch g.arch {
	case cpu.AMD64:
		r.GP[cpu.RSP] = uint64(stackTop) - 8
		if err := m.Write(stackTop-8, binary.LittleEndian.AppendUint64(nil, uint64(gatesAt))); err != nil {
			t.Fatal(err)
		}
		r.GP[cpu.RDI], r.GP[cpu.RSI], r.GP[cpu.RDX] = uint64(inputAt), uint64(len(in)), uint64(memoryAt)
	case cpu.ARM64:
		r.GP[cpu.SP], r.GP[cpu.LR] = uint64(stackTop), uint64(gatesAt)
		r.GP[0], r.GP[1], r.GP[2] = uint64(inputAt), uint64(len(in)), uint64(memoryAt)
	}
	x, err := e.Run(context.Background(), &r, cpu.Stop{})
	if err != nil || x.Kind != cpu.Gate {
		t.Fatalf("%s: %+v at %#x, %v", name, x, r.PC, err)
	}
	return r.GP[0], e.(cpu.Counter).Instructions() // rax, x0
}

// rival is another way to run the jobs: as a program of Linux.
type rival struct {
	name  string
	guest guest
	qemu  string // the command that runs it, "" for the processor itself
}

// rivals are those that are here: the processor, with code of its own architecture,
// and qemu-user.
func (g guest) rivals() []rival {
	var list []rival
	for _, of := range guests {
		if runtime.GOOS == "linux" && runtime.GOARCH == of.goarch {
			list = append(list, rival{"native", of, ""})
		}
	}
	if path, err := exec.LookPath(g.qemu); err == nil {
		list = append(list, rival{"qemu", g, path})
	}
	return list
}

// run runs a job. It returns the result and the processor time.
func (v rival) run(t testing.TB, name string, in []byte) (result uint64, spent time.Duration, err error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "job")
	if err := os.WriteFile(program, v.guest.elf, 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{program, name}
	if v.qemu != "" {
		args = append([]string{v.qemu}, args...)
	}
	return child(args, in)
}

// child runs a command that writes 8 bytes.
func child(args []string, in []byte) (result uint64, spent time.Duration, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err == nil && len(out) != 8 {
		err = fmt.Errorf("%d bytes of output", len(out))
	}
	if err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint64(out), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
