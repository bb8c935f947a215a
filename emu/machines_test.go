// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/pecoff"
)

// Machines share nothing: side by side they do what they do alone. (The race
// detector watches.)
func TestMachinesSideBySide(t *testing.T) {
	script := func(t *testing.T, arch cpu.Arch) (trace, file []byte) {
		var text bytes.Buffer
		cfg := emu.Config{Arch: arch, Clock: emu.VirtualClock(start), Trace: emu.TextTrace(&text)}
		h, err := emutest.Go(t, cfg, nil, func(g *guest) efi.Status {
			n := 0
			e := newEvent(g, efi.EventTimer|efi.EventNotifySignal, efi.TPLNotify, func(*guest) { n++ })
			expect(g, efi.Success, "SetTimer", e, efi.TimerPeriodic, second)
			for i := range 30 {
				setVariable(g, efi.Success, fmt.Sprintf("V%d", i), bootAccess, "data")
				newHandle(g, guidN(uint32(i)), 0)
				expect(g, efi.Success, "Stall", 300_000)
				app(g, func(g *guest) efi.Status { exit(g, efi.Aborted); return 0 })
			}
			same(g, "notifications", n, 9)
			startImage(g, loadBuffer(g, newImage(g, pecoff.RuntimeDriver, func(*guest) efi.Status { return 0 })))
			exitBootServices(g)
			return 0
		})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		return text.Bytes(), fileOf(t, h)
	}
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		trace, file := script(t, arch)
		for i := range 3 {
			t.Run(fmt.Sprintf("%v/%d", arch, i), func(t *testing.T) {
				t.Parallel()
				gotTrace, gotFile := script(t, arch)
				if !bytes.Equal(gotTrace, trace) {
					t.Errorf("the trace differs from that of a machine alone:\n%s", gotTrace)
				}
				if !bytes.Equal(gotFile, file) {
					t.Error("the handoff differs from that of a machine alone")
				}
			})
		}
	}
}
