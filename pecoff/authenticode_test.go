// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"crypto"
	_ "crypto/md5"
	_ "crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// digested is what the digest of a file without gaps covers, written down another way: the file, with
// the checksum, the certificate directory entry and the certificate table cut out.
func digested(m petest.Image, b []byte) []byte {
	end := len(b)
	var out []byte
	out = append(out, b[:petest.OptionalHeader+64]...)
	rest := petest.OptionalHeader + 68
	if m.Directories == 0 || m.Directories > 4 {
		out = append(out, b[rest:m.Directory(4)]...)
		rest = m.Directory(4) + 8
		end -= int(le.Uint32(b[m.Directory(4)+4:]))
	}
	return append(out, b[rest:end]...)
}

func TestAuthenticode(t *testing.T) {
	for name, m := range samples() {
		b := m.Bytes()
		var got bytes.Buffer
		require.NoError(t, parse(t, b).WriteAuthenticode(&got, pecoff.AsIs), name)
		want := digested(m, b)
		require.True(t, bytes.Equal(want, got.Bytes()), name)

		got.Reset()
		require.NoError(t, parse(t, b).WriteAuthenticode(&got, pecoff.AsSigned), name)
		pad := 0
		if m.Tail != nil {
			pad = -len(b) & 7
			require.NotZero(t, pad, name)
		}
		require.True(t, bytes.Equal(append(want, make([]byte, pad)...), got.Bytes()), name)
	}
}

func TestAuthenticodeDigests(t *testing.T) {
	m := plain()
	b := m.Bytes()
	digests, err := parse(t, b).Authenticode(pecoff.AsIs, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512)
	require.NoError(t, err)
	for i, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		w := h.New()
		w.Write(digested(m, b))
		require.Equal(t, w.Sum(nil), digests[i])
	}
	_, err = parse(t, b).Authenticode(pecoff.AsIs, crypto.BLAKE2b_256)
	require.ErrorContains(t, err, "BLAKE2b-256 is not linked")
}

// The digest before signing, of the kind AsSigned, is the digest of the signed file.
func TestAuthenticodeOfSigned(t *testing.T) {
	m := plain()
	m.Tail = fill(3, 0x77)
	unsigned := parse(t, m.Bytes())
	m.Certificates = [][]byte{fill(100, 1)}
	b := m.Bytes()
	le.PutUint32(b[petest.OptionalHeader+64:], 0x12345678)
	before, err := unsigned.Authenticode(pecoff.AsSigned, crypto.SHA256)
	require.NoError(t, err)
	asIs, err := unsigned.Authenticode(pecoff.AsIs, crypto.SHA256)
	require.NoError(t, err)
	for _, kind := range []pecoff.DigestKind{pecoff.AsIs, pecoff.AsSigned} {
		after, err := parse(t, b).Authenticode(kind, crypto.SHA256)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.NotEqual(t, asIs, after)
	}
}

// The order of the section table does not matter, that of the file does.
func TestAuthenticodeOrder(t *testing.T) {
	m := plain()
	b := m.Bytes()
	first, second := b[m.SectionHeader(0):][:40], b[m.SectionHeader(1):][:40]
	swap := bytes.Clone(first)
	copy(first, second)
	copy(second, swap)
	var got bytes.Buffer
	require.NoError(t, parse(t, b).WriteAuthenticode(&got, pecoff.AsIs))
	require.True(t, bytes.Equal(digested(m, b), got.Bytes()))
}

// With a gap between sections, what follows them starts at the sum of the sizes, as in EDK2.
func TestAuthenticodeGap(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{{Name: ".a", Data: fill(0x200, 1)}, {Name: ".b", Data: fill(0x200, 2)}}}
	b := m.Bytes() // .a at 0x200, .b at 0x400
	b = append(append(b[:0x400:0x400], fill(0x200, 9)...), b[0x400:]...)
	b = section(1, 20, 0x600)(m, b)
	var got bytes.Buffer
	require.NoError(t, parse(t, b).WriteAuthenticode(&got, pecoff.AsIs))
	require.True(t, bytes.HasSuffix(got.Bytes(), append(append(fill(0x200, 1), fill(0x200, 2)...), fill(0x200, 2)...)))
}

func TestAuthenticodeRefusals(t *testing.T) {
	shared := petest.Image{}
	for range 20 {
		shared.Sections = append(shared.Sections, petest.Section{Name: ".a", VirtualSize: 1})
	}
	share := func(m petest.Image, b []byte) []byte {
		b = append(b, fill(0x1000, 1)...)
		for i := range m.Sections {
			b = section(i, 16, 0x1000)(m, section(i, 20, 0x600)(m, b))
		}
		return b
	}
	for _, c := range []struct {
		name string
		m    petest.Image
		edit edit
		err  error
		text string
	}{
		{"headers end before the directory", plain(), put32(petest.OptionalHeader+60, petest.OptionalHeader+112+39), pecoff.ErrInvalid, "SizeOfHeaders"},
		{"headers end before the checksum", petest.Image{Directories: 2}, put32(petest.OptionalHeader+60, 0), pecoff.ErrInvalid, "SizeOfHeaders"},
		{"headers past the end", plain(), put32(petest.OptionalHeader+60, 0x10000), pecoff.ErrTruncated, "SizeOfHeaders"},
		{"certificate table too large", samples()["signed"], directory(4, 0x800, 0x1000), pecoff.ErrTruncated, "DataDirectory[4]"},
		{"shared raw data", shared, share, pecoff.ErrLimit, "section table"},
	} {
		im := parse(t, c.edit(c.m, c.m.Bytes()))
		_, err := im.Authenticode(pecoff.AsIs, crypto.SHA256)
		require.ErrorIs(t, err, c.err, c.name)
		require.ErrorContains(t, err, c.text, c.name)
	}
}

func TestAuthenticodeWriterError(t *testing.T) {
	full := errors.New("full")
	m := plain()
	m.Tail = []byte{1}
	for room := range 8 {
		require.ErrorIs(t, parse(t, m.Bytes()).WriteAuthenticode(&limited{room, full}, pecoff.AsSigned), full)
	}
}

// limited takes room writes.
type limited struct {
	room int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if l.room--; l.room < 0 {
		return 0, l.err
	}
	return len(p), nil
}

func BenchmarkAuthenticode(b *testing.B) {
	m := petest.Image{Sections: []petest.Section{{Name: ".linux", Data: fill(16<<20, 1)}}}
	data := m.Bytes()
	im := parse(b, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := im.WriteAuthenticode(sha256.New(), pecoff.AsIs); err != nil {
			b.Fatal(err)
		}
	}
}
