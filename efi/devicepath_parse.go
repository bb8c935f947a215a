// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"fmt"
	"maps"
	"strings"
)

// ParseDevicePathText reads the text form of a device path (§10.6.1), as
// EFI_DEVICE_PATH_FROM_TEXT_PROTOCOL does. It knows the nodes that EDK2 knows,
// and takes a node of any other name for a file path, as EDK2 does. Parameters
// that are left out at the end are zero.
//
// Where EDK2 makes the best of text that is wrong (a number that is none or does
// not fit, parentheses that do not pair, more parameters than the node has),
// this returns a *FormatError. Its Offset is that of the node.
func ParseDevicePathText(text string) (DevicePath, error) {
	var path DevicePath
	rest := text
	for rest != "" {
		rest = strings.TrimLeft(rest, "/,()")
		offset := len(text) - len(rest)
		end, ok := nodeEnd(rest)
		if !ok {
			return nil, &FormatError{"device path text", offset, "parentheses do not pair"}
		}
		if end > 0 {
			n, err := parseNodeText(rest[:end], offset)
			if err != nil {
				return nil, err
			}
			path = append(path, n)
		}
		rest = rest[end:]
		if rest == "" {
			break
		}
		if rest[0] == ',' {
			path = append(path, Node{Type: NodeEnd, SubType: endInstance})
		}
		rest = rest[1:]
	}
	return path, nil
}

// ParseNodeText reads the text form of one node. See ParseDevicePathText.
func ParseNodeText(text string) (Node, error) { return parseNodeText(text, 0) }

// nodeEnd is where the first slash or comma outside of parentheses is, or the
// end of text.
func nodeEnd(text string) (end int, ok bool) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '/', ',':
			if depth == 0 {
				return i, true
			}
		}
		if depth < 0 {
			return 0, false
		}
	}
	return len(text), depth == 0
}

func parseNodeText(text string, offset int) (Node, error) {
	bad := func(err error) (Node, error) {
		return Node{}, &FormatError{"device path text", offset, fmt.Sprintf("%q: %v", text, err)}
	}
	n := FilePath(text)
	name, params, _ := strings.Cut(text, "(")
	if parse, ok := nodeParsers[name]; ok && len(name) < len(text) {
		params, after, closed := strings.Cut(params, ")")
		if !closed || after != "" {
			return bad(fmt.Errorf("does not end with the closing parenthesis"))
		}
		p := &nodeParams{rest: params, more: params != ""}
		n = parse(p)
		if p.more {
			p.fail("too many parameters")
		}
		if p.err != nil {
			return bad(p.err)
		}
	}
	switch {
	case len(n.Data) > MaxNodeData:
		return bad(fmt.Errorf("too long for a node"))
	case n.Type == NodeEnd && (n.SubType == endEntire || n.SubType == endInstance):
		return bad(fmt.Errorf("is an end node"))
	}
	return n, nil
}

// parseNode makes a node of its parameters. What is wrong with them is in p.
type parseNode func(p *nodeParams) Node

var nodeParsers = parserTable(hardwareParsers, acpiParsers, storageParsers, networkParsers, mediaParsers)

// parserTable adds to the families the names that only choose a value of a
// parameter.
func parserTable(families ...map[string]parseNode) map[string]parseNode {
	table := map[string]parseNode{"Path": func(p *nodeParams) Node { return parseGeneric(p, p.u8()) }}
	for _, family := range families {
		maps.Copy(table, family)
	}
	for typ, name := range genericNames {
		table[name] = func(p *nodeParams) Node { return parseGeneric(p, typ) }
	}
	for number, name := range pnpNames {
		table[name] = func(p *nodeParams) Node { return ACPI(PNPID(uint16(number)), p.u32()) }
	}
	for class, name := range usbClassNames {
		table[name] = func(p *nodeParams) Node { return parseUSBClass(p, &class, nil) }
	}
	for subClass, name := range usbReserveNames {
		table[name] = func(p *nodeParams) Node {
			class := uint8(usbClassReserve)
			return parseUSBClass(p, &class, &subClass)
		}
	}
	for g, text := range vendorShortcuts {
		table[strings.TrimSuffix(text, "()")] = func(*nodeParams) Node { return VendorMessaging(g) }
	}
	for g, name := range ramDiskNames {
		table[name] = func(p *nodeParams) Node { return parseRAMDisk(p, &g) }
	}
	return table
}

// parseGeneric is a node that is given as its bytes.
func parseGeneric(p *nodeParams, typ uint8) Node {
	subType := p.u8()
	return Node{typ, subType, p.hex()}
}
