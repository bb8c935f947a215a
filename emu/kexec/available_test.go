// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/uefiexec/uefiexec/efi"
)

// shrinking is the root folder of a system whose memory gets less, in MiB.
type shrinking struct{ available, swap atomic.Int64 }

func (s *shrinking) Open(name string) (fs.File, error) {
	text := fmt.Sprintf("MemTotal: 1048576 kB\nMemAvailable: %d kB\nSwapFree: %d kB\n", s.available.Load()<<10, s.swap.Load()<<10)
	return fstest.MapFS{"proc/meminfo": {Data: []byte(text)}}.Open(name)
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var root shrinking
		root.available.Store(400)
		root.swap.Store(100)
		ctx, stop := Watch(t.Context(), &root)
		defer stop()
		root.available.Store(25)
		time.Sleep(10 * watchEvery)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatalf("ended with a quarter left: %v", context.Cause(ctx))
		}
		root.swap.Store(99)
		time.Sleep(watchEvery)
		synctest.Wait()
		if err := context.Cause(ctx); !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "500.0 MiB") || !strings.Contains(err.Error(), "124.0") {
			t.Errorf("%v", err)
		}
	})
}

// TestWatchEnds is about what must not be an ErrMemory, and leave nothing behind.
func TestWatchEnds(t *testing.T) {
	for _, test := range []struct {
		name      string
		available int64
		stop      bool
	}{{"unknown", 0, false}, {"unknown, stopped", 0, true}, {"stopped", 100, true}, {"its parent's end", 100, false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var root shrinking
				root.available.Store(test.available)
				parent, end := context.WithCancel(t.Context())
				defer end()
				ctx, stop := Watch(parent, &root)
				defer stop()
				time.Sleep(time.Second)
				if ctx.Err() != nil {
					t.Errorf("ended: %v", context.Cause(ctx))
				}
				if test.stop {
					stop()
				} else {
					end()
				}
				synctest.Wait()
				root.available.Store(1)
				time.Sleep(time.Second)
				if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestEnough(t *testing.T) {
	const mega = 1 << 20
	list := []segment{
		{efi.Range{Start: mega, End: 11 * mega}, make([]byte, 6*mega)},
		{efi.Range{Start: 20 * mega, End: 24 * mega}, nil},
	}
	for _, test := range []struct {
		available, swap int64
		ok              bool
	}{{20, 0, true}, {19, 1, true}, {19, 0, false}, {1, 18, false}, {0, 0, true}, {0, 1, true}} {
		var root shrinking
		root.available.Store(test.available)
		root.swap.Store(test.swap)
		err := enough(&root, list)
		if errors.Is(err, ErrMemory) == test.ok || (err == nil) != test.ok {
			t.Errorf("%d MiB and %d of swap: %v", test.available, test.swap, err)
		}
		if err != nil && !strings.Contains(err.Error(), "takes 20.0 MiB") {
			t.Errorf("%v", err)
		}
	}
	if err := enough(fstest.MapFS{}, list); err != nil {
		t.Errorf("without /proc: %v", err)
	}
}

func TestReadHostWithoutPrivileges(t *testing.T) {
	root := iomem("00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n")
	if _, err := readHostAs(amd64, root); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "root") {
		t.Errorf("%v", err)
	}
}
