// SPDX-License-Identifier: BSD-3-Clause

package jobs_test

import (
	"encoding/binary"
	"math/bits"
	"testing"
)

// xxh64 is XXH64 with seed 0.
func xxh64(p []byte) uint64 {
	var p1, p2, p3, p4, p5 uint64 = 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9,
		0x85ebca77c2b2ae63, 0x27d4eb2f165667c5
	le := binary.LittleEndian
	mix := func(acc, v uint64) uint64 { return bits.RotateLeft64(acc+v*p2, 31) * p1 }
	h, n := p5, uint64(len(p))
	if len(p) >= 32 {
		acc := [4]uint64{p1 + p2, p2, 0, -p1}
		for ; len(p) >= 32; p = p[32:] {
			for i := range acc {
				acc[i] = mix(acc[i], le.Uint64(p[8*i:]))
			}
		}
		h = bits.RotateLeft64(acc[0], 1) + bits.RotateLeft64(acc[1], 7) + bits.RotateLeft64(acc[2], 12) + bits.RotateLeft64(acc[3], 18)
		for _, a := range acc {
			h = (h^mix(0, a))*p1 + p4
		}
	}
	h += n
	for ; len(p) >= 8; p = p[8:] {
		h = bits.RotateLeft64(h^mix(0, le.Uint64(p)), 27)*p1 + p4
	}
	if len(p) >= 4 {
		h = bits.RotateLeft64(h^uint64(le.Uint32(p))*p1, 23)*p2 + p3
		p = p[4:]
	}
	for _, b := range p {
		h = bits.RotateLeft64(h^uint64(b)*p5, 11) * p1
	}
	h = (h ^ h>>33) * p2
	h = (h ^ h>>29) * p3
	return h ^ h>>32
}

// The values are those of xxhsum -H1.
func TestXXH64(t *testing.T) {
	for in, want := range map[string]uint64{
		"":    0xef46db3751d8e999,
		"abc": 0x44bc2cf5ad770999,
		"The quick brown fox jumps over the lazy dog": 0x0b242d361fda71bc,
	} {
		if got := xxh64([]byte(in)); got != want {
			t.Errorf("%q: %#x, want %#x", in, got, want)
		}
	}
}
