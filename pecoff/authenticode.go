// SPDX-License-Identifier: BSD-3-Clause

package pecoff

import (
	"cmp"
	"crypto"
	"fmt"
	"hash"
	"io"
	"slices"
)

// DigestKind tells two Authenticode digests apart. They are equal when the file's size without its
// certificate table is a multiple of 8.
type DigestKind int

const (
	// AsIs is the digest of the file as it stands. Firmware measures it into PCR 4 and compares it
	// with db and dbx.
	AsIs DigestKind = iota
	// AsSigned is the digest that the file gets when it is signed: signing tools append zeros up to
	// a multiple of 8 before they append the certificate table.
	AsSigned
)

// maxDigestFactor bounds the bytes that sections may claim together, in multiples of the file's
// size, so that many sections that share raw data cannot make a digest take hours.
const maxDigestFactor = 4

// Authenticode returns the Authenticode digest (§32.2.3) of the image by each of hashes, reading the file once.
// A hash that is not linked into the program is an error, and so are those of WriteAuthenticode.
func (im *Image) Authenticode(kind DigestKind, hashes ...crypto.Hash) ([][]byte, error) {
	hs := make([]hash.Hash, len(hashes))
	ws := make([]io.Writer, len(hashes))
	for i, h := range hashes {
		if !h.Available() {
			return nil, fmt.Errorf("pecoff: hash %v is not linked into this program", h)
		}
		hs[i] = h.New()
		ws[i] = hs[i]
	}
	if err := im.WriteAuthenticode(io.MultiWriter(ws...), kind); err != nil {
		return nil, err
	}
	digests := make([][]byte, len(hs))
	for i, h := range hs {
		digests[i] = h.Sum(nil)
	}
	return digests, nil
}

// WriteAuthenticode writes the bytes that the Authenticode digest covers to w, in order: the headers without the
// checksum and the certificate table's directory entry, the raw data of the sections in the order of
// their file offsets, and what follows them up to the certificate table.
//
// As in EDK2 (Tcg2Dxe, DxeImageVerificationLib), what follows starts at the sum of the sizes hashed
// before, and the certificate table is taken to be the last bytes of the file, wherever its directory
// entry points. Files with gaps between sections (fwupd 1.8 for arm64), or with bytes behind the certificate
// table, get the digest that firmware computes and that was signed, odd as it is.
//
// Errors are *FormatError: ErrInvalid when SizeOfHeaders cuts the hashed fields off, ErrTruncated when
// the headers or the certificate table do not fit into the file, ErrLimit when sections claim more
// than 4 times the file's size together; or the reader's or w's error.
func (im *Image) WriteAuthenticode(w io.Writer, kind DigestKind) error {
	opt := im.optionalHeader()
	checksum, entry := opt+64, im.directory(DirectoryCertificate)
	hasEntry := len(im.Directories) > DirectoryCertificate
	needed := checksum + 4
	if hasEntry {
		needed = entry + 8
	}
	headers := int64(im.SizeOfHeaders)
	if headers < needed {
		return bad("OptionalHeader.SizeOfHeaders", opt+60, ErrInvalid, "%#x, want at least %#x", headers, needed)
	}
	if headers > im.size {
		return bad("OptionalHeader.SizeOfHeaders", opt+60, ErrTruncated, "%#x, the file has %#x bytes", headers, im.size)
	}
	type span struct{ from, to int64 }
	spans := []span{{0, checksum}, {checksum + 4, headers}}
	if hasEntry {
		spans = []span{{0, checksum}, {checksum + 4, entry}, {entry + 8, headers}}
	}

	sum := headers
	order := slices.Clone(im.Sections)
	slices.SortStableFunc(order, func(a, b Section) int { return cmp.Compare(a.Offset, b.Offset) })
	for _, s := range order {
		if s.Size > 0 {
			spans = append(spans, span{int64(s.Offset), int64(s.Offset) + int64(s.Size)})
			sum += int64(s.Size)
		}
	}
	if sum/maxDigestFactor > im.size {
		return bad("section table", im.sectionTable(), ErrLimit,
			"sections claim %#x bytes of a file of %#x", sum, im.size)
	}

	var cert int64
	if d, ok := im.Directory(DirectoryCertificate); ok {
		cert = int64(d.Size)
	}
	if im.size > sum {
		if im.size-cert < sum {
			return bad("DataDirectory[4] certificate table", entry, ErrTruncated,
				"%#x bytes, but only %#x follow the sections", cert, im.size-sum)
		}
		spans = append(spans, span{sum, im.size - cert})
	}

	buf := make([]byte, min(im.size, 64<<10))
	for _, s := range spans {
		for at := s.from; at < s.to; {
			p := buf[:min(int64(len(buf)), s.to-at)]
			if err := im.readAt(p, at, "hashed data"); err != nil {
				return err
			}
			if _, err := w.Write(p); err != nil {
				return fmt.Errorf("pecoff: hashing: %w", err)
			}
			at += int64(len(p))
		}
	}
	if pad := -(im.size - cert) & 7; kind == AsSigned && pad > 0 {
		if _, err := w.Write(make([]byte, pad)); err != nil {
			return fmt.Errorf("pecoff: hashing: %w", err)
		}
	}
	return nil
}
