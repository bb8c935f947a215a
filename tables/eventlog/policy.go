// SPDX-License-Identifier: BSD-3-Clause

package eventlog

import (
	"encoding/binary"
	"fmt"
)

const (
	ccPolicyPCR = 0x0000017f // TPM_CC_PolicyPCR (TPM 2.0 Library, part 2, "TPM_CC")
	selectSize  = 3          // bytes of a TPMS_PCR_SELECTION for 24 PCRs
)

// PolicyPCR is the policy digest of a session with TPM2_PolicyPCR alone (TPM 2.0
// Library, part 3, "TPM2_PolicyPCR"): what an object must be sealed to so that it
// opens when the selected PCRs of a bank have these values. hash is that of the
// session, which is the name algorithm of the object and need not be that of the
// bank. PCRs that are selected twice count once.
//
// Errors: no PCR selected, or one that there is not; a bank of which there are no
// PCRs, or a value of the wrong size in it; a hash that cannot be computed.
func PolicyPCR(bank Algorithm, hash Algorithm, pcrs PCRs, selection ...uint32) ([]byte, error) {
	if _, ok := hash.Hash(); !ok {
		return nil, fmt.Errorf("eventlog: policy: there is no hash %v", hash)
	}
	values := pcrs[bank]
	if values == nil {
		return nil, fmt.Errorf("eventlog: policy: there is no bank %v", bank)
	}
	if len(selection) == 0 {
		return nil, fmt.Errorf("eventlog: policy: no PCR is selected")
	}
	var selected [selectSize]byte
	for _, pcr := range selection {
		if pcr >= Registers {
			return nil, fmt.Errorf("eventlog: policy: there is no PCR %d", pcr)
		}
		selected[pcr/8] |= 1 << (pcr % 8)
	}
	var concatenated []byte
	for pcr, value := range values {
		if selected[pcr/8]&(1<<(pcr%8)) == 0 {
			continue
		}
		if len(value) == 0 || len(value) != bank.Size() {
			return nil, fmt.Errorf("eventlog: policy: PCR %d of %v has %d bytes", pcr, bank, len(value))
		}
		concatenated = append(concatenated, value...)
	}
	session := make([]byte, hash.Size())
	session = binary.BigEndian.AppendUint32(session, ccPolicyPCR)
	session = binary.BigEndian.AppendUint32(session, 1) // TPML_PCR_SELECTION: count
	session = binary.BigEndian.AppendUint16(session, uint16(bank))
	session = append(session, selectSize)
	session = append(session, selected[:]...)
	session = append(session, hash.Sum(concatenated)...)
	return hash.Sum(session), nil
}
