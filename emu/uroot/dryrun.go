// SPDX-License-Identifier: BSD-3-Clause

//go:build linux

package uroot

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrLoadOptions says that u-root's load options are not what this package
// knows, so that a dry run cannot be told from a real one.
var ErrLoadOptions = errors.New("cannot see in u-root's load options whether this is a dry run, so nothing is loaded")

// wantsLoad says whether options ask for kexec_load, which a dry run does not.
//
// A boot.LoadOption is a function of a structure that u-root keeps to itself.
// The options are applied to one made by reflection, behind dryRun(false),
// which is u-root's default; then the field callKexecLoad is read. That dryRun
// sets and clears it is seen to first. All else is ErrLoadOptions: options of
// another shape, a field that is gone, a panic.
func wantsLoad[Option any](dryRun func(bool) Option, opts ...Option) (load bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			load, err = false, fmt.Errorf("%w: %v", ErrLoadOptions, r)
		}
	}()
	for _, dry := range []bool{true, false} {
		load, err := callsKexecLoad([]Option{dryRun(dry)})
		if err != nil {
			return false, err
		}
		if load == dry {
			return false, fmt.Errorf("%w: WithDryRun(%t) leaves callKexecLoad %t", ErrLoadOptions, dry, load)
		}
	}
	return callsKexecLoad(append([]Option{dryRun(false)}, opts...))
}

func callsKexecLoad[Option any](opts []Option) (bool, error) {
	option := reflect.TypeFor[Option]()
	if option.Kind() != reflect.Func || option.NumIn() != 1 || option.NumOut() != 0 || option.In(0).Kind() != reflect.Pointer ||
		option.In(0).Elem().Kind() != reflect.Struct {
		return false, fmt.Errorf("%w: an option is a %v", ErrLoadOptions, option)
	}
	state := reflect.New(option.In(0).Elem())
	for _, opt := range opts {
		reflect.ValueOf(opt).Call([]reflect.Value{state})
	}
	field := state.Elem().FieldByName("callKexecLoad")
	if !field.IsValid() || field.Kind() != reflect.Bool {
		return false, fmt.Errorf("%w: no callKexecLoad in %v", ErrLoadOptions, state.Type())
	}
	return field.Bool(), nil
}
