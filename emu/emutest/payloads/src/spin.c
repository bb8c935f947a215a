/* SPDX-License-Identifier: BSD-3-Clause */

/* spin: loops for ever and calls nothing. */

#include "uefi.h"

status efi_main(handle h, struct system_table *st)
{
	(void)h;
	(void)st;
	for (;;)
		;
}
