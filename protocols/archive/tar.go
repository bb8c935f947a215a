// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// readTar adds the entries of a tar archive, up to its end. What is behind two
// blocks of zeros is not looked at.
func (b *builder) readTar(r io.ReaderAt, size int64) error {
	// The reader takes headers in whole blocks and skips contents with Seek, so
	// behind Next the section stands where the contents begin.
	section := io.NewSectionReader(r, 0, size)
	tr := tar.NewReader(section)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are looked at below
			return fmt.Errorf("tar: %w", err)
		}
		at, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if err := b.addTar(h, tr, extent{r, at, h.Size}, size); err != nil {
			return fmt.Errorf("tar entry %q: %w", h.Name, err)
		}
	}
}

func (b *builder) addTar(h *tar.Header, contents io.Reader, data extent, size int64) error {
	n := &node{mode: fs.FileMode(h.Mode & 0o777), modTime: h.ModTime.UTC()}
	switch h.Typeflag {
	case tar.TypeDir:
		n.mode |= fs.ModeDir
		n.children = map[string]*node{}
	case tar.TypeSymlink:
		if len(h.Linkname) > b.limits.name {
			return fmt.Errorf("a link's target of %d bytes", len(h.Linkname))
		}
		n.mode |= fs.ModeSymlink
		n.target = h.Linkname
	case tar.TypeLink:
		return b.addTarLink(h)
	case tar.TypeReg, tar.TypeCont:
		if isSparse(h) {
			return b.addSparse(h, contents, n)
		}
		if data.size > size-data.at {
			return fmt.Errorf("%d bytes: %w", data.size, io.ErrUnexpectedEOF)
		}
		n.data = data
	case tar.TypeGNUSparse:
		return b.addSparse(h, contents, n)
	default:
		return nil
	}
	return b.add(h.Name, n)
}

// addTarLink gives a file one more name.
func (b *builder) addTarLink(h *tar.Header) error {
	elements, skip, err := b.elements(h.Linkname)
	if skip || err != nil {
		return err
	}
	n, err := walk(b.root, strings.Join(elements, "/"), false)
	if err == nil && n.mode.IsDir() {
		err = errors.New("is a folder")
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", h.Linkname, err)
	}
	return b.add(h.Name, n)
}

func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// addSparse takes a sparse file into memory, holes and all.
func (b *builder) addSparse(h *tar.Header, contents io.Reader, n *node) error {
	if h.Size > b.limits.inflated-b.memory {
		return fmt.Errorf("sparse file of %d bytes: %w", h.Size, errTooBig)
	}
	raw, err := io.ReadAll(contents)
	if err != nil {
		return err
	}
	b.memory += int64(len(raw))
	n.data = extent{bytes.NewReader(raw), 0, int64(len(raw))}
	return b.add(h.Name, n)
}
