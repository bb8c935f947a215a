// SPDX-License-Identifier: BSD-3-Clause

package pecoff

// Values of Certificate.Type (§32.2.4).
const (
	CertificatePKCSSignedData = 0x0002
	CertificatePKCS115        = 0x0ef0
	CertificateGUID           = 0x0ef1
)

// Certificate is one WIN_CERTIFICATE of the certificate table (§32.2.4). That it stands in the file says
// nothing about whether it is a signature of the image; this package does not verify.
type Certificate struct {
	Offset   int64  // in the file
	Length   uint32 // dwLength: of the header and the data
	Revision uint16
	Type     uint16
	Data     []byte // what follows the 8-byte header; it may end in zeros that pad it
}

// Certificates reads the certificate table: none, one or several entries, each aligned to 8 bytes.
// As in EDK2, 8 bytes or fewer at the end of the table hold no certificate.
//
// Errors are *FormatError: ErrTruncated when the table reaches past the file, ErrLimit when it is larger
// than MaxCertificateTable, ErrInvalid when an entry does not fit into it. The entries before the bad one are
// returned with the error: firmware uses them and ignores the rest.
func (im *Image) Certificates() ([]Certificate, error) {
	const sizeHeader = 8
	d, ok := im.Directory(DirectoryCertificate)
	if !ok {
		return nil, nil
	}
	field, entry := "DataDirectory[4] certificate table", im.directory(DirectoryCertificate)
	start, end := int64(d.VirtualAddress), int64(d.VirtualAddress)+int64(d.Size)
	if end > im.size {
		return nil, bad(field, entry, ErrTruncated, "%#x bytes at %#x, the file has %#x bytes", d.Size, start, im.size)
	}
	if d.Size > MaxCertificateTable {
		return nil, bad(field, entry+4, ErrLimit, "%#x bytes, at most %#x", d.Size, MaxCertificateTable)
	}
	table := make([]byte, d.Size)
	if err := im.readAt(table, start, field); err != nil {
		return nil, err
	}
	var certs []Certificate
	for at := 0; len(table)-at > sizeHeader; {
		h := table[at:]
		n := le.Uint32(h)
		if n <= sizeHeader || uint64(n) > uint64(len(h)) {
			return certs, bad("WIN_CERTIFICATE.dwLength", start+int64(at), ErrInvalid, "%#x, want 9 to %#x", n, len(h))
		}
		certs = append(certs, Certificate{
			Offset:   start + int64(at),
			Length:   n,
			Revision: le.Uint16(h[4:]),
			Type:     le.Uint16(h[6:]),
			Data:     h[sizeHeader:n:n],
		})
		at += (int(n) + 7) &^ 7
	}
	return certs, nil
}
