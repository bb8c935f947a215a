// SPDX-License-Identifier: BSD-3-Clause

package x86

// fused is the handler of a comparison and the jump behind it, or nil.
func fused(kind, cc uint8) handler {
	if kind == fuseCmp {
		return cmpJumps[cc&15]
	}
	return testJumps[cc&15]
}

var cmpJumps = [16]handler{2: cmpJB, 3: cmpJAE, 4: cmpJE, 5: cmpJNE, 6: cmpJBE, 7: cmpJA, 12: cmpJL, 13: cmpJGE, 14: cmpJLE, 15: cmpJG}

var testJumps = [16]handler{4: testJE, 5: testJNE, 8: testJS, 9: testJNS, 14: testJLE, 15: testJG}

func cmpJB(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a < b {
		c.pc = in.disp
	}
	return true
}

func cmpJAE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a >= b {
		c.pc = in.disp
	}
	return true
}

func cmpJE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a == b {
		c.pc = in.disp
	}
	return true
}

func cmpJNE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a != b {
		c.pc = in.disp
	}
	return true
}

func cmpJBE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a <= b {
		c.pc = in.disp
	}
	return true
}

func cmpJA(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if a > b {
		c.pc = in.disp
	}
	return true
}

func cmpJL(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if int64(a<<(in.scale&63)) < int64(b<<(in.scale&63)) {
		c.pc = in.disp
	}
	return true
}

func cmpJGE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if int64(a<<(in.scale&63)) >= int64(b<<(in.scale&63)) {
		c.pc = in.disp
	}
	return true
}

func cmpJLE(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if int64(a<<(in.scale&63)) <= int64(b<<(in.scale&63)) {
		c.pc = in.disp
	}
	return true
}

func cmpJG(c *core, in *inst) bool {
	a, b := c.r[in.reg&31]&in.mask, (c.r[in.rm&31]+in.imm)&in.mask
	c.fr, c.fb, c.lk = (a-b)&in.mask, b, in.lk
	c.pc = in.next
	if int64(a<<(in.scale&63)) > int64(b<<(in.scale&63)) {
		c.pc = in.disp
	}
	return true
}

func testJE(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if r == 0 {
		c.pc = in.disp
	}
	return true
}

func testJNE(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if r != 0 {
		c.pc = in.disp
	}
	return true
}

func testJS(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if int64(r<<(in.scale&63)) < 0 {
		c.pc = in.disp
	}
	return true
}

func testJNS(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if int64(r<<(in.scale&63)) >= 0 {
		c.pc = in.disp
	}
	return true
}

func testJLE(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if int64(r<<(in.scale&63)) <= 0 {
		c.pc = in.disp
	}
	return true
}

func testJG(c *core, in *inst) bool {
	r := c.r[in.reg&31] & (c.r[in.rm&31] + in.imm) & in.mask
	c.fr, c.fc, c.lk = r, 0, in.lk
	c.pc = in.next
	if int64(r<<(in.scale&63)) > 0 {
		c.pc = in.disp
	}
	return true
}
