/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The parameter block of the runtime services, which package resident's
 * RuntimeParams mirrors. It lies in the blob; whoever lays the blob fills it
 * in. All zeros: there are no runtime services. Addresses are physical.
 */

#define RUNTIME_STORE 0         /* u64: the variable store; SetVirtualAddressMap converts it */
#define RUNTIME_STORE_SIZE 8    /* u64: bytes there, the image and the room behind it */
#define RUNTIME_SYSTEM_TABLE 16 /* u64: EFI_SYSTEM_TABLE */
#define RUNTIME_TABLE 24        /* u64: EFI_RUNTIME_SERVICES */
#define RUNTIME_NOTIFY 32       /* u64: who is told of SetVirtualAddressMap: {function, event, context} each */
#define RUNTIME_NOTIFY_COUNT 40 /* u32 */
#define RUNTIME_FLAGS 44        /* u32: RUNTIME_FLAG_ bits */
#define RUNTIME_MAX_SIZE 48     /* u32: bytes of one variable with its name */
#define RUNTIME_MAX_NAME 52     /* u32: UTF-16 units of a name without its NUL */
#define RUNTIME_MAP 56          /* u64: the virtual map, while SetVirtualAddressMap runs */
#define RUNTIME_MAP_COUNT 64    /* u64: its descriptors */
#define RUNTIME_MAP_STRIDE 72   /* u64: bytes from one to the next */
#define RUNTIME_VIRTUAL 80      /* u32: SetVirtualAddressMap was called */
#define RUNTIME_PARAMS_SIZE 88

/* Variables that are non-volatile may be set too, and are lost at a reset. */
#define RUNTIME_FLAG_ACCEPT_NON_VOLATILE 1
