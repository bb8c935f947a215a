// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/uefiexec/uefiexec/emu/kexec"
	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// Who extends PCRs on a running system.
const (
	IMA     = "IMA"
	Systemd = "systemd"
)

// Where their logs are, from the root folder.
const (
	imaPath     = kexec.IMAFile
	systemdPath = "run/log/systemd/tpm2-measure.log"
)

// maxUserLog bounds a log, in bytes.
const maxUserLog = kexec.MaxIMAList

// UserLog is what a program or the kernel says it has extended since the firmware
// is gone, in its order.
type UserLog struct {
	By string // IMA or Systemd

	// Incomplete says that the writer has marked the log as one that may lack an
	// extend: systemd does so while it extends.
	Incomplete bool

	events []measurement
}

// Len is the number of extends.
func (l *UserLog) Len() int { return len(l.events) }

// measurement is an extend of a user log: of IMA with template, of systemd with
// digests.
type measurement struct {
	pcr     uint32
	digests []eventlog.Digest
	ima     *template
}

// LogError says where a user log is not one.
type LogError struct {
	By     string // IMA or Systemd
	Offset int    // of the entry, in bytes
	Err    error  // eventlog.ErrTruncated or eventlog.ErrFormat, with what is wrong
}

func (e *LogError) Error() string {
	return fmt.Sprintf("tpm: log of %s, at offset %#x: %v", e.By, e.Offset, e.Err)
}

func (e *LogError) Unwrap() error { return e.Err }

// ReadUserLogs reads the logs of IMA and of systemd from the root folder of a
// running Linux. That there is none is no error. Read the TPM before: what is
// measured in between then stands in the log and not in the PCRs, which Check
// allows for. Of a log that is no good, what was read up to there is returned
// beside the error, which is a *LogError, or of the file system; errors of both
// logs are joined. Logs of more than 64 MiB are refused.
func ReadUserLogs(root fs.FS) ([]UserLog, error) {
	var logs []UserLog
	var errs []error
	for _, f := range []struct {
		name  string
		parse func([]byte) (UserLog, error)
	}{{imaPath, ParseIMA}, {systemdPath, ParseSystemd}} {
		b, mode, err := readBounded(root, f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("tpm: %w", err))
			continue
		}
		l, err := f.parse(b)
		if err != nil {
			errs = append(errs, err)
		}
		l.Incomplete = l.By == Systemd && mode&fs.ModeSticky != 0
		logs = append(logs, l)
	}
	return logs, errors.Join(errs...)
}

// readBounded reads a file whose size need not be told by its metadata.
func readBounded(root fs.FS, name string) (b []byte, mode fs.FileMode, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // only read
	// Before the reading: what is marked by then and not yet written may be missing.
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	b, err = io.ReadAll(io.LimitReader(f, maxUserLog+1))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxUserLog {
		return nil, 0, fmt.Errorf("%s: more than %d bytes", name, maxUserLog)
	}
	return b, info.Mode(), nil
}
