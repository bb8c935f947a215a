// SPDX-License-Identifier: BSD-3-Clause

package tpm

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/uefiexec/uefiexec/tables/eventlog"
)

// template is what IMA has measured.
type template struct {
	sha1 []byte // of data; zeros are a violation
	data []byte // what is hashed
}

const (
	sha1Size = 20

	// oldTemplate is the one whose data has no length in the list and whose name
	// is hashed with zeros behind it.
	oldTemplate = "ima"
	oldName     = 256

	maxTemplateName = 1 << 10
)

var le = binary.LittleEndian

// ParseIMA reads the measurement list of Linux's IMA in its binary form, as
// binary_runtime_measurements of securityfs shows it on a little-endian machine.
// Each entry is a PCR, the SHA-1 of the template's data, the name of the
// template with its length before it, and the data with its length before it;
// "ima" templates have 20 bytes of digest and then a name with its length
// (security/integrity/ima/ima_fs.c in Linux). Errors are *LogError with
// eventlog.ErrTruncated or eventlog.ErrFormat; what was read up to there is
// returned beside it. The log shares memory with b.
func ParseIMA(b []byte) (UserLog, error) {
	l := UserLog{By: IMA}
	for offset := 0; offset < len(b); {
		c := cursor{rest: b[offset:]}
		m, err := c.entry()
		if err != nil {
			return l, &LogError{IMA, offset, err}
		}
		l.events = append(l.events, m)
		offset = len(b) - len(c.rest)
	}
	return l, nil
}

// cursor reads an entry.
type cursor struct{ rest []byte }

func (c *cursor) take(n uint64, what string) ([]byte, error) {
	if n > uint64(len(c.rest)) {
		return nil, fmt.Errorf("%w: %s of %d bytes, %d are left", eventlog.ErrTruncated, what, n, len(c.rest))
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b, nil
}

// sized takes bytes that have their number before them.
func (c *cursor) sized(what string) ([]byte, error) {
	n, err := c.take(4, "the length of the "+what)
	if err != nil {
		return nil, err
	}
	return c.take(uint64(le.Uint32(n)), what)
}

func (c *cursor) entry() (measurement, error) {
	h, err := c.take(4+sha1Size, "PCR and digest")
	if err != nil {
		return measurement{}, err
	}
	m := measurement{pcr: le.Uint32(h), ima: &template{sha1: h[4:]}}
	if m.pcr >= eventlog.Registers {
		return m, fmt.Errorf("%w: PCR %d", eventlog.ErrFormat, m.pcr)
	}
	name, err := c.sized("template name")
	if err != nil {
		return m, err
	}
	if len(name) == 0 || len(name) > maxTemplateName {
		return m, fmt.Errorf("%w: a template name of %d bytes", eventlog.ErrFormat, len(name))
	}
	if string(name) != oldTemplate {
		m.ima.data, err = c.sized("template data")
		return m, err
	}
	digest, err := c.take(sha1Size, "digest of the file")
	if err != nil {
		return m, err
	}
	file, err := c.sized("name of the file")
	if err != nil {
		return m, err
	}
	m.ima.data = make([]byte, sha1Size+max(oldName, len(file)))
	copy(m.ima.data, digest)
	copy(m.ima.data[sha1Size:], file)
	return m, nil
}

// reading is a way in which Linux extends the banks that are not SHA-1's.
type reading int

const (
	// hashed: with the hash of the data, and ones for a violation (since 5.8).
	hashed reading = iota
	// padded: with the SHA-1 and zeros behind it, and so for a violation (before
	// 5.8, and since in banks of a hash that the kernel has no number for).
	padded
	// paddedOnes: as padded, but ones to the end for a violation (since 5.8, in
	// banks whose hash was not there when IMA began).
	paddedOnes
	readings
)

// digest is what was extended into a bank, nil if nothing was.
func (m *measurement) digest(a eventlog.Algorithm, r reading) []byte {
	if m.ima == nil {
		e := eventlog.Event{Digests: m.digests}
		return e.Digest(a)
	}
	ones := bytes.Repeat([]byte{0xff}, a.Size())
	violation := bytes.Equal(m.ima.sha1, make([]byte, sha1Size))
	switch {
	case violation && r == padded:
		clear(ones[sha1Size:])
		return ones
	case violation:
		return ones
	case a == eventlog.SHA1:
		return m.ima.sha1
	case r == hashed:
		return a.Sum(m.ima.data)
	}
	return append(bytes.Clone(m.ima.sha1), make([]byte, a.Size()-sha1Size)...)
}
