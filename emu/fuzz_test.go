// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
)

// fuzzer runs a program of service calls. Guest functions that it hands out run
// the next calls of the same program, so that calls nest as they may.
type fuzzer struct {
	program []byte
	calls   int
	area    efi.Addr // that the program's pointers lead to
	values  map[byte][]uint64
	files   [][2]uint64 // address and size of images
	exited  bool        // ExitBootServices has begun
}

const areaSize = 16 * efi.PageSize

func (f *fuzzer) next() byte {
	if len(f.program) == 0 {
		return 0
	}
	b := f.program[0]
	f.program = f.program[1:]
	return b
}

// run makes up to n calls.
func (f *fuzzer) run(g *guest, n int) {
	for ; n > 0 && len(f.program) > 0 && f.calls < 200; n-- {
		f.calls++
		f.call(g)
		sound(g, !f.exited)
	}
}

func (f *fuzzer) call(g *guest) {
	defer rewind(g)()
	row := argKinds[int(f.next())%len(argKinds)]
	args := make([]any, len(row.kinds))
	for i := range args {
		args[i] = f.arg(g, row.kinds[i])
	}
	if i := strings.Index(row.kinds, "bb"); i >= 0 {
		file := f.files[int(f.next())%len(f.files)]
		args[i], args[i+1] = file[0], file[1]
	}
	f.exited = f.exited || row.service == "ExitBootServices"
	call := g.Runtime
	if _, boot := reflect.TypeFor[efi.BootServices]().FieldByName(row.service); boot {
		call = g.Boot
	}
	if call(row.service, args...) == efi.Success {
		f.learn(g, row.kinds, args)
	}
}

// consistent fails the test unless every handle that is located is one.
func consistent(g *guest) {
	g.T.Helper()
	out, n := local[efi.Addr](g, 0), local[uint64](g, 0)
	for _, h := range located(g, efi.AllHandles, 0, 0) {
		status := g.Boot("ProtocolsPerHandle", h, out, n)
		if status == efi.OutOfResources {
			return
		}
		if status != efi.Success || load(g, n) == 0 {
			g.T.Fatalf("ProtocolsPerHandle(%v) = %v with %d", h, status.String(), load(g, n))
		}
		expect(g, efi.Success, "FreePool", load(g, out))
	}
}

// fuzzSeed is a program of calls by name, with zeros, or what follows the name,
// as the choices of their arguments.
func fuzzSeed(calls ...string) (program []byte) {
	for _, c := range calls {
		name, choices, _ := strings.Cut(c, " ")
		for i, row := range argKinds {
			if row.service == name {
				args := make([]byte, len(row.kinds)+strings.Count(row.kinds, "bb"))
				for j, digit := range strings.ReplaceAll(choices, " ", "") {
					args[j] = byte(digit - '0')
				}
				program = append(append(program, byte(i)), args...)
				break
			}
		}
	}
	return program
}

const randomSeeds = 60

func FuzzServices(f *testing.F) {
	f.Add(false, fuzzSeed("CreateEvent 01100", "SignalEvent 1", "Stall 1", "RaiseTPL 2", "SignalEvent 1", "RestoreTPL 0"))
	f.Add(true, fuzzSeed("CreateEvent 11100", "SetTimer 111", "WaitForEvent 110", "CreateEvent 50000", "WaitForEvent 110"))
	f.Add(true, fuzzSeed("LoadImage 0000001", "StartImage 1", "Exit 1000", "LoadImage 000000", "StartImage 2", "UnloadImage 2"))
	f.Add(false, fuzzSeed("InstallProtocolInterface 1000", "OpenProtocol 500210", "ConnectController 5001", "DisconnectController 500", "OpenProtocolInformation 50"))
	f.Add(false, fuzzSeed("RegisterProtocolNotify 000", "InstallMultipleProtocolInterfaces 100100", "LocateHandle 1010", "ReinstallProtocolInterface 6000"))
	f.Add(true, fuzzSeed("SetVariable 00234", "GetVariable 00030", "GetNextVariableName 310", "GetMemoryMap 31234", "ExitBootServices 01"))
	// Long programs of any calls, which nest and undo each other more than those
	// that grow from the above.
	for seed := range uint64(randomSeeds) {
		random, program := rand.New(rand.NewPCG(seed, 0)), make([]byte, 2000)
		for i := range program {
			program[i] = byte(random.Uint32())
		}
		f.Add(seed%2 == 1, program)
	}
	f.Fuzz(func(t *testing.T, arm bool, program []byte) {
		arch := cpu.AMD64
		if arm {
			arch = cpu.ARM64
		}
		cfg := emu.Config{
			Arch: arch, Clock: emu.VirtualClock(start), MemoryMap: emu.Layout(arch, 8<<20),
			Limits: emu.Limits{Calls: 5000, Handles: 100, Image: 1 << 20, Time: time.Minute},
			Trace:  emu.TextTrace(io.Discard),
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
			fz := &fuzzer{program: program}
			fz.prepare(g)
			fz.run(g, 100)
			consistent(g)
			return 0
		})
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Errorf("%d bytes allocated", used)
		}
		var (
			exit  *emu.ExitError
			reset *emu.ResetError
			fault *emu.FaultError
			limit *emu.LimitError
		)
		switch {
		case err == nil:
			if file := fileOf(t, h); !bytes.HasPrefix(file, []byte("\x7fELF")) {
				t.Error("a handoff without a file")
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		case errors.As(err, &limit) && (limit.What == "time" || limit.What == "interrupted"):
			t.Errorf("it hangs: %v", err)
		case !errors.As(err, &exit) && !errors.As(err, &reset) && !errors.As(err, &fault) && !errors.As(err, &limit):
			t.Errorf("the boot ended with: %v", err)
		}
	})
}
