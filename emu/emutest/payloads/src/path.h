/* SPDX-License-Identifier: BSD-3-Clause */

/* Device paths, for the payloads that load other images. */

#ifndef PATH_H
#define PATH_H

#include "lib.h"

static UNUSED u64 node_length(const struct device_path *p)
{
	return (u64)p->Length[0] | (u64)p->Length[1] << 8;
}

static UNUSED struct device_path *next_node(struct device_path *p)
{
	return (struct device_path *)((u8 *)p + node_length(p));
}

static UNUSED int is_end(const struct device_path *p)
{
	return p->Type == 0x7f && p->SubType == 0xff;
}

static UNUSED struct device_path *add_node(struct device_path *p, u8 type, u8 sub, u64 n, const void *data)
{
	p->Type = type;
	p->SubType = sub;
	p->Length[0] = (u8)(n + 4);
	p->Length[1] = (u8)((n + 4) >> 8);
	memcpy(p + 1, data, n);
	return next_node(p);
}

/*
 * file_path writes the device path of a file on the payload's own volume:
 * the volume's path, a file path node (10.3.5.4) and the end. It returns NULL
 * when the volume has no path or out is too small for it.
 */
static UNUSED struct device_path *file_path(u8 *out, u64 size, const char16 *name)
{
	static const guid dp = DEVICE_PATH_GUID;
	struct device_path *base, *p;
	u64 n, name_size = (length16(name) + 1) * 2;
	if (BS->HandleProtocol(self->DeviceHandle, &dp, (void **)&base) != SUCCESS)
		return NULL;
	for (p = base; !is_end(p); p = next_node(p))
		;
	n = (u64)((u8 *)p - (u8 *)base);
	if (n + 4 + name_size + 4 > size)
		return NULL;
	memcpy(out, base, n);
	p = add_node((struct device_path *)(out + n), 4, 4, name_size, name);
	add_node(p, 0x7f, 0xff, 0, NULL);
	return (struct device_path *)out;
}

#endif
