/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * wild: calls every service and the functions of some protocols with
 * arguments that are no pointers, no handles and no sizes. The host must
 * answer with an error where a pointer had to be followed, and must live.
 * Real firmware does not promise that: this is not for OVMF.
 *
 * Left out are Exit and ResetSystem, which end the program; CopyMem, SetMem
 * and CalculateCrc32, which may be code of the guest and then fault like the
 * guest; long stalls; and a valid key for ExitBootServices.
 *
 * Load options: the name of a service, to call that one alone and print each
 * call before it is made.
 */

#include "lib.h"

typedef u64 anything(u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64);

enum {
	MUST = 1,      /* with a bad pointer everywhere the answer must be an error */
	SHORT = 2,     /* the first argument is a time: 0 and 1 only */
	LEVEL = 4,     /* may leave another task priority level */
	WATCHDOG = 8,  /* may leave the watchdog running */
	TEXT = 16,     /* prints: not what is readable but no text */
	LEAVES = 32,   /* ExitBootServices */
	FILLS = 64,    /* writes as many bytes as its argument 2 says */
};

struct target {
	const char *name;
	u64 function, self; /* self: a valid first argument, or 0 */
	u32 arguments, flags;
};

static struct target targets[120];
static u64 count;

static void add(const char *name, void *function, const void *self, u32 arguments, u32 flags)
{
	if (count < sizeof targets / sizeof targets[0])
		targets[count++] = (struct target){name, (u64)function, (u64)self, arguments, flags};
}

static void add_boot(void)
{
#define B(name, arguments, flags) add(#name, (void *)BS->name, NULL, arguments, flags)
	B(RaiseTPL, 1, LEVEL);
	B(RestoreTPL, 1, LEVEL);
	B(AllocatePages, 4, MUST);
	B(FreePages, 2, MUST);
	B(GetMemoryMap, 5, MUST);
	B(AllocatePool, 3, MUST);
	B(FreePool, 1, MUST);
	B(CreateEvent, 5, MUST);
	B(SetTimer, 3, MUST);
	B(WaitForEvent, 3, MUST);
	B(SignalEvent, 1, MUST);
	B(CloseEvent, 1, MUST);
	B(CheckEvent, 1, MUST);
	B(InstallProtocolInterface, 4, MUST);
	B(ReinstallProtocolInterface, 4, MUST);
	B(UninstallProtocolInterface, 3, MUST);
	B(HandleProtocol, 3, MUST);
	B(RegisterProtocolNotify, 3, MUST);
	B(LocateHandle, 5, MUST);
	B(LocateDevicePath, 3, MUST);
	B(InstallConfigurationTable, 2, MUST);
	B(LoadImage, 6, MUST);
	B(StartImage, 3, MUST);
	B(UnloadImage, 1, MUST);
	B(GetNextMonotonicCount, 1, MUST);
	B(Stall, 1, SHORT);
	B(SetWatchdogTimer, 4, WATCHDOG);
	B(ConnectController, 4, MUST);
	B(DisconnectController, 3, MUST);
	B(OpenProtocol, 6, MUST);
	B(CloseProtocol, 4, MUST);
	B(OpenProtocolInformation, 4, MUST);
	B(ProtocolsPerHandle, 3, MUST);
	B(LocateHandleBuffer, 5, MUST);
	B(LocateProtocol, 3, MUST);
	B(InstallMultipleProtocolInterfaces, 5, MUST);
	B(UninstallMultipleProtocolInterfaces, 5, MUST);
	B(CreateEventEx, 6, MUST);
}

static void add_runtime(void)
{
#define R(name, arguments, flags) add(#name, (void *)RT->name, NULL, arguments, flags)
	R(GetTime, 2, MUST);
	R(SetTime, 1, MUST);
	R(GetWakeupTime, 3, MUST);
	R(SetWakeupTime, 2, MUST);
	R(SetVirtualAddressMap, 4, MUST);
	R(ConvertPointer, 2, MUST);
	R(GetVariable, 5, MUST);
	R(GetNextVariableName, 3, MUST);
	R(SetVariable, 5, MUST);
	R(GetNextHighMonotonicCount, 1, MUST);
	R(UpdateCapsule, 3, MUST);
	R(QueryCapsuleCapabilities, 4, MUST);
	R(QueryVariableInfo, 4, MUST);
}

static void add_protocols(void)
{
	static const guid fs = FILE_SYSTEM_GUID, rng_id = RNG_GUID;
	struct text_output *o = ST->ConOut;
	struct text_input *i = ST->ConIn;
	struct file_system *sfs;
	struct rng *rng;
	struct file *f;
#define P(p, name, arguments, flags) add(#name, (void *)p->name, p, arguments, flags)
	P(o, OutputString, 2, MUST | TEXT);
	P(o, TestString, 2, MUST);
	P(o, QueryMode, 4, MUST);
	P(o, SetMode, 2, MUST);
	P(o, SetAttribute, 2, 0);
	P(o, SetCursorPosition, 3, MUST);
	P(o, EnableCursor, 2, 0);
	if (i) {
		P(i, Reset, 2, 0);
		P(i, ReadKeyStroke, 2, MUST);
	}
	if (BS->LocateProtocol(&rng_id, NULL, (void **)&rng) == SUCCESS) {
		P(rng, GetInfo, 3, MUST);
		P(rng, GetRNG, 4, MUST | FILLS);
	}
	if (self && BS->HandleProtocol(self->DeviceHandle, &fs, (void **)&sfs) == SUCCESS && (f = volume())) {
		P(sfs, OpenVolume, 2, MUST);
		P(f, Open, 5, MUST);
		P(f, Read, 3, MUST);
		P(f, Write, 3, MUST);
		P(f, GetPosition, 2, MUST);
		P(f, SetPosition, 2, MUST);
		P(f, GetInfo, 4, MUST);
		P(f, SetInfo, 4, MUST);
		P(f, Flush, 1, 0);
		/* Close and Delete end a file: only with a wild file. */
		add("Close", (void *)f->Close, NULL, 1, MUST);
		add("Delete", (void *)f->Delete, NULL, 1, 0);
	}
	add("ExitBootServices", (void *)BS->ExitBootServices, NULL, 2, MUST | LEAVES);
}

static u8 room[65536 + 512];
static u64 scratch, past;

static u64 past_ram(void)
{
	u64 size = 0, key, step = 0, end = 0;
	u32 version;
	u8 *map;
	BS->GetMemoryMap(&size, NULL, &key, &step, &version);
	size += 8 * step;
	if (BS->AllocatePool(LoaderData, size, (void **)&map) != SUCCESS ||
	    BS->GetMemoryMap(&size, map, &key, &step, &version) != SUCCESS)
		return 0;
	for (u64 at = 0; at < size; at += step) {
		struct memory_descriptor *d = (void *)(map + at);
		u64 top = d->PhysicalStart + d->NumberOfPages * PAGE;
		if (d->Type != MemoryMappedIO && d->Type != MemoryMappedIOPortSpace && top > end)
			end = top;
	}
	BS->FreePool(map);
	return end;
}

static u64 key_now(void)
{
	static u8 map[32768];
	u64 size = sizeof map, key = 0, step;
	u32 version;
	BS->GetMemoryMap(&size, map, &key, &step, &version);
	return key;
}

enum { PATTERNS = 11 };
static u64 pattern[PATTERNS];
static const char *const pattern_name[PATTERNS] = {
	"NULL", "1", "not canonical", "all ones", "wrapping", "past RAM", "last of RAM", "nowhere", "unaligned", "a gate", "the image",
};
/* A pointer with this value cannot be followed. */
static const u8 bad[PATTERNS] = {0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0};
/* This value can be read, but holds no text. */
static const u8 no_text[PATTERNS] = {[9] = 1, [10] = 1};

static int loud;
static u64 calls;

static void call(const struct target *t, u64 p, const u64 *a, int all)
{
	if (t->flags & SHORT && a[0] > 1)
		return;
	if (t->flags & TEXT && no_text[p])
		return;
	if (t->flags & LEAVES && a[1] == key_now())
		return;
	if (t->flags & FILLS && a[2] > 4096 && a[2] < past)
		return;
	if (loud)
		say("%s(%x, %x, %x, %x, %x, %x)\n", t->name, a[0], a[1], a[2], a[3], a[4], a[5]);
	memset((void *)scratch, 0, 512);
	calls++;
	u64 s = ((anything *)t->function)(a[0], a[1], a[2], a[3], a[4], a[5], 0, 0, 0, 0, 0, 0);
	if (t->flags & LEVEL) {
		BS->RaiseTPL(TPL_HIGH_LEVEL);
		BS->RestoreTPL(TPL_APPLICATION);
	}
	if (t->flags & WATCHDOG)
		BS->SetWatchdogTimer(0, 0, 0, NULL);
	if (loud)
		say("  = %x\n", s);
	if (all && t->flags & MUST && bad[p] && !is_error(s)) {
		failed++;
		say("FAIL %s with %s (%x): got %x, want an error\n", t->name, pattern_name[p], a[t->arguments - 1], s);
	}
}

/* The ways in which the arguments of a call are filled. */
static void vary(const struct target *t, u64 p)
{
	u64 a[6], w = pattern[p];
	u32 first = t->self != 0;
	for (u32 all = 0; all <= first; all++) {
		for (u32 i = 0; i < 6; i++)
			a[i] = i >= t->arguments ? 0 : i < all ? t->self : w;
		call(t, p, a, 1);
	}
	for (u32 k = first; k < t->arguments; k++) {
		const u64 odd[3] = {w, scratch, w}, rest[3] = {scratch, w, 0};
		for (u32 way = 0; way < 3; way++) {
			for (u32 i = 0; i < 6; i++)
				a[i] = i >= t->arguments ? 0 : i < first ? t->self : i == k ? odd[way] : rest[way];
			call(t, p, a, 0);
		}
	}
}

/* still checks that the host serves as before. */
static void still(void)
{
	static const guid zero;
	u64 address = 0, size = 0, key, step;
	u32 version;
	void *pool;
	event e;
	BS->InstallConfigurationTable(&zero, NULL);
	expect("AllocatePages", BS->AllocatePages(AllocateAnyPages, LoaderData, 3, &address), SUCCESS);
	memset((void *)address, 0x77, 3 * PAGE);
	expect("FreePages", BS->FreePages(address, 3), SUCCESS);
	expect("AllocatePool", BS->AllocatePool(LoaderData, 100, &pool), SUCCESS);
	expect("FreePool", BS->FreePool(pool), SUCCESS);
	expect("GetMemoryMap", BS->GetMemoryMap(&size, NULL, &key, &step, &version), BUFFER_TOO_SMALL);
	expect("CreateEvent", BS->CreateEvent(0, 0, NULL, NULL, &e), SUCCESS);
	expect("SignalEvent", BS->SignalEvent(e), SUCCESS);
	expect("CheckEvent", BS->CheckEvent(e), SUCCESS);
	expect("CloseEvent", BS->CloseEvent(e), SUCCESS);
	expect("RaiseTPL", BS->RaiseTPL(TPL_NOTIFY), TPL_APPLICATION);
	BS->RestoreTPL(TPL_APPLICATION);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	scratch = (((u64)room + 255) & ~255ULL) + 8;
	past = past_ram();
	const u64 values[PATTERNS] = {
		0, 1, 0x8000000000001000, ~0ULL, ~7ULL, past, past - 4, 0x00007f0123456000, scratch + 1,
		(u64)BS->GetMemoryMap, self ? (u64)self->ImageBase : 1,
	};
	memcpy(pattern, values, sizeof values);
	add_boot();
	add_runtime();
	add_protocols();
	const char *only = options();
	loud = *only != 0;
	for (u64 i = 0; i < count; i++)
		if (!loud || equal(only, targets[i].name))
			for (u64 p = 0; p < PATTERNS; p++)
				vary(&targets[i], p);
	say("%u calls of %u services\n", calls, count);
	check("some calls were made", calls > 0);
	still();
	return finish("wild");
}
