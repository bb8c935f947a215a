/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * exit: calls Exit from a nested function, with the exit data "bye". Load
 * options: the status, in decimal ("-2" is error 2); 0 if there are none.
 */

#include "lib.h"

static __attribute__((noinline)) u64 deeper(u64 depth, status s)
{
	static const char16 text[] = L"bye";
	volatile u64 keep = depth;
	char16 *bye;
	if (depth)
		return deeper(depth - 1, s) + keep;
	if (BS->AllocatePool(BootServicesData, sizeof text, (void **)&bye) != SUCCESS)
		return 1;
	memcpy(bye, text, sizeof text);
	return BS->Exit(image, s, sizeof text, bye);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	deeper(8, parse(options()));
	say("FAIL exit: Exit returned\n");
	return ABORTED;
}
