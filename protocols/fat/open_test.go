// SPDX-License-Identifier: BSD-3-Clause

package fat_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/uefiexec/uefiexec/protocols/fat"
)

var le = binary.LittleEndian

// disk is a small volume that tests change. Entries of its table are 12, 16 or 32
// bits.
type disk struct {
	raw         []byte
	kind        int
	table, root int // offsets
	data        int // of cluster 2; clusters have 512 bytes
}

// newDisk makes a FAT12 or FAT16 volume with an empty root of 16 entries.
func newDisk(kind int) *disk {
	sectors, tableSectors := 200, 1
	if kind == 16 {
		sectors, tableSectors = 5000, 20
	}
	d := &disk{raw: make([]byte, sectors*512), kind: kind, table: 512}
	d.root = 512 + tableSectors*512
	d.data = d.root + 512
	b := d.raw
	b[0], b[13], b[16], b[21], b[510], b[511] = 0xeb, 1, 1, 0xf8, 0x55, 0xaa
	le.PutUint16(b[11:], 512)
	le.PutUint16(b[14:], 1)
	le.PutUint16(b[17:], 16)
	le.PutUint16(b[19:], uint16(sectors))
	le.PutUint16(b[22:], uint16(tableSectors))
	return d
}

// newDisk32 is a FAT32 volume that is empty but for its root in cluster 2.
func newDisk32(t testing.TB) *disk {
	t.Helper()
	v, err := fat.NewVolume(fstest.MapFS{}, fat.VolumeOptions{Size: 100 << 10})
	require.NoError(t, err)
	d := &disk{raw: make([]byte, v.Size()), kind: 32}
	_, err = v.ReadAt(d.raw, 0)
	require.NoError(t, err)
	d.table = 32 * 512
	d.data = d.table + 2*int(le.Uint32(d.raw[36:]))*512
	d.root = d.data
	return d
}

// link sets the entry of a cluster.
func (d *disk) link(cluster, next uint32) *disk {
	switch b := d.raw[d.table+int(cluster)*d.kind/8:]; d.kind {
	case 12:
		old, shift := uint32(le.Uint16(b)), cluster%2*4
		le.PutUint16(b, uint16(old&^(0xfff<<shift)|next&0xfff<<shift))
	case 16:
		le.PutUint16(b, uint16(next))
	default:
		le.PutUint32(b, next)
	}
	return d
}

const endOfChain = 0x0fffffff

// chain links clusters in this order.
func (d *disk) chain(clusters ...uint32) *disk {
	for i, c := range clusters {
		if i+1 < len(clusters) {
			d.link(c, clusters[i+1])
		} else {
			d.link(c, endOfChain)
		}
	}
	return d
}

// entry appends an entry to a folder, which is the root or in a cluster.
func (d *disk) entry(folder uint32, name string, attributes fat.Attributes, cluster, size uint32) *disk {
	at := d.root
	if folder != 0 {
		at = d.data + int(folder-2)*512
	}
	for d.raw[at] != 0 {
		at += 32
	}
	b := d.raw[at:]
	copy(b, name)
	b[11] = byte(attributes)
	le.PutUint16(b[20:], uint16(cluster>>16))
	le.PutUint16(b[26:], uint16(cluster))
	le.PutUint32(b[28:], size)
	return d
}

func (d *disk) open() (*fat.FS, error) { return fat.Open(bytes.NewReader(d.raw), int64(len(d.raw))) }

// kinds runs a test with a volume of each kind.
func kinds(t *testing.T, test func(t *testing.T, d *disk)) {
	for name, d := range map[string]*disk{"FAT12": newDisk(12), "FAT16": newDisk(16), "FAT32": newDisk32(t)} {
		t.Run(name, func(t *testing.T) { test(t, d) })
	}
}

func TestKinds(t *testing.T) {
	kinds(t, func(t *testing.T, d *disk) {
		d.chain(3, 9, 4, 5).entry(0, "FILE    TXT", fat.Archive, 3, 4*512-3)
		d.chain(7).entry(0, "FOLDER     ", fat.Directory, 7, 99).entry(7, "EMPTY      ", fat.ReadOnly, 0, 0)
		for i, c := range []int{3, 9, 4, 5} {
			copy(d.raw[d.data+(c-2)*512:], bytes.Repeat([]byte{byte('a' + i)}, 512))
		}
		f, err := d.open()
		require.NoError(t, err)
		require.Equal(t, d.kind, f.Info().Kind)
		require.NoError(t, fstest.TestFS(f, "FILE.TXT", "FOLDER/EMPTY"))
		raw, err := fs.ReadFile(f, "FILE.TXT")
		require.NoError(t, err)
		require.Equal(t, bytes.Join([][]byte{bytes.Repeat([]byte("a"), 512), bytes.Repeat([]byte("b"), 512), bytes.Repeat([]byte("c"), 512), bytes.Repeat([]byte("d"), 509)}, nil), raw)
		file, err := f.Open("FILE.TXT")
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(file, raw))
		info, err := f.Stat("FOLDER")
		require.NoError(t, err)
		require.Zero(t, info.Size())
		require.Equal(t, time.Time{}, info.ModTime())
		used := 5
		if d.kind == 32 {
			used++ // the root
		}
		require.EqualValues(t, f.Info().Size-uint64(used)*512, f.Info().Free)
	})
}

func TestBadChains(t *testing.T) {
	const many = 1 << 30
	for name, test := range map[string]struct {
		change func(d *disk)
		says   string
	}{
		"cluster 0":                   {func(d *disk) { d.entry(0, "BAD        ", 0, 0, 1) }, "cluster 0x0"},
		"cluster 1":                   {func(d *disk) { d.entry(0, "BAD        ", 0, 1, 1) }, "cluster 0x1"},
		"no such cluster":             {func(d *disk) { d.entry(0, "BAD        ", 0, 0xf123, 1) }, "cluster 0xf123"},
		"a free cluster":              {func(d *disk) { d.link(5, 0).entry(0, "BAD        ", 0, 5, 513) }, "cluster 0x5 leads to 0x0"},
		"a bad cluster":               {func(d *disk) { d.chain(5, 6).link(6, 0x0ffffff7).entry(0, "BAD        ", 0, 5, 1025) }, "cluster 0x6 leads to 0x"},
		"a wild cluster":              {func(d *disk) { d.link(5, 0x0fffee0).entry(0, "BAD        ", 0, 5, 513) }, "cluster 0x5 leads to 0x"},
		"a short chain":               {func(d *disk) { d.chain(5, 6).entry(0, "BAD        ", 0, 5, 1025) }, "ends after 2 of 3 clusters"},
		"more than is there":          {func(d *disk) { d.chain(5, 6).entry(0, "BAD        ", 0, 5, many) }, "1073741824 bytes"},
		"a circle":                    {func(d *disk) { d.chain(5, 6, 7).link(7, 6).entry(0, "BAD        ", 0, 5, 5000) }, "go round, at cluster 0x6"},
		"a point":                     {func(d *disk) { d.link(5, 5).entry(0, "BAD        ", 0, 5, 5000) }, "go round, at cluster 0x5"},
		"another's start":             {func(d *disk) { d.chain(10, 11).entry(0, "BAD        ", 0, 10, 513) }, "cluster 0xa is another's, too"},
		"another's end":               {func(d *disk) { d.chain(5, 11).entry(0, "BAD        ", 0, 5, 513) }, "cluster 0xb is another's, too"},
		"a folder's circle":           {func(d *disk) { d.chain(5, 6).link(6, 5).entry(0, "BAD        ", fat.Directory, 5, 0) }, "go round, at cluster 0x5"},
		"a folder of none":            {func(d *disk) { d.entry(0, "BAD        ", fat.Directory, 0, 0) }, "cluster 0x0"},
		"a folder that leads nowhere": {func(d *disk) { d.link(5, 1).entry(0, "BAD        ", fat.Directory, 5, 0) }, "cluster 0x5 leads to 0x1"},
		"a folder in itself": {func(d *disk) {
			d.chain(20).entry(0, "UP         ", fat.Directory, 20, 0).entry(20, "DOWN       ", fat.Directory, 20, 0)
			d.entry(0, "BAD        ", fat.Directory, 20, 0)
		}, "cluster 0x14 is another's, too"},
	} {
		t.Run(name, func(t *testing.T) {
			kinds(t, func(t *testing.T, d *disk) {
				d.chain(10, 11).entry(0, "GOOD       ", 0, 10, 600)
				test.change(d)
				f, err := d.open()
				require.NoError(t, err)
				_, err = fs.ReadFile(f, "GOOD")
				require.NoError(t, err)
				_, err = f.Stat("BAD")
				require.NoError(t, err)
				_, err = f.Open("BAD")
				require.ErrorContains(t, err, "open BAD: fat: ")
				require.ErrorContains(t, err, test.says)
				_, err = f.ReadDir("BAD")
				require.Error(t, err)
				_, err = f.Open("BAD/below")
				require.Error(t, err)
			})
		})
	}
}

func TestBadRoot(t *testing.T) {
	d := newDisk32(t).link(2, 2)
	_, err := d.open()
	require.ErrorContains(t, err, "fat: folder .: its clusters go round")
	for cut := range []int{0, 1, 511, 512, 5000} {
		_, err := fat.Open(bytes.NewReader(d.raw[:cut]), int64(len(d.raw)))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		_, err = fat.Open(bytes.NewReader(d.raw), int64(cut))
		require.ErrorIs(t, err, fat.ErrFormat)
	}
	_, err = fat.Open(bytes.NewReader(d.raw), math.MinInt64)
	require.ErrorIs(t, err, fat.ErrFormat)
	cable := errors.New("cable is out")
	_, err = fat.Open(failing{cable}, 1<<20)
	require.ErrorIs(t, err, cable)
}

type failing struct{ error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.error }

func TestNoVolume(t *testing.T) {
	for name, change := range map[string]func(b []byte){
		"no jump":              func(b []byte) { b[0] = 0 },
		"no medium":            func(b []byte) { b[21] = 0xf1 },
		"sectors of 0":         func(b []byte) { le.PutUint16(b[11:], 0) },
		"sectors of 256":       func(b []byte) { le.PutUint16(b[11:], 256) },
		"sectors of 600":       func(b []byte) { le.PutUint16(b[11:], 600) },
		"sectors of 8192":      func(b []byte) { le.PutUint16(b[11:], 8192) },
		"clusters of 0":        func(b []byte) { b[13] = 0 },
		"clusters of 3":        func(b []byte) { b[13] = 3 },
		"nothing reserved":     func(b []byte) { le.PutUint16(b[14:], 0) },
		"no table":             func(b []byte) { b[16] = 0 },
		"a table of nothing":   func(b []byte) { le.PutUint16(b[22:], 0); le.PutUint32(b[36:], 0) },
		"a table of all":       func(b []byte) { le.PutUint16(b[22:], 0); le.PutUint32(b[36:], math.MaxUint32) },
		"no sectors":           func(b []byte) { le.PutUint16(b[19:], 0); le.PutUint32(b[32:], 0) },
		"too many sectors":     func(b []byte) { le.PutUint16(b[19:], 0); le.PutUint32(b[32:], math.MaxUint32) },
		"one sector too many":  func(b []byte) { le.PutUint16(b[19:], 0); le.PutUint32(b[32:], 5001) },
		"all sectors reserved": func(b []byte) { le.PutUint16(b[14:], math.MaxUint16) },
	} {
		kinds(t, func(t *testing.T, d *disk) {
			change(d.raw)
			_, err := d.open()
			require.ErrorIs(t, err, fat.ErrFormat, name)
		})
	}
	d := newDisk32(t)
	for name, change := range map[string]func(b []byte){
		"entries in the root":   func(b []byte) { le.PutUint16(b[17:], 16) },
		"the root in cluster 1": func(b []byte) { le.PutUint32(b[44:], 1) },
		"the root nowhere":      func(b []byte) { le.PutUint32(b[44:], math.MaxUint32) },
		"the third table":       func(b []byte) { le.PutUint16(b[40:], 0x82) },
	} {
		bad := &disk{raw: bytes.Clone(d.raw)}
		change(bad.raw)
		_, err := bad.open()
		require.ErrorIs(t, err, fat.ErrFormat, name)
	}
	for kind := range map[int]bool{12: true, 16: true} {
		d := newDisk(kind)
		le.PutUint16(d.raw[17:], 0)
		_, err := d.open()
		require.ErrorIs(t, err, fat.ErrFormat)
	}
}

// The table that is in use is the one that the boot sector names.
func TestSecondTable(t *testing.T) {
	d := newDisk32(t)
	d.chain(3, 4).entry(0, "FILE       ", 0, 3, 600)
	size := int(le.Uint32(d.raw[36:])) * 512
	copy(d.raw[d.table+size:], d.raw[d.table:][:size])
	clear(d.raw[d.table:][:size])
	le.PutUint16(d.raw[40:], 0x81)
	f, err := d.open()
	require.NoError(t, err)
	_, err = fs.ReadFile(f, "FILE")
	require.NoError(t, err)
}

// lfn is an entry that is a part of a long name.
func lfn(number byte, sum byte, part string) []byte {
	b := make([]byte, 32)
	b[0], b[11], b[13] = number, 0x0f, sum
	units := []rune(part + "\x00")
	for i, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
		unit := uint16(0xffff)
		if i < len(units) {
			unit = uint16(units[i])
		}
		le.PutUint16(b[at:], unit)
	}
	return b
}

func TestNames(t *testing.T) {
	const sum = 0xb5 // of "SHORT   TXT"
	for name, test := range map[string]struct {
		before []byte
		want   string
	}{
		"none":                 {nil, "SHORT.TXT"},
		"one part":             {lfn(0x41, sum, "a name"), "a name"},
		"two parts":            {append(lfn(0x42, sum, "t two"), lfn(1, sum, "thirteen unis")...), "thirteen unist two"},
		"another's":            {lfn(0x41, sum+1, "a name"), "SHORT.TXT"},
		"a part is missing":    {lfn(0x42, sum, "t two"), "SHORT.TXT"},
		"the first is missing": {lfn(1, sum, "thirteen unis"), "SHORT.TXT"},
		"parts of two":         {append(lfn(0x42, sum, "t two"), lfn(1, sum+1, "thirteen unis")...), "SHORT.TXT"},
		"the same part twice":  {bytes.Join([][]byte{lfn(0x42, sum, "t two"), lfn(1, sum, "thirteen unis"), lfn(1, sum, "thirteen unis")}, nil), "SHORT.TXT"},
		"it starts anew":       {append(lfn(0x42, sum, "t two"), lfn(0x41, sum, "one")...), "one"},
		"part 0":               {lfn(0x40, sum, "a name"), "SHORT.TXT"},
		"part 63":              {lfn(0x7f, sum, "a name"), "SHORT.TXT"},
		"an empty name":        {lfn(0x41, sum, ""), "SHORT.TXT"},
		"a path":               {lfn(0x41, sum, "a/b"), "SHORT.TXT"},
		"the folder":           {lfn(0x41, sum, ".."), "SHORT.TXT"},
		"half a pair":          {lfn(0x41, sum, "a\ufffd"), "a\ufffd"},
	} {
		kinds(t, func(t *testing.T, d *disk) {
			copy(d.raw[d.root:], test.before)
			d.entry(0, "SHORT   TXT", 0, 0, 0)
			f, err := d.open()
			require.NoError(t, err)
			_, err = f.Stat(test.want)
			require.NoError(t, err, name)
			list, err := f.ReadDir(".")
			require.NoError(t, err)
			require.Len(t, list, 1, name)
		})
	}
	half := newDisk(12)
	copy(half.raw[half.root:], lfn(0x41, sum, "ax"))
	le.PutUint16(half.raw[half.root+3:], 0xd83d)
	f, err := half.entry(0, "SHORT   TXT", 0, 0, 0).open()
	require.NoError(t, err)
	_, err = f.Stat("SHORT.TXT")
	require.NoError(t, err)

	d := newDisk(12)
	for _, name := range []string{"A          ", "LOWER   TXT", "LOWBASE TXT", "LOWEXT  TXT", "\x05\xc4      B  ", "\xe5GONE      ", "  X        ", "A/B        ", ".          ", "..         ", "A          "} {
		d.entry(0, name, fat.Archive, 0, 0)
	}
	d.raw[d.root+1*32+12], d.raw[d.root+2*32+12], d.raw[d.root+3*32+12] = 0x18, 0x08, 0x10
	d.entry(0, "THE LABEL  ", fat.Label, 0, 0)
	f, err = d.open()
	require.NoError(t, err)
	list, err := f.ReadDir(".")
	require.NoError(t, err)
	var names []string
	for _, d := range list {
		names = append(names, d.Name())
	}
	require.Equal(t, []string{"A", "LOWEXT.txt", "lowbase.TXT", "lower.txt", "åÄ.B"}, names)
	require.Equal(t, "THE LABEL", f.Info().Label)
}

// A folder in a folder, and so on, is not followed for ever.
func TestDepth(t *testing.T) {
	d := newDisk(16)
	for i := range uint32(200) {
		folder := uint32(0)
		if i > 0 {
			folder = 9 + i
		}
		d.chain(10+i).entry(folder, "D          ", fat.Directory, 10+i, 0)
	}
	f, err := d.open()
	require.NoError(t, err)
	at := "D"
	for range 127 {
		at += "/D"
	}
	_, err = f.ReadDir(at)
	require.NoError(t, err)
	_, err = f.ReadDir(at + "/D")
	require.ErrorContains(t, err, "more than 128 folders")
}

// Whatever a volume holds, it opens or says why not, and all of it can be read or
// is an error; nothing is in two places. The changes are to a volume that is
// right: 2 bytes of a place, in sectors and 4 bytes, and 4 that go there.
func FuzzOpen(f *testing.F) {
	var disks []*disk
	for _, d := range []*disk{newDisk(12), newDisk(16), newDisk32(f)} {
		d.chain(3, 9, 4, 5).entry(0, "FILE    TXT", fat.Archive, 3, 4*512-3)
		d.chain(7).entry(0, "FOLDER     ", fat.Directory, 7, 99).entry(7, "EMPTY      ", fat.ReadOnly, 0, 0)
		disks = append(disks, d)
	}
	v, err := fat.NewVolume(fstest.MapFS{"a long name": {Data: text(1000, 1)}, "folder/ü": {Data: text(9, 2)}}, fat.VolumeOptions{Size: 40 << 10})
	require.NoError(f, err)
	disks = append(disks, &disk{raw: bytesOf(f, v, v.Size())})
	for i := range disks {
		f.Add(uint8(i), []byte("\x00\x00\xeb\x00\x00\x00"))
		f.Add(uint8(i), []byte("\x80\x00\xf8\xff\xff\x0f"))
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		raw := bytes.Clone(disks[int(which)%len(disks)].raw)
		for ; len(changes) >= 6; changes = changes[6:] {
			copy(raw[int(le.Uint16(changes))*4%len(raw):], changes[2:6])
		}
		wantBounded(t, raw)
	})
}

// wantBounded reads all of a volume.
func wantBounded(t *testing.T, raw []byte) {
	v, err := fat.Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return
	}
	total := int64(0)
	_ = fs.WalkDir(v, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // its own
		}
		require.True(t, name == "." || fat.ValidName(d.Name()), "%q", name)
		if d.IsDir() {
			return nil
		}
		if data, err := fs.ReadFile(v, name); err == nil {
			total += int64(len(data))
			info, err := d.Info()
			require.NoError(t, err)
			require.EqualValues(t, info.Size(), len(data))
		}
		return nil
	})
	require.LessOrEqual(t, total, int64(len(raw)))
	require.LessOrEqual(t, v.Info().Free, v.Info().Size)
}
