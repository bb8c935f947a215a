// SPDX-License-Identifier: BSD-3-Clause

package x86

import "github.com/uefiexec/uefiexec/emu/cpu"

// Jumps with what is before them, by the condition's number.
var (
	cmpJumps  = [16]opcode{2: uCmpJB, uCmpJAE, uCmpJE, uCmpJNE, uCmpJBE, uCmpJA, 12: uCmpJL, uCmpJGE, uCmpJLE, uCmpJG}
	testJumps = [16]opcode{4: uTestJE, uTestJNE, 8: uTestJS, uTestJNS, 14: uTestJLE, uTestJG}
	addJumps  = [16]opcode{4: uAddJE, uAddJNE}
)

// optimise makes fewer and cheaper uops of a block's.
func optimise(list []draft) []uop {
	n := 0
	for i := range list {
		if n > 1 && list[i].flags == flagsRead && list[i].op >= uJcc && list[i].op <= uJNZ {
			delay(list[n-2 : n])
		}
		if n == 0 || !joinJump(&list[n-1], &list[i]) {
			list[n] = list[i]
			n++
		}
	}
	list = list[:n]
	quieten(list)
	joined := list[:0]
	for i := range list {
		if list[i].op == uNop {
			continue
		}
		joined = append(joined, list[i])
		for n := len(joined); n > 1 && join(&joined[n-2], &joined[n-1]); n = len(joined) {
			joined = joined[:n-1]
		}
	}
	ops := make([]uop, len(joined)+1)
	for i := range joined {
		ops[i] = joined[i].uop
		if ops[i].op != uMov4W { // which has no place for it, nor needs it
			ops[i].s3 = joined[i].in.n
		}
	}
	ops[len(joined)].op = uEnd
	return ops
}

// quieten takes away the work for flags that nobody sees. Where only a fault would show
// them, they are made up for then.
func quieten(list []draft) {
	live, access := true, false // flags are read, or memory is accessed, before they are written
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		switch d.flags {
		case flagsRead:
			if d.op == uRmw64 || d.op == uRmw32 {
				live = false
			}
			if d.access() {
				access = access || d.last == nil
			} else {
				live = true
			}
		case flagsWrites:
			if !live && d.quiet.op != uFn && (!access || makeUp(list[i:])) {
				d.uop = d.quiet
			}
			live, access = false, false
		case flagsKeep:
			if !live && !access && d.quiet.op != uFn {
				d.uop = d.quiet
			} else {
				live = true
			}
		}
	}
}

// makeUp notes the first uop of a list in those behind it that access memory before the flags
// are written again, if they find all that its flags depend on.
func makeUp(list []draft) bool {
	u := list[0].uop
	if u.d == regTemp { // it may be joined to what takes it from there
		return false
	}
	switch u.op {
	case uAddF, uSubF:
		if u.b == u.d {
			return false
		}
	case uAndF, uOrF, uXorF:
		u.b = u.d
	default:
		return false
	}
	n, intact := 1, true
	for ; n < len(list) && list[n].flags != flagsWrites; n++ {
		d := &list[n]
		if d.access() && !intact {
			return false
		}
		if d.op == uRmw64 || d.op == uRmw32 {
			n++
			break
		}
		if d.op == uFn || d.writes(u.d) || d.writes(u.b) {
			intact = false
		}
	}
	for i := range list[1:n] {
		if d := &list[1+i]; d.access() && d.last == nil {
			d.last = &u
		}
	}
	return true
}

// access is whether a uop can fault.
func (u *uop) access() bool { return u.op >= uLd64 && u.op <= uPop2 }

// writes is whether a uop changes a register.
func (u *uop) writes(r uint8) bool {
	switch u.op {
	case uSt64, uSt32, uSt16, uSt8, uSt64X, uSt32X, uSt16X, uSt8X, uStV, uStVX, uLdV, uLdVX, uMovV:
		return false
	case uPush:
		return r == cpu.RSP
	case uPop:
		return r == cpu.RSP || r == u.d
	}
	return r == u.d
}

// joins are the pairs of uops that become one.
var joins = map[[2]opcode]opcode{
	{uMov, uMov}: uMov2, {uMovW, uMovW}: uMov2W, {uMov2W, uMov2W}: uMov4W,
	{uRolW, uRolW}: uRolRolW, {uRolW, uXorW}: uRolXorW, {uRolRolW, uXorW}: uRolRolXorW,
	{uShrW, uXorW}: uShrXorW, {uAddW, uAddW}: uAddAddW, {uAndW, uAddW}: uAndAddW,
	{uXorW, uAndW}: uXorAndW, {uAndW, uXorW}: uAndXorW, {uXorW, uAddW}: uXorAddW, {uXorIW, uAndW}: uXorIAndW,
	{uAndAddW, uAddW}: uAndAddAddW, {uAddAddW, uAddW}: uAdd3W,
	{uAndI, uShrV}: uAndShrV, {uAndI, uShlV}: uAndShlV, {uAddI, uAddI}: uAddAddI,
	{uMov, uAdd}:  uMovAdd,
	{uLd64, uAdd}: uLdAdd, {uLd32, uAddW}: uLdAddW, {uLd32X, uAddW}: uLdXAddW,
	{uLd64, uSub}: uLdSub, {uLdAddW, uAddW}: uLdAddAddW,
	{uPush, uPush}: uPush2, {uPop, uPop}: uPop2,
	{uShrXorW, uAddW}: uShrXorAddW, {uXorIAndW, uAddW}: uXorIAndAddW, {uSubW, uShrW}: uSubShrW, {uAndI, uAddW}: uAndIAddW,
	{uSubW, uSt32}: uSubSt32, {uAdd, uSt64}: uAddSt64, {uAndI, uLd16X}: uAndLd16X,
	{uAddI, uCmpJA}: uAddCmpJA, {uAddI, uCmpJNE}: uAddCmpJNE,
}

// join makes u do what v does behind it, if it can. Only one part of a uop can fault or be left
// to a handler, which does its instruction alone: the first part, or the second if that is the last.
func join(u, v *draft) bool {
	if (u.op == uMov || u.op == uMovW && v.narrow()) && v.pure() && v.d == u.d && (v.a == u.d || v.b == u.d) {
		from, w := u.a, *v
		if w.a == u.d {
			w.a = from
		}
		if w.b == u.d {
			w.b = from
		}
		*u = w
		return true
	}
	switch {
	case u.op == uMovW && v.op == uAndI && v.a == u.d && v.d == u.d:
		u.op, u.imm = uAndI, v.imm&(1<<32-1)
		return true
	case v.op == uIns && v.a == regTemp && u.d == regTemp && u.in == v.in && v.imm == 0 && u.a == v.d:
		switch u.op {
		case uAndI:
			u.imm |= ^v.disp
		case uOrI, uXorI:
		default:
			goto pairs
		}
		u.d = v.d
		return true
	}
pairs:
	op := joins[[2]opcode{u.op, v.op}]
	switch op {
	case uFn:
		return false
	case uPush2, uPop2:
		if u.a == cpu.RSP || v.a == cpu.RSP || u.d == cpu.RSP || v.d == cpu.RSP || u.imm|v.imm != 0 {
			return false
		}
	case uMov4W:
		u.d3, u.a3, u.b3, u.s3 = v.d, v.a, v.d2, v.a2
		u.op = op
		return true
	case uRolXorW, uShrXorW, uAndAddW, uXorAndW, uAndXorW, uXorAddW, uXorIAndW:
		if v.b == u.d {
			v.a, v.b = v.b, v.a
		}
		if v.a != u.d {
			return false
		}
	case uAddAddI:
		u.disp = v.imm
	case uRolRolXorW, uAndAddAddW, uAdd3W, uShrXorAddW, uXorIAndAddW, uLdAddAddW:
		u.d3, u.a3, u.b3 = v.d, v.a, v.b
		u.op = op
		u.many = u.many || u.in != v.in
		return true
	case uSubSt32, uAddSt64:
		if v.imm != 0 {
			return false
		}
		u.disp, u.in, u.last = v.disp, v.in, v.last
	case uAndLd16X:
		u.disp, u.in, u.last = v.disp, v.in, v.last
	case uAddCmpJA, uAddCmpJNE:
		w := *v
		w.op, w.d2, w.a2, w.disp = op, u.d, u.a, u.imm
		*u = w
		return true
	}
	u.op, u.d2, u.a2, u.b2, u.s2 = op, v.d, v.a, v.b, v.s
	u.many = u.in != v.in || v.many
	return true
}

// pure is whether a uop makes its register d from a, and of some from b, and nothing else.
func (u *uop) pure() bool {
	return u.op >= uAdd && u.op <= uBswapW || u.op >= uAddF && u.op <= uSarVF && u.op != uCmpF && u.op != uTestF
}

// narrow is whether a pure uop reads only the lower 32 bits of its registers.
func (u *uop) narrow() bool {
	switch u.op {
	case uAddW, uAddIW, uSubW, uAndW, uOrW, uOrIW, uXorW, uXorIW, uMulW, uShlW, uShrW, uSarW, uRolW, uBswapW:
		return true
	case uAndI:
		return u.imm>>32 == 0
	case uAddF, uSubF, uAndF, uOrF, uXorF, uMulF, uShlF, uShrF, uSarF:
		return u.disp>>32 == 0
	}
	return false
}

// delay swaps a comparison with the store behind it, so that the jump that follows can be joined
// to it. The store notes what the flags are before it.
func delay(pair []draft) {
	compare, store := &pair[0], &pair[1]
	if (compare.op == uCmpF || compare.op == uTestF) && store.op >= uSt64 && store.op <= uSt8X {
		u := compare.uop
		store.last = &u
		*compare, *store = *store, *compare
	}
}

// joinJump makes what sets the flags of a conditional jump do the jump too, if it can.
func joinJump(d, jump *draft) bool {
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
	}
	if op == uFn || jump.op != uJcc && jump.op != uJZ && jump.op != uJNZ {
		return false
	}
	d.op, d.s, d.quiet, d.to, d.n = op, 63-tops[sz], uop{}, jump.to, jump.n
	if op == uCmpJN {
		d.s = cc
	}
	return true
}
