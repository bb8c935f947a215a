// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

var errTooBig = errors.New("more than fits into memory")

// readGzip adds the archives in a gzip stream, which may be of several members
// without a gap, and returns where it ends.
func (b *builder) readGzip(r io.ReaderAt, at, size int64) (int64, error) {
	section := io.NewSectionReader(r, at, size-at)
	in := bufio.NewReader(section)
	z, err := gzip.NewReader(in)
	var out bytes.Buffer
	for err == nil {
		// A reader that goes on to the next member would read over the end of the
		// last one.
		z.Multistream(false)
		room := b.limits.inflated - b.memory - int64(out.Len())
		if _, err = io.Copy(&out, io.LimitReader(z, room+1)); err != nil {
			break
		}
		if int64(out.Len()) > b.limits.inflated-b.memory {
			return 0, fmt.Errorf("gzip at %#x: %w", at, errTooBig)
		}
		if next, _ := in.Peek(2); recognise(next) != kindGzip {
			break
		}
		err = z.Reset(in)
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, fmt.Errorf("gzip at %#x: %w", at, err)
	}
	b.memory += int64(out.Len())
	read, err := section.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if err := b.read(bytes.NewReader(out.Bytes()), int64(out.Len()), true); err != nil {
		return 0, fmt.Errorf("in gzip at %#x: %w", at, err)
	}
	return at + read - int64(in.Buffered()), nil
}
