/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * ebs: leaves boot services (7.4.6). It tries a wrong key first, then the
 * right one, writes what it has seen into a page whose address it prints
 * before, and loops for ever. Load options, in any order:
 *   noevent  registers no events
 *   early    ends with ABORTED before the right key, if the wrong one was
 *            not refused as it should be
 *   serial   after boot services, on bare metal: prints the report on COM1
 *            (x86-64) or the PL011 at 0x9000000 (AArch64, QEMU's virt), and
 *            powers off by QEMU's isa-debug-exit at 0xf4 or by PSCI
 */

#include "lib.h"

struct report {
	char Magic[8];         /* "EBSREPRT" */
	u64 WrongKey;          /* status of ExitBootServices with a wrong key */
	u64 EventsAfterWrong;  /* notifications run by then */
	u64 RightKey;          /* status of ExitBootServices with the right key */
	u64 Tries;             /* keys it took */
	char Order[8];         /* n: the event at TPL_NOTIFY, c: the group's at TPL_CALLBACK */
	u64 Events;            /* notifications run in all */
	u64 Nulled;            /* bit 0 BootServices, 1 ConIn, 2 ConOut, 3 StdErr and 4 their handles are NULL */
	u64 CRC;               /* 1: the system table's CRC is right */
	u64 GetVariable;       /* status of a runtime service */
	u64 Done;              /* 1 when all of the above has been written */
};

static struct report *report;

static int has(const char *word)
{
	for (const char *o = options(); *o; o++) {
		u64 i = 0;
		while (word[i] && o[i] == word[i])
			i++;
		if (!word[i])
			return 1;
	}
	return 0;
}

static void on_exit(event e, void *context)
{
	(void)e;
	if (report->Events < sizeof report->Order - 1)
		report->Order[report->Events] = *(const char *)context;
	report->Events++;
}

/* crc is CalculateCrc32 for when there are no boot services. */
static u32 crc(const void *p, u64 n)
{
	u32 c = ~0u;
	for (u64 i = 0; i < n; i++) {
		c ^= ((const u8 *)p)[i];
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

#if defined(__x86_64__)
static void serial(char c)
{
	u8 ready;
	do
		__asm__ volatile("inb %w1, %b0" : "=a"(ready) : "d"(0x3fd));
	while (!(ready & 0x20));
	__asm__ volatile("outb %b0, %w1" : : "a"(c), "d"(0x3f8));
}

static void power_off(void)
{
	__asm__ volatile("outl %0, %w1" : : "a"(0), "d"(0xf4));
}
#else
static void serial(char c)
{
	volatile u32 *uart = (volatile u32 *)0x9000000;
	while (uart[6] & 0x20)
		;
	uart[0] = (u8)c;
}

static void power_off(void)
{
	register u64 x0 __asm__("x0") = 0x84000008; /* SYSTEM_OFF of PSCI */
	u64 el;
	__asm__ volatile("mrs %0, CurrentEL" : "=r"(el));
	if (el >> 2 == 2)
		__asm__ volatile("smc #0" : "+r"(x0) : : "x1", "x2", "x3");
	else
		__asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3");
}
#endif

static void text(const char *s)
{
	while (*s)
		serial(*s++);
}

static void value(const char *name, u64 v)
{
	text(name);
	text("=0x");
	for (int i = 60; i >= 0; i -= 4)
		serial("0123456789abcdef"[v >> i & 15]);
	text("\r\n");
}

static void print(void)
{
	text("\r\nebs: alive after ExitBootServices\r\n");
	value("WrongKey", report->WrongKey);
	value("EventsAfterWrong", report->EventsAfterWrong);
	value("RightKey", report->RightKey);
	value("Tries", report->Tries);
	text("Order=");
	text(report->Order);
	text("\r\n");
	value("Events", report->Events);
	value("Nulled", report->Nulled);
	value("CRC", report->CRC);
	value("GetVariable", report->GetVariable);
	text("ebs: done\r\n");
}

static void register_events(void)
{
	static const guid group = EVENT_GROUP_EXIT_BOOT_SERVICES;
	event e;
	BS->CreateEventEx(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, on_exit, "c", &group, &e);
	BS->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_NOTIFY, on_exit, "n", &e);
}

/* look fills in what is seen after boot services. */
static void look(void)
{
	static const guid global = {0x8be4df61, 0x93ca, 0x11d2, {0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c}};
	u8 copy[sizeof *ST];
	u64 size = sizeof copy;
	report->Nulled = (u64)!ST->BootServices | (u64)!ST->ConIn << 1 | (u64)!ST->ConOut << 2 | (u64)!ST->StdErr << 3 |
			 (u64)(!ST->ConsoleInHandle && !ST->ConsoleOutHandle && !ST->StandardErrorHandle) << 4;
	memcpy(copy, ST, sizeof copy);
	((struct table_header *)copy)->CRC32 = 0;
	report->CRC = ST->Hdr.HeaderSize == sizeof copy && crc(copy, sizeof copy) == ST->Hdr.CRC32;
	report->GetVariable = RT->GetVariable(L"SecureBoot", &global, NULL, &size, copy);
	report->Done = 1;
}

status efi_main(handle h, struct system_table *st)
{
	u64 size = 0, room, key, step;
	u32 version;
	void *map;
	status s;
	begin(h, st);
	int on_serial = has("serial"), early = has("early");
	if (!(report = pages(1)))
		return OUT_OF_RESOURCES;
	memset(report, 0, PAGE);
	memcpy(report->Magic, "EBSREPRT", 8);
	if (!has("noevent"))
		register_events();
	say("report at %x\n", (u64)report);

	BS->GetMemoryMap(&size, NULL, &key, &step, &version);
	room = size + 16 * step;
	if ((s = BS->AllocatePool(LoaderData, room, &map)) != SUCCESS)
		return s;
	size = room;
	if ((s = BS->GetMemoryMap(&size, map, &key, &step, &version)) != SUCCESS)
		return s;
	report->WrongKey = BS->ExitBootServices(image, key + 0x5a5a);
	report->EventsAfterWrong = report->Events;
	if (early && (report->WrongKey != INVALID_PARAMETER || report->Events))
		return ABORTED;
	/* From here on only the memory services may be called. */
	for (report->Tries = 1; report->Tries < 5; report->Tries++) {
		size = room;
		if ((s = BS->GetMemoryMap(&size, map, &key, &step, &version)) != SUCCESS)
			return s;
		if ((s = BS->ExitBootServices(image, key)) != INVALID_PARAMETER)
			break;
	}
	report->RightKey = s;
	if (s != SUCCESS)
		return s;
	look();
	if (on_serial) {
		print();
		power_off();
	}
	for (;;)
		;
}
