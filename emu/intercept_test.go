// SPDX-License-Identifier: BSD-3-Clause

package emu_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu"
)

func TestIntercept(t *testing.T) {
	var seen []string
	var text bytes.Buffer
	cfg := emu.Config{
		Trace: emu.TextTrace(&text),
		Intercept: func(c *emu.Call) error {
			seen = append(seen, c.Protocol()+"."+c.Service())
			switch {
			case c.Service() == "Stall" && c.Arg(0) == 1:
				return efi.Timeout
			case c.Service() == "Stall" && c.Arg(0) == 2:
				return fmt.Errorf("no time: %w", efi.Aborted)
			case c.Service() == "AllocatePool":
				return efi.OutOfResources
			case c.Service() == "SetTime":
				return efi.DeviceError
			}
			if c.Arg(-1) != 0 || c.Arg(100) != 0 || c.Caller() == (emu.Location{}) {
				return efi.NotReady
			}
			return nil
		},
	}
	play(t, cfg, func(g *guest) {
		expect(g, efi.Timeout, "Stall", 1)
		expect(g, efi.Aborted, "Stall", 2)
		expect(g, efi.Success, "Stall", 3)
		out := local[efi.Addr](g, 0x77)
		expect(g, efi.OutOfResources, "AllocatePool", efi.LoaderData, 8, out)
		same(g, "what a service that was not run has written", load(g, out), 0x77)
		expectRuntime(g, efi.DeviceError, "SetTime", 0)
	})
	want := []string{"BootServices.Stall", "BootServices.Stall", "BootServices.Stall", "BootServices.AllocatePool", "RuntimeServices.SetTime"}
	if !slices.Equal(seen, want) {
		t.Errorf("asked about %q, want %q", seen, want)
	}
	for _, line := range []string{
		"Stall(microseconds=1) = TIMEOUT (injected)", "Stall(microseconds=2) = ABORTED (injected: no time)", "Stall(microseconds=3) = SUCCESS\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the trace has no %q:\n%s", line, text.String())
		}
	}
}

// A service that comes back to its gate, to wait or to be told, is one call.
func TestInterceptOnce(t *testing.T) {
	asked := map[string]int{}
	cfg := emu.Config{Intercept: func(c *emu.Call) error { asked[c.Service()]++; return nil }}
	h := leave(t, cfg, func(g *guest) {
		timer := newEvent(g, efi.EventTimer|efi.EventNotifyWait, efi.TPLNotify, func(g *guest) { expect(g, efi.Success, "Stall", 1) })
		expect(g, efi.Success, "SetTimer", timer, efi.TimerRelative, second)
		expect(g, efi.Success, "WaitForEvent", 1, local(g, timer), local[uint64](g, 0))
		expect(g, efi.NotReady, "CheckEvent", timer)
		groupEvent(g, efi.EventGroupBeforeExitBootServicesGUID, efi.TPLCallback, func(g *guest) {
			expect(g, efi.NotReady, "CheckEvent", timer)
		})
		newEvent(g, efi.EventSignalExitBootServices, efi.TPLNotify, func(g *guest) { expect(g, efi.Success, "Stall", 1) })
		exitBootServices(g)
	})
	if h == nil || asked["WaitForEvent"] != 1 || asked["CheckEvent"] != 2 || asked["ExitBootServices"] != 1 || asked["Stall"] < 3 {
		t.Errorf("asked %v", asked)
	}
}

// A fault in the way of ExitBootServices: a loader tries again.
func TestInterceptExitBootServices(t *testing.T) {
	tries := 0
	cfg := emu.Config{Intercept: func(c *emu.Call) error {
		if c.Service() == "ExitBootServices" {
			if tries++; tries == 1 {
				return efi.InvalidParameter
			}
		}
		return nil
	}}
	leave(t, cfg, func(g *guest) {
		_, key := memoryMap(g)
		expect(g, efi.InvalidParameter, "ExitBootServices", g.Image, key)
		g.Boot("ExitBootServices", g.Image, key)
	})
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}
