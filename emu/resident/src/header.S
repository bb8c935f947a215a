/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The start of the blob: what package resident reads to find the functions.
 * All numbers are little endian.
 *
 *   0   8 bytes   "UEFIRES" and the version of this layout, 2
 *   8   u32       size of the blob in bytes, header and all
 *   12  u32       number of functions
 *   16  u32       offset of the parameter block
 *   20  u32       size of the parameter block
 *   24  32 bytes  for each function: its name, filled up with zeros to
 *                 28 bytes, and u32 the offset of its first instruction
 */

#include "runtime.h"

	.section .header, "ax"
	.global blob_start
blob_start:
	.ascii "UEFIRES\2"
	.long blob_end - blob_start
	.long (functions_end - functions) / 32
	.long runtime_params - blob_start
	.long RUNTIME_PARAMS_SIZE

	.macro function name
1:	.ascii "\name"
	.zero 28 - (. - 1b)
	.long \name - blob_start
	.endm

functions:
	function CopyMem
	function SetMem
	function SetVirtualAddressMap
	function ConvertPointer
	function GetVariable
	function GetNextVariableName
	function SetVariable
	function QueryVariableInfo
	function Unsupported
functions_end:

	/* In a cache line with no code, as SetVirtualAddressMap writes to it. */
	.section .params, "a"
	.balign 64
	.global runtime_params
	.hidden runtime_params
runtime_params:
	.zero RUNTIME_PARAMS_SIZE
