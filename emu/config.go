// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"io"
	"math"
	"time"

	"github.com/uefiexec/uefiexec/efi"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/tables"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Config is what a machine is made of. Arch and Engine must be given; every
// other zero value is useful.
type Config struct {
	Arch   cpu.Arch
	Engine cpu.New

	// MemoryMap describes the guest's physical memory; what is
	// ConventionalMemory in it, or a type that only loads and stores, becomes
	// RAM. Nil is Layout(Arch, 512 MiB).
	MemoryMap []efi.MemoryDescriptor

	// Withhold are ranges of free memory that are described but never allocated.
	Withhold []efi.Range

	// Contents are what lies in memory from the start, such as a firmware's
	// tables. Their pages are there for the guest, whatever the memory map says
	// of them; the Handoff leaves them out.
	Contents []Content

	// RuntimeServices is the address of a runtime services table, that of the
	// machine's own firmware, which the system table is to have after
	// ExitBootServices; MemoryMap then describes the runtime memory it needs. Until
	// then nothing of it is called. 0 is the resident runtime services.
	RuntimeServices efi.Addr

	// Variables is the variable store. The machine changes it; nil is an empty
	// one. It is never the real firmware's.
	Variables *tables.Variables

	// Clock and Random are all the time and all the randomness that the guest
	// gets from services, and from RDRAND on an interpreter; nil is the host's. (On an
	// engine that runs on the host's processor a guest can still read its counters and
	// its random numbers.)
	Clock  Clock
	Random io.Reader

	// Policy decides whether an image may be loaded; nil accepts all.
	Policy ImagePolicy

	// Measurer is told what firmware measures around images; nil measures nothing.
	Measurer Measurer

	// KeepKernel has Handoff.Kernel find kernels that were loaded from a buffer in
	// guest memory, too, for a checksum of each.
	KeepKernel bool

	Limits Limits

	// Intercept, if not nil, is asked before each service, of the boot and runtime
	// services as of any protocol in Go. An error is returned to the guest as the
	// service's status (see StatusOf) and the service is not run: the way to inject
	// faults. One made with Fatal ends the boot. A trace notes it. It is not asked
	// about resident code such as CopyMem, whose calls do not leave the guest.
	Intercept func(*Call) error

	// Trace is told of everything that happens at the seam between guest and
	// machine. Nil costs nothing.
	Trace func(*TraceEvent)

	// Coverage is told of each run of the guest's code, in bytes, before it executes
	// for the first time, by engines that interpret; others tell of none. Nil costs
	// nothing.
	Coverage func(at Location, size uint64)

	// Vendor and Revision are the firmware vendor and revision in the system
	// table; "" is "uefiexec".
	Vendor   string
	Revision uint32
}

// Content is bytes at an address.
type Content struct {
	Addr efi.Addr
	Data []byte
}

// ImagePolicy decides whether LoadImage may load an image. Check returns nil,
// or an error with efi.SecurityViolation (loaded, but StartImage refuses) or
// efi.AccessDenied (not loaded) in its chain. The path is where the image comes
// from, empty if from memory alone.
type ImagePolicy interface {
	Check(image *pecoff.Image, path efi.DevicePath) error
}

// Measurer measures what firmware measures around a boot beside what the payload
// does itself: package protocols/tcg2 has one. An error of the first two is the
// status of the service that they are called from.
type Measurer interface {
	// MeasureImage is told of an image before LoadImage loads it, if Policy has
	// nothing against it. The file lies at at in guest memory, or nowhere there if
	// that is 0. The path is where it comes from, empty if from memory alone.
	MeasureImage(image *pecoff.Image, at efi.Addr, path efi.DevicePath) error

	// MeasureExit is told of each ExitBootServices that has come to the point where
	// it fails for a memory map that has changed, or does not.
	MeasureExit(succeeds bool) error

	// Measurements are what has been extended since the image that was booted was
	// loaded, for the Handoff.
	Measurements() []Measurement
}

// Measurement is an extend of PCRs: the event that says what for, and whether it
// is in the event log, which a payload may ask to be left out.
type Measurement struct {
	eventlog.Event
	Unlogged bool `json:",omitempty"`
}

// Limits bound what a guest can take. Zero fields have the default that stands
// behind them; a negative one is no limit.
type Limits struct {
	Time    time.Duration // the host's time for Boot: 10 minutes
	Calls   int64         // service calls: 20 million
	Stalled time.Duration // the guest's time spent in Stall, and asking for events: 10 minutes
	Nesting int           // images, notifications and host calls inside each other: 32
	Handles int           // handles, events, and users of one protocol: 65536 each; protocols: 4 times that
	Image   int64         // bytes of one image file: 2 GiB

	// Instructions that are executed, on engines that count them (cpu.Counter): no
	// limit.
	Instructions int64
}

func (l Limits) withDefaults() Limits {
	def := func(v, d int64) int64 {
		switch {
		case v == 0:
			return d
		case v < 0:
			return 1<<63 - 1
		}
		return v
	}
	return Limits{
		Time:    time.Duration(def(int64(l.Time), int64(10*time.Minute))),
		Calls:   def(l.Calls, 20_000_000),
		Stalled: time.Duration(def(int64(l.Stalled), int64(10*time.Minute))),
		Nesting: int(min(def(int64(l.Nesting), 32), math.MaxInt32)),
		Handles: int(min(def(int64(l.Handles), 65536), math.MaxInt32)),
		Image:   def(l.Image, 2<<30),

		Instructions: def(l.Instructions, math.MaxInt64),
	}
}

// Layout is a plain memory map for a guest with the given amount of RAM, in
// bytes, as a small virtual machine of that architecture has it: on x86-64 from
// 64 KiB to 640 KiB and from 1 MiB, with a hole from 3 GiB to 4 GiB; on AArch64
// from 1 GiB.
func Layout(arch cpu.Arch, size uint64) []efi.MemoryDescriptor {
	ram := func(start efi.Addr, size uint64) efi.MemoryDescriptor {
		return efi.MemoryDescriptor{
			Type: efi.ConventionalMemory, PhysicalStart: start, NumberOfPages: size / efi.PageSize,
			Attribute: efi.MemoryUC | efi.MemoryWC | efi.MemoryWT | efi.MemoryWB,
		}
	}
	if arch == cpu.ARM64 {
		return []efi.MemoryDescriptor{ram(1<<30, size)}
	}
	const low, mib, hole = 0x10000, 1 << 20, 3 << 30
	if size <= mib {
		return []efi.MemoryDescriptor{ram(low, min(size, 0xa0000-low))}
	}
	descs := []efi.MemoryDescriptor{ram(low, 0xa0000-low), ram(mib, min(size, hole)-mib)}
	if size > hole {
		descs = append(descs, ram(1<<32, size-hole))
	}
	return descs
}
