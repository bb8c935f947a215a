// SPDX-License-Identifier: BSD-3-Clause

package resident_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/resident"
)

// What the trampoline says before it stops, on each kind of console: ports that
// the test answers, registers that are memory here.
func TestConsoles(t *testing.T) {
	const said = "\r\nuefiexec: the memory at 0xfedcba9876543210 is not what was loaded; stopped\r\n"
	for _, test := range []struct {
		name      string
		console   resident.Console
		ready, at efi.Addr // the status register and the value by which it is ready; where characters go
		value     uint64
		want      string
	}{
		{"none", resident.Console{}, 0, 0, 0, ""},
		{"port", resident.Console{Kind: resident.ConsolePort, Address: 0x2f8}, 0, 0, 0, said},
		{"port, stride 2", resident.Console{Kind: resident.ConsolePort, Address: 0x2f8, Shift: 1}, 0, 0, 0, said},
		{"8250", resident.Console{Kind: resident.Console8250, Address: uint64(dataAt)}, dataAt + 5, dataAt, 0x20, said},
		{"8250, stride 4", resident.Console{Kind: resident.Console8250, Address: uint64(dataAt), Shift: 2}, dataAt + 20, dataAt, 0x20, said},
		{"8250, 32 bits", resident.Console{Kind: resident.Console8250x32, Address: uint64(dataAt), Shift: 2}, dataAt + 20, dataAt, 0x7fffff20, said},
		{"PL011", resident.Console{Kind: resident.ConsolePL011, Address: uint64(dataAt)}, dataAt + 24, dataAt, 0xffffffdf, said},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, functions := newTrampoline(t)
			tr, err := resident.Trampoline("x64")
			if err != nil {
				t.Fatal(err)
			}
			image, err := tr.Build(resident.TrampolineParams{
				Base: uint64(codeAt), Console: test.console,
				State: resident.CPUState{PC: uint64(codeAt), Ctrl: 0x1f80},
			})
			if err != nil {
				t.Fatal(err)
			}
			g.write(codeAt, image)
			g.write(dataAt, []byte{4: 0xee, 31: 0})
			if test.ready != 0 {
				g.write(test.ready, binary.LittleEndian.AppendUint32(nil, uint32(test.value)))
			}
			r := cpu.Regs{PC: uint64(functions["Refuse"]), Flags: 0x202}
			r.GP[cpu.RSP] = uint64(stackTop) - 8
			r.GP[cpu.RDI], r.GP[cpu.RSI] = uint64(codeAt)+tr.Blob().ParamsOffset(), 0xfedcba9876543210
			if got := g.console(&r, test.console, test.at); got != test.want {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// console runs from r until the guest halts, and collects what it writes to a
// console, which is ready at every second look.
func (g *guest) console(r *cpu.Regs, c resident.Console, at efi.Addr) string {
	g.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stop cpu.Stop
	if at != 0 {
		stop.Watch = []efi.Addr{at}
	}
	var said []byte
	for ready := uint32(0); ; {
		exit, err := g.engine.Run(ctx, r, stop)
		if err != nil {
			g.Fatal(err)
		}
		switch {
		case exit.Kind == cpu.Halt:
			return string(said)
		case exit.Kind == cpu.Port && !exit.Out && uint64(exit.Number) == c.Address+5<<c.Shift:
			ready ^= 0x20
			exit.PortIn(r, ready)
		case exit.Kind == cpu.Port && exit.Out && uint64(exit.Number) == c.Address && exit.Width == 1 && ready == 0x20:
			said, ready = append(said, byte(exit.Value)), 0
		case exit.Kind == cpu.Break && at != 0:
			said = append(said, g.read(at, 1)[0])
		default:
			g.Fatalf("%+v, pc %#x, after %q", exit, r.PC, said)
		}
	}
}
