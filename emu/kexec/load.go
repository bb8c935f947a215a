// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/resident"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Options say how to load.
type Options struct {
	// Verify has the trampoline compare every segment with its SHA-256 before it
	// jumps; what is not as it was is reported on Console, and nothing is booted.
	Verify  bool
	Console resident.Console

	// Log is the event log that the next kernel finds; nil leaves the one that the
	// payload has seen, which says that its own measurements were extended.
	Log *eventlog.Log

	// IMA is IMA's list that the next kernel goes on with, nil if it finds none. A
	// payload that looks for it (IMABuffer) was run after Host.ReadIMA.
	IMA *IMAList
}

// Loaded says what was loaded.
type Loaded struct {
	Segments int
	Bytes    uint64 // that the kernel was given
	Memory   uint64 // that they take
}

// Load hands a frozen machine to the running kernel, for the next Exec. What was
// loaded before is replaced. The machine must have been run on this host's
// memory (Host.Config, Host.Prepare), or on that of the same machine earlier.
//
// An error that is ErrRefused is a matter of the running kernel's policy; any
// other leaves what was loaded before in place, and the system as it was.
func Load(host *Host, handoff *emu.Handoff, opts Options) (Loaded, error) {
	if err := host.allowed(); err != nil {
		return Loaded{}, err
	}
	l, entry, err := host.layout(handoff, opts)
	if err != nil {
		return Loaded{}, err
	}
	return loaded(l.segments), load(entry, l.segments, 0)
}

// loaded counts.
func loaded(list []segment) Loaded {
	done := Loaded{Segments: len(list)}
	for _, s := range list {
		done.Bytes += uint64(len(s.data))
		done.Memory += s.Size()
	}
	return done
}

// onCrash is KEXEC_ON_CRASH: what is loaded is for a panic.
const onCrash = 1
