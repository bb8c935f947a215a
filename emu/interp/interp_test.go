// SPDX-License-Identifier: BSD-3-Clause

package interp_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/interp"
	"github.com/uefiexec/uefiexec/protocols"
)

// demo runs the demonstration, with a limit of instructions if that is not 0.
func demo(t *testing.T, arch cpu.Arch, name string, limit int64) (emu.Stats, error) {
	t.Helper()
	image, err := payloads.Demo(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := emu.Open(emu.Config{
		Arch: arch, Engine: interp.New, Clock: emu.VirtualClock(time.Unix(0, 0)), Random: bytes.NewReader(make([]byte, 1<<16)),
		Limits: emu.Limits{Instructions: limit},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := (protocols.Platform{}).Install(m); err != nil {
		t.Fatal(err)
	}
	h, err := m.Boot(context.Background(), bytes.NewReader(image), emu.BootOptions{})
	if err == nil {
		h.Close()
	}
	return m.Stats(), err
}

// The number of instructions is the same each time, and a limit of it holds, to
// the instruction.
func TestInstructions(t *testing.T) {
	for name, arch := range map[string]cpu.Arch{"x64": cpu.AMD64, "aa64": cpu.ARM64} {
		whole, err := demo(t, arch, name, 0)
		if err != nil || whole.Instructions < 1000 {
			t.Fatalf("%s: %d instructions, %v", name, whole.Instructions, err)
		}
		if again, err := demo(t, arch, name, 0); err != nil || again != whole {
			t.Errorf("%s: %+v, then %+v, %v", name, whole, again, err)
		}
		if _, err := demo(t, arch, name, whole.Instructions+1); err != nil {
			t.Errorf("%s: one more than it takes: %v", name, err)
		}
		for _, limit := range []int64{1, 100, whole.Instructions / 2, whole.Instructions - 1} {
			got, err := demo(t, arch, name, limit)
			var met *emu.LimitError
			if !errors.As(err, &met) || met.What != "instructions" || got.Instructions != limit {
				t.Errorf("%s: limit %d: %d instructions, %v", name, limit, got.Instructions, err)
			}
		}
	}
}

func TestNoSuchGuest(t *testing.T) {
	if _, err := interp.New(cpu.Config{}); !errors.Is(err, cpu.ErrNotSupported) {
		t.Error(err)
	}
}
