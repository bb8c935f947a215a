// SPDX-License-Identifier: BSD-3-Clause

package efi

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// NodeBody is the fixed part of a node of a known kind, without the header and
// with the layout of §10.3. Types that satisfy it are named after the node, with
// the suffix Node.
type NodeBody interface {
	// Kind is the type and subtype of such a node. It is a constant.
	Kind() (typ, subType uint8)
}

// NewNode makes a node of body and the variable part that follows it.
func NewNode[T NodeBody](body T, tail ...byte) Node {
	typ, subType := body.Kind()
	data, err := binary.Append(nil, binary.LittleEndian, body)
	if err != nil {
		panic(err) // T holds something whose size is not fixed.
	}
	return Node{typ, subType, append(data, tail...)}
}

// DecodeNode takes n apart, into the fixed part and what follows it. It is false
// when n is of another kind or too short.
func DecodeNode[T NodeBody](n Node) (body T, tail []byte, ok bool) {
	typ, subType := body.Kind()
	if n.Type != typ || n.SubType != subType {
		return body, nil, false
	}
	size, err := binary.Decode(n.Data, binary.LittleEndian, &body)
	if err != nil {
		return body, nil, false
	}
	return body, n.Data[size:], true
}

// nodePrinter collects the text of one node. Its functions write as EDK2's
// print library does.
type nodePrinter struct {
	strings.Builder
	displayOnly    bool
	allowShortcuts bool
}

func (w *nodePrinter) printf(format string, args ...any) {
	fmt.Fprintf(&w.Builder, format, args...)
}

// hexText is a number as %x with a prefix prints it, which EDK2 does in upper
// case.
func hexText[T ~uint8 | ~uint16 | ~uint32 | ~uint64](v T) string {
	return fmt.Sprintf("0x%X", uint64(v))
}

// upperGUID is g as EDK2's %g prints it.
func upperGUID(g GUID) string { return strings.ToUpper(g.String()) }

// latin1 is b up to a NUL, each byte a character.
func latin1(b []byte) string {
	var text strings.Builder
	for _, c := range b {
		if c == 0 {
			break
		}
		text.WriteRune(rune(c))
	}
	return text.String()
}

// toLatin1 is the reverse of latin1, without a NUL. Characters lose all but
// their lowest byte.
func toLatin1(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = append(b, byte(unit))
	}
	return b
}

// printNode writes a node of one kind. It is false when n is too short to be
// one.
type printNode func(w *nodePrinter, n Node) bool

// nodeKind is a node's type and subtype.
type nodeKind struct{ typ, subType uint8 }

// nodeEntry is a row of nodePrinters.
type nodeEntry struct {
	kind  nodeKind
	print printNode
}

// on makes the row of a body's printer.
func on[T NodeBody](print func(w *nodePrinter, body T, tail []byte)) nodeEntry {
	return onNode[T](func(w *nodePrinter, n Node) bool {
		body, tail, ok := DecodeNode[T](n)
		if ok {
			print(w, body, tail)
		}
		return ok
	})
}

// onNode is on for a printer that takes the node apart itself.
func onNode[T NodeBody](print printNode) nodeEntry {
	var zero T
	typ, subType := zero.Kind()
	return nodeEntry{nodeKind{typ, subType}, print}
}

func printerTable(families ...[]nodeEntry) map[nodeKind]printNode {
	table := make(map[nodeKind]printNode)
	for _, family := range families {
		for _, entry := range family {
			table[entry.kind] = entry.print
		}
	}
	return table
}
