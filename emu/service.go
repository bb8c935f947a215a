// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"github.com/uefiexec/uefiexec/efi"
)

// Arg is what a service's parameter can be: an integer of the width that the
// specification gives it. The upper bits of its register are not looked at.
type Arg interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64
}

// Support says how much of a service there is.
type Support uint8

// The levels of support. Absent services return Unsupported and are named so in
// the trace.
const (
	Full Support = iota
	Partial
	Absent
)

func (s Support) String() string {
	return [...]string{"full", "partial", "absent"}[s]
}

// Service is one row of a protocol: one slot of its structure, in the
// specification's order. Make one with Func0 to Func10, FuncV, Unserved, Field or
// Code. The row is all that is known of a service: dispatch, traces and the
// list of services in the documentation read it.
type Service struct {
	Name    string
	Params  []string
	Support Support
	Note    string // what is not there, for Partial and Absent

	kind slotKind
	call func(*Call) error
	args func(*Call) []any
}

type slotKind uint8

const (
	slotGate  slotKind = iota
	slotField          // data, given by Interface.Fields
	slotCode           // resident guest code of that name
)

// Func1 makes a service of a function with one argument, and Func0 to Func10 do
// so for others. The names in params are the specification's; one that starts
// with "*" is written by the service, one with "&" is read and written. A
// trace shows the first before the call, the second after, the third both.
//
// The function's error becomes the status the guest sees (see StatusOf). What
// the function is handed is the guest's: pointers lead anywhere.
func Func1[A Arg](name string, fn func(*Call, A) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error { return fn(c, A(c.raw[0])) },
		args: func(c *Call) []any { return []any{A(c.raw[0])} },
	}
}

// Func0 makes a service without arguments.
func Func0(name string, fn func(*Call) error) Service {
	return Service{Name: name, call: fn, args: func(*Call) []any { return nil }}
}

// Func2 makes a service with two arguments.
func Func2[A, B Arg](name string, fn func(*Call, A, B) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error { return fn(c, A(c.raw[0]), B(c.raw[1])) },
		args: func(c *Call) []any { return []any{A(c.raw[0]), B(c.raw[1])} },
	}
}

// Func3 makes a service with three arguments.
func Func3[A, B, C Arg](name string, fn func(*Call, A, B, C) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error { return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2])) },
		args: func(c *Call) []any { return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2])} },
	}
}

// Func4 makes a service with four arguments.
func Func4[A, B, C, D Arg](name string, fn func(*Call, A, B, C, D) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error { return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3])) },
		args: func(c *Call) []any { return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3])} },
	}
}

// Func5 makes a service with five arguments.
func Func5[A, B, C, D, E Arg](name string, fn func(*Call, A, B, C, D, E) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error {
			return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]))
		},
		args: func(c *Call) []any {
			return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4])}
		},
	}
}

// Func6 makes a service with six arguments.
func Func6[A, B, C, D, E, F Arg](name string, fn func(*Call, A, B, C, D, E, F) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error {
			return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5]))
		},
		args: func(c *Call) []any {
			return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5])}
		},
	}
}

// Func7 makes a service with seven arguments.
func Func7[A, B, C, D, E, F, G Arg](name string, fn func(*Call, A, B, C, D, E, F, G) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error {
			return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5]), G(c.raw[6]))
		},
		args: func(c *Call) []any {
			return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5]), G(c.raw[6])}
		},
	}
}

// Func10 makes a service with ten arguments.
func Func10[A, B, C, D, E, F, G, H, I, J Arg](name string, fn func(*Call, A, B, C, D, E, F, G, H, I, J) error, params ...string) Service {
	return Service{
		Name: name, Params: params,
		call: func(c *Call) error {
			return fn(c, A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5]), G(c.raw[6]), H(c.raw[7]), I(c.raw[8]), J(c.raw[9]))
		},
		args: func(c *Call) []any {
			return []any{A(c.raw[0]), B(c.raw[1]), C(c.raw[2]), D(c.raw[3]), E(c.raw[4]), F(c.raw[5]), G(c.raw[6]), H(c.raw[7]), I(c.raw[8]), J(c.raw[9])}
		},
	}
}

// FuncV makes a service with one named argument and a NULL-terminated list of
// (protocol GUID, interface) pairs behind it, as InstallMultipleProtocolInterfaces
// has; the function reads the list with Call.Pairs.
func FuncV[A Arg](name string, fn func(*Call, A) error, params ...string) Service {
	s := Func1(name, fn, params...)
	first := s.args
	s.args = func(c *Call) []any {
		args := first(c)
		pairs, _ := c.Pairs()
		for _, p := range pairs {
			args = append(args, p)
		}
		return args
	}
	return s
}

// Unserved makes a slot that returns Unsupported, with its parameter names and
// why it is not there.
func Unserved(name, note string, params ...string) Service {
	return Service{
		Name: name, Params: params, Support: Absent, Note: note,
		call: func(c *Call) error { return efi.Unsupported },
		args: func(c *Call) []any {
			args := make([]any, len(c.raw))
			for i, v := range c.raw {
				args[i] = v
			}
			return args
		},
	}
}

// Field makes a slot of 8 bytes that holds data: a revision, a pointer.
func Field(name string) Service { return Service{Name: name, kind: slotField} }

// Code makes a slot that holds the address of guest code of that name from
// package emu/resident: calls of it do not leave the guest and are in no trace.
func Code(name string) Service { return Service{Name: name, kind: slotCode} }

// Partially marks a row as Partial and says what is missing.
func (s Service) Partially(note string) Service {
	s.Support, s.Note = Partial, note
	return s
}

// numArgs is how many arguments are fetched before the call.
func (s *Service) numArgs() int { return min(len(s.Params), maxArgs) }

const maxArgs = 10
