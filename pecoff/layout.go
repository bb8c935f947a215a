// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"fmt"
	"io"
	"slices"
)

// LayOut writes the image as it lies in memory before relocation to dst, which is SizeOfImage
// bytes long: all of what LaidOut reads.
//
// Errors are LaidOut's (dst is then untouched), its reader's (dst is then undefined), or one that says
// that dst has the wrong length.
func (im *Image) LayOut(dst []byte) error {
	r, err := im.LaidOut()
	if err != nil {
		return err
	}
	if int64(len(dst)) != r.Size() {
		return fmt.Errorf("pecoff: LayOut into %d bytes, SizeOfImage is %d", len(dst), r.Size())
	}
	_, err = r.ReadAt(dst, 0)
	return err
}

// LaidOut returns the image as it lies in memory before relocation, SizeOfImage bytes: the headers,
// each section's raw data cut or zero filled to its mapped size, and zeros between them. Where
// sections overlap, the later entry of the section table wins; see Overlap.
//
// Machine and subsystem are not looked at. Errors are *FormatError with ErrTruncated, ErrInvalid,
// ErrOverlap (with the headers) or ErrLimit; those of reading are *FormatError around the error of the
// image's own reader. Parts may be read at the same time if the image's reader lets them.
func (im *Image) LaidOut() (*io.SectionReader, error) {
	if err := im.checkLayout(); err != nil {
		return nil, err
	}
	return io.NewSectionReader((*laidOut)(im), 0, int64(im.SizeOfImage)), nil
}

// laidOut reads an image that checkLayout has passed, within its SizeOfImage.
type laidOut Image

func (l *laidOut) ReadAt(dst []byte, at int64) (int, error) {
	im := (*Image)(l)
	if !im.fills(dst, at) {
		clear(dst) // for the gaps
	}
	if part, from := within(dst, at, 0, im.SizeOfHeaders); len(part) > 0 {
		if err := im.readAt(part, from, "headers"); err != nil {
			return 0, err
		}
	}
	for i, s := range im.Sections {
		n := s.initialised()
		if part, from := within(dst, at, s.VirtualAddress, n); len(part) > 0 {
			if err := im.readAt(part, int64(s.Offset)+from, fmt.Sprintf("Section[%d] %q data", i, s.Name)); err != nil {
				return 0, err
			}
		}
		part, _ := within(dst, at, s.VirtualAddress+n, s.MappedSize()-n)
		clear(part) // of a section before it
	}
	return len(dst), nil
}

// fills reports whether all of dst, which starts at at, comes from one place in the file.
func (im *Image) fills(dst []byte, at int64) bool {
	return slices.ContainsFunc(im.Sections, func(s Section) bool {
		part, _ := within(dst, at, s.VirtualAddress, s.initialised())
		return len(part) == len(dst)
	})
}

// within is the part of dst, which starts at at, that lies in the n bytes from start, and how far in them.
func within(dst []byte, at int64, start, n uint32) (part []byte, from int64) {
	lo := max(at, int64(start))
	hi := min(at+int64(len(dst)), int64(start)+int64(n))
	if lo >= hi {
		return nil, 0
	}
	return dst[lo-at : hi-at], lo - int64(start)
}
