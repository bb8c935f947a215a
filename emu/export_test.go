// SPDX-License-Identifier: BSD-3-Clause

package emu

import (
	"flag"

	"github.com/uefiexec/uefiexec/efi"
)

// Update makes tests write the files that they otherwise compare with.
var Update = flag.Bool("update", false, "write golden files and docs/SERVICES.md")

// Interface is what a handle has under a GUID.
func (m *Machine) Interface(h efi.Handle, guid efi.GUID) efi.Addr {
	at, _ := m.handles.lookup(h, guid)
	return at
}
