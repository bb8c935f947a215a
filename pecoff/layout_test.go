// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

// layOut lays an image out into memory that was full of other bytes.
func layOut(t testing.TB, im *pecoff.Image) []byte {
	t.Helper()
	dst := fill(int(im.SizeOfImage), 0xee)
	require.NoError(t, im.LayOut(dst))
	return dst
}

func TestLayOut(t *testing.T) {
	b := plain().Bytes()
	mem := layOut(t, parse(t, b))
	want := make([]byte, 0x5000)
	copy(want, b[:0x200])
	copy(want[0x1000:], fill(0x300, 0x90))
	copy(want[0x2000:], fill(0x20, 0x11))
	copy(want[0x4000:], b[0x800:])
	require.True(t, bytes.Equal(want, mem))
}

func TestLayOutRawLargerThanVirtual(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{{Name: ".a", Data: fill(0x200, 5)}, {Name: ".b", Data: fill(4, 6)}}}
	b := section(0, 8, 0x10)(m, m.Bytes())
	mem := layOut(t, parse(t, b))
	require.Equal(t, append(fill(0x10, 5), fill(0x10, 0)...), mem[0x1000:0x1020])
	require.Equal(t, fill(4, 6), mem[0x2000:0x2004])
}

func TestLayOutVirtualSizeZero(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{{Name: ".a", Data: fill(0x200, 5)}}}
	im := parse(t, section(0, 8, 0)(m, m.Bytes()))
	require.Equal(t, fill(0x200, 5), layOut(t, im)[0x1000:0x1200])
}

func TestLayOutOverlap(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{
		{Name: ".a", Data: fill(0x100, 1), VirtualAddress: 0x1000},
		{Name: ".b", Data: fill(0x10, 2), VirtualAddress: 0x10f8, VirtualSize: 0x20},
	}}
	im := parse(t, m.Bytes())
	require.NoError(t, im.Check())
	require.EqualError(t, im.Overlap(), `pecoff: Section[1] ".b" VirtualAddress at file offset 0x1bc: `+
		`overlap: 0x10f8 lies in Section[0] ".a", which ends at 0x1100`)
	require.ErrorIs(t, im.Overlap(), pecoff.ErrOverlap)
	mem := layOut(t, im)
	want := append(fill(0xf8, 1), fill(0x10, 2)...)
	require.Equal(t, append(want, fill(0x10, 0)...), mem[0x1000:0x1118])

	m.Sections[0], m.Sections[1] = m.Sections[1], m.Sections[0]
	mem = layOut(t, parse(t, m.Bytes()))
	require.Equal(t, append(append(fill(0x100, 1), fill(8, 2)...), fill(0x10, 0)...), mem[0x1000:0x1118])
	require.NoError(t, parse(t, plain().Bytes()).Overlap())
}

func TestLayOutMisuse(t *testing.T) {
	im := parse(t, plain().Bytes())
	require.ErrorContains(t, im.LayOut(make([]byte, 0x4fff)), "SizeOfImage is 20480")
}

// A reader that has become shorter, or fails, is an error and no panic.
func TestReaderShrinks(t *testing.T) {
	b := plain().Bytes()
	for _, at := range []int{0x100, 0x300, 0x610} {
		r := &shrinking{b: b, n: len(b)}
		im, err := pecoff.Parse(r, int64(len(b)))
		require.NoError(t, err)
		r.n = at
		require.ErrorIs(t, im.LayOut(make([]byte, im.SizeOfImage)), io.ErrUnexpectedEOF)
		_, err = io.ReadAll(im.Mapped(im.Sections[1]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorIs(t, im.WriteAuthenticode(io.Discard, pecoff.AsIs), io.ErrUnexpectedEOF)
	}
	m := samples()["signed"]
	b = m.Bytes()
	r := &shrinking{b: b, n: len(b)}
	im, err := pecoff.Parse(r, int64(len(b)))
	require.NoError(t, err)
	r.n--
	_, err = im.Certificates()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// shrinking is the first n bytes of b.
type shrinking struct {
	b []byte
	n int
}

func (s *shrinking) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b[:s.n]).ReadAt(p, off)
}

func TestLayOutUnsupportedMachine(t *testing.T) {
	require.Equal(t, fill(0x20, 0x11), layOut(t, parse(t, samples()["pe32"].Bytes()))[0x2000:0x2020])
}

func TestSectionReaders(t *testing.T) {
	im := parse(t, plain().Bytes())
	s, ok := im.Section(".data")
	require.True(t, ok)
	raw, err := io.ReadAll(im.Raw(s))
	require.NoError(t, err)
	require.Equal(t, append(fill(0x20, 0x11), fill(0x1e0, 0)...), raw)
	mapped, err := io.ReadAll(im.Mapped(s))
	require.NoError(t, err)
	require.Equal(t, append(fill(0x20, 0x11), fill(0x17e0, 0)...), mapped)

	s.VirtualSize = 8
	mapped, err = io.ReadAll(im.Mapped(s))
	require.NoError(t, err)
	require.Equal(t, fill(8, 0x11), mapped)
	p := make([]byte, 16)
	n, err := im.Mapped(s).ReadAt(p, 4)
	require.Equal(t, 4, n)
	require.Equal(t, io.EOF, err)

	_, ok = im.Section(".none")
	require.False(t, ok)
}
