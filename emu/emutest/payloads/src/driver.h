/* SPDX-License-Identifier: BSD-3-Clause */

/* The protocol of the payload driver, which the payload image looks for. */

#ifndef DRIVER_H
#define DRIVER_H

#include "uefi.h"

#define ADDER_GUID {0x51d27b3c, 0x0a94, 0x4b6e, {0x8f, 0x35, 0x1c, 0xe2, 0x69, 0xd7, 0x80, 0xab}}

struct adder {
	u64 (*Add)(u64, u64);
	u64 *Calls;
};

#endif
