// SPDX-License-Identifier: BSD-3-Clause

package ptrace

import (
	"errors"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// debugRegs is what the child's debug registers hold.
type debugRegs struct {
	set bool
}

func (e *engine) runDebug(r *cpu.Regs, stop cpu.Stop) (cpu.Exit, error) {
	return cpu.Exit{}, errors.New("not yet")
}
