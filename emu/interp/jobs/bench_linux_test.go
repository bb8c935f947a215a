// SPDX-License-Identifier: BSD-3-Clause

package jobs_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ownTime is the processor time of this process.
func ownTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure is the processor time of a job on the interpreter, the shortest of the
// benchmark's runs, and the instructions it takes.
func measure(b *testing.B, g guest, j job, in []byte, want uint64) (spent time.Duration, instructions uint64) {
	spent = math.MaxInt64
	for b.Loop() {
		before := ownTime(b)
		got, n := g.interpret(b, j.name, in)
		spent, instructions = min(spent, ownTime(b)-before), n
		if !j.right(got, want) {
			b.Fatalf("%#x, want %#x", got, want)
		}
	}
	return spent, instructions
}

// BenchmarkJob compares processor times of one run: x-native and x-qemu are how
// many times longer the interpreter takes than the processor (for guests of the other
// architecture, too: than its own code) and than qemu-user, of which the shortest of
// three runs counts. Goals for x-qemu: 3.0 in the geometric mean, 8 in each.
func BenchmarkJob(b *testing.B) {
	for _, g := range guests {
		b.Run(g.name, func(b *testing.B) {
			logs := map[string][]float64{}
			for _, j := range jobs {
				b.Run(j.name, func(b *testing.B) {
					in := j.input(b, j.size)
					want := j.want(in, j.size)
					ours, instructions := measure(b, g, j, in, want)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(ours.Seconds(), "cpu-s")
					b.ReportMetric(float64(instructions)/1e6/ours.Seconds(), "MIPS")
					for _, v := range g.rivals() {
						ratio := ours.Seconds() / best(b, v, j, in, want).Seconds()
						b.ReportMetric(ratio, "x-"+v.name)
						logs[v.name] = append(logs[v.name], math.Log(ratio))
					}
				})
			}
			b.Run("geomean", func(b *testing.B) {
				b.ReportMetric(0, "ns/op")
				for name, of := range logs {
					var sum float64
					for _, l := range of {
						sum += l
					}
					b.ReportMetric(math.Exp(sum/float64(len(of))), "x-"+name)
				}
			})
		})
	}
}

// best is the shortest processor time of three runs.
func best(b *testing.B, v rival, j job, in []byte, want uint64) time.Duration {
	b.Helper()
	shortest := time.Duration(math.MaxInt64)
	for range 3 {
		got, spent, err := v.run(b, j.name, in)
		if err != nil || !j.right(got, want) {
			b.Fatalf("%s: %#x, want %#x, %v", v.name, got, want, err)
		}
		shortest = min(shortest, spent)
	}
	return shortest
}

// BenchmarkUnicorn compares with Unicorn, if its library is installed:
// x-unicorn is how many times longer the interpreter takes. Goals: below 1 for four
// jobs, 1.5 for SHA-256.
func BenchmarkUnicorn(b *testing.B) {
	if _, err := os.Stat("/usr/include/unicorn/unicorn.h"); err != nil {
		b.Skipf("Debian's package libunicorn-dev: %v", err)
	}
	harness := filepath.Join(b.TempDir(), "unicorn")
	if out, err := exec.Command("cc", "-O2", "-o", harness, "unicorn/unicorn.c", "-lunicorn").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, g := range guests {
		for _, j := range jobs {
			b.Run(g.name+"/"+j.name, func(b *testing.B) {
				in := j.input(b, j.size)
				want := j.want(in, j.size)
				file := filepath.Join(b.TempDir(), "elf")
				if err := os.WriteFile(file, g.elf, 0o600); err != nil {
					b.Fatal(err)
				}
				ours, _ := measure(b, g, j, in, want)
				args := []string{harness, g.name, file}
				for _, a := range []uint64{g.address(b, j.name), uint64(stackTop), uint64(gatesAt), uint64(memoryAt), uint64(inputAt), uint64(ramEnd - ramAt)} {
					args = append(args, fmt.Sprintf("%x", a))
				}
				got, theirs, err := child(args, in)
				if err != nil || !j.right(got, want) {
					b.Fatalf("%#x, want %#x, %v", got, want, err)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ours.Seconds(), "cpu-s")
				b.ReportMetric(theirs.Seconds(), "unicorn-cpu-s")
				b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-unicorn")
			})
		}
	}
}
