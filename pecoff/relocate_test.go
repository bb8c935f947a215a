// SPDX-License-Identifier: BSD-3-Clause

package pecoff_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/pecoff"
	"github.com/uefiexec/uefiexec/pecoff/petest"
)

func TestRelocate(t *testing.T) {
	im := parse(t, plain().Bytes())
	mem := layOut(t, im)
	before := bytes.Clone(mem)
	const base = 0x140000000 + 0x1234_5000
	require.NoError(t, im.Relocate(mem, base))

	want := bytes.Clone(before)
	le.PutUint64(want[petest.OptionalHeader+24:], base)
	le.PutUint64(want[0x1008:], 0x9090909090909090+0x12345000)
	le.PutUint32(want[0x1010:], 0x90909090+0x12345000)
	le.PutUint16(want[0x1020:], 0x9090+0x1234)
	le.PutUint16(want[0x1024:], (0x9090+0x5000)&0xffff)
	le.PutUint64(want[0x2000:], 0x1111111111111111+0x12345000)
	require.True(t, bytes.Equal(want, mem))

	mem = layOut(t, im)
	require.NoError(t, im.Relocate(mem, im.ImageBase))
	require.True(t, bytes.Equal(before, mem))

	mem = layOut(t, im)
	require.NoError(t, im.Relocate(mem, 0x1000))
	down := uint64(0x140000000 - 0x1000)
	require.Equal(t, 0x9090909090909090-down, le.Uint64(mem[0x1008:]))
}

func TestRelocatePE32(t *testing.T) {
	im := parse(t, samples()["pe32"].Bytes())
	mem := layOut(t, im)
	require.NoError(t, im.Relocate(mem, 0x500000))
	require.Equal(t, uint32(0x90909090+0x100000), le.Uint32(mem[0x1000:]))
	require.EqualValues(t, 0x500000, le.Uint32(mem[petest.OptionalHeader+28:]))
	require.Error(t, im.Relocate(mem, 0xfffff000))
}

// Images without relocations load anywhere, unless they say that theirs were stripped.
func TestRelocateWithoutRelocations(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{{Name: ".text", Data: fill(8, 1)}}}
	for _, n := range []int{16, 5, 2} {
		m.Directories = n
		im := parse(t, m.Bytes())
		mem := layOut(t, im)
		require.NoError(t, im.Relocate(mem, 0x7000))
		require.Equal(t, fill(8, 1), mem[0x1000:0x1008])
		require.EqualValues(t, 0x7000, le.Uint64(mem[petest.OptionalHeader+24:]))
	}
	m.Characteristics = 0x23
	im := parse(t, m.Bytes())
	mem := layOut(t, im)
	require.NoError(t, im.Relocate(mem, 0))
	err := im.Relocate(mem, 0x7000)
	require.ErrorIs(t, err, pecoff.ErrNoRelocations)
	require.ErrorContains(t, err, "FileHeader.Characteristics at file offset 0x96")
}

func TestRelocateRefusals(t *testing.T) {
	const reloc = 0x800 // file offset of .reloc in plain
	for _, c := range []struct {
		name string
		edit edit
		base uint64
		err  error
		text string
	}{
		{"table outside", directory(5, 0x4ff0, 0x11), 0, pecoff.ErrRelocation, "DataDirectory[5]"},
		{"table wraps", directory(5, 0xffffffff, 0x20), 0, pecoff.ErrRelocation, "DataDirectory[5]"},
		{"table outside, at ImageBase", directory(5, 0x4ff0, 0x11), 0x140000000, pecoff.ErrRelocation, "DataDirectory[5]"},
		{"block of 0 bytes", put32(reloc+4, 0), 0, pecoff.ErrRelocation, "SizeOfBlock at RVA 0x4004 at file offset 0x804"},
		{"block of 7 bytes", put32(reloc+4, 7), 0, pecoff.ErrRelocation, "SizeOfBlock"},
		{"block larger than the table", put32(reloc+4, 0x25), 0, pecoff.ErrRelocation, "SizeOfBlock"},
		{"page outside", put32(reloc, 0x5000), 0, pecoff.ErrRelocation, "TypeOffset at RVA 0x4008 at file offset 0x808: bad base relocation: type 10 at 0x5008"},
		{"page wraps", put32(reloc, 0xfffff000), 0, pecoff.ErrRelocation, "TypeOffset"},
		{"field crosses the end", both(put32(reloc, 0x4000), put16(reloc+8, 0xaff9)), 0, pecoff.ErrRelocation, "type 10 at 0x4ff9"},
		{"type", put16(reloc+8, 0x5008), 0, pecoff.ErrRelocation, "type 5 at 0x1008"},
		{"base not aligned", nil, 0x800, nil, "no multiple of SectionAlignment"},
		{"base too high", nil, 0xfffffffffffff000, nil, "end past"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := plain()
			b := m.Bytes()
			if c.edit != nil {
				b = c.edit(m, b)
			}
			im := parse(t, b)
			err := im.Relocate(layOut(t, im), c.base)
			require.ErrorContains(t, err, c.text)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
			}
		})
	}
	im := parse(t, plain().Bytes())
	require.ErrorContains(t, im.Relocate(nil, 0), "SizeOfImage is 20480")
}

// A relocation table outside of all sections has no place in the file.
func TestRelocateTableInGap(t *testing.T) {
	m := plain()
	im := parse(t, directory(5, 0x1800, 0x10)(m, m.Bytes()))
	err := im.Relocate(layOut(t, im), 0)
	require.EqualError(t, err, "pecoff: BaseRelocation SizeOfBlock at RVA 0x1804: bad base relocation: 0x0, want 8 to 0x10")
	im = parse(t, directory(5, 0x40, 0x10)(m, m.Bytes()))
	require.ErrorContains(t, im.Relocate(layOut(t, im), 0), "at RVA 0x44 at file offset 0x44")
}

// gnu-efi's images carry one block with one padding entry, some with bytes left over that hold no block.
func TestRelocateDummyBlock(t *testing.T) {
	m := petest.Image{Sections: []petest.Section{
		{Name: ".text", Data: fill(8, 1)},
		{Name: ".reloc", Data: []byte{0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0}},
	}}
	for _, page := range []uint32{0, 0xfffff000} {
		b := m.Bytes()
		le.PutUint32(b[0x400:], page)
		im := parse(t, directory(5, 0x2000, 12)(m, b))
		require.NoError(t, im.Relocate(layOut(t, im), 0x10000))
	}
}
