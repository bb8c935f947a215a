// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
)

func TestCertificates(t *testing.T) {
	b := samples()["signed"].Bytes()
	certs, err := parse(t, b).Certificates()
	require.NoError(t, err)
	require.Equal(t, []pecoff.Certificate{
		{Offset: 0xa00, Length: 29, Revision: 0x200, Type: pecoff.CertificatePKCSSignedData, Data: fill(21, 0xc1)},
		{Offset: 0xa20, Length: 72, Revision: 0x200, Type: pecoff.CertificatePKCSSignedData, Data: fill(64, 0xc2)},
	}, certs)

	for _, name := range []string{"plain", "few"} {
		certs, err = parse(t, samples()[name].Bytes()).Certificates()
		require.NoError(t, err)
		require.Empty(t, certs)
	}
}

func TestCertificatesRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  edit
		err   error
		text  string
		certs int
	}{
		{"past the end", directory(4, 0xa00, 0x6c), pecoff.ErrTruncated, "DataDirectory[4]", 0},
		{"too large", directory(4, 0, 0x100001), pecoff.ErrLimit, "DataDirectory[4]", 0},
		{"first of 0 bytes", put32(0xa00, 0), pecoff.ErrInvalid, "WIN_CERTIFICATE.dwLength at file offset 0xa00", 0},
		{"first without data", put32(0xa00, 8), pecoff.ErrInvalid, "dwLength", 0},
		{"second too large", put32(0xa20, 0x49), pecoff.ErrInvalid, "dwLength at file offset 0xa20: invalid value: 0x49, want 9 to 0x48", 1},
		{"second huge", put32(0xa20, 0xffffffff), pecoff.ErrInvalid, "dwLength", 1},
		{"short rest", directory(4, 0xa00, 0x28), nil, "", 1},
	} {
		m := samples()["signed"]
		b := m.Bytes()[:0xa68:0xa68]
		if c.err == pecoff.ErrLimit {
			b = append(b, make([]byte, 0x100001)...)
		}
		certs, err := parse(t, c.edit(m, b)).Certificates()
		require.Len(t, certs, c.certs, c.name)
		if c.err == nil {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorIs(t, err, c.err, c.name)
		require.ErrorContains(t, err, c.text, c.name)
	}
}
