/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * memory: pages, pools, the memory map (7.2), CopyMem, SetMem and
 * CalculateCrc32 (7.5). It takes no load options.
 */

#include "lib.h"

static u8 *map;
static u64 map_room, map_size, map_key, map_step;

/* take reads the memory map into map. */
static status take(void)
{
	u32 version;
	map_size = map_room;
	return BS->GetMemoryMap(&map_size, map, &map_key, &map_step, &version);
}

/* find returns the descriptor that has the n pages at address, or NULL. */
static struct memory_descriptor *find(u64 address, u64 n)
{
	for (u64 at = 0; at + map_step <= map_size; at += map_step) {
		struct memory_descriptor *d = (void *)(map + at);
		if (address >= d->PhysicalStart && address + n * PAGE <= d->PhysicalStart + d->NumberOfPages * PAGE)
			return d;
	}
	return NULL;
}

static u32 type_of(u64 address, u64 n)
{
	struct memory_descriptor *d;
	if (take() != SUCCESS)
		return 0xffffffff;
	d = find(address, n);
	return d ? d->Type : 0xfffffffe;
}

static void the_map(void)
{
	u64 size = 0, key = 0, step = 0, old;
	u32 version = 0;
	void *p;
	expect("GetMemoryMap of size 0", BS->GetMemoryMap(&size, NULL, &key, &step, &version), BUFFER_TOO_SMALL);
	check("its size", size > 0);
	check("its descriptor size", step >= sizeof(struct memory_descriptor) && step % 8 == 0);
	expect("its version", version, 1);
	check("its size is a whole number of descriptors", step && size % step == 0);
	expect("GetMemoryMap without a size", BS->GetMemoryMap(NULL, NULL, &key, &step, &version), INVALID_PARAMETER);
	map_room = size + 64 * step;
	if (!expect("AllocatePool for the map", BS->AllocatePool(LoaderData, map_room, (void **)&map), SUCCESS))
		return;
	/* Printing may allocate memory: no check between two keys. */
	status s = take(), again;
	old = map_key;
	again = take();
	key = map_key;
	expect("GetMemoryMap", s, SUCCESS);
	expect("GetMemoryMap again", again, SUCCESS);
	expect("the key stays while nothing changes", key, old);
	size = map_size - 1;
	expect("GetMemoryMap of a byte too few", BS->GetMemoryMap(&size, map, &key, &step, &version), BUFFER_TOO_SMALL);
	check("the size it wants", size >= map_size);
	take();
	old = map_key;
	p = pages(3);
	take();
	key = map_key;
	BS->FreePages((u64)p, 3);
	take();
	check("the key changes with AllocatePages", key != old);
	check("the key changes with FreePages", map_key != key);

	int whole = 1, apart = 1, ram = 0;
	for (u64 i = 0; i + map_step <= map_size; i += map_step) {
		struct memory_descriptor *a = (void *)(map + i);
		whole &= a->PhysicalStart % PAGE == 0 && a->NumberOfPages > 0;
		ram |= a->Type == ConventionalMemory;
		for (u64 j = 0; j < i; j += map_step) {
			struct memory_descriptor *b = (void *)(map + j);
			apart &= a->PhysicalStart >= b->PhysicalStart + b->NumberOfPages * PAGE ||
				 b->PhysicalStart >= a->PhysicalStart + a->NumberOfPages * PAGE;
		}
	}
	check("descriptors are whole pages", whole);
	check("descriptors do not overlap", apart);
	check("there is free memory", ram);
	if (expect("GetMemoryMap for the image", take(), SUCCESS) && self) {
		struct memory_descriptor *d = find((u64)self->ImageBase & ~(PAGE - 1), 1);
		check("the image lies in its code type", d && d->Type == self->ImageCodeType);
	}
}

static void the_pages(void)
{
	u64 a = 0, b, c;
	expect("AllocatePages any", BS->AllocatePages(AllocateAnyPages, LoaderData, 8, &a), SUCCESS);
	expect("they are page aligned", a % PAGE, 0);
	expect("the map has their type", type_of(a, 8), LoaderData);
	expect("FreePages of the middle", BS->FreePages(a + 2 * PAGE, 3), SUCCESS);
	expect("the middle is free", type_of(a + 2 * PAGE, 3), ConventionalMemory);
	expect("the front is not", type_of(a, 2), LoaderData);
	expect("the back is not", type_of(a + 5 * PAGE, 3), LoaderData);
	b = a + 2 * PAGE;
	expect("AllocatePages at an address", BS->AllocatePages(AllocateAddress, LoaderCode, 3, &b), SUCCESS);
	expect("it is that address", b, a + 2 * PAGE);
	expect("the map has the new type", type_of(b, 3), LoaderCode);
	expect("AllocatePages there again", BS->AllocatePages(AllocateAddress, LoaderCode, 3, &b), NOT_FOUND);
	c = a + PAGE;
	expect("AllocatePages half over another", BS->AllocatePages(AllocateAddress, LoaderCode, 2, &c), NOT_FOUND);
	expect("FreePages of one kind", BS->FreePages(b, 3), SUCCESS);
	expect("FreePages of the front", BS->FreePages(a, 2), SUCCESS);
	expect("FreePages of the back", BS->FreePages(a + 5 * PAGE, 3), SUCCESS);
	expect("all of it is free", type_of(a, 8), ConventionalMemory);
	expect("FreePages twice", BS->FreePages(a, 2), NOT_FOUND);
	expect("FreePages off a page", BS->FreePages(a + 1, 1), INVALID_PARAMETER);

	c = 0xffffffff;
	expect("AllocatePages below 4 GiB", BS->AllocatePages(AllocateMaxAddress, BootServicesData, 5, &c), SUCCESS);
	check("they end there", c + 5 * PAGE - 1 <= 0xffffffff);
	u64 limit = c + 2 * PAGE - 1, d = limit;
	if (expect("AllocatePages below those", BS->AllocatePages(AllocateMaxAddress, RuntimeServicesData, 2, &d), SUCCESS)) {
		check("they end there too", d + 2 * PAGE - 1 <= limit);
		expect("the map has runtime data", type_of(d, 2), RuntimeServicesData);
		expect("FreePages of runtime data", BS->FreePages(d, 2), SUCCESS);
	}
	expect("FreePages of those", BS->FreePages(c, 5), SUCCESS);
	c = PAGE - 2;
	status s = BS->AllocatePages(AllocateMaxAddress, LoaderData, 1, &c);
	check("AllocatePages below one page", s == NOT_FOUND || s == OUT_OF_RESOURCES);
	c = ~0ULL;
	expect("AllocatePages below the top", BS->AllocatePages(AllocateMaxAddress, LoaderData, 1, &c), SUCCESS);
	BS->FreePages(c, 1);
	c = 0;
	expect("AllocatePages of the operating system's type", BS->AllocatePages(AllocateAnyPages, 0x80000001, 1, &c), SUCCESS);
	expect("the map has that type", type_of(c, 1), 0x80000001);
	BS->FreePages(c, 1);
	expect("AllocatePages of too many", BS->AllocatePages(AllocateAnyPages, LoaderData, 1ULL << 40, &c), OUT_OF_RESOURCES);
	check("AllocatePages of more than there are addresses",
	      is_error(BS->AllocatePages(AllocateAnyPages, LoaderData, ~0ULL, &c)));
	expect("AllocatePages of no type", BS->AllocatePages(3, LoaderData, 1, &c), INVALID_PARAMETER);
	expect("AllocatePages of no memory type", BS->AllocatePages(AllocateAnyPages, MaxMemoryType, 1, &c), INVALID_PARAMETER);
	expect("AllocatePages of free memory", BS->AllocatePages(AllocateAnyPages, ConventionalMemory, 1, &c), INVALID_PARAMETER);
	expect("AllocatePages to nowhere", BS->AllocatePages(AllocateAnyPages, LoaderData, 1, NULL), INVALID_PARAMETER);
}

static void the_pools(void)
{
	static const u64 sizes[] = {1, 7, 8, 9, 24, 100, 255, 256, 1000, 4095, 4096, 4097, 20000, 300000};
	enum { N = sizeof sizes / sizeof sizes[0] };
	u8 *p[N];
	int aligned = 1, kept = 1, given = 1, freed = 1;
	for (int i = 0; i < N; i++) {
		if (BS->AllocatePool(LoaderData, sizes[i], (void **)&p[i]) != SUCCESS) {
			check("AllocatePool", 0);
			return;
		}
		aligned &= (u64)p[i] % 8 == 0;
		memset(p[i], 0x30 + i, sizes[i]);
	}
	for (int i = 1; i < N; i += 2)
		freed &= BS->FreePool(p[i]) == SUCCESS;
	for (int i = 1; i < N; i += 2) {
		given &= BS->AllocatePool(LoaderData, sizes[i], (void **)&p[i]) == SUCCESS;
		memset(p[i], 0x60 + i, sizes[i]);
	}
	for (int i = 0; i < N; i++)
		for (u64 at = 0; at < sizes[i]; at++)
			kept &= p[i][at] == (i % 2 ? 0x60 : 0x30) + i;
	for (int i = 0; i < N; i++)
		freed &= BS->FreePool(p[i]) == SUCCESS;
	check("AllocatePool aligns to 8", aligned);
	check("AllocatePool after FreePool", given);
	check("pools do not overlap", kept);
	check("FreePool", freed);
	expect("FreePool of NULL", BS->FreePool(NULL), INVALID_PARAMETER);
	expect("AllocatePool of too much", BS->AllocatePool(LoaderData, 1ULL << 50, (void **)&p[0]), OUT_OF_RESOURCES);
	check("AllocatePool of everything", is_error(BS->AllocatePool(LoaderData, ~0ULL, (void **)&p[0])));
	expect("AllocatePool to nowhere", BS->AllocatePool(LoaderData, 16, NULL), INVALID_PARAMETER);
	expect("AllocatePool of no memory type", BS->AllocatePool(MaxMemoryType, 16, (void **)&p[0]), INVALID_PARAMETER);
	if (expect("AllocatePool of ACPI memory", BS->AllocatePool(ACPIReclaimMemory, 5000, (void **)&p[0]), SUCCESS)) {
		expect("the map has its type", type_of((u64)p[0] & ~(PAGE - 1), 1), ACPIReclaimMemory);
		expect("FreePool of ACPI memory", BS->FreePool(p[0]), SUCCESS);
	}
}

enum { ROOM = 600 };
static u8 got[ROOM], want[ROOM];

static void fill(void)
{
	for (int i = 0; i < ROOM; i++)
		got[i] = want[i] = (u8)(i * 7 + i / 256);
}

/* copies moves n bytes both by hand and with CopyMem, from one offset to another. */
static int copies(u64 to, u64 from, u64 n)
{
	u8 spare[ROOM];
	fill();
	memcpy(spare, want + from, n);
	memcpy(want + to, spare, n);
	BS->CopyMem(got + to, got + from, n);
	return same(got, want, ROOM);
}

static void the_rest(void)
{
	static const u64 sizes[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 250, 256};
	int up = 1, down = 1, apart = 1, set = 1;
	for (u64 i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		u64 n = sizes[i];
		for (u64 shift = 0; shift < 20; shift++) {
			up &= copies(40 + shift, 40, n);
			down &= copies(40, 40 + shift, n);
			apart &= copies(300 + shift, 3, n);
			fill();
			memset(want + 5 + shift, 0x5a, n);
			BS->SetMem(got + 5 + shift, n, 0x5a);
			set &= same(got, want, ROOM);
		}
	}
	check("CopyMem up over itself", up);
	check("CopyMem down over itself", down);
	check("CopyMem apart", apart);
	check("SetMem", set);

	u32 crc = 0;
	char digits[] = "123456789";
	expect("CalculateCrc32", BS->CalculateCrc32(digits, 9, &crc), SUCCESS);
	expect("its value", crc, 0xcbf43926);
	expect("CalculateCrc32 of nothing", BS->CalculateCrc32(digits, 0, &crc), INVALID_PARAMETER);
	expect("CalculateCrc32 of NULL", BS->CalculateCrc32(NULL, 9, &crc), INVALID_PARAMETER);
	expect("CalculateCrc32 to nowhere", BS->CalculateCrc32(digits, 9, NULL), INVALID_PARAMETER);
	static struct table_header *tables[3];
	tables[0] = &ST->Hdr;
	tables[1] = &BS->Hdr;
	tables[2] = &RT->Hdr;
	for (int i = 0; i < 3; i++) {
		u8 copy[512];
		struct table_header *t = tables[i];
		if (!check("a table's size", t->HeaderSize >= sizeof *t && t->HeaderSize <= sizeof copy))
			continue;
		memcpy(copy, t, t->HeaderSize);
		((struct table_header *)copy)->CRC32 = 0;
		BS->CalculateCrc32(copy, t->HeaderSize, &crc);
		expect("a table's CRC", t->CRC32, crc);
	}
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	the_map();
	if (map) {
		the_pages();
		the_pools();
	}
	the_rest();
	return finish("memory");
}
