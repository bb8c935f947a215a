/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Variable services (8.2) after ExitBootServices, over a store in the layout of
 * tables/variableimage.go with room behind it. The store holds the variables
 * with runtime access, in the order of their creation. Each call checks what it
 * walks over: a store that is not in order is a DEVICE_ERROR.
 *
 * What is set is gone at the next reset. So the variables of the store cannot be
 * changed, whether non-volatile or, as 8.2.3 says, not; but volatile ones can be
 * created, and those can be changed and deleted. With
 * RUNTIME_FLAG_ACCEPT_NON_VOLATILE the rules are those of 8.2.3, which are
 * those of tables.Variables.
 *
 * Names are read up to their NUL and at most max_name units; buffers that the
 * caller gives are trusted otherwise.
 */

#include "service.h"

#include "params.h"

#define NON_VOLATILE 0x01
#define BOOT_SERVICE_ACCESS 0x02
#define RUNTIME_ACCESS 0x04
#define HARDWARE_ERROR_RECORD 0x08
#define AUTHENTICATED_WRITE_ACCESS 0x10
#define AUTHENTICATED 0xb0
#define APPEND_WRITE 0x40
#define ALL_ATTRIBUTES 0xff

#define MAGIC 0x5352415649464555ULL /* "UEFIVARS" */
#define VERSION 1

struct header {
	u64 magic, size;
	u32 version, count;
};

struct entry {
	u32 attributes, name_size, data_size;
	u32 made; /* 1 if it was created after ExitBootServices */
	u8 guid[16];
	u8 name[]; /* and data */
};

/* key names a variable; a name of no units is no name. */
struct key {
	const u16 *name;
	u64 units;
	const u8 *guid;
};

static u64 size_of_entry(u64 content)
{
	return (sizeof(struct entry) + content + 7) & ~7ULL;
}

/* open finds the store and checks its header. */
static u64 open(struct header **store)
{
	const struct params *s = &runtime_params;
	struct header *h = (struct header *)s->store;
	if (!h)
		return UNSUPPORTED;
	if (s->store_size < sizeof *h || h->magic != MAGIC || h->version != VERSION ||
	    h->size < sizeof *h || h->size % 8 || h->size > s->store_size)
		return DEVICE_ERROR;
	*store = h;
	return SUCCESS;
}

/*
 * The entry after e, or the first for none; 0 at the end. *bad is set at an
 * entry that does not fit.
 */
static struct entry *after(struct header *h, struct entry *e, int *bad)
{
	u64 left, at = sizeof *h;
	if (e)
		at = (u64)((u8 *)e - (u8 *)h) + size_of_entry((u64)e->name_size + e->data_size);
	left = h->size - at;
	if (!left)
		return 0;
	e = (struct entry *)((u8 *)h + at);
	if (left < sizeof *e || e->name_size < 4 || e->name_size % 2 ||
	    left < size_of_entry((u64)e->name_size + e->data_size)) {
		*bad = 1;
		return 0;
	}
	return e;
}

static int same_guid(const u8 *a, const u8 *b)
{
	u8 differ = 0;
	for (int i = 0; i < 16; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static int is_named(const struct entry *e, const struct key *k)
{
	const u16 *name = (const u16 *)e->name;
	if (e->name_size != 2 * k->units + 2 || !same_guid(e->guid, k->guid))
		return 0;
	for (u64 i = 0; i < k->units; i++)
		if (name[i] != k->name[i])
			return 0;
	return 1;
}

/* find gives the entry of a variable, or 0. */
static struct entry *find(struct header *h, const struct key *k, int *bad)
{
	struct entry *e = 0;
	while ((e = after(h, e, bad)))
		if (is_named(e, k))
			break;
	return e;
}

/*
 * key_of reads a name that ends within limit units, its NUL included. A name of
 * more than max_name units names no variable.
 */
static int key_of(struct key *k, const u16 *name, const u8 *guid, u64 limit)
{
	u64 most = (u64)runtime_params.max_name + 1;
	if (limit > most)
		limit = most;
	k->name = name;
	k->guid = guid;
	for (k->units = 0; k->units < limit; k->units++)
		if (!name[k->units])
			return 1;
	return 0;
}

/* GetVariable (8.2.1). */
SERVICE u64 GetVariable(const u16 *name, const u8 *guid, u32 *attributes, u64 *size, void *data)
{
	struct header *h;
	struct entry *e;
	struct key k;
	u64 room, status = open(&h);
	int bad = 0;
	if (status)
		return status;
	if (!name || !guid || !size)
		return INVALID_PARAMETER;
	if (!key_of(&k, name, guid, ~0ULL))
		return NOT_FOUND;
	e = find(h, &k, &bad);
	if (!e)
		return bad ? DEVICE_ERROR : NOT_FOUND;
	room = *size;
	*size = e->data_size;
	if (attributes)
		*attributes = e->attributes;
	if (room < e->data_size)
		return BUFFER_TOO_SMALL;
	if (!data)
		return INVALID_PARAMETER;
	CopyMem(data, e->name + e->name_size, e->data_size);
	return SUCCESS;
}

/* GetNextVariableName (8.2.2), in the order of creation. */
SERVICE u64 GetNextVariableName(u64 *size, u16 *name, u8 *guid)
{
	struct header *h;
	struct entry *e = 0;
	struct key k;
	u64 room, status = open(&h);
	int bad = 0;
	if (status)
		return status;
	if (!size || !name || !guid || !key_of(&k, name, guid, *size / 2))
		return INVALID_PARAMETER;
	if (k.units) {
		e = find(h, &k, &bad);
		if (!e)
			return bad ? DEVICE_ERROR : INVALID_PARAMETER;
	}
	e = after(h, e, &bad);
	if (!e)
		return bad ? DEVICE_ERROR : NOT_FOUND;
	room = *size;
	*size = e->name_size;
	if (room < e->name_size)
		return BUFFER_TOO_SMALL;
	CopyMem(name, e->name, e->name_size);
	CopyMem(guid, e->guid, sizeof e->guid);
	return SUCCESS;
}

static int valid_access(u32 attributes)
{
	const u32 record = NON_VOLATILE | BOOT_SERVICE_ACCESS | RUNTIME_ACCESS;
	if (attributes & HARDWARE_ERROR_RECORD)
		return (attributes & record) == record;
	return attributes & BOOT_SERVICE_ACCESS;
}

/* is_error_record says whether k is HwErrRec#### (Appendix P). */
static int is_error_record(const struct key *k)
{
	const u64 guid[2] = {0x47cce47b414e6bddULL, 0x16f50c0261bb44b2ULL};
	u64 text = 0x6365527272457748ULL; /* "HwErrRec" */
	if (k->units != 12 || !same_guid(k->guid, (const u8 *)guid))
		return 0;
	for (int i = 0; i < 8; i++, text >>= 8)
		if (k->name[i] != (text & 0xff))
			return 0;
	for (int i = 8; i < 12; i++) {
		u16 c = k->name[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'F'))
			return 0;
	}
	return 1;
}

/* check_attributes is the rules that do not depend on what is stored. */
static u64 check_attributes(const struct key *k, u32 attributes)
{
	if (!attributes)
		return SUCCESS;
	if (attributes & ~ALL_ATTRIBUTES || !valid_access(attributes))
		return INVALID_PARAMETER;
	if (attributes & AUTHENTICATED_WRITE_ACCESS)
		return UNSUPPORTED;
	if (is_error_record(k) != !!(attributes & HARDWARE_ERROR_RECORD))
		return INVALID_PARAMETER;
	return SUCCESS;
}

/* check_overwrite is the rules for a variable that exists. */
static u64 check_overwrite(const struct entry *e, u32 attributes)
{
	if (runtime_params.flags & RUNTIME_FLAG_ACCEPT_NON_VOLATILE ? !(e->attributes & NON_VOLATILE) : e->made != 1)
		return WRITE_PROTECTED;
	if (attributes && (attributes & ~APPEND_WRITE) != e->attributes)
		return INVALID_PARAMETER;
	if (e->attributes & AUTHENTICATED && !(attributes & AUTHENTICATED))
		return WRITE_PROTECTED;
	return SUCCESS;
}

/* check_new is the rules for a variable that does not exist. */
static u64 check_new(u32 attributes)
{
	int non_volatile = !!(attributes & NON_VOLATILE);
	if (!(attributes & RUNTIME_ACCESS))
		return INVALID_PARAMETER;
	if (runtime_params.flags & RUNTIME_FLAG_ACCEPT_NON_VOLATILE)
		return non_volatile ? SUCCESS : INVALID_PARAMETER;
	return non_volatile ? WRITE_PROTECTED : SUCCESS;
}

/* resize makes an entry, or the place behind the last one, old bytes long, new bytes long. */
static void resize(struct header *h, u8 *at, u64 old, u64 new)
{
	u8 *end = (u8 *)h + h->size;
	CopyMem(at + new, at + old, end - at - old);
	h->size += new - old;
	if (new < old)
		SetMem(end + new - old, old - new, 0);
}

/* put creates or overwrites (e not 0) a variable within the limits; keep is what of the old data stays. */
static u64 put(struct header *h, struct entry *e, const struct key *k, u32 attributes, u64 keep, const void *data, u64 size)
{
	const struct params *s = &runtime_params;
	u64 name_size = 2 * k->units + 2, content = name_size + keep + size, old = 0, new;
	if (size > s->max_size || content > s->max_size)
		return INVALID_PARAMETER;
	new = size_of_entry(content);
	if (e)
		old = size_of_entry((u64)e->name_size + e->data_size);
	if (h->size - old + new > (s->store_size & ~7ULL))
		return OUT_OF_RESOURCES;
	if (!e) {
		e = (struct entry *)((u8 *)h + h->size);
		resize(h, (u8 *)e, 0, new);
		e->attributes = attributes;
		e->name_size = name_size;
		e->made = !(s->flags & RUNTIME_FLAG_ACCEPT_NON_VOLATILE);
		CopyMem(e->guid, k->guid, sizeof e->guid);
		CopyMem(e->name, k->name, name_size);
		h->count++;
	} else {
		resize(h, (u8 *)e, old, new);
	}
	e->data_size = keep + size;
	CopyMem(e->name + name_size + keep, data, size);
	SetMem(e->name + content, new - sizeof *e - content, 0);
	return SUCCESS;
}

/*
 * SetVariable (8.2.3). WRITE_PROTECTED: what the comment at the top says, or an
 * authenticated variable in a call that is not. SECURITY_VIOLATION: any call
 * that is to be authenticated.
 */
SERVICE u64 SetVariable(const u16 *name, const u8 *guid, u32 attributes, u64 size, const void *data)
{
	struct header *h;
	struct entry *e;
	struct key k;
	u64 status = open(&h);
	int bad = 0;
	if (status)
		return status;
	if (!name || !guid || (size && !data) || !key_of(&k, name, guid, ~0ULL) || !k.units)
		return INVALID_PARAMETER;
	status = check_attributes(&k, attributes);
	if (status)
		return status;
	e = find(h, &k, &bad);
	if (bad)
		return DEVICE_ERROR;
	if (e) {
		status = check_overwrite(e, attributes);
		if (status)
			return status;
	}
	if (attributes & AUTHENTICATED)
		return SECURITY_VIOLATION;
	if (attributes & APPEND_WRITE && !size)
		return SUCCESS;
	/* Attributes of APPEND_WRITE alone have no access and did not come here. */
	if (!attributes || !size) {
		if (!e)
			return NOT_FOUND;
		resize(h, (u8 *)e, size_of_entry((u64)e->name_size + e->data_size), 0);
		h->count--;
		return SUCCESS;
	}
	if (!e) {
		status = check_new(attributes);
		if (status)
			return status;
	}
	return put(h, e, &k, attributes & ~APPEND_WRITE, e && attributes & APPEND_WRITE ? e->data_size : 0, data, size);
}

/* QueryVariableInfo (8.2.4): one storage for all variables. */
SERVICE u64 QueryVariableInfo(u32 attributes, u64 *total, u64 *left, u64 *largest)
{
	const struct params *s = &runtime_params;
	struct header *h;
	u64 room, status = open(&h);
	if (status)
		return status;
	if (!attributes || !total || !left || !largest)
		return INVALID_PARAMETER;
	if (attributes & (AUTHENTICATED | ~ALL_ATTRIBUTES))
		return UNSUPPORTED;
	if (!valid_access(attributes) || !(attributes & RUNTIME_ACCESS))
		return INVALID_PARAMETER;
	room = (s->store_size & ~7ULL) - h->size;
	*total = (s->store_size & ~7ULL) - sizeof *h;
	*left = room;
	room = room > sizeof(struct entry) ? room - sizeof(struct entry) : 0;
	*largest = room < s->max_size ? room : s->max_size;
	return SUCCESS;
}
