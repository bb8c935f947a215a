// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import "fmt"

// LayOut writes the image as it lies in memory before relocation to dst, which is SizeOfImage
// bytes long: the headers, each section's raw data cut or zero filled to its mapped size, and
// zeros between them. Every byte of dst is written once.
//
// Machine and subsystem are not looked at. Errors are *FormatError with ErrTruncated, ErrInvalid,
// ErrOverlap or ErrLimit (dst is then untouched), the reader's (dst is then undefined), or one
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
	done := im.SizeOfHeaders
	for _, i := range im.byAddress() {
		s := im.Sections[i]
		clear(dst[done:s.VirtualAddress])
		mapped := dst[s.VirtualAddress : s.VirtualAddress+s.MappedSize()]
		n := s.initialised()
		if n > 0 {
			if err := im.readAt(mapped[:n], int64(s.Offset), fmt.Sprintf("Section[%d] %q data", i, s.Name)); err != nil {
				return err
			}
		}
		clear(mapped[n:])
		done = s.VirtualAddress + s.MappedSize()
	}
	clear(dst[done:])
	return nil
}
