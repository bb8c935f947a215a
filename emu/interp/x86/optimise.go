// SPDX-License-Identifier: BSD-3-Clause

package x86

// Jumps with what is before them, by the condition's number.
var (
	cmpJumps  = [16]opcode{2: uCmpJB, uCmpJAE, uCmpJE, uCmpJNE, uCmpJBE, uCmpJA, 12: uCmpJL, uCmpJGE, uCmpJLE, uCmpJG}
	testJumps = [16]opcode{4: uTestJE, uTestJNE, 8: uTestJS, uTestJNS, 14: uTestJLE, uTestJG}
	addJumps  = [16]opcode{4: uAddJE, uAddJNE}
	subJumps  = [16]opcode{4: uSubJE, uSubJNE}
)

// optimise joins uops and takes away the work for flags that nobody sees.
func optimise(list []draft) []uop {
	list = joinJump(list)
	live := true
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		quiet := !live && d.quiet.op != uFn
		switch d.flags {
		case flagsRead:
			live = true
		case flagsWrites:
			live = false
		case flagsKeep:
			live = live || !quiet
		}
		if quiet {
			d.uop = d.quiet
		}
	}
	ops := make([]uop, 0, len(list))
	for i := range list {
		if list[i].op != uNop {
			ops = append(ops, list[i].uop)
		}
	}
	return ops
}

// joinJump joins the jump at the end with what sets its flags.
func joinJump(list []draft) []draft {
	n := len(list)
	if n < 2 {
		return list
	}
	jump, d := &list[n-1], &list[n-2]
	if jump.op != uJcc && jump.op != uJZ && jump.op != uJNZ {
		return list
	}
	op, cc, sz := uFn, jump.k&15, d.k&3
	switch d.op {
	case uCmpF:
		if op = cmpJumps[cc]; sz == 2 && op != uFn {
			op += uCmpJBW - uCmpJB
		} else if sz < 2 {
			op = uCmpJN
		}
	case uTestF:
		op = testJumps[cc]
	case uAddF:
		op = addJumps[cc]
	case uSubF:
		op = subJumps[cc]
	}
	if op == uFn {
		return list
	}
	d.op, d.s, d.flags, d.quiet = op, 63-tops[sz], flagsRead, uop{}
	if op == uCmpJN {
		d.s = cc
	}
	return list[:n-1]
}
