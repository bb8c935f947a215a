// SPDX-License-Identifier: BSD-3-Clause

package archive

import (
	"bytes"
	"strconv"
	"strings"
)

// kind is what the first bytes of something say it is.
type kind string

const (
	kindUnknown kind = ""
	kindCPIO    kind = "cpio"
	kindTar     kind = "tar"
	kindGzip    kind = "gzip"
)

const tarBlock = 512

var magics = []struct {
	magic string
	kind  kind
}{
	{"070701", kindCPIO},
	{"070702", kindCPIO},
	{"070707", "cpio in the old character format"},
	{"\xc7\x71", "cpio in the old binary format"},
	{"\x71\xc7", "cpio in the old binary format"},
	{"\x1f\x8b", kindGzip},
	{"\x28\xb5\x2f\xfd", "zstd compression"},
	{"\xfd7zXZ\x00", "xz compression"},
	{"\x02\x21\x4c\x18", "lz4 compression"},
	{"\x04\x22\x4d\x18", "lz4 compression"},
	{"BZh", "bzip2 compression"},
	{"\x5d\x00\x00", "lzma compression"},
	{"\x89LZO", "lzo compression"},
}

func recognise(head []byte) kind {
	if isTar(head) {
		return kindTar
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.kind
		}
	}
	return kindUnknown
}

// isTar looks at the checksum, which every tar header has from v7 on: the sum
// of its bytes, signed in some old programs, with the checksum's as spaces.
func isTar(head []byte) bool {
	if len(head) < tarBlock {
		return false
	}
	const at, n = 148, 8
	text := strings.Trim(string(head[at:at+n]), " \x00")
	want, err := strconv.ParseInt(text, 8, 64)
	if err != nil {
		return false
	}
	var unsigned, signed int64
	for i, c := range head[:tarBlock] {
		if at <= i && i < at+n {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return want == unsigned || want == signed
}
