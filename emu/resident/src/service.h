/* SPDX-License-Identifier: BSD-3-Clause */

/* What the services share: types, their calling convention, status codes. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#if defined(__x86_64__)
#define EFIAPI __attribute__((ms_abi))
#else
#define EFIAPI
#endif
#define SERVICE EFIAPI __attribute__((used, section(".text")))

/* Appendix D. */
#define STATUS_ERROR(n) (0x8000000000000000ULL | (n))
#define SUCCESS 0ULL
#define INVALID_PARAMETER STATUS_ERROR(2)
#define UNSUPPORTED STATUS_ERROR(3)
#define BUFFER_TOO_SMALL STATUS_ERROR(5)
#define DEVICE_ERROR STATUS_ERROR(7)
#define WRITE_PROTECTED STATUS_ERROR(8)
#define OUT_OF_RESOURCES STATUS_ERROR(9)
#define NOT_FOUND STATUS_ERROR(14)
#define NO_MAPPING STATUS_ERROR(17)
#define SECURITY_VIOLATION STATUS_ERROR(26)

/* CopyMem (7.5.3) and SetMem (7.5.4). */
EFIAPI void CopyMem(void *destination, const void *source, u64 length);
EFIAPI void SetMem(void *buffer, u64 size, u8 value);
