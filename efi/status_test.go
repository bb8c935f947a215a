// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
)

func TestStatusNumbers(t *testing.T) {
	for _, test := range []struct {
		status  Status
		number  uint64
		name    string
		isError bool
	}{
		{Success, 0, "SUCCESS", false},
		{LoadError, 1<<63 | 1, "LOAD_ERROR", true},
		{BufferTooSmall, 1<<63 | 5, "BUFFER_TOO_SMALL", true},
		{NotFound, 1<<63 | 14, "NOT_FOUND", true},
		{SecurityViolation, 1<<63 | 26, "SECURITY_VIOLATION", true},
		{EndOfFile, 1<<63 | 31, "END_OF_FILE", true},
		{HTTPError, 1<<63 | 35, "HTTP_ERROR", true},
		{WarnResetRequired, 7, "WARN_RESET_REQUIRED", false},
		{1<<63 | 1000, 1<<63 | 1000, "0x80000000000003e8", true},
	} {
		if uint64(test.status) != test.number || test.status.String() != test.name || test.status.IsError() != test.isError {
			t.Errorf("%#x: %s, IsError %v", uint64(test.status), test.status, test.status.IsError())
		}
	}
	if got := NotFound.Error(); got != "EFI status NOT_FOUND" {
		t.Error(got)
	}
}

func TestStatusIs(t *testing.T) {
	targets := []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, os.ErrDeadlineExceeded}
	want := map[Status]error{
		NotFound: fs.ErrNotExist, NoMedia: fs.ErrNotExist, AlreadyStarted: fs.ErrExist, AccessDenied: fs.ErrPermission,
		SecurityViolation: fs.ErrPermission, WriteProtected: fs.ErrPermission, InvalidParameter: fs.ErrInvalid,
		Timeout: os.ErrDeadlineExceeded,
	}
	for status := range statusNames {
		for _, target := range targets {
			if got := errors.Is(fmt.Errorf("wrapped: %w", status), target); got != (want[status] == target) {
				t.Errorf("errors.Is(%v, %v) = %v", status, target, got)
			}
		}
	}
}
