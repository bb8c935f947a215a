// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"context"
	"time"
)

// Clock is all the time a guest sees: GetTime, timers, Stall and the watchdog.
// It is used from the machine's goroutine alone.
type Clock interface {
	Now() time.Time
	// Sleep lets d pass, or less if ctx ends or wake delivers first.
	Sleep(ctx context.Context, d time.Duration, wake <-chan struct{})
}

// SystemClock is the host's time.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// VirtualClock starts at the given time and goes on by clockTick whenever it is
// read, and by the whole duration, at once, when somebody sleeps: a guest sees
// the same times on every run, and waits for nothing.
func VirtualClock(start time.Time) Clock { return &virtualClock{start} }

// clockTick is what one look at a virtual clock takes: about a service call.
const clockTick = 10 * time.Microsecond

type virtualClock struct{ now time.Time }

func (c *virtualClock) Now() time.Time {
	c.now = c.now.Add(clockTick)
	return c.now
}

func (c *virtualClock) Sleep(_ context.Context, d time.Duration, _ <-chan struct{}) {
	c.now = c.now.Add(max(d, 0))
}
