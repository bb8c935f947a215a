// SPDX-License-Identifier: BSD-3-Clause

package resident

// Blob lets tests call the functions of a trampoline.
func (t *TrampolineBlob) Blob() *Blob { return t.blob }
