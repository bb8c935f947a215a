// SPDX-License-Identifier: BSD-3-Clause

//go:build linux && amd64

package ptrace

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/uefiexec/uefiexec/emu"
	"github.com/uefiexec/uefiexec/emu/cpu"
	"github.com/uefiexec/uefiexec/emu/emutest/payloads"
)

// BenchmarkService is a service call from a program and back, through all of the
// machine: roundtrips/op is against a bare round trip, measured in turns. The
// goal is 1.5.
func BenchmarkService(b *testing.B) {
	image, err := payloads.Image("x64", "calls")
	if err != nil {
		b.Fatal(err)
	}
	const turns, calls = 15, 5000
	var bare, service [turns]time.Duration
	for b.Loop() {
		for i := range turns {
			e := open(b)
			e.spinTraps(b)
			start := time.Now()
			for range calls {
				e.roundTrip(b)
			}
			bare[i] = time.Since(start)
			e.Close()
			service[i] = timeCalls(b, image, calls)
		}
	}
	slices.Sort(bare[:])
	slices.Sort(service[:])
	b.ReportMetric(float64(service[turns/2])/float64(bare[turns/2]), "roundtrips/call")
	b.ReportMetric(float64(service[turns/2].Nanoseconds())/calls, "ns/call")
}

// timeCalls runs a program that calls services for ever until its limit.
func timeCalls(b *testing.B, image []byte, calls int64) time.Duration {
	m, err := emu.Open(emu.Config{Arch: cpu.AMD64, Engine: New, Limits: emu.Limits{Calls: calls}})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	start := time.Now()
	_, err = m.Boot(context.Background(), bytes.NewReader(image), emu.BootOptions{})
	took := time.Since(start)
	if limit := (*emu.LimitError)(nil); !errors.As(err, &limit) {
		b.Fatal(err)
	}
	return took
}
