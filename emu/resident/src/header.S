/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The start of the blob: what package resident reads to find the functions.
 * All numbers are little endian.
 *
 *   0   8 bytes   "UEFIRES" and the version of this layout, 1
 *   8   u32       size of the blob in bytes, header and all
 *   12  u32       number of functions
 *   16  32 bytes  for each function: its name, filled up with zeros to
 *                 28 bytes, and u32 the offset of its first instruction
 */

	.section .header, "ax"
	.global blob_start
blob_start:
	.ascii "UEFIRES\1"
	.long blob_end - blob_start
	.long (functions_end - functions) / 32

	.macro function name
1:	.ascii "\name"
	.zero 28 - (. - 1b)
	.long \name - blob_start
	.endm

functions:
	function CopyMem
	function SetMem
	function Unsupported
functions_end:
