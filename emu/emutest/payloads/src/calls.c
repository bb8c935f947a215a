/* SPDX-License-Identifier: BSD-3-Clause */

/* calls: calls cheap services for ever. */

#include "uefi.h"

status efi_main(handle h, struct system_table *st)
{
	struct time now;
	(void)h;
	for (;;) {
		st->RuntimeServices->GetTime(&now, NULL);
		st->BootServices->RestoreTPL(st->BootServices->RaiseTPL(TPL_NOTIFY));
	}
}
