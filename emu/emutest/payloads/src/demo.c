/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * demo: a tour of what a boot loader does. It greets, reads \hello.txt from
 * its own volume if there is one, keeps a variable, uses memory, leaves boot
 * services and then loops for ever. It takes no load options.
 */

#include "lib.h"

static const guid vendor = {0x0d3a2b51, 0x6c1e, 0x4f8a, {0x9b, 0x27, 0x41, 0xe5, 0x7c, 0x90, 0x3d, 0x18}};

static void read_hello(void)
{
	struct file *root = volume(), *f;
	char text[65];
	u64 n;
	if (!root) {
		say("I have no volume of my own.\n");
		return;
	}
	if (root->Open(root, &f, L"\\hello.txt", MODE_READ, 0) != SUCCESS) {
		say("There is no \\hello.txt on my volume.\n");
	} else {
		say("\\hello.txt says: ");
		while (n = sizeof text - 1, f->Read(f, &n, text) == SUCCESS && n) {
			text[n] = 0;
			for (u64 i = 0; i < n; i++)
				if (text[i] == '\r')
					text[i] = ' ';
			say("%s", text);
		}
		if (column)
			say("\n");
		f->Close(f);
	}
	root->Close(root);
}

static void count(void)
{
	u32 attributes, value = 0;
	u64 size = sizeof value;
	RT->GetVariable(L"DemoCount", &vendor, &attributes, &size, &value);
	value++;
	if (RT->SetVariable(L"DemoCount", &vendor, BOOTSERVICE_ACCESS | RUNTIME_ACCESS, sizeof value, &value) != SUCCESS) {
		say("DemoCount cannot be set.\n");
		return;
	}
	value = 0;
	size = sizeof value;
	if (RT->GetVariable(L"DemoCount", &vendor, &attributes, &size, &value) == SUCCESS)
		say("DemoCount is %u, with attributes %x.\n", (u64)value, (u64)attributes);
}

static void use_memory(void)
{
	u8 *page = pages(4), *pool = NULL;
	if (!page || BS->AllocatePool(LoaderData, 64, (void **)&pool) != SUCCESS) {
		say("There is no memory left.\n");
		return;
	}
	BS->SetMem(page, 4 * PAGE, 0xa5);
	BS->CopyMem(pool, page + 2 * PAGE, 64);
	say("4 pages at %x, a pool of 64 bytes: %s.\n", (u64)page, pool[0] == 0xa5 && pool[63] == 0xa5 ? "they hold what I wrote" : "they do NOT hold what I wrote");
	BS->FreePool(pool);
}

/*
 * leave takes the memory map and calls ExitBootServices with its key, again
 * with a new map if the key was stale (7.4.6). The buffer is larger than
 * needed, because a map may grow between the calls and nothing may be
 * allocated after the first ExitBootServices.
 */
static status leave(void)
{
	u64 size = 0, key, descriptor;
	u32 version;
	void *map;
	status s = BS->GetMemoryMap(&size, NULL, &key, &descriptor, &version);
	if (s != BUFFER_TOO_SMALL)
		return s;
	u64 room = size + 16 * descriptor;
	if ((s = BS->AllocatePool(LoaderData, room, &map)) != SUCCESS)
		return s;
	say("The memory map has about %u descriptors. Goodbye, boot services.\n", size / descriptor);
	for (int i = 0; i < 4; i++) {
		size = room;
		if ((s = BS->GetMemoryMap(&size, map, &key, &descriptor, &version)) != SUCCESS)
			break;
		if ((s = BS->ExitBootServices(image, key)) != INVALID_PARAMETER)
			break;
	}
	return s;
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	say("Hello from UEFI.\n");
	say("Firmware: %w, revision %x, UEFI %u.%u\n", st->FirmwareVendor, (u64)st->FirmwareRevision,
	    (u64)(st->Hdr.Revision >> 16), (u64)((st->Hdr.Revision & 0xffff) / 10));
	read_hello();
	count();
	use_memory();
	status s = leave();
	if (s != SUCCESS) {
		say("ExitBootServices failed: %x\n", s);
		return s;
	}
	for (;;)
		;
}
