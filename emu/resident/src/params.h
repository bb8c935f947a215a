/* SPDX-License-Identifier: BSD-3-Clause */

/* The parameter block of runtime.h as C sees it. */

#include <stddef.h>

#include "runtime.h"

struct notification {
	EFIAPI void (*function)(u64 event, u64 context);
	u64 event, context;
};

struct params {
	u8 *store;
	u64 store_size;
	u8 *system_table, *runtime_table;
	struct notification *notify;
	u32 notify_count, flags, max_size, max_name;
	const u8 *map;
	u64 map_count, map_stride;
	u32 is_virtual, reserved;
};

#define AT(field, offset) \
	_Static_assert(offsetof(struct params, field) == (offset), "runtime.h disagrees about " #field)
AT(store, RUNTIME_STORE);
AT(store_size, RUNTIME_STORE_SIZE);
AT(system_table, RUNTIME_SYSTEM_TABLE);
AT(runtime_table, RUNTIME_TABLE);
AT(notify, RUNTIME_NOTIFY);
AT(notify_count, RUNTIME_NOTIFY_COUNT);
AT(flags, RUNTIME_FLAGS);
AT(max_size, RUNTIME_MAX_SIZE);
AT(max_name, RUNTIME_MAX_NAME);
AT(map, RUNTIME_MAP);
AT(map_count, RUNTIME_MAP_COUNT);
AT(map_stride, RUNTIME_MAP_STRIDE);
AT(is_virtual, RUNTIME_VIRTUAL);
_Static_assert(sizeof(struct params) == RUNTIME_PARAMS_SIZE, "runtime.h disagrees about the size");

extern struct params runtime_params __attribute__((visibility("hidden")));
extern const u8 blob_start[] __attribute__((visibility("hidden")));
extern const u8 blob_end[] __attribute__((visibility("hidden")));
