// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"
)

// A newc header is a magic of 6 characters and 13 numbers of 8 hexadecimal
// digits; the name follows, and both name and contents are padded so that the
// next thing begins at a multiple of 4 in the file. See
// Documentation/driver-api/early-userspace/buffer-format.rst in Linux.
const (
	cpioMagic  = 6
	cpioDigits = 8
	cpioHeader = cpioMagic + cpioDigits*cpioFields
)

// The numbers of a newc header, in its order.
const (
	cpioInode = iota
	cpioMode
	cpioUID
	cpioGID
	cpioLinks
	cpioTime
	cpioSize
	cpioMajor
	cpioMinor
	cpioDeviceMajor
	cpioDeviceMinor
	cpioNameSize
	cpioCheck
	cpioFields
)

// File types in cpioMode.
const (
	unixType    = 0o170000
	unixFolder  = 0o040000
	unixRegular = 0o100000
	unixLink    = 0o120000
)

const cpioTrailer = "TRAILER!!!"

// cpioEntry is a header and what it says.
type cpioEntry struct {
	fields  [cpioFields]uint32
	checked bool // has checksums
	name    string
	data    extent
	next    int64 // offset of what follows
}

// cpioFile tells files apart: entries with the same are hard links.
type cpioFile struct{ major, minor, inode uint32 }

// readCPIO adds the entries up to a trailer, and returns where that ends.
func (b *builder) readCPIO(r io.ReaderAt, at, size int64) (int64, error) {
	linked := map[cpioFile]*node{}
	for {
		e, err := b.cpioEntry(r, at, size)
		if err != nil {
			return 0, fmt.Errorf("cpio entry at %#x: %w", at, err)
		}
		at = e.next
		if e.name == cpioTrailer {
			return at, nil
		}
		if err := b.addCPIO(&e, linked); err != nil {
			return 0, fmt.Errorf("cpio entry %q: %w", e.name, err)
		}
	}
}

func (b *builder) cpioEntry(r io.ReaderAt, at, size int64) (e cpioEntry, err error) {
	if at >= size {
		return e, fmt.Errorf("no trailer: %w", io.ErrUnexpectedEOF)
	}
	var raw [cpioHeader]byte
	if err := readFull(r, raw[:], at); err != nil {
		return e, err
	}
	switch magic := string(raw[:cpioMagic]); magic {
	case "070701":
	case "070702":
		e.checked = true
	default:
		return e, fmt.Errorf("magic %q: %w", magic, ErrFormat)
	}
	for i := range e.fields {
		text := raw[cpioMagic+cpioDigits*i:][:cpioDigits]
		v, err := strconv.ParseUint(string(text), 16, 32)
		if err != nil {
			return e, fmt.Errorf("number %q: %w", text, ErrFormat)
		}
		e.fields[i] = uint32(v)
	}
	nameSize := e.fields[cpioNameSize]
	if nameSize == 0 || int64(nameSize) > int64(b.limits.name) {
		return e, fmt.Errorf("a name of %d bytes", nameSize)
	}
	name := make([]byte, nameSize)
	if err := readFull(r, name, at+cpioHeader); err != nil {
		return e, err
	}
	end := bytes.IndexByte(name, 0)
	if end < 0 {
		return e, fmt.Errorf("name %q has no end", name)
	}
	e.name = string(name[:end])
	e.data = extent{r, align4(at + cpioHeader + int64(nameSize)), int64(e.fields[cpioSize])}
	if e.data.size > 0 && e.data.at+e.data.size > size {
		return e, fmt.Errorf("%d bytes of %q: %w", e.data.size, e.name, io.ErrUnexpectedEOF)
	}
	e.next = min(align4(e.data.at+e.data.size), size)
	return e, nil
}

func align4(n int64) int64 { return (n + 3) &^ 3 }

// addCPIO adds one entry. Of a hard link, one entry has the contents, in most
// archives the last one.
func (b *builder) addCPIO(e *cpioEntry, linked map[cpioFile]*node) error {
	n := &node{
		mode:    fs.FileMode(e.fields[cpioMode] & 0o777),
		modTime: time.Unix(int64(e.fields[cpioTime]), 0).UTC(),
	}
	switch e.fields[cpioMode] & unixType {
	case unixFolder:
		n.mode |= fs.ModeDir
		n.children = map[string]*node{}
	case unixLink:
		target, err := b.cpioTarget(e)
		if err != nil {
			return err
		}
		n.mode |= fs.ModeSymlink
		n.target = target
	case unixRegular:
		if err := e.verify(); err != nil {
			return err
		}
		if e.fields[cpioLinks] > 1 {
			id := cpioFile{e.fields[cpioMajor], e.fields[cpioMinor], e.fields[cpioInode]}
			if first := linked[id]; first != nil {
				n = first
			}
			linked[id] = n
		}
		if e.data.size > 0 {
			n.data = e.data
		}
	default:
		return nil
	}
	return b.add(e.name, n)
}

// verify compares the checksum of format 070702, the sum of all bytes, which
// regular files alone have.
func (e *cpioEntry) verify() error {
	if !e.checked || e.data.size == 0 {
		return nil
	}
	var sum uint32
	buf := make([]byte, min(e.data.size, 64<<10))
	for at, left := e.data.at, e.data.size; left > 0; {
		part := buf[:min(left, int64(len(buf)))]
		if err := readFull(e.data.r, part, at); err != nil {
			return err
		}
		for _, c := range part {
			sum += uint32(c)
		}
		at, left = at+int64(len(part)), left-int64(len(part))
	}
	if want := e.fields[cpioCheck]; sum != want {
		return fmt.Errorf("checksum is %#x and should be %#x", sum, want)
	}
	return nil
}

// cpioTarget reads where a symbolic link leads.
func (b *builder) cpioTarget(e *cpioEntry) (string, error) {
	if e.data.size > int64(b.limits.name) {
		return "", fmt.Errorf("a link's target of %d bytes", e.data.size)
	}
	raw := make([]byte, e.data.size)
	err := readFull(e.data.r, raw, e.data.at)
	raw, _, _ = bytes.Cut(raw, []byte{0})
	return string(raw), err
}
