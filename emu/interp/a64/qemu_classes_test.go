// SPDX-License-Identifier: BSD-3-Clause

package a64_test

import "math/rand/v2"

// instClass is a group of encodings: value under mask, and anything elsewhere.
type instClass struct {
	name    string
	fixed   [][2]uint32 // mask, value
	memory  bool        // uses memory: base and index registers are limited
	vector  bool
	aligned bool   // base registers are
	cpu     string // the model of QEMU's
	skip    func(w uint32) bool
}

// random is an instruction of the class, or something undefined near to it. x29
// tells of signals and is no destination.
func (c *instClass) random(rng *rand.Rand) uint32 {
	p := c.fixed[rng.IntN(len(c.fixed))]
	w := rng.Uint32()&^p[0] | p[1]
	set := func(low uint, v uint32) {
		if m := uint32(31) << low; p[0]&m == 0 {
			w = w&^m | v<<low
		}
	}
	// Registers: the same one more often than by chance, and the zero register.
	switch rng.IntN(8) {
	case 0:
		set(5, w&31)
	case 1:
		set(16, w>>5&31)
	case 2:
		set(5, 31)
	}
	if c.memory {
		base := uint32(20 + rng.IntN(9))
		if base == 28 || base > 25 && c.aligned {
			base = 31
		}
		set(5, base)
		if w>>27&7 == 7 && w>>24&1 == 0 && w>>21&1 == 1 && w>>10&3 == 2 {
			set(16, uint32(16+rng.IntN(4)))
		}
		if rt := w & 31; rt == base {
			set(0, 2)
		}
		if rt := w >> 10 & 31; rt == base && p[0]>>10&31 == 0 {
			set(10, 3)
		}
		if rs := w >> 16 & 31; rs == base && p[0]>>16&31 == 0 {
			set(16, 4)
		}
	}
	if !c.vector {
		for _, low := range []uint{0, 10, 16} {
			if w>>low&31 == 29 {
				set(low, 5)
			}
		}
	}
	if w&31 == 29 {
		set(0, 6)
	}
	return w
}

func one(mask, value uint32) [][2]uint32 { return [][2]uint32{{mask, value}} }

var instClasses = []instClass{
	{name: "adr, add, sub immediate", fixed: [][2]uint32{{0x1f000000, 0x10000000}, {0x1f800000, 0x11000000}}},
	{name: "logical immediate", fixed: one(0x1f800000, 0x12000000)},
	{name: "move wide", fixed: one(0x1f800000, 0x12800000)},
	{name: "bitfield", fixed: [][2]uint32{{0x9fc00000, 0x13000000}, {0x9fc00000, 0x93400000}, {0x1f800000, 0x13000000},
		{0xfffffc00, 0x531f7800}, {0xfffffc00, 0x53185c00}, {0xfffffc00, 0xd37ff800}, {0xfffffc00, 0xd3607c00}, // lsl
	}},
	{name: "extract", fixed: [][2]uint32{{0xffe08000, 0x13800000}, {0xffe00000, 0x93c00000}, {0x1f800000, 0x13800000}}},
	{name: "logical register", fixed: [][2]uint32{{0x1f000000, 0x0a000000}, {0x1fe0fc00, 0x0a000000}, {0x1fe0fc00, 0x0a200000}}},
	{name: "add, sub shifted", fixed: [][2]uint32{{0x1f200000, 0x0b000000}, {0x1fe0fc00, 0x0b000000}}},
	{name: "add, sub extended", fixed: [][2]uint32{{0x1fe00000, 0x0b200000}, {0x1fe0f000, 0x0b206000}}},
	{name: "carry", fixed: [][2]uint32{{0x1fe0fc00, 0x1a000000}, {0x3fe00410, 0x3a400000}, {0x1fe00000, 0x1a400000}}},
	{name: "select", fixed: [][2]uint32{{0x3fe00800, 0x1a800000}, {0x1fe00000, 0x1a800000}}},
	{name: "two sources", fixed: [][2]uint32{{0x7fe0e000, 0x1ac02000}, {0x7fe0e000, 0x1ac04000}, {0x7fe0f800, 0x1ac00800}, {0x7fe00000, 0x1ac00000}}},
	{name: "one source", fixed: [][2]uint32{{0x7fffe000, 0x5ac00000}, {0x7fff0000, 0x5ac00000}, {0x7fe00000, 0x5ac00000}}},
	{name: "three sources", fixed: one(0x7f000000, 0x1b000000)},
	{name: "branches", fixed: [][2]uint32{
		{0xff00000f&^15 | 0x00fffff0, 0x54000040},
		{0x7effffe0, 0x34000040}, {0x7e07ffe0, 0x36000040},
	}},

	{name: "link", fixed: one(0xffffffff, 0x94000002)},
	{name: "hints, barriers", fixed: [][2]uint32{{0xfffff01f, 0xd503201f}, {0xfffff01f, 0xd503301f}}, skip: waits},
	{name: "system registers", fixed: [][2]uint32{
		{0xffffffe0, 0xd53b4200}, {0xffffffe0, 0xd53b4400}, {0xffffffe0, 0xd53b4420}, // mrs nzcv, fpcr, fpsr
		{0xffffffe0, 0xd53b0020}, {0xffffffe0, 0xd53b00e0}, {0xffffffe0, 0xd51b4200}, // mrs ctr_el0, dczid_el0, msr nzcv
	}},
	{name: "caches", memory: true, fixed: [][2]uint32{
		{0xfffffffc, 0xd50b7434}, {0xfffffffc, 0xd50b7a34}, {0xfffffffc, 0xd50b7e34}, // dc zva, cvac, civac
	}},

	{name: "load, store offset", memory: true, fixed: [][2]uint32{{0x3f000000, 0x39000000}, {0x3f3c0000, 0x39000000}}},
	{name: "load, store unscaled, post, pre", memory: true, fixed: one(0x3f200000, 0x38000000)},
	{name: "load, store register", memory: true, fixed: one(0x3f200c00, 0x38200800)},
	{name: "load, store literal", memory: true, fixed: [][2]uint32{{0x3f800000, 0x18000000}, {0x3f000000, 0x18000000}}},
	{name: "pairs", memory: true, fixed: one(0x3e000000, 0x28000000), skip: sameTwice},
	{name: "vector offset", memory: true, vector: true, fixed: [][2]uint32{{0x3f000000, 0x3d000000}, {0x3f3c0000, 0x3d000000}}},
	{name: "vector unscaled, post, pre", memory: true, vector: true, fixed: one(0x3f200000, 0x3c000000)},
	{name: "vector register", memory: true, vector: true, fixed: one(0x3f200c00, 0x3c200800)},
	{name: "vector literal", memory: true, vector: true, fixed: one(0x3f800000, 0x1c000000)},
	{name: "vector pairs", memory: true, vector: true, fixed: one(0x3e000000, 0x2c000000)},
	{name: "exclusive", memory: true, fixed: [][2]uint32{
		{0x3fe00000, 0x08400000}, {0xbfe00000, 0x88600000}, {0x3fa00000, 0x08800000}, {0x3f800000, 0x08000000},
	}, cpu: "neoverse-n1", aligned: true},
	{name: "atomic", memory: true, cpu: "neoverse-n1", aligned: true, fixed: [][2]uint32{
		{0x3f20fc00 &^ 0x7000, 0x38200000}, {0x3f20fc00, 0x38208000}, {0x3fa07c00, 0x08a07c00}, {0xbfa17c01, 0x08207c00}, {0x3ffffc00, 0x38bfc000},
	}},
	{name: "structures", memory: true, vector: true, fixed: [][2]uint32{
		{0xbfbf0000, 0x0c000000}, {0xbfa00000, 0x0c800000}, {0xbf9f0000, 0x0d000000}, {0xbf800000, 0x0d800000},
	}},

	{name: "float two sources", vector: true, fixed: [][2]uint32{{0xffa00c00, 0x1e200800}}},
	{name: "float one source", vector: true, fixed: [][2]uint32{{0xffa07c00, 0x1e204000}, {0xff207c00, 0x1e204000}}},
	{name: "float three sources", vector: true, fixed: one(0xff800000, 0x1f000000)},
	{name: "float compare", vector: true, fixed: [][2]uint32{{0xffa0fc07, 0x1e202000}, {0xffa00c00, 0x1e200400}}},
	{name: "float select, immediate", vector: true, fixed: [][2]uint32{{0xffa00c00, 0x1e200c00}, {0xffa01fe0, 0x1e201000}}},
	{name: "float and integer", fixed: [][2]uint32{{0x7fa0fc00, 0x1e200000}, {0x7f20fc00, 0x1e200000}}},
	{name: "float and fixed", fixed: [][2]uint32{{0x7fa00000, 0x1e000000}, {0x7fbe0000, 0x1e020000}, {0x7fbe0000, 0x1e180000}}},

	{name: "same", vector: true, fixed: one(0x9f200400, 0x0e200400)},
	{name: "scalar same", vector: true, fixed: one(0xdf200400, 0x5e200400)},
	{name: "misc", vector: true, fixed: one(0x9f3e0c00, 0x0e200800)},
	{name: "scalar misc", vector: true, fixed: one(0xdf3e0c00, 0x5e200800)},
	{name: "across", vector: true, fixed: one(0x9f3e0c00, 0x0e300800)},
	{name: "scalar pair", vector: true, fixed: one(0xdf3e0c00, 0x5e300800)},
	{name: "different", vector: true, fixed: one(0x9f200c00, 0x0e200000)},
	{name: "scalar different", vector: true, fixed: one(0xdf200c00, 0x5e200000)},
	{name: "aes", vector: true, fixed: [][2]uint32{{0xffffcc00, 0x4e284800}, {0xffff8c00, 0x4e280800}}},
	{name: "sha of two", vector: true, fixed: [][2]uint32{{0xffffcc00, 0x5e280800}, {0xffff8c00, 0x5e280800}}},
	{name: "sha of three", vector: true, fixed: one(0xffe08c00, 0x5e000000)},
	{name: "pmull", vector: true, fixed: one(0xbf20fc00, 0x0e20e000)},
	{name: "estimates", vector: true, fixed: [][2]uint32{
		{0x9fbffc00, 0x0ea1c800}, {0x9fbffc00, 0x0ea1d800}, {0xdfbffc00, 0x5ea1d800}, {0xffbffc00, 0x5ea1f800},
		{0xbf20fc00, 0x0e20fc00}, {0xff20fc00, 0x5e20fc00}, {0xbfbffc00, 0x2e216800}, {0xffbffc00, 0x7e216800},
	}},
	{name: "copy", fixed: [][2]uint32{{0x9fe08400, 0x0e000400}, {0xdfe08400, 0x5e000400}}},
	{name: "permute", vector: true, fixed: [][2]uint32{{0xbf208c00, 0x0e000800}, {0xbfe08c00, 0x0e000000}, {0xbfe08400, 0x2e000000}}},
	{name: "modified immediate", vector: true, fixed: one(0x9ff80400, 0x0f000400)},
	{name: "shift", vector: true, fixed: one(0x9f800400, 0x0f000400)},
	{name: "scalar shift", vector: true, fixed: one(0xdf800400, 0x5f000400)},
	{name: "indexed", vector: true, fixed: one(0x9f000400, 0x0f000000)},
	{name: "scalar indexed", vector: true, fixed: one(0xdf000400, 0x5f000000)},
}

// waits is wfi, which the machine answers.
func waits(w uint32) bool { return w == 0xd503207f }

// sameTwice is a load of one register twice, which may do anything.
func sameTwice(w uint32) bool { return w>>22&1 != 0 && w&31 == w>>10&31 }
