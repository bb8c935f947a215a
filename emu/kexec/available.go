// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// ErrMemory is what errors answer to errors.Is when the running system has not
// the memory that a run, or what is to be loaded, takes beside it.
var ErrMemory = errors.New("too little memory is free")

// available is what the running system can still give, in bytes, swap included,
// and 0 if that is not known.
func available(root fs.FS) uint64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	free := meminfo(string(text), "MemAvailable")
	if free == 0 {
		return 0
	}
	return free + meminfo(string(text), "SwapFree")
}

// watchEvery is how often Watch looks: payloads touch a few MiB in that time.
const watchEvery = 20 * time.Millisecond

// Watch returns a context for the run of a payload that ends when three quarters
// of the memory that the running system had available are gone; what is left
// would not do to load it, and soon the kernel would kill what it likes. Its
// cause, by context.Cause, is an ErrMemory then. The function stops the watch, as
// does the end of ctx. The root folder is that of ReadHost.
//
// It looks from time to time. Against a payload, or another program, that takes
// all memory in a moment it is no protection.
func Watch(ctx context.Context, root fs.FS) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := func() { cancel(nil) }
	start := available(root)
	if start == 0 {
		return ctx, stop
	}
	go func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now := available(root); now > 0 && now < start/4 {
				cancel(fmt.Errorf("kexec: %w: of %.1f MiB at the start of the run %.1f are left; give the payload a smaller initrd, or the machine more memory",
					ErrMemory, mib(start), mib(now)))
				return
			}
		}
	}()
	return ctx, stop
}

// enough says beforehand if the kernel would run out of memory while it takes
// segments, for it would kill programs then. There must be room for its pages, and
// for what u-root's loader copies before.
func enough(root fs.FS, list []segment) error {
	var need uint64
	for _, s := range list {
		need += uint64(len(s.data)) + s.Size()
	}
	if free := available(root); free > 0 && free < need {
		return fmt.Errorf("kexec: %w: to load takes %.1f MiB beside the run, and %.1f are available; give the payload a smaller initrd, or the machine more memory",
			ErrMemory, mib(need), mib(free))
	}
	return nil
}
