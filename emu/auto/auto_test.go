// SPDX-License-Identifier: BSD-3-Clause

package auto

import (
	"runtime"
	"strings"
	"testing"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/mem"
)

// There is an engine for every guest, and if it is not the fastest it is said why.
func TestPicker(t *testing.T) {
	for _, arch := range []cpu.Arch{cpu.AMD64, cpu.ARM64} {
		runtime.LockOSThread()
		page := efi.Range{Start: 1 << 20, End: 1<<20 + efi.PageSize}
		memory, err := mem.New(page)
		if err != nil {
			t.Fatal(err)
		}
		gates, err := memory.Edit(page.Start, page.Size())
		if err != nil {
			t.Fatal(err)
		}
		for gate := arch.Gate(); len(gates) > 0; gates = gates[len(gate):] {
			copy(gates, gate)
		}
		var p Picker
		engine, err := p.New(cpu.Config{Arch: arch, Memory: memory, Gates: page})
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		switch {
		case p.Name == "ptrace" && len(p.Why) == 0 && arch == cpu.AMD64 && runtime.GOOS == "linux" && runtime.GOARCH == "amd64":
		case p.Name == "interp" && len(p.Why) == 1 && strings.HasPrefix(p.Why[0], "ptrace: "):
		default:
			t.Errorf("%v: engine %q, because %q", arch, p.Name, p.Why)
		}
		memory.Close()
		runtime.UnlockOSThread()
		if err := Probe(arch); err != nil {
			t.Errorf("%v: %v", arch, err)
		}
	}
	if e, err := Named("interp"); err != nil || e.Name != "interp" {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := Named("kvm"); err == nil || !strings.Contains(err.Error(), "ptrace, interp") {
		t.Error(err)
	}
}
