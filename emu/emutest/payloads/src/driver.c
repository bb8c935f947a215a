/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * driver: a boot service driver. It installs a protocol on a new handle,
 * stays resident and can be unloaded. Load options: "fail" makes the entry
 * point fail, "stuck" makes Unload refuse.
 */

#include "driver.h"
#include "lib.h"

static const guid adder_id = ADDER_GUID;
static u64 calls;
static int stuck;
static handle home;

static u64 add(u64 a, u64 b)
{
	calls++;
	return a + b;
}

static struct adder adder = {add, &calls};

static status unload(handle h)
{
	if (h != image || stuck) {
		stuck = 0;
		return ACCESS_DENIED;
	}
	return BS->UninstallMultipleProtocolInterfaces(home, &adder_id, &adder, NULL);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	if (!self)
		return ABORTED;
	if (equal(options(), "fail"))
		return OUT_OF_RESOURCES;
	stuck = equal(options(), "stuck");
	self->Unload = unload;
	return BS->InstallMultipleProtocolInterfaces(&home, &adder_id, &adder, NULL);
}
