// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/emutest"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
	"github.com/uefiexec/uefiexec/emu/resident"
)

var inGuest = flag.Bool("guest", false, "this is a guest of package vmtest: what is loaded here may be executed")

// FrozenOn is a payload that has exited boot services on a host.
func FrozenOn(t *testing.T, host *Host) *emu.Handoff {
	t.Helper()
	image, err := payloads.Image("x64", "ebs")
	if err != nil {
		t.Fatal(err)
	}
	r := emutest.Run(t, emutest.Program{
		Image: image, Options: "serial",
		Config: func(cfg *emu.Config) { *cfg = host.Config(*cfg) },
		Setup: func(m *emu.Machine) {
			if err := host.Prepare(m); err != nil {
				t.Fatal(err)
			}
		},
	})
	if r.Handoff == nil {
		t.Fatal(r.Err)
	}
	return r.Handoff
}

// TestGuestFlippedBit is the part of TestKillAndFlip that runs in the guest. It
// loads a payload of which a bit is not as it was when the trampoline was built.
func TestGuestFlippedBit(t *testing.T) {
	if !*inGuest {
		return // it is for a guest of TestKillAndFlip
	}
	host, err := ReadHost(os.DirFS("/"))
	if err != nil {
		t.Fatal(err)
	}
	handoff := FrozenOn(t, host)
	l, entry, err := host.layout(handoff, Options{
		Verify: true, Console: resident.Console{Kind: resident.ConsolePort, Address: 0x3f8},
	})
	if err != nil {
		t.Fatal(err)
	}
	var largest segment
	for _, s := range l.segments {
		if len(s.data) > len(largest.data) && s.Range != handoff.Reserved[0] {
			largest = s
		}
	}
	largest.data[len(largest.data)-1] ^= 0x10
	if err := load(entry, l.segments, 0); err != nil {
		t.Fatal(err)
	}
	t.Logf("flipped at 0x%016x", uint64(largest.Start))
}

// TestGuestAlone is another part of it: nothing of a program that was killed goes
// on, a payload least of all.
func TestGuestAlone(t *testing.T) {
	if !*inGuest {
		return // it is for a guest of TestKillAndFlip
	}
	var others []string
	for range 100 {
		if others = programs(t); len(others) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("programs that go on: %q", others)
}

// programs are the processes that run a file, neither threads of the kernel nor
// those that have ended, but for the first process and this one.
func programs(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("/proc/[1-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range names {
		switch filepath.Base(name) {
		case "1", strconv.Itoa(os.Getpid()):
			continue
		}
		if file, err := os.Readlink(name + "/exe"); err == nil {
			found = append(found, name+" "+file)
		}
	}
	return found
}
