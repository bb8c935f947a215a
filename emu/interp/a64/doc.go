// SPDX-License-Identifier: BSD-3-Clause

// Package a64 is an engine that interprets AArch64 guests in Go, on any host.
//
// It owns the processor: registers, decoded blocks, the way from an address to
// bytes, and the answer to each instruction. It knows nothing of UEFI, of what
// lies in memory, or of the machine that answers its exits.
//
// The processor is an Armv8.0-A core with FEAT_AES, FEAT_PMULL, FEAT_SHA1,
// FEAT_SHA256, FEAT_CRC32, FEAT_LSE and FEAT_LRCPC, and its identification
// registers say so: pointer authentication and branch targets in hint space are no
// operations, and what needs another feature is undefined, half-precision
// arithmetic too. Like an application it runs at EL0 with cache maintenance, the
// counter and CTR_EL0 open to it (SCTLR_EL1.UCI, UCT, DZE and CNTKCTL_EL1.EL0VCTEN
// are 1). The counter runs by instructions that have executed, not by the host's
// time.
// What is privileged is an exit of kind System or Halt, whose Number is the
// system register as an mrs encodes it in its bits 5 to 20: op0, op1, CRn, CRm
// and op2. Floating-point rounds to nearest; another rounding mode, flushing of
// denormals or trapping, if it was asked for, makes those instructions undefined
// whose result would depend on it. Cumulative exception bits of FPSR are not
// kept, but for QC. The alignment of the stack pointer is not checked.
package a64
