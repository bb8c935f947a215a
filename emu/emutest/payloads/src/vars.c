/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * vars: the variable services (8.2), on variables of its own that it deletes
 * again. Load options: "list" prints every variable there is.
 */

#include "lib.h"

static const guid vendor = {0x7c41a90e, 0x2b65, 0x4e3d, {0x95, 0x0f, 0xd8, 0x16, 0x3a, 0x72, 0xbc, 0x04}};
static const guid other = {0x7c41a90f, 0x2b65, 0x4e3d, {0x95, 0x0f, 0xd8, 0x16, 0x3a, 0x72, 0xbc, 0x04}};

#define BS_ONLY BOOTSERVICE_ACCESS
#define BS_RT (BOOTSERVICE_ACCESS | RUNTIME_ACCESS)

static status set(const char16 *name, u32 attributes, u64 size, const void *data)
{
	return RT->SetVariable(name, &vendor, attributes, size, data);
}

/* is checks a variable's contents and attributes. */
static void is(const char *what, const char16 *name, u32 attributes, const char *want, u64 n)
{
	char data[64];
	u32 a = 0;
	u64 size = sizeof data;
	if (expect(what, RT->GetVariable(name, &vendor, &a, &size, data), SUCCESS)) {
		expect("its attributes", a, attributes);
		expect("its size", size, n);
		check("its data", size == n && same(data, want, n));
	}
}

static void get_and_set(void)
{
	char data[64];
	u64 size = 0;
	u32 a = 0;
	expect("GetVariable of none", RT->GetVariable(L"PayloadA", &vendor, &a, &size, NULL), NOT_FOUND);
	expect("SetVariable", set(L"PayloadA", BS_RT, 5, "hello"), SUCCESS);
	expect("GetVariable of size 0", RT->GetVariable(L"PayloadA", &vendor, &a, &size, NULL), BUFFER_TOO_SMALL);
	expect("the size it wants", size, 5);
	size = 4;
	expect("GetVariable of a byte too few", RT->GetVariable(L"PayloadA", &vendor, NULL, &size, data), BUFFER_TOO_SMALL);
	expect("the size it wants again", size, 5);
	is("GetVariable", L"PayloadA", BS_RT, "hello", 5);
	size = sizeof data;
	expect("GetVariable without attributes", RT->GetVariable(L"PayloadA", &vendor, NULL, &size, data), SUCCESS);
	expect("GetVariable of another vendor", RT->GetVariable(L"PayloadA", &other, NULL, &size, data), NOT_FOUND);
	expect("GetVariable of another name", RT->GetVariable(L"Payloada", &vendor, NULL, &size, data), NOT_FOUND);
	expect("GetVariable without a size", RT->GetVariable(L"PayloadA", &vendor, NULL, NULL, data), INVALID_PARAMETER);
	expect("GetVariable without a name", RT->GetVariable(NULL, &vendor, NULL, &size, data), INVALID_PARAMETER);
	expect("GetVariable without a vendor", RT->GetVariable(L"PayloadA", NULL, NULL, &size, data), INVALID_PARAMETER);
	size = sizeof data;
	expect("GetVariable to nowhere", RT->GetVariable(L"PayloadA", &vendor, NULL, &size, NULL), INVALID_PARAMETER);

	expect("SetVariable replaces", set(L"PayloadA", BS_RT, 2, "hi"), SUCCESS);
	is("GetVariable after it", L"PayloadA", BS_RT, "hi", 2);
	expect("SetVariable appends", set(L"PayloadA", BS_RT | APPEND_WRITE, 6, " there"), SUCCESS);
	is("GetVariable after that", L"PayloadA", BS_RT, "hi there", 8);
	expect("SetVariable appends nothing", set(L"PayloadA", BS_RT | APPEND_WRITE, 0, NULL), SUCCESS);
	is("GetVariable, unchanged", L"PayloadA", BS_RT, "hi there", 8);
	expect("SetVariable of other attributes", set(L"PayloadA", BS_ONLY, 2, "no"), INVALID_PARAMETER);
	expect("SetVariable of other attributes, NV", set(L"PayloadA", BS_RT | NON_VOLATILE, 2, "no"), INVALID_PARAMETER);
	is("GetVariable, still unchanged", L"PayloadA", BS_RT, "hi there", 8);

	expect("SetVariable at runtime alone", set(L"PayloadB", RUNTIME_ACCESS, 2, "no"), INVALID_PARAMETER);
	expect("SetVariable of an empty name", set(L"", BS_RT, 2, "no"), INVALID_PARAMETER);
	expect("SetVariable without a name", set(NULL, BS_RT, 2, "no"), INVALID_PARAMETER);
	expect("SetVariable without a vendor", RT->SetVariable(L"PayloadB", NULL, BS_RT, 2, "no"), INVALID_PARAMETER);
	expect("SetVariable without data", set(L"PayloadB", BS_RT, 2, NULL), INVALID_PARAMETER);
	expect("SetVariable deletes none", set(L"PayloadB", BS_RT, 0, NULL), NOT_FOUND);
	expect("SetVariable, non-volatile", set(L"PayloadB", BS_RT | NON_VOLATILE, 3, "two"), SUCCESS);
	expect("SetVariable, boot services alone", set(L"PayloadC", BS_ONLY, 5, "three"), SUCCESS);
	expect("SetVariable of another vendor", RT->SetVariable(L"PayloadC", &other, BS_RT, 4, "four"), SUCCESS);
	is("GetVariable, non-volatile", L"PayloadB", BS_RT | NON_VOLATILE, "two", 3);
	is("GetVariable, boot services alone", L"PayloadC", BS_ONLY, "three", 5);
}

static char16 name[512];

/* walk reads every name; it returns how many of the payload's own there are. */
static u64 walk(int list, u64 *total)
{
	guid g = {0};
	u64 mine = 0, room = sizeof name;
	*total = 0;
	name[0] = 0;
	for (;;) {
		u64 size = room;
		status s = RT->GetNextVariableName(&size, name, &g);
		if (s == NOT_FOUND)
			break;
		if (s != SUCCESS || ++*total > 10000) {
			expect("GetNextVariableName", s, SUCCESS);
			break;
		}
		if (size != (length16(name) + 1) * 2)
			expect("the size of a name", size, (length16(name) + 1) * 2);
		mine += same(&g, &vendor, sizeof g) || same(&g, &other, sizeof g);
		if (list)
			say("%w\n", name);
	}
	return mine;
}

static void names(int list)
{
	u64 total, size = 2;
	guid g = vendor;
	expect("GetNextVariableName finds them all", walk(list, &total), 4);
	check("and each one once", total >= 4);
	name[0] = 0;
	expect("GetNextVariableName of two bytes", RT->GetNextVariableName(&size, name, &g), BUFFER_TOO_SMALL);
	check("the size it wants", size > 2);
	expect("it has left the name", name[0], 0);
	memcpy(name, L"PayloadX", sizeof L"PayloadX");
	size = sizeof name;
	check("GetNextVariableName of no variable", is_error(RT->GetNextVariableName(&size, name, &g)));
	expect("GetNextVariableName without a size", RT->GetNextVariableName(NULL, name, &g), INVALID_PARAMETER);
	size = sizeof name;
	expect("GetNextVariableName without a name", RT->GetNextVariableName(&size, NULL, &g), INVALID_PARAMETER);
	expect("GetNextVariableName without a vendor", RT->GetNextVariableName(&size, name, NULL), INVALID_PARAMETER);
}

static void space(void)
{
	u64 max = 0, left = 0, largest = 0;
	expect("QueryVariableInfo", RT->QueryVariableInfo(BS_RT, &max, &left, &largest), SUCCESS);
	check("its numbers", max >= left && largest <= max && largest > 0);
	expect("QueryVariableInfo, non-volatile", RT->QueryVariableInfo(BS_RT | NON_VOLATILE, &max, &left, &largest), SUCCESS);
	check("its numbers too", max >= left && largest <= max && largest > 0);
	expect("QueryVariableInfo at runtime alone", RT->QueryVariableInfo(RUNTIME_ACCESS, &max, &left, &largest), INVALID_PARAMETER);
	expect("QueryVariableInfo of nothing", RT->QueryVariableInfo(0, &max, &left, &largest), INVALID_PARAMETER);
	expect("QueryVariableInfo to nowhere", RT->QueryVariableInfo(BS_RT, NULL, &left, &largest), INVALID_PARAMETER);
}

status efi_main(handle h, struct system_table *st)
{
	u64 total, size = 0;
	begin(h, st);
	get_and_set();
	names(equal(options(), "list"));
	space();
	expect("SetVariable deletes by size", set(L"PayloadA", BS_RT, 0, NULL), SUCCESS);
	expect("SetVariable deletes by attributes", set(L"PayloadC", 0, 5, "three"), SUCCESS);
	expect("SetVariable deletes non-volatile", set(L"PayloadB", BS_RT | NON_VOLATILE, 0, NULL), SUCCESS);
	expect("SetVariable deletes another vendor's", RT->SetVariable(L"PayloadC", &other, BS_RT, 0, NULL), SUCCESS);
	expect("GetVariable of a deleted one", RT->GetVariable(L"PayloadA", &vendor, NULL, &size, NULL), NOT_FOUND);
	expect("none is left", walk(0, &total), 0);
	return finish("vars");
}
