// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"errors"
	"fmt"
)

// Reasons for which an image is refused. Errors of this package answer errors.Is with one of
// them, except errors of the underlying reader and misuse of a method by its caller.
var (
	ErrNotPE         = errors.New("not a PE image")
	ErrTruncated     = errors.New("beyond the end of the file")
	ErrInvalid       = errors.New("invalid value")
	ErrOverlap       = errors.New("overlap")
	ErrLimit         = errors.New("beyond the limit of this package")
	ErrMachine       = errors.New("unsupported machine")
	ErrSubsystem     = errors.New("not an EFI application or driver")
	ErrNoRelocations = errors.New("relocations are stripped")
	ErrRelocation    = errors.New("bad base relocation")
)

// FormatError says which field of an image is wrong and where it lies.
type FormatError struct {
	Field  string // in the PE/COFF specification's spelling, such as "OptionalHeader.SizeOfHeaders"
	Offset int64  // of the field in the file, or -1 where the bytes come from no place in the file
	Msg    string // what was found, and what was wanted
	Err    error  // one of the reasons above, or the reader's error
}

func (e *FormatError) Error() string {
	s := "pecoff: " + e.Field
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at file offset %#x", e.Offset)
	}
	s += ": " + e.Err.Error()
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	return s
}

func (e *FormatError) Unwrap() error { return e.Err }

func bad(field string, offset int64, err error, format string, args ...any) error {
	return &FormatError{Field: field, Offset: offset, Msg: fmt.Sprintf(format, args...), Err: err}
}
