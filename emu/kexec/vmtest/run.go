// SPDX-License-Identifier: BSD-3-Clause

package vmtest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// Run boots a machine and waits for its end. The test fails, with the log, if
// that is not the end of a script that got through, or Config.Until: for a
// panic at once, for a machine that hangs after Config.Timeout.
//
// A first kernel that panics before init's first word is started once more: it
// is QEMU that it died of. Result.Retries says so, and the test's log.
//
// The test skips under -short, and without QEMU or the corpus.
func Run(t testing.TB, cfg Config) *Result {
	t.Helper()
	if testing.Short() {
		t.Skip("boots take their time")
	}
	cfg.Timeout = limit(t, cfg.Timeout)
	r, err := attempt(t, cfg)
	if tooEarly(r, err) {
		t.Logf("the first kernel panicked before init; once more: %v", err)
		r, err = attempt(t, cfg)
		if r != nil {
			r.Retries = 1
		}
	}
	if err != nil {
		t.Fatalf("%v\n%v", err, r)
	}
	return r
}

func attempt(t testing.TB, cfg Config) (*Result, error) {
	t.Helper()
	return watch(t.Context(), command(t, cfg), cfg)
}

// tooEarly tells the one failure that is tried again.
func tooEarly(r *Result, err error) bool {
	var f *failure
	return errors.As(err, &f) && f.panic && len(r.Stages) == 0
}

// limit is the time for a machine: not so long that the test's deadline would
// leave a QEMU behind.
func limit(t testing.TB, timeout time.Duration) time.Duration {
	if timeout == 0 {
		timeout = 5 * time.Minute
	}
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, set := d.Deadline(); set {
			timeout = min(timeout, time.Until(at)-5*time.Second)
		}
	}
	return timeout
}

// appears waits for a file, ten seconds at most.
func appears(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(name); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
