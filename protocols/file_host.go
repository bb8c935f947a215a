// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"io"
	"io/fs"
	"os"
)

// hostFile reads a file of io/fs anywhere, however little it can do.
type hostFile struct {
	fs.File
	write WritableFile // the same, if open for writing
	open  func() (fs.File, error)
	at    int64 // where a file that can only be read forward stands
}

// openHost opens the file on the host; flags are added to O_RDWR for writing.
func (f *openFile) openHost(flags int) error {
	h := &hostFile{open: func() (fs.File, error) { return f.volume.tree.Open(f.path) }}
	var err error
	if f.writable {
		if h.write, err = f.volume.write.OpenFile(f.path, os.O_RDWR|flags, 0o644); err == nil {
			h.File = h.write
		}
	} else {
		h.File, err = h.open()
	}
	if err == nil {
		f.host = h
	}
	return err
}

// ReadAt is io.ReaderAt's: by itself if the file has it, by Seek, or by reading
// forward, from the start again if need be.
func (h *hostFile) ReadAt(b []byte, at int64) (int, error) {
	switch r := h.File.(type) {
	case io.ReaderAt:
		return r.ReadAt(b, at)
	case io.Seeker:
		if _, err := r.Seek(at, io.SeekStart); err != nil {
			return 0, err
		}
		return readFull(h.File, b)
	}
	if at < h.at {
		again, err := h.open()
		if err != nil {
			return 0, err
		}
		_ = h.File.Close() // it was only read
		h.File, h.at = again, 0
	}
	n, err := io.CopyN(io.Discard, h.File, at-h.at)
	if h.at += n; err != nil {
		return 0, err
	}
	got, err := readFull(h.File, b)
	h.at += int64(got)
	return got, err
}

// readFull is io.ReadFull with io.EOF for anything short, as io.ReaderAt has it.
func readFull(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}
