/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * random: places itself like a kernel that randomises its address. It takes
 * the memory map, picks slots aligned to 2 MiB by a random number and asks
 * for each with AllocateAddress, slots that are not free among them. It takes
 * no load options.
 */

#include "lib.h"

#define ALIGN (2ULL << 20)
enum { TRIES = 200, SIZE = 24 /* pages */, HELD = 64 };

static u64 seed = 0x9e3779b97f4a7c15;

static void stir(void)
{
	static const guid id = RNG_GUID;
	struct rng *rng;
	struct time now;
	if (BS->LocateProtocol(&id, NULL, (void **)&rng) == SUCCESS) {
		expect("GetRNG", rng->GetRNG(rng, NULL, sizeof seed, (u8 *)&seed), SUCCESS);
		u64 size = 0;
		expect("GetInfo of size 0", rng->GetInfo(rng, &size, NULL), BUFFER_TOO_SMALL);
		check("its size is a number of GUIDs", size && size % sizeof(guid) == 0);
		expect("GetRNG of nothing", rng->GetRNG(rng, NULL, 0, (u8 *)&seed), INVALID_PARAMETER);
		expect("GetRNG to nowhere", rng->GetRNG(rng, NULL, 8, NULL), INVALID_PARAMETER);
	} else {
		say("There is no RNG protocol: the seed is the time.\n");
		if (RT->GetTime(&now, NULL) == SUCCESS)
			seed ^= (u64)now.Second << 32 ^ now.Nanosecond;
	}
	if (!seed)
		seed = 1;
}

static u64 next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static u8 *map;
static u64 room, size, step;

static status take(void)
{
	u64 key;
	u32 version;
	size = room;
	return BS->GetMemoryMap(&size, map, &key, &step, &version);
}

static struct memory_descriptor *at(u64 i)
{
	return (void *)(map + i * step);
}

/* slots counts the aligned addresses in d at which all SIZE pages lie in it. */
static u64 slots(struct memory_descriptor *d)
{
	u64 first = (d->PhysicalStart + ALIGN - 1) & ~(ALIGN - 1);
	u64 end = d->PhysicalStart + d->NumberOfPages * PAGE;
	return first + SIZE * PAGE > end ? 0 : (end - SIZE * PAGE - first) / ALIGN + 1;
}

/* free says whether the map has all SIZE pages at address as free memory. */
static int is_free(u64 address)
{
	u64 have = 0;
	for (u64 i = 0; i < size / step; i++) {
		struct memory_descriptor *d = at(i);
		u64 from = d->PhysicalStart, to = from + d->NumberOfPages * PAGE;
		if (d->Type != ConventionalMemory)
			continue;
		if (from < address)
			from = address;
		if (to > address + SIZE * PAGE)
			to = address + SIZE * PAGE;
		if (from < to)
			have += (to - from) / PAGE;
	}
	return have == SIZE;
}

/* pick returns a random aligned address in RAM, free or not. */
static u64 pick(int only_free)
{
	u64 total = 0, n;
	for (u64 i = 0; i < size / step; i++)
		if (!only_free || at(i)->Type == ConventionalMemory)
			total += slots(at(i));
	if (!total)
		return 0;
	n = next() % total;
	for (u64 i = 0; i < size / step; i++) {
		struct memory_descriptor *d = at(i);
		if (only_free && d->Type != ConventionalMemory)
			continue;
		if (n < slots(d))
			return ((d->PhysicalStart + ALIGN - 1) & ~(ALIGN - 1)) + n * ALIGN;
		n -= slots(d);
	}
	return 0;
}

status efi_main(handle h, struct system_table *st)
{
	u64 held[HELD], n = 0, given = 0, refused = 0;
	int honest = 1, exact = 1, typed = 1, right = 1, freed = 1;
	begin(h, st);
	stir();
	take();
	room = size + 200 * step;
	if (!expect("AllocatePool", BS->AllocatePool(LoaderData, room, (void **)&map), SUCCESS))
		return finish("random");
	for (int i = 0; i < TRIES; i++) {
		if (take() != SUCCESS)
			break;
		u64 want = i % 4 == 3 && n ? held[next() % n] : pick(i % 2), address = want;
		int was_free = is_free(want);
		if (!want)
			continue;
		if (i % 5 == 4) {
			want += PAGE * (next() % SIZE); /* straddles what may be held */
			address = want;
			was_free = is_free(want);
		}
		status s = BS->AllocatePages(AllocateAddress, LoaderCode, SIZE, &address);
		if (s != SUCCESS) {
			refused++;
			honest &= !was_free;
			right &= s == NOT_FOUND;
			continue;
		}
		given++;
		honest &= was_free;
		exact &= address == want;
		for (u64 k = 0; k < n; k++)
			honest &= address >= held[k] + SIZE * PAGE || held[k] >= address + SIZE * PAGE;
		take();
		u64 covered = 0;
		for (u64 k = 0; k < size / step; k++) {
			struct memory_descriptor *d = at(k);
			u64 end = d->PhysicalStart + d->NumberOfPages * PAGE;
			if (d->Type == LoaderCode && d->PhysicalStart <= address && end >= address + SIZE * PAGE)
				covered++;
			else if (d->PhysicalStart < address + SIZE * PAGE && end > address)
				covered += 100;
		}
		typed &= covered == 1;
		*(volatile u64 *)address = address;
		*(volatile u64 *)(address + SIZE * PAGE - 8) = ~address;
		if (n == HELD) {
			freed &= BS->FreePages(held[0], SIZE) == SUCCESS;
			held[0] = held[--n];
		}
		held[n++] = address;
	}
	int kept = 1;
	for (u64 k = 0; k < n; k++) {
		kept &= *(volatile u64 *)held[k] == held[k] && *(volatile u64 *)(held[k] + SIZE * PAGE - 8) == ~held[k];
		freed &= BS->FreePages(held[k], SIZE) == SUCCESS;
	}
	say("%u slots given, %u refused\n", given, refused);
	check("some were given", given > 0);
	check("some were refused", refused > 0);
	check("given exactly when free", honest);
	check("refused with NOT_FOUND", right);
	check("at the address that was asked for", exact);
	check("one descriptor has all of it, no other any", typed);
	check("what was written is still there", kept);
	check("FreePages", freed);
	return finish("random");
}
