// SPDX-License-Identifier: BSD-3-Clause

// A decoder of deflate (RFC 1951): codes of up to FAST bits by table, longer
// ones bit by bit.

#include "jobs.h"

enum { FAST = 10, SYMBOLS = 288 };

struct code {
	uint16_t fast[1 << FAST]; // symbol << 4 | bits; 0 is a longer code
	uint16_t count[16], symbol[SYMBOLS];
};

struct state {
	const uint8_t *in, *end;
	uint64_t bits;
	unsigned have;
	struct code literals, distances;
};

// refill makes 48 bits or more, zeros behind the end.
static inline void refill(struct state *s)
{
	if (s->end - s->in >= 8) {
		s->bits |= load64(s->in) << s->have;
		unsigned n = (63 - s->have) >> 3;
		s->in += n;
		s->have += 8 * n;
		return;
	}
	while (s->have <= 48) {
		if (s->in < s->end)
			s->bits |= (uint64_t)*s->in << s->have;
		s->in++;
		s->have += 8;
	}
}

static inline unsigned take(struct state *s, unsigned n)
{
	unsigned v = s->bits & ((1u << n) - 1);
	s->bits >>= n;
	s->have -= n;
	return v;
}

// build makes a code of the lengths of its symbols (section 3.2.2). It returns 0 if
// there are more codes than there is room for.
static NOINLINE int build(struct code *c, const uint8_t *lengths, unsigned n)
{
	uint16_t offset[16];
	unsigned next = 0;
	for (unsigned i = 0; i < 16; i++)
		c->count[i] = 0;
	for (unsigned i = 0; i < n; i++)
		c->count[lengths[i]]++;
	c->count[0] = 0;
	offset[0] = offset[1] = 0;
	int left = 1;
	for (unsigned i = 1; i < 16; i++) {
		left = 2 * left - c->count[i];
		if (left < 0)
			return 0;
		if (i < 15)
			offset[i + 1] = offset[i] + c->count[i];
	}
	for (unsigned i = 0; i < n; i++)
		if (lengths[i] != 0)
			c->symbol[offset[lengths[i]]++] = i;
	for (unsigned i = 0; i < 1 << FAST; i++)
		c->fast[i] = 0;
	unsigned index = 0;
	for (unsigned bits = 1; bits <= FAST; bits++, next <<= 1)
		for (unsigned i = 0; i < c->count[bits]; i++, next++, index++) {
			unsigned reversed = 0;
			for (unsigned b = 0; b < bits; b++)
				reversed |= (next >> b & 1) << (bits - 1 - b);
			for (; reversed < 1 << FAST; reversed += 1 << bits)
				c->fast[reversed] = c->symbol[index] << 4 | bits;
		}
	return 1;
}

static NOINLINE unsigned slow(struct state *s, const struct code *c)
{
	unsigned code = 0, first = 0, index = 0;
	for (unsigned bits = 1; bits < 16; bits++) {
		code |= take(s, 1);
		unsigned count = c->count[bits];
		if (code - first < count)
			return c->symbol[index + code - first];
		index += count;
		first = (first + count) << 1;
		code <<= 1;
	}
	return ~0u;
}

static inline unsigned decode(struct state *s, const struct code *c)
{
	unsigned e = c->fast[s->bits & ((1 << FAST) - 1)];
	if (e == 0)
		return slow(s, c);
	take(s, e & 15);
	return e >> 4;
}

// dynamic reads the codes of a block (section 3.2.7).
static NOINLINE int dynamic(struct state *s)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint8_t lengths[320];
	refill(s);
	unsigned literals = take(s, 5) + 257, distances = take(s, 5) + 1, n = take(s, 4) + 4;
	for (unsigned i = 0; i < 19; i++)
		lengths[i] = 0;
	for (unsigned i = 0; i < n; i++) {
		refill(s);
		lengths[order[i]] = take(s, 3);
	}
	if (literals > 286 || !build(&s->literals, lengths, 19))
		return 0;
	for (unsigned i = 0; i < literals + distances;) {
		refill(s);
		unsigned symbol = decode(s, &s->literals), repeat = 1, value = symbol;
		switch (symbol) {
		case 16:
			if (i == 0)
				return 0;
			value = lengths[i - 1];
			repeat = 3 + take(s, 2);
			break;
		case 17:
			value = 0;
			repeat = 3 + take(s, 3);
			break;
		case 18:
			value = 0;
			repeat = 11 + take(s, 7);
		}
		if (value > 15 || i + repeat > literals + distances)
			return 0;
		while (repeat-- > 0)
			lengths[i++] = value;
	}
	return build(&s->literals, lengths, literals) && build(&s->distances, lengths + literals, distances);
}

static NOINLINE int fixed(struct state *s)
{
	uint8_t lengths[SYMBOLS];
	for (unsigned i = 0; i < SYMBOLS; i++)
		lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	if (!build(&s->literals, lengths, SYMBOLS))
		return 0;
	for (unsigned i = 0; i < 30; i++)
		lengths[i] = 5;
	return build(&s->distances, lengths, 30);
}

// compressed decodes a block to out. It returns the end of what came out, 0 if
// that is no block.
static NOINLINE uint8_t *compressed(struct state *s, const uint8_t *start, uint8_t *out, const uint8_t *limit)
{
	static const uint16_t length_base[29] = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59,
		67, 83, 99, 115, 131, 163, 195, 227, 258 };
	static const uint8_t length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4,
		5, 5, 5, 5, 0 };
	static const uint16_t distance_base[30] = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385,
		513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 };
	for (;;) {
		refill(s);
		if (out > limit || s->in > s->end + 8)
			return 0;
		unsigned symbol = decode(s, &s->literals);
		if (symbol < 256) {
			*out++ = symbol;
			continue;
		}
		if (symbol == 256)
			return out;
		if (symbol -= 257, symbol >= 29)
			return 0;
		unsigned length = length_base[symbol] + take(s, length_extra[symbol]);
		unsigned code = decode(s, &s->distances);
		if (code >= 30)
			return 0;
		refill(s);
		uint64_t distance = distance_base[code] + take(s, code < 4 ? 0 : code / 2 - 1);
		if (distance > (uint64_t)(out - start))
			return 0;
		copy_match(out, distance, length);
		out += length;
	}
}

static uint8_t *stored(struct state *s, uint8_t *out, const uint8_t *limit)
{
	take(s, s->have & 7);
	refill(s);
	unsigned n = take(s, 16);
	if ((n ^ take(s, 16)) != 0xffff)
		return 0;
	s->in -= s->have / 8;
	s->bits = s->have = 0;
	if (s->end - s->in < n || limit - out < n)
		return 0;
	while (n-- > 0)
		*out++ = *s->in++;
	return out;
}

uint64_t job_inflate(const uint8_t *in, uint64_t n, uint8_t *memory)
{
	struct state *s = (struct state *)memory;
	uint8_t *start = memory + (sizeof *s + 63) / 64 * 64, *out = start, *limit = memory + MEMORY - 512;
	s->in = in;
	s->end = in + n;
	for (;;) {
		refill(s);
		unsigned last = take(s, 1);
		switch (take(s, 2)) {
		case 0:
			out = stored(s, out, limit);
			break;
		case 1:
			out = fixed(s) ? compressed(s, start, out, limit) : 0;
			break;
		case 2:
			out = dynamic(s) ? compressed(s, start, out, limit) : 0;
			break;
		default:
			return 0;
		}
		if (out == 0)
			return 0;
		if (last)
			return xxh64(start, out - start);
	}
}
