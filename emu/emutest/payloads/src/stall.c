/* SPDX-License-Identifier: BSD-3-Clause */

/* stall: stalls for a second, for ever. */

#include "uefi.h"

status efi_main(handle h, struct system_table *st)
{
	(void)h;
	for (;;)
		st->BootServices->Stall(1000000);
}
