// SPDX-License-Identifier: BSD-3-Clause

// A decoder of one frame of zstd (RFC 8878), without dictionaries.

#include "jobs.h"

enum {
	BLOCK = 128 << 10,
	HUFFMAN = 11, // bits of a Huffman code
	ACCURACY = 9, // bits of an FSE state
};

struct cell { // of a table of FSE
	uint16_t base;
	uint8_t symbol, bits;
};

struct fse {
	unsigned accuracy;
	struct cell cells[1 << ACCURACY];
};

struct state {
	struct fse lengths, offsets, matches, weights;
	struct { uint8_t symbol, bits; } huffman[1 << HUFFMAN];
	unsigned huffman_bits;
	uint64_t repeat[3];
	uint8_t literals[BLOCK + 32];
};

// backward is a bit stream that is read from its end (section 4.1).
struct backward {
	const uint8_t *start;
	int64_t left; // bits
};

static int backward_open(struct backward *b, const uint8_t *p, int64_t n)
{
	if (n <= 0 || p[n - 1] == 0)
		return 0;
	b->start = p;
	b->left = 8 * (n - 1) + 31 - __builtin_clz(p[n - 1]);
	return 1;
}

// peek is the next 56 bits, the first of them the highest, zeros behind the end.
static inline uint64_t peek(const struct backward *b)
{
	int64_t at = b->left - 56;
	if (at >= 0)
		return load64(b->start + (at >> 3)) >> (at & 7) << 8;
	if (b->left <= 0)
		return 0;
	return load64(b->start) << (64 - b->left);
}

// bits reads n bits, 0 to 56.
static inline uint64_t bits(struct backward *b, unsigned n)
{
	uint64_t v = peek(b) >> 1 >> (63 - n);
	b->left -= n;
	return v;
}

// fse_build makes a table of frequencies (section 4.1.1).
static NOINLINE int fse_build(struct fse *t, const int16_t *frequencies, unsigned symbols, unsigned accuracy)
{
	uint16_t next[256];
	unsigned size = 1u << accuracy, high = size, at = 0;
	for (unsigned s = 0; s < symbols; s++) {
		next[s] = frequencies[s];
		if (frequencies[s] == -1) {
			t->cells[--high].symbol = s;
			next[s] = 1;
		}
	}
	for (unsigned s = 0; s < symbols; s++)
		for (int i = 0; i < frequencies[s]; i++) {
			t->cells[at].symbol = s;
			do
				at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1);
			while (at >= high);
		}
	if (at != 0)
		return 0;
	for (unsigned i = 0; i < size; i++) {
		struct cell *c = &t->cells[i];
		unsigned n = next[c->symbol]++;
		c->bits = accuracy - (31 - __builtin_clz(n));
		c->base = (n << c->bits) - size;
	}
	t->accuracy = accuracy;
	return 1;
}

// fse_read reads the description of a table (section 4.1.1). It returns its size
// in bytes, 0 if it is none.
static NOINLINE int64_t fse_read(struct fse *t, const uint8_t *p, int64_t n, unsigned limit, unsigned max_symbols)
{
	int16_t frequencies[256];
	if (n < 1 || (p[0] & 15) + 5u > limit)
		return 0;
	unsigned accuracy = (p[0] & 15) + 5, symbols = 0, at = 4;
	int left = 1 << accuracy;
	while (left > 0) {
		if (symbols >= max_symbols || at / 8 >= n)
			return 0;
		unsigned width = 32 - __builtin_clz(left + 1);
		unsigned v = load32(p + at / 8) >> at % 8 & ((1u << width) - 1);
		unsigned mask = (1u << (width - 1)) - 1, threshold = (1u << width) - 1 - (left + 1);
		at += width;
		if ((v & mask) < threshold) {
			at--;
			v &= mask;
		} else if (v > mask) {
			v -= threshold;
		}
		int frequency = (int)v - 1;
		left -= frequency < 0 ? 1 : frequency;
		frequencies[symbols++] = frequency;
		if (frequency == 0)
			for (unsigned zeros = 3; zeros == 3; at += 2) {
				zeros = load16(p + at / 8) >> at % 8 & 3;
				if (symbols + zeros > max_symbols || at / 8 >= n)
					return 0;
				for (unsigned i = 0; i < zeros; i++)
					frequencies[symbols++] = 0;
			}
	}
	if (left < 0 || (at + 7) / 8 > n || !fse_build(t, frequencies, symbols, accuracy))
		return 0;
	return (at + 7) / 8;
}

// huffman_build makes the table of a code of the weights of its symbols
// (section 4.2.1).
static NOINLINE int huffman_build(struct state *s, uint8_t *weights, unsigned n)
{
	unsigned sum = 0, count[HUFFMAN + 2] = { 0 }, start[HUFFMAN + 2];
	for (unsigned i = 0; i < n; i++) {
		if (weights[i] > HUFFMAN)
			return 0;
		sum += 1u << weights[i] >> 1;
	}
	if (sum == 0)
		return 0;
	unsigned max = 32 - __builtin_clz(sum), rest = (1u << max) - sum;
	if (max > HUFFMAN || (rest & (rest - 1)) != 0)
		return 0;
	weights[n++] = 32 - __builtin_clz(rest);
	for (unsigned i = 0; i < n; i++)
		count[weights[i]]++;
	start[1] = 0;
	for (unsigned w = 1; w <= HUFFMAN; w++)
		start[w + 1] = start[w] + (count[w] << (w - 1));
	for (unsigned i = 0; i < n; i++) {
		unsigned w = weights[i];
		if (w == 0)
			continue;
		for (unsigned end = start[w] + (1u << (w - 1)); start[w] < end; start[w]++) {
			s->huffman[start[w]].symbol = i;
			s->huffman[start[w]].bits = max + 1 - w;
		}
	}
	s->huffman_bits = max;
	return 1;
}

// huffman_read reads the description of a code. It returns its size in bytes, 0
// if it is none.
static NOINLINE int64_t huffman_read(struct state *s, const uint8_t *p, int64_t n)
{
	uint8_t weights[256];
	if (n < 1)
		return 0;
	unsigned head = p[0], count = 0;
	if (head >= 128) {
		count = head - 127;
		if (1 + (count + 1) / 2 > n)
			return 0;
		for (unsigned i = 0; i < count; i++)
			weights[i] = i % 2 == 0 ? p[1 + i / 2] >> 4 : p[1 + i / 2] & 15;
		return huffman_build(s, weights, count) ? 1 + (count + 1) / 2 : 0;
	}
	struct backward b;
	const struct cell *cells = s->weights.cells;
	int64_t table = 1 + head > n ? 0 : fse_read(&s->weights, p + 1, head, 6, HUFFMAN + 1);
	if (table == 0 || !backward_open(&b, p + 1 + table, head - table))
		return 0;
	unsigned one = bits(&b, s->weights.accuracy), two = bits(&b, s->weights.accuracy);
	while (count < 254) {
		weights[count++] = cells[one].symbol;
		one = cells[one].base + bits(&b, cells[one].bits);
		if (b.left < 0) {
			weights[count++] = cells[two].symbol;
			break;
		}
		unsigned swap = one;
		one = two;
		two = swap;
	}
	return b.left < 0 && huffman_build(s, weights, count) ? 1 + head : 0;
}

// huffman_stream decodes n literals.
static NOINLINE int huffman_stream(const struct state *s, uint8_t *out, int64_t n, const uint8_t *p, int64_t size)
{
	struct backward b;
	if (n < 0 || !backward_open(&b, p, size))
		return 0;
	unsigned shift = 64 - s->huffman_bits;
	uint8_t *end = out + n;
	while (end - out >= 4) {
		uint64_t v = peek(&b), used = 0;
		for (int i = 0; i < 4; i++) {
			unsigned at = v >> shift;
			*out++ = s->huffman[at].symbol;
			v <<= s->huffman[at].bits;
			used += s->huffman[at].bits;
		}
		b.left -= used;
	}
	while (out < end) {
		unsigned at = peek(&b) >> shift;
		*out++ = s->huffman[at].symbol;
		b.left -= s->huffman[at].bits;
	}
	return b.left == 0;
}

// literals decodes the section of that name (section 3.1.1.3.1). It returns its
// size in bytes, 0 if it is none, and puts the number of literals into count.
static NOINLINE int64_t literals(struct state *s, const uint8_t *p, int64_t n, int64_t *count)
{
	unsigned type = p[0] & 3, format = p[0] >> 2 & 3;
	if (type < 2) {
		unsigned head = format == 1 ? 2 : format == 3 ? 3 : 1;
		int64_t regenerated = format == 1 ? load16(p) >> 4 : format == 3 ? (load32(p) & 0xffffff) >> 4 : p[0] >> 3;
		int64_t size = head + (type == 0 ? regenerated : 1);
		if (regenerated > BLOCK || size > n)
			return 0;
		for (int64_t i = 0; i < regenerated; i++)
			s->literals[i] = p[head + (type == 0 ? i : 0)];
		*count = regenerated;
		return size;
	}
	unsigned head = format < 2 ? 3 : 2 + format, width = format < 2 ? 10 : format == 2 ? 14 : 18;
	uint64_t v = load64(p) >> 4;
	int64_t regenerated = v & ((1u << width) - 1), compressed = v >> width & ((1u << width) - 1);
	const uint8_t *at = p + head, *end = at + compressed;
	if (regenerated > BLOCK || head + compressed > n)
		return 0;
	if (type == 2) {
		int64_t size = huffman_read(s, at, compressed);
		if (size == 0)
			return 0;
		at += size;
	} else if (s->huffman_bits == 0) {
		return 0;
	}
	*count = regenerated;
	if (format == 0)
		return huffman_stream(s, s->literals, regenerated, at, end - at) ? head + compressed : 0;
	if (end - at < 6)
		return 0;
	int64_t each = (regenerated + 3) / 4, one = load16(at), two = load16(at + 2), three = load16(at + 4);
	at += 6;
	if (one + two + three > end - at)
		return 0;
	if (!huffman_stream(s, s->literals, each, at, one) ||
		!huffman_stream(s, s->literals + each, each, at + one, two) ||
		!huffman_stream(s, s->literals + 2 * each, each, at + one + two, three) ||
		!huffman_stream(s, s->literals + 3 * each, regenerated - 3 * each, at + one + two + three,
			end - at - one - two - three))
		return 0;
	return head + compressed;
}

// Sections 3.1.1.3.2.1 and 3.1.1.3.2.2.
static const uint32_t length_base[36] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28,
	32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536 };
static const uint8_t length_extra[36] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7,
	8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const uint32_t match_base[53] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099,
	8195, 16387, 32771, 65539 };
static const uint8_t match_extra[53] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static const int16_t length_default[36] = { 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3,
	2, 1, 1, 1, 1, 1, -1, -1, -1, -1 };
static const int16_t offset_default[29] = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1,
	-1, -1, -1 };
static const int16_t match_default[53] = { 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1 };

// table reads one of the three tables of a sequences section. It returns its size
// in bytes, -1 if it is none.
static int64_t table(struct fse *t, unsigned mode, const uint8_t *p, int64_t n, unsigned limit, const int16_t *normal,
	unsigned normal_accuracy, unsigned symbols, unsigned max_symbols)
{
	int64_t size;
	switch (mode) {
	case 0:
		return fse_build(t, normal, symbols, normal_accuracy) ? 0 : -1;
	case 1:
		if (n < 1 || p[0] >= max_symbols)
			return -1;
		t->accuracy = 0;
		t->cells[0].symbol = p[0];
		t->cells[0].bits = 0;
		t->cells[0].base = 0;
		return 1;
	case 2:
		size = fse_read(t, p, n, limit, max_symbols);
		return size == 0 ? -1 : size;
	}
	return t->accuracy == ~0u ? -1 : 0;
}

// sequences decodes and executes the section of that name (sections 3.1.1.3.2 and
// 3.1.1.4). It returns the end of what came out, 0 if it is none.
static NOINLINE uint8_t *sequences(struct state *s, const uint8_t *p, int64_t n, int64_t count, const uint8_t *start,
	uint8_t *out, const uint8_t *limit)
{
	const uint8_t *end = p + n, *literal = s->literals, *last = literal + count;
	unsigned left = 0;
	if (n < 1)
		return 0;
	if (p[0] < 128)
		left = p[0], p += 1;
	else if (p[0] < 255)
		left = (p[0] - 128) << 8 | p[1], p += 2;
	else
		left = (p[1] | p[2] << 8) + 0x7f00, p += 3;
	if (left > 0) {
		unsigned modes = *p++;
		int64_t size = table(&s->lengths, modes >> 6, p, end - p, 9, length_default, 6, 36, 36);
		if (size < 0)
			return 0;
		p += size;
		size = table(&s->offsets, modes >> 4 & 3, p, end - p, 8, offset_default, 5, 29, 32);
		if (size < 0)
			return 0;
		p += size;
		size = table(&s->matches, modes >> 2 & 3, p, end - p, 9, match_default, 6, 53, 53);
		if (size < 0)
			return 0;
		p += size;
		struct backward b;
		if (!backward_open(&b, p, end - p))
			return 0;
		unsigned l = bits(&b, s->lengths.accuracy), o = bits(&b, s->offsets.accuracy), m = bits(&b, s->matches.accuracy);
		uint64_t one = s->repeat[0], two = s->repeat[1], three = s->repeat[2];
		for (;;) {
			struct cell cl = s->lengths.cells[l], co = s->offsets.cells[o], cm = s->matches.cells[m];
			uint64_t distance = ((uint64_t)1 << co.symbol) + bits(&b, co.symbol);
			int64_t match = match_base[cm.symbol] + bits(&b, match_extra[cm.symbol]);
			int64_t length = length_base[cl.symbol] + bits(&b, length_extra[cl.symbol]);
			if (distance > 3) {
				distance -= 3;
				three = two, two = one, one = distance;
			} else {
				if (length == 0)
					distance++;
				switch (distance) {
				case 1:
					distance = one;
					break;
				case 2:
					distance = two;
					two = one, one = distance;
					break;
				default:
					distance = distance == 3 ? three : one - 1;
					three = two, two = one, one = distance;
				}
			}
			if (length > last - literal || length + match > limit - out)
				return 0;
			for (int64_t i = 0; i < length; i += 8)
				store64(out + i, load64(literal + i));
			out += length;
			literal += length;
			if (distance == 0 || distance > (uint64_t)(out - start))
				return 0;
			copy_match(out, distance, match);
			out += match;
			if (--left == 0)
				break;
			l = cl.base + bits(&b, cl.bits);
			m = cm.base + bits(&b, cm.bits);
			o = co.base + bits(&b, co.bits);
		}
		if (b.left != 0)
			return 0;
		s->repeat[0] = one, s->repeat[1] = two, s->repeat[2] = three;
	}
	if (last - literal > limit - out)
		return 0;
	while (literal < last)
		*out++ = *literal++;
	return out;
}

// frame returns where the first block begins, 0 if that is no frame without a
// dictionary (section 3.1.1.1).
static const uint8_t *frame(const uint8_t *in, uint64_t n)
{
	static const uint8_t content_size[4] = { 0, 2, 4, 8 };
	if (n < 16 || load32(in) != 0xfd2fb528 || (in[4] & 3) != 0)
		return 0;
	unsigned single = in[4] >> 5 & 1;
	return in + 5 + (1 - single) + (in[4] < 64 ? single : content_size[in[4] >> 6]);
}

uint64_t job_zstd(const uint8_t *in, uint64_t n, uint8_t *memory)
{
	struct state *s = (struct state *)memory;
	uint8_t *start = memory + (sizeof *s + 63) / 64 * 64, *out = start, *limit = memory + MEMORY - 512;
	const uint8_t *p = frame(in, n), *end = in + n;
	if (p == 0)
		return 0;
	s->repeat[0] = 1, s->repeat[1] = 4, s->repeat[2] = 8;
	s->lengths.accuracy = s->offsets.accuracy = s->matches.accuracy = ~0u;
	for (unsigned last = 0; !last;) {
		if (end - p < 3)
			return 0;
		unsigned head = load32(p) & 0xffffff, type = head >> 1 & 3;
		int64_t size = head >> 3;
		last = head & 1;
		p += 3;
		if (size > BLOCK || size > limit - out || (type == 1 ? 1 : size) > end - p)
			return 0;
		if (type == 2) {
			int64_t count, section = size < 2 ? 0 : literals(s, p, size, &count);
			if (section == 0)
				return 0;
			out = sequences(s, p + section, size - section, count, start, out, limit);
			if (out == 0)
				return 0;
			p += size;
		} else if (type == 3) {
			return 0;
		} else {
			for (int64_t i = 0; i < size; i++)
				*out++ = p[type == 0 ? i : 0];
			p += type == 0 ? size : 1;
		}
	}
	uint64_t hash = xxh64(start, out - start);
	if (in[4] & 4 && (end - p < 4 || load32(p) != (uint32_t)hash))
		return 0;
	return hash;
}
