/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * return: returns a status from its entry point. Load options: the status, in
 * decimal ("-2" is error 2); 0 if there are none.
 */

#include "lib.h"

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	return parse(options());
}
