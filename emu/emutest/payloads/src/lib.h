/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What the payloads share: start-up, a line-wise printer, load options and
 * checks. It is a header because each payload is one translation unit; what a
 * payload does not use is left out by the linker.
 */

#ifndef LIB_H
#define LIB_H

#include "uefi.h"

#define UNUSED __attribute__((unused))

static handle image;
static struct system_table *ST;
static struct boot_services *BS;
static struct runtime_services *RT;
static struct loaded_image *self;

/* The compiler calls these two for structures that it copies or clears. */
void *memcpy(void *to, const void *from, u64 n)
{
	for (u64 i = 0; i < n; i++)
		((u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

void *memset(void *to, int value, u64 n)
{
	for (u64 i = 0; i < n; i++)
		((u8 *)to)[i] = (u8)value;
	return to;
}

static UNUSED int same(const void *a, const void *b, u64 n)
{
	for (u64 i = 0; i < n; i++)
		if (((const u8 *)a)[i] != ((const u8 *)b)[i])
			return 0;
	return 1;
}

static UNUSED int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static UNUSED int equal16(const char16 *a, const char16 *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static UNUSED u64 length16(const char16 *s)
{
	u64 n = 0;
	while (s[n])
		n++;
	return n;
}

/* Text is gathered here and handed to ConOut by the line. */
static char16 line[160];
static u32 column;

static void flush(void)
{
	line[column] = 0;
	column = 0;
	ST->ConOut->OutputString(ST->ConOut, line);
}

static void put(char16 c)
{
	if (column >= 150)
		flush();
	if (c == '\n')
		line[column++] = '\r';
	line[column++] = c;
	if (c == '\n')
		flush();
}

static void number(u64 v, u64 base)
{
	char digits[24];
	int n = 0;
	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put((char16)digits[--n]);
}

/*
 * say prints fmt. %s takes a char *, %w a char16 *, %c, %u and %x an u64;
 * nothing else is known.
 */
static UNUSED void say(const char *fmt, ...)
{
	__builtin_va_list ap;
	__builtin_va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put((u8)*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (const char *s = __builtin_va_arg(ap, const char *); *s; s++)
				put((u8)*s);
			break;
		case 'w':
			for (const char16 *s = __builtin_va_arg(ap, const char16 *); *s; s++)
				put(*s);
			break;
		case 'c':
			put((char16)__builtin_va_arg(ap, u64));
			break;
		case 'u':
			number(__builtin_va_arg(ap, u64), 10);
			break;
		case 'x':
			put('0');
			put('x');
			number(__builtin_va_arg(ap, u64), 16);
			break;
		}
	}
	__builtin_va_end(ap);
}

/* begin keeps the entry point's arguments; every payload calls it first. */
static UNUSED void begin(handle h, struct system_table *st)
{
	static const guid loaded = LOADED_IMAGE_GUID;
	image = h;
	ST = st;
	BS = st->BootServices;
	RT = st->RuntimeServices;
	if (BS->HandleProtocol(image, &loaded, (void **)&self) != SUCCESS)
		self = NULL;
}

/*
 * options returns LoadOptions as ASCII, without the name of the program that
 * the UEFI shell puts before them.
 */
static UNUSED const char *options(void)
{
	static char text[128];
	u64 n = 0, start = 0;
	if (!self || !self->LoadOptions)
		return text;
	for (; n < self->LoadOptionsSize / 2 && n < sizeof text - 1; n++) {
		char16 c = ((char16 *)self->LoadOptions)[n];
		if (!c)
			break;
		text[n] = c < 128 ? (char)c : '?';
	}
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = 0;
	for (u64 i = 0; i + 4 <= n; i++)
		if (text[i] == '.' && (text[i + 1] | 32) == 'e' && (text[i + 2] | 32) == 'f' && (text[i + 3] | 32) == 'i') {
			start = i + 4;
			break;
		}
	while (text[start] == ' ' || text[start] == '"')
		start++;
	return text + start;
}

/* parse reads a decimal status; a minus sign before it sets the error bit. */
static UNUSED status parse(const char *s)
{
	u64 v = 0, bit = 0;
	if (*s == '-')
		bit = ERROR_BIT, s++;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u64)(*s - '0');
	return v | bit;
}

static UNUSED int is_error(status s)
{
	return (s & ERROR_BIT) != 0;
}

/* Checks of the payloads that are tests. */
static u64 passed, failed;

static UNUSED int check(const char *name, int ok)
{
	if (ok) {
		passed++;
		say("PASS %s\n", name);
	} else {
		failed++;
		say("FAIL %s: not so\n", name);
	}
	return ok;
}

static UNUSED int expect(const char *name, u64 got, u64 want)
{
	if (got == want)
		return check(name, 1);
	failed++;
	say("FAIL %s: got %x, want %x\n", name, got, want);
	return 0;
}

/* finish prints the count and returns what the entry point is to return. */
static UNUSED status finish(const char *name)
{
	say("%s: %u passed, %u failed\n", name, passed, failed);
	return failed ? ABORTED : SUCCESS;
}

/* pages allocates n pages of LoaderData, or returns NULL. */
static UNUSED void *pages(u64 n)
{
	u64 address = 0;
	return BS->AllocatePages(AllocateAnyPages, LoaderData, n, &address) == SUCCESS ? (void *)address : NULL;
}

/*
 * volume opens the root of the volume that the payload was loaded from, or
 * returns NULL.
 */
static UNUSED struct file *volume(void)
{
	static const guid fs = FILE_SYSTEM_GUID;
	struct file_system *sfs;
	struct file *root;
	if (!self || BS->HandleProtocol(self->DeviceHandle, &fs, (void **)&sfs) != SUCCESS)
		return NULL;
	return sfs->OpenVolume(sfs, &root) == SUCCESS ? root : NULL;
}

#endif
