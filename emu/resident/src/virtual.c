/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Virtual memory services (8.4). The map is the caller's, its descriptors
 * MAP_STRIDE bytes apart; only those of runtime memory count.
 */

#include "service.h"

#include "params.h"

struct descriptor {
	u32 type, pad;
	u64 physical, virtual, pages, attributes;
};

#define DESCRIPTOR_VERSION 1
#define MEMORY_RUNTIME (1ULL << 63)
#define OPTIONAL_POINTER 1ULL

/* The system table (4.3) and the table of runtime services (4.5). */
#define TABLE_SIZE 12
#define TABLE_CRC 16
#define VENDOR 24
#define RUNTIME_SERVICES 88
#define CONFIGURATION_TABLE 112
#define SYSTEM_TABLE_LENGTH 120
#define FIRST_SERVICE 24
#define RUNTIME_TABLE_LENGTH 136
#define SET_VIRTUAL_ADDRESS_MAP 56
#define CONVERT_POINTER 64

/* translate gives the virtual address of *p, or 0 where the map has none. */
static u64 translate(const struct params *s, u64 p)
{
	const u8 *at = s->map;
	for (u64 n = s->map_count; n; n--, at += s->map_stride) {
		const struct descriptor *d = (const struct descriptor *)at;
		if (d->attributes & MEMORY_RUNTIME && p >= d->physical && (p - d->physical) >> 12 < d->pages)
			return p - d->physical + d->virtual;
	}
	return 0;
}

/* maps says whether the map has both ends of size bytes at p, a fixed distance apart. */
static int maps(const struct params *s, const void *p, u64 size)
{
	u64 first = (u64)p, from = translate(s, first);
	return from && translate(s, first + size - 1) == from + size - 1;
}

/* convert changes a pointer of a table, if the map has it. */
static void convert(const struct params *s, u8 *p)
{
	u64 to = translate(s, *(u64 *)p);
	if (to)
		*(u64 *)p = to;
}

/* checksum renews the CRC32 of a table (4.2), of at most that many bytes. */
static void checksum(u8 *table, u32 length)
{
	u32 size = *(u32 *)(table + TABLE_SIZE), crc = ~0U;
	if (size > length)
		size = length;
	*(u32 *)(table + TABLE_CRC) = 0;
	for (const u8 *p = table; p < table + size; p++) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0xedb88320U & -(crc & 1));
	}
	*(u32 *)(table + TABLE_CRC) = ~crc;
}

/*
 * SetVirtualAddressMap (8.4.1) tells those who asked for it, then moves the
 * store and, as EDK2 does, the pointers of the two tables but those to the
 * virtual memory services. NO_MAPPING: the map lacks runtime memory that this
 * code needs; nothing has changed. UNSUPPORTED: there are no runtime services,
 * or this was done before.
 *
 * Memory in the map that is not in the memory map is not noticed.
 */
SERVICE u64 SetVirtualAddressMap(u64 size, u64 stride, u32 version, const void *map)
{
	struct params *s = &runtime_params;
	u8 *system = s->system_table, *table = s->runtime_table;
	if (!s->store || s->is_virtual)
		return UNSUPPORTED;
	if (stride < sizeof(struct descriptor) || stride % 8 || version != DESCRIPTOR_VERSION || !map)
		return INVALID_PARAMETER;
	s->map = map;
	s->map_count = size / stride;
	s->map_stride = stride;
	if (!maps(s, blob_start, blob_end - blob_start) || !maps(s, s->store, s->store_size) ||
	    !maps(s, system, SYSTEM_TABLE_LENGTH) || !maps(s, table, RUNTIME_TABLE_LENGTH)) {
		s->map = 0;
		s->map_count = 0;
		return NO_MAPPING;
	}
	s->is_virtual = 1;
	for (u32 i = 0; i < s->notify_count; i++)
		s->notify[i].function(s->notify[i].event, s->notify[i].context);
	convert(s, (u8 *)&s->store);
	for (u32 at = FIRST_SERVICE; at < RUNTIME_TABLE_LENGTH; at += 8)
		if (at != SET_VIRTUAL_ADDRESS_MAP && at != CONVERT_POINTER)
			convert(s, table + at);
	checksum(table, RUNTIME_TABLE_LENGTH);
	convert(s, system + VENDOR);
	convert(s, system + CONFIGURATION_TABLE);
	convert(s, system + RUNTIME_SERVICES);
	checksum(system, SYSTEM_TABLE_LENGTH);
	s->map = 0;
	s->map_count = 0;
	return SUCCESS;
}

/*
 * ConvertPointer (8.4.2) is for those whom SetVirtualAddressMap tells.
 * UNSUPPORTED: it does not run now.
 */
SERVICE u64 ConvertPointer(u64 disposition, u64 *pointer)
{
	const struct params *s = &runtime_params;
	u64 to;
	if (!s->map)
		return UNSUPPORTED;
	if (!pointer)
		return INVALID_PARAMETER;
	if (!*pointer)
		return disposition & OPTIONAL_POINTER ? SUCCESS : INVALID_PARAMETER;
	to = translate(s, *pointer);
	if (!to)
		return NOT_FOUND;
	*pointer = to;
	return SUCCESS;
}
