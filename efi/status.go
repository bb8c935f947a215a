// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"fmt"
	"io/fs"
	"os"
)

// Status is an EFI_STATUS (Appendix D): zero is success, the highest bit marks
// an error, anything else is a warning. A Status is a Go error, and answers
// errors.Is for the errors of io/fs and os that mean the same.
type Status uint64

const statusError Status = 1 << 63

// The status codes of Appendix D.
const (
	Success             Status = 0
	LoadError                  = statusError | 1
	InvalidParameter           = statusError | 2
	Unsupported                = statusError | 3
	BadBufferSize              = statusError | 4
	BufferTooSmall             = statusError | 5
	NotReady                   = statusError | 6
	DeviceError                = statusError | 7
	WriteProtected             = statusError | 8
	OutOfResources             = statusError | 9
	VolumeCorrupted            = statusError | 10
	VolumeFull                 = statusError | 11
	NoMedia                    = statusError | 12
	MediaChanged               = statusError | 13
	NotFound                   = statusError | 14
	AccessDenied               = statusError | 15
	NoResponse                 = statusError | 16
	NoMapping                  = statusError | 17
	Timeout                    = statusError | 18
	NotStarted                 = statusError | 19
	AlreadyStarted             = statusError | 20
	Aborted                    = statusError | 21
	ICMPError                  = statusError | 22
	TFTPError                  = statusError | 23
	ProtocolError              = statusError | 24
	IncompatibleVersion        = statusError | 25
	SecurityViolation          = statusError | 26
	CRCError                   = statusError | 27
	EndOfMedia                 = statusError | 28
	EndOfFile                  = statusError | 31
	InvalidLanguage            = statusError | 32
	CompromisedData            = statusError | 33
	IPAddressConflict          = statusError | 34
	HTTPError                  = statusError | 35

	WarnUnknownGlyph   Status = 1
	WarnDeleteFailure  Status = 2
	WarnWriteFailure   Status = 3
	WarnBufferTooSmall Status = 4
	WarnStaleData      Status = 5
	WarnFileSystem     Status = 6
	WarnResetRequired  Status = 7
)

var statusNames = map[Status]string{
	Success:             "SUCCESS",
	LoadError:           "LOAD_ERROR",
	InvalidParameter:    "INVALID_PARAMETER",
	Unsupported:         "UNSUPPORTED",
	BadBufferSize:       "BAD_BUFFER_SIZE",
	BufferTooSmall:      "BUFFER_TOO_SMALL",
	NotReady:            "NOT_READY",
	DeviceError:         "DEVICE_ERROR",
	WriteProtected:      "WRITE_PROTECTED",
	OutOfResources:      "OUT_OF_RESOURCES",
	VolumeCorrupted:     "VOLUME_CORRUPTED",
	VolumeFull:          "VOLUME_FULL",
	NoMedia:             "NO_MEDIA",
	MediaChanged:        "MEDIA_CHANGED",
	NotFound:            "NOT_FOUND",
	AccessDenied:        "ACCESS_DENIED",
	NoResponse:          "NO_RESPONSE",
	NoMapping:           "NO_MAPPING",
	Timeout:             "TIMEOUT",
	NotStarted:          "NOT_STARTED",
	AlreadyStarted:      "ALREADY_STARTED",
	Aborted:             "ABORTED",
	ICMPError:           "ICMP_ERROR",
	TFTPError:           "TFTP_ERROR",
	ProtocolError:       "PROTOCOL_ERROR",
	IncompatibleVersion: "INCOMPATIBLE_VERSION",
	SecurityViolation:   "SECURITY_VIOLATION",
	CRCError:            "CRC_ERROR",
	EndOfMedia:          "END_OF_MEDIA",
	EndOfFile:           "END_OF_FILE",
	InvalidLanguage:     "INVALID_LANGUAGE",
	CompromisedData:     "COMPROMISED_DATA",
	IPAddressConflict:   "IP_ADDRESS_CONFLICT",
	HTTPError:           "HTTP_ERROR",
	WarnUnknownGlyph:    "WARN_UNKNOWN_GLYPH",
	WarnDeleteFailure:   "WARN_DELETE_FAILURE",
	WarnWriteFailure:    "WARN_WRITE_FAILURE",
	WarnBufferTooSmall:  "WARN_BUFFER_TOO_SMALL",
	WarnStaleData:       "WARN_STALE_DATA",
	WarnFileSystem:      "WARN_FILE_SYSTEM",
	WarnResetRequired:   "WARN_RESET_REQUIRED",
}

// String is the specification's name without its prefix, or the number.
func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("%#x", uint64(s))
}

// Error is "EFI status " and the name.
func (s Status) Error() string { return "EFI status " + s.String() }

// IsError reports whether the highest bit is set: warnings are no errors.
func (s Status) IsError() bool { return s&statusError != 0 }

// Is makes errors.Is(NotFound, fs.ErrNotExist) and its like true.
func (s Status) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return s == NotFound || s == NoMedia
	case fs.ErrExist:
		return s == AlreadyStarted
	case fs.ErrPermission:
		return s == AccessDenied || s == SecurityViolation || s == WriteProtected
	case fs.ErrInvalid:
		return s == InvalidParameter
	case os.ErrDeadlineExceeded:
		return s == Timeout
	}
	return false
}
