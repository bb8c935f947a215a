// SPDX-License-Identifier: BSD-3-Clause

// Package tpm does what has to be done with the TPM 2.0 of the machine when the
// machine goes over to a payload: it reads the PCRs, extends them with events
// that so far only stand in a log, and says whether a log leads to the PCRs that
// the TPM has.
//
//	t, err := tpm.Open("")
//	banks, err := tpm.Banks(t)
//	pcrs, err := tpm.Read(t, banks)                // first the TPM, then the logs
//	user, err := tpm.ReadUserLogs(os.DirFS("/"))
//	explained, err := tpm.Check(log, user, pcrs)   // of what the log does not show
//	err = tpm.Extend(ctx, t, banks, events)
//
// The commands are those of the TPM 2.0 Library Specification, part 3. The TPM is
// trusted to keep its PCRs, and its answers are not trusted to be well-formed.
//
// The package owns no log and decides nothing: what a mismatch means for the
// machine is for the caller to say. It knows no payload, no memory and no
// service of UEFI.
package tpm
