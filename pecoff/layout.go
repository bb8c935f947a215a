// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import "fmt"

// LayOut writes the image as it lies in memory before relocation to dst, which is SizeOfImage
// bytes long: the headers, each section's raw data cut or zero filled to its mapped size, and
// zeros between them. Where sections overlap, the later entry of the section table wins; see Overlap.
//
// Machine and subsystem are not looked at. Errors are *FormatError with ErrTruncated, ErrInvalid,
// ErrOverlap (with the headers) or ErrLimit (dst is then untouched), the reader's (dst is then undefined), or one
// that says that dst has the wrong length.
func (im *Image) LayOut(dst []byte) error {
	if err := im.checkLayout(); err != nil {
		return err
	}
	if uint64(len(dst)) != uint64(im.SizeOfImage) {
		return fmt.Errorf("pecoff: LayOut into %d bytes, SizeOfImage is %d", len(dst), im.SizeOfImage)
	}
	if err := im.readAt(dst[:im.SizeOfHeaders], 0, "headers"); err != nil {
		return err
	}
	im.clearGaps(dst)
	for i, s := range im.Sections {
		if s.MappedSize() == 0 {
			continue
		}
		mapped := dst[s.VirtualAddress : s.VirtualAddress+s.MappedSize()]
		n := s.initialised()
		if n > 0 {
			if err := im.readAt(mapped[:n], int64(s.Offset), fmt.Sprintf("Section[%d] %q data", i, s.Name)); err != nil {
				return err
			}
		}
		clear(mapped[n:])
	}
	return nil
}

// clearGaps zeroes what neither the headers nor a section covers, and nothing else: dst may be fresh
// guest memory, in which each byte written twice costs.
func (im *Image) clearGaps(dst []byte) {
	done := im.SizeOfHeaders
	for _, i := range im.byAddress() {
		s := im.Sections[i]
		if s.VirtualAddress > done {
			clear(dst[done:s.VirtualAddress])
		}
		done = max(done, s.VirtualAddress+s.MappedSize())
	}
	clear(dst[done:])
}
