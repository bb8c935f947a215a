// SPDX-License-Identifier: BSD-3-Clause

package x86

import (
	"io"

	"github.com/uefiexec/uefiexec/emu/cpu"
)

// random is rdrand and rdseed, both from the source that the engine was given.
// If that has failed there is no number, and CF is clear.
func random(c *core, in *inst) bool {
	if c.random == nil {
		return c.fault(cpu.Illegal)
	}
	var b [8]byte
	_, err := io.ReadFull(c.random, b[:1<<(in.sz&3)])
	if err != nil {
		b = [8]byte{}
	}
	c.setArith(arith, b2u(err == nil)*cf)
	c.set(in.rm, in.sz, le.Uint64(b[:]))
	return true
}
