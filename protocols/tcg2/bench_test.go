// SPDX-License-Identifier: BSD-3-Clause

package tcg2_test

import (
	"testing"

	"github.com/uefiexec/uefiexec/protocols/tcg2"
)

// BenchmarkEvents is how many short events are hashed, extended and logged a
// second, in four banks.
func BenchmarkEvents(b *testing.B) {
	tpm, err := tcg2.New(tcg2.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := tpm.MeasureExit(true); err != nil { // two events
			b.Fatal(err)
		}
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
