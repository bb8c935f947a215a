// SPDX-License-Identifier: BSD-3-Clause

// Package eventlog reads, writes and replays the event log of measured boot, in
// both formats that firmware keeps: that of TCG's PC Client Platform Firmware
// Profile, with digests of several banks ("crypto agile"), and the older one with
// SHA-1 alone. It says what events mean, compares two logs, and derives from one
// what policies are made of.
//
// Sections are those of the TCG PC Client Platform Firmware Profile
// Specification 1.06 unless they name another document.
//
// A log is what a machine says of itself: only its replay against a quote of the
// TPM shows that the digests were extended, and the data of most events is not
// what was hashed. The package checks the form of a log, not its truth.
package eventlog
