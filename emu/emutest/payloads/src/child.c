/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * child: what the payload image starts. Load options:
 *   (none)    returns success
 *   return N  returns the status N
 *   exit N    calls Exit with the status N and exit data
 *   deep N    starts another child with "deep N-1"; the last one calls Exit
 *             with status 7; each returns what its child gave
 *   other     calls Exit for its parent, which must fail
 */

#include "path.h"

static int prefix(const char *s, const char *p)
{
	while (*p && *s == *p)
		s++, p++;
	return !*p;
}

static status leave(status s)
{
	static const char16 text[] = L"child says bye";
	char16 *data;
	if (BS->AllocatePool(BootServicesData, sizeof text, (void **)&data) != SUCCESS)
		return OUT_OF_RESOURCES;
	memcpy(data, text, sizeof text);
	return BS->Exit(image, s, sizeof text, data);
}

static status deep(u64 n)
{
	static const guid loaded = LOADED_IMAGE_GUID;
	static u8 path[1024];
	static char16 text[] = L"deep 00";
	struct loaded_image *li;
	handle next;
	status s;
	if (!n)
		return leave(ERROR_BIT | 7);
	text[5] = (char16)('0' + (n - 1) / 10 % 10);
	text[6] = (char16)('0' + (n - 1) % 10);
	if (!file_path(path, sizeof path, L"\\child.efi"))
		return ABORTED;
	s = BS->LoadImage(0, image, path, NULL, 0, &next);
	if (s != SUCCESS)
		return s;
	if ((s = BS->HandleProtocol(next, &loaded, (void **)&li)) != SUCCESS)
		return s;
	li->LoadOptions = text;
	li->LoadOptionsSize = sizeof text;
	return BS->StartImage(next, NULL, NULL);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	const char *o = options();
	if (prefix(o, "return "))
		return parse(o + 7);
	if (prefix(o, "exit "))
		return leave(parse(o + 5));
	if (prefix(o, "deep "))
		return deep(parse(o + 5));
	if (prefix(o, "other"))
		return BS->Exit(self->ParentHandle, SUCCESS, 0, NULL);
	return *o ? INVALID_PARAMETER : SUCCESS;
}
