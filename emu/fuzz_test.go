// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
)

// fuzzer runs a program of service calls. Guest functions that it hands out run
// the next calls of the same program, so that calls nest as they may.
type fuzzer struct {
	program []byte
	calls   int
	boot    []string
	runtime []string
	area    efi.Addr // 16 pages that the program's pointers lead to
	words   []uint64 // what arguments are drawn from
	exited  bool     // ExitBootServices has begun
}

const areaPages = 16

func (f *fuzzer) next() byte {
	if len(f.program) == 0 {
		return 0
	}
	b := f.program[0]
	f.program = f.program[1:]
	return b
}

// arg draws an argument: something interesting, a small number, an address in the
// area, what lies in the area, or any number.
func (f *fuzzer) arg(g *guest) uint64 {
	kind, n := f.next(), f.next()
	switch kind % 6 {
	case 0, 1:
		return f.words[int(n)%len(f.words)]
	case 2:
		return uint64(n)
	case 3:
		return uint64(f.area) + 8*uint64(n)
	case 4:
		v, _ := g.Memory().Read(f.area+efi.Addr(8*uint64(n)), 8)
		if v == nil {
			return 0
		}
		return binary.LittleEndian.Uint64(v)
	}
	return uint64(n) << (f.next() % 64)
}

// run makes up to n calls.
func (f *fuzzer) run(g *guest, n int) {
	for ; n > 0 && len(f.program) > 0 && f.calls < 200; n-- {
		f.calls++
		op := int(f.next())
		args := make([]any, 6)
		for i := range args {
			args[i] = f.arg(g)
		}
		func() {
			defer rewind(g)()
			switch i := op % (len(f.boot) + len(f.runtime)); {
			case i < len(f.boot):
				f.exited = f.exited || f.boot[i] == "ExitBootServices"
				g.Boot(f.boot[i], args...)
			default:
				g.Runtime(f.runtime[i-len(f.boot)], args...)
			}
		}()
		sound(g, !f.exited)
	}
}

// prepare lays out what arguments are drawn from.
func (f *fuzzer) prepare(g *guest) {
	f.boot, f.runtime = services[efi.BootServices](), append(services[efi.RuntimeServices](), "ResetSystem")
	at := local[efi.Addr](g, 0)
	expect(g, efi.Success, "AllocatePages", efi.AllocateAnyPages, efi.LoaderData, areaPages, at)
	f.area = load(g, at)
	fn := func(n int) uint64 {
		return uint64(g.Func(func(g *guest) uint64 { f.run(g, n); return uint64(f.next() & 1) }))
	}
	img := func(kind pecoff.Subsystem) (uint64, uint64) {
		file := newImage(g, kind, func(g *guest) efi.Status {
			f.words[0] = uint64(g.Image)
			f.run(g, 8)
			return efi.Status(f.next() & 1)
		})
		return uint64(pool(g, file)), uint64(len(file))
	}
	addr := func(b []byte) uint64 { return uint64(pool(g, b)) }
	guid := func(id efi.GUID) uint64 { b := id.Bytes(); return addr(b[:]) }
	volume := efi.DevicePath{efi.VendorMedia(other)}
	f.words = []uint64{
		uint64(g.Image), 0, 1, ^uint64(0), 1 << 63, 0x1000, fn(2), fn(6), uint64(efi.TPLCallback), uint64(efi.TPLNotify),
		uint64(efi.EventNotifySignal), uint64(efi.EventTimer | efi.EventNotifySignal), uint64(efi.EventNotifyWait), uint64(efi.EventSignalExitBootServices),
		guid(other), guid(efi.DevicePathProtocolGUID), guid(efi.LoadedImageProtocolGUID), guid(efi.DriverBindingProtocolGUID),
		guid(efi.LoadFile2ProtocolGUID), guid(efi.SimpleFileSystemProtocolGUID), guid(efi.EventGroupExitBootServicesGUID),
		addr(efi.EncodeString("Variable")), addr(volume.Bytes()), addr(volume.Append(efi.FilePath("x")).Bytes()),
		uint64(f.area), uint64(f.area) + 0x100, uint64(f.area) + areaPages*efi.PageSize - 4,
	}
	for _, kind := range []pecoff.Subsystem{pecoff.Application, pecoff.BootServiceDriver} {
		source, size := img(kind)
		f.words = append(f.words, source, size)
	}
	driver := install(g, binding{
		supported: func(g *guest) efi.Status { f.run(g, 2); return efi.Status(f.next() & 1) },
		start:     func(g *guest) efi.Status { f.run(g, 3); return efi.Status(f.next() & 1) },
		stop:      func(g *guest) efi.Status { f.run(g, 3); return efi.Status(f.next() & 1) },
	})
	read := func(g *guest) efi.Status { f.run(g, 3); return efi.Status(f.next()%8) | efi.Status(f.next())<<63 }
	iface := methods(g, 0, read, read, read, nil, read, nil, nil, nil, read)
	f.words = append(f.words, uint64(driver), uint64(newHandle(g, other, iface)), uint64(device(g, volume...)), uint64(iface))
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

func FuzzServices(f *testing.F) {
	index := func(name string) byte {
		if i := slices.Index(services[efi.BootServices](), name); i >= 0 {
			return byte(i)
		}
		return byte(len(services[efi.BootServices]()) + slices.Index(services[efi.RuntimeServices](), name))
	}
	// A call with arguments that are words of the fuzzer by their index.
	call := func(name string, words ...byte) []byte {
		b := []byte{index(name)}
		for i := range 6 {
			w := byte(1)
			if i < len(words) {
				w = words[i]
			}
			b = append(b, 0, w)
		}
		return b
	}
	f.Add(false, slices.Concat(call("CreateEvent", 10, 8, 7, 1, 24), call("SignalEvent", 24)))
	f.Add(true, slices.Concat(call("LoadImage", 1, 0, 1, 27, 28, 24), []byte{index("StartImage"), 4, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, call("Exit", 0)))
	f.Add(false, slices.Concat(call("InstallProtocolInterface", 33, 18, 1, 34), call("LoadImage", 1, 0, 23, 1, 1, 24)))
	f.Add(false, slices.Concat(call("ConnectController", 32, 1, 1, 2), call("DisconnectController", 32), call("ExitBootServices", 0, 1)))
	f.Add(true, slices.Concat(call("SetVariable", 21, 14, 2, 5, 24), call("GetNextVariableName", 24, 25, 14)))
	f.Fuzz(func(t *testing.T, arm bool, program []byte) {
		arch := cpu.AMD64
		if arm {
			arch = cpu.ARM64
		}
		cfg := emu.Config{
			Arch: arch, Clock: emu.VirtualClock(start), MemoryMap: emu.Layout(arch, 8<<20),
			Limits: emu.Limits{Calls: 5000, Handles: 100, Image: 1 << 20, Time: time.Minute},
			Trace:  emu.TextTrace(discard{}),
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

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
