// SPDX-License-Identifier: BSD-3-Clause

package resident

import "fmt"

// mapped is what is mapped, for an image that ends at end.
func (p *TrampolineParams) mapped(end uint64) (ram, devices []Range) {
	ram = append([]Range{{p.Base, end}}, p.RAM...)
	devices = p.Devices
	if p.Console.Kind > ConsolePort {
		page := p.Console.Address &^ (pageSize - 1)
		devices = append([]Range{{page, page + pageSize}}, devices...)
	}
	return ram, devices
}

// check looks for what Build refuses, but for what concerns page tables and an
// architecture alone. The image ends at end.
func (p *TrampolineParams) check(end uint64) error {
	image := Range{p.Base, end}
	ram, _ := p.mapped(end)
	mapped := union(ram)
	written, kept := []Range{image}, []Range{image}
	var read []Range
	for _, c := range p.Copies {
		to := c.to()
		if !c.From.pages() || !to.pages() || !covers(mapped, c.From) || !covers(mapped, to) {
			return fmt.Errorf("%w: copy of %v to %v", errTrampoline, c.From, to)
		}
		written, kept, read = append(written, to), append(kept, to), append(read, c.From)
	}
	for _, z := range p.Zeros {
		if !z.pages() || !covers(mapped, z) {
			return fmt.Errorf("%w: zeros in %v", errTrampoline, z)
		}
		written = append(written, z)
	}
	if err := disjoint(written); err != nil {
		return fmt.Errorf("%w: of what is written, %w", errTrampoline, err)
	}
	if err := disjoint(append(kept, union(read)...)); err != nil {
		return fmt.Errorf("%w: of what is copied, %w", errTrampoline, err)
	}
	for _, r := range p.Regions {
		if r.Start != r.End && !covers(mapped, r.Range) {
			return fmt.Errorf("%w: nothing mapped to verify at %v", errTrampoline, r.Range)
		}
	}
	switch c := p.Console; {
	case !covers(mapped, Range{p.State.PC, p.State.PC + 1}):
		return fmt.Errorf("%w: nothing mapped to go on at %#x", errTrampoline, p.State.PC)
	case c.Kind > ConsolePL011, c.Shift > 4, c.Kind == ConsolePort && c.Address+7<<c.Shift > 0xffff, c.Kind > ConsolePort && c.Address%4 != 0:
		return fmt.Errorf("%w: console %+v", errTrampoline, c)
	}
	return nil
}
