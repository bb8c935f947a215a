// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"testing"

	"github.com/u-root/u-root/pkg/boot"
	"github.com/u-root/u-root/pkg/boot/menu"
)

// This is what u-root v0.16.0 does. If it fails with a newer one, Load fails
// too, on purpose: look at boot.loadOptions and at menu.OSImageAction.
func TestWantsLoad(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []boot.LoadOption
		want bool
	}{
		{"none", nil, true},
		{"dry", []boot.LoadOption{boot.WithDryRun(true)}, false},
		{"not dry", []boot.LoadOption{boot.WithDryRun(false)}, true},
		{"the last one holds", []boot.LoadOption{boot.WithDryRun(true), boot.WithDryRun(false)}, true},
		{"others say nothing", []boot.LoadOption{boot.Verbose, boot.WithVerbose(true), boot.WithLogger(nil)}, true},
		{"dry among others", []boot.LoadOption{boot.Verbose, boot.WithDryRun(true), boot.WithVerbose(false)}, false},
	} {
		got, err := wantsLoad(boot.WithDryRun, c.opts...)
		if err != nil || got != c.want {
			t.Errorf("%s: %t, %v", c.name, got, err)
		}
	}
}

// Options as u-root does not have them, at least in v0.16.0.
type (
	renamed  struct{ callKexec bool }
	retyped  struct{ callKexecLoad int }
	promoted struct{ *right }
	right    struct{ callKexecLoad bool }
)

func TestWantsLoadFailsClosed(t *testing.T) {
	set := func(dry bool) func(*right) { return func(o *right) { o.callKexecLoad = !dry } }
	if load, err := wantsLoad(set); err != nil || !load {
		t.Fatalf("the shape of v0.16.0: %t, %v", load, err)
	}
	for _, c := range []struct {
		name string
		run  func() (bool, error)
	}{
		{"renamed field", func() (bool, error) {
			return wantsLoad(func(dry bool) func(*renamed) { return func(o *renamed) { o.callKexec = !dry } })
		}},
		{"field of another type", func() (bool, error) {
			return wantsLoad(func(bool) func(*retyped) { return func(o *retyped) { o.callKexecLoad = 1 } })
		}},
		{"field in a nil structure", func() (bool, error) {
			return wantsLoad(func(bool) func(*promoted) { return func(o *promoted) { o.right = nil } })
		}},
		{"no function", func() (bool, error) { return wantsLoad(func(dry bool) right { return right{!dry} }) }},
		{"a structure by value", func() (bool, error) {
			return wantsLoad(func(dry bool) func(right) { return func(right) {} })
		}},
		{"no structure", func() (bool, error) { return wantsLoad(func(dry bool) func(*bool) { return func(*bool) {} }) }},
		{"an option that returns", func() (bool, error) {
			return wantsLoad(func(dry bool) func(*right) error {
				return func(o *right) error { o.callKexecLoad = !dry; return nil }
			})
		}},
		{"an interface", func() (bool, error) { return wantsLoad(func(dry bool) fmt.Stringer { return nil }) }},
		{"WithDryRun does nothing", func() (bool, error) {
			return wantsLoad(func(dry bool) func(*right) { return func(o *right) {} })
		}},
		{"WithDryRun always sets it", func() (bool, error) {
			return wantsLoad(func(dry bool) func(*right) { return func(o *right) { o.callKexecLoad = true } })
		}},
		{"WithDryRun is the other way round", func() (bool, error) {
			return wantsLoad(func(dry bool) func(*right) { return func(o *right) { o.callKexecLoad = dry } })
		}},
		{"a nil option", func() (bool, error) { return wantsLoad(set, nil) }},
		{"an option that panics", func() (bool, error) { return wantsLoad(set, func(*right) { panic("no") }) }},
	} {
		if load, err := c.run(); load || !errors.Is(err, ErrLoadOptions) {
			t.Errorf("%s: %t, %v", c.name, load, err)
		}
	}
}

// The menu always passes WithDryRun, and loads through the interface alone.
func TestMenuLoads(t *testing.T) {
	loaded := 0
	im := &Image{
		Entry:  Entry{Volume: Volume{FS: volume(t, map[string][]byte{"x.efi": uki(t)})}, Path: "x.efi"},
		Loader: func(Entry) error { loaded++; return nil },
	}
	for _, c := range []struct {
		noLoad bool
		want   int
	}{{true, 0}, {false, 1}} {
		loaded = 0
		if err := (menu.OSImageAction{OSImage: im, NoKexecLoad: c.noLoad}).Load(); err != nil || loaded != c.want {
			t.Errorf("NoKexecLoad %t: loaded %d times, %v", c.noLoad, loaded, err)
		}
	}
	for _, e := range menu.OSImages(false, im) {
		loaded = 0
		if err := e.Load(); err != nil || loaded != 1 {
			t.Errorf("menu.OSImages: loaded %d times, %v", loaded, err)
		}
	}
}
