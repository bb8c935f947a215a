// SPDX-License-Identifier: BSD-3-Clause

package kexec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/dt"

	"github.com/uefiexec/uefiexec/efi"
)

// deviceTreeFile is the flattened device tree (Devicetree Specification 0.4, §5)
// that the running kernel was booted with, as its loader has given it. On
// AArch64 there is always one, if only to carry /chosen.
const deviceTreeFile = "sys/firmware/fdt"

// maxDeviceTree is Linux's MAX_FDT_SIZE, in bytes.
const maxDeviceTree = 2 << 20

// deviceTree is a device tree that is taken apart.
type deviceTree struct {
	*dt.FDT
	address, size int // cells of the root's children
}

// readDeviceTree reads the running kernel's; the error is fs.ErrNotExist if it
// has none.
func readDeviceTree(root fs.FS) (*deviceTree, error) {
	raw, err := fs.ReadFile(root, deviceTreeFile)
	if err != nil {
		return nil, err
	}
	tree, err := parseDeviceTree(raw)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", deviceTreeFile, err)
	}
	return tree, nil
}

func parseDeviceTree(raw []byte) (*deviceTree, error) {
	const header, totalSize, sizeOfStrings = 40, 4, 32 // Devicetree Specification 0.4, §5.2
	if len(raw) > maxDeviceTree {
		return nil, fmt.Errorf("a device tree of %d bytes", len(raw))
	}
	for _, at := range []int{totalSize, sizeOfStrings} {
		if len(raw) < header || binary.BigEndian.Uint32(raw[at:]) > uint32(len(raw)) {
			return nil, fmt.Errorf("the device tree ends after %d bytes", len(raw))
		}
	}
	parsed, err := dt.ReadFDT(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	t := &deviceTree{FDT: parsed}
	t.address, t.size, err = cells(parsed.RootNode)
	return t, err
}

// flatten is the tree in its flattened form.
func (t *deviceTree) flatten() ([]byte, error) {
	var b bytes.Buffer
	_, err := t.Write(&b)
	return b.Bytes(), err
}

// cells are the numbers of 32-bit cells of the addresses and sizes in a node's
// children (Devicetree Specification 0.4, §2.3.5).
func cells(n *dt.Node) (address, size int, err error) {
	count := func(name string, value int) int {
		if p, ok := n.LookProperty(name); ok {
			v, bad := p.AsU32()
			if bad != nil || v < 1 || v > 2 {
				err = fmt.Errorf("%s of %q is % x", name, n.Name, p.Value)
			}
			value = int(v)
		}
		return value
	}
	return count("#address-cells", 2), count("#size-cells", 1), err
}

// ranges reads addresses with sizes; empty ones are left out.
func ranges(n *dt.Node, name string, address, size int) ([]efi.Range, error) {
	p, ok := n.LookProperty(name)
	if !ok {
		return nil, nil
	}
	if len(p.Value)%(4*(address+size)) != 0 {
		return nil, fmt.Errorf("%s of %q has %d bytes", name, n.Name, len(p.Value))
	}
	rest := p.Value
	number := func(cells int) (v uint64) {
		for range cells {
			v = v<<32 | uint64(binary.BigEndian.Uint32(rest))
			rest = rest[4:]
		}
		return v
	}
	var list []efi.Range
	for len(rest) > 0 {
		at, n := number(address), number(size)
		if n == 0 {
			continue
		}
		r, ok := efi.RangeOf(efi.Addr(at), n)
		if !ok {
			return nil, fmt.Errorf("%s: %d bytes at %#x", name, n, at)
		}
		list = append(list, r)
	}
	return list, nil
}

// reg is a range as the root's children have it.
func (t *deviceTree) reg(r efi.Range) []byte {
	var b []byte
	add := func(cells int, v uint64) { b = append(b, binary.BigEndian.AppendUint64(nil, v)[8-4*cells:]...) }
	add(t.address, uint64(r.Start))
	add(t.size, r.Size())
	return b
}

// enabled reports whether a node is in use (Devicetree Specification 0.4, §2.3.4).
func enabled(n *dt.Node) bool {
	p, ok := n.LookProperty("status")
	return !ok || slices.Contains([]string{"ok\x00", "okay\x00"}, string(p.Value))
}

// chosen is the node of what the boot loader tells, nil if there is none.
func (t *deviceTree) chosen() *dt.Node {
	n, _ := t.RootNode.LookupChildByName("chosen")
	return n
}

// chosenNumber is a number of so many bytes in /chosen; the error is
// fs.ErrNotExist if there is none of that name.
func (t *deviceTree) chosenNumber(name string, size int) (v uint64, err error) {
	var p *dt.Property
	if c := t.chosen(); c != nil {
		p, _ = c.LookProperty(name)
	}
	if p == nil {
		return 0, fmt.Errorf("/chosen has no %s: %w", name, fs.ErrNotExist)
	}
	if len(p.Value) > size {
		return 0, fmt.Errorf("%s has %d bytes", name, len(p.Value))
	}
	for _, b := range p.Value {
		v = v<<8 | uint64(b)
	}
	return v, nil
}

// efiMap is where the stub of the running kernel has left the firmware's memory
// map (Documentation/arch/arm/uefi.rst in Linux); the error is fs.ErrNotExist if
// the kernel was not booted by EFI.
func (t *deviceTree) efiMap() (m efiMap, err error) {
	at, err := t.chosenNumber("linux,uefi-mmap-start", 8)
	m.at = efi.Addr(at)
	for _, f := range []struct {
		name  string
		value *uint64
	}{
		{"linux,uefi-mmap-size", &m.size},
		{"linux,uefi-mmap-desc-size", &m.stride},
		{"linux,uefi-mmap-desc-ver", &m.version},
	} {
		if err == nil {
			*f.value, err = t.chosenNumber(f.name, 4)
		}
	}
	return m, err
}

// systemTable is where the firmware's system table lies.
func (t *deviceTree) systemTable() (efi.Addr, error) {
	at, err := t.chosenNumber("linux,uefi-system-table", 8)
	return efi.Addr(at), err
}

// describes reports whether a tree describes a machine. Kernels that ACPI tells of
// it have one too, with /chosen alone (dt_is_stub in arch/arm64/kernel/acpi.c in
// Linux), and look into that no more once they run.
func (t *deviceTree) describes() bool {
	return slices.ContainsFunc(t.RootNode.Children, func(n *dt.Node) bool { return n.Name != "chosen" && n.Name != "hypervisor" })
}

// ofOneBoot are the properties of /chosen that are about one boot alone: what a
// loader has told the running kernel, which the next one must not believe. Those
// with a "*" stand for all that begin so.
var ofOneBoot = []string{
	"bootargs", "kaslr-seed", "rng-seed", "linux,initrd-*", "linux,uefi-*", "linux,usable-memory-range",
	"linux,elfcorehdr", "linux,booted-from-kexec", "linux,kho-*", imaProperty,
}

// forNext takes out of a tree what the next kernel must not find.
func (t *deviceTree) forNext() {
	c := t.chosen()
	if c == nil {
		return
	}
	c.Properties = slices.DeleteFunc(c.Properties, func(p dt.Property) bool {
		return slices.ContainsFunc(ofOneBoot, func(name string) bool {
			prefix, all := strings.CutSuffix(name, "*")
			return p.Name == name || all && strings.HasPrefix(p.Name, prefix)
		})
	})
}

// imaProperty says where an earlier kernel has left its list of measurements.
const imaProperty = "linux,ima-kexec-buffer"
