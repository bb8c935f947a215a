// SPDX-License-Identifier: BSD-3-Clause

package protocols

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// forwardFile can be read forward and nothing else.
type forwardFile struct{ *bytes.Buffer }

func (forwardFile) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
func (forwardFile) Close() error               { return nil }

// seekFile has no ReadAt.
type seekFile struct{ io.ReadSeeker }

func (seekFile) Stat() (fs.FileInfo, error) { return nil, errors.ErrUnsupported }
func (seekFile) Close() error               { return nil }

func TestHostFile(t *testing.T) {
	const text = "0123456789"
	opened := 0
	for name, open := range map[string]func() (fs.File, error){
		"forward": func() (fs.File, error) { opened++; return forwardFile{bytes.NewBufferString(text)}, nil },
		"seek":    func() (fs.File, error) { return seekFile{bytes.NewReader([]byte(text))}, nil },
	} {
		first, err := open()
		require.NoError(t, err)
		h := &hostFile{File: first, open: open}
		for _, read := range []struct {
			at   int64
			n    int
			want string
			err  error
		}{
			{0, 3, "012", nil}, {3, 2, "34", nil}, {7, 2, "78", nil}, {1, 1, "1", nil}, {8, 5, "89", io.EOF}, {10, 1, "", io.EOF}, {20, 1, "", io.EOF}, {0, 10, text, nil},
		} {
			buf := make([]byte, read.n)
			n, err := h.ReadAt(buf, read.at)
			require.Equal(t, read.want, string(buf[:n]), "%s at %d", name, read.at)
			require.Equal(t, read.err, err, "%s at %d", name, read.at)
		}
	}
	require.Equal(t, 3, opened) // twice backwards
}
